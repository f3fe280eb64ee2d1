"""Goals of the decision in words: what each minimises, what a winner saves, and where the winner changes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fairweight.core.formatting import TEXT, Writer, as_stated, count, missing, significant
from fairweight.core.frames import where
from fairweight.core.lineage import FAMILY, variant_name
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.reporting.report.columns import in_sentence

# goal -> how its figures are shown
GOALS = {
    "life_cycle_energy": ShownMeasure("life_cycle_energy", "Life-cycle energy", "J", 1, "lower", modelled=True),
    "transfer_bytes": measure("transfer_bytes"),
    "latency": ShownMeasure("latency", "Median latency", "\N{MICRO SIGN}s", 1, "lower", scale=1e3),
    "energy_per_prediction": ShownMeasure(
        "energy_per_prediction", "Energy per prediction", "mJ", 4, "lower", scale=1e3, modelled=True
    ),
}


def title(goal: str) -> str:
    """A goal in a sentence: "life-cycle energy (modelled)"."""
    record = GOALS[goal]
    return f"{in_sentence(record.title)}{' (modelled)' if record.modelled else ''}"


def use(decision: Mapping[str, Any]) -> str:
    """The use that `decision` of the study file assumes: "1,000,000 predictions at batch 1 and 1 download"."""
    predictions, downloads = (as_stated(decision[key]) for key in ("predictions", "downloads"))
    plural = "" if downloads == "1" else "s"
    return f"{predictions} predictions at batch {decision['batch']:,} and {downloads} download{plural}"


def assumed_use(goal: str, decision: Mapping[str, Any]) -> str:
    """The part of the use that a goal depends on, after its title; none for bytes."""
    if goal == "life_cycle_energy":
        return f" over {use(decision)}"
    return "" if goal == "transfer_bytes" else f" at batch {decision['batch']:,}"


def winner_of(row: Mapping[str, Any]) -> str:
    """The winner of a row of the table `goals`; with its augmentation where that is another one."""
    return variant_name(row["winner"], row["winner_augmentation"], row["augmentation"])


def baseline_of(row: Mapping[str, Any]) -> str:
    """The baseline of the winner of a row of the table `goals`, in the same way."""
    return variant_name(row["baseline"], row["baseline_augmentation"], row["augmentation"])


def saving(row: Mapping[str, Any], writer: Writer = TEXT) -> str:
    """What the winner of a row of the table `goals` saves, with unit and interval, in the format of the writer."""
    record = GOALS[row["goal"]]
    unit = writer.escape(record.unit)
    with_unit = Writer(writer.escape, writer.interval.replace("{value}", f"{{value}} {unit}", 1))
    return record.with_interval(row["saving"], row["low"], row["high"], writer=with_unit)


def chosen(goals: pd.DataFrame, family: Mapping[str, Any]) -> pd.Series | None:
    """Row of the table `goals` that the recommendation for a family follows; None where no file ships."""
    rows = where(goals, {key: family[key] for key in FAMILY})
    rows = rows[rows["chosen"].astype(bool)]
    return rows.iloc[0] if len(rows) else None


def is_baseline(row: Mapping[str, Any]) -> bool:
    """Whether the baseline wins."""
    return missing(row["saving"])


def crossings(rows: pd.DataFrame) -> str:
    """The winner by life-cycle energy of one comparison: "int8 up to 2,640 predictions, dense beyond".

    Args:
        rows: of the table `crossings`; at least one.
    """
    ordered = rows.sort_values("predictions")
    winners, starts = ordered["winner"].tolist(), ordered["predictions"].tolist()[1:]
    if not starts:
        return f"{winners[0]} whatever the number of predictions"
    parts = [f"{winner} up to {_predictions(end)}" for winner, end in zip(winners, starts, strict=False)]
    return ", ".join([*parts, f"{winners[-1]} beyond"])


def _predictions(number: float) -> str:
    return count(1, "prediction") if number == 1 else f"{significant(number)} predictions"
