"""A user's mistake ends a run in one sentence, without a traceback, and leaves nothing that looks like a result."""

import os
import subprocess

import pytest
from runs import LOCAL, Run

pytestmark = pytest.mark.workflow

ROWS = ["age,paid,sex", *(f"{20 + i % 40},{'yes' if i % 3 else 'no'},{'f' if i % 2 else 'm'}" for i in range(60))]


def dataset(run, name, rows=ROWS, **changes):
    (run.folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return {
        "reader": "delimited",
        "files": {"all": {"sources": [f"file:{name}.csv"]}},
        "inputs": {"numeric": ["age"]},
        "target": {"column": "paid"},
        "groups": {"sex": {"column": "sex"}},
        "split": {"test": 0.3},
    } | changes


def csv_study(run, **datasets):
    grid = [{"dataset": name, "models": ["mlp"], "variants": ["dense"]} for name in datasets]
    return run.study(file="bad.yaml", datasets=datasets, grid=grid, seeds=1)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


AFTER_READING = ("table.parquet", "contents.json", "read.usage.json", "card.json", "card.usage.json")
MISTAKES = {
    "absent target": (
        ROWS,
        {"target": {"column": "payed"}},
        "target: column 'payed' is not in the data (did you mean 'paid'?)",
    ),
    "one class": ([r.replace("no", "yes") for r in ROWS], {}, "all 60 labels are 'yes'"),
    "constant group": ([r.replace(",f", ",m") for r in ROWS], {}, "groups: sex: has only the group m"),
    "infinity": ([*ROWS, "inf,yes,f"], {}, "inputs: numeric: column 'age': 1 values are infinite"),
    "NaN": ([*ROWS, "nan,yes,f"], {}, "inputs: numeric: column 'age': 1 of 61 values are missing"),
    "no rows": (ROWS[:1], {}, "file 'all' has no rows"),
    "differing checksum": (
        ROWS,
        {"files": {"all": {"sources": ["file:people.csv"], "sha256": "0" * 64}}},
        f"the checksum differs (expected {'0' * 12}..., found ",
    ),
    "lonely class": ([*ROWS, "33,maybe,f"], {}, "a stratified share of 0.3 cannot be drawn"),
}


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory):
    """Every mistake in a dataset of its own, in one run that goes on after each."""
    run = Run(tmp_path_factory.mktemp("mistaken"))
    (run.folder / "people.csv").write_text("\n".join(ROWS) + "\n")
    datasets = {_name(m): dataset(run, _name(m), rows, **changes) for m, (rows, changes, _) in MISTAKES.items()}
    return run, run.snakemake(csv_study(run, **datasets), *LOCAL, "--keep-going", ok=False)


def _name(mistake):
    return mistake.replace(" ", "_")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_data_that_do_not_fit(mistaken, mistake):
    run, output = mistaken
    *_, message = MISTAKES[mistake]
    sentence = next(
        line for line in output.splitlines() if line.startswith(f"fairweight: datasets: {_name(mistake)}: ")
    )
    assert message in sentence
    assert "Traceback" not in output
    files = {p for p in (run.folder / "results/tiny").rglob("*") if p.is_file() and "logs" not in p.parts}
    left = {p.name for p in files if _name(mistake) in p.parts}
    assert left <= {"all", "all.fetch.usage.json", *(AFTER_READING if mistake == "lonely class" else ())}
    assert not (run.folder / "results/tiny/summary").exists()


def test_an_empty_file_ends_the_run(run):
    study = csv_study(run, people=dataset(run, "people"))
    (run.folder / "people.csv").write_text("")
    assert (
        "fairweight: datasets: people: files: all could not be fetched from any of its sources: file:people.csv: the "
        "file is empty" in (run.snakemake(study, ok=False))
    )
    assert not list(run.folder.glob("results/tiny/data/people/raw/*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seedz": 1}, "study file: top level: the key 'seedz' is not known (did you mean 'seeds'?); legal keys:"),
        ({"datasets": {"../x": {}}}, "'../x' is not a legal name"),
        ({"energy": {"country": "XXX"}}, "energy: country: 'XXX' is not in CodeCarbon's table"),
    ],
)
def test_a_study_file_with_a_mistake_starts_nothing(run, changes, message):
    output = run.snakemake(run.study(**changes), ok=False)
    assert message in output and "Traceback" not in output
    assert not (run.folder / "results").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_full_disk_is_told_and_leaves_nothing_half_written(run):
    small = run.folder / "results"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        rows = [ROWS[0], *(row + str(i) for i, row in enumerate(ROWS[1:] * 1500))][:90_000]
        study = csv_study(run, people=dataset(run, "people", rows))
        output = run.snakemake(study, *LOCAL, ok=False)
        assert "the disk is full at" in output and "Traceback" not in output
        left = [p for p in small.rglob("*") if p.is_file() and "logs" not in p.parts]
        assert left == []
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
