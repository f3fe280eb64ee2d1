"""The lock of a run: whatever stands in its place, nothing that is not ours is opened, emptied or waited for."""

import fcntl
import os
import subprocess
import sys

import pytest

from fairweight.core import run_lock
from fairweight.core.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(run_lock.RUN, raising=False)
    return tmp_path


def in_place_of_the_lock(folder, kind):
    lock = folder / run_lock.LOCK
    lock.parent.mkdir()
    match kind:
        case "a folder":
            lock.mkdir()
        case "a link to nothing":
            lock.symlink_to(folder / "nothing")
        case "a link to a file":
            (folder / "mine").write_text("mine")
            lock.symlink_to(folder / "mine")
        case "a pipe":
            os.mkfifo(lock)


@pytest.mark.parametrize("kind", ["a folder", "a link to nothing", "a link to a file", "a pipe"])
def test_what_is_no_file_is_refused_and_left_alone(folder, kind):
    in_place_of_the_lock(folder, kind)
    before = sorted(str(path) for path in folder.rglob("*"))
    with pytest.raises(InputError, match=r"^.snakemake/fairweight.lock is not a file; remove it\.$"):
        run_lock.open_lock()
    assert "is not a file" in run_lock.begin_or_join()
    assert sorted(str(path) for path in folder.rglob("*")) == before
    if kind == "a link to a file":
        assert (folder / "mine").read_text() == "mine"


def test_a_folder_that_is_a_file_is_refused(folder):
    (folder / ".snakemake").write_text("mine")
    with pytest.raises(InputError, match=r"the folder \.snakemake cannot be written"):
        run_lock.open_lock()
    assert (folder / ".snakemake").read_text() == "mine"


def test_a_second_run_sees_the_first_and_a_process_of_the_first_joins_it(folder, monkeypatch):
    descriptor = run_lock.open_lock()
    assert run_lock.take(descriptor)
    run_lock.begin(descriptor)
    assert run_lock.begin_or_join() is None  # the variable names this run
    monkeypatch.setenv(run_lock.RUN, "another")
    assert "another run uses this folder" in run_lock.begin_or_join()
    os.close(descriptor)
    assert run_lock.begin_or_join() is None
    assert (folder / run_lock.LOCK).read_text() == os.environ[run_lock.RUN] != "another"


def test_a_run_of_snakemake_holds_the_lock_until_its_process_ends(folder):
    begin = "from fairweight.core import run_lock; print(run_lock.begin_or_join(), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", begin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "None\n"
    descriptor = run_lock.open_lock()
    assert not run_lock.take(descriptor)
    process.communicate("\n")
    assert run_lock.take(descriptor)


def test_a_job_of_a_run_that_was_replaced_is_refused(folder, monkeypatch):
    descriptor = run_lock.open_lock()
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    run_lock.begin(descriptor)
    run_lock.hold()
    monkeypatch.setenv(run_lock.RUN, "earlier")
    with pytest.raises(InputError, match="another run has started"):
        run_lock.hold()
