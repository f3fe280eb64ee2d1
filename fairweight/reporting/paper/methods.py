"""Drafts of an article's methods and findings, filled in from the study."""

from typing import Any

import pandas as pd

from fairweight.core.formatting import as_stated, count, missing, p_value, points, significant
from fairweight.core.frames import where
from fairweight.core.lineage import COMPARISON
from fairweight.core.operations import GIVEN, OPERATIONS, of_recipe
from fairweight.core.recipes import TrainingRecipe
from fairweight.core.shown_measures import measure
from fairweight.energy.amounts import of_study
from fairweight.energy.energy_model import watts_per_core
from fairweight.evaluation.decide import FAMILY, name_of
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.latex import LATEX, amount, escape, number_text
from fairweight.reporting.report.results import Results


def methods(results: Results) -> str:
    """Content of `methods.tex`: data, variants, statistics, energy and reproducibility statements."""
    parts = {
        "Data.": _data(results),
        "Models and variants.": _variants(results),
        "Evaluation and statistics.": _statistics(results),
        "Energy and emissions.": _energy(results),
        "Reproducibility.": _reproducibility(results),
    }
    paragraphs = "\n\n".join(rf"\paragraph{{{title}}} {text}" for title, text in parts.items())
    return f"% A draft, written again by each run of the study: copy what you keep.\n{paragraphs}\n"


def listed(items: list[str]) -> str:
    """Items as an enumeration in a sentence."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _data(results: Results) -> str:
    sentences = []
    for card in results.cards:
        recipe = results.study["datasets"][card["dataset"]]
        test = recipe["split"]["test"]
        groups = f", compared by {listed([escape(a) for a in card['groups']])}" if card["groups"] else ""
        licence = f", licence {escape(card['licence'])}" if card["licence"] else ""
        size = f"{card['rows']:,} rows and {len(card['classes'])} classes"
        text = f"{escape(card['title'])} has {size}{groups}{licence}; test rows: {_test_rows(test)}"
        if test != "all":
            share = escape(as_stated(recipe["split"]["validation"], 100))
            text += rf"; {share}\,\% of the others are validation rows, drawn by each seed"
        dropped = recipe["drop"]
        text += f". Columns that may identify someone were dropped when reading ({len(dropped)})." if dropped else "."
        sentences.append(text)
    return " ".join(sentences)


def _test_rows(test: str | float) -> str | None:
    """What the test rows are, from `split: test` of the dataset."""
    if isinstance(test, str):
        return {"official": "the official test part", "all": "all rows are audited"}.get(test)
    return rf"a share of {escape(as_stated(test, 100))}\,\% drawn once"


def _variants(results: Results) -> str:
    study, shown = results.study, set(results.assessments["variant"])
    models = [f"{escape(name)} ({escape(m['architecture'])})" for name, m in study["models"].items()]
    text = f"Models: {listed(models)}. " if models else ""
    text += f"Variants: {'; '.join(_variant(n, v) for n, v in study['variants'].items() if n in shown)}. "
    used = {study["variants"][n][results.operation(n)] for n in results.trained_from_data if n in shown}
    recipes = [_recipe(name, study["training"][name]) for name in study["training"] if name in used]
    return text + (" ".join(recipes) + " The epoch with the lowest validation loss is kept." if recipes else "")


def _recipe(name: str, recipe: TrainingRecipe) -> str:
    objective = recipe["objective"]["method"]
    text = (
        f"Recipe {escape(name)}: {count(recipe['epochs'], 'epoch')} with {escape(recipe['optimizer'])}, learning rate "
        f"{recipe['learning_rate']:g} ({escape(recipe['schedule'])}), batches of {recipe['batch_size']}"
    )
    return text + (f", objective {escape(objective)}." if objective != "standard" else ".")


def _variant(name: str, variant: dict[str, Any]) -> str:
    """How a variant is made, from its entry in the study file."""
    operation = of_recipe(variant)
    record, recipe = OPERATIONS[operation], variant[operation]
    if record.trains and not record.parents:
        again = " with another initialisation (the noise floor)" if variant.get("replicate") else ""
        return f"{escape(name)}, {record.participle}{again}"
    if operation == GIVEN:
        return f"{escape(name)}, given scores of column {escape(recipe['column'])}, positive above {recipe['above']:g}"
    if not record.parents:
        return f"{escape(name)}, {record.participle}"
    options = f" to a sparsity of {recipe['sparsity']:g}" if "sparsity" in recipe else ""
    method = f" ({escape(recipe['method'])})" if "method" in recipe else ""
    epochs = recipe.get("finetune", {}).get("epochs", 0)
    options += f" and finetuned for {count(epochs, 'epoch')}" if epochs else ""
    return f"{escape(name)}, {escape(variant['from'])} {record.participle}{method}{options}"


def _statistics(results: Results) -> str:
    criteria, seeds = results.study["criteria"], int(results.assessments["seed"].nunique())
    stated_margins = {name: margin for name, margin in criteria["margins"].items() if margin is not None}
    margins = [rf"{escape(name.replace('_', ' '))} {escape(points(v))}" for name, v in stated_margins.items()]
    return (
        "Every variant was assessed on the test rows from the file that ships, with "
        f"{count(seeds, 'seed')}; a seed varies the split into training and validation rows, augmentation and "
        "initialisation, and all seeds predict the same test rows. Changes against the baseline are paired by seed; "
        "their 95\\,\\% intervals are over seeds and test rows, which are crossed (Student's distribution, degrees of "
        "freedom after Satterthwaite). A variant is called non-inferior if every criterion is shown with p at most "
        f"{criteria['error_rate']:g} after Holm's correction over the variants of a dataset and model (margins: "
        f"{listed(margins) or 'none'}); p is the larger of an exact sign-flip test over seeds and a t-test over seeds "
        "and rows. Changes of single groups are exploratory, with false discovery rates after Benjamini and Hochberg. "
        f"Rates of fewer than {results.study['fairness']['smallest_group']} rows are not ranked."
    )


def _energy(results: Results) -> str:
    used, energy, intensity = of_study(results.rules), results.study["energy"], results.provenance["intensity"]
    watts, memory = watts_per_core(energy), energy["watts_per_gb"]
    held = float(results.rules["memory_gb_s"].sum())
    source = f"{escape(intensity['name'])}, {intensity['year'] or 'year not stated'}, {escape(intensity['source'])}"
    return (
        rf"The {count(used.attempts, 'attempt')} at steps of the study, failed ones included, and Snakemake and Dask "
        rf"themselves used {number_text(used.cpu_s, 0)} CPU-seconds; the steps held {number_text(held, 0)} GB-seconds "
        r"of memory, each its peak for as long as it took (measured). The report and this article, which are made from "
        r"these figures, are not included. Energy is modelled, not metered: CPU-seconds times "
        rf"{watts['central']:.3g}\,W for a busy core ({watts['low']:.3g} to {watts['high']:.3g}), plus GB-seconds "
        rf"times {memory['central']:.3g}\,W for a GB ({memory['low']:.3g} to {memory['high']:.3g}), together times a "
        rf"PUE of {energy['pue']:g}: {amount(used.energy_j, 1e-3)}\,kJ ({amount(used.energy_j_low, 1e-3)} to "
        rf"{amount(used.energy_j_high, 1e-3)}); with {intensity['g_per_kwh']:.4g}\,gCO\textsubscript{{2}}e/kWh "
        rf"({source}) that is {escape(significant(used.emissions_g))}\,gCO\textsubscript{{2}}e. Embodied carbon is not "
        "included."
    )


def _reproducibility(results: Results) -> str:
    about = results.provenance
    packages = listed([f"{escape(n)} {escape(v)}" for n, v in about["packages"].items()])
    commit = escape(about["commit"] or "unknown")
    return (
        f"The study is one file, run by fairweight {escape(about['fairweight'])} (commit {commit}), Python "
        f"{escape(about['python'])}, {packages}, on {escape(about['host']['processor'])}. Raw files are verified by "
        "SHA-256. The archive holds the study file, the code, the lock file, results and checksums; with the same "
        "threads, instruction set and versions a run gives the same bytes."
    )


def findings(results: Results) -> str:
    """Content of `findings.tex`: for each dataset and model what to ship, or that nothing is proven."""
    decided = results.decisions[results.decisions["verdict"].notna()]
    if decided.empty:
        return "No variant is compared with a baseline under augmentation none, so nothing was decided.\n"
    return "\n\n".join(_finding(results, family) for _, family in decided.groupby(FAMILY)) + "\n"


def _finding(results: Results, family: pd.DataFrame) -> str:
    first = family.iloc[0]
    place = f"{escape(results.title(first['dataset']))}, {escape(first['model'])}: "
    chosen = family[family["recommended"]]
    if chosen.empty:
        ordered = results.ordered(family)
        reasons = "; ".join(f"{escape(r['variant'])}: {escape(r['reason'])}" for _, r in ordered.iterrows())
        return f"{place}no compressed variant is proven to keep the criteria ({reasons})."
    row = chosen.iloc[0]
    criteria = where(results.criteria, {**row[COMPARISON], "variant": row["variant"]})
    margins = results.study["criteria"]["margins"]
    changes = [_change(entry) for _, entry in criteria.iterrows() if entry["criterion"] in margins]
    p = p_value(row["p_value"])
    p = p if p.startswith("below") else f"= {p}"
    return (
        f"{place}\\textbf{{{escape(row['variant'])}}} is the cheapest variant that is proven non-inferior "
        f"(p {escape(p)} after Holm's correction over {int(row['tests'])} variants){_smaller(results, row)}. Changes "
        f"against the baseline with 95\\,\\% intervals: {'; '.join(changes)}."
    )


def _change(entry: Any) -> str:
    """A criterion with the change from the baseline, its interval and the margin."""
    value, low, high = (entry[key] for key in ("value", "low", "high"))
    change = measure(entry["criterion"]).with_interval(value, low, high, signed=True, writer=LATEX)
    return rf"{escape(name_of(entry))} {change} points (margin {escape(as_stated(entry['margin'], 100))})"


def _smaller(results: Results, row: pd.Series) -> str:
    sizes = where(results.measured("transfer_bytes"), row[COMPARISON])
    own = where(sizes, {"variant": row["variant"]})
    base = where(sizes, {"variant": own.iloc[0]["baseline"]}) if len(own) else own
    if base.empty or missing(own.iloc[0]["mean"]):
        return ""
    times = latex.number_text(base.iloc[0]["mean"] / own.iloc[0]["mean"], 1)
    return f"; its file is {times} times smaller to transfer than that of {escape(own.iloc[0]['baseline'])}"
