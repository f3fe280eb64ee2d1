"""The folder of a run is removed with it, and that of a killed run by the next one; nothing else is touched."""

import multiprocessing.process
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from snakemake_executor_plugin_dask import folders
from snakemake_executor_plugin_dask.folders import PREFIX, RunFolder, keep_sockets


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def old(folder):
    os.utime(folder, (1, 1))
    return folder


def test_only_folders_of_runs_that_have_ended_are_removed(place, monkeypatch):
    abandoned, kept, other, young = (place / name for name in (f"{PREFIX}a", "kept", "snakemake-b", f"{PREFIX}young"))
    for folder in (abandoned, kept, other, young):
        folder.mkdir()
        (folder / "file").write_text("mine")
    link, file = place / f"{PREFIX}link", place / f"{PREFIX}file"
    link.symlink_to(kept)
    file.write_text("mine")
    running = RunFolder()
    for path in (abandoned, kept, other, running.path, file):
        old(path)
    os.utime(link, (1, 1), follow_symlinks=False)
    second = RunFolder()
    assert not abandoned.exists() and (young / "file").is_file()
    assert (kept / "file").is_file() and (other / "file").is_file() and link.is_symlink() and file.is_file()
    assert Path(running.path).is_dir() and Path(second.path).stat().st_mode & 0o777 == 0o700
    for folder in (running, second):
        folder.remove()
        assert not Path(folder.path).exists()


def test_the_folder_of_a_killed_run_is_removed_by_the_next_one(place):
    code = (
        f"import tempfile; tempfile.tempdir = {str(place)!r}; from snakemake_executor_plugin_dask.folders import "
        "RunFolder; f = RunFolder(); print(f.path, flush=True); input()"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    folder = old(Path(run.stdout.readline().strip()))
    RunFolder().remove()
    assert folder.is_dir()
    run.kill()
    run.wait()
    RunFolder().remove()
    assert not folder.exists()


@pytest.mark.parametrize(("name", "inside"), [("w", True), ("w" * 80, False)])
def test_sockets_are_in_the_folder_of_a_worker_unless_its_path_is_too_long(place, monkeypatch, name, inside):
    monkeypatch.setattr(folders, "LONGEST", len(str(place)) + 20)
    short = place / "short"
    short.mkdir()
    monkeypatch.setattr(folders, "SHORT", str(short))
    config = multiprocessing.process.current_process()._config
    monkeypatch.setitem(config, "tempdir", None)
    folder = place / name
    folder.mkdir()
    keep_sockets(str(folder))
    assert Path(config["tempdir"]).parent == (folder if inside else short)
    assert Path(config["tempdir"]).stat().st_mode & 0o777 == 0o700
