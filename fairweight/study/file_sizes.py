"""Files of a study that were cut, which Snakemake, comparing times, would call finished (standard library only)."""

import os
from pathlib import Path

from fairweight.core.checksums import SUFFIX, read_usage, rule_of
from fairweight.core.errors import InputError

TARGETS = ("gate", "paper", "article", "cards", "archive")  # rules that no report needs; each is asked for by its name


def check_sizes(results: Path) -> None:
    """Refuse a study with files that were cut: Snakemake compares times, and would say that nothing is to be done.

    A missing file is made again; one that no rule declares is made again with the usage file of its step.

    Raises:
        InputError: a file has another size than its step recorded.
    """
    for usage in sorted(results.rglob(f"*{SUFFIX}")):
        if rule_of(usage) in TARGETS:
            continue  # people may edit cards and articles
        written = read_usage(usage)[1]
        if not all(os.path.lexists(file.path) for file in written if file.declared):
            continue  # the step runs again
        for file in written:
            if (problem := file.problem(content=False)) is not None:
                raise InputError(file.sentence(problem))
