"""Only the head is trained: the parameters whose name starts with `head.`."""

from collections.abc import Callable

from torch import nn

from fairweight.core.errors import InputError

OPTIONS: dict[str, dict[str, object]] = {}


def adapt(body: nn.Module) -> Callable[[], None]:
    """Freeze everything but the head; the function that is returned thaws it after training.

    Raises:
        InputError: there is no head.
    """
    if not any(name.startswith("head.") for name, _ in body.named_parameters()):
        raise InputError("adapt: frozen: the architecture has no head apart; pretrained ones have")
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name.startswith("head."))

    def thaw() -> None:
        for parameter in body.parameters():
            parameter.requires_grad_(True)

    return thaw
