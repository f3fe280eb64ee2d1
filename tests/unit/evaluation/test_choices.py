"""Accuracy of a language model's answers: numbers of texts, the reader of questions, and the metric by hand."""

import json

import numpy as np
import pytest

from fairweight.core import components, text_sets
from fairweight.core.errors import InputError
from fairweight.evaluation.metric_rows import Assessed
from fairweight.evaluation.metrics import choices, stereotypes

RECORDS = [
    {"story": "It rained.", "question": "Was it wet?", "ans0": "Yes", "ans1": "No, never", "label": 0, "category": "a"},
    {"story": "It is hot.", "question": "Is it ice?", "ans0": "It is", "ans1": "No", "label": "No", "category": "b"},
    {"story": "It is 9.", "question": "Is it late?", "ans0": "Yes", "ans1": "No", "label": "1", "category": "b"},
]
OPTIONS = {"questions": ["quiz"], "question": ["story", "question"], "answers": ["ans0", "ans1"]}


def rows(tmp_path, records=RECORDS, **changes):
    path = tmp_path / "quiz.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    options = defaults() | OPTIONS | changes
    return next(iter(components.load("readers", "passages")({"quiz": path}, **options)))


def defaults():
    declared = components.literal("readers", "passages", "OPTIONS")
    return {name: about["default"] for name, about in declared.items()}


def test_questions_become_one_text_alone_and_one_for_each_answer(tmp_path):
    frame = rows(tmp_path)
    assert frame["text"].tolist()[:3] == [
        "It rained. Was it wet?",
        "It rained. Was it wet? Yes",
        "It rained. Was it wet? No, never",
    ]
    whole = text_sets.questions(frame["pair"].to_numpy())
    assert whole == {1: (0, [1, 2], [True, False]), 2: (3, [4, 5], [False, True]), 3: (6, [7, 8], [False, True])}
    assert frame["category"].tolist() == ["a"] * 3 + ["b"] * 6
    assert len(rows(tmp_path, questions_a_kind=1)) == 6
    (tmp_path / "quiz.csv").write_text("question,ans0,ans1,label,category\nWet?,Yes,No,Yes,a\n")
    read = components.load("readers", "passages")
    options = defaults() | OPTIONS | {"question": ["question"]}
    table = next(iter(read({"quiz": tmp_path / "quiz.csv"}, **options)))
    assert table["text"].tolist() == ["Wet?", "Wet? Yes", "Wet? No"] and (table["pair"] > 0).tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"label": 2}, "question 1: the right answer in column 'label' is none of the 2 answers"),
        ({"label": "Perhaps"}, "is none of the 2 answers"),
        ({"ans1": None, "labels": 1}, None),
    ],
)
def test_an_answer_that_there_is_not_is_refused(tmp_path, changes, sentence):
    records = [RECORDS[0] | changes]
    if sentence is None:
        del records[0]["label"]
        sentence = "there is no column 'label'"
    with pytest.raises(InputError, match=sentence):
        rows(tmp_path, records)


def test_a_file_that_is_not_json_or_not_there_is_refused(tmp_path):
    (tmp_path / "quiz").write_text('{"a": 1}\n{"a":')
    read, options = components.load("readers", "passages"), defaults() | OPTIONS
    with pytest.raises(InputError, match="line 2: this is not JSON"):
        list(read({"quiz": tmp_path / "quiz"}, **options))
    with pytest.raises(InputError, match="reader: questions: there is no file 'quiz'"):
        list(read({"quizz": tmp_path / "quiz"}, **options))


def assessed(nll, lengths, numbers, baseline=None, groups=None):
    size = len(nll)
    return Assessed(
        labels=np.full(size, -1),
        predictions=np.full(size, -1),
        scores=None,
        probabilities=None,
        classes=0,
        groups={"kind": np.array(groups)} if groups else {},
        group_levels={"kind": ("a", "b")} if groups else {},
        nll=np.array(nll, float),
        tokens=np.ones(size, int),
        utf8_bytes=np.array(lengths),
        pairs=np.array(numbers),
        baseline_nll=None if baseline is None else np.array(baseline, float),
    )


def question(number, right, answers=2):
    return [
        text_sets.question(number),
        *(text_sets.answer(number, right=position == right) for position in range(answers)),
    ]


def test_the_chosen_answer_is_the_likeliest_one_for_its_length():
    numbers = [*question(1, 0), *question(2, 1, answers=3)]
    lengths = [10, 12, 30, 8, 10, 12, 18]
    nll = [5, 7, 20, 4, 6, 8, 15]  # per byte of the answer: 1, .75; 1, 1 (the first one is taken), 1.1
    chosen, right, chance = choices.choices(np.array(numbers), np.array(nll, float), np.array(lengths))
    assert chosen.tolist() == [1, 0] and right.tolist() == [0, 1]
    assert chance == pytest.approx((1 / 2 + 1 / 3) / 2)
    before = [5, 6, 25, 4, 9, 6, 15]  # .5, 1; 2.5, .5
    by_group = {
        (row["metric"], row["group"]): row
        for row in choices.measure(assessed(nll, lengths, numbers, before, [0, 0, 0, 1, 1, 1, 1]))
    }
    assert by_group["choice_accuracy", None]["value"] == 0 and by_group["choice_accuracy", None]["n"] == 2
    assert by_group["choice_flips", None]["value"] == 1
    again = choices.measure(assessed(before, lengths, numbers, before, [0, 0, 0, 1, 1, 1, 1]))
    assert [row["value"] for row in again if row["metric"] == "choice_accuracy"] == [1, 1, 1]
    assert [row["value"] for row in again if row["metric"] == "choice_flips"] == [0, 0, 0]


def test_questions_are_no_pairs_and_incomplete_ones_do_not_count():
    numbers = [0, 1, -1, *question(1, 0), text_sets.question(2), text_sets.answer(2, right=True)]
    rows = assessed([3, 1, 2, 1, 2, 3, 1, 1], [4] * 8, numbers)
    assert [row["n"] for row in choices.measure(rows)] == [1]
    assert [(row["metric"], row["value"], row["n"]) for row in stereotypes.measure(rows)] == [
        ("stereotype_score", 1, 1)
    ]
    assert choices.measure(assessed([1, 2], [4, 4], [1, -1])) == []
