"""Cards for a model hub: Markdown that shows names as text, and legal names of repositories."""

import re

import numpy as np
import pandas as pd
import pytest
from hostile import NAMES
from huggingface_hub import DatasetCard, ModelCard
from huggingface_hub.utils import validate_repo_id
from markdown_it import MarkdownIt
from scipy import stats
from small_results import CARD, results_with

from fairweight.energy.amounts import AMOUNTS
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.datacards import data_card, licence_identifier
from fairweight.reporting.hub.evidence import _shares
from fairweight.reporting.hub.modelcards import model_card
from fairweight.reporting.hub.names import repository
from fairweight.reporting.hub.tasks import published_name, task_of


def shown(text: str) -> list[str]:
    """Text of every inline piece, as a CommonMark reader with tables shows it; fails if it holds more than text."""
    pieces = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        if token.type == "inline":
            assert all(child.type in ("text", "softbreak") for child in token.children), token.children
            pieces.append("".join(child.content for child in token.children))
    return pieces


@pytest.mark.parametrize("kind", NAMES)
def test_names_come_out_as_text(kind):
    name = NAMES[kind]
    page = markdown.page(
        {"pretty_name": name}, {"Part": markdown.table(["A", "B"], [[markdown.escape(name)] * 2])}, name
    )
    assert shown(page.split("---\n", 2)[2]) == [name, "Part", "A", "B", name, name]
    assert shown(markdown.escape(name)) == [name]
    assert DatasetCard(page).data.pretty_name == name


@pytest.mark.parametrize(
    "number", ["1.5", "12", "1,234.0", "+0.5", "-2", "\N{MINUS SIGN}3.5", "25.30 (20.10 to 30.20)"]
)
def test_numbers_stay_as_they_are(number):
    assert markdown.escape(number) == number and shown(number) == [number]


def test_code_is_fenced_whatever_it_holds():
    tokens = MarkdownIt().parse(markdown.fenced("a\n```\nb\n````\n"))
    assert [t.type for t in tokens] == ["fence"] and tokens[0].content == "a\n```\nb\n````\n"


@pytest.mark.parametrize("name", [*NAMES.values(), "..", "a--b", "-", "ends-", "a.b", "x" * 95 + "."])
def test_repositories_have_legal_names_that_differ(name):
    repositories = [repository("study", name), repository("study", name + "!"), repository(name, "study")]
    for legal in repositories:
        validate_repo_id(legal)
        validate_repo_id(f"me/{legal}"[:96].rstrip("-."))
    assert len(set(repositories)) == 3


def test_ordinary_names_stay_as_they_are():
    assert repository("default", "adult", "mlp", "pruned90_int8") == "default-adult-mlp-pruned90_int8"


def test_licences_have_the_hub_s_identifiers():
    identifiers = [licence_identifier(text) for text in ("CC BY 4.0", "CC BY-SA 3.0", "MIT", None, "ask me")]
    assert identifiers == ["cc-by-4.0", "cc-by-sa-3.0", "mit", "unknown", "other"]


def test_the_validator_would_find_a_broken_card():
    with pytest.raises(Exception, match=r"model-index|EvalResult|results|name"):
        _ = ModelCard("---\nmodel-index:\n- results: 3\n---\n").data.eval_results[0]
    assert re.match("---\n", markdown.page({}, {}, "x"))


def seeds(*values, rows=100):
    return pd.DataFrame({"value": values, "denominator": rows, "attribute": None, "group": None})


def test_the_interval_of_one_seed_is_that_of_its_rows():
    accuracy = next(iter(_shares(seeds(0.8))))
    low, high = stats.t.interval(0.95, 99, loc=0.8, scale=np.sqrt(0.8 * 0.2 / 100))
    assert (accuracy.low, accuracy.high) == pytest.approx((low, high)) and accuracy.sd is None


def test_the_interval_covers_new_seeds_and_new_rows():
    """Oracle: a population whose accuracy is known, of which seeds and rows are drawn 400 times."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        shift, hard = rng.normal(0, 0.02, 5), rng.normal(size=300)
        threshold = stats.norm.ppf(np.clip(0.8 + shift, 0, 1))[:, None] * np.sqrt(2)
        right = hard[None, :] + rng.normal(size=(5, 300)) < threshold
        accuracy = next(iter(_shares(seeds(*right.mean(axis=1), rows=300))))
        covered += accuracy.low <= 0.8 <= accuracy.high
    assert covered / 400 > 0.93


def test_a_share_of_1_has_no_interval():
    assert next(iter(_shares(seeds(1.0, 1.0)))).low is None


TABULAR = {"numeric": ["x"], "categorical": [], "image": None, "text": None}
TEXT = TABULAR | {"numeric": [], "text": "comment"}
HUB_FILE = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/model.safetensors"


@pytest.mark.parametrize(
    ("inputs", "task", "expected"),
    [
        (TABULAR, "classification", "tabular-classification"),
        (TABULAR | {"numeric": []}, "classification", "tabular-classification"),  # scores are given
        (TABULAR | {"numeric": [], "image": "image"}, "classification", "image-classification"),
        (TEXT, "classification", "text-classification"),
        (TEXT, "language_modelling", "text-generation"),
    ],
)
def test_tasks_have_the_hub_s_names(inputs, task, expected):
    assert task_of({"inputs": inputs, "task": task}) == expected


def test_the_published_model_is_known_by_its_place_on_the_hub():
    files = {"config.json": {"sources": ["file:/x"]}, "model.safetensors": {"sources": ["pypi:a==1/b", HUB_FILE]}}
    for model in ({"hub": "me/mine@main"}, {"hub": None, "files": files}, {"sources": [HUB_FILE]}):
        assert published_name(model) in ("me/mine", "sentence-transformers/all-MiniLM-L6-v2")
    assert published_name({"folder": "here"}) is None is published_name({"architecture": "mlp"})
    assert published_name({"sources": ["https://huggingface.co/datasets/a/b/resolve/main/c"]}) is None


def test_a_data_card_says_that_its_rows_are_texts():
    card = DatasetCard(
        data_card(CARD | {"text": True, "columns": {"numeric": [], "categorical": {}}}, "text-classification")
    )
    assert card.data.task_categories == ["text-classification"]
    assert "200 rows; texts." in card.text and "columns" not in card.text.partition("## Labels")[0]
    assert "There are none" in data_card(CARD | {"text": True, "label": {}, "classes": []}, "text-generation")


CELL = {"dataset": "d", "augmentation": "none", "model": "m"}


def carded(variant, lineage, model, inputs=TEXT, task="classification", rows=()):
    variants = {
        "dense": {"train": "full"},
        "published": {"pretrained": {}},
        "int8": {"from": "dense", "quantize": {"method": "dynamic"}},
    }
    datasets = {"d": {"groups": {}, "inputs": inputs, "task": task}}
    study = {"models": {"m": model}, "datasets": datasets, "variants": variants}
    made = {**CELL, "rule": "train", "variant": "dense", **dict.fromkeys(AMOUNTS, 6.0)}
    steps = [
        made | {"seed": 0},
        made | {"rule": "quantize", "variant": "int8", "seed": 0},
        made | {"rule": "pretrained", "variant": "published", "seed": 0},
    ]
    about = {
        **CELL,
        "variant": variant,
        "engine": "onnxruntime",
        "part": "test",
        "class": None,
        "attribute": None,
        "group": None,
        "n": 9,
    }
    # other models have six seeds
    others = [about | {"model": "n", "seed": s, "metric": "accuracy", "value": 0.5, "denominator": 9} for s in range(6)]
    results = results_with(
        card={"text": bool(inputs["text"])},
        study=study,
        steps=steps,
        assessments=[*others, *(about | {"seed": 0} | row for row in rows)],
    )
    return ModelCard(model_card(results, CELL | {"variant": variant}, lineage))


ACCURACY = {"metric": "accuracy", "value": 0.8, "denominator": 9}


def test_a_model_from_published_weights_is_finetuned():
    hub = {"architecture": "pretrained", "hub": "me/mine@main"}
    card = carded("dense", ["dense"], hub, rows=[ACCURACY])
    relation = (card.data.pipeline_tag, card.data.base_model, card.data.base_model_relation)
    assert relation == ("text-classification", "me/mine", "finetune")
    assert card.data.co2_eq_emissions["training_type"] == "fine-tuning"
    assert "from published weights of me/mine" in card.text
    assert card.data.co2_eq_emissions["emissions"] == 6  # made once, in a study of six seeds
    child = carded("int8", ["int8", "dense"], hub, rows=[ACCURACY]).data
    assert (child.base_model, child.base_model_relation) == ("study-d-m-dense", "quantized")
    local = carded("dense", ["dense"], {"architecture": "pretrained", "folder": "here"}).data
    assert local.co2_eq_emissions["training_type"] == "fine-tuning" and local.base_model is None
    fresh = carded("dense", ["dense"], {"architecture": "mlp"}, TABULAR).data
    assert fresh.co2_eq_emissions["training_type"] == "pre-training" and fresh.pipeline_tag == "tabular-classification"


def test_the_card_of_a_language_model_has_its_kind_and_measures():
    rows = [
        {"metric": "perplexity", "value": 25.3, "low": 20.1, "high": 30.2},
        {"metric": "bits_per_byte", "value": 1.25},
        {"metric": "stereotype_score", "value": 0.6, "low": 0.55, "high": 0.65},
        {"metric": "stereotype_score", "value": 0.7, "low": 0.5, "high": 0.9, "attribute": "bias", "group": "age"},
    ]
    model = {"architecture": "causal_lm", "sources": [HUB_FILE]}
    card = carded("published", ["published"], model, task="language_modelling", rows=rows)
    assert card.data.pipeline_tag == "text-generation" and "classifier" not in card.text
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    metrics = {r.metric_name: r for r in card.data.eval_results}
    assert metrics["Perplexity"].metric_value == 25.3
    assert metrics["Perplexity"].metric_args["interval_95"] == [20.1, 30.2]
    assert metrics["Stereotype score of age by bias"].metric_value == 0.7
    assert "| Perplexity | – | all | 25.30 (20.10 to 30.20) | 9 |" in card.text
    assert "| Stereotype score, % | bias | age | 70.0 (50.0 to 90.0) | 9 |" in card.text
    assert "| Bits per byte, bits | – | all | 1.250 | 9 |" in card.text
    assert "A language model, tested on Data" in card.text and '"probabilities"' not in card.text
