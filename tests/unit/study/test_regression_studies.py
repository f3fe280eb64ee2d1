"""Study files of regressions: what is filled in, and what is refused in one sentence before anything runs."""

import pytest
from studies import tiny

from fairweight.core import labels
from fairweight.core.errors import InputError
from fairweight.study.schema import resolve
from fairweight.study.study import Study

REGRESSION = {
    "datasets__adult__task": "regression",
    "datasets__adult__target": {"column": "hours", "unit": "h"},
    "datasets__adult__inputs": {"numeric": ["age"], "categorical": ["job"]},
}


def study(**changes):
    grid = [tiny()["grid"][0] | {"augmentations": ["none"]}]
    config = resolve(tiny(**(REGRESSION | {"grid": grid} | changes)))
    return config, Study(config)


def test_margins_of_losses_are_filled_in_for_regressions_alone():
    config, _ = study()
    assert config["criteria"]["loss"] == "absolute_error"
    assert config["criteria"]["margins"].items() >= labels.DEFAULT_MARGINS.items()
    classes = resolve(tiny())
    assert "loss" not in classes["criteria"] and not set(labels.DEFAULT_MARGINS) & set(classes["criteria"]["margins"])
    assert "unit" not in classes["datasets"]["adult"]["target"]


REFUSED = {
    "augmentation": (
        {"grid": tiny()["grid"]},
        "augmentations: balanced: 'balance_groups' is not for the task 'regression'",
    ),
    "positive class": (
        {"datasets__adult__target": {"column": "hours", "positive": "1"}},
        "target: positive: the label",
    ),
    "logistic regression": (
        {"models__mlp": {"architecture": "logistic_regression"}},
        "'logistic_regression' is not for the task 'regression'",
    ),
    "lbfgs": ({"training__standard": {"optimizer": "lbfgs"}}, "'lbfgs' minimises a cross-entropy"),
    "objective of classes": (
        {"training__standard__objective": {"method": "reweighing", "attribute": "sex"}},
        "objective: 'reweighing' is not for the task 'regression'",
    ),
    "best accuracy": ({"training__standard__select": "accuracy"}, "select: 'accuracy' is not for the task"),
    "thresholds": (
        {"variants__adjusted": {"from": "dense", "adjust": {"method": "threshold_optimizer", "attribute": "sex"}}},
        "'adjust' is not for the task 'regression' of dataset 'adult'; there are: train",
    ),
    "soft labels": (
        {
            "variants__small": {
                "from": "dense",
                "distill": {"method": "soft_labels", "student": {"architecture": "mlp", "hidden": [4]}},
            }
        },
        "'soft_labels' is not for the task 'regression'",
    ),
    "two margins": ({"criteria": {"margins": {"loss": {"relative": 0.1, "absolute": 2}}}}, "criteria: margins: loss"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_regression_cannot_have_is_refused(kind):
    changes, sentence = REFUSED[kind]
    added = [name.removeprefix("variants__") for name in changes if name.startswith("variants__")]
    grid = tiny()["grid"][:1]
    grid[0] |= {"variants": [*grid[0]["variants"], *added], "augmentations": ["none"]}
    with pytest.raises(InputError) as caught:
        study(**({"grid": grid} | changes))
    assert sentence in str(caught.value)


def test_classes_have_neither_a_unit_nor_margins_of_losses():
    for changes, sentence in (
        ({"datasets__adult__target__unit": "h"}, "target: unit: the task 'classification' has classes"),
        ({"criteria": {"margins": {"loss": {"relative": 0.1}}}}, "margins: loss: limits losses of numbers"),
        ({"models__mlp": {"architecture": "linear_regression"}}, "'linear_regression' is not for the task"),
    ):
        with pytest.raises(InputError) as caught:
            Study(resolve(tiny(**changes)))
        assert sentence in str(caught.value)


def test_the_general_record_names_losses_naive_predictions_and_margins():
    assert labels.kind("classification").rates and labels.kind("classification").losses[0].unit == "share"
    numbers = labels.kind("regression")
    assert (
        not numbers.rates and numbers.losses[0].unit == "label" and set(numbers.margins) == set(labels.DEFAULT_MARGINS)
    )
    assert labels.kind("language_modelling").name == "tokens"
