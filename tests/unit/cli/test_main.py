"""The command line reports mistakes in one sentence, before Snakemake starts."""

import pytest
import yaml
from studies import tiny

from fairweight.cli.main import main
from fairweight.cli.run import _remove_unfinished
from fairweight.core.artifacts import atomic

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


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["{outside}", "../notes", "a/b", "."])
def test_a_study_that_is_refused_leaves_everything_as_it_is(tmp_path, monkeypatch, name):
    """The name is validated before anything is removed: a name that is a path once led to the files there."""
    run, outside = tmp_path / "run", tmp_path / "notes"
    for folder in (run / "results" / "a", outside):
        folder.mkdir(parents=True)
        for file in (".notes.20261130", ".table.parquet.fairweight-unfinished-0a1b2c3d"):
            (folder / file).write_text("mine")
    monkeypatch.chdir(run)
    study = tiny(name=name.format(outside=outside))
    (run / "study.yaml").write_text(yaml.safe_dump(study))
    before = files_of(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["run", "study.yaml"])
    assert str(caught.value).startswith("fairweight: study file: name: ") and "\n" not in str(caught.value)
    assert files_of(tmp_path) == before


def test_only_files_with_our_mark_are_unfinished(tmp_path):
    with atomic(tmp_path / "table.parquet") as temporary:
        temporary.write_text("half")
        (tmp_path / ".notes.20261130").write_text("mine")
        (tmp_path / ".model.onnx.0a1b2c3d").write_text("mine")
        _remove_unfinished(tmp_path)
        assert not temporary.exists()
        temporary.write_text("whole")
    assert files_of(tmp_path) == [".model.onnx.0a1b2c3d", ".notes.20261130", "table.parquet"]
