"""Archives: checksums detect every change, names stay inside, and differences between two runs are reported."""

import hashlib
import mimetypes
import os
import platform
import re
import shutil
import zipfile
from importlib import metadata

import pandas as pd
import pytest

from fairweight.core import code_version, components
from fairweight.core.artifacts import read_json, write_frame, write_json
from fairweight.core.checksums import checksum
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.errors import InputError
from fairweight.reporting.archive import packing, reproducing, rerunning
from fairweight.reporting.archive.differences import as_json, as_markdown, compare, lines, verdict
from fairweight.reporting.archive.layout import (
    MANIFEST,
    kept,
    notebook_rule,
    own_files,
    result_files,
    workflow_files,
)
from fairweight.reporting.archive.metadata import Entry
from fairweight.reporting.archive.unpacking import Checked, check, unpack
from fairweight.reporting.provenance import isa

CELL = {"dataset": "d", "augmentation": "none", "model": "m", "variant": "v", "engine": "onnxruntime"}


@pytest.fixture
def folder(tmp_path):
    """An unpacked archive of four files."""
    files = {
        "run/study.yaml": "name: s",
        "run/checksums.json": "{}",
        "workflow/Snakefile": "",
        "run/北京 $x 😀.txt": "text",
    }
    contents = {name: text.encode() for name, text in files.items()}
    entries = [packing._entry(name, data) for name, data in contents.items()]
    contents[MANIFEST] = "".join(f"{e.sha256}  {e.name}\n" for e in entries).encode()
    packing._write_zip(tmp_path / "a.zip", contents, {})
    unpack(tmp_path / "a.zip", tmp_path / "unpacked")
    return tmp_path / "unpacked"


def test_an_unpacked_archive_is_sound(folder):
    assert check(folder).sound and check(folder).whole == 4


@pytest.mark.parametrize("change", ["a byte", "a file less", "a file more"])
def test_every_change_is_detected(folder, change):
    match change:
        case "a byte":
            (folder / "run/study.yaml").write_text("name: t")
            assert check(folder).changed == ["run/study.yaml"]
        case "a file less":
            (folder / "run/study.yaml").unlink()
            assert check(folder).missing == ["run/study.yaml"]
        case "a file more":
            (folder / "run/more").write_text("")
            assert check(folder).unknown == ["run/more"]
    assert not check(folder).sound


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "..\\outside"])
def test_nothing_is_written_outside(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(MANIFEST, f"{'0' * 64}  {name}\n")
        archive.writestr(name, "x")
    with pytest.raises(InputError, match="illegal line"):
        unpack(tmp_path / "a.zip", tmp_path / "unpacked")
    assert not (tmp_path / "outside").exists()


def test_what_the_manifest_does_not_name_is_not_unpacked(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("../outside", "x")
        archive.writestr("more", "x")
    unpack(tmp_path / "a.zip", tmp_path / "again")
    assert check(tmp_path / "again").sound and not (tmp_path / "outside").exists()


def test_mistakes_are_reported(tmp_path, folder):
    with pytest.raises(InputError, match="is not empty; choose a new folder"):
        unpack(tmp_path / "a.zip", folder)
    with pytest.raises(InputError, match=r"there is no archive"):
        unpack(tmp_path / "b.zip", tmp_path / "new")
    (tmp_path / "c.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:200])
    with pytest.raises(InputError, match="is broken"):
        unpack(tmp_path / "c.zip", tmp_path / "new")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("x", "")
    with pytest.raises(InputError, match="is not an archive of a study"):
        unpack(tmp_path / "d.zip", tmp_path / "new")


def test_places_that_cannot_be_written_are_reported(tmp_path, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is not a folder; choose a new folder"):
        unpack(tmp_path / "a.zip", tmp_path / "file")
    with pytest.raises(InputError, match=r"cannot be unpacked into .*file/below \(Not a directory\)"):
        unpack(tmp_path / "a.zip", tmp_path / "file" / "below")
    with pytest.raises(InputError, match="file is not a folder; a study is reproduced in a clean folder"):
        rerunning.rerun(folder, tmp_path / "file", tmp_path, None)
    with pytest.raises(InputError, match="below cannot be written"):
        rerunning.rerun(folder, tmp_path / "file" / "below", tmp_path, None)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x", "x/y"], "has both 'x' and 'x/y'"),
        (["x"], "has no run/study.yaml, run/checksums.json, workflow/Snakefile"),
    ],
)
def test_a_manifest_of_no_study_is_reported(tmp_path, names, message):
    empty = hashlib.sha256(b"").hexdigest()
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(MANIFEST, "".join(f"{empty}  {name}\n" for name in names))
        for name in names:
            archive.writestr(name, "")
    with pytest.raises(InputError, match=message):
        rerunning.verify(tmp_path / "x.zip", None)


def test_what_is_not_in_an_archive_is_looked_for_where_the_data_are(tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    for path in ("hours.csv", "rows.csv", "bert/config.json", "weights.bin", "far.yaml"):
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_text("")
    run.mkdir()
    (run / "own.yaml").write_text("")
    study = {
        "energy": {"hourly": "hours.csv"},
        "datasets": {
            "d": {"files": {"all": {"sources": ["file:rows.csv#x"]}}, "counterfactuals": "far.yaml"},
            "e": {"files": {}, "counterfactuals": "own.yaml"},
            "f": {"files": {}, "counterfactuals": "identities"},
        },
        "models": {
            "bert": {"folder": "bert"},
            "files": {"files": {"model.safetensors": {"sources": ["file:weights.bin", "https://x/y"]}}},
            "lm": {"sources": ["file:weights.bin"]},
        },
        "variants": {"dense": {}, "small": {"distill": {"student": {"folder": "bert"}}}},
    }
    rerunning._locate_data(study, data, run)
    assert study["energy"]["hourly"] == str(data / "hours.csv")
    assert study["datasets"]["d"]["files"]["all"]["sources"] == [f"file:{data}/rows.csv#x"]
    terms = [d["counterfactuals"] for d in study["datasets"].values()]
    assert terms == [str(data / "far.yaml"), "own.yaml", "identities"]
    student = study["variants"]["small"]["distill"]["student"]
    assert study["models"]["bert"]["folder"] == student["folder"] == f"{data}/bert"
    files = study["models"]["files"]["files"]
    assert files["model.safetensors"]["sources"] == [f"file:{data}/weights.bin", "https://x/y"]
    assert study["models"]["lm"]["sources"] == [f"file:{data}/weights.bin"]


@pytest.mark.parametrize(
    ("study", "place"),
    [
        ({"energy": {"hourly": "gone"}}, "energy: hourly"),
        ({"datasets": {"d": {"files": {"all": {"sources": ["file:gone"]}}}}}, "datasets: d: files: all"),
        ({"datasets": {"d": {"files": {}, "counterfactuals": "gone"}}}, "counterfactuals"),
        ({"models": {"m": {"folder": "gone"}}}, "models: m: folder"),
    ],
)
def test_a_missing_local_file_is_reported(tmp_path, study, place):
    with pytest.raises(InputError, match=f"{place}: there is no file .*gone; .* name their folder with --data"):
        rerunning._locate_data({"datasets": {}} | study, tmp_path, tmp_path)


def test_equal_content_makes_equal_bytes(tmp_path):
    for name, time in (("one", 1), ("two", 10**9)):
        path = tmp_path / name
        path.write_text("content")
        os.utime(path, (time, time))
        packing._write_zip(tmp_path / f"{name}.zip", {"b": path, "a": b"bytes"}, {"b": checksum(path)})
    assert checksum(tmp_path / "one.zip") == checksum(tmp_path / "two.zip")


def test_a_file_that_changes_while_it_is_archived_is_reported(tmp_path):
    (tmp_path / "b").write_text("content")
    digests = {"b": checksum(tmp_path / "b")}
    (tmp_path / "b").write_text("more content")
    with pytest.raises(InputError, match="b has changed while it was archived"):
        packing._write_zip(tmp_path / "a.zip", {"b": tmp_path / "b"}, digests)


def test_a_ledger_that_grows_while_the_archive_is_written_is_one_file_in_it(tmp_path, monkeypatch):
    results = run(tmp_path)
    ledger = results / "ledger" / "1.jsonl"
    ledger.parent.mkdir()
    ledger.write_text("{}\n")
    write_json(results / "summary" / "provenance.json", {"study": {"name": "s", "models": {}}, "fairweight": "0.1.0"})

    def meanwhile(*arguments):
        ledger.write_text("{}\n{}\n")
        return {}

    monkeypatch.setattr(packing, "metadata", meanwhile)
    packing.write_archive(str(tmp_path / "a.zip"), results=str(results))
    unpack(tmp_path / "a.zip", tmp_path / "unpacked")
    checksums = read_json(tmp_path / "unpacked" / "run" / "checksums.json")
    kept_ledger = tmp_path / "unpacked" / "run" / "results" / "s" / "ledger" / "1.jsonl"
    assert check(tmp_path / "unpacked").sound
    assert checksums["ledger/1.jsonl"] == checksum(kept_ledger) and kept_ledger.read_text() == "{}\n"


def test_kinds_of_files_do_not_depend_on_the_machine(monkeypatch):
    machine = mimetypes.MimeTypes()
    machine.add_type("text/odd", ".odd")
    machine.add_type("text/odd", ".css")
    monkeypatch.setattr(mimetypes, "_db", machine)
    kinds = [Entry(name, 0, "").kind for name in ("x.odd", "x.css", "x.onnx")]
    assert kinds == ["text/plain", "text/css", "application/octet-stream"]


@pytest.mark.parametrize(
    "name",
    [
        "data/d/raw/all",
        "data/d/table.parquet",
        "seed-0/d/none/m/v/onnxruntime/predictions.parquet",
        "seed-0/d/none/augmented.parquet",
        "seed-0/d/split.parquet",
    ],
)
def test_files_about_single_rows_are_left_out(name):
    assert not kept(name)


@pytest.mark.parametrize(
    "name",
    [
        "summary/steps.parquet",
        "report/report.html",
        "data/d/card.json",
        "seed-0/d/none/m/v/model.onnx",
        "seed-0/d/none/m/v/tokenizer.json",
        "ledger/1.jsonl",
        "paper/tables/x.tex",
        "hub/models/d/none/m/v/README.md",
    ],
)
def test_files_that_people_read_and_ship_are_kept(name):
    assert kept(name)


def test_the_workflow_is_whole_and_nothing_else(tmp_path):
    names = [name for name, _ in workflow_files()]
    assert {
        "workflow/Snakefile",
        "workflow/requirements.lock",
        "workflow/fairweight/cli/main.py",
        "workflow/rules/common.smk",
        "workflow/profiles/default/profile.yaml",
        "workflow/fairweight/reporting/report/page.html.j2",
    } <= set(names)
    assert not [n for n in names if "__pycache__" in n or "/." in n or n.startswith("workflow/tests")]
    (tmp_path / "logs").mkdir()
    for name in ("logs/x.log", ".hidden", "kept.json"):
        (tmp_path / name).write_text("")
    assert [name for name, _ in result_files(tmp_path)] == ["kept.json"]


def test_all_of_config_that_the_code_reads_is_in_the_workflow():
    names = [name for name, _ in workflow_files()]
    code = [path for name, path in workflow_files() if path.suffix in (".py", ".smk") or name.endswith("Snakefile")]
    read = set()
    for path in code:
        text = path.read_text(encoding="utf-8")
        for path_parts in re.findall(r'"config"((?: / "[^"]+")+)', text):
            read.add("/".join(["config", *re.findall(r'"([^"]+)"', path_parts)]))
        read.update(re.findall(r'(?:configfile: |files=\[)"(config/[^"]+)"', text))
    assert read >= {"config/study.schema.yaml", "config/processors.json", "config/terms", "config/config.yaml"}
    for place in read:
        files = [path for path in [ROOT / place, *(ROOT / place).rglob("*")] if path.is_file()]
        assert files and {f"workflow/{path.relative_to(ROOT).as_posix()}" for path in files} <= set(names), place
    assert {f"workflow/{path.name}" for path in ROOT.glob("*.lock")} <= set(names)


@pytest.mark.parametrize("place", ["checkout", "elsewhere"])
def test_the_users_own_modules_are_kept_wherever_the_study_is_run(tmp_path, monkeypatch, place):
    root = tmp_path / "checkout"
    folder = tmp_path / place
    installed = folder / ".venv" / "lib" / "site-packages"
    (root / "fairweight").mkdir(parents=True)
    (root / "fairweight" / "cli.py").write_text("")
    installed.mkdir(parents=True)
    (installed / "bought.py").write_text("def f(): pass")
    (folder / "my_models.py").write_text("import my_layers\ndef tower(): pass")
    (folder / "my_layers.py").write_text("")
    (folder / "words.yaml").write_text("words: {}")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(installed))
    study = {
        "models": {
            "mine": {"architecture": "my_models:tower"},
            "other": {"architecture": "bought:f"},
            "mlp": {"architecture": "mlp"},
        },
        "datasets": {"d": {"counterfactuals": "words.yaml"}, "e": {"counterfactuals": "identities"}},
        "engines": ["onnxruntime"],
    }
    # in one case the folder of the run is that of the workflow
    for module, name in ((components, "WORKFLOW"), (code_version, "WORKFLOW"), (code_version, "SOURCES")):
        monkeypatch.setattr(module, name, root)
    code_version.imported_files.cache_clear()
    assert [name for name, _ in own_files(study)] == ["run/my_layers.py", "run/my_models.py", "run/words.yaml"]


# ---- differences


def run(
    folder,
    *,
    accuracy=0.8,
    data=b"weights",
    torch="2.13.0",
    isa="x86_64 avx2",
    size=1000.0,
    recommended="v",
    verdict="proven",
    winners=("v", "v"),
    criteria=None,
    goal="life_cycle_energy",
):
    """A study's folder with what a comparison reads."""
    results = folder / "results" / "s"
    about = {
        "python": "3.11",
        "fairweight": "0.1.0",
        "packages": {"torch": torch},
        "host": {"isa": isa},
        "study": {"criteria": criteria or {}} | ({"decision": {"goal": goal}} if goal else {}),
    }
    write_json(results / "summary" / "provenance.json", about)
    write_frame(results / "summary" / "steps.parquet", pd.DataFrame([{"rule": "train", "threads": 1}]))
    speeds = ("latency_p50_ms", "prefill_tokens_per_cpu_s", "decode_tokens_per_cpu_s")
    rows = [("accuracy", accuracy, 0), ("accuracy", accuracy, 1), ("size_bytes", size, 0)]
    rows += [(name, len(data), 0) for name in speeds]
    other = {"attribute": None, "group": None, "batch_size": None, "unit": "", "status": "measured"}
    measures = [CELL | other | {"seed": seed, "measure": name, "value": value} for name, value, seed in rows]
    write_frame(results / "summary" / "measures.parquet", pd.DataFrame(measures))
    decided = [CELL | {"recommended": recommended == "v", "verdict": verdict}]
    write_frame(results / "summary" / "decisions.parquet", pd.DataFrame(decided))
    goals = ("transfer_bytes", "latency")
    rows = [CELL | {"goal": g, "winner": w, "winner_augmentation": "none"} for g, w in zip(goals, winners, strict=True)]
    write_frame(results / "summary" / "goals.parquet", pd.DataFrame(rows))
    for name in ("parts", "criteria"):  # which follow from data, verdicts and ceilings
        write_frame(results / "summary" / f"{name}.parquet", pd.DataFrame([{"verdict": verdict}]))
    model = results / "seed-0" / "d" / "none" / "m" / "v" / "model.onnx"
    model.parent.mkdir(parents=True)
    model.write_bytes(data)
    return results


def compared(tmp_path, **changes):
    recipe = {key: changes[key] for key in ("criteria", "goal") if key in changes}
    old = run(tmp_path / "archive" / "run", **recipe)
    checksums = {name: checksum(path) for name, path in result_files(old)}
    write_json(tmp_path / "archive" / "run" / "checksums.json", checksums)
    return compare(tmp_path / "archive", run(tmp_path / "new", **changes))


def test_the_same_bytes_are_reproduced(tmp_path):
    comparison = compared(tmp_path)
    assert comparison.reproduced and comparison.identical and not comparison.values
    assert verdict(comparison) == "Reproduced: all 3 files that follow from data and recipe have the same bytes."


def test_other_bytes_within_the_tuple_are_not_reproduced_even_if_figures_agree(tmp_path):
    comparison = compared(tmp_path, data=b"other")
    assert not comparison.reproduced and comparison.same_tuple and not comparison.values
    assert "NOT reproduced: threads, instruction set and versions are those of the archive" in verdict(comparison)


@pytest.mark.parametrize("outside", [{"torch": "2.14.0"}, {"isa": "x86_64 avx2 avx512f"}])
def test_outside_the_tuple_figures_agree_within_the_tolerance(tmp_path, outside):
    comparison = compared(tmp_path, data=b"other", accuracy=0.809, size=1009.0, **outside)
    assert comparison.reproduced and not comparison.same_tuple and [v.within for v in comparison.values] == [True, True]
    text = as_markdown(comparison)
    assert "**differs**" in text and "Reproduced within the tolerance" in text and "0.809" in text


@pytest.mark.parametrize("change", [{"accuracy": 0.811}, {"size": 1011.0}, {"accuracy": float("nan")}])
def test_outside_the_tuple_beyond_the_tolerance_is_not_reproduced(tmp_path, change):
    comparison = compared(tmp_path, data=b"other", torch="2.14.0", **change)
    assert not comparison.reproduced and not comparison.values[0].within
    assert "1 of 2 means over seeds are off" in verdict(comparison)  # latency is not among them


def test_the_json_file_has_the_whole_comparison(tmp_path):
    record = as_json(compared(tmp_path, data=b"other", torch="2.14.0", accuracy=0.811), 0.01)
    assert list(record) == [
        *("verdict", "reproduced", "tolerance", "parts", "files", "different", "values", "compared"),
        "choices",
    ]
    assert {"name": "torch", "archived": "2.13.0", "here": "2.14.0"} in record["parts"]
    assert list(record["values"][0]) == ["lineage", "measure", "archived", "here", "within"]


RECOMMENDED, VERDICT = "recommended for d/none/m", "verdict on d/none/m/v/onnxruntime"
BY_BYTES, BY_LATENCY = (f"winner by {goal} for d/none/m/onnxruntime" for goal in ("transfer bytes", "latency"))
BY_TIME = {"ceilings": {"energy_j_per_1000": {"at_most": 1}}}
BY_SIZE = {"ceilings": {"size_bytes": {"at_most": 1}}}


@pytest.mark.parametrize(
    ("recipe", "counted"),
    [
        # verdicts and the smallest file follow from predictions and bytes; energy and latency from the machine
        ({"goal": "life_cycle_energy"}, {VERDICT, BY_BYTES}),
        ({"goal": "transfer_bytes"}, {RECOMMENDED, VERDICT, BY_BYTES}),
        ({"goal": "transfer_bytes", "criteria": BY_TIME}, set()),
        ({"goal": "transfer_bytes", "criteria": BY_SIZE}, {RECOMMENDED, VERDICT, BY_BYTES}),
        # studies before there were goals
        ({"goal": None, "criteria": {"cheapest_by": "latency_p50_ms"}}, {VERDICT, BY_BYTES}),
        ({"goal": None, "criteria": {"cheapest_by": "transfer_bytes"}}, {RECOMMENDED, VERDICT, BY_BYTES}),
    ],
)
def test_conclusions_count_unless_they_depend_on_time(tmp_path, recipe, counted):
    comparison = compared(tmp_path, torch="2.14.0", data=b"other", **recipe)
    assert {c.name for c in comparison.choices} == {RECOMMENDED, VERDICT, BY_BYTES, BY_LATENCY}
    assert {c.name for c in comparison.choices if not c.timed} == counted and comparison.reproduced


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"recommended": "none"}, RECOMMENDED),
        ({"verdict": "undecided"}, VERDICT),
        ({"winners": ("dense", "v")}, BY_BYTES),
        ({"winners": ("v", "dense")}, BY_LATENCY),
    ],
)
@pytest.mark.parametrize("criteria", [{}, BY_TIME])
def test_another_conclusion_is_not_reproduced_unless_it_depends_on_time(tmp_path, change, name, criteria):
    comparison = compared(tmp_path, torch="2.14.0", data=b"other", goal="transfer_bytes", criteria=criteria, **change)
    assert [c.name for c in comparison.choices if not c.same] == [name]
    timed = bool(criteria) or name == BY_LATENCY
    assert comparison.reproduced == timed
    if timed:
        assert "Reproduced within the tolerance" in verdict(comparison)
        assert any("depends on time or energy" in line for line in lines(comparison))
    else:
        assert "1 of 3 verdicts and recommendations differ" in verdict(comparison)
    assert f"| {name} |" in as_markdown(comparison)


@pytest.mark.parametrize(("criteria", "same"), [({}, False), (BY_SIZE, False), (BY_TIME, True)])
def test_the_table_of_criteria_has_the_same_bytes_unless_a_ceiling_limits_time(tmp_path, criteria, same):
    """Within the tuple: the tables of another verdict differ, whose cause can only be another measurement of time."""
    old = run(tmp_path / "archive" / "run", criteria=criteria)
    checksums = {name: checksum(path) for name, path in result_files(old) if "parts" not in name}
    write_json(tmp_path / "archive" / "run" / "checksums.json", checksums)
    comparison = compare(tmp_path / "archive", run(tmp_path / "new", criteria=criteria, verdict="undecided"))
    assert comparison.identical == same and comparison.reproduced == same


def test_older_archives_have_no_table_of_goals(tmp_path):
    recipe = {"goal": None, "criteria": {"cheapest_by": "transfer_bytes"}}
    old = run(tmp_path / "archive" / "run", **recipe)
    (old / "summary" / "goals.parquet").unlink()
    checksums = {name: checksum(path) for name, path in result_files(old)}
    write_json(tmp_path / "archive" / "run" / "checksums.json", checksums)
    new = run(tmp_path / "new", **recipe)
    (new / "summary" / "goals.parquet").unlink()
    comparison = compare(tmp_path / "archive", new)
    assert comparison.reproduced and {c.name for c in comparison.choices} == {RECOMMENDED, VERDICT}


def test_missing_files_are_not_reproduced_in_or_outside_the_tuple(tmp_path):
    for torch in ("2.13.0", "2.14.0"):
        folder = tmp_path / torch
        compared(folder, torch=torch)
        shutil.rmtree(folder / "new" / "results" / "s" / "seed-0")
        again = compare(folder / "archive", folder / "new" / "results" / "s")
        assert again.files["model.onnx"]["missing"] == 1 and not again.identical and not again.reproduced
        assert "NOT reproduced" in verdict(again) and again.same_tuple == (torch == "2.13.0")
    assert "1 of 3 files are missing in the rerun" in verdict(again)


def test_measures_of_time_are_not_compared(tmp_path):
    comparison = compared(tmp_path, torch="2.14.0", data=b"longer than before")
    assert comparison.reproduced and comparison.compared == 2 and not comparison.values


@pytest.mark.parametrize(("pinned", "fails"), [({}, True), ({"torch": "0.0.1"}, False)])
def test_another_page_with_the_same_versions_is_a_failure(tmp_path, folder, monkeypatch, capsys, pinned, fails):
    packages = {name: metadata.version(name) for name in ("torch", "pandas")} | pinned
    about = {"python": platform.python_version(), "packages": packages, "host": {"isa": isa()}}
    write_json(folder / "run" / "results" / "s" / "summary" / "provenance.json", about)
    monkeypatch.setattr(rerunning, "check", lambda _: Checked(1, [], [], []))
    monkeypatch.setattr(rerunning, "rerender", lambda *_: {"report.html": False})
    if fails:
        with pytest.raises(InputError, match=r"rendered again with the same versions, report.html differs"):
            rerunning.verify(folder, None)
    else:
        rerunning.verify(folder, None)
        assert f"may be why: torch {metadata.version('torch')}, not 0.0.1." in capsys.readouterr().out
    monkeypatch.setattr(rerunning, "rerender", lambda *_: {})
    rerunning.verify(folder, None)
    assert "the archive has no page to compare it with" in capsys.readouterr().out


# ---- archives of older versions


def older(folder):
    """Give the table of steps of a study the name that older versions gave it."""
    (folder / "summary" / "steps.parquet").rename(folder / "summary" / "costs.parquet")
    return folder


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ("reporting/render_notebook.py", "render_notebook"),
        ("reporting/notebook.py", "notebook"),
        ("notebook.py", "notebook"),
    ],
)
def test_the_rule_that_renders_notebooks_is_that_of_the_archive(tmp_path, folder, monkeypatch, script, rule):
    path = folder / "workflow" / "scripts" / script
    path.parent.mkdir(parents=True)
    path.write_text("")
    calls = []
    monkeypatch.setattr(rerunning, "_snakemake", lambda *arguments, **_: calls.append(arguments))
    assert rerunning.rerender(folder, tmp_path / "place") == {}
    options = calls[0][2]
    assert options[options.index("--allowed-rules") :] == [
        *("--allowed-rules", rule, "report", "--forcerun", rule, "--", "results/s/report/report.html"),
    ]


def test_the_rule_that_renders_notebooks_is_one_of_this_workflow(tmp_path):
    (tmp_path / "workflow").symlink_to(ROOT)
    rule = notebook_rule(tmp_path, tmp_path)
    assert re.search(rf"^rule {rule}:$", (ROOT / "rules" / "reporting.smk").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("renamed", ["archive", "both"])
def test_the_table_of_steps_may_have_its_older_name(tmp_path, renamed):
    old = older(run(tmp_path / "archive" / "run"))
    write_json(tmp_path / "archive" / "run" / "checksums.json", {n: checksum(p) for n, p in result_files(old)})
    new = run(tmp_path / "new")
    comparison = compare(tmp_path / "archive", older(new) if renamed == "both" else new)
    assert comparison.identical and comparison.same_tuple


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ("steps.parquet", r"has no steps\.parquet or costs\.parquet; use the version .* fairweight 0\.1\.0\.$"),
        ("decisions.parquet", r"has no decisions\.parquet; use the version .* fairweight 0\.1\.0\.$"),
        ("provenance.json", r"has no provenance\.json; use the version .* which its README\.md states\.$"),
    ],
)
def test_a_table_that_an_archive_lacks_is_reported_before_the_study_is_run(
    tmp_path, folder, monkeypatch, lacking, message
):
    (run(folder / "run") / "summary" / lacking).unlink()
    monkeypatch.setattr(reproducing, "check", lambda _: Checked(1, [], [], []))
    monkeypatch.setattr(reproducing, "rerun", lambda *_: pytest.fail("it was run"))
    with pytest.raises(InputError, match=message):
        reproducing.reproduce(folder, tmp_path / "new", data=tmp_path, tolerance=0.01, snakefile=None)


def test_a_workflow_without_a_rule_that_renders_notebooks_is_reported(tmp_path, folder):
    about = {"fairweight": "0.0.1", "commit": "abc123"}
    write_json(folder / "run" / "results" / "s" / "summary" / "provenance.json", about)
    message = r"no script render_notebook\.py or notebook\.py in .*; use .*, fairweight 0\.0\.1 \(commit abc123\)\.$"
    with pytest.raises(InputError, match=message):
        rerunning.rerender(folder, tmp_path / "place")
