"""Train only the head: the parameters whose name starts with `head.`."""

from collections.abc import Callable

from torch import nn

from fairweight.core.errors import InputError

OPTIONS: dict[str, dict[str, object]] = {}


def adapt(body: nn.Module) -> Callable[[], None]:
    """Freeze all parameters except the head's.

    Returns:
        A function that unfreezes them, to be called after training.

    Raises:
        InputError: the body has no separate head.
    """
    if not any(name.startswith("head.") for name, _ in body.named_parameters()):
        raise InputError("adapt: frozen: the architecture has no separate head; published encoders have one")
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name.startswith("head."))

    def unfreeze() -> None:
        for parameter in body.parameters():
            parameter.requires_grad_(True)

    return unfreeze
