"""Tables of variants, checks, steps and provenance. They format what the summaries hold, and compute nothing."""

from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import DASH, MINUS, NOT_ESTIMABLE, count, missing, number
from fairweight.core.frames import by_cell
from fairweight.core.lineage import CELL
from fairweight.core.shown_measures import ShownMeasure, measure
from fairweight.energy.energy_model import watts_per_core
from fairweight.reporting.report.columns import Column
from fairweight.reporting.report.life_cycle import with_disturbances
from fairweight.reporting.report.page import table
from fairweight.reporting.report.results import STANDARDISATION, Results, varying


def _quality_columns(results: Results, dataset: str) -> list[Column]:
    """Columns of quality and fairness that a dataset has values for."""
    attributes = list(results.study["datasets"][dataset]["groups"])
    binary = len(results.card(dataset)["classes"]) == 2
    gap = "equalized_odds_difference" if binary else "accuracy_difference"
    columns = [Column("accuracy"), Column("flips")]
    columns += [Column("worst_group_accuracy", attribute) for attribute in attributes]
    columns += [Column(gap, attribute) for attribute in attributes]
    if results.study["datasets"][dataset].get("counterfactuals"):
        columns.append(Column("counterfactual_flips"))
    return columns


def variants(results: Results, dataset: str) -> HTML:
    """Table of quality and fairness of each variant of a dataset, with its change against its baseline."""
    floor = results.noise_floors
    terms = results.study["datasets"][dataset].get("counterfactuals")
    notes = (
        "Mean ± standard deviation over seeds; small numbers are the change against the baseline, paired by seed. "
        "Flips are rows whose prediction differs from the baseline's; a gap is the largest difference between two "
        "groups."
    )
    if terms:
        notes += (
            " Counterfactual flips are rows whose prediction changes when the words for their group are replaced by "
            f"those for another group (list of terms {terms!r}); rows without such words do not count."
        )
    if floor:
        notes += f" The change of {' and '.join(floor)} is the noise floor: the effect of another initialisation alone."
    caption = f"{results.title(dataset)}: quality and fairness on the test rows."
    return _variant_table(results, dataset, _quality_columns(results, dataset), caption, notes)


def resources(results: Results, dataset: str) -> HTML | None:
    """Table of size, latency and energy of each variant, with its change against its baseline; None if none ships."""
    if not results.ships(dataset):
        return None
    profile = results.study["profile"]
    columns = [Column("size_bytes"), Column("transfer_bytes")]
    for key in ("latency_p50_ms", "energy_j_per_1000"):
        columns += [Column(key, batch_size=size) for size in profile["batch_sizes"]]
    columns.append(Column("making_energy_j"))
    seeds = count(results.profiles["seed"].nunique(), "seed")
    notes = (
        f"Mean ± standard deviation over the first {seeds} (energy to make it: over all seeds); small numbers are the "
        "change against the baseline. Transfer size is the size of the file compressed with zstd at level 19 (level "
        f"9 above 16 MB). Latency is measured with {count(profile['threads'], 'thread')}, variants taking turns. "
        "Energy is modelled from CPU-seconds."
    )
    notes = with_disturbances(notes, results, dataset)
    return _variant_table(
        results, dataset, columns, f"{results.title(dataset)}: size, latency and energy of each variant.", notes
    )


def _variant_table(results: Results, dataset: str, columns: list[Column], caption: str, notes: str) -> HTML:
    cells = results.ordered(results.variants[results.variants["dataset"] == dataset][CELL].drop_duplicates())
    shown = varying(cells, ("model", "augmentation", "engine"))
    entries = [(column.record, by_cell(column.rows(results))) for column in columns]
    rows: list[list[str]] = []
    breaks: set[int] = set()
    previous: Any = None
    for _, cell in cells.iterrows():
        block = (cell["model"], cell["engine"], cell["augmentation"])
        if previous not in (None, block):
            breaks.add(len(rows))
        previous = block
        key = tuple(cell[CELL])
        values = [_value(record, by_key.get(key)) for record, by_key in entries]
        rows.append([cell["variant"], *(str(cell[name]) for name in shown), *values])
    header = ["Variant", *map(str.capitalize, shown), *(column.heading for column in columns)]
    return table(header, rows, caption, notes=notes, text_columns=1 + len(shown), breaks=breaks)


def _value(record: ShownMeasure, entry: Any) -> str:
    """Mean and spread of a measure, with those of its change below."""
    if entry is None:
        return DASH
    text = record.with_spread(entry["mean"], entry["sd"])
    if missing(entry["change_mean"]) or text == NOT_ESTIMABLE:
        return text
    return f"{text}\n{record.with_spread(entry['change_mean'], entry['change_sd'], signed=True)}"


def compression(results: Results) -> HTML | None:
    """Table of the checks of each compressed file: sparsity, integer operators, size; None where none was checked."""
    if results.checks.empty:
        return None
    rows: list[list[str]] = []
    breaks: set[int] = set()
    previous: Any = None
    keys = ["dataset", "model", "variant"]
    for (dataset, model, variant), checks in results.ordered(results.checks).groupby(keys, sort=False):
        if previous not in (None, dataset):
            breaks.add(len(rows))
        previous = dataset
        rows.append([variant, dataset, model, *_checked(checks)])
    header = ["Variant", "Dataset", "Model", "Quantization", "Verdict", "Zeros among weights, %", "Integer operators"]
    header += ["Float operators", "Matrices in float", "Size ratio", "Largest difference", "Other calibrations, %"]
    notes = (
        "A file counts as quantized if it is at least 3 times smaller than its parent and all its matrix products "
        "run on integers, otherwise as partly quantized. Operators are counted in the graph that onnxruntime runs "
        "after its fusions; products of two activations, as in attention, are not products of weights. Size ratio is "
        "the size of the parent's file over that of the file. The largest difference is that of a probability "
        "between the shipped float file and PyTorch on validation rows, or between an imported model and its "
        "original. Other calibrations: the largest share of decisions that "
        "changes if other rows calibrate the file. Ranges are over seeds and augmentations."
    )
    return table(header, rows, "Checks of the files that ship.", notes=notes, text_columns=5, breaks=breaks)


def _checked(checks: pd.DataFrame) -> list[str]:
    """Cells of one variant in the table of `compression`."""
    verdicts = checks["verdict"].dropna()
    return [
        ", ".join(sorted(checks["method"].dropna().unique())) or DASH,
        ", ".join(f"{v} ({n}/{len(verdicts)})" for v, n in verdicts.value_counts().items()) or DASH,
        _range(checks["sparsity"], 1, 100.0),
        _range(checks["integer_operators"], 0),
        _range(checks["float_operators"], 0),
        _kept_in_float(checks),
        _range(checks["size_ratio"], 2),
        _largest(checks["largest_difference"]),
        _range(checks["calibration_spread"], 2, 100.0),
    ]


def _kept_in_float(checks: pd.DataFrame) -> str:
    """Number and size of the matrices that quantized files keep in float, and the name of the largest."""
    kept = checks[checks["float_matrices"].notna() & ~checks["float_matrix"].isin(STANDARDISATION)]
    if kept.empty:
        return DASH
    size = measure("size_bytes").with_unit(kept["float_matrix_bytes"].max())
    return f"{_range(kept['float_matrices'], 0)} of {size}\nlargest: {kept['float_matrix'].iloc[0]}"


def _range(column: pd.Series, digits: int, scale: float = 1.0) -> str:
    """Smallest and largest value of a column."""
    values = column.dropna()
    if values.empty:
        return DASH
    low, high = number(values.min(), digits, scale), number(values.max(), digits, scale)
    return low if low == high else f"{low}{DASH}{high}"


def _largest(column: pd.Series) -> str:
    values = column.dropna()
    return DASH if values.empty else f"{values.max():.1g}".replace("-", MINUS)


def steps(results: Results) -> HTML:
    """Table of the wall time and memory of the attempts at each rule."""
    known = results.rules[(results.rules["kind"] == "step") & results.rules["wall_s"].notna()]
    rows = [
        [str(row["rule"]), f"{int(row['attempts']):,}", number(row["wall_s"]), _megabytes(row["peak_memory_bytes"])]
        for row in known.sort_values("wall_s", ascending=False).to_dict("records")
    ]
    total = [f"{int(known['attempts'].sum()):,}", number(known["wall_s"].sum())]
    rows.append(["all steps", *total, _megabytes(known["peak_memory_bytes"].max())])
    header = ["Rule", "Attempts", "Wall time, s", "Peak memory, MB"]
    notes = (
        "The same attempts as in the table of energy and carbon. Wall time is the sum over attempts, of which several "
        "run at once; peak memory is the largest of one attempt."
    )
    return table(header, rows, "Time and memory by rule.", notes=notes, breaks={len(rows) - 1})


def _megabytes(size: float) -> str:
    return number(size, 0, 1e-6)


def provenance(results: Results) -> HTML:
    """Table of versions, commit, machine, power model and carbon intensity."""
    origin = results.provenance
    host, intensity, energy = origin["host"], origin["intensity"], results.study["energy"]
    watts, memory = watts_per_core(energy), energy["watts_per_gb"]
    machine = f"{host['processor']}, {host['cores']} cores, {host['memory_bytes'] / 2**30:.0f} GiB, {host['system']}"
    power = (
        f"{watts['central']:.3g} W per busy core ({watts['low']:.3g} to {watts['high']:.3g}), "
        f"{memory['central']:g} W per GB of memory ({memory['low']:g} to {memory['high']:g}), "
        f"PUE {energy['pue']:g}"
    )
    name = " ".join(str(part) for part in (intensity["name"], intensity["year"]) if part)
    rows = [
        ["fairweight", f"{origin['fairweight']}, commit {origin['commit'] or 'unknown'}"],
        ["Finished", origin["finished"]],
        ["Machine", machine],
        ["Python", origin["python"]],
        ["Packages", ", ".join(f"{package} {version}" for package, version in origin["packages"].items())],
        ["Power model", power],
        ["Carbon intensity", f"{name}: {intensity['g_per_kwh']:g} gCO2e/kWh ({intensity['source']})"],
    ]
    return table(["What", "Value"], rows, "Software, machine and energy model of this study.", text_columns=2)
