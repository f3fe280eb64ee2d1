"""Rows that are generated: distributions, dependence, groups and labels, against a known truth."""

import numpy as np
import pytest
from scipy import stats

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.random_streams import generator
from fairweight.core.table import Table
from fairweight.data.generation import Margins

METHODS = {
    "smote": {"neighbours": 5},
    "copula": {},
    "vae": {"epochs": 25, "latent": 4},
}


def people(rows=1500, seed=0):
    """Income rises with age; the job depends on the label; group "b" is a tenth, and an input names it."""
    rng = np.random.default_rng(seed)
    group = (rng.random(rows) < 0.1).astype(np.int64)
    label = (rng.random(rows) < 0.3).astype(np.int64)
    age = np.round(rng.normal(40, 10, rows) + 5 * label)
    income = np.exp(0.05 * age + rng.normal(scale=0.3, size=rows))
    income[:20] = np.nan
    job = np.where(label == 1, rng.choice(3, rows, p=[0.1, 0.2, 0.7]), rng.choice(3, rows, p=[0.6, 0.3, 0.1]))
    return Table(
        row=np.arange(rows),
        file=np.array(["t"] * rows),
        label=label,
        classes=("no", "yes"),
        numeric=np.stack([age, income], axis=1).astype(np.float32),
        numeric_names=("age", "income"),
        categorical=np.stack([job, group], axis=1),
        levels={"job": ("x", "y", "z"), "town": ("a", "b")},
        images=None,
        groups={"town": group},
        group_levels={"town": ("a", "b")},
    )


@pytest.fixture(scope="module", params=METHODS)
def made(request):
    table = people()
    method = components.load("augmentations", request.param)
    options = {"attribute": "town", "fill": "balance", "share": 3.0, **METHODS[request.param]}
    return table, method(table, generator("g"), **options)


def test_every_combination_is_filled_up_to_the_largest(made):
    table, rows = made
    code = 2 * table.groups["town"] + table.label
    after = np.bincount(code, minlength=4) + np.bincount(code[rows.source], minlength=4)
    assert np.ptp(after) <= 1


def test_the_input_that_names_the_group_is_that_of_the_source(made):
    table, rows = made
    assert (rows.categorical[:, 1] == table.groups["town"][rows.source]).all()


def test_distributions_and_dependence_are_those_of_the_rows(made):
    table, rows = made
    chosen = table.label[rows.source] == 1
    real, new = table.numeric[table.label == 1], rows.numeric[chosen]
    assert stats.ks_2samp(real[:, 0], new[:, 0]).statistic < 0.12
    known = [~np.isnan(part[:, 1]) for part in (real, new)]
    rho = [stats.spearmanr(part[at]).statistic for part, at in zip((real, new), known, strict=True)]
    assert rho[0] > 0.6 and rho[1] == pytest.approx(rho[0], abs=0.15)
    jobs = [
        np.bincount(codes, minlength=3) / len(codes)
        for codes in (table.categorical[table.label == 1, 0], rows.categorical[chosen, 0])
    ]
    assert jobs[1] == pytest.approx(jobs[0], abs=0.2)


def test_whole_numbers_stay_whole_and_ranges_are_kept(made):
    table, rows = made
    assert (rows.numeric[:, 0] == np.round(rows.numeric[:, 0])).all()
    assert np.nanmin(rows.numeric[:, 1]) >= np.nanmin(table.numeric[:, 1])
    assert np.nanmax(rows.numeric[:, 1]) <= np.nanmax(table.numeric[:, 1])


def test_rows_are_new(made):
    table, rows = made
    old = {row.tobytes() for row in table.numeric}
    assert sum(row.tobytes() in old for row in rows.numeric) < 0.1 * len(rows.numeric)


def test_a_share_bounds_the_rows_and_proportional_keeps_proportions():
    table = people()
    copula = components.load("augmentations", "copula")
    assert len(copula(table, generator("s"), attribute="town", fill="balance", share=0.5).source) == pytest.approx(
        750, abs=4
    )
    rows = copula(table, generator("s"), attribute=None, fill="proportional", share=1.0)
    assert table.label[rows.source].mean() == pytest.approx(table.label.mean(), abs=0.01)


def test_margins_return_what_went_in():
    table = people()
    margins = Margins.from_rows(table)
    scores = margins.scores(table, np.random.default_rng(1))
    assert stats.kstest(scores[:, 0], "norm").statistic < 0.02
    numeric, codes = margins.values(scores)
    assert (codes == table.categorical).all()
    assert (np.isnan(numeric[:, 1]) == np.isnan(table.numeric[:, 1])).mean() > 0.999
    np.testing.assert_allclose(numeric[:, 0], table.numeric[:, 0], atol=1)


def test_smote_lies_on_the_line_between_neighbours():
    """With two rows of each label, a new row is at one fraction of the way in all numbers."""
    table = people(rows=60).take(np.array([30, 31, 32, 33]))
    table = Table(**(vars(table) | {"label": np.array([0, 0, 1, 1]), "groups": {}, "group_levels": {}}))
    smote = components.load("augmentations", "smote")
    rows = smote(table, generator("l"), attribute=None, fill="proportional", share=25.0, neighbours=1)
    other = table.numeric[rows.source ^ 1]
    way = (rows.numeric[:, 1] - table.numeric[rows.source, 1]) / (other[:, 1] - table.numeric[rows.source, 1])
    assert len(rows.source) == 100 and 0 <= way.min() < 0.2 and 0.8 < way.max() <= 1
    age = table.numeric[rows.source, 0] + way * (other[:, 0] - table.numeric[rows.source, 0])
    np.testing.assert_allclose(rows.numeric[:, 0], np.round(age), atol=1)


def test_one_row_of_a_combination_has_no_neighbour():
    table = people(rows=60)
    groups = {"town": np.where(np.arange(60) == 3, 1, 0)}
    lonely = Table(**(vars(table) | {"groups": groups}))
    smote = components.load("augmentations", "smote")
    with pytest.raises(InputError, match="has one row, and so no neighbour"):
        smote(lonely, generator("l"), attribute="town", fill="balance", share=5.0, neighbours=5)
