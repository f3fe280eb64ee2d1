"""Power and decision agree: what power calls impossible is never proven, and what it calls possible can be."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tables import tabular

from fairweight.core.artifacts import PARTS, read_frame, write_split, write_table
from fairweight.evaluation.compare import Compared
from fairweight.evaluation.criteria import assess, changes
from fairweight.evaluation.power import plan
from fairweight.evaluation.testable_rates import CANNOT, WAYS_OUT, Counts, Plan, points
from fairweight.statistics.decision import verdicts
from fairweight.statistics.power import provable
from fairweight.statistics.rates import Layout

MARGINS = {
    "accuracy": 0.01,
    "group_accuracy": 0.02,
    "worst_group_accuracy": 0.02,
    "group_rates": 0.05,
    "fairness_gap": 0.05,
}
POWER = {"probability": 0.8, "churn": 0.02, "seed_sd": 0.003}
CRITERIA = {
    "error_rate": 0.05,
    "margins": MARGINS,
    "gap": None,
    "attributes": None,
    "untested": "report",
    "ceilings": {},
    "power": POWER,
}


def people(sizes, positives, classes=("good", "bad"), levels=("male", "female")):
    """A table of test rows: of each group its rows, and how many of them have the last class."""
    labels = [np.repeat([0, len(classes) - 1], [n - k, k]) for n, k in zip(sizes, positives, strict=True)]
    table = tabular(rows=sum(sizes))
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return dataclasses.replace(
        table, label=np.concatenate(labels), classes=classes, groups={"sex": codes}, group_levels={"sex": levels}
    )


def planned(folder, table, criteria=CRITERIA, *, variants=1, seeds=8, smallest=50):
    """Rows of the power statement, by the step itself."""
    write_table(folder / "table.parquet", table)
    write_split(folder / "split.parquet", table.row, np.full(len(table), PARTS.index("test")))
    plan(
        tables={"d": str(folder / "table.parquet")},
        splits={"d": str(folder / "split.parquet")},
        tests={"d": variants},
        seeds={"d": seeds},
        criteria=criteria,
        smallest_group=smallest,
        destination=str(folder / "power.parquet"),
    )
    rows = read_frame(folder / "power.parquet")
    return rows[rows["criterion"].notna()].astype(object)


def family_verdicts(table, predictions, others, criteria, smallest):
    """Verdicts of `decide` on a family of variants (n, K) against a baseline."""
    layout = Layout.from_rows(
        table.label,
        table.groups | {"class": table.label},
        table.group_levels | {"class": table.classes},
        len(table.classes),
    )
    models = {"dense": (predictions, None)} | {f"v{n}": (other, None) for n, other in enumerate(others)}
    study = Compared(layout, table.label, models, smallest)
    drawn = study.bootstrap(dict.fromkeys(models, "dense"), 10)
    entries = []
    for name in models:
        if name != "dense":
            rows = study.compare(name, "dense", drawn)
            pairs = study.pairs(name, "dense", list(range(predictions.shape[1])))
            entries.append(assess(changes(rows, pairs), {}, criteria, list(table.groups)).evidence)
    return [verdict for verdict, _ in verdicts(entries, criteria["error_rate"])]


@st.composite
def small_studies(draw):
    """Test rows, criteria, smallest group, seeds and variants; few criteria, sizes and margins at the limit."""
    smallest, error_rate = draw(st.sampled_from([1, 2, 10, 50])), draw(st.sampled_from([0.05, 0.3]))
    seeds, variants, groups = draw(st.sampled_from([1, 2, 5, 8])), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    at_the_limit = st.integers(-1, 1).map(lambda more: max(smallest + more, 1))
    sizes = draw(st.lists(st.one_of(st.integers(1, 1500), at_the_limit), min_size=groups, max_size=groups))
    positives = [min(draw(st.one_of(st.integers(0, n), at_the_limit)), n) for n in sizes]
    classes = draw(st.sampled_from([("good", "bad"), ("a", "b", "c")]))
    rows = [n for size, k in zip(sizes, positives, strict=True) for n in (size, k, size - k) if n > 1] or [2]
    limits = st.lists(st.sampled_from(rows), min_size=1, max_size=2).map(
        lambda counts: provable(rows=counts, seeds=seeds, error_rate=error_rate, tests=variants)
    )
    near = st.builds(lambda limit, factor: limit * factor, limits, st.sampled_from([0.97, 1.03]))
    margin = st.one_of(st.none(), st.none(), st.none(), st.sampled_from([0.03, 0.1, 0.4]), near)
    gaps = [None, "accuracy_difference", "demographic_parity_difference", "equal_opportunity_difference"]
    criteria = CRITERIA | {
        "margins": {name: draw(margin) for name in MARGINS} | {"accuracy": draw(st.sampled_from([0.03, 0.4]))},
        "gap": draw(st.sampled_from([*gaps, "equalized_odds_difference"])),
        "untested": draw(st.sampled_from(["report", "undecided"])),
        "error_rate": error_rate,
    }
    table = people(sizes, positives, classes, ("male", "female", "none")[:groups])
    return table, criteria, smallest, seeds, variants


@settings(max_examples=150, deadline=None)
@given(study=small_studies(), seed=st.integers(0, 100))
def test_power_and_decision_agree(study, seed, tmp_path_factory):
    """Identical variants are proven exactly where power has no objection; nothing else is where it says "cannot"."""
    table, criteria, smallest, seeds, variants = study
    rows = planned(tmp_path_factory.mktemp("power"), table, criteria, variants=variants, seeds=seeds, smallest=smallest)
    rng = np.random.default_rng(seed)
    labels = np.repeat(table.label[:, None], seeds, axis=1)
    base = np.where(rng.random((len(table), 1)) < 0.8, labels, 0)
    possible = rows["reason"].isna().all()
    event(f"possible: {possible}")
    alike = family_verdicts(table, base, [base] * variants, criteria, smallest)
    assert set(alike) == ({"proven"} if possible else {"undecided"}), rows[["criterion", "rate", "reason"]]
    if not rows["decidable"].all():
        better = np.where(rng.random(base.shape) < 0.9, labels, base)
        assert "proven" not in family_verdicts(table, base, [labels, better, base][:variants], criteria, smallest)


def test_rows_of_a_label_that_are_too_few_are_counted_with_the_ways_out(tmp_path, capsys):
    """310 women, 27 of whom are bad."""
    table = people([690, 310], [190, 27])
    rows = planned(tmp_path, table).set_index(["criterion", "rate"])
    reason = (
        "fewer than two groups of sex have enough rows for the true positive rate: 27 of the 310 test rows of female "
        "have the label 'bad' (fewer than 50 rows)"
    )
    gap = rows.loc["fairness_gap", "true_positive_rate"]
    assert gap["reason"] == reason and gap["decidable"] is False
    assert rows.loc["group_rates", "true_positive_rate"]["decidable"] is True  # of men alone
    capsys.readouterr()
    planned(tmp_path, table, CRITERIA | {"margins": dict.fromkeys(MARGINS) | {"fairness_gap": 0.2}})
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first == (
        f"{CANNOT}d: fairness gap of the true positive rate by sex (label 'bad') stays undecided in every variant: "
        "female 27 rows; two groups need 50."
    )
    assert second == (
        f"{WAYS_OUT}d: merge groups, lower fairness: smallest_group, limit another rate (criteria: gap) or none "
        "(margin null), or add test rows."
    )


def test_the_decision_gives_the_same_reason(tmp_path):
    table = people([690, 310], [190, 27])
    layout = Layout.from_rows(
        table.label, table.groups | {"class": table.label}, table.group_levels | {"class": table.classes}, 2
    )
    same = np.repeat(table.label[:, None], 8, axis=1)
    study = Compared(layout, table.label, {"dense": (same, None), "v": (same, None)}, 50)
    rows = study.compare("v", "dense", study.bootstrap({"v": "dense"}, 10))
    decided = assess(changes(rows, study.pairs("v", "dense", list(range(8)))), {}, CRITERIA, ["sex"]).criteria
    by_power = planned(tmp_path, table)
    undecidable = by_power[by_power["decidable"].eq(False)]["reason"].tolist()
    assert [row["reason"] for row in decided if row["reason"] is not None] == undecidable and undecidable


@pytest.mark.parametrize(
    ("changed", "seeds", "words"),
    [
        ({}, 2, "nothing can be proven: it cannot reach significance with 2 seeds"),
        ({"untested": "undecided"}, 8, "these groups have too few rows: female (sex)."),
        ({"ceilings": {"latency_p50_ms": {"at_most": 1.0}}}, 1, "latency p50 ms stays undecided in every variant"),
    ],
)
def test_what_else_cannot_be_decided_is_said(changed, seeds, words, tmp_path, capsys):
    planned(tmp_path, people([690, 310], [190, 27]), CRITERIA | changed, seeds=seeds)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith(CANNOT)]
    assert any(words in line for line in said), said


def test_a_study_that_can_decide_everything_says_nothing(tmp_path, capsys):
    rows = planned(tmp_path, people([20_000, 20_000], [9_000, 8_000]))
    assert rows["reason"].isna().all() and CANNOT not in capsys.readouterr().out


def test_groups_that_are_too_small_for_a_rate_are_named_although_others_are_tested(tmp_path, capsys):
    """27 women of 310 are bad: the true positive rate of men is tested, that of women is not."""
    margins = dict.fromkeys(MARGINS) | {"group_rates": 0.3}
    rows = planned(tmp_path, people([690, 310], [190, 27]), CRITERIA | {"margins": margins})
    assert rows["reason"].isna().all()
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"{CANNOT}d: groups with fewer than 50 test rows are reported and not tested: true positive rate by sex (label "
        "'bad'): female 27 rows.",
        f"{WAYS_OUT}d: merge groups, lower fairness: smallest_group, or add test rows.",
    ]


@pytest.mark.parametrize(("women", "share", "said"), [(310, 0.2, True), (3_100, 0.2, False), (310, 1.0, False)])
def test_counts_of_a_file_and_the_share_of_its_test_rows_say_the_same_before_there_is_a_split(women, share, said):
    """At 0.2, 62 of 310 women are test rows, 19 of whom are bad."""
    sex = np.repeat([0, 1], [6_900, women])
    label = np.concatenate([np.arange(6_900) < 1_900, np.arange(women) < 0.3 * women]).astype(int)
    counts = Counts.of_rows(label, ("good", "bad"), {"sex": sex}, {"sex": ("male", "female")}).share(share)
    margins = dict.fromkeys(MARGINS) | {"fairness_gap": 0.2}
    plan = Plan("d", counts, CRITERIA | {"margins": margins}, tests=1, seeds=8, smallest=50)
    (*sentences,) = plan.sentences()
    assert bool(sentences) == said
    if said:
        assert sentences[0].endswith(
            "sex (label 'bad') stays undecided in every variant: female 19 rows; two groups need 50."
        )


def test_the_statement_needs_no_torch():
    code = "import sys; import fairweight.evaluation.testable_rates; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("classes", "margins", "said"), [("abc", MARGINS, True), ("ab", MARGINS, False)])
def test_classes_within_groups_have_no_criterion_where_there_are_more_than_two(classes, margins, said):
    of_sex = {sex: np.full(len(classes), 9_000) for sex in "fm"}
    counts = Counts(tuple(classes), np.full(len(classes), 20_000), {"sex": of_sex})
    sentences = list(Plan("d", counts, CRITERIA | {"margins": margins}, tests=1, seeds=8, smallest=50).sentences())
    words = f"{CANNOT}d: what single classes lose within a group of sex has no criterion: with 3 classes"
    assert [sentence.startswith(words) for sentence in sentences if "single classes" in sentence] == [True] * said
    alone = CRITERIA | {"margins": dict.fromkeys(MARGINS) | {"accuracy": 0.01}}
    assert not any("single" in text for text in Plan("d", counts, alone, tests=1, seeds=8, smallest=50).sentences())


def test_the_statement_has_a_line_for_each_margin_and_each_group(tmp_path, capsys):
    planned(tmp_path, people([20_000, 20_000], [9_000, 8_000]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "d, 8 seeds: margins that can be proven of a variant that changes nothing"
    assert lines[1] == "  accuracy (margin 1 point): 0.01 points or more (40,000 rows of the smallest tested group)"
    losses = next(n for n, line in enumerate(lines) if "losses that are found with probability 0.8, if 2 %" in line)
    assert (
        lines[losses + 1].startswith("  accuracy, all test rows: 0.34 points or more (40,000")
        and len(lines) == losses + 1 + 2 * 3
    )


def test_what_no_number_of_rows_can_change_is_said_once(tmp_path, capsys):
    planned(tmp_path, people([20_000, 20_000], [9_000, 8_000]), seeds=2)
    line, ways = capsys.readouterr().out.splitlines()
    assert ways == f"{WAYS_OUT}d: more seeds (seeds), or fewer variants."
    assert line.startswith(f"{CANNOT}d: nothing can be proven: it cannot reach significance with 2 seeds")


@pytest.mark.parametrize(
    ("share", "words"), [(0.0296, "2.96"), (0.02961, "2.97"), (0.00004, "0.01"), (0.1, "10.00"), (0.07, "7.00")]
)
def test_a_margin_is_rounded_up_so_that_the_one_that_is_stated_can_be_proven(share, words):
    assert points(share) == words


def small_women():
    """Counts of a file in which the rates of some groups are too small, and others can prove a large margin only."""
    groups = {"sex": {"m": np.array([4_000, 4_000]), "f": np.array([60, 60]), "x": np.array([9, 9])}}
    return Counts(("good", "bad"), np.array([4_069, 4_069]), groups)


def test_ways_out_do_not_raise_and_lower_the_same_key():
    criteria = CRITERIA | {"margins": dict.fromkeys(MARGINS) | {"group_rates": 0.001, "fairness_gap": 0.001}}
    *_, ways = Plan("d", small_women(), criteria, tests=1, seeds=8, smallest=50).sentences()
    assert ways.startswith(WAYS_OUT) and "lower fairness: smallest_group" in ways and "raise" not in ways
    only_large = Counts.of_rows(
        np.repeat([0, 1, 0, 1], [4_000, 4_000, 60, 60]),
        ("good", "bad"),
        {"sex": np.repeat([0, 1], [8_000, 120])},
        {"sex": ("m", "f")},
    )
    *_, ways = Plan("d", only_large, criteria, tests=1, seeds=8, smallest=50).sentences()
    assert "raise fairness: smallest_group" in ways and "lower" not in ways


def test_what_rows_can_exclude_is_said_once_for_both_criteria_with_the_same_margin():
    margins = dict.fromkeys(MARGINS) | {"group_accuracy": 0.001, "worst_group_accuracy": 0.001}
    plan = Plan("d", small_women(), CRITERIA | {"margins": margins}, tests=1, seeds=8, smallest=50)
    sentence = next(text for text in plan.sentences() if "exclude" in text)
    least = next(row["provable"] for row in plan.margins())
    assert sentence == (
        f"{CANNOT}d: worst group accuracy and group accuracy (by sex, margin 0.1 points) cannot be proven of a variant "
        f"that changes nothing: 120 rows can only exclude losses above {points(least)} points."
    )
    apart = CRITERIA | {"margins": margins | {"worst_group_accuracy": 0.002}}
    both = list(Plan("d", small_women(), apart, tests=1, seeds=8, smallest=50).sentences())
    assert not any("and group accuracy" in text for text in both) and any("worst group accuracy (" in t for t in both)


@pytest.mark.parametrize(("numbers", "said"), [(60, True), (30, False)])
def test_a_group_for_each_number_of_a_quantity_needs_bins(numbers, said):
    """Years of age without bins are groups of one year each."""
    ages = np.tile(np.arange(numbers), 2 * 4_000)
    counts = Counts.of_rows(
        np.repeat([0, 1], len(ages) // 2),
        ("good", "bad"),
        {"age": ages},
        {"age": [f"{20 + n}" for n in range(numbers)]},
    )
    sentences = list(Plan("d", counts, CRITERIA, tests=1, seeds=8, smallest=50).sentences())
    words = f"{CANNOT}d: ranges of age are not compared: age has 60 groups, one for each number."
    assert (words in sentences) == said
    assert any("add bins (groups: age: bins)" in text for text in sentences) == said
