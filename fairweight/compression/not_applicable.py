"""`NotApplicable`, by which a method says that it does nothing for a model."""

from fairweight.core.errors import InputError


class NotApplicable(InputError):  # noqa: N818 - an answer, not only a mistake
    """A method cannot make a model smaller or faster: it has no part that the method takes, or its file grows."""
