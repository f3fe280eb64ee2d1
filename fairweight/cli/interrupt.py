"""Ctrl-C ends the command in one line, from here on: also while it imports its other modules."""

import sys
from types import TracebackType


def print_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What Python does, but one line for Ctrl-C."""
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, traceback)
    else:
        print("\nfairweight: cancelled.", file=sys.stderr)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = print_error
