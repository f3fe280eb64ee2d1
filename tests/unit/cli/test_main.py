"""The command line reports mistakes in one sentence, before Snakemake starts."""

import pytest

from fairweight.cli.main import main

MISTAKES = {
    "absent": (None, "there is no study file study.yaml"),
    "not YAML": ("name: x\nlist: [1,\nother: }", "study.yaml, line 3, column 8: this is not YAML"),
    "not UTF-8": (b"name: \xff\xfe", "this is not YAML in UTF-8"),
    "a list": ("[1]", "a study file has keys at its top level"),
    "empty": ("", "a study file has keys at its top level"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_file_that_is_no_study_is_reported(mistake, tmp_path, monkeypatch):
    text, sentence = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "study.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SystemExit) as caught:
        main(["run", "study.yaml"])
    assert str(caught.value).startswith("fairweight: ") and sentence in str(caught.value)
    assert "\n" not in str(caught.value) and not (tmp_path / ".snakemake").exists()
