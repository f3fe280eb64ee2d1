"""The report's sentences: they say in words what stands in the tables."""

from html import escape

import yaml
from IPython.display import HTML

from fairweight.core.formatting import count, number, with_spread
from fairweight.core.frames import where
from fairweight.reporting.report.page import MOST_ITEMS, listing, tied
from fairweight.reporting.report.results import Results


def title(results: Results) -> HTML:
    """Question, scope, and what was assessed."""
    about = results.provenance
    titles = [results.title(card["dataset"]) for card in results.cards]
    datasets = ", ".join(titles) if len(titles) <= MOST_ITEMS else count(len(titles), "dataset")
    seeds = count(results.assessments["seed"].nunique(), "seed")
    variants = count(results.assessments["variant"].nunique(), "variant")
    return HTML(
        f"<h1>{escape(results.study['name'])}: which compressed model can ship?</h1>"
        "<p>Which compressed version of the model can be shipped without losing accuracy or fairness for anyone, and "
        f"what does it save? This study compares <b>{variants}</b> on {escape(datasets)}, "
        f"with <b>{seeds}</b>: {about['cells']} combinations of dataset, augmentation, model, variant and engine.</p>"
    )


def headline(results: Results) -> HTML | None:
    """For each dataset the smallest file, what it saves and what it changes, beside the noise floor."""
    sentences = [_smallest(results, dataset) for dataset in results.datasets]
    items = [tied(sentence) for sentence in sentences if sentence]
    return listing(items) if items else None


def _smallest(results: Results, dataset: str) -> str | None:
    sizes = results.measured("transfer_bytes")
    sizes = results.ordered(sizes[sizes["dataset"] == dataset])
    if sizes.empty:
        return None
    # one model, engine and augmentation: the first, which is `none` where there is none
    first = sizes.iloc[0]
    same = {key: first[key] for key in ("dataset", "augmentation", "model", "engine")}
    sizes = where(sizes, same)
    compressed = sizes[(sizes["variant"] != sizes["baseline"]) & ~sizes["variant"].isin(results.noise_floors)]
    if compressed.empty:
        return None
    smallest = compressed.loc[compressed["mean"].idxmin()]
    base = where(sizes, {"variant": smallest["baseline"]}).iloc[0]
    if smallest["mean"] >= base["mean"]:
        return f"{escape(results.title(dataset))}: no variant is smaller to transfer than {escape(base['variant'])}."
    accuracy = where(results.measured("accuracy"), same)
    flips = where(results.measured("flips"), same)

    def change(variant: str) -> str:
        """Change of accuracy and flips of a variant."""
        entry, flipped = (where(t, {"variant": variant}).iloc[0] for t in (accuracy, flips))
        points = with_spread(entry["change_mean"], entry["change_sd"], 2, 100, signed=True)
        return f"accuracy by {points} points, with {with_spread(flipped['mean'], flipped['sd'], 2, 100)} % of rows predicted otherwise"

    text = (
        f"{escape(results.title(dataset))}: the smallest file to transfer is <b>{escape(smallest['variant'])}</b>, "
        f"{number(base['mean'] / smallest['mean'])} times smaller than {escape(base['variant'])}. It changes "
        f"{change(smallest['variant'])}."
    )
    floors = [v for v in results.noise_floors if v in set(accuracy["variant"])]
    if floors:
        text += f" Retraining alone ({escape(floors[0])}) changes {change(floors[0])}."
    return text


def heading(results: Results, dataset: str) -> HTML:
    """Subtitle of a dataset."""
    return HTML(f"<h3>{escape(results.title(dataset))}</h3>")


def resolved_study(results: Results) -> HTML:
    """The study file with every default filled in, folded."""
    text = yaml.safe_dump(results.study, sort_keys=False, allow_unicode=True, width=100)
    return HTML(
        f"<details><summary>The study file with every default filled in</summary><pre>{escape(text)}</pre></details>"
    )
