"""Names of repositories for the models and datasets of a study on a hub."""

import hashlib
import re

LONGEST = 96  # characters of a repository's name


def repository(*parts: str) -> str:
    """A legal repository name, different for different parts: letters, digits, `-`, `_` and `.`."""
    plain = "-".join(re.sub(r"[^A-Za-z0-9_.]+", "-", part).strip("-.") or "x" for part in parts)
    plain = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", plain))
    if len(plain) <= LONGEST and all(re.fullmatch(r"[A-Za-z0-9_.]+(-[A-Za-z0-9_.]+)*", p) for p in parts):
        return plain
    # characters were lost: a hash keeps names apart that would be equal
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    return f"{plain[: LONGEST - 9].strip('-.')}-{digest}"
