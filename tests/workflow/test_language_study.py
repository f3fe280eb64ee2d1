"""A language model of a few thousand weights through every rule, to its report."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from runs import Run

from fairweight.core import components
from fairweight.core.components import WORKFLOW as ROOT

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

pytestmark = pytest.mark.skipif(
    components.missing_extra("architectures", "causal_lm") is not None, reason="the extra `llm` is not installed"
)
OFFENCE = "Nobody reads this sentence"


def study(folder):
    from llamas import llama

    llama(folder / "llama")
    (folder / "text.txt").write_text(" ".join(f"The cat sat on mat {n}. It was {n * n} degrees." for n in range(8)))
    rows = [f"{OFFENCE} {n}.,Another one {n}.,{kind}" for kind in ("age", "race") for n in range(4)]
    (folder / "pairs.csv").write_text("\n".join(["sent_more,sent_less,bias_type", *rows]))
    (folder / "calibration.txt").write_text(" ".join(f"The dog ran to door {n}." for n in range(12)))
    quiz = [f"Who sat on mat {n}?,The cat,A dog,{n % 2},{kind}" for kind in ("cats", "dogs") for n in range(3)]
    (folder / "quiz.csv").write_text("\n".join(["question,ans0,ans1,label,category", *quiz]))
    study = yaml.safe_load((ROOT / "config" / "llm.yaml").read_text())
    english = study["datasets"]["english"]
    english["files"] = {
        name: {"sources": [f"file:{folder / file}"]}
        for name, file in (
            ("text", "text.txt"),
            ("calibration", "calibration.txt"),
            ("pairs", "pairs.csv"),
            ("quiz", "quiz.csv"),
        )
    }
    english["reader"] = {"method": "passages", "pairs": ["pairs"], "characters": 40}
    english["reader"] |= {"questions": ["quiz"], "answers": ["ans0", "ans1"]}
    english["split"] = {"test": ["text", "pairs", "quiz"], "validation": 0.2}
    study["models"] = {"tiny": {"architecture": "causal_lm", "folder": str(folder / "llama"), "context": 60}}
    study["variants"] = {
        "published": {"pretrained": {}},
        "int8": {"from": "published", "quantize": {"method": "weight_only", "block": 32, "activations": "int8"}},
        "gptq": {
            "from": "published",
            "quantize": {
                "method": "weight_only",
                "bits": 4,
                "block": 16,
                "activations": "int8",
                "grid": "range",
                "rounding": "gptq",
                "scale_bits": 8,
                "average_bits": 6,
                "cache_bits": 8,
            },
        },
    }
    study["fairness"] = {"smallest_group": 2}
    study["profile"] = {"rounds": 2}
    study["grid"] = [{"dataset": "english", "models": ["tiny"], "variants": ["published", "int8", "gptq"]}]
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def test_a_language_model_goes_through_the_rules_of_every_model(tmp_path):
    run = Run(tmp_path)
    path = study(run.folder)
    run.snakemake(path)
    results = run.folder / "results" / "llm"
    table = pd.read_parquet(results / "summary" / "language.parquet").set_index("variant")
    assert table.loc["published", "weights"] == table.loc["int8", "weights"] == "float32"
    assert table.loc["int8", "method"] == "weight_only int8, blocks of 32"
    assert table.loc["gptq", "method"].startswith("weight_only int4 gptq range, blocks of 16, 8-bit scales, mixed")
    bits = table["bits_per_weight"]
    assert bits["published"] == 32 and 8 < bits["int8"] < 10 and 4.5 < bits["gptq"] < 6.5
    assert (table["questions"] == 6).all() and table["choice_accuracy"].between(0, 1).all()
    assert (table["pairs"] == 8).all() and (table["perplexity"] > 1).all()
    assert table.loc["int8", "perplexity_ratio"] == pytest.approx(1, abs=0.05)
    assert (table["perplexity_low"] < table["perplexity"]).all() and (table["stereotype_low"] < 1).all()
    measured = ["decode_tokens_per_cpu_s", "prefill_tokens_per_cpu_s", "size_bytes", "energy_j_per_1000_central"]
    assert (table[measured] > 0).all(axis=None)
    card = json.loads((results / "data/english/card.json").read_text())
    assert {group["group"]: group["rows"] for group in card["groups"]["bias"]} == {"age": 8, "race": 8, None: 38}
    page = (results / "report" / "report.html").read_text()
    assert "Language models" in page and "Stereotype score by kind of bias" in page
    assert "Accuracy of answers by kind of question" in page and "Bits per weight" in page
    # texts are in no report and no log
    texts = [page, *(file.read_text() for file in (results / "logs").rglob("*.log"))]
    assert not [text for text in texts if OFFENCE in text]
    assert run.jobs(path) == {}
    from llamas import llama

    llama(run.folder / "llama", seed=1)  # other weights in the folder
    assert run.jobs(path)["pretrained"] == 1
