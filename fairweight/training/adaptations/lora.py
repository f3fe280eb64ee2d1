"""Low-rank adaptation: the head and two thin matrices beside chosen linear maps are trained, then added to them (Hu et al. 2022)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fairweight.core.errors import InputError

OPTIONS = {
    "rank": {"type": "integer", "minimum": 1, "default": 8, "description": "Rank of what is added."},
    "alpha": {"type": "number", "exclusiveMinimum": 0, "default": 16.0, "description": "What is added is multiplied by alpha / rank."},
    "maps": {"type": "array", "items": {"type": "string"}, "minItems": 1, "default": ["query", "value"], "description": "Last parts of the names of the linear maps that are adapted."},
}  # fmt: skip


class Adapted(nn.Module):
    """A frozen linear map, and a trained one of low rank beside it (equation 3)."""

    def __init__(self, layer: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.layer, self.scale = layer, alpha / rank
        self.down = nn.Parameter(torch.empty(rank, layer.in_features))
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))  # so that training starts from the map itself
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """The map of x, with what is learned added."""
        added: Tensor = nn.functional.linear(nn.functional.linear(x, self.down), self.up)
        return self.layer(x) + self.scale * added

    def merged(self) -> nn.Linear:
        """The map with what was learned inside."""
        with torch.no_grad():
            self.layer.weight += self.scale * (self.up @ self.down)
        return self.layer


def adapt(body: nn.Module, *, rank: int, alpha: float, maps: list[str]) -> Callable[[], None]:
    """Put low-rank maps beside the chosen ones; the function that is returned adds them up after training.

    Raises:
        InputError: the body has no linear map of such a name.
    """
    chosen = [n for n, m in body.named_modules() if isinstance(m, nn.Linear) and n.rpartition(".")[2] in maps]
    if not chosen:
        raise InputError(f"adapt: lora: the network has no linear map named {' or '.join(maps)}")
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name.startswith("head."))
    adapted = {name: Adapted(body.get_submodule(name), rank, alpha) for name in chosen}  # type: ignore[arg-type]
    for name, module in adapted.items():
        body.set_submodule(name, module)

    def finish() -> None:
        for name, module in adapted.items():
            body.set_submodule(name, module.merged())
        for parameter in body.parameters():
            parameter.requires_grad_(True)

    return finish
