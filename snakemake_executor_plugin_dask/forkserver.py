"""A worker's interface to its fork server: starts attempts, follows them, and ends them."""

import contextlib
import json
import multiprocessing.forkserver
import multiprocessing.util
import os
import pickle
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from snakemake_executor_plugin_dask.preload import SAFE_PATH, VARIABLE
from snakemake_executor_plugin_dask.request import Request, Usage
from snakemake_executor_plugin_dask.supervisor import Supervisor

NO_CHANGE: Mapping[str, str | None] = {}
STARTS = 10  # attempts to reach a server that keeps dying
_LOCK = threading.RLock()  # the modules to preload are passed through the environment, which all threads share
ENDING_S = 2.0
TICK_S = 0.2  # interval at which a waiting thread checks whether its job is still wanted


class ForkServer:
    """A preloaded process, started when it is first needed, and again if it has died.

    It is the fork server of the standard library, used without `multiprocessing.Process`: that would import the
    worker's `__main__` into every job, cannot be used in a daemonic process (which Dask's workers are), and does not
    report resource usage.

    Args:
        modules: modules to preload; None for a process whose forks run commands and no scripts.
        environment: environment variables of jobs that differ from those of the worker; None removes one.
    """

    def __init__(self, modules: list[str] | None, environment: Mapping[str, str | None] = NO_CHANGE) -> None:
        self.modules = modules
        self.environment = dict(environment)
        self.last_used = time.monotonic()
        # Python 3.11.0 would listen at an abstract address, where every user can connect (CVE-2022-42919)
        multiprocessing.util.abstract_sockets_supported = False  # type: ignore[misc]
        self._server = multiprocessing.forkserver.ForkServer()
        self._server.set_forkserver_preload(["snakemake_executor_plugin_dask.preload"])
        self._running = 0
        self._idle: list[_Launched] = []  # supervisors without an attempt; the fork server may be gone meanwhile

    def start(self) -> None:
        """Start the server if it does not run; it imports modules in the background."""
        with _LOCK:
            before = dict(os.environ)
            payload = {"modules": self.modules, "safe_path": self.environment.get(SAFE_PATH, before.get(SAFE_PATH))}
            try:
                _change(self.environment)
                _change({VARIABLE: json.dumps(payload), SAFE_PATH: "1"})  # the working folder must not come first
                self._server.ensure_running()
            finally:
                _change({name: before.get(name) for name in (*self.environment, VARIABLE, SAFE_PATH)})

    @property
    def idle_s(self) -> float:
        """Seconds since the last attempt ended; 0 while one runs."""
        return 0.0 if self._running else time.monotonic() - self.last_used

    def stop(self) -> None:
        """Stop the server and idle supervisors; running attempts continue."""
        with _LOCK:
            idle, self._idle = self._idle, []
            for supervisor in idle:
                supervisor.end()
            for supervisor in idle:  # so that the kernel adds their usage, and that of their jobs, to the server's
                supervisor.close(wait_s=ENDING_S)
            self._server._stop()  # type: ignore[attr-defined]

    @property
    def pid(self) -> int | None:
        """Process id of the server; None if it has not been started."""
        pid: int | None = self._server._forkserver_pid  # type: ignore[attr-defined]
        return pid

    def run(
        self, request: Request, iteration: int | None, wanted: Callable[[], bool], started: Callable[[int], Any]
    ) -> Usage:
        """Run a request in a fork and wait for its end.

        Args:
            request: the request.
            iteration: number of the repeat of a benchmark.
            wanted: called regularly; the attempt is killed when it returns False.
            started: called with the process id of the job.

        Returns:
            Resource usage of the job.
        """
        started_at, clock = time.time(), time.perf_counter()
        with _LOCK:
            self._running += 1
        try:
            last = self._run(request, iteration, wanted, started)
        finally:
            with _LOCK:
                self._running -= 1
                self.last_used = time.monotonic()
        if "exit_code" not in last:  # the supervisor itself was killed, and its job with it
            return Usage(started_at, time.perf_counter() - clock, -signal.SIGKILL)
        return Usage(**last)

    def _run(
        self, request: Request, iteration: int | None, wanted: Callable[[], bool], started: Callable[[int], Any]
    ) -> dict[str, Any]:
        """Run a request under an idle supervisor, or under a new one; returns the last line of its report."""
        while True:
            try:
                supervisor, kept = self._idle.pop(), True
            except IndexError:
                supervisor, kept = self._launch(request, iteration), False
            last: dict[str, Any] = {}
            try:
                if kept:
                    supervisor.send((request, iteration))
                for line in supervisor.lines(wanted):
                    last = json.loads(line)
                    if "pid" in last:
                        started(last["pid"])
                    if "exit_code" in last:
                        break
            except BaseException:
                supervisor.close()
                raise
            if "exit_code" in last and supervisor.open:
                self._idle.append(supervisor)
            else:
                supervisor.close()
            if last or not kept:  # one that had died while it was idle has started nothing
                return last

    def _launch(self, request: Request, iteration: int | None) -> "_Launched":
        """Start a supervisor with its first request."""
        read, write = os.pipe()
        try:
            status, data = self._connect(write)
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        supervisor = _Launched(read, status, data)
        # no preparation data, so that `__main__` is not imported
        supervisor.send({}, Supervisor(request, iteration))
        return supervisor

    def _connect(self, descriptor: int) -> tuple[int, int]:
        """Make a fork that inherits the descriptor; a server that was killed is started again."""
        for _ in range(STARTS):
            self.start()
            try:
                status, data = self._server.connect_to_new_process([descriptor])
            except OSError:  # the server has died, which the operating system has not reported yet
                time.sleep(0.05)
                continue
            # the server writes the process id after the fork; end of file means that it has died
            if os.read(status, multiprocessing.forkserver.SIGNED_STRUCT.size):
                return status, data
            os.close(status)
            os.close(data)
        raise OSError("the fork server dies at every start; see its messages above")


def _change(variables: Mapping[str, str | None]) -> None:
    """Set environment variables of this process, or remove them."""
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


class _Launched:
    """The worker's side of a supervisor.

    Args:
        report: descriptor from which its report is read.
        status: descriptor at which the fork server reports that the supervisor has ended.
        data: descriptor for its requests. If it is closed, the supervisor ends its job and itself.
    """

    def __init__(self, report: int, status: int, data: int) -> None:
        self.report = report
        self.status = status
        self.data = data
        self.open = True

    def send(self, *objects: Any) -> None:
        """Send objects; it does nothing if the supervisor is gone, which its report tells."""
        with contextlib.suppress(BrokenPipeError), open(self.data, "wb", closefd=False) as stream:
            for each in objects:
                pickle.dump(each, stream)

    def lines(self, wanted: Callable[[], bool]) -> Iterator[bytes]:
        """Yield lines of the report; ends the job and the supervisor when the job is not wanted any more."""
        rest = b""
        while True:
            ready, _, _ = select.select([self.report], [], [], TICK_S)
            if ready:
                received = os.read(self.report, 65536)
                if not received:
                    return
                *lines, rest = (rest + received).split(b"\n")
                yield from lines
            elif self.open and not wanted():
                self.end()

    def end(self) -> None:
        """Tell the supervisor to end its job and itself."""
        if self.open:
            self.open = False
            os.close(self.data)

    def close(self, wait_s: float = 0.0) -> None:
        """End the supervisor, and wait for the fork server to report its end."""
        self.end()
        select.select([self.status], [], [], wait_s)
        for descriptor in (self.report, self.status):
            os.close(descriptor)
