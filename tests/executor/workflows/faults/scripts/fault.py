import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

Path(snakemake.output[0]).write_text("half-written")
Path("pids").mkdir(exist_ok=True)
Path("pids", str(os.getpid())).touch()
print("this is what it said", flush=True)


def exception():
    raise ValueError("what went wrong")


def interrupt():
    raise KeyboardInterrupt


def exit_code():
    sys.exit(7)


def exit_message():
    sys.exit("a last word")


def segfault():
    ctypes.string_at(0)


def sigkill():
    os.kill(os.getpid(), signal.SIGKILL)


def abort():
    os.abort()


def memory():
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
    bytearray(2**32)


def hoard():
    """Allocate memory until there is none left."""
    kept = [bytearray(2**26) for _ in range(128)]
    Path("pids/kept").write_text(str(len(kept)))


def flaky():
    attempts = len(list(Path("pids").glob("flaky-*")))
    Path("pids", f"flaky-{attempts}").touch()
    if attempts < 2:
        raise RuntimeError("not yet")


def orphans():
    """Leave a process behind in its own session, and succeed."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path("pids", str(child.pid)).touch()


def forever():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path("pids", str(child.pid)).touch()
    Path("pids/forever").touch()
    time.sleep(600)


globals()[snakemake.wildcards.fault]()
