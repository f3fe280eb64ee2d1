"""The executor and Snakemake's local one produce the same files, and each accepts those of the other as complete."""

import csv
import json

import pytest
from harness import LOCAL, files_of

pytestmark = pytest.mark.workflow

PRELOAD = ["--dask-preload", "numpy.random,torch"]
COLD = {
    "running": "run: directive",
    "bash": "not a Python script",
    "notebook": "notebook: directive",
    "together_grouped_1_grouped_2": "a group job",
    "cached": "the between-workflow cache",
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The workflow, run by each executor in its own folder."""
    from harness import Workflow

    runs = {}
    for name, options in {"dask": {}, "local": {"executor": LOCAL}}.items():
        folder = tmp_path_factory.mktemp(name)
        runs[name] = Workflow("semantics", folder / "run")
        environment = {"A_SECRET": "a secret", "SNAKEMAKE_OUTPUT_CACHE": str(folder / "cache")}
        (folder / "cache").mkdir()
        arguments = [*(PRELOAD if name == "dask" else []), "--cache", "cached"]
        runs[name].environment = environment
        runs[name].said = runs[name].run(*arguments, seconds=200, **options, **environment)
    return runs


def test_both_make_the_same_files(both):
    files = {name: files_of(run.folder, "out", "log") for name, run in both.items()}
    assert files["dask"] == files["local"] and len(files["dask"]) == 30
    assert files["dask"]["out/random.txt"] == "[True, True, True]\n"  # no two jobs draw the same numbers
    assert not (both["dask"].folder / "<TBD>").exists()
    protected = both["dask"].folder / "out/protected.txt"
    assert not protected.stat().st_mode & 0o222


@pytest.mark.parametrize(("ran", "asked"), [("dask", "local"), ("local", "dask")])
def test_each_accepts_files_of_the_other_as_complete(both, ran, asked):
    run = both[ran]
    options = {"executor": LOCAL} if asked == "local" else {}
    output = run.run("--dry-run", "--cache", "cached", **options, **run.environment)
    assert "Nothing to be done" in output


def test_no_cluster_is_started_without_jobs(both):
    output = both["dask"].run(*PRELOAD, "--cache", "cached", **both["dask"].environment)
    assert "Nothing to be done" in output and "Dask:" not in output
    assert "Dask:" in both["dask"].said  # printed by a run with jobs


def test_every_benchmark_has_values_or_na(both):
    folder = both["dask"].folder / "benchmark"
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        p.name for p in (both["local"].folder / "benchmark").iterdir()
    )
    for path in folder.glob("*.tsv"):
        (row,) = csv.DictReader(path.open(), delimiter="\t")
        assert all(row.values()) and "-" not in row.values()
        assert float(row["s"]) > 0 and float(row["cpu_time"]) >= 0 and float(row["max_rss"]) > 10
    for path in folder.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(rows) == 2
        for row in rows:
            assert None not in row.values() and row["s"] > 0.2 and row["cpu_time"] > 0


def test_no_job_is_silently_cold(both):
    run = both["dask"]
    entries = [e for e in run.ledger() if e["status"] == "ok"]
    cold = {e["rule"]: e["cold_because"] for e in entries if e["path"] == "cold"}
    assert cold == COLD
    for name, reason in COLD.items():
        assert f"Dask: {name} starts a new Snakemake process for each job ({reason})." in run.said
    warm = [e for e in entries if e["path"] == "warm"]
    assert f"Dask: {len({(e['rule'], e['jobid']) for e in warm})} jobs ran warm and {len(cold)} cold" in run.said
    assert {e["rule"] for e in warm} >= {"temporary", "parts", "part", "shadowed", "updated", "retried", "seen"}


def test_a_failed_update_leaves_the_earlier_version(workflow):
    run = workflow("semantics")
    environment = {"A_SECRET": "", "SNAKEMAKE_OUTPUT_CACHE": str(run.folder)}
    run.run("--", "out/updated.txt", **environment)
    script = run.folder / "scripts/updated.py"
    script.write_text(script.read_text() + "raise RuntimeError\n")
    run.run("--forcerun", "updated", "--", "out/updated.txt", ok=False, **environment)
    assert (run.folder / "out/updated.txt").read_text() == "updated\n"


def test_a_script_with_environment_modules_runs_cold(workflow):
    """The login shell of a cluster defines `module`; here it does nothing."""
    run = workflow("semantics")
    (run.folder / "shell.sh").write_text("module() { :; }\nexport -f module\n")
    snakefile = run.folder / "Snakefile"
    snakefile.write_text(
        snakefile.read_text()
        + '\nrule with_modules:\n    output:\n        "out/with_modules.txt",\n    envmodules:\n        "tool/1.0",\n'
        + '    script:\n        "scripts/write.py"\n'
    )
    environment = {"A_SECRET": "", "SNAKEMAKE_OUTPUT_CACHE": str(run.folder), "BASH_ENV": str(run.folder / "shell.sh")}
    output = run.run("--software-deployment-method", "env-modules", "--", "out/with_modules.txt", **environment)
    assert "Dask: with_modules starts a new Snakemake process for each job (environment modules)." in output
    assert (run.folder / "out/with_modules.txt").read_text() == "written\n"
