"""What a training starts from, where that is more than random numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from fairweight.core.errors import InputError


@dataclass(frozen=True)
class Start:
    """Of an architecture for texts: a tokenizer, options to rebuild it with, and tensors of its body."""

    tokenizer: dict[str, Any]  # see `tokenizing`
    options: dict[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Any] = field(default_factory=dict)  # name -> array; those of no tensor of the body are left
    prefix: str = ""  # every parameter with it must be among the tensors

    def load(self, body: nn.Module) -> None:
        """Give a body these tensors.

        Raises:
            InputError: one is missing, or has another shape.
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
