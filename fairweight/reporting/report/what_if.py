"""Carbon of the same study in other places and at other hours, and of one functional unit."""

from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import TWO_LINES, missing, number, significant, with_interval
from fairweight.core.frames import where
from fairweight.reporting.report.page import table
from fairweight.reporting.report.results import Results, place


def places(results: Results) -> HTML:
    """Table of the emissions of the same run in other places and at other hours."""
    by_emissions = results.what_if.sort_values("carbon_g")
    rounded = by_emissions.round({"intensity_g_per_kwh": 6})
    repeated = rounded.duplicated(["place", "intensity_g_per_kwh"], keep=False)  # the place where the study ran
    rows = [
        [
            f"{row['place']}\n{' '.join(str(row[key]) for key in ('source', 'year') if not missing(row[key]))}",
            row["kind"],
            number(row["intensity_g_per_kwh"], 0),
            with_interval(
                row["carbon_g"], row["carbon_low_g"], row["carbon_high_g"], writer=TWO_LINES, write=significant
            ),
        ]
        for row in by_emissions[~((rounded["kind"] == "country") & repeated)].to_dict("records")
    ]
    header = ["Place or hour", "Kind", "Carbon intensity, gCO2e/kWh", "Emissions, gCO2e (modelled)"]
    notes = (
        "The energy is that of the table by rule; the electricity differs. Small numbers are the bounds of the energy "
        "model."
    )
    caption = "Modelled emissions of this study in other places and at other hours."
    return table(header, rows, caption, notes=notes, text_columns=2)


def functional_units(results: Results) -> HTML:
    """Table of the carbon of the study, and of 1,000 predictions of each variant at the first batch size."""
    size = results.study["profile"]["batch_sizes"][0]
    whole = results.sci[results.sci["variant"].isna()]
    used = where(results.sci[results.sci["variant"].notna()], {"batch_size": size})
    units = pd.concat([whole, *(results.first_combination(used, dataset) for dataset in results.datasets)])
    parts = {"operational_g": "Operational, mgCO2e (modelled)"}
    boundary = 'Emissions are operational only: those of making the machine are not known (key "embodied" of "energy").'
    if units["embodied_g"].notna().any():
        parts |= {"embodied_g": "Embodied, mgCO2e (as stated)", "sci_g": "Total, mgCO2e"}
        boundary = "Embodied emissions, those of making the machine, are as the study file states them."
    rows = [[*_unit(results, row), *(_emissions(row, part) for part in parts)] for row in units.to_dict("records")]
    shown = units[units["variant"].notna()].drop_duplicates("dataset")
    cells = "; ".join(f"{results.title(row['dataset'])}: {place(row)}" for row in shown.to_dict("records"))
    notes = (
        f"Small numbers are the bounds of the energy model. {boundary}{f' Predictions of {cells}.' if cells else ''}"
    )
    caption = f"Software Carbon Intensity (ISO/IEC 21031) of the study, and of 1,000 predictions at batch {size}."
    return table(["Functional unit", "Dataset", *parts.values()], rows, caption, notes=notes, text_columns=2)


def _unit(results: Results, row: Any) -> list[str]:
    """Functional unit and dataset."""
    if missing(row["variant"]):
        return ["the study", ""]
    return [f"1,000 predictions, {row['variant']}", results.title(row["dataset"])]


def _emissions(row: Any, part: str) -> str:
    if missing(row[part]):
        return "not known"
    bounds = (row[f"{part}{suffix}"] for suffix in ("", "_low", "_high"))
    return with_interval(*bounds, writer=TWO_LINES, write=lambda grams: significant(grams, 1e3))
