"""Compare a study that was run again with its archive: the same bytes, or the same values within a tolerance."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_frame, read_json
from fairweight.core.checksums import checksum
from fairweight.core.formatting import missing
from fairweight.core.lineage import CELL, MEASURE
from fairweight.reporting.archive.layout import CHECKSUMS, DECISIONS, GOALS, MEASURES, PROVENANCE, STEPS, summary_file
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
    "*/pairs.parquet",
    "*/replicates.parquet",
    "*/slices.parquet",
    "*/models.parquet",
    "*/simple_model.parquet",
    "summary/assessments.parquet",
    "summary/guards.parquet",
    "summary/parts.parquet",
    "summary/simple_models.parquet",
    "summary/untested.parquet",
)
# the same, unless a ceiling limits a measure of time or energy; what is recommended, and its cost, differ by machine
WITHOUT_TIME = ("summary/criteria.parquet", "summary/shipped.parquet")
# measures of time and energy, and everything derived from CPU-seconds, differ with the machine and its load
TIMED = ("latency_", "cpu_s", "energy_", "making_", "emissions_", "prefill_", "decode_")
FAMILY = ["dataset", "augmentation", "model"]  # variants that are decided on together
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
class Choice(Part):
    """A conclusion of a study: a verdict, or the winner by a goal.

    Attributes:
        timed: whether it depends on measures of time or energy.
    """

    timed: bool = False

    def as_json(self) -> Record:
        """Its record in reproduction.json."""
        return super().as_json() | {"timed": self.timed}


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
        choices: verdicts, recommended variants, and the winners by each goal.
    """

    parts: list[Part]
    files: FileCounts
    different: list[str]
    values: list[Value]
    compared: int
    choices: list[Choice]

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
    def untimed(self) -> int:
        """Number of conclusions that do not depend on time or energy."""
        return sum(not choice.timed for choice in self.choices)

    @property
    def changed(self) -> int:
        """Number of conclusions that differ and do not depend on time or energy."""
        return sum(not choice.same for choice in self.choices if not choice.timed)

    @property
    def reproduced(self) -> bool:
        """The same bytes within the tuple; outside of it, every file, mean and conclusion, within the tolerance."""
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
    old = archive / "run" / "results" / results.name
    timed = _timed_ceilings(old)
    determined = DETERMINED if timed else DETERMINED + WITHOUT_TIME
    files, different = _files(read_json(archive / CHECKSUMS), results, determined)
    values, compared = _values(old, results, tolerance)
    choices = _choices(old, results, timed)
    return Comparison(_tuple(old, results), files, different, values, compared, choices)


def _files(checksums: Mapping[str, str], results: Path, determined: tuple[str, ...]) -> tuple[FileCounts, list[str]]:
    """States of the determined files, and names of those that are not the same."""
    kinds: dict[str, Counter[str]] = {}
    different = []
    for name, digest in checksums.items():
        if not any(fnmatch(name, pattern) for pattern in determined):
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


def _choices(old: Path, new: Path, timed_ceilings: bool) -> list[Choice]:
    """The conclusions of the archive beside those of the rerun."""
    archived, rerun = _conclusions(old, timed_ceilings), _conclusions(new, timed_ceilings)
    return [
        Choice(name, text, rerun[name][0] if name in rerun else "absent", timed)
        for name, (text, timed) in archived.items()
    ]


def _conclusions(folder: Path, timed_ceilings: bool) -> dict[str, tuple[str, bool]]:
    """Name of each conclusion -> what it is, and whether it depends on time or energy."""
    decisions = read_frame(summary_file(folder, DECISIONS))
    conclusions: dict[str, tuple[str, bool]] = {}
    by_time = timed_ceilings or _is_timed(_goal(folder))
    for key, family in decisions.groupby(FAMILY):
        chosen = next(iter(family[family["recommended"]]["variant"]), "none")
        conclusions[f"recommended for {'/'.join(key)}"] = chosen, by_time
    decided = decisions[decisions["verdict"].notna()] if "verdict" in decisions else decisions[:0]
    for row in decided.to_dict("records"):
        conclusions[f"verdict on {'/'.join(row[key] for key in CELL)}"] = row["verdict"], timed_ceilings
    goals = folder / "summary" / GOALS
    for row in read_frame(goals).to_dict("records") if goals.is_file() else ():
        place = "/".join(row[key] for key in (*FAMILY, "engine"))
        winner = f"{row['winner']} with augmentation {row['winner_augmentation']}"
        goal = row["goal"]
        conclusions[f"winner by {goal.replace('_', ' ')} for {place}"] = winner, timed_ceilings or _is_timed(goal)
    return conclusions


def _goal(folder: Path) -> str:
    """What the recommendation of a study minimises; older studies name a measure."""
    study = read_json(summary_file(folder, PROVENANCE))["study"]
    return str(
        study["decision"]["goal"] if "decision" in study else study["criteria"].get("cheapest_by", "transfer_bytes")
    )


def _timed_ceilings(folder: Path) -> bool:
    """Whether verdicts depend on measures that differ with the machine."""
    criteria = read_json(summary_file(folder, PROVENANCE))["study"].get("criteria", {})
    return any(_is_timed(name) for name in criteria.get("ceilings", {}))


def _is_timed(name: str) -> bool:
    """Whether a measure or a goal differs with the machine: all of them but those of bytes."""
    return not name.endswith("_bytes")


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
        (comparison.changed, f"{comparison.changed} of {comparison.untimed} verdicts and recommendations differ"),
    ]
    return f"NOT reproduced: {reason}; {'; '.join(text for count, text in failures if count)}."


def as_markdown(comparison: Comparison, tolerance: float = TOLERANCE, most: int = 40) -> str:
    """Content of reproduction.md: the verdict and the tables of what differs.

    Args:
        comparison: the comparison.
        tolerance: largest difference of a mean over seeds, outside of the tuple.
        most: number of means over seeds that are shown.
    """
    parts = [[escape(p.name), escape(p.archived), escape(p.rerun), _state(p)] for p in comparison.parts]
    choices = [
        [escape(c.name), escape(c.archived), escape(c.rerun), _state(c), "yes" if c.timed else "no"]
        for c in comparison.choices
    ]
    choice_header = ["", "Archive", "Rerun", "", "Depends on time or energy"]
    files = [[escape(kind), *(f"{states[s]:,}" for s in STATES)] for kind, states in comparison.files.items()]
    values = [
        [escape(v.lineage), escape(v.measure), _text(v.archived), _text(v.rerun), "yes" if v.within else "**no**"]
        for v in comparison.values[:most]
    ]
    value_header = ["Lineage", "Measure", "Archive", "Rerun", f"Within {tolerance:g}"]
    sections = {
        "Tuple": markdown.table(["", "Archive", "Rerun", ""], parts, 4),
        "Verdicts and recommendations": markdown.table(choice_header, choices, 5) if choices else "None.\n",
        "Files that follow from data and recipe": markdown.table(["File", "Same bytes", "Different", "Missing"], files),
        "Means over seeds that differ": markdown.table(value_header, values, 2) if values else "None.\n",
    }
    text = f"# Reproduction\n\n{escape(verdict(comparison, tolerance))}\n"
    text += "".join(f"\n## {title}\n\n{section}" for title, section in sections.items())
    more = len(comparison.values) - len(values)
    return text + (f"\n{more} smaller differences are in reproduction.json.\n" if more > 0 else "")


def _state(part: Part) -> str:
    return "same" if part.same else "**differs**"


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
    }


def lines(comparison: Comparison) -> Iterator[str]:
    """A short form of the tables, for a terminal."""
    for part in [*comparison.parts, *comparison.choices]:
        if not part.same:
            timed = " (depends on time or energy)" if isinstance(part, Choice) and part.timed else ""
            yield f"  {part.name}: {part.archived} in the archive, {part.rerun} in the rerun{timed}"
    for kind, states in comparison.files.items():
        yield f"  {kind}: {states['same']} the same, {states['different']} different, {states['missing']} missing"
    for value in comparison.values[:10]:
        means = f"{_text(value.archived)} in the archive, {_text(value.rerun)} in the rerun"
        yield f"  {value.lineage}, {value.measure}: {means}{'' if value.within else ' (beyond the tolerance)'}"
