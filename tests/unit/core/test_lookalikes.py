"""Names that look alike have the same look; letters and characters that nobody expects are named."""

import pytest

from fairweight.core.lookalikes import code_points, hidden, look, scripts, strange_letters


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("male", "m\u0430le", True),
        ("male", "male\u200b", True),
        ("male", "\u202emale\u202c", True),
        ("male", "\uff4d\uff41\uff4c\uff45", True),  # full width
        ("a b", "a\xa0 b", True),
        ("a b", " a  b", True),
        ("\u00e9", "e\u0301", True),
        ("\u041c\u041e\u0421", "MOC", True),
        ("male", "Male", False),
        ("\u00e9", "e", False),
        ("\u0436", "x", False),
        ("l", "1", False),
    ],
)
def test_names_that_look_alike(name, other, same):
    assert (look(name) == look(other)) == same


@pytest.mark.parametrize(
    ("name", "characters"),
    [
        ("plain", ""),
        ("a\u200bb", "\u200b"),
        ("a\u200d", "\u200d"),
        ("\u0645\u06cc\u200c\u062e", ""),
        ("\ufeffa", "\ufeff"),
    ],
)
def test_characters_that_cannot_be_seen(name, characters):
    assert hidden(name) == list(characters)


def test_letters_of_another_script_within_a_word():
    assert strange_letters("m\u0430le, female") == ["\u0430"]
    for usual in ("\u03b2-blocker", "\u6771\u4eacTokyo", "caf\u00e9", "\u041c\u043e\u0441\u043a\u0432\u0430 Moscow"):
        assert strange_letters(usual) == []
    assert scripts("m\u0430le") == {"LATIN", "CYRILLIC"} and scripts("\u03b2-blocker") and not scripts("male")
    assert code_points(["\u0430", "\u202e"]) == "U+0430 cyrillic small letter a, U+202E right-to-left override"
