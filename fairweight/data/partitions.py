"""Work on a table that is too large for memory, in partitions of row blocks: the only module that knows Dask.

A step holds the cores that the executor gave it.  Its partitions run on as many threads of its own process and never
claim cores of the cluster that runs the step: while it held one and waited for more, no step could end.  Only a
scheduler of its own, with workers reserved beside that cluster, may be named (docs/decisions/0010-row-blocks.md).
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from dask.threaded import get

from fairweight.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

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
    """Threads, of this process or of a reserved cluster, on which partitions run."""

    run: Callable[[Callable[[Any], Any], list[Any]], Iterable[Any]]  # a function and some partitions -> results
    threads: int
    blocks: int  # in one partition

    def in_order(self, function: Callable[[Block], Result], blocks: Iterable[Block]) -> Iterator[Result]:
        """Results of a pure function, one for each block, in the order of the blocks.

        Blocks are taken by the calling thread while no partition runs, and at most `AHEAD x threads x blocks` before
        their results are given.  How many threads and partitions there are changes no result.

        Args:
            function: takes one block; a cluster's workers must be able to import it.
            blocks: taken one after the other.
        """
        work = partial(_each, function)
        for wave in _batches(_batches(blocks, self.blocks), AHEAD * self.threads):
            for results in self.run(work, wave):
                yield from results


@contextlib.contextmanager
def workers(threads: int = 1, partitions: Partitions = DEFAULT) -> Iterator[Workers]:
    """As many threads of this process, or those of the cluster that `partitions` names.

    Raises:
        InputError: no scheduler or no worker is at that address.
    """
    if partitions["scheduler"] is None:
        yield Workers(partial(_on_threads, threads), threads, partitions["blocks"])
    else:
        with _connected(partitions["scheduler"]) as client:
            yield Workers(partial(_on_cluster, client), sum(client.nthreads().values()), partitions["blocks"])


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator["Client"]:
    from distributed import Client  # noqa: PLC0415 - half a second that steps without a cluster save

    place = "partitions: scheduler"
    try:
        client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
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
        yield client


def _each(function: Callable[[Block], Result], blocks: list[Block]) -> list[Result]:
    return [function(block) for block in blocks]


def _batches(items: Iterable[Block], size: int) -> Iterator[list[Block]]:
    remaining = iter(items)
    while batch := list(itertools.islice(remaining, size)):
        yield batch


def _on_threads(threads: int, work: Callable[[Block], Result], wave: list[Block]) -> Iterable[Result]:
    # a task without arguments: Dask would look for keys of its graph among them
    tasks = {position: (partial(work, partition),) for position, partition in enumerate(wave)}
    results: Iterable[Result] = get(tasks, list(tasks), num_workers=threads)
    return results


def _on_cluster(client: "Client", work: Callable[[Block], Result], wave: list[Block]) -> Iterable[Result]:
    # scattered, the blocks go to the workers; as arguments they would pass through the scheduler
    results: Iterable[Result] = client.gather(client.map(work, client.scatter(wave, hash=False), pure=False))
    return results
