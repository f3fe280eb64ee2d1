"""Mitigations do what their papers say, on labels that depend on the group."""

import numpy as np
import pytest
import torch

from fairweight.core import components
from fairweight.training.objectives.reweighing import independence_weights


def biased(seed=0, rows=4000):
    """Group 1 is smaller and has fewer positives; one feature depends on the label, one on the group."""
    rng = np.random.default_rng(seed)
    groups = (rng.random(rows) < 0.3).astype(np.int64)
    labels = (rng.random(rows) < np.where(groups == 1, 0.2, 0.5)).astype(np.int64)
    features = np.stack([labels + rng.normal(0, 1.2, rows), groups + rng.normal(0, 0.3, rows)], axis=1)
    return torch.tensor(features, dtype=torch.float32), torch.tensor(labels), torch.tensor(groups)


def trained(method, steps=400, **options):
    """Train a logistic regression; (share selected and true positive rate by group, loss of each group x label)."""
    features, labels, groups = biased()
    weights = torch.ones(len(labels))
    loss = components.load("objectives", method)(labels, groups, weights, **options)
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(features), labels, weights, groups).backward()
        optimizer.step()
    with torch.no_grad():
        logits = model(features)
    chosen = logits.argmax(1)
    selected = [float(chosen[groups == g].float().mean()) for g in (0, 1)]
    hits = [float(chosen[(groups == g) & (labels == 1)].float().mean()) for g in (0, 1)]
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return selected, hits, [float(losses[(groups == g) & (labels == y)].mean()) for g in (0, 1) for y in (0, 1)]


def gap(values):
    return abs(values[0] - values[1])


@pytest.fixture(scope="module")
def standard():
    return trained("standard")


def test_reweighing_makes_label_and_group_independent():
    _, labels, groups = biased()
    before = [float(labels[groups == g].float().mean()) for g in (0, 1)]
    factor = independence_weights(labels, groups, torch.ones(len(labels)))[groups, labels]
    after = [float((labels * factor)[groups == g].sum() / factor[groups == g].sum()) for g in (0, 1)]
    assert before[1] - before[0] == pytest.approx(-0.3, abs=0.03)
    assert after[1] - after[0] == pytest.approx(0, abs=1e-6)
    assert float(factor.sum()) == pytest.approx(len(labels), rel=1e-5)


@pytest.mark.parametrize("method", ["reweighing", "group_balanced"])
def test_weights_narrow_the_gap_in_selection(method, standard):
    selected, _, _ = trained(method, attribute="g")
    assert gap(selected) < 0.6 * gap(standard[0])


def test_group_dro_lowers_the_loss_of_the_worst_combination(standard):
    _, _, losses = trained("group_dro", attribute="g", step=0.05)
    assert max(losses) < 0.8 * max(standard[2])


@pytest.mark.parametrize(("constraint", "position"), [("demographic_parity", 0), ("equalized_odds", 1)])
def test_the_penalty_narrows_its_own_gap(constraint, position, standard):
    rates = trained("fairness_penalty", attribute="g", constraint=constraint, strength=10.0)
    assert gap(rates[position]) < 0.4 * gap(standard[position])


def test_without_strength_the_penalty_is_the_standard_loss(standard):
    rates = trained("fairness_penalty", attribute="g", constraint="equalized_odds", strength=0.0)
    assert rates[2] == pytest.approx(standard[2], abs=1e-4)
