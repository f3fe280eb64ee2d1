"""What the files of each variant give away about training rows: figure, sentences and table of the audit."""

from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import DASH, count, missing, number, with_interval
from fairweight.core.frames import where
from fairweight.reporting.report import interval_dots
from fairweight.reporting.report.columns import p_equals
from fairweight.reporting.report.page import listing, picture, table
from fairweight.reporting.report.results import Results, place, varying
from fairweight.reporting.report.text import section
from fairweight.statistics.significance import holm

GUESSING = 0.5  # area below the ROC curve of an attack that knows nothing
TITLE = "What the files give away about training rows"
EXPLAINED = (
    "An attacker who knows the data and the recipe asks of single rows: was the model trained on them? The area below "
    "the ROC curve (AUC) is the probability that a training row looks more like one than another row does; 0.5 is "
    "guessing. The models were trained for this audit, each on a random half of the rows, and each was attacked with "
    "the others as shadow models. The files that ship learn from more rows, which as a rule gives away less of each."
)
MEASURES = {"auc": "AUC", "tpr_at_0.01": "Found at 1 % false alarms, %", "tpr_at_0.001": "Found at 0.1 %, %"}
STRONGEST = ("lira", "loss")  # the attack that is shown first, if it was made


def audit(results: Results) -> HTML | None:
    """Heading and explanation of the audit; None for a study without one."""
    if results.privacy is None:
        return None
    return HTML(section(TITLE).data + f"<p>{EXPLAINED}</p>")


def leakage(results: Results, dataset: str) -> tuple[HTML | None, ...]:
    """Sentences, figure and table of the audit of a dataset; nothing for a study without one."""
    rows = None if results.privacy is None else where(results.privacy, {"dataset": dataset})
    if rows is None or rows.empty:
        return ()
    rows = results.ordered(rows)
    return listing(_sentences(results, rows)), _figure(results, dataset, rows), _table(results, dataset, rows)


def _attack(rows: pd.DataFrame) -> str:
    return next(attack for attack in STRONGEST if attack in set(rows["attack"]))


def _sentences(results: Results, rows: pd.DataFrame) -> list[str]:
    """What the attack finds of each variant, and of its groups."""
    auc = rows[(rows["attack"] == _attack(rows)) & (rows["measure"] == "auc")]
    shown = varying(rows, ("model", "augmentation"))
    sentences = []
    for row in auc[auc["attribute"].isna()].to_dict("records"):
        about = "".join(f", {name} {row[name]}" for name in shown)
        text = f"<b>{escape(row['variant'] + about)}</b>: AUC {_interval(row)}{_against_guessing(row)}"
        if not missing(row["change"]):
            text += f"; change against {escape(row['baseline'])} {_change(row)}"
        exposed = where(rows, _cell(row) | {"measure": "exposed_rows"})
        share = exposed[exposed["attribute"].isna()].iloc[0]
        text += f". {_exposed(share)}{_bound(rows, row)}"
        sentences.append(text + _groups(results, where(auc, _cell(row))))
    return sentences


def _cell(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("augmentation", "model", "variant")}


def _interval(row: dict[str, Any]) -> str:
    return with_interval(row["value"], row["low"], row["high"], digits=3)


def _against_guessing(row: dict[str, Any]) -> str:
    return "" if missing(row["low"]) or row["low"] > GUESSING else ", which is not more than guessing"


def _change(row: dict[str, Any]) -> str:
    interval = with_interval(row["change"], row["change_low"], row["change_high"], digits=3, signed=True)
    return f"{interval}, {p_equals(row['p_value'])}"


def _exposed(share: pd.Series) -> str:
    rows = int(share["members"] + share["others"])
    number_of = round(float(share["value"]) * rows)
    return f"{count(number_of, 'row') if number_of else 'No row'} of {rows:,} can be recognised one by one"


def _bound(rows: pd.DataFrame, row: dict[str, Any]) -> str:
    bound = where(rows, _cell(row) | {"measure": "epsilon_bound", "attack": row["attack"]})
    if bound.empty or bound.iloc[0]["value"] <= 0:
        return "."
    return f"; no differential privacy with epsilon below {number(bound.iloc[0]['value'], 2)} can hold."


def _groups(results: Results, rows: pd.DataFrame) -> str:
    """Groups whose rows are easier to recognise than all other rows, corrected for the number of groups."""
    groups = rows[rows["gap"].notna() & rows["gap_p_value"].notna()]
    if groups.empty:
        return ""
    # of two groups, one is as much easier as the other is harder: that is one test
    pairs = groups.groupby("attribute")["group"].transform("size") == 2
    groups = groups[~pairs | (groups["gap"] > 0)]
    adjusted = groups.assign(gap_p_value=holm(groups["gap_p_value"].to_numpy()))
    rate = results.study["criteria"]["error_rate"]
    easier = adjusted[(adjusted["gap_p_value"] <= rate) & (adjusted["gap"] > 0)].sort_values("gap", ascending=False)
    return "".join(
        f" Rows of {escape(row['group'])} ({escape(row['attribute'])}) are easier to recognise than other rows: AUC "
        f"{number(row['value'], 3)}, {number(row['gap'], 3, signed=True)} ({p_equals(row['gap_p_value'])})."
        for row in easier.to_dict("records")
    )


def _figure(results: Results, dataset: str, rows: pd.DataFrame) -> HTML:
    """Figure of the AUC of each variant, on all rows and on those of each group."""
    attack = _attack(rows)
    auc = rows[(rows["attack"] == attack) & (rows["measure"] == "auc") & rows["value"].notna()]
    auc = results.first_combination(auc, dataset)
    figure, axis, _ = interval_dots.of_groups(results, auc)
    axis.axvline(GUESSING, color="#444", linewidth=0.8)
    axis.set_xlabel("AUC of the attack")
    models, title = int(auc["models"].iloc[0]), results.title(dataset)
    return picture(
        figure,
        f"{title}: how well training rows are recognised, by variant and group.",
        f"Dots with intervals: area below the ROC curve of the membership attack on {title}, by group and variant.",
        f"Attack: {attack}. Markers are means over {count(models, 'attacked model')}; bars are 95 % intervals over "
        f"models. The line at {GUESSING:g} is guessing. Shown: {place(auc.iloc[0])}.",
    )


def _table(results: Results, dataset: str, rows: pd.DataFrame) -> HTML:
    """Table of all attacks, variants and groups."""
    shown = varying(rows, ("model", "augmentation"))
    attacks = [attack for attack in dict.fromkeys(rows["attack"]) if attack != "rows"]
    keyed = {
        (*_cell(r).values(), r["attack"], r["measure"], _text(r["attribute"]), _text(r["group"])): r
        for r in rows.to_dict("records")
    }
    body, breaks = [], set()
    scopes = dict.fromkeys(
        (*_cell(r).values(), _text(r["attribute"]), _text(r["group"])) for r in rows.to_dict("records")
    )
    previous = None
    for augmentation, model, variant, attribute, group in scopes:
        cell = (augmentation, model, variant)
        if previous not in (None, cell):
            breaks.add(len(body))
        previous = cell
        values = [_value(keyed.get((*cell, a, m, attribute, group)), m) for a in attacks for m in MEASURES]
        exposed = keyed[*cell, "rows", "exposed_rows", attribute, group]
        places = [dict(zip(("augmentation", "model"), cell, strict=False))[name] for name in shown]
        where_rows = f"{group} ({attribute})" if attribute else "all rows"
        share = number(exposed["value"], 2, 100)
        body.append([variant, *places, where_rows, *values, share, f"{exposed['members'] + exposed['others']:,}"])
    header = [
        "Variant",
        *map(str.capitalize, shown),
        "Rows",
        *(f"{a}: {t}" for a in attacks for t in MEASURES.values()),
    ]
    return table(
        [*header, "Recognised one by one, %", "Number of rows"],
        body,
        f"{results.title(dataset)}: attacks on each variant, and on the rows of each group.",
        notes=_table_notes(rows),
        text_columns=2 + len(shown),
        breaks=breaks,
    )


def _text(value: Any) -> str:
    return "" if missing(value) else str(value)


def _value(row: dict[str, Any] | None, measure: str) -> str:
    """Mean and interval of one measure, or why there is none."""
    if row is None:
        return DASH
    if missing(row["value"]):
        return "too few rows" if row["note"] else DASH
    scale = 1.0 if measure == "auc" else 100.0
    digits = 3 if measure == "auc" else 2
    text = with_interval(row["value"], row["low"], row["high"], digits=digits, scale=scale)
    return f"{text} *" if row["note"] else text


def _table_notes(rows: pd.DataFrame) -> str:
    models = count(int(rows["models"].iloc[0]), "attacked model")
    return (
        f"Means over {models} with 95 % intervals: Student's t over models; for rates never narrower than the exact "
        "binomial interval of the training rows of one model. Found: share of the training rows above a threshold that "
        "this share of other rows exceeds; * marks rates that fewer than ten other rows decide. Recognised one by one: "
        "rows on which models that have them are more confident than models that have not (false discovery rate 5 %). "
        "lira compares with shadow models (Carlini 2022); loss uses the confidence alone."
    )
