"""Train only the last layers of a transformer and the head."""

from collections.abc import Callable

from torch import nn

from fairweight.core.errors import InputError
from fairweight.training.transformer_layers import stack

OPTIONS = {
    "layers": {
        "type": "integer",
        "minimum": 1,
        "default": 2,
        "description": "How many of the last layers are trained.",
    },
}


def adapt(body: nn.Module, *, layers: int) -> Callable[[], None]:
    """Freeze all parameters except those of the last layers and of the head.

    Args:
        body: a transformer.
        layers: number of layers that are trained.

    Returns:
        A function that unfreezes them, to be called after training.

    Raises:
        InputError: the body is not a transformer.
    """
    try:
        name, modules = stack(body)
    except InputError as error:
        raise InputError(f"adapt: last_layers {error}") from None
    trained = ("head.", *(f"{name}.{number}." for number in range(len(modules))[-layers:]))
    named = list(body.named_parameters(remove_duplicate=False))  # a parameter that is shared is trained for all
    chosen = {id(parameter) for parameter_name, parameter in named if parameter_name.startswith(trained)}
    for parameter in body.parameters():
        parameter.requires_grad_(id(parameter) in chosen)

    def unfreeze() -> None:
        for parameter in body.parameters():
            parameter.requires_grad_(True)

    return unfreeze
