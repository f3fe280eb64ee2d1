"""Slices of planted predictions: made of no input that tells a group, and shown only where the loss rises."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_results import results_with
from tables import pictures, tabular

from fairweight.core.artifacts import PARTS, write_predictions, write_table
from fairweight.evaluation.discover import discover_slices
from fairweight.reporting.report import claims

ROWS, SEEDS = 4000, 4
PLACE = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "onnxruntime"}


def predictions(folder, name, table, loss):
    """Files of each seed whose log loss is `loss` (n,) with a little noise."""
    paths = []
    for seed in range(SEEDS):
        noise = np.random.default_rng(seed).normal(0, 0.01, len(table))
        right = np.exp(-(loss + noise))[:, None]
        wrong = (1 - right) / (len(table.classes) - 1)
        probabilities = np.where(np.arange(len(table.classes)) == table.label[:, None], right, wrong).astype(np.float32)
        columns = {"row": table.row, "part": np.full(len(table), PARTS.index("test")), "label": table.label}
        paths.append(str(folder / f"{name}-{seed}.parquet"))
        columns |= {"prediction": probabilities.argmax(axis=1), "probabilities": probabilities}
        write_predictions(paths[-1], columns, {"engine": "onnxruntime"})
    return paths


def searched(folder, table, changes, group_columns=()):
    """The table of slices, and the page that shows it, of one variant whose loss changes by (n,)."""
    write_table(folder / "table.parquet", table)
    base = np.full(len(table), 0.6)
    paths = {"dense": predictions(folder, "dense", table, base)}
    paths["small"] = predictions(folder, "small", table, base + changes)
    discover_slices(
        predictions=[path for of_variant in paths.values() for path in of_variant],
        about=[{"variant": variant, "seed": seed} for variant in paths for seed in range(SEEDS)],
        table=str(folder / "table.parquet"),
        baselines={"dense": "dense", "small": "dense"},
        group_columns=list(group_columns),
        smallest_group=50,
        destination=str(folder / "slices.parquet"),
    )
    slices = pd.read_parquet(folder / "slices.parquet")
    rows = [{**PLACE, **row} for row in slices.to_dict("records")]
    study = {"variants": {"dense": {"train": "standard"}, "small": {"from": "dense", "quantize": "auto"}}}
    shown = claims.slices(results_with(study=study, slices=rows), "d")
    return slices, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown.data)) if shown else None


@pytest.fixture
def people():
    """Groups by age, and by region; `band` is age in other ranges, `area` a town by another name."""
    table = tabular(ROWS)
    age, town = table.numeric[:, 1], table.categorical[:, 1]
    return replace(
        table,
        file=np.full(ROWS, "test", dtype=object),
        numeric=np.column_stack([table.numeric, 100 - age]).astype(np.float32),
        numeric_names=("x", "age", "years_to_100"),
        categorical=np.column_stack([table.categorical, np.digitize(age, [30, 50, 70])]),
        levels={**table.levels, "band": ("-30", "30-50", "50-70", "70-")},
        groups={"age": np.digitize(age, [25, 60]), "region": np.array([0, 0, 1, 1])[town]},
        group_levels={"age": ("<25", "25-60", ">=60"), "region": ("north", "south")},
    )


def test_slices_are_made_of_no_input_that_tells_a_group(people, tmp_path):
    harmed = (people.numeric[:, 1] > 60) & (people.categorical[:, 0] == 1)
    slices, page = searched(tmp_path, people, np.where(harmed, 0.3, 0.0), ["age"])
    assert set(slices["left_out"]) == {"age, years_to_100, town, band"}
    assert slices["conditions"].str.contains("job is b").any()
    assert not slices["conditions"].str.contains("age|years|town|band").any()
    assert "It is given the inputs of the model, without those from which a group is made" in page
    assert "(age, years_to_100, town, band); other inputs may still differ between groups" in page


def test_a_slice_of_one_group_is_marked(people, tmp_path):
    """Rows with job b belong to the south nearly all: the job does not tell the region, but this slice does."""
    rng, job = np.random.default_rng(0), people.categorical[:, 0]
    region = np.where((job == 1) & (rng.random(ROWS) < 0.98), 1, rng.integers(2, size=ROWS))
    marked = replace(people, groups={"region": region}, group_levels={"region": ("north", "south")})
    slices, page = searched(tmp_path, marked, np.where(job == 1, 0.3, 0.0) + 0.1 * rng.normal(size=ROWS))
    assert (slices["mostly"] == "south (region)").equals(slices["conditions"].str.contains("job is b"))
    assert re.search(r"job is b.{0,20} mostly south \(region\)", page)


def test_a_source_of_a_group_is_known_by_its_name_alone(people, tmp_path):
    rng = np.random.default_rng(0)
    unlike = replace(people, groups={"age": rng.integers(3, size=ROWS), "region": rng.integers(2, size=ROWS)})
    slices, _ = searched(tmp_path, unlike, np.where(people.categorical[:, 0] == 1, 0.3, 0.0), ["age"])
    assert set(slices["left_out"]) == {"age"}


def test_inputs_that_are_no_group_stay(people, tmp_path):
    alone = replace(people, groups={}, group_levels={})
    slices, page = searched(tmp_path, alone, np.where(people.numeric[:, 1] > 60, 0.3, 0.0))
    assert set(slices["left_out"]) == {""} and "It is given the inputs of the model. All numbers" in page
    assert slices["conditions"].str.contains("age|years|band").any()


def test_only_slices_whose_loss_rises_are_shown(people, tmp_path):
    """The loss rises on job b, and falls on job c; slices that noise selects are counted, not shown."""
    job, rng = people.categorical[:, 0], np.random.default_rng(1)
    changes = np.where(job == 1, 0.2, np.where(job == 2, -0.2, 0.0)) + 0.1 * rng.normal(size=ROWS)
    slices, page = searched(tmp_path, people, changes, ["age"])
    rising = slices[(slices["change"] > 0) & (slices["value"] > 0)]
    assert "job is b" in page and "job is c" not in page and rising["change"].max() == pytest.approx(0.2, abs=0.05)
    assert all((conditions in page) == (conditions in set(rising["conditions"])) for conditions in slices["conditions"])
    dropped = len(slices) - len(rising)
    assert (f"Not shown: {dropped} slice" in page) == (dropped > 0)


def test_where_the_loss_rises_nowhere_the_report_says_so():
    """Chosen on one half, on the other the loss falls in one slice, and rises less than elsewhere in the next."""
    common = {**PLACE, "variant": "small", "baseline": "dense", "n": 60, "given": "the inputs of the model"}
    common |= {"left_out": "age", "mostly": "", "low": -0.1, "high": 0.1, "p_value": 0.6}
    rows = [
        {**common, "rank": 1, "conditions": "x above 2", "change": -0.2, "value": 0.1},
        {**common, "rank": 2, "conditions": "x above 1", "change": 0.2, "value": -0.1},
    ]
    page = claims.slices(results_with(study={"variants": {"dense": {}, "small": {}}}, slices=rows), "d").data
    assert (
        "the loss rises on no slice of the inputs" in page and "Not shown: 2 slices" in page and "x above" not in page
    )


def test_slices_of_images_say_what_they_are_made_of(tmp_path):
    table = replace(pictures(900), row=np.arange(900), file=np.full(900, "test", dtype=object))
    slices, page = searched(tmp_path, table, np.where(table.label == 2, 0.3, 0.0))
    assert slices["conditions"].str.contains("class is 2|part 3, 2").any() and set(slices["left_out"]) == {""}
    assert "It is given the brightness of the image and of its parts, and the class. All numbers" in page
