"""Text from studies and data appears as text, and what cannot be computed is shown as not estimable."""

import pytest

from fairweight.core.formatting import as_stated, number, p_value, points, significant, with_spread
from fairweight.reporting.report.page import opened, table
from fairweight.reporting.report.render import without_marks

NASTY = ['<script>alert("x")</script>', 'quote"s & ampersand', "中文 🎉", "x" * 200, "$\\alpha$ **bold** `code`"]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_escaped(name):
    html = table([name, "n"], [[name, "1"]], name).data
    assert "<script>" not in html and html.count("<td") == 1
    if "<" not in name and '"' not in name and "&" not in name:
        assert html.count(name) == (4 if len(name) <= 80 else 3)  # a short name is also that of the region


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (None, {}, "not estimable"),
        (float("nan"), {}, "not estimable"),
        (0.0, {}, "0.0"),
        (-0.004, {"digits": 2}, "0.00"),
        (-0.04, {"digits": 2}, "\N{MINUS SIGN}0.04"),
        (0.04, {"digits": 2, "signed": True}, "+0.04"),
        (1234567.0, {"digits": 0}, "1,234,567"),
    ],
)
def test_numbers_for_people(value, options, text):
    assert number(value, **options) == text


def test_one_seed_shows_no_spread():
    assert with_spread(1.0, None) == "1.0" and with_spread(1.0, 0.5) == "1.0 ± 0.5"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.025, "2.5"),
        (0.005, "0.5"),
        (0.05, "5"),
        (0.0025, "0.25"),
        (0.0004, "0.04"),
        (0.125, "12.5"),
        (0.07, "7"),
        (None, "not estimable"),
    ],
)
def test_values_of_the_study_file_are_not_rounded(value, text):
    assert as_stated(value, 100) == text
    assert points(0.01) == "1 point" and points(0.0025) == "0.25 points"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8 / 3.6e6 * 381, "0.000847"),
        (0.03 / 3.6e6 * 381, "0.00000318"),
        (0, "0"),
        (12345.6, "12,300"),
        (9.999, "10.0"),
        (-0.5, "\N{MINUS SIGN}0.500"),
        (float("nan"), "not estimable"),
    ],
)
def test_significant_digits_distinguish_a_small_amount_from_zero(value, text):
    assert significant(value) == text


def test_small_p_values_are_shown_as_below_a_bound():
    assert (p_value(0.0004), p_value(0.0234)) == ("below 0.001", "0.023")


def test_captions_and_notes_are_escaped_and_a_folded_table_says_what_it_holds():
    page = table(["x"], [["1"], ["2"]], "a < b.", notes="c & d").data
    assert page.startswith('<details class="fold"><summary>a &lt; b <span class="size">2 rows</span></summary>')
    assert "<figcaption>c &amp; d</figcaption>" in page
    with_finding = table(["x"], [["1"]], "a", finding="3 of <4> proven").data
    assert '<summary>a <span class="size">3 of &lt;4&gt; proven; 1 row</span>' in with_finding
    assert opened(table(["x"], [["1"]], "a")).data.startswith('<details class="fold" open>') and opened(None) is None


def test_a_cell_that_repeats_the_one_above_is_there_for_sorting_and_for_screen_readers():
    page = table(["Variant", "By", "n"], [["int8\nproven", "", "1"], ["", "sex", "2"]], "t", text_columns=2, repeated=1)
    assert page.data.count('<span class="again">int8</span>') == 1 and page.data.count("proven") == 1
    assert '<td class="text"></td>' in page.data  # an empty cell of another column stays empty


def test_a_mark_that_would_reorder_or_hide_a_name_is_shown():
    assert without_marks("<td>m\u202eelam</td>") == "<td>m[U+202E]elam</td>"
    assert without_marks("a\u200bb \u2066c\u2069") == "a[U+200B]b [U+2066]c[U+2069]"
    assert without_marks("5\u00a0% größer, 体重, \U0001f468\u200d\U0001f469 می\u200cخواهم") == (
        "5\u00a0% größer, 体重, \U0001f468\u200d\U0001f469 می\u200cخواهم"
    )
