"""Passages and pairs, perplexity and stereotypes, and what a study file may ask of a language model."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from fairweight.core import components
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.errors import InputError
from fairweight.core.formatting import DASH
from fairweight.data.readers import passages
from fairweight.evaluation.metric_rows import Assessed
from fairweight.evaluation.metrics import likelihood, stereotypes
from fairweight.evaluation.summarize_causal import LANGUAGE
from fairweight.reporting.report import language
from fairweight.reporting.report.results import TABLES, Results
from fairweight.study.schema import resolve
from fairweight.study.study import Study

OPTIONS = {name: schema.get("default") for name, schema in passages.OPTIONS.items()}


def read(tmp_path, files, **options):
    paths = {}
    for name, content in files.items():
        paths[name] = tmp_path / name
        paths[name].write_bytes(content if isinstance(content, bytes) else content.encode())
    frames = list(passages.read(paths, **(OPTIONS | options)))
    return [row for frame in frames for row in frame[["text", "pair", "kind"]].itertuples(index=False, name=None)]


def test_text_is_cut_at_the_ends_of_sentences(tmp_path):
    text = "One is here. Two is here! Three is a longer one, which goes on? Four."
    rows = read(tmp_path, {"a": text}, characters=30)
    assert [row[0] for row in rows] == ["One is here. Two is here!", "Three is a longer one, which g", "oes on? Four."]
    assert {row[1] for row in rows} == {0} and {row[2] for row in rows} == {None}


def test_the_strings_of_a_list_in_json_are_one_text(tmp_path):
    nested = json.dumps(
        {"work": {"smith": ["A smith works.", "So it is."], "cook": ["A cook cooks."]}, "note": "Alone."}
    )
    assert [row[0] for row in read(tmp_path, {"a": nested})] == ["A smith works. So it is.", "A cook cooks.", "Alone."]
    ten = json.dumps([[f"Number {n}."] for n in range(10)])
    assert [row[0] for row in read(tmp_path, {"a": ten}, passages=2)] == ["Number 0.", "Number 5."]


PAIRS = "sent_more,sent_less,bias_type\na b,c b,age\nd,e,age\nf,g,race\n"


def test_a_pair_is_two_rows_with_opposite_numbers(tmp_path):
    rows = read(tmp_path, {"text": "A text.", "pairs": PAIRS}, pairs=["pairs"])
    ages = [("a b", 1, "age"), ("c b", -1, "age"), ("d", 2, "age"), ("e", -2, "age")]
    assert rows[1:] == [*ages, ("f", 3, "race"), ("g", -3, "race")]
    few = read(tmp_path, {"pairs": PAIRS}, pairs=["pairs"], pairs_a_kind=1)
    assert [row[1] for row in few] == [1, -1, 2, -2] and [row[2] for row in few] == ["age", "age", "race", "race"]


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"a": "Gr\xf6\xdfe".encode("latin-1")}, {}, r"file 'a' is not utf-8 \(byte 0xf6 at position 2, in line 1\)"),
        ({"a": " \n"}, {}, "file 'a' contains no text"),
        ({"a": "[[]]"}, {}, "file 'a' contains no text"),
        ({"a": '["One.", "\\ud83d gone."]'}, {}, r"file 'a' has half a character, \\ud83d, in passage 1; write both"),
        ({"a": "x,y\n1,2\n"}, {"pairs": ["a"]}, "file 'a' has no column 'sent_more'; it has x, y"),
        (
            {"a": PAIRS.replace(",age", ",age,").replace(",race", ",race,")},
            {"pairs": ["a"]},
            "file 'a', line 2: the row has more values than columns",
        ),
        ({"a": ""}, {"pairs": ["a"]}, "file 'a' is empty"),
        ({"a": b"\xff\xfe,b\n"}, {"pairs": ["a"]}, "file 'a' is not utf-8"),
        ({"a": "A text."}, {"pairs": ["b"]}, "there is no file 'b'; there are a"),
    ],
)
def test_texts_that_cannot_be_read(tmp_path, files, options, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, files, **options)


def texts(nll, tokens, pairs=None, baseline=None, groups=None):
    n = len(nll)
    return Assessed(
        labels=np.full(n, -1),
        predictions=np.full(n, -1),
        scores=None,
        probabilities=None,
        classes=0,
        groups={} if groups is None else {"kind": np.array(groups)},
        group_levels={} if groups is None else {"kind": ("age", "race")},
        nll=np.array(nll, float),
        tokens=np.array(tokens),
        utf8_bytes=4 * np.array(tokens),
        pairs=None if pairs is None else np.array(pairs),
        baseline_nll=None if baseline is None else np.array(baseline, float),
    )


def by_name(rows, group=None):
    return {row["metric"]: row for row in rows if row["group"] == group}


def test_perplexity_of_a_uniform_guess_is_the_number_of_choices():
    rows = by_name(likelihood.measure(texts([10 * np.log(8), 30 * np.log(8)], [10, 30])))
    perplexity = rows["perplexity"]
    assert (perplexity["value"], perplexity["low"], perplexity["high"]) == pytest.approx((8, 8, 8))
    assert rows["bits_per_byte"]["value"] == pytest.approx(3 / 4)
    assert perplexity["n"] == 2 and perplexity["denominator"] == 40


def test_interval_of_a_perplexity_is_that_of_a_bootstrap_over_texts():
    rng = np.random.default_rng(0)
    tokens = rng.integers(20, 200, 150)
    nll = tokens * rng.normal(3, 0.5, 150)
    row = by_name(likelihood.measure(texts(nll, tokens)))["perplexity"]
    drawn = rng.integers(150, size=(4000, 150))
    low, high = np.quantile(np.exp(nll[drawn].sum(axis=1) / tokens[drawn].sum(axis=1)), [0.025, 0.975])
    assert (row["low"], row["high"]) == pytest.approx((low, high), rel=0.02)


def test_the_ratio_does_not_depend_on_the_difficulty_of_the_texts():
    rng = np.random.default_rng(1)
    tokens = rng.integers(20, 200, 50)
    before = tokens * rng.normal(3, 1.0, 50)
    rows = by_name(likelihood.measure(texts(before + 0.1 * tokens, tokens, baseline=before)))
    ratio, whole = rows["perplexity_ratio"], rows["perplexity"]
    assert ratio["value"] == pytest.approx(np.exp(0.1))
    assert ratio["high"] - ratio["low"] < 1e-9 < whole["high"] - whole["low"]


def test_sentences_of_pairs_are_no_passages():
    rows = likelihood.measure(texts([np.log(2) * 3, 100, 100], [3, 2, 2], pairs=[0, 1, -1]))
    assert by_name(rows)["perplexity"]["value"] == pytest.approx(2)
    alone = by_name(likelihood.measure(texts([5, 6], [3, 2], pairs=[1, -1])))
    assert alone["perplexity"]["value"] is None and alone["perplexity"]["reason"] == "no tokens"


def test_stereotype_score_counts_pairs_whose_more_stereotyping_sentence_is_likelier():
    nll, pairs = [5, 6, 9, 7, 1, 2, 3], [1, -1, 2, -2, -3, 3, 4]  # pair 4 has only one sentence
    rows = stereotypes.measure(texts(nll, [3] * 7, pairs, baseline=[6, 5, 9, 7, 1, 2, 3], groups=[0, 0, 0, 0, 1, 1, 1]))
    every = by_name(rows)
    score = every["stereotype_score"]
    assert score["value"] == pytest.approx(1 / 3) and score["n"] == 3
    # Wilson's interval of 1 in 3, computed by hand
    assert (score["low"], score["high"]) == pytest.approx((0.06149, 0.79234), abs=1e-4)
    assert every["stereotype_flips"]["value"] == pytest.approx(1 / 3)
    assert by_name(rows, "age")["stereotype_score"]["value"] == 0.5
    assert by_name(rows, "race")["stereotype_score"]["value"] == 0
    assert stereotypes.measure(texts([1, 2], [1, 1], pairs=[0, 0])) == []


# ---- the report


def reported(cells):
    """Results of language models {(model, variant): perplexity}, with scores of a common and an own kind of pairs."""
    rows, scores = [], []
    for (model, variant), perplexity in cells.items():
        at = {"dataset": "d", "augmentation": "none", "model": model, "variant": variant, "engine": "onnxruntime"}
        bounds = {"perplexity_low": perplexity - 1, "perplexity_high": perplexity + 1}
        numbers = {name: 1.0 for name, kind in LANGUAGE.items() if kind is float} | {"tokens": 10 * perplexity}
        rows.append({**at, "weights": "float32", "method": None, **numbers, "perplexity": perplexity, **bounds})
        about = {"metric": "stereotype_score", "attribute": "bias", "part": "test", "n": 9, "status": "ok"}
        for kind in ("age", f"only {variant}"):
            scores.append({**at, **about, "group": kind, "value": perplexity / 100, "low": 0.0, "high": 1.0})
    tables = {name: pd.DataFrame() for name in TABLES}
    tables |= {"language": pd.DataFrame(rows), "assessments": pd.DataFrame(scores)}
    variants = {variant: {"pretrained": {}} for _, variant in cells}
    return Results(**tables, cards=[], provenance={"study": {"variants": variants, "models": {}}})


def test_every_model_of_a_grid_is_shown_and_named():
    results = reported({("one", "published"): 11.0, ("two", "published"): 22.0, ("two", "int8"): 33.0})
    table = language.overview(results).data
    assert ">one<" in table and ">two<" in table and ">Model<" in table
    assert "110 tokens in 1 passage (one); 220 tokens" in table
    shown = language.bias(results).data
    assert {f">{value:.1f}<small>" in shown for value in (11, 22, 33)} == {True}
    assert shown.count(">one<") == 2 and shown.count(">two<") == 3 and f">{DASH}<" in shown
    assert language.trade_off(results) is not None


def test_one_model_alone_needs_no_name():
    results = reported({("one", "published"): 11.0, ("one", "int8"): 12.0})
    assert ">one<" not in language.overview(results).data + language.bias(results).data


# ---- study files


def study(**changes):
    config = yaml.safe_load((ROOT / "config" / "llm.yaml").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = config
        for key in parents:
            node = node[key]
        node[last] = value
    return Study(resolve(config))


needs_llm = pytest.mark.skipif(
    components.missing_extra("architectures", "causal_lm") is not None, reason="the extra `llm` is not installed"
)


@needs_llm
def test_published_models_do_not_depend_on_the_seed_and_are_not_decided():
    seeded = study(seeds=4)
    assert {seed for cell in seeded.cells for seed in seeded.seeds_of(cell)} == {0}
    assert len(seeded.profiled("english", "smollm2", "onnxruntime")) == len(seeded.cells)
    assert seeded.comparisons == []


@needs_llm
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants__int8__quantize": "dynamic"}, "quantize: 'dynamic' is not for the task 'language_modelling'"),
        ({"datasets__english__split": {"test": 0.5}}, "split: test: set it to 'all'"),
        ({"datasets__english__split": {"test": ["wiki"]}}, "split: test: 'wiki' is not a file of this study"),
        (
            {"datasets__english__split": {"test": "all"}},
            "variants: int4_awq: quantize: awq: True calibrates on training rows, and 'split: test: all' leaves none",
        ),
        ({"models__smollm2__sha256": None}, "models: smollm2: 'sha256' is missing"),
        (
            {"models__smollm2__sources": ["https://host/pytorch_model.bin"]},
            "is not a GGUF file; .* a pickle is never loaded",
        ),
        ({"models__smollm2": {"architecture": "mlp"}}, "architecture 'mlp' of model 'smollm2' is trained"),
        ({"datasets__english__target": {"column": "kind"}}, "the key 'target' must be left out"),
        (
            {
                "datasets__english__split": {"test": "all"},
                "variants__published": {"train": "standard"},
                "training": {"standard": {"epochs": 1}},
            },
            "leaves no rows to train",
        ),
    ],
)
def test_what_a_study_of_a_language_model_cannot_ask(changes, message):
    with pytest.raises(InputError, match=message):
        study(**changes)


@needs_llm
def test_a_method_that_trains_is_not_for_published_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_q.py").write_text("def mine(source, destination, calibration, *, network):\n    pass\n")
    with pytest.raises(InputError, match=r"int8: quantize: 'my_q:mine' trains .* name a method that does not"):
        study(variants__int8__quantize={"method": "my_q:mine"})
