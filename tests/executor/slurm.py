"""Runs a real SLURM on this machine during a test: munged, slurmctld and one slurmd."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import psutil
from filelock import FileLock
from harness import eventually, free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
LOOK_IN = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
CONF = Path("/etc/slurm/slurm.conf")  # the path that srun uses inside a job

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=1,sched_interval=2
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed.txt
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=300
KillWait=2
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why SLURM cannot run on this machine; empty if it can."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=LOOK_IN)]
    if absent:
        return f"no {', '.join(absent)} (Debian: slurm-wlm munge)"
    if os.geteuid() != 0:
        return "slurmd runs jobs as root only"
    return f"{CONF} belongs to another SLURM" if CONF.exists() and not CONF.is_symlink() else ""


@contextlib.contextmanager
def cluster(folder: Path):
    """Start SLURM; yields the environment for its commands."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    configuration = CONFIGURATION.format(
        host=socket.gethostname().split(".")[0],
        folder=folder,
        controller_port=free_port(),
        node_port=free_port(),
        cpus=max(2, psutil.cpu_count()),
        memory=int(psutil.virtual_memory().total / 2**20 * 0.9),
    )
    (folder / "slurm.conf").write_text(configuration)
    (folder / "munge.key").write_bytes(secrets.token_bytes(64))
    (folder / "munge.key").chmod(0o400)
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": LOOK_IN}
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    munge = ["munged", "--foreground", "--force", *(f"--{k}={folder}/munge.{ending}" for k, ending in files.items())]
    started = []
    one_at_a_time = FileLock(Path(tempfile.gettempdir()) / "fairweight-tests-slurm.lock")
    one_at_a_time.acquire()
    CONF.parent.mkdir(exist_ok=True)
    CONF.unlink(missing_ok=True)  # left by a killed test
    CONF.symlink_to(folder / "slurm.conf")
    try:
        for command, ready in (
            (munge, (folder / "munge.socket").exists),
            (["slurmctld", "-D"], lambda: _answers(environment, "scontrol", "ping")),
            (["slurmd", "-D"], lambda: "idle" in _answers(environment, "sinfo", "--noheader", "--format=%T")),
        ):
            with (folder / "daemons.txt").open("a") as output:
                started.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output))
            eventually(ready, 30, f"the start of {command[0]}")
        yield {"SLURM_CONF": environment["SLURM_CONF"]}
    finally:
        subprocess.run(["scancel", "--state=RUNNING"], env=environment, check=False, capture_output=True)
        subprocess.run(["scancel", "--state=PENDING"], env=environment, check=False, capture_output=True)
        for process in reversed(started):
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                each.kill()
            process.wait()
        CONF.unlink()
        one_at_a_time.release()


def _answers(environment, *command):
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def completed(folder: Path) -> list[dict[str, str]]:
    """SLURM's record of the jobs that have ended."""
    path = folder / "completed.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [dict(word.partition("=")[::2] for word in line.split() if "=" in word) for line in lines]
