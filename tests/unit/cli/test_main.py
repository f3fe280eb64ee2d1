"""The command line reports mistakes in one sentence, before Snakemake starts."""

import os
import subprocess
import sys
from datetime import datetime

import pytest
import yaml
from studies import tiny

from fairweight.cli import run
from fairweight.cli.main import main, print_window
from fairweight.cli.run import _choose_cache, _remove_unfinished
from fairweight.core.artifacts import atomic
from fairweight.core.errors import InputError

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
    place, outside = tmp_path / "run", tmp_path / "notes"
    for folder in (place / "results" / "a", outside):
        folder.mkdir(parents=True)
        for file in (".notes.20261130", ".table.parquet.fairweight-unfinished-0a1b2c3d"):
            (folder / file).write_text("mine")
    monkeypatch.chdir(place)
    study = tiny(name=name.format(outside=outside))
    (place / "study.yaml").write_text(yaml.safe_dump(study))
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


def refused(folder, monkeypatch, *arguments, **changes):
    """The sentence in which a run of the tiny study ends before Snakemake starts."""
    monkeypatch.chdir(folder)
    (folder / "study.yaml").write_text(yaml.safe_dump(tiny(**changes)))
    before = files_of(folder)
    with pytest.raises(SystemExit) as caught:
        main(["run", "study.yaml", *arguments])
    assert files_of(folder) == before and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_wrong_option_is_not_blamed_on_the_study_file(tmp_path, monkeypatch):
    for seeds in ("0", "-1", "1000000000"):
        sentence = refused(tmp_path, monkeypatch, "--seeds", seeds)
        assert sentence == f"fairweight: --seeds: {seeds} is out of range; it is at least 1 and at most 1,000."
    assert refused(tmp_path, monkeypatch, seeds=0).startswith("fairweight: study file: seeds: 0 is out of range")


@pytest.mark.parametrize("kind", ["a file", "a link to nothing"])
def test_results_that_cannot_be_written_are_refused_first(tmp_path, monkeypatch, kind):
    place = tmp_path / "out"
    if kind == "a file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nothing")
    sentence = refused(tmp_path, monkeypatch, pathvars={"results": "out/deep"})
    assert sentence.startswith("fairweight: out is not a folder, and results go to out/deep; remove it")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk takes root")
@pytest.mark.parametrize("name", ["results", ".snakemake"])
def test_a_folder_on_a_disk_that_is_read_only_is_refused_first(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path / name)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a disk")
    try:
        assert f"{name} cannot be written" in refused(tmp_path, monkeypatch)
    finally:
        subprocess.run(["umount", str(tmp_path / name)], check=True)


def test_snakemake_gets_another_cache_where_the_home_folder_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    _choose_cache()
    assert "XDG_CACHE_HOME" not in os.environ and (tmp_path / ".cache").is_dir()
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "")  # restored after the test
    _choose_cache()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / ".snakemake" / "cache")


def test_leftovers_are_removed_from_another_folder_of_results(tmp_path, monkeypatch):
    """`pathvars: results` moves everything: leftovers of killed jobs, the ledger and the samples of a meter."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / ".table.parquet.fairweight-unfinished-0a1b2c3d").write_text("half")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tiny(pathvars={"results": "out"})))
    started = []
    monkeypatch.setattr(run, "_start_sampler", lambda folder, energy: started.append(str(folder)))
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.append(arguments))
    main(["run", "study.yaml", "--", "power"])
    meter, command = started
    assert meter == "out/meter" and command[command.index("--dask-ledger") + 1] == "out/ledger"
    assert not list(out.iterdir()) and not (tmp_path / "results").exists()


DAY = [90, 200, 100, 120, 400, 300]  # the hour with the smallest value is past in every case


def window(folder, capsys, at, hours, offset="Z"):
    (folder / "forecast.csv").write_text(
        "hour,g_per_kwh\n" + "".join(f"2026-11-24T{hour:02}:00{offset},{value}\n" for hour, value in enumerate(DAY))
    )
    print_window(folder / "forecast.csv", hours, datetime.fromisoformat(at))
    return capsys.readouterr().out


def test_past_hours_are_never_proposed(tmp_path, capsys):
    assert window(tmp_path, capsys, "2026-11-24T01:10Z", 1) == (
        "Start at 2026-11-24 02:00 UTC: 100 gCO2e/kWh over 1 h.\nThat is 50% less than now (200 gCO2e/kWh).\n"
    )
    assert window(tmp_path, capsys, "2026-11-24T02:59Z", 1) == "Start now: 100 gCO2e/kWh over 1 h.\n"
    assert "Start at 2026-11-24 05:00 UTC: 300" in window(tmp_path, capsys, "2026-11-24T04:00Z", 1)
    assert "Start at 2026-11-24 00:00 UTC: 90" in window(tmp_path, capsys, "2026-11-23T12:00Z", 1)
    assert "Start at 2026-11-23 20:30 UTC: 100" in window(tmp_path, capsys, "2026-11-23T19:45Z", 1, "+05:30")


@pytest.mark.parametrize(
    ("at", "hours", "message"),
    [
        ("2026-11-24T06:00Z", 1, "ends at 2026-11-24 06:00 UTC, which is past; get a new one"),
        ("2026-11-24T04:00Z", 3, "the forecast covers 2 hours, and the run takes 3; get a longer one"),
        ("2026-11-24T04:00Z", 0, "cannot be placed"),
        ("2026-11-24T04:00Z", float("nan"), "cannot be placed"),
    ],
)
def test_a_forecast_that_does_not_reach_is_refused(tmp_path, capsys, at, hours, message):
    with pytest.raises(InputError, match=message):
        window(tmp_path, capsys, at, hours)


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("number", range(6))
def test_a_dry_run_prepares_nothing(tmp_path, monkeypatch, dry, number):
    dries = (["-n"], ["-np"], ["-pn"], ["--dry-run"], ["--dryrun"], ["power", "--dry"])
    words = (dries if dry else (["-p"], ["-c2"], ["--notemp"], ["results/train-n"], ["-j", "2"], []))[number]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tiny()))
    launched, started = [], []
    monkeypatch.setattr(run, "_launch", lambda *_: launched.append("launched"))
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.append(arguments))
    main(["run", "study.yaml", "--", *words])
    assert (launched, len(started)) == (([], 1) if dry else (["launched"], 0))
    assert files_of(tmp_path) == ["study.yaml"]


INTERRUPTED = {
    "while the command imports": (
        "import sys; sys.modules['fairweight.cli.run'] = None\n"
        "try:\n import fairweight.cli.main\nexcept ImportError:\n pass\n"  # the first module that takes a while
        "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"
    ),
    "while Snakemake starts": (
        "import os, signal; from fairweight.cli.run import SNAKEMAKE; "
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}); os.kill(os.getpid(), signal.SIGINT); "
        "import sys; os.execv(sys.executable, [sys.executable, '-P', '-c', SNAKEMAKE, '--version'])"
    ),
}


@pytest.mark.parametrize("moment", INTERRUPTED)
def test_ctrl_c_is_one_line(moment, tmp_path):
    command = [sys.executable, "-c", INTERRUPTED[moment]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and (done.stdout + done.stderr).strip() == "fairweight: cancelled."


@pytest.mark.parametrize(("redirection", "code"), [(">&-", 0), (">&- 2>&- <&-", 0), ("| true", 0), ("> /dev/full", 1)])
def test_output_that_nobody_reads_ends_without_a_traceback(redirection, code, tmp_path):
    start = f"{sys.executable} -P -c 'from fairweight.cli.main import main; main()' reference"
    command = ["bash", "-c", f"{start} {redirection}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code and "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert len(done.stderr.splitlines()) == code
