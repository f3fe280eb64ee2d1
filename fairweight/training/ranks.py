"""Ranks: processes that share the micro-batches of a training run, on this machine.

The first rank is the process of the step. It starts the others as new interpreters, because a fork of a process with
threads can hang. They are connected by socket pairs and files without names, which no other user can open; no port
listens. A rank that is lost ends the run: its socket closes.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
import torch
from torch import Tensor

from fairweight.core.errors import InputError
from fairweight.training.micro_batches import MicroBatches
from fairweight.training.model import Model
from fairweight.training.row_spool import Spool
from fairweight.training.training_data import EncodedRows

MESSAGE = struct.Struct("<qd")  # rows of a batch, and the sum of their weights
SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass
class Shared:
    """Arrays that all ranks map: parameters (p,), positions (b,), gradients (m, p), losses (m,)."""

    file: BinaryIO
    parameters: Tensor
    positions: Tensor
    gradients: Tensor
    losses: Tensor

    @classmethod
    def opened(cls, file: BinaryIO, parameters: int, batch: int, number: int) -> "Shared":
        """Map the file, with `number` micro-batches of a batch; a new file grows to the size."""
        sizes = [8 * batch, 8 * number, 4 * parameters, 4 * number * parameters]
        if os.fstat(file.fileno()).st_size == 0:
            os.posix_fallocate(file.fileno(), 0, sum(sizes))
        whole = np.memmap(file, np.uint8, "r+", shape=(sum(sizes),))
        positions, losses, values, gradients = np.split(whole, np.cumsum(sizes)[:-1])
        return cls(
            file,
            torch.from_numpy(values.view(np.float32)),
            torch.from_numpy(positions.view(np.int64)),
            torch.from_numpy(gradients.view(np.float32)).view(number, parameters),
            torch.from_numpy(losses.view(np.float64)),
        )


@dataclass
class Ranks:
    """The ranks beside the first one."""

    shared: Shared
    sockets: list[socket.socket]
    processes: list[subprocess.Popen[bytes]]

    def compute(self, work: MicroBatches, batch: Tensor, total: float) -> None:
        """Fill in the gradients and losses of all micro-batches of a batch.

        Raises:
            InputError: a rank is lost.
        """
        self.shared.positions[: len(batch)] = batch
        torch.cat([p.detach().reshape(-1) for p in work.parameters()], out=self.shared.parameters)
        for number, connection in enumerate(self.sockets, 1):
            with self._lost(number):
                connection.sendall(MESSAGE.pack(len(batch), total))
        work.compute(batch, total, 0, len(self.sockets) + 1)
        for number, connection in enumerate(self.sockets, 1):
            with self._lost(number):
                if not connection.recv(1):
                    raise ConnectionResetError

    @contextlib.contextmanager
    def _lost(self, number: int) -> Iterator[None]:
        try:
            yield
        except OSError:
            code = self.processes[number - 1].wait()
            reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            raise InputError(
                f"training: rank {number} of {len(self.sockets) + 1}, counted from 0, ended before the training "
                f"({reason}; SIGKILL may mean that memory was short); run again, with fewer threads for the rule train "
                "if it happens again."
            ) from None


@contextlib.contextmanager
def started(work: MicroBatches, model: Model, ranks: int, batch: int) -> Iterator[Ranks | None]:
    """Start the ranks beside this process; afterwards they are ended.

    Args:
        work: what this rank computes; its gradients and losses become those that all ranks share.
        model: the model, whose description and tensors rebuild it.
        ranks: number of ranks, this one included; with 1 there is no other process.
        batch: most rows of a batch.
    """
    if ranks == 1:
        yield None
        return
    with contextlib.ExitStack() as stack:
        features = work.rows.spool or Spool.write([work.rows.features], *_size(work.rows.features))
        numbers = Spool.write([_as_floats(work.rows.labels), work.rows.weights], 3 * len(work.rows.labels), ())
        state = stack.enter_context(tempfile.TemporaryFile(prefix="fairweight-ranks-"))
        for tensor in model.state_dict().values():
            state.write(tensor.contiguous().numpy().tobytes())
        state.flush()
        sizes = sum(p.numel() for p in work.parameters()), batch, len(work.losses)
        shared = Shared.opened(stack.enter_context(tempfile.TemporaryFile(buffering=0)), *sizes)
        work.gradients, work.losses = shared.gradients, shared.losses
        setup: dict[str, Any] = {
            "about": model.about,
            "shape": list(work.rows.features.shape),
            "sizes": sizes,
            "micro": work.size,
            "narrow": work.narrow,
            "ranks": ranks,
        }
        group = Ranks(shared, [], [])
        stack.callback(_end, group)
        for number in range(1, ranks):
            files = (features.file, numbers.file, cast(BinaryIO, state), shared.file)
            _start(group, setup | {"rank": number}, [file.fileno() for file in files])
        yield group


def _start(group: Ranks, setup: dict[str, Any], files: list[int]) -> None:
    """Start one rank, and send it what it needs."""
    own, other = socket.socketpair()
    descriptors = [other.fileno(), *files]
    # -P: the folder of the study is no place to import from
    command = [sys.executable, "-P", "-m", "fairweight.training.ranks", *map(str, descriptors)]
    environment = os.environ | SINGLE | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    group.sockets.append(own)
    with other:
        group.processes.append(
            subprocess.Popen(command, pass_fds=descriptors, env=environment, stdin=subprocess.DEVNULL)
        )
    text = json.dumps(setup).encode()
    with group._lost(len(group.sockets)):
        own.sendall(struct.pack("<q", len(text)) + text)


def _end(group: Ranks) -> None:
    """Close the sockets, which ends the ranks, and wait for them, so that their CPU time counts."""
    for connection in group.sockets:
        connection.close()
    for process in group.processes:
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _size(features: Tensor) -> tuple[int, tuple[int, ...]]:
    return len(features), tuple(features.shape[1:])


def _as_floats(labels: Tensor) -> Tensor:
    """The bytes of int64 (n,) as float32 (2n,)."""
    return labels.contiguous().view(torch.float32)


# ---- the process of another rank


def main(arguments: list[str]) -> None:
    """Compute the micro-batches of one rank until the first rank closes the socket.

    Args:
        arguments: descriptors of the socket and of the files of features, labels and weights, tensors, shared arrays.
    """
    connection, features, numbers, state, shared = map(int, arguments)
    with socket.socket(fileno=connection) as parent:
        size = _received(parent, 8)
        setup = json.loads(_received(parent, struct.unpack("<q", size)[0])) if size else sys.exit()
        work = _rebuilt(setup, features, numbers, state)
        memory = Shared.opened(os.fdopen(shared, "r+b", buffering=0), *setup["sizes"])
        work.gradients, work.losses = memory.gradients, memory.losses
        while message := _received(parent, MESSAGE.size):
            rows, total = MESSAGE.unpack(message)
            start = 0
            with torch.no_grad():
                for parameter in work.parameters():
                    values = memory.parameters[start : start + parameter.numel()]
                    parameter.copy_(values.view(parameter.shape))
                    start += parameter.numel()
            work.compute(memory.positions[:rows], total, setup["rank"], setup["ranks"])
            parent.sendall(b".")


def _rebuilt(setup: dict[str, Any], features: int, numbers: int, state: int) -> MicroBatches:
    """What a rank computes, from the description of the model and the files."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model = Model(setup["about"])
    start = 0
    for tensor in model.state_dict().values():
        # ranks share the file's position, so none uses it
        content = bytearray(os.pread(state, tensor.numel() * tensor.element_size(), start))
        start += len(content)
        if content:
            tensor.copy_(torch.frombuffer(content, dtype=tensor.dtype).view(tensor.shape))
    rows, *shape = setup["shape"]
    if len(shape) == 3:
        model.body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    spool = Spool.opened(os.fdopen(features, "r+b", buffering=0), rows, tuple(shape))
    values = Spool.opened(os.fdopen(numbers, "r+b", buffering=0), 3 * rows, ()).features
    labels, weights = values[: 2 * rows].view(torch.int64), values[2 * rows :]
    encoded = EncodedRows(spool.features, labels, weights, torch.zeros(1, dtype=torch.int64).expand(rows), spool)
    nothing = torch.empty(0)
    return MicroBatches(model.body, model.encoder, encoded, setup["micro"], setup["narrow"], nothing, nothing)


def _received(connection: socket.socket, size: int) -> bytes:
    """Bytes from the first rank; none if it has closed the socket."""
    parts = b""
    while len(parts) < size:
        try:
            part = connection.recv(size - len(parts))
        except ConnectionResetError:
            return b""
        if not part:
            return b""
        parts += part
    return parts


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first rank ends the others
    main(sys.argv[1:])
