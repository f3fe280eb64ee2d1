"""Counterfactual texts about another group, and masked words."""

import dataclasses

import numpy as np
import pytest
from tables import TFIDF, comments
from trained_study import Study

from fairweight.core import components
from fairweight.core.artifacts import read_predictions
from fairweight.core.errors import InputError
from fairweight.data.counterfactual_terms import Terms
from fairweight.evaluation.metric_rows import Assessed
from fairweight.inference.predict import predict


def test_words_for_a_group_are_swapped_whole_and_keep_their_capital():
    terms = Terms.read("identities")
    assert terms.swapped("Black people and a woman", "jews") == "Jewish people and a jewish person"
    assert terms.swapped("Blackboard, manwoman, unjewish", "jews") is None
    assert terms.named("some women and gays") == {"women", "lgbtq"}
    text = "a woman walks"
    assert {terms.counterfactual(text, draw) for draw in range(4)} == {
        f"a {person} walks" for person in ("black person", "jewish person", "gay person", "muslim person")
    }
    assert terms.counterfactual("nobody", 0) is None


def test_a_file_that_is_no_list_of_terms_is_refused(tmp_path):
    path = tmp_path / "terms.yaml"
    for content, words in (
        ("words: {a: {one: [x]}}", "fewer than two"),
        ("[]", "does not hold"),
        ("words: [", "terms: .*line 2, column 1: this is not YAML"),
        ("words:\n  a: {one: [x]}\n  a: {two: [y]}", "terms: .*line 3, column 3: the key 'a' occurs twice"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=words):
            Terms.read(str(path))
    with pytest.raises(InputError, match="identities"):
        Terms.read("nothing")


def test_counterfactual_flips_are_those_of_rows_with_such_words_only(tmp_path):
    table = comments()
    said = np.where(table.label == 1, "a woman is good", "a jewish person is poor")
    said[:30] = "the cat is good"
    table = dataclasses.replace(table, texts=said.astype(object))
    study = Study(tmp_path, table, TFIDF)
    study.train(epochs=4, learning_rate=0.05)
    path = study.export()
    outputs = {"destination": str(tmp_path / "p"), "checks": str(tmp_path / "c")}
    inputs = {"model": path, "table": study.data["table"], "split": study.data["split"]}
    predict(**inputs, **outputs, engine="onnxruntime", batch_size=16, threads=1, counterfactuals="identities")
    columns, _ = read_predictions(tmp_path / "p")
    assert ((columns["swapped"] == -1) == (table.texts[columns["row"]] == "the cat is good")).all()
    assessed = Assessed(
        labels=np.array([0, 1, 1, 1]),
        predictions=np.array([0, 1, 1, 0]),
        scores=None,
        probabilities=None,
        classes=2,
        groups={},
        group_levels={},
        swapped=np.array([0, 0, -1, 1]),
    )
    (metric_row,) = components.load("metrics", "consistency")(assessed)
    assert metric_row["value"] == pytest.approx(2 / 3) and metric_row["n"] == 3


def test_masking_hides_about_its_share_and_leaves_a_word():
    table = comments(400)
    mask = components.load("augmentations", "masking")
    made = mask(table, np.random.default_rng(0), share=1.0, words=0.3, mask="@")
    shares = [text.split().count("@") / len(text.split()) for text in made.texts]
    assert 0.2 < np.mean(shares) < 0.35 and max(shares) < 1
