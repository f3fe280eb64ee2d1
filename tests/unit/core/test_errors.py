"""A mistake is one sentence of bounded length, whatever it quotes."""

import pickle

import pytest

from fairweight.core.errors import (
    LONGEST_LIST,
    LONGEST_REASONS,
    LONGEST_SENTENCE,
    InputError,
    did_you_mean,
    joined,
    known,
    listed,
    shown,
    similar,
)
from fairweight.core.local_files import similar_file


@pytest.mark.parametrize(
    ("quoted", "text"),
    [
        ("red\x1b[31m", r"red\x1b[31m"),
        ("two\nlines\r", r"two\nlines\r"),
        ("nul\0", r"nul\x00"),
        ("right\u202eleft", r"right\u202eleft"),  # a direction mark
        ("no\xa0break", r"no\xa0break"),
        ("half\ud83d", r"half\ud83d"),
        ("Größe 体重 \\x1b", "Größe 体重 \\x1b"),
    ],
)
def test_characters_that_do_not_print_are_shown_as_escapes(quoted, text):
    message = str(InputError(f"column {quoted}"))
    assert message == f"column {text}" and message.isprintable()
    assert str(InputError(message)) == message  # a sentence is often put into another one
    assert text in listed([quoted])


def test_a_long_sentence_keeps_its_place_and_its_remedy():
    message = str(InputError(f"datasets: d: {'x' * 10_000}; rename it"))
    assert len(message) <= LONGEST_SENTENCE
    assert message.startswith("datasets: d: ") and message.endswith("; rename it")
    assert str(pickle.loads(pickle.dumps(InputError("a sentence")))) == "a sentence"


def test_long_lists_end_with_their_number():
    assert listed([]) == "none" and listed(["a", 2]) == "a, 2"
    many = listed(f"column{i}" for i in range(100_000))
    assert many.startswith("column0, column1, ") and many.endswith(", ... (100,000 in all)")
    assert len(many) < LONGEST_LIST + 100
    assert listed(["a", "b" * 61]) == "a, a text of 61 characters"
    assert shown("b" * 61) == "a text of 61 characters"
    with pytest.raises(
        InputError, match=r"from: 'x' is not a variant of this study; there are: v0, .* \(9,999 in all\)"
    ):
        known("x", [f"v{i}" for i in range(9_999)], "from", "a variant")


def test_reasons_that_do_not_fit_are_counted_and_the_place_of_the_rest_is_named():
    assert joined(["a is b", "c is d"], "in the log") == "a is b; c is d"
    many = joined((f"reason {number}" for number in range(1_200)), "in the log")
    assert many.startswith("reason 0; reason 1; ") and many.endswith(" more in the log") and ", " not in many[:-30]
    shown_, left = many.count("reason"), int(many.split("; and ")[1].split()[0].replace(",", ""))
    assert shown_ + left == 1_200 and len(many) < LONGEST_REASONS + 40
    assert len(joined(["x" * 9_999, "y"], "in the log")) < LONGEST_REASONS + 40


def test_a_sentence_that_quotes_another_one_ends_in_one_mark():
    for text in ("use it?.", "use it..", "use it."):
        assert str(InputError(f"place: {text}")) == f"place: {text.rstrip('.') if '?' in text else 'use it.'}"
    assert str(InputError("cut ...")) == "cut ..."


def test_a_misspelt_name_is_suggested():
    with pytest.raises(InputError) as caught:
        known("prunned", ["dense", "pruned"], "grid: entry 1: variants", "a variant")
    assert "'prunned' is not a variant of this study (did you mean 'pruned'?); there are: dense, pruned." in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("prunned", "prune"),  # letters
        ("SEX", "sex"),  # case
        ("group dro", "group_dro"),  # blanks and dashes
        ("onnx", "onnxruntime"),  # the begin
        ("cheque", "check"),
        ("f ", "F"),
        ("", None),
        ("x", None),
        ("completely else", None),
        ("x" * 500, None),
    ],
)
def test_the_most_similar_name_is_found(name, near):
    legal = ["check", "prune", "prune_onnx", "sex", "group_dro", "onnxruntime", "F", "a text " * 30]
    assert similar(name, legal) == near
    assert did_you_mean(name, legal) == ("" if near is None else f" (did you mean '{near}'?)")


def test_nothing_is_suggested_where_the_name_exists():
    assert did_you_mean("sex", ["sex", "sexe"]) == "" and did_you_mean(5, [5, 6]) == ""


def test_a_similar_file_of_the_same_folder_is_suggested(tmp_path):
    for name in ("people.csv", "other.txt"):
        (tmp_path / name).touch()
    assert similar_file(tmp_path / "peeple.csv") == " (did you mean 'people.csv'?)"
    for nothing in ("xyz", "people.csv", "absent/people.csv", "a\0b", "x" * 5_000):
        assert similar_file(tmp_path / nothing) == ""
