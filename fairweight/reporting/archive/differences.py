"""Compare a study that was run again with its archive: the same bytes, or the same values within a tolerance."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import checksum, read_frame, read_json
from fairweight.core.formatting import missing
from fairweight.core.lineage import CELL, MEASURE
from fairweight.reporting.archive.layout import CHECKSUMS, DECISIONS, MEASURES, PROVENANCE, STEPS, summary_file
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.markdown import escape

# files whose bytes follow from data, recipe and tuple; others hold times, usage or dates
DETERMINED = (
    "*/table.parquet",
    "*/card.json",
    "*/split.parquet",
    "*/augmented.parquet",
    "seed-*/model.safetensors",
    "seed-*/model.json",
    "seed-*/model.onnx",
    "*/predictions.parquet",
    "*/assessment.parquet",
    "*/comparisons.parquet",
    "*/replicates.parquet",
    "*/slices.parquet",
    "summary/assessments.parquet",
    "summary/comparisons.parquet",
    "summary/slices.parquet",
)
# measures of time and energy, and everything derived from CPU-seconds, differ with the machine and its load
TIMED = ("latency_", "cpu_s", "energy_", "making_", "emissions_", "prefill_", "decode_")
TOLERANCE = 0.01  # of a mean over seeds: a share or a nat; of bytes, relative
STATES = ("same", "different", "missing")  # of a file

FileCounts = dict[str, dict[str, int]]  # kind of file -> number of files in each state
Record = dict[str, Any]  # as reproduction.json holds it


@dataclass(frozen=True)
class Part:
    """One part of the recorded tuple within which results are bit-identical, in the archive and in the rerun."""

    name: str
    archived: str
    rerun: str

    @property
    def same(self) -> bool:
        """Whether the rerun agrees with the archive."""
        return self.archived == self.rerun

    def as_json(self) -> Record:
        """Its record in reproduction.json."""
        return {"name": self.name, "archived": self.archived, "here": self.rerun}


@dataclass(frozen=True)
class Value:
    """A measure whose mean over seeds differs; None where a run does not have it."""

    lineage: str
    measure: str
    archived: float | None
    rerun: float | None
    within: bool

    def as_json(self) -> Record:
        """Its record in reproduction.json."""
        means = {"archived": self.archived, "here": self.rerun}
        return {"lineage": self.lineage, "measure": self.measure, **means, "within": self.within}


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what differs.

    Attributes:
        parts: the recorded tuple.
        files: how many determined files are in which state.
        different: determined files that differ or are missing.
        values: means over seeds that differ.
        compared: number of means over seeds that were compared.
        choices: recommended variants.
        timed_choices: whether recommendations depend on measures of time or energy.
    """

    parts: list[Part]
    files: FileCounts
    different: list[str]
    values: list[Value]
    compared: int
    choices: list[Part]
    timed_choices: bool = False

    @property
    def same_tuple(self) -> bool:
        """Whether threads, instruction set and versions are those of the archive."""
        return all(part.same for part in self.parts)

    @property
    def identical(self) -> bool:
        """Whether every determined file has the same bytes."""
        return not self.different

    @property
    def missing(self) -> int:
        """Number of determined files that the rerun lacks."""
        return sum(states["missing"] for states in self.files.values())

    @property
    def beyond(self) -> int:
        """Number of means over seeds that differ by more than the tolerance."""
        return sum(not value.within for value in self.values)

    @property
    def changed(self) -> int:
        """Number of recommendations that differ and do not depend on time or energy."""
        return 0 if self.timed_choices else sum(not choice.same for choice in self.choices)

    @property
    def reproduced(self) -> bool:
        """The same bytes within the tuple; outside of it, every file, mean and recommendation, within the tolerance."""
        return self.identical or not (self.same_tuple or self.missing or self.beyond or self.changed)


def compare(archive: Path, results: Path, tolerance: float = TOLERANCE) -> Comparison:
    """Compare new results with an unpacked archive.

    Args:
        archive: folder of the unpacked archive.
        results: folder of the new results.
        tolerance: largest difference of a mean over seeds, outside of the tuple.

    Raises:
        InputError: a summary lacks a table that is compared.
    """
    files, different = _files(read_json(archive / CHECKSUMS), results)
    old = archive / "run" / "results" / results.name
    values, compared = _values(old, results, tolerance)
    choices = _choices(old, results)
    return Comparison(_tuple(old, results), files, different, values, compared, choices, _chosen_by_time(old))


def _files(checksums: Mapping[str, str], results: Path) -> tuple[FileCounts, list[str]]:
    """States of the determined files, and names of those that are not the same."""
    kinds: dict[str, Counter[str]] = {}
    different = []
    for name, digest in checksums.items():
        if not any(fnmatch(name, pattern) for pattern in DETERMINED):
            continue
        path = results / name
        state = "missing" if not path.exists() else "same" if checksum(path) == digest else "different"
        kinds.setdefault(name.rsplit("/", 1)[-1], Counter())[state] += 1
        if state != "same":
            different.append(name)
    return {kind: {state: counts[state] for state in STATES} for kind, counts in sorted(kinds.items())}, different


def _tuple(old: Path, new: Path) -> list[Part]:
    both = [read_json(summary_file(folder, PROVENANCE)) for folder in (old, new)]
    parts = [
        Part("threads of a step", *(_threads(folder) for folder in (old, new))),
        Part("instruction set", *(about["host"].get("isa", "not recorded") for about in both)),
    ]
    parts += [Part(key, *(str(about[key]) for about in both)) for key in ("python", "fairweight")]
    names = sorted({name for about in both for name in about["packages"]})
    return parts + [Part(name, *(about["packages"].get(name, "absent") for about in both)) for name in names]


def _threads(folder: Path) -> str:
    usage = read_frame(summary_file(folder, STEPS))
    making = usage[~usage["rule"].eq("profile")].groupby("rule")["threads"].max()
    return ", ".join(f"{rule} {n}" for rule, n in making.items() if n > 1) or "1"


def _values(old: Path, new: Path, tolerance: float) -> tuple[list[Value], int]:
    """Means over seeds that differ, largest difference first; and the number of means that were compared."""
    tables = []
    for folder in (old, new):
        table = read_frame(summary_file(folder, MEASURES))
        table = table[~table["measure"].str.startswith(TIMED)]
        keys = [key for key in MEASURE if key not in ("unit", "status")]
        tables.append(table.groupby(keys, dropna=False)["value"].mean())
    both = pd.concat(tables, axis=1, keys=["archived", "rerun"], sort=False)
    same = (both["archived"] == both["rerun"]) | (both["archived"].isna() & both["rerun"].isna())
    names = both.index.names
    values = [_value(dict(zip(names, key, strict=True)), row, tolerance) for key, row in both[~same].iterrows()]
    return sorted(values, key=_size, reverse=True), len(both)


def _value(key: dict[Any, Any], row: pd.Series, tolerance: float) -> Value:
    group = " ".join(str(key[k]) for k in ("attribute", "group") if isinstance(key[k], str))
    archived, rerun = (None if missing(row[k]) else float(row[k]) for k in ("archived", "rerun"))
    is_relative = archived is not None and str(key["measure"]).endswith("_bytes")
    bound = tolerance * abs(archived) if archived is not None and is_relative else tolerance
    return Value(
        lineage="/".join(str(key[k]) for k in CELL),
        measure=f"{key['measure']} {group}".strip(),
        archived=archived,
        rerun=rerun,
        within=archived is not None and rerun is not None and abs(archived - rerun) <= bound,
    )


def _size(value: Value) -> float:
    """Difference of a value, by which differences are sorted; infinite where a run does not have it."""
    if value.archived is None or value.rerun is None:
        return float("inf")
    return abs(value.archived - value.rerun) / max(abs(value.archived), 1.0)


def _choices(old: Path, new: Path) -> list[Part]:
    archived, rerun = _recommended(old), _recommended(new)
    return [Part(f"recommended for {key}", variant, rerun.get(key, "absent")) for key, variant in archived.items()]


def _recommended(folder: Path) -> dict[str, str]:
    """Recommended variant of each dataset and model."""
    families = read_frame(summary_file(folder, DECISIONS)).groupby(["dataset", "model"])
    return {f"{d}/{m}": next(iter(rows[rows["recommended"]]["variant"]), "none") for (d, m), rows in families}


def _chosen_by_time(old: Path) -> bool:
    """Whether a study recommends by measures that differ with the machine."""
    criteria = read_json(summary_file(old, PROVENANCE))["study"].get("criteria", {})
    return any(name.startswith(TIMED) for name in [criteria.get("cheapest_by", ""), *criteria.get("ceilings", {})])


# ---- the comparison as text


def verdict(comparison: Comparison, tolerance: float = TOLERANCE) -> str:
    """The result of the comparison in one sentence."""
    files = sum(sum(states.values()) for states in comparison.files.values())
    different = len(comparison.different)
    if comparison.identical:
        return f"Reproduced: all {files} files that follow from data and recipe have the same bytes."
    outside = [part.name for part in comparison.parts if not part.same]
    if not outside:
        return (
            "NOT reproduced: threads, instruction set and versions are those of the archive, "
            f"yet {different} of {files} files differ."
        )
    differ = "differs" if len(outside) == 1 else "differ"
    reason = f"{', '.join(outside)} {differ} from the archive, so bytes may differ ({different} of {files} files do)"
    means = f"{comparison.compared} means over seeds"
    if comparison.reproduced:
        return f"Reproduced within the tolerance: {reason}; all {means} agree within {tolerance:g}."
    failures = [
        (comparison.missing, f"{comparison.missing} of {files} files are missing in the rerun"),
        (comparison.beyond, f"{comparison.beyond} of {means} are off by more than {tolerance:g}"),
        (comparison.changed, f"{comparison.changed} of {len(comparison.choices)} recommendations differ"),
    ]
    return f"NOT reproduced: {reason}; {'; '.join(text for count, text in failures if count)}."


def as_markdown(comparison: Comparison, tolerance: float = TOLERANCE, most: int = 40) -> str:
    """Content of reproduction.md: the verdict and the tables of what differs.

    Args:
        comparison: the comparison.
        tolerance: largest difference of a mean over seeds, outside of the tuple.
        most: number of means over seeds that are shown.
    """
    parts = [
        [escape(p.name), escape(p.archived), escape(p.rerun), "same" if p.same else "**differs**"]
        for p in [*comparison.parts, *comparison.choices]
    ]
    files = [[escape(kind), *(f"{states[s]:,}" for s in STATES)] for kind, states in comparison.files.items()]
    values = [
        [escape(v.lineage), escape(v.measure), _text(v.archived), _text(v.rerun), "yes" if v.within else "**no**"]
        for v in comparison.values[:most]
    ]
    value_header = ["Lineage", "Measure", "Archive", "Rerun", f"Within {tolerance:g}"]
    sections = {
        "Tuple and recommendations": markdown.table(["", "Archive", "Rerun", ""], parts, 4),
        "Files that follow from data and recipe": markdown.table(["File", "Same bytes", "Different", "Missing"], files),
        "Means over seeds that differ": markdown.table(value_header, values, 2) if values else "None.\n",
    }
    text = f"# Reproduction\n\n{escape(verdict(comparison, tolerance))}\n"
    text += "".join(f"\n## {title}\n\n{section}" for title, section in sections.items())
    more = len(comparison.values) - len(values)
    return text + (f"\n{more} smaller differences are in reproduction.json.\n" if more > 0 else "")


def _text(value: float | None) -> str:
    return "absent" if value is None else f"{value:.6g}"


def as_json(comparison: Comparison, tolerance: float) -> Record:
    """Content of reproduction.json: the whole comparison."""
    return {
        "verdict": verdict(comparison, tolerance),
        "reproduced": comparison.reproduced,
        "tolerance": tolerance,
        "parts": [part.as_json() for part in comparison.parts],
        "files": comparison.files,
        "different": comparison.different,
        "values": [value.as_json() for value in comparison.values],
        "compared": comparison.compared,
        "choices": [choice.as_json() for choice in comparison.choices],
        "timed_choices": comparison.timed_choices,
    }


def lines(comparison: Comparison) -> Iterator[str]:
    """A short form of the tables, for a terminal."""
    for part in [*comparison.parts, *comparison.choices]:
        if not part.same:
            yield f"  {part.name}: {part.archived} in the archive, {part.rerun} in the rerun"
    for kind, states in comparison.files.items():
        yield f"  {kind}: {states['same']} the same, {states['different']} different, {states['missing']} missing"
    for value in comparison.values[:10]:
        means = f"{_text(value.archived)} in the archive, {_text(value.rerun)} in the rerun"
        yield f"  {value.lineage}, {value.measure}: {means}{'' if value.within else ' (beyond the tolerance)'}"
