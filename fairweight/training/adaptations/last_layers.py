"""Only the last layers of a transformer and the head are trained."""

from collections.abc import Callable

from torch import nn

from fairweight.core.errors import InputError
from fairweight.training.transformer_layers import stack

OPTIONS = {
    "layers": {"type": "integer", "minimum": 1, "default": 2, "description": "How many of the last layers are trained."},
}  # fmt: skip


def adapt(body: nn.Module, *, layers: int) -> Callable[[], None]:
    """Freeze everything else; the function that is returned thaws it after training.

    Raises:
        InputError: the body is no transformer.
    """
    try:
        name, modules = stack(body)
    except InputError as error:
        raise InputError(f"adapt: last_layers {error}") from None
    trained = ("head.", *(f"{name}.{number}." for number in range(len(modules))[-layers:]))
    for parameter_name, parameter in body.named_parameters():
        parameter.requires_grad_(parameter_name.startswith(trained))

    def thaw() -> None:
        for parameter in body.parameters():
            parameter.requires_grad_(True)

    return thaw
