"""Results that belong to another study of the same name, or to fewer seeds, are named in one sentence."""

import copy
import json

import pytest
import yaml
from studies import tiny

from fairweight.cli import verify as verify_module
from fairweight.cli.main import main
from fairweight.cli.stored_study import differing_keys, note_of_run, stored_study
from fairweight.study.results_layout import KEY, LAYOUT
from fairweight.study.schema import resolve


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The folder of a finished run of the tiny study with four seeds."""
    monkeypatch.chdir(tmp_path)
    stored(tmp_path, tiny(seeds=4))
    return tmp_path / "results" / "tiny"


def stored(folder, config):
    place = folder / "results" / "tiny" / "summary"
    place.mkdir(parents=True, exist_ok=True)
    (place / "provenance.json").write_text(json.dumps({"study": resolve(config), KEY: str(LAYOUT)}))


def study(**changes):
    with open("study.yaml", "w") as file:
        yaml.safe_dump(tiny(**changes), file)


def test_the_same_study_does_not_differ_whatever_its_titles_and_folders(results):
    config = resolve(tiny(seeds=4, datasets__adult__title="Another", cache="elsewhere"))
    assert differing_keys(config, stored_study(results)) == [] and note_of_run(config, results) is None
    older = json.loads((results / "summary" / "provenance.json").read_text())
    del older["study"]["training"]["standard"]["tolerance"]  # a key that is newer than the run
    (results / "summary" / "provenance.json").write_text(json.dumps(older))
    assert differing_keys(config, stored_study(results)) == []


def test_an_answer_of_another_study_of_the_same_name_is_refused(results):
    study(seeds=4, datasets__adult__repeated="remove", criteria={"margins": {"accuracy": 0.03}})
    with pytest.raises(SystemExit) as caught:
        main(["answer", "study.yaml"])
    sentence = str(caught.value.code)
    assert sentence.startswith("fairweight: results/tiny holds the results of another study named 'tiny' (")
    assert "datasets: adult" in sentence and "criteria: margins" in sentence
    assert sentence.endswith("differ); run: fairweight run study.yaml, or give the study another name.")


def test_at_most_three_keys_are_named(results):
    other = tiny(seeds=4, criteria={"margins": {"accuracy": 0.03}, "error_rate": 0.1, "gap": "accuracy_difference"})
    other["decision"] = {"goal": "transfer_bytes"}
    with open("study.yaml", "w") as file:
        yaml.safe_dump(other, file)
    with pytest.raises(SystemExit, match="and 1 more differ"):
        main(["answer", "study.yaml"])


def test_a_default_that_has_changed_since_the_run_is_no_other_study(results, capsys):
    older = json.loads((results / "summary" / "provenance.json").read_text())
    older["study"]["fairness"]["smallest_group"] = 30
    (results / "summary" / "provenance.json").write_text(json.dumps(older))
    study(seeds=4, fairness={})
    with pytest.raises(SystemExit, match="is missing: the study is not decided"):
        main(["answer", "study.yaml"])
    assert "another state of the study (fairness: smallest_group differs)" in capsys.readouterr().err
    study(seeds=4, fairness={"smallest_group": 50})
    with pytest.raises(SystemExit, match="another study named 'tiny'"):
        main(["answer", "study.yaml"])


def test_fewer_seeds_are_a_warning_and_no_error(results, capsys):
    study(seeds=8)
    with pytest.raises(SystemExit, match="is missing: the study is not decided"):  # which has no other files here
        main(["answer", "study.yaml"])
    assert capsys.readouterr().err == "fairweight: results/tiny holds 4 seeds, and the study has 8.\n"


def test_a_run_notes_results_of_other_data_and_no_other_change(results):
    config = resolve(tiny(seeds=2, criteria={"margins": {"accuracy": 0.03}}))
    assert note_of_run(config, results) is None
    changed = copy.deepcopy(config)
    changed["datasets"]["adult"]["target"]["column"] = "sex"
    assert note_of_run(changed, results) == (
        f"{results} holds the results of a study of other data (datasets: adult differs); this run replaces them."
    )
    assert note_of_run(changed, results.parent / "none") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"study": 5}', "\udcff"])
def test_a_damaged_provenance_says_nothing(results, content):
    (results / "summary" / "provenance.json").write_bytes(content.encode(errors="surrogateescape"))
    assert stored_study(results) is None


def test_the_seeds_that_were_run_are_verified(results, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(verify_module, "promised_files", lambda _, seeds: asked.append(seeds) or {})
    study(seeds=8)
    main(["verify", "study.yaml"])
    assert capsys.readouterr().out.startswith("4 of 8 seeds were run; checked those.\n") and asked == [4]
    study(seeds=8, datasets__adult__repeated="remove")
    main(["verify", "study.yaml", "--seeds", "4"])
    captured = capsys.readouterr()
    assert asked == [4, 4] and "seeds were run" not in captured.out
    assert captured.err == (
        "fairweight: results/tiny holds results of another state of the study (datasets: adult differs).\n"
    )


def test_five_paths_are_listed_and_the_others_counted(results, monkeypatch, capsys):
    study(seeds=4)
    monkeypatch.setattr(
        verify_module, "promised_files", lambda *_: {results / f"file-{number}": "train" for number in range(20)}
    )
    with pytest.raises(SystemExit, match="20 of 20 files are missing or damaged"):
        main(["verify", "study.yaml"])
    lines = capsys.readouterr().out.splitlines()
    assert sum("file-" in line for line in lines) == 5 and lines[-1] == "... and 15 more"
