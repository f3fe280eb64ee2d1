"""The report's sentences: they say in words what stands in the tables."""

from html import escape

import yaml
from IPython.display import HTML

from fairweight.report.results import Results


def title(results: Results) -> HTML:
    """Question, scope, and what was assessed."""
    about = results.provenance
    datasets = ", ".join(results.title(card["dataset"]) for card in results.cards)
    count = results.assessments["seed"].nunique()
    seeds = "1 seed" if count == 1 else f"{count} seeds"
    variants = results.assessments["variant"].nunique()
    return HTML(
        f"<h1>{escape(results.study['name'])}: which compressed model can ship?</h1>"
        "<p>Which compressed version of the model can be shipped without losing accuracy or fairness for anyone, and "
        f"what does it save? This study compares <b>{variants} variant{'' if variants == 1 else 's'}</b> on {escape(datasets)}, "
        f"with <b>{seeds}</b>: {about['cells']} combinations of dataset, augmentation, model, variant and engine.</p>"
    )


def heading(results: Results, dataset: str) -> HTML:
    """Subtitle of a dataset."""
    return HTML(f"<h3>{escape(results.title(dataset))}</h3>")


def resolved_study(results: Results) -> HTML:
    """The study file with every default filled in, folded."""
    text = yaml.safe_dump(results.study, sort_keys=False, allow_unicode=True, width=100)
    return HTML(
        f"<details><summary>The study file with every default filled in</summary><pre>{escape(text)}</pre></details>"
    )
