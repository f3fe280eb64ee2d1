"""Sentences of the report that state in words what the tables hold."""

from html import escape

import pandas as pd
import yaml
from IPython.display import HTML

from fairweight.core.formatting import count, number
from fairweight.core.frames import where
from fairweight.core.lineage import COMPARISON
from fairweight.core.shown_measures import measure
from fairweight.reporting.report.page import MOST_ITEMS, listing, tied
from fairweight.reporting.report.results import Results


def title(results: Results) -> HTML:
    """Title, question and scope of the study."""
    titles = [results.title(dataset) for dataset in results.datasets]
    datasets = " and ".join(titles) if len(titles) == 2 else ", ".join(titles)
    datasets = datasets if len(titles) <= MOST_ITEMS else count(len(titles), "dataset")
    seeds = count(results.assessments["seed"].nunique(), "seed")
    variants = count(results.assessments["variant"].nunique(), "variant")
    return HTML(
        f"<h1>{escape(results.study['name'])}: which compressed model can ship?</h1>"
        f'<p class="place"><b>{variants}</b> on {escape(datasets)}, <b>{seeds}</b>, '
        f"{count(results.provenance['cells'], 'combination')} of dataset, augmentation, model, variant and engine.</p>"
    )


def section(title: str) -> HTML:
    """Title of a section that not every study has; the contents link to it."""
    return HTML(f'<h2 id="{escape(title.replace(" ", "-"), quote=True)}">{escape(title)}</h2>')


def headline(results: Results) -> HTML | None:
    """For each dataset, what the smallest file saves and changes, beside the noise floor; None where none ships."""
    sentences = [_smallest(results, dataset) for dataset in results.datasets]
    items = [tied(sentence) for sentence in sentences if sentence]
    return listing(items) if items else None


def _smallest(results: Results, dataset: str) -> str | None:
    """The smallest variant of the first model, engine and augmentation, which is `none` where there is one."""
    sizes = results.first_combination(results.measured("transfer_bytes"), dataset)
    if sizes.empty:
        return None
    combination = sizes.iloc[0][COMPARISON]
    compressed = sizes[(sizes["variant"] != sizes["baseline"]) & ~sizes["variant"].isin(results.noise_floors)]
    if compressed.empty:
        return None
    smallest = compressed.loc[compressed["mean"].idxmin()]
    base = where(sizes, {"variant": smallest["baseline"]}).iloc[0]
    if smallest["mean"] >= base["mean"]:
        return f"{escape(results.title(dataset))}: no variant is smaller to transfer than {escape(base['variant'])}."
    accuracy = where(results.measured("accuracy"), combination)
    flips = where(results.measured("flips"), combination)
    text = (
        f"{escape(results.title(dataset))}: the smallest file to transfer is <b>{escape(smallest['variant'])}</b>, "
        f"{number(base['mean'] / smallest['mean'])} times smaller than {escape(base['variant'])}."
    )
    if accuracy.empty:  # of numbers
        return text
    text += f" It changes {_change(accuracy, flips, smallest['variant'])}."
    floors = [v for v in results.noise_floors if v in set(accuracy["variant"])]
    if floors:
        text += f" Retraining alone ({escape(floors[0])}) changes {_change(accuracy, flips, floors[0])}."
    return text


def _change(accuracy: pd.DataFrame, flips: pd.DataFrame, variant: str) -> str:
    """Change of the accuracy and flips of a variant."""
    entry, flipped = (where(rows, {"variant": variant}).iloc[0] for rows in (accuracy, flips))
    points = measure("accuracy").with_spread(entry["change_mean"], entry["change_sd"], signed=True)
    share = measure("flips").with_spread(flipped["mean"], flipped["sd"])
    return f"accuracy by {points} points and the prediction of {share} % of rows"


def heading(results: Results, dataset: str) -> HTML:
    """Subtitle of a dataset."""
    return HTML(f"<h3>{escape(results.title(dataset))}</h3>")


def resolved_study(results: Results) -> HTML:
    """The study file with every default filled in, folded."""
    text = yaml.safe_dump(results.study, sort_keys=False, allow_unicode=True, width=100)
    return HTML(
        f"<details><summary>The study file with every default filled in</summary><pre>{escape(text)}</pre></details>"
    )
