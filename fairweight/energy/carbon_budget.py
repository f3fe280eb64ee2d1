"""Budget gate: the run's executor asks it before each step and starts no step that is expected to exceed the budget.

The emissions of a step are not known before it has run. The gate predicts the mean of the attempts at the same rule so
far, or of all attempts if there was none. This is an estimate on top of a model. At the start of a first run nothing
is known.
"""

import json
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fairweight.core.errors import InputError
from fairweight.core.recipes import EnergyRecipe
from fairweight.energy import energy_model
from fairweight.energy.carbon_intensity import intensity_of

if TYPE_CHECKING:
    from fairweight.energy.ledger import LedgerEntry

STATED = "FAIRWEIGHT_CARBON_BUDGET"  # environment variable that holds what `state` wrote


def state(budget_g: float, results: Path, recipe: EnergyRecipe) -> None:
    """Store the budget in the environment, for the `Gate` of this run.

    Args:
        budget_g: gCO2e for all runs of the study together.
        results: folder of the study.
        recipe: `energy` of the study file.
    """
    os.environ[STATED] = json.dumps({"budget_g": budget_g, "results": str(results), "recipe": recipe})


class Gate:
    """Tracks what the study has emitted so far and predicts what a step will emit (see `dask-gate`)."""

    def __init__(self) -> None:
        """Read what earlier runs used."""
        options = json.loads(os.environ[STATED])
        self.budget_g: float = options["budget_g"]
        self._recipe: EnergyRecipe = options["recipe"]
        self._place = intensity_of(self._recipe)
        self._grams: Counter[str] = Counter()
        self._attempts: Counter[str] = Counter()
        self._spent = 0.0
        self._lock = threading.Lock()
        for entry in _earlier(Path(options["results"])):
            self.after(entry)

    def after(self, entry: "LedgerEntry") -> None:
        """Count an attempt, given by its line in the ledger; attempts without known CPU-seconds are left out."""
        if (cpu_s := _number(entry.get("cpu_s"))) is None:
            return
        started, wall_s = _number(entry.get("started")) or time.time(), _number(entry.get("wall_s")) or 0.0
        held = (_number(entry.get("peak_memory_bytes")) or 0.0) / 1e9 * wall_s
        joules = energy_model.energy_j(cpu_s, self._recipe, held)["central"]
        grams = joules / energy_model.J_PER_KWH * self._place.during(started, wall_s)
        with self._lock:
            self._spent += grams
            if entry.get("kind", "step") == "step":
                self._grams[entry["rule"]] += grams
                self._attempts[entry["rule"]] += 1

    def before(self, rule: str, running: Sequence[str]) -> str | None:
        """Check whether a step may start.

        Args:
            rule: rule of the step.
            running: rules of the steps that are running now.

        Returns:
            One sentence if the step, together with the running steps, would exceed the budget; else None.
        """
        own = energy_model.energy_j(time.process_time(), self._recipe)["central"]  # Snakemake's
        spent_g = self._spent + own / energy_model.J_PER_KWH * self._place.during(time.time(), 0.0)
        under_way_g = sum(self._expected_g(name) for name in running)
        expected_g = self._expected_g(rule)
        if spent_g < self.budget_g and spent_g + under_way_g + expected_g <= self.budget_g:
            return None
        known = self._attempts[rule]
        basis = f"mean of {known} attempts" if known else "mean of all steps so far, as no step of its rule has run"
        return (
            f"carbon budget of {self.budget_g:g} gCO2e: {spent_g:.3g} g are emitted (modelled), {under_way_g:.3g} g "
            f"are expected of running steps, and {rule} is expected to add {expected_g:.3g} g ({basis}; an estimate). "
            "No further step starts; finished steps are kept. To continue, run again with a larger budget."
        )

    def _expected_g(self, rule: str) -> float:
        with self._lock:
            if self._attempts[rule]:
                return self._grams[rule] / self._attempts[rule]
            return self._grams.total() / max(1, self._attempts.total())


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _earlier(results: Path) -> "list[LedgerEntry]":
    """What earlier runs of the study wrote to their ledgers; empty in a first run."""
    from fairweight.energy.ledger import read_ledger  # noqa: PLC0415 - pandas, which only runs with a budget need

    try:
        # missing values of pandas are not equal to themselves, or have no truth value at all
        table = read_ledger(results).astype(object)
    except InputError:  # a first run
        return []
    return cast("list[LedgerEntry]", table.where(table.notna(), None).to_dict("records"))
