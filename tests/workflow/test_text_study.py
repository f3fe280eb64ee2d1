"""A study of texts through the real Snakefile."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from runs import CONFIG, Run

from fairweight.core import components
from fairweight.core.artifacts import read_frame, read_predictions, read_table
from fairweight.core.components import WORKFLOW as ROOT

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(
        components.missing_extra("architectures", "pretrained") is not None, reason="the extra 'text' is not installed"
    ),
]
SECRET = "zugzwang"  # a word of every text, which nothing may show


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """The study, run once."""
    sys.path.insert(0, str(ROOT / "tests" / "unit"))
    from tables import comments, small_bert

    folder = tmp_path_factory.mktemp("texts")
    table = comments(400)
    about = np.where(table.groups["identity"] == 0, "women", "muslims")
    said = [
        f"{SECRET} {'a woman' if a == 'women' else 'muslims'} {t} {n}"
        for n, (t, a) in enumerate(zip(table.texts, about, strict=True))
    ]
    frame = pd.DataFrame({"comment": said, "label": table.label.astype(str), "about": about})
    odd = pd.DataFrame(
        {
            "comment": [said[0], said[1], "unsure"],
            "label": [str(table.label[0]), str(1 - table.label[1]), "?"],
            "about": "women",
        }
    )
    pd.concat([frame, odd]).to_csv(folder / "texts.csv", index=False)
    small_bert(folder / "bert", said)
    (folder / "study.yaml").write_text((CONFIG / "texts.yaml").read_text())
    run = Run(folder)
    run.output = run.snakemake("study.yaml", "all", "cards")
    return run


def test_it_ends_in_a_report_with_flips_of_both_kinds_and_what_stays_in_float(texts):
    results = texts.folder / "results" / "texts"
    page = (results / "report" / "report.html").read_text()
    for words in ("Counterfactual flips", "Matrices in float", "tfidf", "layers2"):
        assert words in page
    card = json.loads((results / "data" / "comments" / "card.json").read_text())
    assert card["rows"] == 399 and card["removed"] == {"repeated": 1, "with another label": 1, "with two labels": 2}
    measures = pd.read_parquet(results / "summary" / "assessments.parquet")
    rate = measures[
        (measures["metric"] == "counterfactual_flips") & measures["group"].isna() & (measures["part"] == "test")
    ]
    # whose thresholds the changed text would have is open for `fair`
    assert set(rate["variant"]) == {"linear", "dense", "int8", "static", "layers2"} and (rate["n"] > 80).all()


def test_no_text_is_shown_by_anything_but_the_data(texts):
    holding = {"table.parquet", "augmented.parquet", "all"}  # what is the data
    for path in (texts.folder / "results").rglob("*"):
        # a tokenizer holds the words of its training texts, as any vocabulary does
        if (
            path.is_file()
            and path.name not in holding
            and path.suffix in (".html", ".json", ".log", ".ipynb", ".md", ".jsonl")
        ):
            if path.name in ("model.json", "tokenizer.json"):
                continue
            assert SECRET not in path.read_text(), path
    assert SECRET not in texts.output


def test_a_file_runs_in_a_folder_without_the_project_and_says_the_same(texts, tmp_path):
    results = texts.folder / "results" / "texts"
    for name in ("model.onnx", "tokenizer.json"):
        made = results / "hub" / "models" / "comments" / "none" / "bert" / "dense" / name
        (tmp_path / name).write_bytes(made.read_bytes())
    shipped = read_frame(results / "summary/shipped.parquet").query("model == 'bert' and variant == 'dense'")
    made = results / f"seed-{shipped.iloc[0]['seed']}/comments/none/bert/dense/onnxruntime/predictions.parquet"
    predicted, _ = read_predictions(made)
    table = read_table(results / "data/comments/table.parquet")
    texts_of = dict(zip(table.row, table.texts, strict=True))
    (tmp_path / "texts.json").write_text(json.dumps([str(texts_of[row]) for row in predicted["row"][:20]]))
    script = (
        "import json, sys, numpy, onnxruntime, tokenizers; assert not any('fair' in m for m in sys.modules);"
        "reader = tokenizers.Tokenizer.from_file('tokenizer.json');"
        "session = onnxruntime.InferenceSession('model.onnx');"
        "given = [{'tokens': numpy.array([reader.encode(text).ids])} for text in json.load(open('texts.json'))];"
        "print([float(session.run(['probabilities'], of)[0][0, 1]) for of in given])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == pytest.approx(list(predicted["score"][:20]), abs=1e-4)


def test_another_list_of_terms_predicts_again_and_trains_nothing(texts):
    terms = texts.folder / "mine.yaml"
    terms.write_text("words: {noun: {women: [woman], muslims: [muslims]}}\n")
    study = (
        (texts.folder / "study.yaml").read_text().replace("counterfactuals: identities", "counterfactuals: mine.yaml")
    )
    (texts.folder / "other.yaml").write_text(study)
    jobs = texts.jobs("other.yaml")
    assert jobs["predict"] == 14 and not {"train", "prune", "quantize", "read", "augment"} & set(jobs)
