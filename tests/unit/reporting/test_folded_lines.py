"""The line of a folded table says what the table holds."""

from planted_answers import planted

from fairweight.reporting.report import decision


def line_of(page):
    return page.data.split("</summary>")[0]


def test_criteria_and_goals_and_untested_rates_say_their_result():
    results = planted(variants=4)
    results.criteria["catches_up"] = results.criteria["catches_up"].astype(bool)
    results.study["life_cycle"] = {"years": 1}
    assert "2 of 4 verdicts proven; 20 rows" in line_of(decision.criteria(results, "d0"))
    assert "by the goal of the study: v3; 3 rows" in line_of(decision.goals(results, "d0"))
    assert "1 rate of 1 group; 1 row" in line_of(decision.untested(results, "d0"))
