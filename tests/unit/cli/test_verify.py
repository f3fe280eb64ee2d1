"""`fairweight verify` counts and names every file that is missing or damaged, and what brings it back."""

import os

import pytest
import yaml
from studies import tiny

from fairweight.cli import verify as module
from fairweight.cli.main import main
from fairweight.cli.verify import DAMAGED, INTACT, MISSING, UNKNOWN, findings, promised_files, verify_study
from fairweight.core import run_lock
from fairweight.core.errors import InputError
from fairweight.core.resource_usage import write_usage
from fairweight.study.file_sizes import TARGETS, check_sizes

FILES = ("data/d/table.parquet", "seed-0/d/model.onnx", "hub/models/README.md", "seed-0/d/gone/model.onnx")
USAGE = (
    "data/d/read.usage.json",
    "seed-0/d/export.usage.json",
    "summary/cards.usage.json",
    "seed-0/d/gone/train.usage.json",
)
TOKENIZER = "seed-0/d/tokenizer.json"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A study with one file of a step each: of its data, a model, cards, and a variant that is no longer in it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "tiny"
    for file, usage in zip(FILES, USAGE, strict=True):
        for name in (file, usage):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(f"content of {file}")
        output = folder / "hub" if file.startswith("hub") else folder / file
        others = [folder / TOKENIZER] if "export" in usage else []
        for other in others:
            other.write_text("words")
        write_usage(folder / usage, 1, [folder / usage, output], others)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tiny()))
    return folder


def state(results):
    """Findings for a study that promises the first two steps."""
    return findings(results, {results / name: "read" for name in (*FILES[:2], *USAGE[:2])})


def test_a_finished_study_is_intact(results):
    checked = state(results)
    assert checked.states == {INTACT: 7} and checked.leftovers == 2 and not checked.lines
    check_sizes(results)


def test_each_kind_of_damage_is_named_with_what_brings_it_back(results):
    (results / FILES[0]).write_text(f"Content of {FILES[0]}")
    (results / FILES[1]).unlink()
    (results / FILES[2]).write_text("cut")
    (results / TOKENIZER).unlink()
    checked = state(results)
    assert checked.states == {INTACT: 3, DAMAGED: 2, MISSING: 2} and checked.targets == {"all", "cards"}
    assert f"damaged  {results / FILES[0]} (read): has another checksum than when it was made" in checked.lines
    # Snakemake sees the folder, which is still there
    remedy = f"delete {results / USAGE[2]}"
    assert f"damaged  {results / FILES[2]} (cards): has 3 bytes, not 31; {remedy}" in checked.lines
    assert f"missing  {results / FILES[1]} (export)" in checked.lines
    assert f"missing  {results / TOKENIZER} (export): delete {results / USAGE[1]}" in checked.lines


def test_a_step_without_its_usage_file_is_missing_and_an_edited_one_damaged(results):
    (results / USAGE[0]).unlink()
    (results / USAGE[1]).write_text((results / USAGE[1]).read_text().replace('"threads": 1', '"threads": 2'))
    checked = state(results)
    assert checked.states == {INTACT: 2, MISSING: 1, DAMAGED: 1, UNKNOWN: 2}
    assert f"damaged  {results / USAGE[1]} (export): is not what its step wrote" in checked.lines


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_damaged(results):
    (results / FILES[0]).chmod(0)
    assert "cannot be read (Permission denied)" in state(results).lines[0]


def test_a_file_that_became_a_folder_is_damaged(results):
    (results / FILES[0]).unlink()
    (results / FILES[0]).mkdir()
    assert state(results).states[DAMAGED] == 1


def test_the_command_ends_with_one_sentence_and_exit_code_1(results, monkeypatch, capsys):
    relative = results.relative_to(results.parents[1])
    monkeypatch.setattr(module, "promised_files", lambda *_: {relative / name: "read" for name in (FILES[0], USAGE[0])})
    main(["verify", "study.yaml"])
    assert capsys.readouterr().out.splitlines() == [
        "        4 intact             as their steps wrote them",
        "        5 not checked        of steps that are not part of this study",
    ]
    (results / FILES[0]).write_text("x")
    (results / FILES[2]).unlink()
    with pytest.raises(SystemExit) as caught:
        main(["verify", "study.yaml", "--seeds", "3"])
    assert caught.value.code == (
        "fairweight: 2 of 4 files are missing or damaged; delete those that are damaged, or what their lines "
        "name, then run: fairweight run study.yaml --seeds 3 -- all cards."
    )


def test_a_study_that_has_not_run_or_is_running_is_not_verified(results, tmp_path):
    descriptor = run_lock.open_lock()
    assert run_lock.take(descriptor)
    with pytest.raises(InputError, match="a run uses this folder; verify the study when it has ended"):
        verify_study(tmp_path / "study.yaml", None)
    os.close(descriptor)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tiny(name="another")))
    with pytest.raises(InputError, match=r"there is no folder results/another; run the study first"):
        verify_study(tmp_path / "study.yaml", None)


def test_a_cut_file_or_a_missing_tokenizer_stops_a_run_but_not_what_snakemake_sees_or_people_edit(results):
    (results / FILES[2]).write_text("an edited card")
    (results / FILES[0]).unlink()
    check_sizes(results)
    (results / TOKENIZER).unlink()
    # a long path, as of a temporary folder, may take the middle of the sentence
    with pytest.raises(InputError, match=r"tokenizer\.json, which export wrote, is missin.*export\.usage\.json"):
        check_sizes(results)
    (results / FILES[1]).unlink()  # the step runs again anyway
    check_sizes(results)
    (results / FILES[3]).write_text("x")
    with pytest.raises(InputError, match=r"gone/model\.onnx, which train wrote, has 1 bytes, not 35; delete it"):
        check_sizes(results)


def test_snakemake_lists_the_files_of_the_study_and_of_no_other_target(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tiny()))
    rules = promised_files(tmp_path / "study.yaml", 3)
    assert {"fetch", "train", "report"} <= set(rules.values()) and not set(TARGETS) & set(rules.values())
    assert {path.parts[2] for path in rules} >= {"seed-0", "seed-1", "seed-2", "summary"}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tiny(seeds="many")))
    with pytest.raises(InputError, match=r"the study cannot be planned: .*seeds"):
        promised_files(tmp_path / "study.yaml", None)
