"""The reason of an undecided variant says whether the correction for several variants made it undecided."""

from fairweight.evaluation.criteria import Assessed
from fairweight.evaluation.decide import _decided
from fairweight.statistics.decision import Evidence

GAP = {"criterion": "fairness_gap", "rate": "false_positive_rate", "attribute": "race", "reason": None, "seeds": 1}
GAP |= {"group": "Black", "other_group": "White", "p_refuted": 1.0}


def reason(*p_values):
    """The reason of the first of some variants, each with one criterion with this p-value."""
    tested = {
        ("d", "none", "m", "e", f"v{number}"): Assessed([GAP | {"p_proven": p}], [], [], Evidence(p, 1.0, 1.0))
        for number, p in enumerate(p_values)
    }
    return next(_decided(tested, 0.05))["reason"]


def test_what_holds_alone_is_said_with_both_p_values():
    expected = "difference of the false positive rate of Black over White by race is shown alone, but not after the "
    assert reason(0.033, 0.043) == f"{expected}correction for 2 variants: p = 0.033, 0.066 corrected"


def test_what_does_not_hold_alone_is_not_shown():
    assert "is not shown: p = 0.4 (p = 0.4 after Holm's correction over 2 variants)" in reason(0.4, 0.001)
    assert reason(0.4).endswith("is not shown: p = 0.4")
