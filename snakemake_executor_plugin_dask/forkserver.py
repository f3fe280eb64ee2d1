"""A worker's side of its fork server: start attempts, follow them, end them."""

import contextlib
import json
import multiprocessing.forkserver
import os
import pickle
import select
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from snakemake_executor_plugin_dask.preload import VARIABLE
from snakemake_executor_plugin_dask.request import Request, Usage
from snakemake_executor_plugin_dask.supervisor import Supervisor

STARTS = 10  # tries to reach a server that dies
_LOCK = threading.RLock()  # the environment, through which a server is told what to preload, is that of the process
TICK_S = 0.2  # how often a waiting thread asks whether its job is still wanted


class ForkServer:
    """A preloaded process, started when it is first needed and again when it has died.

    The server is the standard library's.  It is spoken to below `multiprocessing.Process`, because that would import
    the worker's `__main__` into every job, cannot be used in a daemonic process (as Dask's workers are), and does not
    tell what a process used.

    Args:
        modules: what to preload.
        without: environment variables that the worker has and jobs shall not have.
    """

    def __init__(self, modules: list[str], without: Iterable[str] = ()) -> None:
        self.modules = modules
        self.without = tuple(without)
        self.last_used = time.monotonic()
        self._server = multiprocessing.forkserver.ForkServer()
        self._server.set_forkserver_preload(["snakemake_executor_plugin_dask.preload"])
        self._running = 0

    def start(self) -> None:
        """Start the server, unless it runs; what it imports, it imports in the background."""
        with _LOCK:
            kept = {name: os.environ.pop(name) for name in self.without if name in os.environ}
            os.environ[VARIABLE] = json.dumps(self.modules)
            try:
                self._server.ensure_running()
            finally:
                os.environ.pop(VARIABLE, None)
                os.environ.update(kept)

    @property
    def idle_s(self) -> float:
        """For how many seconds nothing has run."""
        return 0.0 if self._running else time.monotonic() - self.last_used

    def stop(self) -> None:
        """Stop the server; attempts that run go on."""
        with _LOCK:
            self._server._stop()  # type: ignore[attr-defined]

    @property
    def pid(self) -> int | None:
        """Process id of the server; None while it has not been started."""
        pid: int | None = self._server._forkserver_pid  # type: ignore[attr-defined]
        return pid

    def run(
        self, request: Request, iteration: int | None, wanted: Callable[[], bool], started: Callable[[int], Any]
    ) -> Usage:
        """Run a request in a fork and wait for its end.

        Args:
            request: what to run.
            iteration: number of the repeat of a benchmark.
            wanted: is asked now and then; the attempt is killed when it is not.
            started: is told the process id of the job.
        """
        began, clock = time.time(), time.perf_counter()
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
            return Usage(began, time.perf_counter() - clock, -signal.SIGKILL)
        return Usage(**last)

    @contextlib.contextmanager
    def _launched(self, request: Request, iteration: int | None) -> Any:
        """Descriptors of the report to read and of the pipe whose end ends the job (in a list, so that it can)."""
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
                pickle.dump({}, stream)  # preparation: none, and so no import of `__main__`
                pickle.dump(Supervisor(request, iteration), stream)
            yield read, hold
        finally:
            for descriptor in (read, status, *hold):
                os.close(descriptor)

    def _connect(self, descriptor: int) -> tuple[int, int]:
        """A new fork that inherits the descriptor; the server is started anew where it was killed in between."""
        for _ in range(STARTS):
            self.start()
            try:
                status, data = self._server.connect_to_new_process([descriptor])
            except OSError:  # it has died, and the operating system has not told yet
                time.sleep(0.05)
                continue
            # the server writes the process id when it has forked; an end of the file says that it has died
            if os.read(status, multiprocessing.forkserver.SIGNED_STRUCT.size):
                return status, data
            os.close(status)
            os.close(data)
        raise OSError("the fork server dies at every start; see its messages above")


def _lines(report: int, wanted: Callable[[], bool], hold: list[int]) -> Any:
    """Lines of the report as they come; gives up the job when it is not wanted."""
    rest = b""
    while True:
        ready, _, _ = select.select([report], [], [], TICK_S)
        if ready:
            found = os.read(report, 65536)
            if not found:
                return
            *lines, rest = (rest + found).split(b"\n")
            yield from lines
        elif hold and not wanted():
            os.close(hold.pop())
