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
    named = list(body.named_parameters(remove_duplicate=False))
    head = [parameter for name, parameter in named if name.startswith("head.")]
    if not head:
        raise InputError("adapt: frozen: the architecture has no separate head; published encoders have one")
    for parameter in body.parameters():
        parameter.requires_grad_(any(parameter is other for other in head))

    def unfreeze() -> None:
        for parameter in body.parameters():
            parameter.requires_grad_(True)

    return unfreeze
