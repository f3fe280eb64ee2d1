"""The verdict matrix as plain data: the right symbol, number and bound in each cell, and what ships."""

from dataclasses import replace

import pandas as pd
import pytest
from planted_answers import BASE, ENGINE, compared, criterion, decided, family, goal, measured, planted, results_of

from fairweight.reporting import answer_in_words as words
from fairweight.reporting.answer import MOST_ROWS
from fairweight.reporting.verdict_matrix import answers


def only(results):
    (answer,) = answers(results)
    return answer


def with_rows(results, table, *rows):
    """The same results with these rows in a table."""
    return replace(results, **{table: pd.DataFrame(rows, columns=getattr(results, table).columns)})


def row_of(answer, name):
    return next(row for row in answer.rows if row.name == name)


def test_each_row_has_the_weakest_test_of_each_criterion_with_its_bound():
    answer = only(planted(variants=3))
    assert [row.name for row in answer.rows] == ["dense", "v0", "v1", "v2"]
    assert [c.key for c in answer.criteria] == ["accuracy", "group_accuracy", "group_rates", "fairness_gap"]
    tests = row_of(answer, "v1").tests
    rates, gap = tests["group_rates"], tests["fairness_gap"]
    assert (rates.verdict, rates.about, rates.further) == ("refuted", "true positive rate of Black by race", 0)
    assert (rates.change.value, rates.bound, rates.above) == (pytest.approx(-6.0), -5.0, False)
    assert (gap.bound, gap.above) == (5.0, True)
    assert row_of(answer, "dense").tests == {}


def test_all_cells_of_a_column_share_a_scale_that_holds_intervals_bounds_and_zero():
    for column in (answer := only(planted(variants=6))).criteria:
        for row in answer.rows:
            if test := row.tests.get(column.key):
                for end in (0.0, test.bound, test.change.low, test.change.high):
                    assert column.low <= end <= column.high


def test_a_false_positive_rate_may_not_rise_and_others_may_not_fall():
    rates = {"rate": "false_positive_rate", "attribute": "sex", "group": "Male"}
    row = criterion("d0", "v0", "group_rates", 0.07, "refuted", **rates)
    results = with_rows(planted(variants=1), "criteria", row)
    test = row_of(only(results), "v0").tests["group_rates"]
    assert (test.bound, test.above, test.verdict) == (5.0, True, "refuted")


@pytest.mark.parametrize(
    ("verdicts", "shown", "further"),
    [
        (("proven", "undecided", "undecided"), "undecided", 1),
        (("proven", "refuted", "undecided"), "refuted", 0),
        (("proven", "proven", "proven"), "proven", 0),
    ],
)
def test_one_attribute_that_is_not_shown_decides_the_cell(verdicts, shown, further):
    results = planted(variants=1)
    rows = [
        criterion("d0", "v0", "group_accuracy", -0.01, verdict, attribute=name, group="g")
        for verdict, name in zip(verdicts, ("sex", "race", "age"), strict=True)
    ]
    test = row_of(only(with_rows(results, "criteria", *rows)), "v0").tests["group_accuracy"]
    assert (test.verdict, test.further) == (shown, further)


def test_the_headline_the_file_and_the_winners():
    answer = only(planted(variants=3))
    assert (answer.headline, answer.chip, answer.status) == ("Ship v2", "✓ proven", "proven")
    assert answer.rests_on == "error rate 5 %, 3 seeds"
    assert answer.file == "seed-2/d0/none/m/v2/model.onnx"
    assert row_of(answer, "v2").tags == ["least energy over its life", "smallest"]
    assert row_of(answer, "dense").tags == ["fastest"]
    assert row_of(answer, "v2").costs == {"transfer_bytes": 20.0, "latency": 10.0, "life_cycle_energy": 40.0}


def changed(results, table, **values):
    for column, value in values.items():
        getattr(results, table)[column] = value
    return results


def test_the_baseline_ships_where_no_saving_is_shown():
    results = with_rows(planted(variants=3), "goals", goal("d0", "life_cycle_energy", "dense", 100.0, 100.0))
    answer = only(results)
    assert (answer.headline, answer.chip) == ("Ship the baseline dense", "2 of 3 proven, no saving shown")
    assert answer.chosen is answer.base and answer.chosen.baseline
    assert words.loses(results, answer).startswith("Nobody, because the baseline changes nothing. With v2 instead:")
    assert "No saving is shown by life-cycle energy" in words.saving(results, answer)


@pytest.mark.parametrize(
    ("verdicts", "chip"),
    [(("undecided", "refuted"), "? none proven, 1 of 2 undecided"), (("refuted",) * 2, "✗ all 2 refuted")],
)
def test_the_chip_of_a_study_in_which_nothing_is_proven(verdicts, chip):
    base = decided("d0", "dense", None, p_value=None, tests=None, seeds=None)
    results = results_of(
        ["d0"],
        ["v0", "v1"],
        decisions=[base, *(decided("d0", f"v{i}", verdict) for i, verdict in enumerate(verdicts))],
        goals=[goal("d0", "life_cycle_energy", "dense", 1.0, 1.0)],
        variants=measured("d0", "dense", accuracy=0.9),
    )
    answer = only(results)
    assert (answer.headline, answer.chip) == ("Ship the baseline dense", chip)
    assert all(not row.tags for row in answer.rows)  # a winner among one candidate is none


def test_a_guarded_baseline_ships_nothing():
    guard = {"variant": "dense", "guard": "one_class", "blocks": True, "reason": "one class"}
    results = with_rows(planted(variants=2), "guards", family("d0") | ENGINE | guard)
    results = changed(results, "goals", warning="one class is predicted for all rows")
    answer = only(results)
    assert (answer.headline, answer.status, answer.chip) == (
        "Nothing to ship",
        "warning",
        "! baseline predicts one class",
    )
    assert answer.chosen is None and answer.file is None
    assert [tile.title for tile in words.tiles(answer)] == ["Accuracy"]  # what it costs is no answer
    assert words.loses(results, answer) == "Nobody: nothing is recommended."
    assert words.why(answer).startswith(
        "Nothing is recommended: dense, the baseline, is too weak to compare with: one class"
    )


def test_without_a_measured_file_nothing_is_recommended():
    answer = only(with_rows(planted(variants=2), "goals"))
    assert (answer.headline, answer.chip) == ("Proven: v0, v1", "✓ 2 of 2 proven, no file is measured")
    assert words.why(answer) == "No file is profiled, so that no saving is known."


def test_two_baselines_have_an_answer_each():
    decisions = [decided("d0", name, None, p_value=None, tests=None, seeds=None) for name in ("dense", "tiny")]
    decisions += [decided("d0", "v0", "proven"), decided("d0", "v1", "undecided")]
    other = {"baseline": "tiny"}
    results = results_of(
        ["d0"],
        ["v0", "v1", "tiny"],
        decisions=decisions,
        goals=[
            goal("d0", "life_cycle_energy", "v0", 40.0, 100.0, 60.0),
            goal("d0", "life_cycle_energy", "tiny", 30.0, 30.0) | other,
        ],
        comparisons=[compared("d0", "v0"), compared("d0", "v1") | other],
    )
    first, second = answers(results)
    assert [row.name for row in first.rows] == ["dense", "v0"] and first.headline == "Ship v0"
    assert [row.name for row in second.rows] == ["tiny", "v1"] and second.headline == "Ship the baseline tiny"


def test_two_engines_share_an_answer_and_name_their_rows():
    results = planted(variants=1)
    again = results.decisions.assign(engine="openvino", recommended=False)
    tables = {
        name: getattr(results, name).to_dict("records") for name in ("goals", "comparisons", "variants", "criteria")
    }
    both = pd.concat([results.decisions, again]).to_dict("records")
    answer = only(results_of(["d0"], ["v0"], decisions=both, **tables))
    assert {row.name for row in answer.rows} == {
        f"{name} ({engine})" for name in ("dense", "v0") for engine in ("onnxruntime", "openvino")
    }
    assert [row.name for row in answer.rows if row.ships] == ["v0 (onnxruntime)"]


def test_a_baseline_of_another_augmentation_is_named_with_it():
    place = family("d0") | {"augmentation": "mixed"}
    won = {
        "engine": "onnxruntime",
        "winner_augmentation": "mixed",
        "baseline_augmentation": "none",
        "baseline": "dense",
    }
    results = results_of(
        ["d0"],
        ["v0"],
        decisions=[decided("d0", "v0", "proven") | {"augmentation": "mixed"}],
        goals=[goal("d0", "life_cycle_energy", "v0", 40.0, 100.0, 60.0) | place | won],
        comparisons=[place | ENGINE | BASE | {"variant": "v0", "metric": "accuracy", "value": 0.0, "n": 9}],
    )
    assert [row.name for row in only(results).rows] == ["dense (none)", "v0"]


def test_of_many_variants_the_baseline_and_what_ships_are_always_visible():
    answer = only(planted(variants=40))
    visible = [row.name for row in answer.visible()]
    assert len(answer.rows) == 41 and len(visible) == MOST_ROWS
    assert visible[0] == "dense" and visible[-1] == "v39"
    assert {row.verdict for row in answer.visible()[1:]} == {"proven"}  # there are 14 of them


def test_the_questions_have_an_answer():
    results = planted(variants=3)
    answer = only(results)
    assert (
        words.why(answer)
        == "Proven to keep all 4 criteria; of those proven, it has the lowest life-cycle energy (modelled)."
    )
    assert words.loses(results, answer) == (
        "Accuracy of Male (sex) −0.30 (−0.80 to +0.20) points; "
        "not tested: true positive rate of Other (race) 0.00 (−10.00 to +10.00), 19 rows."
    )
    assert words.unknown(results, answer) == "1 rate of Other (race) is not tested (fewer than 50 rows)."
    assert words.saving(results, answer).startswith("60.0 J (95\N{NO-BREAK SPACE}% interval 54.0 to 66.0) of 100.0 J")
    tiles = {tile.title: (tile.value, *tile.below) for tile in words.tiles(answer)}
    assert tiles["Transfer size"] == ("20.0 kB", "−75 %, was 80.0 kB")
    assert tiles["Accuracy"] == ("89.00 %", "−0.10 (−0.50 to +0.30) points", "largest class 50.00 %")
    assert tiles["Group that loses most"] == ("Male", "by sex", "−0.30 (−0.80 to +0.20) points")


def test_a_cheaper_variant_that_cannot_be_distinguished_is_named():
    results = planted(variants=4)
    results.decisions.loc[results.decisions["variant"] == "v0", "cost"] = 30.0
    assert words.why(only(results)).endswith("v0 needs less, but not distinguishably so, and v3 has the smallest file.")


def test_a_long_reason_is_cut_where_its_numbers_begin():
    results = with_rows(planted(variants=2), "goals", goal("d0", "life_cycle_energy", "dense", 1.0, 1.0))
    few = "fewer than two groups of age have enough rows for the true positive rate"
    results.decisions["verdict"] = [None, "undecided", "undecided"]
    results.decisions["reason"] = [None, f"{few}: {'23 of the 82 test rows of >=60 have the label bad; ' * 3}", "b"]
    expected = f"No compressed variant is proven to keep the criteria: v0, for example, because {few}."
    assert words.why(only(results)) == expected


def test_a_long_reason_by_the_correction_loses_its_p_values_alone():
    results = with_rows(planted(variants=1), "goals", goal("d0", "life_cycle_energy", "dense", 1.0, 1.0))
    alone = f"{'difference of the true positive rate ' * 4}is shown alone, but not after the correction for 2 variants"
    results.decisions["verdict"] = [None, "undecided"]
    results.decisions["reason"] = [None, f"{alone}: p = 0.033, 0.086 corrected"]
    assert words.why(only(results)).endswith(f"v0, for example, because {alone}.")


def test_no_groups_are_said():
    results = planted(variants=1)
    results.study["datasets"]["d0"]["groups"] = {}
    assert words.unknown(results, only(results)).startswith("Nothing is known of groups")


@pytest.mark.parametrize(
    ("p_first", "p_second", "alone"),
    [(0.033, 0.043, True), (0.02, 0.043, False), (0.033, 0.06, True)],  # 2 x 0.033 > 0.05, 2 x 0.02 < 0.05
)
def test_a_criterion_that_holds_alone_but_not_after_the_correction_is_not_plainly_proven(p_first, p_second, alone):
    results = planted(variants=2)
    rows = [criterion("d0", f"v{n}", "accuracy", 0.0, p=p) for n, p in enumerate((p_first, p_second))]
    results = with_rows(results, "criteria", *rows)
    results.decisions.loc[1:, "verdict"] = "undecided"
    test = row_of(only(results), "v0").tests["accuracy"]
    assert (test.verdict, test.symbol, test.kind) == ("proven", *(("(✓)", "alone") if alone else ("✓", "proven")))


def test_the_smallest_p_value_of_a_proven_variant_needs_no_correction_mark():
    results = with_rows(planted(variants=1), "criteria", criterion("d0", "v0", "accuracy", 0.0, p=0.049))
    assert row_of(only(results), "v0").tests["accuracy"].symbol == "✓"


def test_not_known_names_groups_and_combinations():
    results = planted(variants=1)
    row = results.untested.iloc[0].to_dict()
    rows = [row | {"group": name} for name in ("A", "B", "C", "D")]
    text = words.unknown(results, only(with_rows(results, "untested", *rows)))
    assert text == "4 rates of A (race), B (race), C (race) and 1 more are not tested (fewer than 50 rows)."
    text = words.unknown(results, only(with_rows(results, "untested")))
    assert text == "What changes for combinations of sex and race, because each group is tested by itself."
    results.study["criteria"]["attributes"] = ["sex"]
    text = words.unknown(results, only(with_rows(results, "untested")))
    assert text == "What changes for groups other than those of sex."


@pytest.mark.parametrize(("margin", "verdict"), [(0.01, "undecided"), (0.03, "proven")])
def test_two_criteria_on_the_same_groups_share_a_column_with_the_stricter_verdict(margin, verdict):
    male = {"attribute": "sex", "group": "Male"}
    rows = [
        criterion("d0", "v0", "group_accuracy", -0.004, **male),
        criterion("d0", "v0", "worst_group_accuracy", -0.004, verdict, margin=margin, **male),
    ]
    answer = only(with_rows(planted(variants=1), "criteria", *rows))
    (column,) = answer.criteria
    assert (column.short, column.limit) == (
        "Groups",
        f"may fall by {min(100 * margin, 2):g} point{'s' * (margin > 0.01)}",
    )
    assert answer.rows[1].tests[column.key].verdict == verdict


@pytest.mark.parametrize("goal_name", ["life_cycle_energy", "latency", "transfer_bytes"])
def test_the_cost_of_the_goal_comes_first(goal_name):
    results = planted(variants=1)
    results.study["decision"] = results.study["decision"] | {"goal": goal_name}
    assert only(results).costs[0].goal == goal_name
