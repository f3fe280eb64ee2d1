"""`InputError`, the exception for a user's mistake, and helpers that put values into its sentence."""

import difflib
import errno
import re
from collections.abc import Collection, Iterable, Mapping

LONGEST_NAME = 60  # characters of a group or category; a longer value is a text
LONGEST_VALUE = 60  # characters of a value of the study file
LONGEST_LIST = 100  # characters of a list of names
LONGEST_REASONS = 100  # characters of a list of reasons
LEAST_BEGIN = 3  # letters of the begin of a name by which it is suggested
LESS_LIKE = 0.5  # ratio of difflib from which a name with the same begin is suggested; of others it is 0.6
# characters, 299 with "fairweight: " in front; what quotes lists and other libraries shortens them, so that few are cut
LONGEST_SENTENCE = 287


class InputError(Exception):
    """A mistake in the study file or in its data: one sentence with the place and the remedy.

    Steps and the command line print its message alone; every other exception keeps its traceback. Whatever a message
    quotes from a file, it is one line of characters that print (see `escaped`); one that is too long is cut in the
    middle, because it begins with the place and ends with the remedy.
    """

    def __init__(self, sentence: str) -> None:
        # a sentence that quotes another one may end in the marks of both
        super().__init__(re.sub(r"(?<!\.)([.?])\.$", r"\1", shortened(escaped(shortened(sentence)))))


def shortened(text: str, length: int = LONGEST_SENTENCE) -> str:
    """A text of at most that number of characters, without its middle where it is longer."""
    if len(text) <= length:
        return text
    half = length // 2 - 3
    return f"{text[:half]} ... {text[-half:]}"


def escaped(text: str) -> str:
    """A text on one line: characters that do not print, such as line breaks and direction marks, become escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def file_problem(error: OSError, folder: str = "") -> str | None:
    """One sentence about a disk, permissions, or a file that was taken away; None for another error.

    Args:
        error: what the operating system has reported.
        folder: where it happened, if the error does not say.
    """
    place = error.filename if isinstance(error.filename, str) else folder or "the current folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full at {place}; free space or set pathvars: results, then run again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{place} cannot be written or read ({error.strerror}); fix its permissions."
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return f"{place} is missing; it was moved or removed while the run needed it; run again."
    if error.errno in (errno.EISDIR, errno.EEXIST, errno.ELOOP):
        return f"{place} is not what is expected there ({error.strerror}); remove it, then run again."
    return None


def first_line(error: Exception) -> str:
    """First line of another library's message, cut to the length of a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def shown(value: object) -> str:
    """A value of the data as a message shows it: of a text, which may be offensive, the length only."""
    text = str(value)
    return repr(text) if len(text) <= LONGEST_NAME else f"a text of {len(text):,} characters"


def quoted(value: object) -> str:
    """A value of the study file as a message shows it, without the middle of a long one."""
    return escaped(shortened(repr(value), LONGEST_VALUE))


def listed(names: Iterable[object], rest: str = "") -> str:
    """Names as a message lists them: those that fit into `LONGEST_LIST` characters, and the number of all.

    Args:
        names: the names.
        rest: where to find those that are left out, for example "see config/README.md".
    """
    texts = [str(name) for name in names]
    fitting, length = [], 0
    for text in texts:
        fitting.append(escaped(text) if len(text) <= LONGEST_NAME else f"a text of {len(text):,} characters")
        length += len(fitting[-1]) + 2
        if length > LONGEST_LIST and len(fitting) < len(texts):
            return f"{', '.join(fitting)}, ... ({len(texts):,} in all{rest and f', {rest}'})"
    return ", ".join(fitting) or "none"


def by_module(reasons: Mapping[str, str]) -> list[str]:
    """Reasons that modules of a network give, the network itself last, because its parts say more.

    Args:
        reasons: name of a module -> what follows its name in a sentence.
    """
    names = sorted(reasons, key=lambda name: not name)
    return [f"{name or 'the network itself'!r} {reasons[name]}" for name in names]


def joined(reasons: Iterable[str], rest: str, length: int = LONGEST_REASONS) -> str:
    """Reasons as a message gives them: the first, others that fit, and where the rest is.

    Args:
        reasons: texts without a mark at their end.
        rest: where to find those that are left out, for example "in the log".
        length: characters of all; a message of one sentence has room for `LONGEST_REASONS`.
    """
    texts = list(reasons)
    if not texts:
        return "none"
    fitting, taken = [shortened(texts[0], length)], len(texts[0])
    for text in texts[1:]:
        taken += len(text) + 2
        if taken > length:
            break
        fitting.append(text)
    left = len(texts) - len(fitting)
    return "; ".join([*fitting, f"and {left:,} more {rest}"] if left else fitting)


def similar(name: object, legal: Iterable[object]) -> str | None:
    """The legal name that somebody probably meant: equal without case, blanks and dashes, or with few other letters.

    Args:
        name: what was written.
        legal: names that exist; long ones, which are texts, are never suggested.

    Returns:
        The most similar name, the first of equals; None where none is similar.
    """
    wanted = _plain(str(name))
    forms: dict[str, str] = {}
    for other in map(str, legal):
        if len(other) <= LONGEST_NAME:
            forms.setdefault(_plain(other), other)
    if not wanted or len(wanted) > 2 * LONGEST_NAME:
        return None
    near = [wanted] if wanted in forms else difflib.get_close_matches(wanted, forms, n=5)
    near.sort(key=lambda form: _edits(wanted, form))
    if not near and len(wanted) >= LEAST_BEGIN:  # "onnx" for "onnxruntime", "cheque" for "check"
        begins = [form for form in forms if form.startswith(wanted[:LEAST_BEGIN])]
        near = sorted((form for form in begins if form.startswith(wanted)), key=len)
        near = near or difflib.get_close_matches(wanted, begins, n=1, cutoff=LESS_LIKE)
    return forms[near[0]] if near else None


def _edits(name: str, other: str) -> int:
    """Number of letters that are added, removed or replaced between two names (Levenshtein's distance)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(name, start=1):
        above, row[0] = row[0], number
        for position, another in enumerate(other, start=1):
            above, row[position] = (
                row[position],
                min(row[position] + 1, row[position - 1] + 1, above + (letter != another)),
            )
    return row[-1]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def did_you_mean(name: object, legal: Iterable[object]) -> str:
    """The part of a message that suggests a name, with a blank in front: " (did you mean 'sex'?)"; else empty."""
    near = similar(name, legal)
    return "" if near is None or near == str(name) else f" (did you mean {quoted(near)}?)"


def known(name: str, legal: Collection[str], place: str, kind: str) -> None:
    """Refuse a name that the study file does not define; a similar one is suggested.

    Args:
        name: the name.
        legal: names that are defined.
        place: where the study file uses it, for the message.
        kind: what it should be, with its article: "a variant".

    Raises:
        InputError: `name` is not among the legal names.
    """
    if name not in legal:
        hint = did_you_mean(name, legal)
        raise InputError(f"{place}: {quoted(name)} is not {kind} of this study{hint}; there are: {listed(legal)}.")
