"""A study that was run again, held against its archive: the same bytes, or the same figures within a tolerance."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import checksum, read_frame, read_json
from fairweight.core.formatting import missing
from fairweight.core.lineage import MEASURE
from fairweight.reporting.archive.layout import CHECKSUMS
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.markdown import escape

# files whose bytes follow from data, recipe and tuple; others hold times, usage or dates
DETERMINED = ("*/table.parquet", "*/card.json", "*/split.parquet", "*/augmented.parquet", "seed-*/model.safetensors", "seed-*/model.json",
              "seed-*/model.onnx", "*/predictions.parquet", "*/assessment.parquet", "*/comparisons.parquet", "*/replicates.parquet",
              "*/slices.parquet", "summary/assessments.parquet", "summary/comparisons.parquet", "summary/slices.parquet")  # fmt: skip
# measures of time and energy differ with the machine and its load; what is made from CPU-seconds, too
TIMED = ("latency_", "cpu_s", "energy_", "making_", "emissions_", "prefill_", "decode_")
TOLERANCE = 0.01  # of a mean over seeds: a share or a nat; of bytes, relative


@dataclass(frozen=True)
class Part:
    """One part of the recorded tuple within which results are bit-identical."""

    name: str
    archived: str
    here: str

    @property
    def same(self) -> bool:
        """Whether it is the same here."""
        return self.archived == self.here


@dataclass(frozen=True)
class Value:
    """A measure whose mean over seeds differs."""

    lineage: str
    measure: str
    archived: float | None
    here: float | None
    within: bool


@dataclass(frozen=True)
class Comparison:
    """What was compared, and what differs."""

    parts: list[Part]
    files: dict[str, dict[str, int]]  # kind of file -> same, different, missing
    different: list[str]
    values: list[Value]
    compared: int
    choices: list[Part]  # recommended variants
    timed_choices: bool = False  # measures of time or energy decide on them

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
        """How many determined files are not there."""
        return sum(states["missing"] for states in self.files.values())

    @property
    def beyond(self) -> int:
        """How many means over seeds differ by more than the tolerance."""
        return sum(not value.within for value in self.values)

    @property
    def changed(self) -> int:
        """How many recommendations differ that do not hang on time or energy."""
        return 0 if self.timed_choices else sum(not choice.same for choice in self.choices)

    @property
    def reproduced(self) -> bool:
        """The same bytes within the tuple; outside of it, every file, mean and recommendation, within the tolerance."""
        return self.identical or not (self.same_tuple or self.missing or self.beyond or self.changed)


def compare(archive: Path, results: Path, tolerance: float = TOLERANCE) -> Comparison:
    """Hold new results against an unpacked archive.

    Args:
        archive: folder of the unpacked archive.
        results: folder of the new results.
        tolerance: largest difference of a mean over seeds, outside of the tuple.
    """
    stated = read_json(archive / CHECKSUMS)
    files, different = _files(stated, results)
    old = archive / "run" / "results" / results.name
    values, compared = _values(old, results, tolerance)
    choices = _choices(old, results)
    return Comparison(_tuple(old, results), files, different, values, compared, choices, _chosen_by_time(old))


def _files(stated: dict[str, str], results: Path) -> tuple[dict[str, dict[str, int]], list[str]]:
    kinds: dict[str, Counter[str]] = {}
    different = []
    for name, digest in stated.items():
        if not any(fnmatch(name, pattern) for pattern in DETERMINED):
            continue
        path = results / name
        state = "missing" if not path.exists() else "same" if checksum(path) == digest else "different"
        kinds.setdefault(name.rsplit("/", 1)[-1], Counter())[state] += 1
        if state != "same":
            different.append(name)
    return {kind: {s: counts[s] for s in ("same", "different", "missing")} for kind, counts in sorted(kinds.items())}, different  # fmt: skip


def _tuple(old: Path, new: Path) -> list[Part]:
    one, two = (read_json(folder / "summary" / "provenance.json") for folder in (old, new))
    threads = [_threads(folder) for folder in (old, new)]
    parts = [Part("threads of a step", *threads)]
    isas = (about["host"].get("isa", "not recorded") for about in (one, two))
    parts.append(Part("instruction set", *isas))
    parts += [Part(key, str(one[key]), str(two[key])) for key in ("python", "fairweight")]
    names = sorted(one["packages"].keys() | two["packages"].keys())
    return parts + [Part(n, *(about["packages"].get(n, "absent") for about in (one, two))) for n in names]


def _threads(folder: Path) -> str:
    usage = read_frame(folder / "summary" / "steps.parquet")
    making = usage[~usage["rule"].eq("profile")].groupby("rule")["threads"].max()
    return ", ".join(f"{rule} {n}" for rule, n in making.items() if n > 1) or "1"


def _values(old: Path, new: Path, tolerance: float) -> tuple[list[Value], int]:
    """Means over seeds that differ, largest difference first; and how many were compared."""
    tables = []
    for folder in (old, new):
        table = read_frame(folder / "summary" / "measures.parquet")
        table = table[~table["measure"].str.startswith(TIMED)]
        keys = [key for key in MEASURE if key not in ("unit", "status")]
        tables.append(table.groupby(keys, dropna=False)["value"].mean())
    both = pd.concat(tables, axis=1, keys=["archived", "here"], sort=False)
    differing = both[~((both["archived"] == both["here"]) | (both["archived"].isna() & both["here"].isna()))]
    values = [_value(dict(zip(both.index.names, index, strict=True)), row, tolerance) for index, row in differing.iterrows()]  # fmt: skip
    return sorted(values, key=_size, reverse=True), len(both)


def _value(key: dict[str, Any], row: pd.Series, tolerance: float) -> Value:
    lineage = "/".join(str(key[k]) for k in ("dataset", "augmentation", "model", "variant", "engine"))
    of = " ".join(str(key[k]) for k in ("attribute", "group") if isinstance(key[k], str))
    one, two = (None if missing(row[k]) else float(row[k]) for k in ("archived", "here"))
    bound = tolerance * abs(one) if one is not None and str(key["measure"]).endswith("_bytes") else tolerance
    within = one is not None and two is not None and abs(one - two) <= bound
    return Value(lineage, f"{key['measure']} {of}".strip(), one, two, within)


def _size(value: Value) -> float:
    if value.archived is None or value.here is None:
        return float("inf")
    return abs(value.archived - value.here) / max(abs(value.archived), 1.0)


def _choices(old: Path, new: Path) -> list[Part]:
    found: list[dict[str, str]] = []
    for folder in (old, new):
        table = read_frame(folder / "summary" / "decisions.parquet")
        families = table.groupby(["dataset", "model"])
        found.append({f"{d}/{m}": next(iter(f[f["recommended"]]["variant"]), "none") for (d, m), f in families})
    return [Part(f"recommended for {key}", value, found[1].get(key, "absent")) for key, value in found[0].items()]


def _chosen_by_time(old: Path) -> bool:
    """Whether a study recommends by measures that differ with the machine."""
    criteria = read_json(old / "summary" / "provenance.json")["study"].get("criteria", {})
    return any(name.startswith(TIMED) for name in [criteria.get("cheapest_by", ""), *criteria.get("ceilings", {})])


# ---- what is told


def verdict(comparison: Comparison, tolerance: float = TOLERANCE) -> str:
    """One sentence."""
    files = sum(sum(states.values()) for states in comparison.files.values())
    if comparison.identical:
        return f"Reproduced: all {files} files that follow from data and recipe have the same bytes."
    outside = [part.name for part in comparison.parts if not part.same]
    if not outside:
        return f"NOT reproduced: threads, instruction set and versions are those of the archive, yet {len(comparison.different)} of {files} files differ."
    where = f"{', '.join(outside)} differ{'s' if len(outside) == 1 else ''} from the archive, so bytes may differ ({len(comparison.different)} of {files} files do)"
    means = f"{comparison.compared} means over seeds"
    if comparison.reproduced:
        return f"Reproduced within the tolerance: {where}; all {means} agree within {tolerance:g}."
    told = [
        (comparison.missing, f"{comparison.missing} of {files} files missing here"),
        (comparison.beyond, f"{comparison.beyond} of {means} are off by more than {tolerance:g}"),
        (comparison.changed, f"{comparison.changed} of {len(comparison.choices)} recommendations differ"),
    ]
    return f"NOT reproduced: {where}; {'; '.join(text for count, text in told if count)}."


def told(comparison: Comparison, tolerance: float = TOLERANCE, most: int = 40) -> str:
    """The table of what differs, as Markdown."""
    parts = [[escape(p.name), escape(p.archived), escape(p.here), "same" if p.same else "**differs**"]
             for p in [*comparison.parts, *comparison.choices]]  # fmt: skip
    files = [[escape(kind), *(f"{states[s]:,}" for s in ("same", "different", "missing"))] for kind, states in comparison.files.items()]  # fmt: skip
    shown = comparison.values[:most]
    values = [[escape(v.lineage), escape(v.measure), _figure(v.archived), _figure(v.here), "yes" if v.within else "**no**"] for v in shown]  # fmt: skip
    sections = {
        "Tuple and recommendations": markdown.table(["", "Archive", "Here", ""], parts, 4),
        "Files that follow from data and recipe": markdown.table(["File", "Same bytes", "Different", "Missing"], files),
        "Means over seeds that differ": markdown.table(["Lineage", "Measure", "Archive", "Here", f"Within {tolerance:g}"], values, 2) if values else "None.",
    }  # fmt: skip
    more = len(comparison.values) - len(shown)
    tail = f"\n{more} smaller differences are in reproduction.json.\n" if more > 0 else ""
    head = f"# Reproduction\n\n{escape(verdict(comparison, tolerance))}\n"
    return head + "".join(f"\n## {title}\n\n{text}" + ("" if text.endswith("\n") else "\n") for title, text in sections.items()) + tail  # fmt: skip


def _figure(value: float | None) -> str:
    return "absent" if value is None else f"{value:.6g}"


def as_json(comparison: Comparison, tolerance: float) -> dict[str, Any]:
    """Everything, JSON-compatible."""
    return {"verdict": verdict(comparison, tolerance), "reproduced": comparison.reproduced, "tolerance": tolerance, **asdict(comparison)}  # fmt: skip


def lines(comparison: Comparison) -> Iterator[str]:
    """The tables in short, for a terminal."""
    for part in [*comparison.parts, *comparison.choices]:
        if not part.same:
            yield f"  {part.name}: {part.archived} in the archive, {part.here} here"
    for kind, states in comparison.files.items():
        yield f"  {kind}: {states['same']} the same, {states['different']} different, {states['missing']} missing"
    for value in comparison.values[:10]:
        yield f"  {value.lineage}, {value.measure}: {_figure(value.archived)} in the archive, {_figure(value.here)} here{'' if value.within else ' (beyond the tolerance)'}"
