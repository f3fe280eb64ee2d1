"""Results of studies with many datasets and variants, whose answers are known."""

from dataclasses import replace

from small_results import CARD, STUDY, results_with

ENGINE = {"engine": "onnxruntime"}
MARGINS = {"accuracy": 0.01, "group_accuracy": 0.02, "worst_group_accuracy": 0.02, "fairness_gap": 0.05}
MARGINS |= {"group_rates": 0.05}
BASE = {"baseline": "dense", "baseline_augmentation": "none"}
REASON = "the interval of its saving lies above zero"


def family(dataset):
    return {"dataset": dataset, "augmentation": "none", "model": "m"}


def criterion(dataset, variant, name, value, verdict="proven", *, p=None, half=0.004, margin=None, **about):
    """One row of the table of criteria."""
    p = p if p is not None else {"proven": 0.01, "undecided": 0.4, "refuted": 1.0}[verdict]
    row = {"attribute": None, "group": None, "other_group": None, "rate": "accuracy"} | about
    row |= {"value": value, "low": value - half, "high": value + half, "p_proven": p, "verdict": verdict, "seeds": 3}
    row |= {"p_refuted": 0.01 if verdict == "refuted" else 1.0, "parts": 1, "margin": margin or MARGINS[name]}
    return family(dataset) | ENGINE | {"variant": variant, "criterion": name, "catches_up": False} | row


def criteria_of(dataset, variant, verdict):
    """Five criteria, of which the rates decide."""
    male, black = {"attribute": "sex", "group": "Male"}, {"attribute": "race", "group": "Black"}
    return [
        criterion(dataset, variant, "accuracy", -0.001),
        criterion(dataset, variant, "group_accuracy", -0.003, **male),
        criterion(dataset, variant, "worst_group_accuracy", -0.003, **male),
        criterion(dataset, variant, "fairness_gap", 0.01, **male, other_group="Female"),
        criterion(dataset, variant, "group_rates", -0.06, verdict, rate="true_positive_rate", **black),
        criterion(dataset, variant, "group_rates", 0.01, rate="false_positive_rate", **male),
    ]


def measured(dataset, variant, **means):
    """Rows of the table of variants."""
    about = family(dataset) | ENGINE | {"variant": variant, "attribute": None, "group": None, "baseline": "dense"}
    batch = {"latency_p50_ms": 1}
    return [about | {"measure": key, "batch_size": batch.get(key), "mean": mean} for key, mean in means.items()]


def decided(dataset, variant, verdict, **changes):
    row = {"verdict": verdict, "p_value": 0.02, "tests": 2, "seeds": 3, "cost": 80.0, "recommended": False}
    if verdict not in ("proven", None):
        row |= {"reason": "true positive rate of Black by race is not shown: p = 0.4"}
    return family(dataset) | ENGINE | {"variant": variant} | row | changes


def goal(dataset, name, winner, cost, base, saving=None):
    bounds = {"saving": saving, "low": saving and saving * 0.9, "high": saving and saving * 1.1}
    row = {"goal": name, "winner": winner, "winner_augmentation": "none", "cost": cost, "baseline_cost": base}
    row |= {"chosen": name == "life_cycle_energy", "reason": REASON if saving else "nothing is saved"}
    return family(dataset) | ENGINE | BASE | row | bounds


def compared(dataset, variant, group=None, value=-0.001, attribute=None, n=1000):
    row = {"metric": "accuracy", "attribute": attribute, "group": group, "value": value, "n": n}
    bounds = {"low": value - 0.005, "high": value + 0.005}
    return family(dataset) | ENGINE | {"variant": variant} | BASE | row | bounds


def planted(datasets=1, variants=3):
    """Results in which the last variant of each dataset ships; of the others, every third is proven."""
    names = [f"d{number}" for number in range(datasets)]
    kinds = [f"v{number}" for number in range(variants)]
    tables = {name: [] for name in ("decisions", "criteria", "variants", "goals", "comparisons", "shipped", "untested")}
    for dataset in names:
        tables["decisions"].append(decided(dataset, "dense", None, p_value=None, tests=None, seeds=None, cost=100.0))
        tables["variants"] += measured(dataset, "dense", accuracy=0.9, transfer_bytes=8e4, latency_p50_ms=0.02)
        for number, kind in enumerate(kinds):
            last = number == variants - 1
            verdict = "proven" if last or number % 3 == 0 else ("undecided", "refuted")[number % 2]
            row = decided(dataset, kind, verdict, recommended=last, cost=40.0 if last else 90.0)
            tables["decisions"].append(row)
            tables["criteria"] += criteria_of(dataset, kind, verdict)
            means = {"accuracy": 0.89, "transfer_bytes": 2e4 if last else 5e4, "latency_p50_ms": 0.01}
            tables["variants"] += measured(dataset, kind, **means)
            tables["comparisons"] += [compared(dataset, kind), compared(dataset, kind, "Male", -0.003, "sex")]
        ships = kinds[-1]
        tables["goals"] += [
            goal(dataset, "life_cycle_energy", ships, 40.0, 100.0, 60.0),
            goal(dataset, "transfer_bytes", ships, 2e4, 8e4, 6e4),
            goal(dataset, "latency", "dense", 0.02, 0.02),
        ]
        tables["shipped"].append(family(dataset) | ENGINE | {"variant": ships, "seed": 2})
        few = {"attribute": "race", "group": "Other", "rate": "true_positive_rate", "rows": 19, "before": 0.3}
        few |= {"value": 0.0, "low": -0.1, "high": 0.1}
        tables["untested"].append(family(dataset) | ENGINE | {"variant": ships} | few)
    return results_of(names, kinds, **tables)


def results_of(names, kinds, **tables):
    """Results of these datasets and variants, with groups by sex and race."""
    groups = {"sex": {}, "race": {}}
    study = STUDY | {
        "variants": {"dense": {"train": "standard"}} | {k: {"from": "dense", "quantize": {}} for k in kinds},
        "criteria": STUDY["criteria"] | {"margins": MARGINS, "attributes": None},
        "datasets": {name: {"groups": groups, "inputs": {}} for name in names},
    }
    results = results_with(study=study, **tables)
    return replace(results, cards=[CARD | {"dataset": n, "title": f"Data {n}", "groups": groups} for n in names])
