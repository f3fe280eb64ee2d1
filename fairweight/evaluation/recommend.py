"""Recommend what to ship: the proven variant, or the baseline, that a goal prefers, and where the answer changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from fairweight.core.frames import where
from fairweight.core.lineage import CELL, FAMILY, variant_name
from fairweight.core.recipes import DecisionRecipe, EnergyRecipe, LifeCycleFactors
from fairweight.energy import energy_model
from fairweight.energy.savings import extra_of_file, file_cpu_s, saving_of_latency, saving_of_prediction
from fairweight.statistics.break_even import Interval, mean_interval
from fairweight.statistics.decision import PROVEN

LIFE_CYCLE = "life_cycle_energy"
# goal -> unit of its figures, and how they are known
GOALS = {LIFE_CYCLE: "J", "transfer_bytes": "bytes", "latency": "ms", "energy_per_prediction": "J"}
LARGEST = 12  # powers of ten of the predictions up to which the winner is followed
Node = tuple[str, str]  # augmentation and variant


class GoalRow(TypedDict):
    """The winner by one goal in one engine, and what it saves against the baseline."""

    goal: str
    unit: str
    engine: str
    winner: str
    winner_augmentation: str
    baseline: str
    baseline_augmentation: str
    cost: float | None  # of the winner, central
    baseline_cost: float | None
    saving: float | None  # None where the baseline wins
    low: float | None
    high: float | None
    reason: str
    chosen: bool  # whether it is the goal of the study, in the engine where it costs least
    warning: str | None  # why the baseline is too weak to compare with, so that nothing is recommended


class CrossingRow(TypedDict):
    """The winner by life-cycle energy from a number of predictions on, up to the next row."""

    engine: str
    baseline: str
    predictions: float
    winner: str


@dataclass(frozen=True)
class Figures:
    """Figures of one dataset, model and engine that goals are computed from.

    Attributes:
        measures: rows of the summary table `measures` without a group.
        ratios: rows of the summary table `ratios`.
        profiles: rows of the summary table `profiles`.
        recipe: `energy` of the study file.
        factors: `life_cycle` of the study file, with `downloads`.
        batch: batch size of a prediction.
        place: `dataset`, `model` and `engine`.
    """

    measures: pd.DataFrame
    ratios: pd.DataFrame
    profiles: pd.DataFrame
    recipe: EnergyRecipe
    factors: LifeCycleFactors
    batch: int
    place: Mapping[str, Any]

    def cell(self, node: Node) -> dict[str, Any]:
        """Values of CELL and the batch size."""
        return {**self.place, "augmentation": node[0], "variant": node[1], "batch_size": self.batch}

    def values(self, node: Node, name: str) -> pd.Series:
        """Values of a measure of all rows, by seed; those of a prediction at the batch size."""
        rows = where(self.measures, {"augmentation": node[0], "variant": node[1], "measure": name})
        rows = rows[rows["batch_size"].isna() | (rows["batch_size"] == self.batch)]
        return rows.set_index("seed")["value"]

    def mean(self, node: Node, name: str) -> float:
        """Mean of a measure over seeds; NaN where it is not known."""
        return float(self.values(node, name).mean())

    def fewer(self, baseline: Node, variant: Node, name: str) -> pd.Series:
        """Baseline minus variant of a measure, by seed."""
        return (self.values(baseline, name) - self.values(variant, name)).dropna()

    def joules(self, cpu_s: float) -> float:
        """Modelled energy of CPU-seconds, central."""
        return float(energy_model.energy_j(cpu_s, self.recipe)["central"])

    def use(self, variant: Node) -> Interval:
        """CPU-seconds that a prediction saves against the baseline with the same augmentation; 0 for a baseline."""
        return self._measured_together(variant, saving_of_prediction)

    def faster(self, variant: Node) -> Interval:
        """Milliseconds of median latency that it saves, in the same way."""
        return self._measured_together(variant, saving_of_latency)

    def _measured_together(self, variant: Node, saved: Callable[..., Interval]) -> Interval:
        """What a variant saves by the ratios that were measured side by side."""
        rows = where(self.ratios, {"augmentation": variant[0], "variant": variant[1]})
        if rows.empty:
            known = np.isfinite(self.mean(variant, "cpu_s_per_1000"))
            return (0.0, 0.0, 0.0) if known else (np.nan, np.nan, np.nan)
        baseline = (variant[0], str(rows.iloc[0]["baseline"]))
        return saved(self.ratios, self.profiles, self.cell(variant), self.cell(baseline))


def saving(figures: Figures, goal: str, baseline: Node, variant: Node, predictions: float) -> Interval:
    """What a variant saves against another one by a goal: low, central, high; NaN where it is not estimable.

    Bytes are exact: the interval is the range over seeds. Latency is a mean of differences, paired by seed; with one
    seed it comes from the ratios over rounds. Energy of
    predictions comes from the ratios that were measured side by side; the bounds of two variants are combined by the
    squares of their distances (MOVER). Life-cycle energy adds up the intervals of making one model, of storing and
    downloading its file, and of its predictions; the watts of a core cancel between them.

    Args:
        figures: of the comparison.
        goal: one of GOALS.
        baseline, variant: augmentation and name of each; the baseline may be another variant.
        predictions: number of predictions of the life cycle.
    """
    if goal == "transfer_bytes":
        fewer = figures.fewer(baseline, variant, goal)
        return float(fewer.min()), float(fewer.mean()), float(fewer.max())
    if goal == "latency":
        fewer = figures.fewer(baseline, variant, "latency_p50_ms").to_numpy(float)
        if len(fewer) > 1:
            return mean_interval(fewer)
        return _difference(figures.faster(variant), figures.faster(baseline))  # over the rounds of one seed
    used = _difference(figures.use(variant), figures.use(baseline))
    if goal == "energy_per_prediction":
        low, central, high = (figures.joules(cpu_s) for cpu_s in used)
        return low, central, high
    made = figures.fewer(baseline, variant, "making_cpu_s").to_numpy(float)
    # one model was made once: what it took is known without a spread over seeds
    making = mean_interval(made) if len(made) > 1 else tuple(made.mean() if len(made) else np.nan for _ in range(3))
    file = extra_of_file(
        figures.profiles, figures.cell(variant), figures.cell(baseline), figures.recipe, figures.factors
    )
    parts = (making, (-file[2], -file[1], -file[0]), [predictions * cpu_s for cpu_s in used])
    low, central, high = (figures.joules(float(sum(bounds))) for bounds in zip(*parts, strict=True))
    return low, central, high


def _difference(first: Interval, second: Interval) -> Interval:
    (low, central, high), (other_low, other, other_high) = first, second
    below, above = np.hypot(central - low, other_high - other), np.hypot(high - central, other - other_low)
    return float(central - other - below), float(central - other), float(central - other + above)


def cost(figures: Figures, goal: str, node: Node, predictions: float) -> float:
    """Central figure of a variant by a goal, in the unit of GOALS; NaN where it is not known."""
    if goal in ("transfer_bytes", "latency"):
        return figures.mean(node, "latency_p50_ms" if goal == "latency" else goal)
    each = figures.mean(node, "cpu_s_per_1000") / 1000
    if goal == "energy_per_prediction":
        return figures.joules(each)
    file = file_cpu_s(figures.profiles, figures.cell(node), figures.recipe, figures.factors)
    return figures.joules(figures.mean(node, "making_cpu_s") + file + predictions * each)


class Candidates:
    """The proven variants of one comparison and their baselines.

    Args:
        figures: of the comparison.
        proven: proven variants with the same baseline.
        baseline: that baseline; it ships if no variant wins.
    """

    def __init__(self, figures: Figures, proven: Sequence[Node], baseline: Node) -> None:
        self.figures, self.proven, self.baseline = figures, proven, baseline
        self.bytes = {variant: figures.mean(variant, "transfer_bytes") for variant in proven}
        self._life_cycles: dict[tuple[Node, Node], tuple[Interval, Interval]] = {}  # without predictions, and by one

    def saving(self, goal: str, variant: Node, predictions: float, other: Node | None = None) -> Interval:
        """What a variant saves against its baseline, or against another variant (see `saving`)."""
        baseline = self.baseline if other is None else other
        if goal != LIFE_CYCLE:
            return saving(self.figures, goal, baseline, variant, predictions)
        if (variant, baseline) not in self._life_cycles:  # it is linear in the number of predictions
            goals = ((LIFE_CYCLE, 0.0), ("energy_per_prediction", 1.0))
            parts = [saving(self.figures, part, baseline, variant, number) for part, number in goals]
            self._life_cycles[variant, baseline] = parts[0], parts[1]
        low, central, high = (
            fixed + predictions * each for fixed, each in zip(*self._life_cycles[variant, baseline], strict=True)
        )
        return low, central, high

    def winner(self, goal: str, predictions: float) -> tuple[Node, Interval | None]:
        """The variant that a goal prefers, and its saving; the baseline and None if no saving is proven.

        Among variants that cannot be distinguished from the one that saves most, the one with the smallest file wins.
        """
        savings = {variant: self.saving(goal, variant, predictions) for variant in self.proven}
        savings = {variant: entry for variant, entry in savings.items() if entry[0] > 0}
        if not savings:
            return self.baseline, None
        best = max(savings, key=lambda variant: savings[variant][1])
        ties = [v for v in savings if v == best or not self.saving(goal, best, predictions, other=v)[0] > 0]
        chosen = min(ties, key=lambda variant: (self.bytes[variant], -savings[variant][1]))
        return chosen, savings[chosen]

    def crossings(self) -> Iterator[tuple[float, Node]]:
        """(predictions, winner) by life-cycle energy, from 1 prediction on, wherever the winner changes."""
        before, last = self.winner(LIFE_CYCLE, 1.0)[0], 1.0
        yield 1.0, before
        for predictions in np.logspace(0, LARGEST, 4 * LARGEST + 1)[1:]:
            winner = self.winner(LIFE_CYCLE, float(predictions))[0]
            if winner != before:
                yield self._change(last, float(predictions), before), winner
            before, last = winner, float(predictions)

    def _change(self, low: float, high: float, before: Node) -> float:
        """Predictions between two numbers at which the winner is no longer `before`, within 1 %."""
        while high / low > 1.01:
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if self.winner(LIFE_CYCLE, middle)[0] == before else (low, middle)
        return high


def recommend(
    decisions: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    baselines: Mapping[Node, Node],
    warned: Mapping[tuple[Any, ...], str],
    recipe: DecisionRecipe,
    energy: EnergyRecipe,
    factors: LifeCycleFactors,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Choose what to ship of every family and baseline, by the goal of the study and by every other goal.

    Args:
        decisions: one row per variant and comparison, with `verdict`; baselines have none.
        tables: summary tables measures, ratios and profiles.
        baselines: augmentation and variant -> those of its baseline.
        warned: values of CELL -> why a guarded variant or baseline is not recommended.
        recipe: `decision` of the study file.
        energy: `energy` of the study file.
        factors: `life_cycle` of the study file, with `downloads`.

    Returns:
        The decisions with `cost` (central figure by the goal) and `recommended`; the goals, columns of FAMILY and
        `GoalRow`; and the crossings, columns of FAMILY and `CrossingRow`.
    """
    decisions = decisions.assign(cost=np.nan, recommended=False)
    goals: list[dict[str, Any]] = []
    crossings: list[dict[str, Any]] = []
    for family, together in decisions.groupby(FAMILY, sort=True):
        place = dict(zip(FAMILY, family, strict=True))
        rows: list[GoalRow] = []
        for engine, part in together.groupby("engine", sort=False):
            figures = _figures({**place, "engine": engine}, tables, recipe, energy, factors)
            nodes = [(place["augmentation"], variant) for variant in part["variant"]]
            costs = [cost(figures, recipe["goal"], node, recipe["predictions"]) for node in nodes]
            decisions.loc[part.index, "cost"] = costs
            for candidates in _candidates(figures, nodes, part["verdict"].eq(PROVEN).tolist(), baselines):
                base = candidates.baseline
                warning = warned.get((place["dataset"], base[0], place["model"], base[1], engine))
                rows += _goals(candidates, recipe["predictions"], str(engine), warning)
                crossings += [
                    {
                        **place,
                        "engine": engine,
                        "baseline": variant_name(base[1], base[0], place["augmentation"]),
                        "predictions": number,
                        "winner": variant_name(winner[1], winner[0], place["augmentation"]),
                    }
                    for number, winner in candidates.crossings()
                ]
        _choose(rows, recipe["goal"])
        goals += [{**place, **row} for row in rows]
        for row in rows:
            if row["chosen"] and row["warning"] is None:
                # a baseline with another augmentation is recommended, and not its namesake in this family
                winner = {"augmentation": row["winner_augmentation"], "variant": row["winner"]}
                same = (together[["engine", *winner]] == [row["engine"], *winner.values()]).all(axis=1)
                decisions.loc[together.index[same], "recommended"] = True
    return (
        decisions,
        pd.DataFrame(goals, columns=[*FAMILY, *GoalRow.__annotations__]),
        pd.DataFrame(crossings, columns=[*FAMILY, *CrossingRow.__annotations__]),
    )


def _figures(
    place: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    recipe: DecisionRecipe,
    energy: EnergyRecipe,
    factors: LifeCycleFactors,
) -> Figures:
    cell = {name: place[name] for name in ("dataset", "model", "engine")}
    measures = where(tables["measures"], cell)
    measures = measures[measures["attribute"].isna()]
    profiles = tables["profiles"].reindex(
        columns=["seed", *CELL, "batch_size", "cpu_s_per_1000", "latency_p50_ms", "size_bytes", "transfer_bytes"]
    )
    profiles = where(profiles, cell)
    return Figures(measures, where(tables["ratios"], cell), profiles, energy, factors, recipe["batch"], cell)


def _candidates(
    figures: Figures, nodes: list[Node], proven: list[bool], baselines: Mapping[Node, Node]
) -> Iterator[Candidates]:
    """Each baseline of one comparison with its proven variants; baselines whose file is not measured are left out."""
    for baseline in dict.fromkeys(baselines[node] for node in nodes if node in baselines):
        if figures.mean(baseline, "transfer_bytes") > 0:
            ours = [n for n, ok in zip(nodes, proven, strict=True) if ok and baselines.get(n) == baseline]
            yield Candidates(figures, ours, baseline)


def _goals(candidates: Candidates, predictions: float, engine: str, warning: str | None) -> Iterator[GoalRow]:
    """One row per goal."""
    figures = candidates.figures
    for goal, unit in GOALS.items():
        winner, saved = candidates.winner(goal, predictions)
        baseline = candidates.baseline
        costs = [cost(figures, goal, node, predictions) for node in (winner, baseline)]
        known = all(np.isfinite(costs))
        low, central, high = saved or (None, None, None)
        yield {
            "goal": goal,
            "unit": unit,
            "engine": engine,
            "winner": winner[1],
            "winner_augmentation": winner[0],
            "baseline": baseline[1],
            "baseline_augmentation": baseline[0],
            "cost": costs[0] if known else None,
            "baseline_cost": costs[1] if known else None,
            "saving": central,
            "low": low,
            "high": high,
            "reason": _reason(candidates, goal, predictions, saved),
            "chosen": False,
            "warning": warning,
        }


def _reason(candidates: Candidates, goal: str, predictions: float, saved: Interval | None) -> str:
    if not candidates.proven:
        return "no compressed variant is proven to keep the criteria"
    if saved is not None:
        return "the interval of its saving lies above zero"
    known = [variant for variant in candidates.proven if np.isfinite(candidates.saving(goal, variant, predictions)[0])]
    return (
        "no proven variant has a saving that can be distinguished from zero"
        if known
        else f"{goal.replace('_', ' ')} is not estimable"
    )


def _choose(rows: list[GoalRow], goal: str) -> None:
    """Mark the rows of the study's goal, one for each baseline, in the engine in which its winner costs least."""
    for baseline in dict.fromkeys((row["baseline_augmentation"], row["baseline"]) for row in rows):
        same = [r for r in rows if r["goal"] == goal and (r["baseline_augmentation"], r["baseline"]) == baseline]
        if same:
            min(same, key=lambda row: np.inf if row["cost"] is None else row["cost"])["chosen"] = True
