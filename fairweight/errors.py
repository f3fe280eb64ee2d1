"""The one exception that means: the user can mend this."""


class InputError(Exception):
    """A mistake in the study file or in its data, told in one sentence with the place and the remedy.

    Steps and command line show its message alone; every other exception keeps its traceback.
    """
