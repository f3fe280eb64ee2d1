"""The recommendation: savings by each goal, ties, the baseline as a candidate, and where the winner changes."""

import numpy as np
import pandas as pd
import pytest

from fairweight.evaluation.recommend import GOALS, recommend

PLACE = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "onnxruntime"}
BOUNDS = {"low": 1.0, "central": 1.0, "high": 1.0}
ENERGY = {
    "watts_per_core": {"low": 5.0, "central": 10.0, "high": 15.0},
    "watts_per_gb": {"low": 0.3, "central": 0.3, "high": 0.3},
    "pue": 1.0,
    "country": "DEU",
    "g_per_kwh": 400.0,
}
NOTHING_MOVED = {
    "downloads": 1,
    "years": 0,
    "transfer_kwh_per_gb": dict.fromkeys(BOUNDS, 0.0),
    "storage_kwh_per_gb_year": dict.fromkeys(BOUNDS, 0.0),
}
RECIPE = {"goal": "life_cycle_energy", "predictions": 1_000_000, "batch": 1, "downloads": 1}
# variant -> CPU-s to make it, CPU-s per 1,000 predictions, bytes, latency in ms, ratio with its bounds
FIGURES = {
    "dense": (10.0, 0.010, 4000, 0.10, None),
    "int8": (11.0, 0.005, 1000, 0.05, (0.5, 0.45, 0.55)),
    "pruned": (20.0, 0.010, 800, 0.10, (1.0, 0.9, 1.1)),
    "small": (30.0, 0.0052, 500, 0.06, (0.52, 0.47, 0.57)),
}


def tables(figures, seeds=3):
    measures, ratios, profiles = [], [], []
    for variant, (made, each, size, latency, ratio) in figures.items():
        cell = {**PLACE, "variant": variant}
        for seed in range(seeds):
            about = {"seed": seed, **cell, "attribute": None, "group": None, "batch_size": pd.NA}
            shift = 1 + 0.001 * seed
            for name, value, batch in (
                ("making_cpu_s", made * shift, pd.NA),
                ("transfer_bytes", size, pd.NA),
                ("cpu_s_per_1000", each, 1),
                ("latency_p50_ms", latency + 0.0001 * seed, 1),
            ):
                measures.append(about | {"measure": name, "value": value, "batch_size": batch})
            sizes = {"size_bytes": size, "transfer_bytes": size, "latency_p50_ms": latency}
            profiles.append({"seed": seed, **cell, "batch_size": 1, "cpu_s_per_1000": each, **sizes})
        if ratio is not None:
            bounds = dict(zip(("ratio", "low", "high"), ratio, strict=True))
            faster = {f"latency_{name}": bound for name, bound in bounds.items()}
            ratios.append({**cell, "baseline": "dense", "batch_size": 1, **bounds, **faster})
    bounds = ["ratio", "low", "high", "latency_ratio", "latency_low", "latency_high"]
    columns = [*PLACE, "variant", "baseline", "batch_size", *bounds]
    return {
        "measures": pd.DataFrame(measures).astype({"batch_size": "Int64"}),
        "ratios": pd.DataFrame(ratios, columns=columns),
        "profiles": pd.DataFrame(profiles),
    }


def chosen(proven, recipe=RECIPE, figures=FIGURES, factors=NOTHING_MOVED, seeds=3):
    """(recommended variant, goals by name, crossings) if these variants are proven."""
    rows = [{**PLACE, "variant": v, "verdict": "proven" if v in proven else "refuted"} for v in figures if v != "dense"]
    decisions = pd.DataFrame([{**PLACE, "variant": "dense", "verdict": None}, *rows])
    nodes = {("none", v): ("none", "dense") for v in figures}
    table, goals, crossings = recommend(decisions, tables(figures, seeds), nodes, {}, recipe, ENERGY, factors)
    (variant,) = table.loc[table["recommended"], "variant"]
    return variant, goals.set_index("goal"), crossings


def test_the_variant_that_saves_most_over_its_life_wins_and_each_goal_names_its_own():
    variant, goals, _ = chosen({"int8", "pruned", "small"})
    assert variant == "int8"
    assert goals["winner"].to_dict() == {
        "life_cycle_energy": "int8",
        "transfer_bytes": "small",
        "latency": "int8",
        "energy_per_prediction": "small",  # cannot be distinguished from int8, and its file is smaller
    }
    life = goals.loc["life_cycle_energy"]
    # making: 1.001 CPU-s more; use: 1,000 x 0.010 x (1 - 0.5) CPU-s less; 10 W
    assert life["saving"] == pytest.approx(10 * (1000 * 0.005 - 1.001), rel=1e-6)
    assert life["low"] < life["saving"] < life["high"] and life["low"] == pytest.approx(10 * (4.5 - 1.001), abs=0.1)
    assert life["baseline_cost"] - life["cost"] == pytest.approx(life["saving"], rel=1e-6)
    assert goals.loc["transfer_bytes", "low"] == goals.loc["transfer_bytes", "high"] == 3500
    assert set(goals.index) == set(GOALS)


def test_the_baseline_ships_where_nothing_repays_itself():
    for proven, recipe, reason in (
        (
            {"pruned"},
            RECIPE,
            "no proven variant has a saving that can be distinguished from zero",
        ),  # as fast as its baseline, and cost more
        ({"int8"}, RECIPE | {"predictions": 100}, "no proven variant has a saving that can be distinguished from zero"),
        (set(), RECIPE, "no compressed variant is proven to keep the criteria"),
    ):
        variant, goals, _ = chosen(proven, recipe)
        assert variant == "dense" and goals.loc["life_cycle_energy", "reason"] == reason
        assert pd.isna(goals.loc["life_cycle_energy", "saving"])


def test_a_variant_that_is_worse_by_the_goal_never_wins():
    worse = FIGURES | {"int8": (11.0, 0.0155, 1000, 0.18, (1.55, 1.4, 1.7))}
    for goal in ("life_cycle_energy", "latency", "energy_per_prediction"):
        assert chosen({"int8"}, RECIPE | {"goal": goal}, worse)[0] == "dense"
    assert chosen({"int8"}, RECIPE | {"goal": "transfer_bytes"}, worse)[0] == "int8"


def test_the_winner_changes_where_its_saving_is_proven():
    """int8 costs 1.001 CPU-s more to make and saves at least 4.5e-6 CPU-s by prediction: about 222,000 predictions."""
    *_, crossings = chosen({"int8", "pruned"})
    assert crossings["winner"].tolist() == ["dense", "int8"]
    assert crossings["predictions"].iloc[1] == pytest.approx(1.001 / 4.5e-6, rel=0.05)
    below, above = (crossings["predictions"].iloc[1] * factor for factor in (0.95, 1.05))
    assert chosen({"int8"}, RECIPE | {"predictions": below})[0] == "dense"
    assert chosen({"int8"}, RECIPE | {"predictions": above})[0] == "int8"


def test_downloads_count_for_the_smaller_file():
    factors = NOTHING_MOVED | {"transfer_kwh_per_gb": dict.fromkeys(BOUNDS, 0.06), "downloads": 1e9}
    assert chosen({"int8", "small"}, RECIPE | {"predictions": 0}, factors=factors)[0] == "small"


def test_what_is_not_measured_cannot_win():
    variant, goals, _ = chosen(
        {"int8"},
        figures=FIGURES | {"int8": (*FIGURES["int8"][:4], None)} | {"dense": (10.0, np.nan, 4000, np.nan, None)},
    )
    assert variant == "dense"
    assert goals.loc["life_cycle_energy", "reason"] == "life cycle energy is not estimable"
    assert goals.loc["transfer_bytes", "winner"] == "int8"


def test_one_model_has_a_life_cycle():
    """With one seed, what making took is known without a spread; the ratio has its own interval over rounds."""
    assert chosen({"int8"}, seeds=1)[0] == "int8"


def test_the_latency_of_one_model_is_compared_over_rounds():
    row = chosen({"int8", "pruned"}, seeds=1)[1].loc["latency"]
    assert row["winner"] == "int8"
    assert [row["saving"], row["low"], row["high"]] == pytest.approx([0.05, 0.045, 0.055])  # of .1 ms


def test_a_baseline_with_another_augmentation_is_not_its_namesake():
    """Given the baseline of augmentation `none`, the undecided variant of the same name is not recommended."""
    plain = tables(FIGURES)
    both = {name: pd.concat([rows, rows.assign(augmentation="jitter")]) for name, rows in plain.items()}
    rows = [{**PLACE, "augmentation": "jitter", "variant": v, "verdict": "undecided"} for v in ("dense", "int8")]
    nodes = {("jitter", v): ("none", "dense") for v in ("dense", "int8")} | {("none", "dense"): ("none", "dense")}
    table, goals, _ = recommend(pd.DataFrame(rows), both, nodes, {}, RECIPE, ENERGY, NOTHING_MOVED)
    assert not table["recommended"].any()
    assert set(goals["winner"] + goals["winner_augmentation"]) == {"densenone"}


def test_each_baseline_has_an_answer_of_its_own():
    """Two models that are trained from data, each with a variant of its own: nothing tests one against the other."""
    figures = FIGURES | {"lean": (5.0, 0.004, 900, 0.04, None)}
    rows = [{**PLACE, "variant": v, "verdict": None if v in ("dense", "lean") else "refuted"} for v in figures]
    rows[1]["verdict"] = "proven"  # int8
    nodes = {("none", v): ("none", "lean" if v == "small" else "dense") for v in FIGURES} | {
        ("none", "lean"): ("none", "lean")
    }
    table, goals, _ = recommend(pd.DataFrame(rows), tables(figures), nodes, {}, RECIPE, ENERGY, NOTHING_MOVED)
    assert sorted(table.loc[table["recommended"], "variant"]) == ["int8", "lean"]
    life = (
        goals.loc["life_cycle_energy"] if "life_cycle_energy" in goals.index else goals[goals["goal"] == RECIPE["goal"]]
    )
    assert dict(zip(life["baseline"], life["winner"], strict=True)) == {"dense": "int8", "lean": "lean"}
