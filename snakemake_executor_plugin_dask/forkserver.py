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
TICK_S = 0.2  # interval at which a waiting thread checks whether its job is still wanted


class ForkServer:
    """A preloaded process, started when it is first needed, and again if it has died.

    It is the fork server of the standard library, used without `multiprocessing.Process`: that would import the
    worker's `__main__` into every job, cannot be used in a daemonic process (which Dask's workers are), and does not
    report resource usage.

    Args:
        modules: modules to preload.
        environment: environment variables of jobs that differ from those of the worker; None removes one.
    """

    def __init__(self, modules: list[str], environment: Mapping[str, str | None] = NO_CHANGE) -> None:
        self.modules = modules
        self.environment = dict(environment)
        self.last_used = time.monotonic()
        # Python 3.11.0 would listen at an abstract address, where every user can connect (CVE-2022-42919)
        multiprocessing.util.abstract_sockets_supported = False  # type: ignore[misc]
        self._server = multiprocessing.forkserver.ForkServer()
        self._server.set_forkserver_preload(["snakemake_executor_plugin_dask.preload"])
        self._running = 0

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
        """Stop the server; running attempts continue."""
        with _LOCK:
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
        last: dict[str, Any] = {}
        with _LOCK:
            self._running += 1
        try:
            with self._launched(request, iteration) as (report, hold):
                for line in _lines(report, wanted, hold):
                    last = json.loads(line)
                    if "pid" in last:
                        started(last["pid"])
        finally:
            with _LOCK:
                self._running -= 1
                self.last_used = time.monotonic()
        if "exit_code" not in last:  # the supervisor itself was killed, and its job with it
            return Usage(started_at, time.perf_counter() - clock, -signal.SIGKILL)
        return Usage(**last)

    @contextlib.contextmanager
    def _launched(self, request: Request, iteration: int | None) -> Iterator[tuple[int, list[int]]]:
        """Start the supervisor of an attempt.

        Yields:
            The descriptor of its report, and a list with the descriptor of a pipe; closing that pipe ends the job.
        """
        read, write = os.pipe()
        try:
            status, data = self._connect(write)
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        hold = [data]
        try:
            with contextlib.suppress(BrokenPipeError), open(data, "wb", closefd=False) as stream:
                pickle.dump({}, stream)  # no preparation data, so that `__main__` is not imported
                pickle.dump(Supervisor(request, iteration), stream)
            yield read, hold
        finally:
            for descriptor in (read, status, *hold):
                os.close(descriptor)

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


def _lines(report: int, wanted: Callable[[], bool], hold: list[int]) -> Iterator[bytes]:
    """Yield lines of the report; closes the pipe of the job, which ends it, when it is not wanted any more."""
    rest = b""
    while True:
        ready, _, _ = select.select([report], [], [], TICK_S)
        if ready:
            received = os.read(report, 65536)
            if not received:
                return
            *lines, rest = (rest + received).split(b"\n")
            yield from lines
        elif hold and not wanted():
            os.close(hold.pop())
