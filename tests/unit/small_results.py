"""Results of a study with a few rows, from which papers and cards are made."""

from dataclasses import fields
from typing import Any

import pandas as pd

from fairweight.core.lineage import CELL, MEASURE
from fairweight.energy.amounts import AMOUNTS
from fairweight.evaluation import guards, shipped
from fairweight.evaluation.criteria import CriterionRow, UntestedRow
from fairweight.evaluation.decide import DECIDED, DECISION
from fairweight.evaluation.recommend import FAMILY, CrossingRow, GoalRow
from fairweight.evaluation.simple_accuracy import SimpleRow
from fairweight.evaluation.summarize_causal import LANGUAGE
from fairweight.reporting.report.results import TABLES, Results

COLUMNS = {
    "assessments": [
        *("seed", *CELL, "part", "class", "metric", "attribute", "group"),
        *("value", "low", "high", "n", "status", "by_chance", "denominator"),
    ],
    "variants": [*MEASURE, "mean", "sd", "n", "baseline"],
    "comparisons": [
        *(*CELL, "baseline", "baseline_augmentation", "metric", "attribute", "group"),
        *("value", "low", "high", "n"),
    ],
    "criteria": [*DECIDED, *CriterionRow.__annotations__],
    "parts": [*DECIDED, *CriterionRow.__annotations__],
    "untested": [*DECIDED, *UntestedRow.__annotations__],
    "decisions": [*DECIDED, *DECISION, "cost", "recommended", "front_probability"],
    "goals": [*FAMILY, *GoalRow.__annotations__],
    "guards": list(guards.COLUMNS),
    "simple_models": list(SimpleRow.__annotations__),
    "crossings": [*FAMILY, *CrossingRow.__annotations__],
    "shipped": list(shipped.COLUMNS),
    "language": ["seed", *CELL, *LANGUAGE],
    "checks": [*CELL, "verdict"],
    "steps": ["rule", "seed", *CELL, *AMOUNTS, "peak_memory_bytes", "wall_s"],
    "rules": ["kind", "rule", "attempts", *AMOUNTS, "wall_s", "memory_gb_s", "peak_memory_bytes"],
    "profiles": ["seed", *CELL, "batch_size", "rounds", "disturbed_rounds"],
}
PROVENANCE = {
    "fairweight": "1",
    "commit": "c",
    "python": "3",
    "packages": {},
    "cells": 1,
    "host": {"processor": "a processor", "cores": 2},
    "intensity": {"name": "Germany", "g_per_kwh": 360, "year": 2024, "source": "Ember"},
}
CARD = {
    "dataset": "d",
    "title": "Data",
    "licence": None,
    "homepage": None,
    "rows": 200,
    "classes": ["no", "yes"],
    "label": {"no": 100, "yes": 100},
    "columns": {"numeric": ["x"], "categorical": {}},
    "image": None,
    "text": False,
    "dropped": [],
    "groups": {},
    "files": {},
    "sha256": {},
    "rows_by_file": {},
    "missing": {},
    "duplicates": {},
    "k_anonymity": None,
    "identifying": [],
    "warnings": [],
}
STUDY = {
    "name": "study",
    "engines": ["onnxruntime"],
    "profile": {"batch_sizes": [1]},
    "fairness": {"smallest_group": 50},
    "models": {},
    "variants": {},
    "criteria": {
        "error_rate": 0.05,
        "margins": {"accuracy": 0.01},
        "gap": None,
        "ceilings": {},
        "untested": "report",
        "against": "same",
    },
    "decision": {"goal": "life_cycle_energy", "predictions": 1_000_000, "batch": 1, "downloads": 1},
    "datasets": {"d": {"groups": {}, "inputs": {}}},
    "energy": {},
}

Record = dict[str, Any]


def results_with(*, card: Record | None = None, study: Record | None = None, **tables: list[Record]) -> Results:
    """Results with these rows; a table that is not given is empty."""
    assert set(tables) <= {field.name for field in fields(Results)}
    frames = {
        field.name: pd.DataFrame(tables.get(field.name, []), columns=COLUMNS.get(field.name))
        for field in fields(Results)
        if field.name in TABLES
    }
    return Results(**frames, cards=[CARD | (card or {})], provenance=PROVENANCE | {"study": STUDY | (study or {})})
