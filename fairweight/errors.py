"""The one exception that means: the user can mend this."""


class InputError(Exception):
    """A mistake in the study file or in its data, told in one sentence with the place and the remedy.

    Steps and command line show its message alone; every other exception keeps its traceback.
    """


def first_line(error: Exception) -> str:
    """First line of another library's message, and no more of it than a sentence takes."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
