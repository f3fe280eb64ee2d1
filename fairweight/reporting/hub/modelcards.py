"""Model cards in Hugging Face's format (Mitchell et al. 2019), one for each variant that ships."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fairweight.core.formatting import DASH, count, missing, number
from fairweight.core.frames import where
from fairweight.core.operations import OPERATIONS, of_recipe
from fairweight.core.shown_measures import MEASURES, measure
from fairweight.energy.footprint import of_model, of_variant
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.evidence import LANGUAGE, Measured, measured
from fairweight.reporting.hub.files import KEYS, Cell, ShippedFile, path_of, shipped_file
from fairweight.reporting.hub.markdown import MARKDOWN, escape
from fairweight.reporting.hub.names import repository
from fairweight.reporting.hub.tasks import is_published, published_name, replaces_original, task_of
from fairweight.reporting.hub.verdicts import verdict
from fairweight.reporting.report.results import Results
from fairweight.training.signature import autoregressive

Metadata = dict[str, Any]  # as the hub reads it

FILE_MEASURES = ("size_bytes", "transfer_bytes", "latency_p50_ms", "energy_j_per_1000")  # of size, speed and energy
RUN = """import json, onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
metadata = session.get_modelmeta().custom_metadata_map
signature = json.loads(metadata["fairweight.signature"])  # columns, categories, classes
inputs = {item.name: ... for item in session.get_inputs()}
probabilities = session.run(["probabilities"], inputs)
"""
REPLACE = """import json, onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
metadata = session.get_modelmeta().custom_metadata_map
binding = json.loads(metadata["fairweight.signature"])["binding"]  # columns of each input, classes of the output
inputs = {item.name: ... for item in session.get_inputs()}
scores = session.run([binding["output"]], inputs)
"""
SCORE = """import numpy as np, onnxruntime, tokenizers

session = onnxruntime.InferenceSession("model.onnx")
tokens = np.array([tokenizers.Tokenizer.from_file("tokenizer.json").encode("A text.").ids])
past = {
    i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32)
    for i in session.get_inputs()
    if i.name.startswith("past")
}
inputs = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), **past}
logits = session.run(["logits"], inputs)[0]
"""


def model_card(results: Results, cell: Cell, lineage: list[str]) -> str:
    """The card of one variant, as Markdown with metadata.

    Args:
        results: the study.
        cell: dataset, augmentation, model and variant.
        lineage: the variant and its ancestors.
    """
    engines = [e for e in results.study["engines"] if len(where(results.assessments, {**cell, "engine": e}))]
    file = shipped_file(results, cell)
    by_engine = {engine: list(measured(results, {**cell, "engine": engine}, file.seed)) for engine in engines}
    several = len(by_engine) > 1
    title = f"{cell['variant']} of {cell['model']} on {results.title(cell['dataset'])}"
    sections = {
        "What it is": f"{_about(results, cell)} {_which_file(results, cell, file, lineage)}",
        "Verdict": verdict(results, cell, file),
        "How to run it": markdown.fenced(_program(results, cell), "python"),
        "Quality by group": "\n".join(_quality(engine, rows, several) for engine, rows in by_engine.items()),
        "Size, speed and energy": _resources(results, cell, lineage, file),
        "Data": _data(results, cell["dataset"]),
        "Limits": _limits(results),
        "Provenance": _provenance(results, cell, file),
    }
    return markdown.page(_metadata(results, cell, lineage, by_engine), sections, title)


def _program(results: Results, cell: Cell) -> str:
    """A program that runs the file."""
    if autoregressive(results.study["datasets"][cell["dataset"]]["task"]):
        return SCORE
    return REPLACE if replaces_original(results, cell) else RUN


def name_of(results: Results, cell: Cell, variant: str | None = None) -> str:
    """Name of a variant's repository."""
    augmentation = [] if cell["augmentation"] == "none" else [cell["augmentation"]]
    return repository(results.study["name"], cell["dataset"], *augmentation, cell["model"], variant or cell["variant"])


# ---- metadata


def _metadata(results: Results, cell: Cell, lineage: list[str], by_engine: Mapping[str, list[Measured]]) -> Metadata:
    operation = results.operation(cell["variant"])
    record = OPERATIONS[operation]
    kind = operation if record.parents or record.once else "baseline"
    task = task_of(results.study["datasets"][cell["dataset"]])
    if len(lineage) > 1:
        base: str | None = name_of(results, cell, lineage[1])
    else:
        base = published_name(results.study["models"][cell["model"]])
    entries = [_result(results, cell, task, engine, rows) for engine, rows in by_engine.items()]
    return {
        "library_name": "onnx",
        "pipeline_tag": task,
        "tags": ["fairweight", "fairness", "model-compression", kind],
        "base_model": base,
        "base_model_relation": record.relation if base else None,
        "co2_eq_emissions": emissions(results, cell, lineage),
        "model-index": [{"name": name_of(results, cell), "results": entries}],
    }


def emissions(results: Results, cell: Cell, lineage: list[str]) -> Metadata | None:
    """`co2_eq_emissions`: grams to make one file, the mean over seeds; None where no step was recorded."""
    footprint = of_model(results.steps, cell, lineage)
    if not footprint.attempts:
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


def _result(results: Results, cell: Cell, task: str, engine: str, rows: list[Measured]) -> Metadata:
    return {
        "task": {"type": task, "name": task.replace("-", " ").capitalize()},
        "dataset": {
            "type": repository(cell["dataset"]),
            "name": results.title(cell["dataset"]),
            "split": "test",
            "args": {"engine": engine},
        },
        "metrics": [_metric(row) for row in rows if row.own is not None],
    }


def _metric(row: Measured) -> Metadata:
    """A measure of the file that ships, with the mean over seeds among its arguments."""
    arguments = {
        "attribute": row.attribute,
        "group": row.group,
        "interval_95": None if row.own_low is None else [row.own_low, row.own_high],
        "mean_over_seeds": row.value,
        "mean_interval_95": None if row.low is None else [row.low, row.high],
        "sd_over_seeds": row.sd,
        "seeds": row.seeds,
        "rows": row.rows,
        "expected_of_equal_groups": row.by_chance,
        "change_from_baseline": row.change and row.change[0],
        "change_interval_95": row.change and list(row.change[1:]),
    }
    group = f" of {row.group}" if row.group is not None else ""
    attribute = f" by {row.attribute}" if row.attribute is not None else ""
    return {
        "type": row.metric,
        "value": row.own,
        "name": f"{measure(row.metric).title}{group}{attribute}",
        "args": {key: value for key, value in arguments.items() if value is not None},
    }


# ---- sections


def _about(results: Results, cell: Cell) -> str:
    dataset, model = results.study["datasets"][cell["dataset"]], results.study["models"][cell["model"]]
    augmentation = escape(cell["augmentation"])
    augmented = "" if cell["augmentation"] == "none" else f" Its training rows were augmented: {augmentation}."
    verdicts = where(results.checks, cell)["verdict"].dropna().unique()
    checked = f" Checked: {escape(', '.join(sorted(verdicts)))}." if len(verdicts) else ""
    if replaces_original(results, cell):
        takes = "what the imported file takes, and returns what that returns, so that it can replace it"
    elif dataset["inputs"].get("text"):
        takes = "tokens, which the tokenizer in `tokenizer.json` makes from texts"
    else:
        takes = "raw rows: the encoding of the inputs is inside the file"
    kind = "A language model, tested on" if autoregressive(dataset["task"]) else "A classifier of"
    return (
        f"{kind} {escape(results.title(cell['dataset']))}, architecture {escape(model['architecture'])}, "
        f"{_made(results, cell)}.{augmented}{checked} It takes {takes}."
    )


def _which_file(results: Results, cell: Cell, file: ShippedFile, lineage: list[str]) -> str:
    """Which seed the file is of, why, and whether the parent's card has the file that it was made from."""
    if file.seeds == 1:
        return "The file `model.onnx` is the only one of this variant."
    seeds = count(file.seeds, "seed")
    if file.validation is None:
        text = f"The file `model.onnx` is that of seed {file.seed}, the first of {seeds}."
    else:
        accuracy = escape(measure("accuracy").with_unit(file.validation))
        text = (
            f"The file `model.onnx` is that of seed {file.seed}, which has the highest accuracy on validation rows "
            f"among {seeds} ({accuracy})."
        )
    text += " Figures of this file stand beside the mean over seeds, which is about the recipe."
    for engine, seed in file.elsewhere.items():
        text += f" By the predictions of {escape(engine)}, the file would be that of seed {seed}."
    if len(lineage) > 1 and (of_parent := _parent_seed(results, cell, lineage[1])) not in (None, file.seed):
        text += (
            f" It was made from the file of {escape(lineage[1])} with the same seed; the card of {escape(lineage[1])} "
            f"has the file of seed {of_parent}."
        )
    return text


def _parent_seed(results: Results, cell: Cell, parent: str) -> int | None:
    """Seed of the file that ships of a parent; None where it has no card."""
    of_parent = {**cell, "variant": parent}
    return shipped_file(results, of_parent).seed if len(where(results.assessments, of_parent)) else None


def _made(results: Results, cell: Cell) -> str:
    """How a variant was made: the operation with its recipe."""
    variant, model = results.study["variants"][cell["variant"]], results.study["models"][cell["model"]]
    operation = of_recipe(variant)
    recipe = variant[operation]
    home = published_name(model)
    weights = f"published weights{f' of {escape(home)}' if home else ''}"
    record = OPERATIONS[operation]
    if record.trains and not record.parents:
        start = f" from {weights}" if is_published(model) else ""
        return f"{record.participle} with the recipe {escape(recipe)}{start}"
    if record.imports:
        return "a trained model of its owner, as it is; how it was trained is not known here"
    if not record.parents:
        return f"with {weights} as they are"
    method = f", method {escape(recipe['method'])}" if "method" in recipe else ""
    return f"made from {escape(variant['from'])} (operation {escape(operation)}{method})"


def _quality(engine: str, rows: list[Measured], several: bool) -> str:
    """Tables of accuracies with intervals, and of gaps with their expected value and change from the baseline.

    A language model has one table of likelihoods and preferences instead.

    Args:
        engine: engine that the measures are of.
        rows: the measures.
        several: whether the card has more than one engine.
    """
    text = f"Engine {escape(engine)}.\n\n" if several else ""
    if likelihoods := [row for row in rows if row.metric in LANGUAGE]:
        text += _likelihoods(likelihoods)
    if accuracies := [row for row in rows if row.metric == "accuracy"]:
        text += _accuracies(accuracies)
    if accuracies and (gaps := [row for row in rows if row.metric not in ("accuracy", *LANGUAGE)]):
        text += f"\n{_gaps(gaps)}"
    return text


def _likelihoods(rows: list[Measured]) -> str:
    lines = []
    for row in rows:
        record = measure(row.metric)
        value = record.with_interval(row.value, row.low, row.high, writer=MARKDOWN)
        place = [escape(row.attribute or DASH), escape(row.group or "all")]
        lines.append([escape(record.heading), *place, value, f"{row.rows:,}"])
    header = ["Measure", "By", "Group", "Value (95 % interval)", "Texts or pairs"]
    return "Test texts; intervals over passages, or over pairs of sentences.\n\n" + markdown.table(header, lines, 3)


def _accuracies(rows: list[Measured]) -> str:
    several = any(row.seeds > 1 for row in rows)
    lines = []
    for row in rows:
        record = measure(row.metric)
        group = row.group or ("all rows" if row.attribute is None else DASH)
        own = record.with_interval(row.own, row.own_low, row.own_high, writer=MARKDOWN)
        mean = record.with_interval(row.value, row.low, row.high, writer=MARKDOWN)
        of_recipe = [mean, _spread(row)] if several else []
        lines.append([*_names(row), escape(group), own, *of_recipe, f"{row.rows:,}"])
    header = ["Measure", "By", "Group", "This file (95 % interval)"]
    header += ["Mean over seeds (95 % interval)", "SD over seeds"] if several else []
    of_means = ", those of means over seeds and test rows" if several else ""
    note = f"Test rows, in percent; intervals of this file are over test rows{of_means}."
    return f"{note}\n\n{markdown.table([*header, 'Rows'], lines, 3)}"


def _gaps(rows: list[Measured]) -> str:
    several = any(row.seeds > 1 for row in rows)
    lines = []
    for row in rows:
        record = measure(row.metric)
        own, mean = (record.text(value, writer=MARKDOWN) for value in (row.own, row.value))
        by_chance = DASH if row.by_chance is None else record.text(row.by_chance, writer=MARKDOWN)
        change = record.with_interval(*row.change, writer=MARKDOWN) if row.change else DASH
        of_recipe = [mean, _spread(row)] if several else []
        lines.append([*_names(row), own, *of_recipe, by_chance, change, f"{row.rows:,}"])
    header = ["Measure", "By", "This file", *(["Mean over seeds", "SD over seeds"] if several else [])]
    changed = f"Change {'of the mean ' if several else ''}from the baseline (95 % interval)"
    return markdown.table([*header, "Expected for equal groups", changed, "Rows"], lines, 2)


def _names(row: Measured) -> list[str]:
    return [escape(measure(row.metric).title), escape(row.attribute or DASH)]


def _spread(row: Measured) -> str:
    return DASH if row.sd is None else measure(row.metric).text(row.sd, writer=MARKDOWN)


def _resources(results: Results, cell: Cell, lineage: list[str], file: ShippedFile) -> str:
    """Size, latency and energy of the file, and the resource usage of making it."""
    text = _profiled(results, cell, file)
    of_one = emissions(results, cell, lineage)
    if of_one is None:
        return text
    of_all = of_variant(results.steps, cell, lineage)
    return text + (
        f"\nMaking one such file took {number(of_one['emissions'], 4)} gCO2e (mean over seeds), all its seeds "
        f"{number(of_all.emissions_g, 3)} gCO2e and {number(of_all.cpu_s, 1)} CPU-seconds. CPU-seconds are measured, "
        "emissions are modelled."
    )


def _profiled(results: Results, cell: Cell, file: ShippedFile) -> str:
    """Table of size, latency and energy; of the file that ships only where it was profiled."""
    measures = where(results.variants, cell)
    measures = measures[measures["measure"].isin(FILE_MEASURES)]
    if measures.empty:
        return ""
    profiled = where(results.profiles, {key: cell[key] for key in KEYS})
    seeds = sorted(int(seed) for seed in profiled["seed"].unique())
    with_own = file.seed in seeds
    rows = []
    for _, row in measures.iterrows():
        record = MEASURES[row["measure"]]
        modelled = " (modelled)" if record.modelled else ""
        batch = "" if missing(row["batch_size"]) else f", batch {int(row['batch_size'])}"
        own = [_of_file(where(profiled, {"seed": file.seed, "engine": row["engine"]}), row)] if with_own else []
        title = f"{record.title}{modelled}{batch} in {record.unit}"
        rows.append([title, escape(row["engine"]), *own, record.text(row["mean"], writer=MARKDOWN)])
    header = ["Measure", "Engine", *(["This file"] if with_own else []), "Mean over the profiled seeds"]
    note = f"Profiled: {count(len(seeds), 'seed')}{'' if with_own else ', this file not among them'}."
    return f"{markdown.table(header, rows, 2)}\n{note}\n"


def _of_file(profiled: pd.DataFrame, row: Any) -> str:
    """A measure of the file as it was profiled; what is modelled is known as a mean only."""
    if not missing(row["batch_size"]):
        profiled = where(profiled, {"batch_size": row["batch_size"]})
    if profiled.empty or row["measure"] not in profiled:
        return DASH
    return MEASURES[row["measure"]].text(profiled.iloc[0][row["measure"]], writer=MARKDOWN)


def _data(results: Results, dataset: str) -> str:
    card = next(c for c in results.cards if c["dataset"] == dataset)
    home = f" Described at {escape(card['homepage'])}." if card["homepage"] else ""
    licence = escape(card["licence"] or "not stated")
    rows = f"{escape(card['title'])}, {card['rows']:,} rows, licence {licence}."
    return f"{rows}{home} Its data card shows which groups are in it."


def _limits(results: Results) -> str:
    few = results.study["fairness"]["smallest_group"]
    return (
        "It was tested on people like those of the test rows; its quality for others is unknown. No test in this study "
        f"can show whether the labels are fair. Rates of groups with fewer than {few} rows are uncertain: they are "
        "neither tested nor ranked."
    )


def _provenance(results: Results, cell: Cell, file: ShippedFile) -> str:
    about = results.provenance
    path = path_of(cell, file.seed) / "model.onnx"
    versions = ", ".join(f"{escape(n)} {escape(v)}" for n, v in about["packages"].items())
    return (
        f"Study {escape(results.study['name'])}, file {escape(path)}; fairweight {escape(about['fairweight'])}, commit "
        f"{escape(about['commit'] or 'unknown')}; Python {escape(about['python'])}, {versions}."
    )
