"""Initial weights of a model for texts: its tokenizer, and tensors that replace random initial values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from fairweight.core.errors import InputError
from fairweight.training.signature import Tokenizer


@dataclass(frozen=True)
class InitialWeights:
    """What an architecture for texts starts training from.

    Attributes:
        tokenizer: see `tokenizer`.
        options: changes of the architecture's options, so that it can be rebuilt without the original files.
        tensors: name of a tensor of the body -> array. Other names are ignored.
        prefix: every parameter whose name starts with it must be among the tensors; empty for none.
    """

    tokenizer: Tokenizer
    options: dict[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    prefix: str = ""

    def load(self, body: nn.Module) -> None:
        """Copy the tensors into a body.

        Raises:
            InputError: a tensor is missing or has another shape.
        """
        own = body.state_dict()
        absent = [
            name for name, _ in body.named_parameters() if name.startswith(self.prefix) and name not in self.tensors
        ]
        if self.prefix and absent:
            raise InputError(
                f"the weights have no {absent[0].removeprefix(self.prefix)!r}; they are not those of the config"
            )
        taken = {name: torch.from_numpy(self.tensors[name]).to(own[name].dtype) for name in own if name in self.tensors}
        for name, tensor in taken.items():
            if tensor.shape != own[name].shape:
                raise InputError(
                    f"{name.removeprefix(self.prefix)!r} has the shape {tuple(tensor.shape)} in the weights and "
                    f"{tuple(own[name].shape)} by the config; they do not belong together"
                )
        body.load_state_dict(own | taken)
