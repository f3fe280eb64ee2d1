"""Model cards in Hugging Face's format (Mitchell et al. 2019), one for each variant that ships."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fairweight.core.formatting import DASH, missing, number
from fairweight.core.frames import where
from fairweight.core.operations import OPERATIONS, of_recipe
from fairweight.energy.footprint import of_model, of_variant
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.evidence import LANGUAGE, Measured, measured
from fairweight.reporting.hub.markdown import escape
from fairweight.reporting.hub.names import repository
from fairweight.reporting.hub.tasks import is_published, published_name, task_of
from fairweight.reporting.report.results import Results
from fairweight.training.signature import autoregressive

KEYS = ("dataset", "augmentation", "model", "variant")
RUN = '''import json, onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
signature = json.loads(session.get_modelmeta().custom_metadata_map["fairweight.signature"])  # columns, categories, classes
probabilities = session.run(["probabilities"], {item.name: ... for item in session.get_inputs()})
'''  # fmt: skip
SCORE = """import numpy as np, onnxruntime, tokenizers

session = onnxruntime.InferenceSession("model.onnx")
tokens = np.array([tokenizers.Tokenizer.from_file("tokenizer.json").encode("A text.").ids])
past = {i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32) for i in session.get_inputs() if i.name.startswith("past")}
logits = session.run(["logits"], {"input_ids": tokens, "attention_mask": np.ones_like(tokens), **past})[0]
"""


def model_card(results: Results, cell: Mapping[str, str], lineage: list[str]) -> str:
    """The card of one variant, as Markdown with metadata.

    Args:
        results: the study.
        cell: dataset, augmentation, model and variant.
        lineage: the variant and its ancestors.
    """
    engines = [e for e in results.study["engines"] if len(where(results.assessments, {**cell, "engine": e}))]
    found = {engine: list(measured(results, {**cell, "engine": engine})) for engine in engines}
    stated = results.study["variants"][cell["variant"]]
    operation = of_recipe(stated)
    dataset = results.study["datasets"][cell["dataset"]]
    task = task_of(dataset)
    title = f"{cell['variant']} of {cell['model']} on {results.title(cell['dataset'])}"
    sections = {
        "What it is": _about(results, cell, operation, stated),
        "Verdict": _verdict(results, cell),
        "How to run it": markdown.fenced(SCORE if autoregressive(dataset["task"]) else RUN, "python"),
        "Who it is right for": "\n".join(_groups(engine, rows, len(found) > 1) for engine, rows in found.items()),
        "What it costs": _costs(results, cell, lineage),
        "Data": _data(results, cell["dataset"]),
        "Limits": _limits(results),
        "Provenance": _provenance(results, cell),
    }
    return markdown.page(_metadata(results, cell, lineage, found, operation, task), sections, title)


def name_of(results: Results, cell: Mapping[str, str], variant: str | None = None) -> str:
    """Name of a variant's repository."""
    augmentation = [] if cell["augmentation"] == "none" else [cell["augmentation"]]
    return repository(results.study["name"], cell["dataset"], *augmentation, cell["model"], variant or cell["variant"])


def _metadata(
    results: Results,
    cell: Mapping[str, str],
    lineage: list[str],
    found: dict[str, list[Measured]],
    operation: str,
    task: str,
) -> dict[str, Any]:
    base = (
        name_of(results, cell, lineage[1])
        if len(lineage) > 1
        else published_name(results.study["models"][cell["model"]])
    )
    entries = [_result(results, cell, task, engine, rows) for engine, rows in found.items()]
    return {
        "library_name": "onnx",
        "pipeline_tag": task,
        "tags": ["fairweight", "fairness", "model-compression", "baseline" if operation == "train" else operation],
        "base_model": base,
        "base_model_relation": OPERATIONS[operation].relation if base else None,
        "co2_eq_emissions": emissions(results, cell, lineage),
        "model-index": [{"name": name_of(results, cell), "results": entries}],
    }


def emissions(results: Results, cell: Mapping[str, str], lineage: list[str]) -> dict[str, Any] | None:
    """`co2_eq_emissions`: grams to make one file, the mean over seeds; None where no step was recorded."""
    footprint = of_model(results.steps, cell, lineage)
    if not footprint.jobs:
        return None
    about = results.provenance
    fresh = len(lineage) == 1 and not is_published(results.study["models"][cell["model"]])
    return {
        "emissions": footprint.emissions_g,
        "source": "modelled by fairweight from CPU-seconds; not metered",
        "training_type": "pre-training" if fresh else "fine-tuning",
        "geographical_location": about["intensity"]["name"],
        "hardware_used": about["host"]["processor"],
    }


def _result(results: Results, cell: Mapping[str, str], task: str, engine: str, rows: list[Measured]) -> dict[str, Any]:
    return {
        "task": {"type": task, "name": task.replace("-", " ").capitalize()},
        "dataset": {
            "type": repository(cell["dataset"]),
            "name": results.title(cell["dataset"]),
            "split": "test",
            "args": {"engine": engine},
        },
        "metrics": [_metric(row) for row in rows],
    }


def _metric(row: Measured) -> dict[str, Any]:
    about = {
        "attribute": row.attribute, "group": row.group,
        "interval_95": None if row.low is None else [row.low, row.high],
        "sd_over_seeds": row.sd, "seeds": row.seeds, "rows": row.rows, "expected_of_equal_groups": row.by_chance,
        "change_from_baseline": row.change and row.change[0],
        "change_interval_95": row.change and list(row.change[1:]),
    }  # fmt: skip
    words = row.metric.replace("_", " ").capitalize()
    of = f" of {row.group}" if row.group is not None else ""
    by = f" by {row.attribute}" if row.attribute is not None else ""
    args = {key: value for key, value in about.items() if value is not None}
    return {"type": row.metric, "value": row.value, "name": f"{words}{of}{by}", "args": args}


def _about(results: Results, cell: Mapping[str, str], operation: str, stated: dict[str, Any]) -> str:
    recipe, model = stated[operation], results.study["models"][cell["model"]]
    home = published_name(model)
    weights = f"published weights{f' of {escape(home)}' if home else ''}"
    if operation == "train":
        made = f"trained with the recipe {escape(recipe)}" + (f" from {weights}" if is_published(model) else "")
    elif operation == "pretrained":
        made = f"with {weights} as they are"
    else:
        method = f", method {escape(recipe['method'])}" if "method" in recipe else ""
        made = f"made from {escape(stated['from'])} (operation {escape(operation)}{method})"
    augmentation = (
        "" if cell["augmentation"] == "none" else f" Its training rows were augmented: {escape(cell['augmentation'])}."
    )
    checks = where(results.checks, cell)
    verdicts = checks["verdict"].dropna().unique()
    checked = f" Checked: {escape(', '.join(sorted(verdicts)))}." if len(verdicts) else ""
    dataset = results.study["datasets"][cell["dataset"]]
    texts = dataset["inputs"].get("text")
    takes = (
        "tokens, which `tokenizer.json` beside it makes of texts"
        if texts
        else "raw rows: the encoding of the inputs is inside the file"
    )
    return (
        f"{'A language model, tested on' if autoregressive(dataset['task']) else 'A classifier of'} {escape(results.title(cell['dataset']))}, "
        f"architecture {escape(model['architecture'])}, {made}.{augmentation}{checked} The file "
        "`model.onnx` is that of seed 0; the figures below are means over all seeds of the study. It takes "
        f"{takes}."
    )


def _verdict(results: Results, cell: Mapping[str, str]) -> str:
    found = where(results.decisions, cell)
    found = found[found["verdict"].notna()]
    if found.empty:
        return "Not tested against the study's criteria: it is a baseline, a replicate, a language model, or made with an augmentation."
    lines = []
    for _, row in found.iterrows():
        reason = f": {escape(row['reason'])}" if isinstance(row["reason"], str) else ""
        chosen = " It is the variant that the study recommends." if row["recommended"] else ""
        lines.append(f"With {escape(row['engine'])} non-inferiority to its baseline is **{escape(row['verdict'])}**{reason}.{chosen}")  # fmt: skip
    margins = {k: v for k, v in results.study["criteria"]["margins"].items() if v is not None}
    stated = ", ".join(f"{escape(k.replace('_', ' '))} {number(v, 1, 100)} points" for k, v in margins.items())
    return "\n\n".join(lines) + f"\n\nMargins: {stated or 'none'}."


def _groups(engine: str, rows: list[Measured], several: bool) -> str:
    """Two tables: accuracies with their intervals; gaps with what chance makes, and their change from the baseline.

    Of language models one: likelihoods and preferences with their intervals.
    """
    shares, gaps, spoken = [], [], [row for row in rows if row.metric in LANGUAGE]
    for row in (row for row in rows if row.metric not in LANGUAGE):
        value, sd = number(row.value, 2, 100), DASH if row.sd is None else number(row.sd, 2, 100)
        words = [escape(row.metric.replace("_", " ")), escape(row.attribute or DASH)]
        if row.metric == "accuracy":
            group = row.group or ("all rows" if row.attribute is None else DASH)
            interval = DASH if row.low is None else f"{number(row.low, 2, 100)} to {number(row.high, 2, 100)}"
            shares.append([*words, escape(group), value, interval, sd, f"{row.rows:,}"])
        else:
            by_chance = DASH if row.by_chance is None else number(row.by_chance, 2, 100)
            change = [number(part, 2, 100) for part in row.change or ()]
            changed = f"{change[0]} ({change[1]} to {change[2]})" if change else DASH
            gaps.append([*words, value, sd, by_chance, changed, f"{row.rows:,}"])
    text = f"Engine {escape(engine)}.\n\n" if several else ""
    if spoken:
        text += _likelihoods(spoken)
    if not shares:
        return text
    text += "Test rows, in percent; intervals over seeds and test rows.\n\n"
    text += markdown.table(["Measure", "By", "Group", "Value", "95 % interval", "SD over seeds", "Rows"], shares, 3)
    if gaps:
        heads = ["Measure", "By", "Value", "SD over seeds", "Expected of equal groups", "Change from the baseline (95 %)", "Rows"]  # fmt: skip
        text += "\n" + markdown.table(heads, gaps, 2)
    return text


def _likelihoods(rows: list[Measured]) -> str:
    lines = []
    for row in rows:
        share = row.metric.startswith("stereotype")
        words = f"{row.metric.replace('_', ' ')}{', %' if share else ''}"
        digits, scale = (1, 100.0) if share else (3, 1.0)
        low, high = number(row.low, digits, scale), number(row.high, digits, scale)
        interval = DASH if row.low is None else f"{low} to {high}"
        lines.append(
            [
                escape(words),
                escape(row.attribute or DASH),
                escape(row.group or "all"),
                number(row.value, digits, scale),
                interval,
                f"{row.rows:,}",
            ]
        )
    header = ["Measure", "By", "Group", "Value", "95 % interval", "Texts or pairs"]
    return "Test texts; intervals over passages, or over pairs of sentences.\n\n" + markdown.table(header, lines, 3)


def _costs(results: Results, cell: Mapping[str, str], lineage: list[str]) -> str:
    measures = where(results.variants, cell)
    shown = {"size_bytes": ("File", 1e-3, 1, "kB"), "transfer_bytes": ("To transfer (zstd)", 1e-3, 1, "kB"),
             "latency_p50_ms": ("Latency, median", 1e3, 1, "µs"), "energy_j_per_1000": ("Energy of 1,000 predictions (modelled)", 1.0, 4, "J")}  # fmt: skip
    rows = []
    for _, row in measures[measures["measure"].isin(shown)].iterrows():
        title, scale, digits, unit = shown[row["measure"]]
        batch = "" if missing(row["batch_size"]) else f", batch {int(row['batch_size'])}"
        rows.append([f"{title}{batch} in {unit}", escape(row["engine"]), number(row["mean"], digits, scale)])
    stated = emissions(results, cell, lineage)
    made = of_variant(results.steps, cell, lineage)
    text = markdown.table(["Measure", "Engine", "Mean over seeds"], rows, 2) if rows else ""
    if stated is None:
        return text
    return text + (
        f"\nMaking one such file took {number(stated['emissions'], 4)} gCO2e (mean over seeds), all its seeds "
        f"{number(made.emissions_g, 3)} gCO2e and {number(made.cpu_s, 1)} CPU-seconds. CPU-seconds are measured, emissions are modelled."
    )


def _data(results: Results, dataset: str) -> str:
    card = next(c for c in results.cards if c["dataset"] == dataset)
    home = f" Described at {escape(card['homepage'])}." if card["homepage"] else ""
    licence = escape(card["licence"] or "not stated")
    return f"{escape(card['title'])}, {card['rows']:,} rows, licence {licence}.{home} Its data card says who is in it."


def _limits(results: Results) -> str:
    few = results.study["fairness"]["smallest_group"]
    return (
        "It was tested on people like those of the test rows, and nothing is known of others. Whether the labels are fair, no "
        f"test here can say. Rates of groups with fewer than {few} rows are uncertain and are not ranked."
    )


def _provenance(results: Results, cell: Mapping[str, str]) -> str:
    about = results.provenance
    path = "/".join(["seed-0", *(cell[key] for key in KEYS), "model.onnx"])
    versions = ", ".join(f"{escape(n)} {escape(v)}" for n, v in about["packages"].items())
    return (
        f"Study {escape(results.study['name'])}, file {escape(path)}; fairweight {escape(about['fairweight'])}, commit "
        f"{escape(about['commit'] or 'unknown')}; Python {escape(about['python'])}, {versions}."
    )


def shipped(assessments: pd.DataFrame) -> list[dict[str, str]]:
    """Dataset, augmentation, model and variant of everything that ships; given scores have no file."""
    cells = assessments[assessments["engine"] != "given"][list(KEYS)].drop_duplicates()
    return [{str(k): str(v) for k, v in row.items()} for row in cells.to_dict("records")]
