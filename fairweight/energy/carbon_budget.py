"""A carbon budget: the run's executor asks before each step, and starts none that is expected to exceed it.

What a step will emit is not known before it has run. It is taken to be the mean of the attempts at the same rule so far, or
of all attempts where there was none: an estimate, on top of a model. A first run has nothing to go by at its start.
"""

import json
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError
from fairweight.energy import energy_model
from fairweight.energy.carbon_intensity import intensity_of

STATED = "FAIRWEIGHT_CARBON_BUDGET"  # environment variable with what `state` wrote


def state(budget_g: float, results: Path, recipe: dict[str, Any]) -> None:
    """Leave the budget for the `Gate` of this run.

    Args:
        budget_g: gCO2e of all runs of the study together.
        results: folder of the study.
        recipe: `energy` of the study file.
    """
    os.environ[STATED] = json.dumps({"budget_g": budget_g, "results": str(results), "recipe": recipe})


class Gate:
    """Knows what the study has emitted so far, and what is expected of a step (see `dask-gate`)."""

    def __init__(self) -> None:
        """Read what earlier runs used."""
        stated = json.loads(os.environ[STATED])
        self.budget_g: float = stated["budget_g"]
        self._recipe = stated["recipe"]
        self._place = intensity_of(self._recipe)
        self._grams: Counter[str] = Counter()
        self._attempts: Counter[str] = Counter()
        self._spent = 0.0
        self._lock = threading.Lock()
        for entry in _earlier(Path(stated["results"])):
            self.after(entry)

    def after(self, entry: dict[str, Any]) -> None:
        """Count an attempt, as its line in the ledger tells it; one of which nothing is known is left out."""
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
        """One sentence if a step of this rule would exceed the budget, with those that are under way; else None."""
        own = energy_model.energy_j(time.process_time(), self._recipe)["central"]  # Snakemake's
        spent_g = self._spent + own / energy_model.J_PER_KWH * self._place.during(time.time(), 0.0)
        under_way_g = sum(self._expected_g(name) for name in running)
        expected_g = self._expected_g(rule)
        if spent_g < self.budget_g and spent_g + under_way_g + expected_g <= self.budget_g:
            return None
        known = self._attempts[rule]
        basis = f"mean of {known} attempts" if known else "mean of all steps so far, as none of its rule has run"
        return (
            f"carbon budget of {self.budget_g:g} gCO2e: {spent_g:.3g} g are emitted (modelled), {under_way_g:.3g} g are "
            f"expected of steps under way, and {rule} is expected to add {expected_g:.3g} g ({basis}; an estimate). No "
            "further step starts; what is done is kept. Run again with a larger budget to go on."
        )

    def _expected_g(self, rule: str) -> float:
        with self._lock:
            if self._attempts[rule]:
                return self._grams[rule] / self._attempts[rule]
            return self._grams.total() / max(1, self._attempts.total())


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _earlier(results: Path) -> list[dict[str, Any]]:
    from fairweight.energy.ledger import read_ledger  # noqa: PLC0415 - pandas, which a run without a budget does not need

    try:
        # missing values of pandas are not equal to themselves, or have no truth value at all
        table = read_ledger(results).astype(object)
    except InputError:  # a first run
        return []
    found: list[dict[str, Any]] = table.where(table.notna(), None).to_dict("records")
    return found
