"""Without a study file, a command takes the default study only where no other one can be meant; `run` announces it."""

from pathlib import Path

import pytest
import yaml
from studies import tiny

from fairweight.cli import main as module
from fairweight.cli.main import main
from fairweight.cli.study_path import DEFAULT_STUDY, chosen_study


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["run", "answer", "verify", "energy"])
def test_a_folder_with_study_files_is_no_place_for_the_default_study(command):
    for name in ("credit", "kredit", "other", "second look"):
        Path(f"{name}.yaml").write_text(yaml.safe_dump(tiny()))
    Path("another.yaml").write_text("a: b\n")
    Path("broken.yml").write_text("a: [\n")
    with pytest.raises(SystemExit) as caught:
        main([command])
    assert str(caught.value.code) == (
        f"fairweight: {command}: no study file is named, and this folder has 'credit.yaml', 'kredit.yaml', "
        f"'other.yaml' ...; name one: fairweight {command} credit.yaml. The default study: fairweight {command} "
        f"{DEFAULT_STUDY}."
    )
    assert not Path("results").exists()


def test_the_default_study_is_announced_before_it_runs(monkeypatch, capsys):
    started = []
    monkeypatch.setattr(module, "run_study", lambda study, options: started.append((study, options.seeds)))
    Path("snakemake.yaml").write_text("cores: 2\n")
    main(["run", "--seeds", "2"])
    said = capsys.readouterr().out
    assert said.startswith("fairweight: no study file is given: running the default study (")
    assert "models over 2 seeds" in said and said.endswith("For your own: fairweight run STUDY\n")
    main(["run", str(DEFAULT_STUDY)])
    assert started == [(DEFAULT_STUDY, 2), (DEFAULT_STUDY, None)] and capsys.readouterr().out == ""


def test_a_study_that_is_named_is_taken():
    Path("credit.yaml").write_text(yaml.safe_dump(tiny()))
    assert chosen_study(Path("other.yaml"), "run") == Path("other.yaml")
    Path("credit.yaml").unlink()
    assert chosen_study(None, "run") == DEFAULT_STUDY
