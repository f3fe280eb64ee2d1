"""Budget gate: the run's executor asks it before each step and starts no step that is expected to exceed the budget.

The emissions of a step are not known before it has run. The gate predicts the mean of the attempts at the same rule so
far, or of all attempts if there was none. This is an estimate on top of a model. At the start of a first run nothing
is known.
"""

import json
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from fairweight.core.recipes import EnergyRecipe
from fairweight.energy import energy_model
from fairweight.energy.carbon_intensity import intensity_of
from fairweight.energy.ledger_entries import LedgerEntry, NothingRecordedError, read_entries
from fairweight.energy.run_total import amounts_of

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
        self._grams: defaultdict[str, float] = defaultdict(float)
        self._attempts: Counter[str] = Counter()
        self._spent = 0.0
        self._lock = threading.Lock()
        self._results = Path(options["results"])
        self._earlier_runs = _overheads(self._results)
        self._launch_cpu_s = 0.0  # of this run's processes that launched and watched its attempts
        for entry in _earlier(self._results):
            self._count(entry)

    def after(self, entry: LedgerEntry) -> None:
        """Count an attempt, given by its line in the ledger; attempts without known CPU-seconds are left out."""
        self._count(entry)
        with self._lock:
            self._launch_cpu_s += entry.get("launch_cpu_s") or 0.0

    def _count(self, entry: LedgerEntry) -> None:
        if (used := amounts_of(entry, self._recipe, self._place)) is None:
            return
        with self._lock:
            self._spent += used.grams
            if entry.get("kind", "step") == "step":
                self._grams[entry["rule"]] += used.grams
                self._attempts[entry["rule"]] += 1

    def before(self, rule: str, running: Sequence[str]) -> str | None:
        """Check whether a step may start.

        Args:
            rule: rule of the step.
            running: rules of the steps that are running now.

        Returns:
            One sentence if the step, together with the running steps, would exceed the budget; else None.
        """
        own = energy_model.energy_j(self._own_cpu_s(), self._recipe)["central"]
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

    def _own_cpu_s(self) -> float:
        """CPU-seconds of Snakemake, Dask and the preloaded process in this run, as the executor wrote them last."""
        paths = _overheads(self._results) - self._earlier_runs
        written = sum(json.loads(path.read_text(encoding="utf-8"))["cpu_s"] for path in paths)
        return max(time.process_time(), written) + self._launch_cpu_s

    def _expected_g(self, rule: str) -> float:
        with self._lock:
            if self._attempts[rule]:
                return self._grams[rule] / self._attempts[rule]
            return sum(self._grams.values()) / max(1, self._attempts.total())


def _earlier(results: Path) -> list[LedgerEntry]:
    """What earlier runs of the study wrote to their ledgers; empty in a first run."""
    try:
        return read_entries(results)
    except NothingRecordedError:  # a first run
        return []


def _overheads(results: Path) -> set[Path]:
    """Files in which each run keeps what it used itself."""
    return set((results / "ledger").glob("*.overhead.json"))
