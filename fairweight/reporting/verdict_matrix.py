"""The answers of a study: variants by criteria, what each costs, and which one ships.

Report and terminal show the same matrix, each in its own way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from fairweight.core.formatting import as_stated, count, missing
from fairweight.core.frames import by_cell, where
from fairweight.core.lineage import CELL, FAMILY, variant_name
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.evaluation.criteria import name_of
from fairweight.reporting import guards
from fairweight.reporting.answer import (
    NO_SAVING,
    NOT_MEASURED,
    RISES,
    SYMBOLS,
    TAGS,
    WARNING,
    Answer,
    Change,
    Cost,
    Criterion,
    Row,
    Test,
)
from fairweight.reporting.goals import GOALS
from fairweight.reporting.quality import OF_LOSSES, POINTS, quality_of
from fairweight.reporting.report.results import Results
from fairweight.statistics.decision import PROVEN, REFUTED, UNDECIDED
from fairweight.statistics.significance import holm

# criterion with a margin -> its title, and what the margin limits
MARGINS = {
    "accuracy": ("Accuracy", "may fall by {}"),
    "group_accuracy": ("Group accuracy", "may fall by {}"),
    "worst_group_accuracy": ("Worst group", "may fall by {}"),
    "group_rates": ("Error rates", "may worsen by {}"),
    "fairness_gap": ("Gaps of groups", "may grow by {}"),
    "floor": ("Small groups", "may not vanish"),
    "loss": ("Mean loss", "may rise by {}"),
    "group_loss": ("Group loss", "may rise by {}"),
    "bias": ("Mean error", "may leave 0 by {}"),
}
SHORT = {
    "accuracy": "Accuracy",
    "group_accuracy": "Groups",
    "worst_group_accuracy": "Worst group",
    "group_rates": "Rates",
    "fairness_gap": "Gaps",
    "floor": "Small groups",
    "loss": "Loss",
    "group_loss": "Groups",
    "bias": "Bias",
}


def answers(results: Results, dataset: str | None = None) -> list[Answer]:
    """The answers of a study, or of one dataset, in the order of datasets and models, augmentation `none` first."""
    decisions = results.decisions if dataset is None else where(results.decisions, {"dataset": dataset})
    if decisions.empty:
        return []
    ordered = results.ordered(decisions)
    made = []
    for _, family in ordered.groupby(FAMILY, sort=False):
        if family["verdict"].notna().any():
            made += [_answer(results, family, baseline) for baseline in _baselines(results, family)]
    return made


def _baselines(results: Results, family: pd.DataFrame) -> list[tuple[str, str]]:
    """Augmentation and name of each baseline of a family."""
    first = family.iloc[0]
    columns = ["baseline_augmentation", "baseline"]
    compared = where(results.comparisons, first[FAMILY])
    compared = compared[compared["variant"].isin(family.loc[family["verdict"].notna(), "variant"])]
    tables = [where(results.goals, first[FAMILY])[columns], compared[columns]]
    pairs = [pair for table in tables for pair in zip(*(table[name] for name in columns), strict=True)]
    return list(dict.fromkeys(pairs)) or [(first["augmentation"], str(first["variant"]))]


def _answer(results: Results, family: pd.DataFrame, baseline: tuple[str, str]) -> Answer:
    """The answer of one family and baseline."""
    place = dict(family.iloc[0][FAMILY])
    goals = where(results.goals, place | dict(zip(("baseline_augmentation", "baseline"), baseline, strict=True)))
    chosen = goals[goals["chosen"].astype(bool)].to_dict("records")
    goal = {str(key): value for key, value in chosen[0].items()} if chosen else None
    rows = _rows(results, family, baseline, goal)
    if goal:
        _tag(rows, goals[goals["engine"] == goal["engine"]])
    ships = next((row for row in rows if row.ships), None)
    guarded = guards.split(results, place, (ships.cell["augmentation"], ships.cell["variant"]) if ships else None)
    headline, status, chip = _headline(results, rows, ships, goal)
    entries = where(results.criteria, place)
    return Answer(
        family=place,
        dataset=results.title(place["dataset"]),
        model=place["model"],
        place=_place(results, place),
        headline=headline,
        status=status,
        chip=chip if status == NO_SAVING else f"{SYMBOLS.get(status, '!')} {chip}",
        rests_on=_rests_on(results, rows, family),
        goal=goal,
        warnings=guarded.first,
        notes=guarded.others,
        notes_brief=guarded.brief,
        criteria=_criteria(results, entries, rows),
        costs=_costs(results, rows),
        rows=rows,
        majority=_majority(results, place),
        logistic_regression=_logistic_regression(results, place),
        untested=_untested(results, place, ships),
        file=_file(results, ships),
        chosen=ships,
        quality=quality_of(results, place["dataset"]),
    )


def _place(results: Results, family: Mapping[str, Any]) -> str:
    parts = [results.label(family["dataset"]), family["model"]]
    if results.decisions["augmentation"].nunique() > 1:
        parts.append(f"augmentation {family['augmentation']}")
    return ", ".join(parts)


def _headline(
    results: Results, rows: list[Row], ships: Row | None, goal: dict[str, Any] | None
) -> tuple[str, str, str]:
    """Headline, status and chip of an answer."""
    verdicts = [row.verdict for row in rows if row.verdict]
    proven = [row.name for row in rows if row.verdict == PROVEN]
    if goal and guards.warning(goal):
        return "Nothing to ship", WARNING, guards.chip(results, goal)
    if ships and not ships.baseline:
        return f"Ship {ships.name}", PROVEN, "proven"
    share = f"{len(proven)} of {len(verdicts)} proven"
    if goal is None:
        headline = f"Proven: {', '.join(proven)}" if proven else "Nothing to ship"
        return headline, PROVEN if proven else NOT_MEASURED, f"{share}, no file is measured"
    baseline = next(row.name for row in rows if row.baseline)
    headline = f"Ship the baseline {baseline}"
    if proven:
        return headline, NO_SAVING, f"{share}, no saving shown"
    open_variants = sum(verdict == UNDECIDED for verdict in verdicts)
    if open_variants:
        return headline, UNDECIDED, f"none proven, {open_variants} of {len(verdicts)} undecided"
    return headline, REFUTED, f"all {len(verdicts)} refuted"


def _rests_on(results: Results, rows: list[Row], family: pd.DataFrame) -> str:
    """Error rate and number of seeds."""
    seeds = family["seeds"].dropna()
    rate = f"error rate {as_stated(results.study['criteria']['error_rate'], 100)} %"
    return f"{rate}, {count(int(seeds.max()), 'seed')}" if len(seeds) and rows else rate


# ---- rows


def _rows(results: Results, family: pd.DataFrame, baseline: tuple[str, str], goal: dict[str, Any] | None) -> list[Row]:
    """The baseline in each engine, then the variants that are compared with it."""
    place = dict(family.iloc[0][FAMILY])
    engines = list(dict.fromkeys(family["engine"]))
    compared = where(results.comparisons, place)
    pairs = {
        (row["engine"], row["variant"]): (row["baseline_augmentation"], row["baseline"])
        for row in compared.drop_duplicates(["engine", "variant"]).to_dict("records")
    }
    cells = [{**place, "augmentation": baseline[0], "variant": baseline[1], "engine": engine} for engine in engines]
    decided = {(row["engine"], row["variant"]): row for row in family.to_dict("records")}
    cells += [
        {**place, "variant": variant, "engine": engine}
        for (engine, variant), row in decided.items()
        if isinstance(row["verdict"], str) and pairs.get((engine, variant), baseline) == baseline
    ]
    shown = _Shown(results, place)
    rows = []
    for cell in cells:
        row = decided.get((cell["engine"], cell["variant"]), {})
        same = cell["augmentation"] == place["augmentation"]
        name = variant_name(cell["variant"], cell["augmentation"], place["augmentation"])
        is_base = (cell["augmentation"], cell["variant"]) == baseline
        rows.append(
            Row(
                name=f"{name} ({cell['engine']})" if len(engines) > 1 else name,
                cell=cell,
                baseline=is_base,
                verdict=row.get("verdict") if same and not is_base and isinstance(row.get("verdict"), str) else None,
                ships=_ships(cell, goal),
                reason=row["reason"] if same and isinstance(row.get("reason"), str) else None,
                **shown.fields(cell),
            )
        )
    _correct(results, place, rows)
    _guard(results, baseline, rows)
    return rows


def _guard(results: Results, baseline: tuple[str, str], rows: list[Row]) -> None:
    """Name the guards that block variants, and take what they say from the reasons: it is said once for all."""
    blocking = results.guards[results.guards["blocks"].astype(bool)] if len(results.guards) else results.guards
    for row in rows if len(blocking) else ():
        own = where(blocking, row.cell)
        if len(where(blocking, row.cell | dict(zip(("augmentation", "variant"), baseline, strict=True)))):
            row.reason = None
        elif len(own) and not row.baseline:
            row.guard = guards.brief(results, row.cell["dataset"], own.iloc[0]["guard"])
            said = "; ".join(own["reason"])
            rest = row.reason.removeprefix(said).removeprefix("; ") if row.reason else ""
            row.reason = rest or None


def _correct(results: Results, place: Mapping[str, Any], rows: list[Row]) -> None:
    """Mark the criteria of variants that are not proven which hold alone, but not after Holm's correction.

    The correction is that of the verdict, as if this criterion were the only one of its variant.
    """
    entries = where(results.criteria, place)
    if entries.empty:
        return
    family = entries.groupby(["engine", "variant"], sort=False)["p_proven"].max().astype(float)
    rate = results.study["criteria"]["error_rate"]
    for row in rows:
        key = (row.cell["engine"], row.cell["variant"])
        if row.verdict in (None, PROVEN) or key not in family.index:
            continue
        position = family.index.get_loc(key)
        for name, test in row.tests.items():
            if test.verdict == PROVEN:
                p_values = family.to_numpy(copy=True)
                p_values[position] = test.p_proven
                row.tests[name] = replace(test, alone=bool(holm(p_values)[position] > rate))


def _ships(cell: Mapping[str, Any], goal: Mapping[str, Any] | None) -> bool:
    """Whether the row of the table `goals` recommends a cell."""
    if goal is None or guards.warning(goal):
        return False
    winner = (goal["winner_augmentation"], goal["winner"], goal["engine"])
    return (cell["augmentation"], cell["variant"], cell["engine"]) == winner


def _tag(rows: list[Row], goals: pd.DataFrame) -> None:
    """Name the winner by each goal, if anything is proven and nothing warns of the baseline."""
    if not any(row.verdict == PROVEN for row in rows):
        return
    for entry in goals.to_dict("records"):
        if not missing(entry["cost"]) and guards.warning(entry) is None:
            for row in rows:
                if _ships(row.cell, entry):
                    row.tags.append(TAGS[entry["goal"]])


class _Shown:
    """What the rows of a family show: tests, costs, accuracy, and the group that loses most.

    Tables are indexed once: a mask for each of many look-ups would take seconds.
    """

    def __init__(self, results: Results, place: Mapping[str, Any]) -> None:
        self.results = results
        self.quality = quality_of(results, place["dataset"])
        self.batch = results.study["decision"]["batch"]
        self.criteria = _by_variant(where(results.criteria, place))
        self.changes = _by_variant(where(results.comparisons, {**place, "metric": self.quality.metric}))
        same_model = {key: place[key] for key in ("dataset", "model")}
        self.costs = by_cell(where(results.decisions, same_model))
        variants = where(results.variants, same_model)
        self.means: dict[tuple[Any, ...], float] = {}
        for row in variants[variants["attribute"].isna() & variants["group"].isna()].to_dict("records"):
            batch = None if missing(row["batch_size"]) else int(row["batch_size"])
            if not missing(row["mean"]):
                key = (*(row[name] for name in CELL), row["measure"], batch)
                self.means.setdefault(key, float(row["mean"]))

    def fields(self, cell: dict[str, Any]) -> dict[str, Any]:
        """Fields of a row."""
        changes = self.changes.get((cell["engine"], cell["variant"]), [])
        changes = [row for row in changes if row["augmentation"] == cell["augmentation"]]
        whole = [row for row in changes if missing(row["attribute"])]
        tests = dict(self._tests(cell))
        compared = Change.read(whole[0], self.quality.change.scale) if whole else None
        overall = "loss" if self.quality.numbers else "accuracy"
        return {
            "tests": tests,
            "costs": {goal: self._cost(goal, cell) for goal in self._goals()},
            "accuracy": self._mean(cell, self.quality.level.key),
            "change": tests[overall].change if overall in tests else compared,
            "loses_most": self._loses_most(changes, cell["dataset"]),
        }

    def _goals(self) -> tuple[str, ...]:
        energy = self.results.study["decision"]["goal"]
        return ("transfer_bytes", "latency", energy if energy == "life_cycle_energy" else "energy_per_prediction")

    def _cost(self, goal: str, cell: Mapping[str, Any]) -> float | None:
        """A cost in the unit in which its goal is shown."""
        if goal == "life_cycle_energy":
            decided = self.costs.get(tuple(cell[name] for name in CELL), {"cost": None})
            stored = None if missing(decided["cost"]) else float(decided["cost"])
        elif goal == "energy_per_prediction":
            each = self._mean(cell, "energy_j_per_1000", self.batch)
            stored = None if each is None else each / 1000
        elif goal == "latency":
            stored = self._mean(cell, "latency_p50_ms", self.batch)
        else:
            stored = self._mean(cell, goal)
        return None if stored is None else GOALS[goal].scaled(stored)

    def _mean(self, cell: Mapping[str, Any], key: str, batch: int | None = None) -> float | None:
        """Mean of a measure over seeds."""
        return self.means.get((*(cell[name] for name in CELL), key, batch))

    def _tests(self, cell: Mapping[str, Any]) -> Iterator[tuple[str, Test]]:
        """The weakest test of each criterion."""
        entries = self.criteria.get((cell["engine"], cell["variant"]), [])
        for criterion in dict.fromkeys(row["criterion"] for row in entries):
            part = [row for row in entries if row["criterion"] == criterion]
            if part[0]["augmentation"] == cell["augmentation"]:
                yield criterion, _weakest(self.results, part)

    def _loses_most(self, changes: list[dict[str, Any]], dataset: str) -> tuple[str, str, Change] | None:
        """The group whose accuracy falls or loss rises most, of those with enough rows to be tested."""
        attributes, least = attributes_of(self.results, dataset), self.results.study["fairness"]["smallest_group"]
        known = [
            row
            for row in changes
            if row["attribute"] in attributes
            and not missing(row["group"])
            and not missing(row["low"])
            and row["n"] >= least
        ]
        if not known:
            return None
        sign, bound = (-1, "high") if self.quality.lower else (1, "low")
        row = min(known, key=lambda row: (sign * row["value"], sign * row[bound]))
        return str(row["group"]), str(row["attribute"]), Change.read(row, self.quality.change.scale)


def _by_variant(table: pd.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Rows of a table of one family by engine and variant."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in table.to_dict("records"):
        rows.setdefault((row["engine"], row["variant"]), []).append(row)  # type: ignore[arg-type]
    return rows


def attributes_of(results: Results, dataset: str) -> list[str]:
    """Attributes that the criteria are about."""
    return list(results.study["criteria"].get("attributes") or results.study["datasets"][dataset]["groups"])


# ---- criteria


def _weakest(results: Results, part: list[dict[str, Any]]) -> Test:
    """The test of a criterion with the weakest evidence: what refutes it, or what is least shown."""
    refuted, unshown = ([row for row in part if row["verdict"] == verdict] for verdict in (REFUTED, UNDECIDED))
    if refuted:
        verdict, of_verdict, row = REFUTED, refuted, min(refuted, key=lambda row: float(row["p_refuted"]))
    else:
        verdict, of_verdict = (UNDECIDED, unshown) if unshown else (PROVEN, part)
        row = max(of_verdict, key=lambda row: float(row["p_proven"]))
    shown = _shown(results, row)
    rises = row["criterion"] in ("fairness_gap", *OF_LOSSES)
    above = is_ceiling(results, row["criterion"]) or rises or row["rate"] in RISES
    bound = None if missing(row["margin"]) or row["criterion"] == "floor" else float(row["margin"]) * shown.scale
    return Test(
        verdict=verdict,
        change=Change.read(row, shown.scale),
        bound=bound if bound is None or above else -bound,
        above=above,
        about=name_of(row),
        further=0 if verdict == PROVEN else len(of_verdict) - 1,
        reason=row["reason"] if isinstance(row["reason"], str) else None,
        p_proven=1.0 if missing(row["p_proven"]) else float(row["p_proven"]),
    )


def is_ceiling(results: Results, criterion: str) -> bool:
    """Whether a criterion is a ceiling on a resource usage; the others are margins of a change."""
    return criterion in results.study["criteria"].get("ceilings", {})


def _shown(results: Results, row: Mapping[str, Any]) -> ShownMeasure:
    """How the values of a criterion are written."""
    criterion = row["criterion"]
    if criterion in OF_LOSSES:
        return quality_of(results, row["dataset"]).change
    if not is_ceiling(results, criterion):
        return POINTS
    if "at_most_of_baseline" in results.study["criteria"]["ceilings"][criterion]:
        return ShownMeasure(criterion, "Ratio to the baseline", "x baseline", 2, "lower")
    return measure(criterion)


def tests_both(entries: pd.DataFrame) -> bool:
    """Whether the accuracy of every group is limited by two criteria with the same margin, which test the same."""
    margins = entries[entries["criterion"].isin(["group_accuracy", "worst_group_accuracy"])]
    return bool(margins["criterion"].nunique() == 2 and margins["margin"].nunique() == 1)


def _implied(entries: pd.DataFrame) -> list[str]:
    """Of the two criteria that limit the accuracy of the same groups, the one that the stricter margin implies."""
    names = ["group_accuracy", "worst_group_accuracy"]
    margins = {name: entries.loc[entries["criterion"] == name, "margin"] for name in names}
    if any(part.empty for part in margins.values()):
        return []
    return [max(reversed(names), key=lambda name: float(margins[name].max()))]


def _criteria(results: Results, entries: pd.DataFrame, rows: list[Row]) -> list[Criterion]:
    """The columns of the matrix: each criterion that was tested, with the scale of its cells."""
    entries = entries[~entries["criterion"].isin(_implied(entries))]
    order = [*MARGINS, *results.study["criteria"].get("ceilings", {})]
    columns = []
    for key in sorted(entries["criterion"].unique(), key=lambda key: order.index(key) if key in order else len(order)):
        row = entries[entries["criterion"] == key].iloc[0]
        shown = _shown(results, row)
        limit = f"{as_stated(row['margin'], shown.scale)} {shown.unit}"
        if limit == "1 points":
            limit = "1 point"
        if key in OF_LOSSES:
            limit = loss_margin(results, key, shown)
        ceiling = is_ceiling(results, key)
        named = "group_accuracy" if key == "worst_group_accuracy" else key  # both test every group
        title, allowed = MARGINS[named] if not ceiling else (measure(key).title, "at most {}")
        low, high = _scale([row.tests[key] for row in rows if key in row.tests])
        columns.append(
            Criterion(key, title, SHORT.get(named, title), allowed.format(limit), shown, not ceiling, low, high)
        )
    return columns


def loss_margin(results: Results, criterion: str, shown: ShownMeasure) -> str:
    """A margin of a loss as the study states it: "2 %" of the baseline's, or "1.5 mmHg"."""
    margin = results.study["criteria"]["margins"][criterion]
    if "relative" in margin:
        return f"{as_stated(margin['relative'], 100)} %"
    return f"{as_stated(margin['absolute'])} {shown.unit}".strip()


def _scale(tests: list[Test]) -> tuple[float, float]:
    """Ends of a scale that holds 0, all bounds, and all intervals."""
    ends = [0.0, *(test.bound for test in tests if test.bound is not None)]
    for test in tests:
        ends += [end for end in (test.change.value, test.change.low, test.change.high) if end is not None]
    pad = 0.06 * (max(ends) - min(ends)) or 1.0
    return min(ends) - pad, max(ends) + pad


def _costs(results: Results, rows: list[Row]) -> list[Cost]:
    """The costs that are known of any variant."""
    columns = []
    batch = results.study["decision"]["batch"]
    titles = {
        "transfer_bytes": "Transfer size",
        "latency": f"Latency, batch {batch}",
        "life_cycle_energy": "Life-cycle energy",
        "energy_per_prediction": "Energy per prediction",
    }
    chosen = results.study["decision"]["goal"]
    for goal in sorted(rows[0].costs, key=lambda goal: goal != chosen) if rows else ():  # what decides comes first
        known = [value for row in rows if (value := row.costs[goal]) is not None]
        if known:
            columns.append(Cost(goal, titles[goal], GOALS[goal], max(known)))
    return columns


# ---- what stands beside the matrix


def _majority(results: Results, place: Mapping[str, Any]) -> float | None:
    """Share of the largest class: of the test rows, or of all rows where no class was compared."""
    if (simple := _simple(results, place)) is not None:
        return None if missing(simple["majority_share"]) else float(simple["majority_share"])
    classes = where(results.comparisons, {**place, "metric": "accuracy", "attribute": "class"})
    rows = classes.drop_duplicates("group")["n"].dropna() if len(classes) else classes
    if len(rows) > 1:
        return float(rows.max() / rows.sum())
    labels = results.card(place["dataset"]).get("label") or {}
    return max(labels.values()) / sum(labels.values()) if labels and sum(labels.values()) else None


def _simple(results: Results, place: Mapping[str, Any]) -> pd.Series | None:
    """What needs no model of the study: the row of the dataset in the table `simple_models`."""
    rows = where(results.simple_models, {"dataset": place["dataset"]}) if len(results.simple_models) else None
    return rows.iloc[0] if rows is not None and len(rows) else None


def _logistic_regression(results: Results, place: Mapping[str, Any]) -> float | None:
    """Accuracy of a logistic regression of the same inputs."""
    simple = _simple(results, place)
    return None if simple is None or missing(simple["accuracy"]) else float(simple["accuracy"])


def _untested(results: Results, place: Mapping[str, Any], ships: Row | None) -> list[dict[str, Any]]:
    """Rates that are not tested: of the variant that ships, or of the first one."""
    rows = where(results.untested, place) if len(results.untested) else results.untested
    if rows.empty:
        return []
    own = where(rows, {"variant": ships.cell["variant"], "engine": ships.cell["engine"]}) if ships else rows.head(0)
    if own.empty:
        own = where(rows, rows.iloc[0][["variant", "engine"]])
    return [{str(key): value for key, value in row.items()} for row in own.to_dict("records")]


def _file(results: Results, ships: Row | None) -> str | None:
    """Path of the file that ships, below the study's folder."""
    if ships is None:
        return None
    rows = where(results.shipped, ships.cell)
    seed = int(rows.iloc[0]["seed"]) if len(rows) else 0
    checks = where(results.checks, {key: ships.cell[key] for key in CELL[:-1]}) if len(results.checks) else None
    coded = checks is not None and "coded_bytes" in checks and checks["coded_bytes"].notna().any()
    folder = "/".join(str(ships.cell[name]) for name in CELL[:-1])
    return f"seed-{seed}/{folder}/{'model.coded' if coded else 'model.onnx'}"
