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
from fairweight.reporting.hub import cards, markdown
from fairweight.reporting.hub.datacards import data_card, licence_identifier
from fairweight.reporting.hub.evidence import _shares
from fairweight.reporting.hub.files import shipped_file
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
    """Metric rows of one share, seeds from 0."""
    others = {"denominator": rows, "attribute": None, "group": None, "low": None, "high": None}
    return pd.DataFrame({"seed": range(len(values)), "value": values, **others})


def test_the_interval_of_one_seed_is_that_of_its_rows():
    accuracy = next(iter(_shares(seeds(0.8), 0)))
    low, high = stats.t.interval(0.95, 99, loc=0.8, scale=np.sqrt(0.8 * 0.2 / 100))
    assert (accuracy.low, accuracy.high) == pytest.approx((low, high)) and accuracy.sd is None


def test_the_interval_covers_new_seeds_and_new_rows():
    """Oracle: a population whose accuracy is known, of which seeds and rows are drawn 400 times."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        shift, hard = rng.normal(0, 0.02, 5), rng.normal(size=300)
        threshold = stats.norm.ppf(np.clip(0.8 + shift, 0, 1))[:, None] * np.sqrt(2)
        right = hard[None, :] + rng.normal(size=(5, 300)) < threshold
        accuracy = next(iter(_shares(seeds(*right.mean(axis=1), rows=300), 0)))
        covered += accuracy.low <= 0.8 <= accuracy.high
    assert covered / 400 > 0.93


def test_a_share_of_1_has_no_interval():
    assert next(iter(_shares(seeds(1.0, 1.0), 0))).low is None


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
    local = carded("dense", ["dense"], {"architecture": "pretrained", "folder": "here"}, rows=[ACCURACY]).data
    assert local.co2_eq_emissions["training_type"] == "fine-tuning" and local.base_model is None
    fresh = carded("dense", ["dense"], {"architecture": "mlp"}, TABULAR, rows=[ACCURACY]).data
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


# ---- the file that ships

HERE = CELL | {"engine": "onnxruntime"}
VARIANTS = {
    "dense": {"train": "full"},
    "again": {"train": "full", "replicate": 1},
    "longer": {"from": "dense", "prune": {"method": "none"}, "control": True},
    "int8": {"from": "dense", "quantize": {"method": "dynamic"}},
}
# validation rows choose seed 2 of dense, seed 1 of everything else; test rows would choose seed 0
VALIDATION = {"dense": (0.80, 0.82, 0.84), "again": (0.80, 0.84, 0.82), "longer": (0.80, 0.84, 0.82)}
VALIDATION["int8"] = VALIDATION["again"]
TEST = (0.90, 0.85, 0.80)


def accuracies(engine="onnxruntime", validation=VALIDATION):
    about = {"class": None, "metric": "accuracy", "attribute": None, "group": None, "n": 400, "denominator": 400}
    return [
        {**HERE, "engine": engine, "variant": variant, "seed": seed, "part": part, **about, "value": value}
        | ({"low": value - 0.04, "high": value + 0.03} if part == "test" else {})
        for variant, values in validation.items()
        for part, shares in (("validation", values), ("test", TEST))
        for seed, value in enumerate(shares)
    ]


DECIDED = {**HERE, "variant": "int8", "verdict": "proven", "p_value": 0.02, "tests": 2, "seeds": 3}
DECISIONS = [
    {**HERE, "variant": "dense", "recommended": False},
    DECIDED | {"recommended": True},
]
GOAL = {
    **CELL,
    "goal": "life_cycle_energy",
    "engine": "onnxruntime",
    "winner": "int8",
    "winner_augmentation": "none",
    "baseline": "dense",
    "baseline_augmentation": "none",
    "cost": 40.0,
    "baseline_cost": 50.0,
    "saving": 10.0,
    "low": 8.0,
    "high": 12.5,
    "reason": "the interval of its saving excludes 0",
    "chosen": True,
}
SHIPPED = [
    {**HERE, "variant": "dense", "seed": 2, "validation": 0.84, "test": 0.8, "mean_test": 0.85},
    {**HERE, "variant": "int8", "seed": 1, "validation": 0.84, "test": 0.85, "mean_test": 0.85, "change": -0.0125}
    | {"low": -0.03, "high": 0.004, "mean_change": -0.0025, "verdict": "proven", "p_value": 0.04},
]
UNTESTED = {**HERE, "variant": "int8", "attribute": "age", "group": "<25", "rate": "true_positive_rate", "rows": 32}
UNTESTED |= {"before": 0.25, "value": -0.03125, "low": -0.12, "high": 0.05}


def study_of(**tables):
    """Results of a study of three seeds, in which int8 is proven and recommended."""
    dataset = {"groups": {}, "inputs": TABULAR, "task": "classification"}
    study = {"models": {"m": {"architecture": "mlp"}}, "datasets": {"d": dataset}, "variants": VARIANTS}
    study |= tables.pop("study", {})
    rows = {"assessments": accuracies(), "decisions": DECISIONS, "goals": [GOAL], "shipped": SHIPPED} | tables
    return results_with(study=study, **rows)


def card_of(variant, lineage=("dense",), **tables):
    names = [variant, *lineage] if variant != lineage[0] else [variant]
    return ModelCard(model_card(study_of(**tables), CELL | {"variant": variant}, names))


def test_the_files_are_those_of_the_seeds_that_validation_rows_choose(tmp_path, monkeypatch):
    results = study_of()
    for variant in VARIANTS:
        for seed in range(3):
            folder = tmp_path / f"seed-{seed}/d/none/m/{variant}"
            folder.mkdir(parents=True)
            (folder / "model.onnx").write_text(f"{variant} {seed}")
            (folder / "tokenizer.json").write_text(f"{seed}")
    monkeypatch.setattr(cards.Results, "read", lambda _: results)
    cards.write_cards(str(tmp_path), str(tmp_path / "hub"), {v: [v] for v in VARIANTS})
    made = tmp_path / "hub/models/d/none/m"
    files = {v: ((made / v / "model.onnx").read_text(), (made / v / "tokenizer.json").read_text()) for v in VARIANTS}
    chosen = {"dense": 2, "again": 1, "longer": 1, "int8": 1}  # the table has dense and int8 only
    assert files == {variant: (f"{variant} {seed}", f"{seed}") for variant, seed in chosen.items()}
    for variant, seed in chosen.items():
        assert f"seed-{seed}/d/none/m/{variant}/model.onnx" in (made / variant / "README.md").read_text()


def test_the_table_of_shipped_files_decides_not_the_card():
    other = [row | {"seed": 0, "validation": 0.8} for row in SHIPPED]
    assert shipped_file(study_of(shipped=other), CELL | {"variant": "int8"}).seed == 0


def test_figures_of_the_file_stand_beside_the_mean_over_seeds():
    card = card_of("int8")
    assert "that of seed 1, which has the highest accuracy on validation rows among 3 seeds (84.00 %)" in card.text
    assert "| Accuracy | – | all rows | 85.00 (81.00 to 88.00) | 85.00 (" in card.text
    (metric,) = card.data.eval_results
    assert metric.metric_value == 0.85 and metric.metric_args["interval_95"] == pytest.approx([0.81, 0.88])
    dense = card_of("dense").data.eval_results[0]
    assert dense.metric_value == 0.80 and dense.metric_args["mean_over_seeds"] == pytest.approx(0.85)
    assert dense.metric_args["seeds"] == 3


def test_a_file_without_validation_rows_is_that_of_the_first_seed():
    rows = [row for row in accuracies() if row["part"] == "test" and row["seed"] > 0]
    file = shipped_file(study_of(assessments=rows, shipped=[]), CELL | {"variant": "int8"})
    assert (file.seed, file.validation, file.seeds) == (1, None, 2)
    card = card_of("int8", assessments=rows, shipped=[])
    assert "that of seed 1, the first of 2 seeds" in card.text


def test_engines_that_would_choose_another_seed_are_named():
    """Given a recommendation in the second engine, its choice counts."""
    other = dict.fromkeys(VALIDATION, (0.84, 0.8, 0.82))
    rows = [*accuracies(), *accuracies("openvino", other)]
    table = [*SHIPPED, *(row | {"engine": "openvino", "seed": 0} for row in SHIPPED)]
    engines = {"engines": ["onnxruntime", "openvino"]}
    first = study_of(assessments=rows, shipped=table, study=engines)
    file = shipped_file(first, CELL | {"variant": "int8"})
    assert (file.seed, file.engine, file.elsewhere) == (1, "onnxruntime", {"openvino": 0})
    elsewhere = [DECIDED | {"recommended": False}, DECIDED | {"engine": "openvino", "recommended": True}]
    card = card_of("int8", assessments=rows, shipped=table, study=engines, decisions=elsewhere)
    assert "seed 0, which has" in card.text
    assert "By the predictions of onnxruntime, the file would be that of seed 1." in card.text


def test_a_card_says_if_the_parent_ships_another_seed():
    assert "the card of dense has the file of seed 2" in card_of("int8").text
    same = [SHIPPED[0] | {"seed": 1}, SHIPPED[1]]
    assert "the card of dense" not in card_of("int8", shipped=same).text


def verdict_of(card):
    return card.text.partition("## Verdict")[2].partition("## How to run it")[0]


def test_the_verdicts_on_recipe_and_file_and_what_is_not_tested_are_on_the_card():
    text = verdict_of(card_of("int8", untested=[UNTESTED]))
    assert (
        "that the recipe keeps the study's criteria is **proven** (tests over 3 seeds and test rows; p = 0.02" in text
    )
    assert "That **this file alone** (seed 1) keeps the margins is **proven**" in text
    assert "differs by −1.25 (−3.00 to +0.40) points" in text and "the mean over seeds differs by −0.25" in text
    assert "**The study recommends this variant**, which saves 10.0 J (8.0 to 12.5) of 50.0 J against dense in" in text
    assert "life-cycle energy (modelled) over 1,000,000 predictions at batch 1 and 1 download" in text
    assert "Margins: accuracy 1 point." in text
    assert "rates of groups with fewer than 50 rows" in text
    assert "| true positive rate | age | &lt;25 | 32 | 25.00 | −3.12 (−12.00 to +5.00) |" in text


def test_a_file_that_is_not_proven_alone_is_not_called_proven():
    file = SHIPPED[1] | {"verdict": "undecided", "p_value": 0.3, "reason": "accuracy is not shown: p = 0.3"}
    text = verdict_of(card_of("int8", shipped=[SHIPPED[0], file]))
    assert "**this file alone** (seed 1) keeps the margins is **undecided**: accuracy is not shown: p = 0.3" in text


def test_a_file_of_a_recipe_that_is_not_proven_is_not_tested_alone():
    refuted = DECIDED | {"verdict": "refuted", "recommended": False, "reason": "accuracy is refuted"}
    file = SHIPPED[1] | {"verdict": None, "p_value": None}
    goal = GOAL | {"winner": "dense", "saving": None, "low": None, "high": None, "reason": "nothing is proven"}
    text = verdict_of(card_of("int8", decisions=[DECISIONS[0], refuted], shipped=[SHIPPED[0], file], goals=[goal]))
    assert "is **refuted**: accuracy is refuted" in text
    assert "was not tested alone, because the recipe is not proven" in text
    assert "**The study recommends dense instead**, by life-cycle energy" in text and "nothing is proven." in text


def test_a_verdict_on_one_model_is_about_this_model():
    rows = [row for row in accuracies() if row["seed"] == 1]
    text = verdict_of(card_of("int8", assessments=rows, decisions=[DECIDED | {"seeds": 1, "recommended": True}]))
    assert "that this model keeps the study's criteria is **proven** (tests over its test rows;" in text
    assert "this file alone" not in text


def test_what_is_no_candidate_says_so():
    assert "it is a replicate" in verdict_of(card_of("again")) and "recommends" not in verdict_of(card_of("again"))
    assert "it is a control" in verdict_of(card_of("longer"))
    baseline = verdict_of(card_of("dense"))
    assert "it is a baseline" in baseline and "**The study recommends int8 instead**" in baseline
    assert "the study compares nothing with it" in verdict_of(card_of("dense", decisions=[], goals=[]))


def test_a_baseline_with_another_augmentation_says_for_whom_it_is_recommended():
    """Given `criteria: against: none` and nothing to compare with augmentation `none` itself."""
    jitter = {"augmentation": "jitter", "baseline": "dense", "baseline_augmentation": "none"}
    compared = [HERE | jitter | {"variant": "int8", "metric": "accuracy"}]
    goal = GOAL | jitter | {"winner": "dense", "saving": None, "low": None, "high": None, "reason": "nothing is proven"}
    other = GOAL | jitter | {"model": "other"}
    text = verdict_of(card_of("dense", decisions=[], goals=[goal, other], comparisons=compared))
    assert "it is a baseline" in text and text.count("recommends") == 1
    assert "recommends this variant**, by" in text
    both = [goal, GOAL | {"winner": "int8"}]
    text = verdict_of(card_of("dense", decisions=[], goals=both, comparisons=compared))
    assert "recommends this variant** for augmentation jitter, by" in text
    assert "recommends int8 instead** for augmentation none, which" in text


def test_margins_and_ceilings_are_never_rounded():
    criteria = {"margins": {"accuracy": 0.0125, "fairness_gap": None}, "ceilings": {"size_bytes": {"at_most": 150_500}}}
    criteria["ceilings"]["latency_p50_ms"] = {"at_most_of_baseline": 0.875}
    text = verdict_of(card_of("int8", study={"criteria": {"error_rate": 0.05} | criteria}))
    assert "Margins: accuracy 1.25 points; ceilings: size bytes at most 150.5 kB, " in text
    assert "latency p50 ms at most 87.5 % of the baseline's" in text


def test_a_bold_name_stays_text():
    """A variant's name beside Markdown of the card's own."""
    goal = GOAL | {"winner": "a**b_c", "reason": "x"}
    assert "recommends a\\*\\*b\\_c instead" in verdict_of(card_of("dense", goals=[goal]))
