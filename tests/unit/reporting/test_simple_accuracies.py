"""What needs no model of the study stands beside its accuracy, and what has no criterion is named."""

import pytest
from small_results import results_with
from test_guards_in_words import guarded
from test_paper_decisions import CELL

from fairweight.reporting.guards import simple_accuracies
from fairweight.reporting.report.limits import limits

FAMILY = {key: CELL[key] for key in ("dataset", "augmentation", "model")}
SIMPLE = {"dataset": "d", "rows": 200, "majority_class": "good", "majority_share": 0.7, "accuracy": 0.755}
ACCURACY = CELL | {"variant": "dense", "baseline": "dense", "measure": "accuracy", "mean": 0.7612, "attribute": None}


def test_the_accuracies_of_a_logistic_regression_and_of_the_largest_class_are_named():
    results = results_with(simple_models=[SIMPLE], variants=[ACCURACY])
    assert simple_accuracies(results, FAMILY) == (
        "dense has an accuracy of 76.1 %, a logistic regression of the same inputs 75.5 %, "
        "always predicting 'good' 70.0 %"
    )
    missing = results_with(simple_models=[SIMPLE | {"accuracy": None}], variants=[ACCURACY])
    assert simple_accuracies(missing, FAMILY) == "dense has an accuracy of 76.1 %, always predicting 'good' 70.0 %"


@pytest.mark.parametrize("tables", [{"simple_models": [SIMPLE]}, {"variants": [ACCURACY]}, {}])
def test_without_an_accuracy_there_is_nothing_to_say(tables):
    assert simple_accuracies(results_with(**tables), FAMILY) is None


@pytest.mark.parametrize(
    ("classes", "attributes", "said"),
    [(["a", "b", "c"], None, True), (["a", "b", "c"], ["age"], False), (["a", "b"], None, False)],
)
def test_classes_within_groups_have_no_criterion_where_there_are_more_than_two(classes, attributes, said):
    results = guarded()
    results.study["criteria"]["attributes"] = attributes
    results.cards[0] |= {"classes": classes, "groups": {"sex": []}}
    words = (
        "Data: what single classes lose within a group of sex has no criterion. With 3 classes, the accuracy of each"
    )
    assert (words in limits(results).data) == said
