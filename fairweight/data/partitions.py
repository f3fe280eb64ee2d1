"""Process a table that is larger than memory in partitions of row blocks: the only module here that uses Dask.

A step holds the cores that the executor gave it. Its partitions run on the same number of threads in its own process.
They never claim cores of the cluster that runs the step: steps that hold a core and wait for more would block each
other. A study may only name a separate scheduler with reserved workers (docs/decisions/0010-row-blocks.md).
"""

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

import dask.config
from dask.threaded import get

from fairweight.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Client, Security

Block = TypeVar("Block")
Result = TypeVar("Result")

AHEAD = 2  # partitions in flight for each thread: a slow one leaves no thread idle
CONNECT_S = 20


class Partitions(TypedDict):
    """`partitions` of a study file."""

    blocks: int  # row blocks in one partition
    scheduler: str | None  # address of a reserved Dask cluster


DEFAULT: Partitions = {"blocks": 1, "scheduler": None}


@dataclass(frozen=True)
class Workers:
    """Threads on which partitions run, in this process or on a reserved cluster."""

    run: Callable[[Callable[[Any], Any], list[Any]], Iterable[Any]]  # a function and some partitions -> results
    threads: int
    blocks: int  # row blocks in one partition
    client: "Client | None" = None  # of a reserved cluster

    @property
    def local(self) -> bool:
        """Whether they are threads of this process."""
        return self.client is None

    def in_order(self, function: Callable[[Block], Result], blocks: Iterable[Block]) -> Iterator[Result]:
        """Results of a pure function, one per block, in the order of the blocks.

        The calling thread takes blocks while no partition runs, at most `AHEAD x threads x blocks` before it yields
        their results. The number of threads and partitions does not change any result.

        Args:
            function: takes one block; a cluster's workers must be able to import it.
            blocks: iterated once.
        """
        work = partial(_each, function)
        for wave in _batches(_batches(blocks, self.blocks), AHEAD * self.threads):
            for results in self.run(work, wave):
                yield from results

    def keep(self, blocks: Iterable[Block]) -> "Kept[Block]":
        """Hold blocks for several passes: a cluster's workers receive them once and keep them in memory."""
        if self.client is None:
            return Kept(self, list(blocks))
        futures: list[Any] = []
        for wave in _batches(blocks, AHEAD * self.threads):
            futures += self.client.scatter(wave, hash=False)
        return Kept(self, futures)


@dataclass(frozen=True)
class Kept(Generic[Block]):
    """Blocks, or a cluster's blocks as futures."""

    workers: Workers
    blocks: list[Any]

    def in_order(self, function: Callable[[Block], Result]) -> Iterator[Result]:
        """Results of a pure function, one per block, in the order of the blocks; see `Workers.in_order`."""
        client = self.workers.client
        if client is None:
            yield from self.workers.in_order(function, self.blocks)
        elif self.blocks:
            yield from client.gather(client.map(partial(_on_worker, function), self.blocks, pure=False))


@contextlib.contextmanager
def workers(threads: int = 1, partitions: Partitions = DEFAULT) -> Iterator[Workers]:
    """Workers for partitions.

    Args:
        threads: threads of this process.
        partitions: size of a partition, and the address of a reserved cluster, which then replaces the threads.

    Raises:
        InputError: no scheduler answers at that address, or it has no worker.
    """
    if partitions["scheduler"] is None:
        yield Workers(partial(_on_threads, threads), threads, partitions["blocks"])
    else:
        with _connected(partitions["scheduler"]) as client:
            threads = sum(client.nthreads().values())
            yield Workers(partial(_on_cluster, client), threads, partitions["blocks"], client)


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator["Client"]:
    from distributed import Client, KilledWorker  # noqa: PLC0415 - takes half a second; only needed with a cluster
    from distributed.comm import CommClosedError  # noqa: PLC0415

    place = "partitions: scheduler"
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # tracebacks of a lost connection
    try:
        client = Client(scheduler, timeout=CONNECT_S, set_as_default=False, security=_security(scheduler, place))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{place}: no Dask scheduler answers at {scheduler} ({error}); start it, or set it to null."
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            raise InputError(
                f"{place}: the Dask cluster at {scheduler} has no worker; start one, or set it to null."
            ) from None
        try:
            yield client
        except (CancelledError, CommClosedError, KilledWorker) as error:
            raise InputError(
                f"{place}: the Dask cluster at {scheduler} was lost while it worked ({_last_line(error)}); start it "
                "and run again; nothing else is lost."
            ) from None


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rpartition(":")[2].strip(" .") or type(error).__name__


def _security(scheduler: str, place: str) -> "Security":
    """Certificates of Dask's configuration.

    Raises:
        InputError: the scheduler serves everybody, which the configuration does not allow, or there are none.
    """
    from distributed import Security  # noqa: PLC0415 - see `_connected`

    security = Security()
    if not scheduler.startswith("tls://"):
        if dask.config.get("distributed.comm.require-encryption") is not False:
            raise InputError(
                f"{place}: the Dask scheduler at {scheduler} runs code from everyone who can reach it; use TLS (a "
                "tls:// address), or set DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=false where nobody else can."
            )
    elif security.get_connection_args("client")["ssl_context"] is None:
        raise InputError(f"{place}: {scheduler} needs certificates; name them in Dask's configuration.")
    return security


def _on_worker(function: Callable[[Block], Result], block: Block) -> Result:
    """Call a function on a worker whose products have one thread, so that their sums do not depend on its cores."""
    _limit_products()
    return function(block)


@cache
def _limit_products() -> None:
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - only on workers of a cluster

    threadpool_limits(1)  # for good: the worker is reserved for partitions


def _each(function: Callable[[Block], Result], blocks: list[Block]) -> list[Result]:
    return [function(block) for block in blocks]


def _batches(items: Iterable[Block], size: int) -> Iterator[list[Block]]:
    remaining = iter(items)
    while batch := list(itertools.islice(remaining, size)):
        yield batch


def _on_threads(threads: int, work: Callable[[Block], Result], wave: list[Block]) -> Iterable[Result]:
    # tasks have no arguments, because Dask would look for keys of its graph among them
    tasks = {position: (partial(work, partition),) for position, partition in enumerate(wave)}
    results: Iterable[Result] = get(tasks, list(tasks), num_workers=threads)
    return results


def _on_cluster(client: "Client", work: Callable[[Block], Result], wave: list[Block]) -> Iterable[Result]:
    # scattered blocks go directly to the workers; as arguments they would pass through the scheduler
    results: Iterable[Result] = client.gather(client.map(work, client.scatter(wave, hash=False), pure=False))
    return results
