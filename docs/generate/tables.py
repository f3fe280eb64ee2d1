"""Parts of pages that follow from the code, the records of decisions and the results at hand; called by hooks.py."""

import ast
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairweight import api
from fairweight.core.lineage import CELL, FAMILY, MEASURE
from fairweight.core.measures import MEASURES
from fairweight.data import examine_made
from fairweight.energy import other_estimators, what_if
from fairweight.energy.amounts import AMOUNTS
from fairweight.energy.life_cycle import LIFE, REPAID
from fairweight.evaluation import audit, compare_explanations, discover, guards, metric_rows, power, shipped, summarize
from fairweight.evaluation.criteria import CriterionRow, UntestedRow
from fairweight.evaluation.decide import DECIDED, DECISION, FLOOR
from fairweight.evaluation.recommend import CrossingRow, GoalRow
from fairweight.evaluation.simple_accuracy import SimpleRow
from fairweight.evaluation.summarize_causal import LANGUAGE
from fairweight.inference.profile_columns import PROFILE
from fairweight.statistics import comparison
from fairweight.study.results_layout import LAYOUT

ROOT = Path(__file__).parents[2]
# what a card of a report says first: what ships, its verdict, and where
ANSWER = re.compile(
    r'<h2 class="headline">(.*?)</h2><span class="chip[^"]*">(.*?)</span><(?:p|span) class="place">(.*?)</'
)
SPREAD = ["mean", "sd", "min", "max", "n"]


def _literal(path: str, name: str) -> list[str]:
    """Keys of a literal of a module that would import torch."""
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    assigned = (node for node in body if isinstance(node, ast.Assign))
    return list(next(ast.literal_eval(node.value) for node in assigned if ast.unparse(node.targets[0]) == name))


# summary table -> what one row is, and its columns; those of steps, rules, measures and changes are made of other files
RESULTS: dict[str, tuple[str, Iterable[str]]] = {
    "variants": (
        "a measure of a variant over seeds, and its change against the baseline, paired by seed",
        [*MEASURE, *SPREAD, *(f"change_{name}" for name in SPREAD), "baseline"],
    ),
    "measures": ("a measure of a variant in one seed", ["seed", *MEASURE, "value", "low", "high"]),
    "changes": ("the same, minus the value of the baseline in this seed", [*MEASURE, "baseline", "seed", "value"]),
    "assessments": (
        "a metric of one file, for all rows, a group or a class",
        ["seed", *CELL, "part", "family", *metric_rows.SCHEMA],
    ),
    "comparisons": (
        "a change against the baseline, with its interval, its tests, and the noise floor (`floor_...`)",
        [
            *("variant", "baseline", "baseline_augmentation", *comparison.SCHEMA, *DECIDED[:-1]),
            *(f"floor_{name}" for name in FLOOR),
            *("q_value", "seeds_note"),
        ],
    ),
    "decisions": (
        "a variant: its verdict, the reason, its cost and whether it is recommended",
        [*DECIDED, *DECISION, "cost", "recommended", "front_probability"],
    ),
    "criteria": (
        "a criterion of a variant: the margin, the worst change and the verdict",
        [*DECIDED, *CriterionRow.__annotations__],
    ),
    "parts": ("one test of a criterion: a group, or a pair of groups", [*DECIDED, *CriterionRow.__annotations__]),
    "untested": ("a rate of a group with too few rows to be tested", [*DECIDED, *UntestedRow.__annotations__]),
    "goals": ("what ships by one goal: the winner, its cost and the saving", [*FAMILY, *GoalRow.__annotations__]),
    "crossings": ("a number of predictions from which another variant wins", [*FAMILY, *CrossingRow.__annotations__]),
    "guards": ("a guard that holds for a variant", guards.COLUMNS),
    "simple_models": ("a dataset: the accuracy that needs no model of the study", SimpleRow.__annotations__),
    "shipped": ("the file of a variant that ships: the best seed by validation rows", shipped.COLUMNS),
    "slices": ("a group that was searched for, in which a variant loses most", [*discover.SCHEMA, *DECIDED[:-1]]),
    "privacy": (
        "what files give away about training rows: a measure of an attack; with `privacy_audit`",
        audit.SCHEMA,
    ),
    "reasons": (
        "how explanations agree with the baseline's: a measure; with `explain`",
        compare_explanations.REASONS,
    ),
    "importances": ("the weight of an input in the explanations of a variant", compare_explanations.IMPORTANCES),
    "made": ("quality of generated rows: a measure, beside that of real rows", examine_made.SCHEMA),
    "power": ("a test before training: the loss that it can detect and prove", power.SCHEMA),
    "profiles": (
        "latency and CPU time of one file for one batch size",
        ["seed", *CELL, *(name for name in PROFILE if name not in ("seed", *CELL))],
    ),
    "ratios": ("CPU time and latency of a variant as a ratio to the baseline's", summarize.RATIO),
    "files": (
        "a file in an engine: its size in parameters, and what was checked",
        ["seed", *CELL, *summarize.FILE, *summarize.ENGINE],
    ),
    "checks": (
        "what export, pruning or quantization checked of a file",
        ["seed", *CELL[:-1], *summarize.CHECKED, "sparsity", *summarize.IN_FLOAT],
    ),
    "layers": ("the share of zeros in one weight tensor", ["seed", *CELL, "position", "layer", "sparsity"]),
    "curves": (
        "an epoch of a training run",
        ["seed", *CELL[:-1], *_literal("fairweight/training/training_loop.py", "CURVE")],
    ),
    "language": ("a language model", ["seed", *CELL, *LANGUAGE]),
    "steps": (
        "a step: what it used, and the energy modelled from it",
        [
            *("rule", "seed", *CELL, "cpu_s", "wall_s", "peak_memory_bytes"),
            *("threads", "host", "cores", "started", *AMOUNTS[1:]),
        ],
    ),
    "rules": (
        "a rule, all attempts together, and the run itself",
        [
            *("kind", "rule", "failed", "unknown", "cpu_s", "wall_s", "memory_gb_s", *AMOUNTS[1:], "peak_memory_bytes"),
            *("attempts", "modelled", "measured", "not attributable", "metered_j", "status"),
        ],
    ),
    "life_cycle": ("a stage of the life of a variant", LIFE),
    "break_even": ("the number of predictions after which a variant has repaid its making", REPAID),
    "estimators": ("the energy of the same steps by another estimator, and why it differs", other_estimators.COLUMNS),
    "what_if": ("the same joules in another place or hour", what_if.COLUMNS),
    "sci": ("the Software Carbon Intensity of a functional unit", what_if.UNIT_COLUMNS),
}


def layout() -> dict[str, Any]:
    """Version of the layout of results, with the columns of every table: what a change of the version is decided by."""
    return {"layout": str(LAYOUT), "tables": {name: list(columns) for name, (_, columns) in RESULTS.items()}}


def result_tables() -> str:
    """The summary tables and the measures, in Markdown."""
    lines = []
    for name, (row, columns) in RESULTS.items():
        lines += [f"### {name}.parquet {{ #{name} }}", "", f"One row: {row}.", ""]
        lines += [", ".join(f"`{column}`" for column in columns), ""]
    lines += [
        "## Measures",
        "",
        "The values of the column `measure`. Tables store them in the unit of the column `unit`.",
        "",
    ]
    lines += ["| measure | title | stored unit | better |", "|---|---|---|---|"]
    for measure in MEASURES.values():
        modelled = " (modelled)" if measure.modelled else ""
        lines.append(
            f"| `{measure.key}` | {measure.title}{modelled} | {measure.stored_unit} | {measure.better or '–'} |"
        )
    return "\n".join(lines) + "\n"


def component_kinds() -> str:
    """Rows of the table of kinds of component, from the docstring of the public module."""
    rows = [line for line in (api.__doc__ or "").splitlines() if line.startswith("| ")]
    return "\n".join(rows[1:])


def python_api() -> str:
    """The public names, each with its signature and docstring, for mkdocstrings."""
    return "\n".join(f"::: fairweight.{api.PUBLIC[name]}.{name}\n" for name in sorted(api.PUBLIC, key=str.lower))


def decisions(folder: Path) -> str:
    """An index of the records of decisions.

    Args:
        folder: of the records; each begins with a heading.
    """
    lines = [
        "# Decisions\n",
        "Each record says what was decided, why, and what follows. Records keep the module names of their time.\n",
    ]
    for path in sorted(folder.glob("*.md")):
        number, _, title = path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ").partition(". ")
        lines.append(f"- {int(number)}: [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def reports() -> dict[str, Path]:
    """Reports of the gallery that are there: name of the study -> page, from the folders in the variable GALLERY."""
    folders = [ROOT / name for name in os.environ.get("GALLERY", "").split()]
    pages = {folder.name: folder / "report" / "report.html" for folder in folders}
    return {name: page for name, page in pages.items() if page.is_file()}


def gallery() -> str:
    """The reports of the gallery with their answers, in Markdown."""
    entries = [_entry(name, page) for name, page in reports().items()]
    return "\n".join(entries or ["This build of the site holds no report."]) + "\n"


def _entry(name: str, page: Path) -> str:
    """A report: its title, what it is about, and what ships."""
    text = page.read_text(encoding="utf-8")
    title = _first(r"<h1>(.*?)</h1>", text) or _first(r"<title>(.*?)</title>", text) or page.name
    lines = [f"## {title} {{ #{name} }}", "", _first(r'</h1><p class="place">(.*?)</p>', text), ""]
    lines += [f"- **{headline}** ({verdict}): {place}" for headline, verdict, place in ANSWER.findall(text)]
    return "\n".join([*lines, "", f"[Read the report]({name}.html) ({page.stat().st_size / 1e6:.1f} MB)", ""])


def _first(pattern: str, text: str) -> str:
    """First group of the first match, on one line; nothing where there is none."""
    match = re.search(pattern, text, re.DOTALL)
    return " ".join(match[1].split()) if match else ""


if __name__ == "__main__":
    print(json.dumps(layout(), indent=1))
