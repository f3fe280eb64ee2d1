"""The command `fairweight`: main, init, run."""

import sys


def _print_error(kind, error, traceback):  # type: ignore[no-untyped-def]
    """What Python does, but one line for Ctrl-C, which may come while the command imports its modules."""
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, traceback)
    else:
        print("\nfairweight: cancelled.", file=sys.stderr)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _print_error
