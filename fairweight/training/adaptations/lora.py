"""Low-rank adaptation (Hu et al. 2022): train the head, and low-rank updates of chosen linear layers.

The updates are added to the layers after training.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fairweight.core.errors import InputError
from fairweight.training.module_surgery import replace
from fairweight.training.tracing import owners

OPTIONS = {
    "rank": {"type": "integer", "minimum": 1, "default": 8, "description": "Rank of the updates."},
    "alpha": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 16.0,
        "description": "The updates are multiplied by alpha / rank.",
    },
    "maps": {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 1,
        "default": ["query", "value"],
        "description": "Last parts of the names of the linear layers that are adapted.",
    },
}


class Adapted(nn.Module):
    """A frozen linear layer with a trained low-rank update (equation 3 of the paper)."""

    def __init__(self, layer: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.layer, self.scale = layer, alpha / rank
        self.down = nn.Parameter(torch.empty(rank, layer.in_features))
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))  # so that training starts from the layer itself
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer with its update."""
        added: Tensor = nn.functional.linear(nn.functional.linear(x, self.down), self.up)
        return self.layer(x) + self.scale * added

    def merged(self) -> nn.Linear:
        """Add the update to the layer and return the layer."""
        with torch.no_grad():
            self.layer.weight += self.scale * (self.up @ self.down)
        return self.layer


def adapt(body: nn.Module, *, rank: int, alpha: float, maps: list[str]) -> Callable[[], None]:
    """Freeze all parameters except the head's, and give the chosen linear layers trained low-rank updates.

    Args:
        body: a network with linear layers of these names.
        rank, alpha, maps: see OPTIONS.

    Returns:
        A function that merges the updates into the layers and unfreezes all parameters, to be called after training.

    Raises:
        InputError: the body has no linear layer of such a name, or such a layer shares its weight.
    """
    # a subclass may compute something else, or be read by the module that holds it, as in nn.MultiheadAttention
    chosen = {n: m for n, m in body.named_modules() if type(m) is nn.Linear and n.rpartition(".")[2] in maps}
    if not chosen:
        raise InputError(f"adapt: lora: the network has no linear layer named {' or '.join(maps)}")
    users = owners(body)
    for name, layer in chosen.items():
        if len(users.get(id(layer.weight), ())) != 1:
            raise InputError(f"adapt: lora: {name!r} shares its weight with another layer, or computes it; name others")
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name.startswith("head."))
    adapted = {name: Adapted(layer, rank, alpha) for name, layer in chosen.items()}
    for name, module in adapted.items():
        replace(body, name, module)

    def finish() -> None:
        for name, module in adapted.items():
            replace(body, name, module.merged())
        for parameter in body.parameters():
            parameter.requires_grad_(True)

    return finish
