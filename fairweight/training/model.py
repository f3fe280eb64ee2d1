"""A model: an encoder fitted on training rows, and a body built by an architecture."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairweight.core import components
from fairweight.core.artifacts import read_weights, write_weights
from fairweight.core.errors import InputError
from fairweight.core.table import Table
from fairweight.training import module_surgery
from fairweight.training.input_encoders import Encoder
from fairweight.training.signature import Signature


class Model(nn.Module):
    """Encoder and body; rebuilt from `about` alone.

    Args:
        about: signature, architecture and its options, as JSON; and where layers differ from what the architecture
            builds, `ranks` of factorised ones and `shapes` of the body's tensors.

    Raises:
        InputError: the architecture does not fit the inputs.
    """

    def __init__(self, about: Mapping[str, Any]) -> None:
        super().__init__()
        self.about = dict(about)
        self.signature = Signature.from_dict(about["signature"])
        self.task = components.module("tasks", self.signature.task)
        self.encoder = Encoder.of(self.signature)
        self.body = self.new_body()
        module_surgery.factorize(self.body, about.get("ranks", {}))
        module_surgery.reshape(self.body, about.get("shapes", {}))

    def new_body(self) -> nn.Module:
        """A body as the architecture builds and initialises it."""
        recipe = self.about["architecture"]
        options = components.chosen(recipe, name="architecture")
        build = components.load("architectures", recipe["architecture"])
        body: nn.Module = build(tuple(self.encoder.features), len(self.signature.classes), **options)
        return body

    def forward(self, *inputs: Tensor) -> Tensor:
        """Input tensors in the order of `Signature.feeds` -> logits (n, classes)."""
        logits: Tensor = self.body(self.encoder(*inputs))
        return logits

    def encode(self, table: Table) -> Tensor:
        """Features of rows (n, ...)."""
        with torch.no_grad():
            features: Tensor = self.encoder(*(torch.from_numpy(a) for a in self.signature.feeds(table).values()))
        return features

    def prunable(self) -> dict[str, Tensor]:
        """The body's weight matrices and kernels, by name; biases and the like are never pruned."""
        return {name: p for name, p in self.body.named_parameters() if p.dim() >= 2}

    def save(self, path: str, about_path: str, **about: Any) -> None:
        """Write weights and description; further keywords enter the description."""
        weights: dict[str, NDArray[Any]] = {name: tensor.numpy() for name, tensor in self.state_dict().items()}
        write_weights(path, weights, self.about | about, about_path)

    @classmethod
    def load(cls, path: str, about_path: str) -> "Model":
        """Inverse of `save`."""
        weights, about = read_weights(path, about_path)
        model = cls(about)
        try:
            model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights.items()})
        except RuntimeError as error:
            raise InputError(f"{path} does not fit {about_path} ({error}); make both anew") from None
        return model.eval()


def narrowed(about: Mapping[str, Any], share: float) -> dict[str, Any]:
    """The architecture of a description at the width that has nearest to this share of its parameters.

    Raises:
        InputError: the architecture has no option `width`.
    """
    stated = dict(about["architecture"])
    if "width_factor" not in components.options("architectures", stated["architecture"]):
        raise InputError(
            f"architecture {stated['architecture']!r} has no option 'width_factor' to make it smaller with"
        )

    def parameters(width: float) -> int:
        body = Model({**about, "architecture": stated | {"width_factor": width}}).body
        return sum(p.numel() for p in body.parameters())

    full = float(stated.get("width_factor", 1.0))
    wanted, low, high = share * parameters(full), 0.0, full
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if parameters(middle) < wanted else (low, middle)
    return stated | {"width_factor": min((low, high), key=lambda w: abs(parameters(w) - wanted))}
