"""What a body does with an example: its outputs, the weights that produce them, and the layers that can be replaced."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fairweight.core.errors import InputError, first_line
from fairweight.training.module_surgery import replace

PRODUCTS = ("mm", "Mm", "mv", "Mv", "Conv", "Linear", "Dot")  # parts of the names of autograd's nodes of products
# beginnings of the names of nodes that pass a tensor on in another shape
RESHAPING = (
    *("TBackward", "Transpose", "Permute", "Expand", "View", "UnsafeView", "Reshape", "Unsqueeze", "Squeeze"),
    *("Clone", "Alias", "Slice", "Select", "Split", "Unbind", "AsStrided", "ToCopy"),
)

Node = Any  # a node of autograd's graph


def outputs(body: nn.Module, features: Tensor, *, gradients: bool = False) -> Tensor:
    """Compute the outputs of a body in evaluation mode; a body that draws random numbers always draws the same.

    Args:
        body: the network.
        features: (n, ...).
        gradients: whether autograd records the operations. Some modules then take another path.
    """
    body.eval()
    with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(gradients):
        torch.default_generator.manual_seed(0)
        result: Tensor = body(features)
    return result


def check_outputs(body: nn.Module, features: Tensor, classes: int) -> Tensor:
    """Compute the outputs of a body for n rows and check them.

    Returns:
        Logits (n, classes).

    Raises:
        InputError: the outputs have another type or shape, or are not finite.
    """
    result: Any = outputs(body, features)
    if not isinstance(result, Tensor):
        raise InputError(f"it returns a {type(result).__name__} instead of one tensor of logits")
    if result.shape != (len(features), classes):
        raise InputError(
            f"it returns the shape {tuple(result.shape)} for {len(features)} rows of {classes} classes, and not "
            f"{(len(features), classes)}"
        )
    if not result.isfinite().all():
        raise InputError("its outputs are not finite")
    return result


@contextmanager
def _all_trainable(body: nn.Module) -> Iterator[None]:
    """Let autograd follow every parameter, also those that the architecture froze."""
    frozen = [p for p in body.parameters() if not p.requires_grad and p.is_floating_point()]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def output_weights(body: nn.Module, features: Tensor) -> list[str]:
    """Return the names of the weights (two or more dimensions) that produce the outputs, wherever they are defined.

    These are the weights of the last product on every path of autograd's graph from an input to an output.
    """
    names = {id(p): name for name, p in body.named_parameters() if p.dim() >= 2}
    with _all_trainable(body):
        stack: list[Node] = [outputs(body, features, gradients=True).grad_fn]
        visited, producing = set(), set()
        while stack:
            node = stack.pop()
            if node is None or node in visited:
                continue
            visited.add(node)
            if (leaf := getattr(node, "variable", None)) is not None:
                producing.add(id(leaf))
                continue
            following = [following for following, _ in node.next_functions]
            weights = [leaf for leaf in map(_leaf, following) if leaf is not None and id(leaf) in names]
            if weights and any(part in node.name() for part in PRODUCTS):
                producing.update(id(leaf) for leaf in weights)
            else:
                stack += following
    return [name for identity, name in names.items() if identity in producing]


def _leaf(node: Node) -> Tensor | None:
    """The parameter that a node passes on, transposed or reshaped at most; None for other nodes."""
    while node is not None and getattr(node, "variable", None) is None:
        if len(node.next_functions) != 1 or not node.name().startswith(RESHAPING):
            return None
        node = node.next_functions[0][0]
    return None if node is None else node.variable


def owners(body: nn.Module) -> dict[int, list[tuple[nn.Module, str]]]:
    """Return the modules that hold each parameter, with its name there, by the parameter's identity."""
    holders: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in body.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                holders.setdefault(id(parameter), []).append((module, name))
    return holders


def replaceable(
    body: nn.Module, features: Tensor, kinds: tuple[type[nn.Module], ...]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Find the layers that other modules can take the place of: the body calls them and reads nothing else of them.

    Args:
        body: the network, which is the same afterwards.
        features: (n, ...), an example.
        kinds: types of layers.

    Returns:
        The layers by name, and the reason for each other module that holds weights of two or more dimensions.
    """
    layers: dict[str, nn.Module] = {}
    reasons: dict[str, str] = {}
    for name, module in body.named_modules():
        if not any(p is not None and p.dim() >= 2 for p in module._parameters.values()):
            continue
        if type(module) not in kinds:  # a subclass may compute something else
            reasons[name] = f"has type {type(module).__name__}"
        elif module._forward_hooks or module._forward_pre_hooks:
            reasons[name] = "has hooks"
        elif module.get_parameter("weight").dtype != torch.float32:
            reasons[name] = f"has weights of type {module.get_parameter('weight').dtype}"
        else:
            layers[name] = module
    if not _callable(body, features, layers):
        for name in list(layers):
            if not _callable(body, features, {name: layers[name]}):
                del layers[name]
                reasons[name] = "is not only called: its weight is read directly, or it is not used"
    return layers, reasons


def _callable(body: nn.Module, features: Tensor, layers: dict[str, nn.Module]) -> bool:
    """Whether a body runs, and calls these layers, while they stand inside of other modules."""
    wrapped = {name: _Called(layer) for name, layer in layers.items()}
    whole = body
    try:
        for name, wrapper in wrapped.items():
            whole = replace(whole, name, wrapper)
        for gradients in (False, True):  # some modules take another path where nothing is recorded
            outputs(whole, features, gradients=gradients)
    except Exception:  # whatever a body of a user's own runs into
        return False
    finally:
        for name, layer in layers.items():
            whole = replace(whole, name, layer)
    return all(wrapper.calls for wrapper in wrapped.values())


class _Called(nn.Module):
    """A layer inside of another module that counts its calls; with a hook, `nn.TransformerEncoderLayer` runs slowly."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.calls = layer, 0

    def forward(self, *inputs: Tensor) -> Any:
        """Call the layer."""
        self.calls += 1
        return self.layer(*inputs)


def equal_outputs(actual: Tensor, expected: Tensor) -> bool:
    """Whether two computations of the same outputs differ by no more than float32 rounds."""
    scale = max(1.0, float(expected.abs().max()))
    return actual.shape == expected.shape and torch.allclose(actual, expected, rtol=1e-4, atol=1e-5 * scale)


def reason_of(error: Exception) -> str:
    """The first line of an error of a network's own code, with its type."""
    return f"{type(error).__name__}: {first_line(error)}"
