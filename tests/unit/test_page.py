"""Text from studies and data appears as text, and what cannot be computed is said so."""

import pytest

from fairweight.report.page import number, table, with_spread

NASTY = ['<script>alert("x")</script>', 'quote"s & ampersand', "中文 🎉", "x" * 200, "$\\alpha$ **bold** `code`"]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_escaped(name):
    html = table([name, "n"], [[name, "1"]], name).data
    assert "<script>" not in html and html.count("<td") == 1
    if "<" not in name and '"' not in name and "&" not in name:
        assert html.count(name) == (4 if len(name) <= 80 else 3)  # in short the name of the region, too


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
