"""Structured pruning: removes channels and neurons, so that the model is smaller and faster (Fang et al. 2023).

The library torch-pruning finds the layers that share a channel. What it cuts is checked cut by cut: the network must
compute what it computes when nothing reads the removed channels.
"""

import copy
import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError, by_module, joined
from fairweight.training.tracing import equal_outputs, outputs, owners, reason_of

OPTIONS = {
    "channels": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the channels and neurons that are removed, in every layer but the output layers. "
        "Layers from which none can be removed are named in model.json (`uncut`).",
    },
    "importance": {
        "enum": ["l1", "l2"],
        "default": "l2",
        "description": "Norm of a channel's weights over all layers that share it; the smallest are removed.",
    },
}

Group = Any  # torch-pruning's list of (dependency, positions): what is cut together
# norms over channels: with fewer channels they compute other statistics, which finetuning adapts to
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
RECURRENT = (nn.GRU, nn.LSTM, nn.RNN)
CUT = (nn.modules.conv._ConvNd, nn.Linear)  # whose outputs can be cut
MOST_POSITIONS = 2**21  # of one flattened tensor
UNCUT = "use a method that sets weights to zero, such as global_magnitude"


def prune(
    weights: dict[str, Tensor],  # noqa: ARG001 - layers are cut, not weights
    network: Network,
    *,
    channels: float,
    importance: str,
) -> dict[str, Tensor]:
    """Remove channels of the network in place, and return masks that keep all of what is left.

    Args:
        weights: name -> tensor, of the network before pruning.
        network: its body gets smaller layers.
        channels, importance: see OPTIONS.

    Returns:
        name -> boolean tensor of the new shape, True everywhere.

    Raises:
        InputError: torch-pruning cannot follow the architecture, or no channel can be removed.
    """
    if not channels:
        return everything_stays(network.body)
    logging.getLogger("torch_pruning").setLevel(logging.ERROR)
    score = torch_pruning.importance.MagnitudeImportance(p=int(importance[1]))
    produced = network.outputs
    kept: dict[str, str] = {}  # name of a layer whose channels all stay -> reason
    while True:
        cut = _Cut(copy.deepcopy(network.body), network.example, produced, kept)
        refused = cut.run(channels, score)
        if not refused:
            break
        kept |= refused
    if not cut.groups:
        reasons = by_module(cut.reasons())
        print(*reasons, sep="\n")
        raise InputError(f"structured: no channel can be removed ({joined(reasons, 'in the log')}); {UNCUT}")
    network.body = cut.body
    return everything_stays(cut.body)


class _Cut:
    """One attempt to cut a copy of a body.

    Args:
        body: the copy.
        example: features of two rows.
        produced: names of the weights that produce the outputs.
        kept: name of a layer whose channels all stay -> reason.
    """

    def __init__(self, body: nn.Module, example: Tensor, produced: list[str], kept: dict[str, str]) -> None:
        self.body, self.example = body, example
        self.outputs = [body.get_parameter(name) for name in produced]
        self.kept = dict.fromkeys([name.rpartition(".")[0] for name in produced], "produces the outputs") | kept
        self.groups = 0  # that were cut
        self.names = {module: name for name, module in body.named_modules()}
        self.scores: dict[nn.Module, Tensor] = {}  # of the channels of a layer
        shared = [users for users in owners(body).values() if len(users) > 1]
        self.tied = {module for users in shared for module, _ in users}

    def run(self, channels: float, score: Callable[[Group], Tensor | None]) -> dict[str, str]:
        """Cut all layers that can be cut.

        Returns:
            Nothing, or the name of a layer whose channels must stay with the reason: another attempt is needed.

        Raises:
            InputError: torch-pruning cannot follow the architecture.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with _bounded_mappings(), _opaque_recurrence(self.body):
                    pruner = torch_pruning.pruner.MagnitudePruner(
                        self.body,
                        (self.example,),
                        importance=lambda group: self._scored(group, score),
                        pruning_ratio=channels,
                        ignored_layers=[*self._ignored_layers(), *self.outputs],
                        in_channel_groups={},
                        out_channel_groups={},
                        root_module_types=list(CUT),
                        customized_pruners=dict.fromkeys(RECURRENT, _RecurrentPruner()),
                    )
                with _bounded_mappings():
                    for group in pruner.step(interactive=True):
                        if refused := self._cut(_no_more_than(group, channels, self.scores)):
                            return refused
            except Exception as error:  # torch-pruning raises whatever an unknown layer leads it to
                raise InputError(
                    f"structured: torch-pruning cannot follow this architecture ({reason_of(error)}); {UNCUT}"
                ) from None
        return {}

    def _ignored_layers(self) -> list[nn.Module]:
        """Layers whose channels stay; torch-pruning would also ignore everything inside of another module."""
        return [module for module, name in self.names.items() if name in self.kept and isinstance(module, CUT)]

    def reasons(self) -> dict[str, str]:
        """Name of each module with weights of two or more dimensions -> reason why its channels stay."""
        return {
            name: self.kept.get(
                name, "cannot be cut" if isinstance(module, CUT) else f"has type {type(module).__name__}"
            )
            for module, name in self.names.items()
            if any(p is not None and p.dim() >= 2 for p in module._parameters.values())
        }

    def _scored(self, group: Group, score: Callable[[Group], Tensor | None]) -> Tensor | None:
        """Scores of the channels of a group; None if they all stay."""
        why, layer = self._fixed(group), group[0].dep.target.module
        if not why:
            try:
                scores = score(group)
            except Exception as error:  # see above
                why = f"cannot be scored ({reason_of(error)})"
            else:
                if scores is not None:
                    self.scores[layer] = scores
                return scores
        self.kept[self.names[layer]] = why
        return None

    def _fixed(self, group: Group) -> str:
        """Reason why the channels of a group stay, before anything is cut; empty if they need not."""
        layer = group[0].dep.target.module
        for dependency, _ in group:
            module = dependency.target.module
            name = self.names.get(module) if isinstance(module, nn.Module) else None
            if module in self.tied:
                return "shares its weight" if module is layer else f"feeds {name!r}, which shares its weight"
            if isinstance(module, nn.MultiheadAttention):
                return f"feeds {name!r}, a MultiheadAttention, whose heads need all channels"
            if isinstance(module, RECURRENT) and dependency.handler.__name__ == "prune_out_channels":
                return f"is added to the outputs of {name!r}, a {type(module).__name__}"
        return ""

    def _cut(self, group: Group) -> dict[str, str]:
        """Cut one group; return its layer and the reason if the network is no longer what it should be."""
        name = self.names[group[0].dep.target.module]
        try:
            with _unread(group), _without_statistics(self.body):
                expected = outputs(self.body, self.example, gradients=True)
            group.prune()
            with _without_statistics(self.body):
                actual = outputs(self.body, self.example, gradients=True)
            result = outputs(self.body, self.example)
        except Exception as error:  # whatever the body's own code runs into with fewer channels
            return {name: f"is needed in its size by other code ({reason_of(error)})"}
        if not equal_outputs(actual, expected):
            return {name: "is read by an operation that combines or rearranges its channels"}
        if not result.isfinite().all():
            return {name: "has channels without which the outputs are not finite"}
        self.groups += 1
        return {}


def _no_more_than(group: Group, share: float, scores: dict[nn.Module, Tensor]) -> Group:
    """The group, with fewer channels if more than the share of a layer's are coupled to the ones with low scores.

    Halves of a layer that multiply each other (gated linear units) are cut at the same positions.
    """
    layer, handler = group[0].dep.target.module, group[0].dep.handler
    channels = len(scores[layer])
    removed = channels - int(channels * (1 - share))
    ranked: list[int] = torch.argsort(scores[layer]).tolist()
    first = removed
    while first > 1 and len(group[0].idxs) > removed:
        first -= 1
        group = group._DG.get_pruning_group(layer, handler, ranked[:first])
    return group


@contextmanager
def _bounded_mappings() -> Iterator[None]:
    """Raise an error where torch-pruning's list of positions grows without end, as with `nn.LocalResponseNorm`."""
    mapping = torch_pruning.dependency.index_mapping._FlattenIndexMapping
    original = mapping.__call__

    def bounded(self: Any, positions: list[Any]) -> Any:
        if not self.reverse and len(positions) * self._stride > MOST_POSITIONS:
            raise ValueError("an operation changes the positions of channels in a way that is not known")
        return original(self, positions)

    mapping.__call__ = bounded
    try:
        yield
    finally:
        mapping.__call__ = original


class _RecurrentPruner(torch_pruning.function.BasePruningFunc):  # type: ignore[misc]
    """Cuts the inputs of a recurrent layer; its outputs, which are also its state, stay."""

    def prune_out_channels(self, layer: nn.RNNBase, idxs: list[int]) -> nn.RNNBase:  # noqa: ARG002
        """Refuse; `_Cut._fixed` does not let it come to this."""
        raise ValueError(f"outputs of {type(layer).__name__} cannot be cut")

    def prune_in_channels(self, layer: nn.RNNBase, idxs: list[int]) -> nn.RNNBase:
        """Remove inputs."""
        kept = [position for position in range(layer.input_size) if position not in set(idxs)]
        for name in _input_weights(layer):
            setattr(layer, name, nn.Parameter(getattr(layer, name).detach()[:, kept].clone()))
        layer.input_size = len(kept)
        return layer

    def get_out_channels(self, layer: nn.RNNBase) -> int:
        """Number of outputs."""
        return (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)

    def get_in_channels(self, layer: nn.RNNBase) -> int:
        """Number of inputs."""
        return layer.input_size


class _Opaque(torch.autograd.Function):
    """Values that were computed from x in one step, as far as autograd's graph shows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *values: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG004
        """Return the values."""
        return tuple(value.clone() for value in values)


@contextmanager
def _opaque_recurrence(body: nn.Module) -> Iterator[None]:
    """Hide the operations inside of recurrent layers from torch-pruning, which takes them for layers of their own."""
    layers = [module for module in body.modules() if isinstance(module, RECURRENT)]
    for layer in layers:
        layer.forward = functools.partial(_run_opaque, type(layer).forward, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _run_opaque(forward: Callable[..., Any], layer: nn.RNNBase, x: Tensor, *states: Any) -> Any:
    with torch.no_grad():
        output, state = forward(layer, x, *states)
    cells = isinstance(state, tuple)  # of an LSTM
    values: Any = _Opaque.apply(x, output, *(state if cells else (state,)))  # type: ignore[no-untyped-call]
    return values[0], values[1:] if cells else values[1]


@contextmanager
def _unread(group: Group) -> Iterator[None]:
    """Set the weights that read the channels of a group to zero, and restore them afterwards."""
    with torch.no_grad():
        weights = [(weight, weight.clone(), columns) for weight, columns in _readers(group)]
        for weight, _, columns in weights:
            weight[columns] = 0
        yield
        for weight, values, _ in weights:
            weight.copy_(values)


def _readers(group: Group) -> Iterator[tuple[Tensor, Any]]:
    """Weights that read the channels of a group, and their entries that do."""
    box = torch_pruning.function
    for dependency, positions in group:
        module, handler, entries = dependency.target.module, dependency.handler, sorted(positions)
        if isinstance(module, nn.Linear) and handler == box.prune_linear_in_channels:
            yield module.weight, (slice(None), entries)
        elif isinstance(module, RECURRENT) and handler.__name__ == "prune_in_channels":
            yield from ((getattr(module, name), (slice(None), entries)) for name in _input_weights(module))
        elif isinstance(module, nn.modules.conv._ConvNd) and handler == box.prune_conv_in_channels:
            if module.transposed:
                yield module.weight, entries
                continue
            inputs, rows = module.in_channels // module.groups, module.out_channels // module.groups
            for position in entries:  # each convolution group reads its own channels
                start = position // inputs * rows
                yield module.weight, (slice(start, start + rows), position % inputs)


def _input_weights(module: nn.RNNBase) -> list[str]:
    return [name for name, _ in module.named_parameters() if name.startswith("weight_ih_l0")]


@contextmanager
def _without_statistics(body: nn.Module) -> Iterator[None]:
    """Let norms over channels only scale and shift, so that removed channels do not change the others."""
    norms: list[Any] = [module for module in body.modules() if isinstance(module, NORMS)]
    for module in norms:
        module.forward = _scaled(module)
    try:
        yield
    finally:
        for module in norms:
            del module.forward


def _scaled(module: nn.Module) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        shape = (1, -1, *[1] * (x.dim() - 2)) if isinstance(module, nn.GroupNorm) else (-1,)
        weight, bias = module._parameters.get("weight"), module._parameters.get("bias")
        x = x if weight is None else x * (weight.view(shape) if weight.dim() == 1 else weight)
        return x if bias is None else x + (bias.view(shape) if bias.dim() == 1 else bias)

    return forward
