"""The report's tables.  They arrange and format what the summaries hold, and compute nothing."""

from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import DASH, NOT_ESTIMABLE, count, missing, number, with_spread
from fairweight.core.frames import by_cell
from fairweight.core.lineage import CELL
from fairweight.energy.energy_model import watts_per_core
from fairweight.reporting.report.page import table
from fairweight.reporting.report.results import ENCODING, Results


def _columns(results: Results, dataset: str) -> list[tuple[str, pd.DataFrame, int, float]]:
    """(title, rows of the variants' table, digits, scale) of each column that the dataset has values for."""
    attributes = list(results.study["datasets"][dataset]["groups"])
    binary = next(len(card["classes"]) == 2 for card in results.cards if card["dataset"] == dataset)
    columns = [("Accuracy, %", results.measured("accuracy"), 2, 100.0)]
    columns += [("Flips, %", results.measured("flips"), 2, 100.0)]
    for attribute in attributes:
        columns.append(
            (f"Worst group's accuracy by {attribute}, %", results.measured("worst_group_accuracy", attribute), 2, 100.0)
        )
    gap = "equalized_odds_difference" if binary else "accuracy_difference"
    name = "Equalized odds gap" if binary else "Accuracy gap"
    for attribute in attributes:
        columns.append((f"{name} by {attribute}, points", results.measured(gap, attribute), 1 if binary else 2, 100.0))
    if results.study["datasets"][dataset].get("counterfactuals"):
        columns.append(("Counterfactual flips, %", results.measured("counterfactual_flips"), 2, 100.0))
    return columns


def variants(results: Results, dataset: str) -> HTML:
    """Quality and fairness of each variant of a dataset, with its change against its baseline."""
    columns = _columns(results, dataset)
    floor = results.noise_floors
    swapped = results.study["datasets"][dataset].get("counterfactuals")
    note = (
        f"Quality and fairness on the test rows of {results.title(dataset)}: mean ± standard deviation over seeds; below it, "
        "small, the change against the baseline, paired by seed."
        + " Flips are rows predicted otherwise than by the baseline; a gap is the largest difference between two groups."
        + (
            " Counterfactual flips are rows predicted otherwise when the words for their group are those for another "
            f"(list of terms {swapped!r}); rows without such words do not count."
            if swapped
            else ""
        )
        + (
            f" The change of {' and '.join(floor)} is the noise floor: what another initialisation alone does."
            if floor
            else ""
        )
    )
    return _variant_table(results, dataset, columns, note)


def resources(results: Results, dataset: str) -> HTML | None:
    """Size, latency and energy of each variant of a dataset, with its change against its baseline."""
    if not results.ships(dataset):
        return None
    sizes = results.study["profile"]["batch_sizes"]
    columns = [
        ("File, kB", results.measured("size_bytes"), 1, 1e-3),
        ("To transfer, kB", results.measured("transfer_bytes"), 1, 1e-3),
    ]
    for size in sizes:
        columns.append((f"Latency p50, batch {size}, µs", results.measured("latency_p50_ms", None, size), 1, 1e3))
    for size in sizes:
        columns.append(
            (f"Energy per 1,000, batch {size}, J (modelled)", results.measured("energy_j_per_1000", None, size), 4, 1.0)
        )
    columns.append(("Energy to make it, J (modelled)", results.measured("making_energy_j"), 1, 1.0))
    profile = results.study["profile"]
    note = (
        f"Size, latency and energy on {results.title(dataset)}: mean ± standard deviation over the first "
        f"{count(results.profiles['seed'].nunique(), 'seed')} (the energy to make a variant: over all seeds); below it, small, the change against the baseline. Transfer "
        f"size is that of the file under zstd at level 19 (of more than 16 MB, level 9). Latency is measured on {profile['threads']} thread, all "
        "variants in turn; energy is modelled from CPU-seconds."
    )
    return _variant_table(results, dataset, columns, note)


def _variant_table(
    results: Results, dataset: str, columns: list[tuple[str, pd.DataFrame, int, float]], note: str
) -> HTML:
    cells = results.ordered(results.variants[results.variants["dataset"] == dataset][CELL].drop_duplicates())
    several = {key: cells[key].nunique() > 1 for key in ("model", "augmentation", "engine")}
    looked_up = [(by_cell(entries), digits, scale) for _, entries, digits, scale in columns]
    rows: list[list[str]] = []
    breaks: set[int] = set()
    previous: Any = None
    for _, cell in cells.iterrows():
        block = (cell["model"], cell["engine"], cell["augmentation"])
        if previous not in (None, block):
            breaks.add(len(rows))
        previous = block
        row = [cell["variant"], *(str(cell[key]) for key, shown in several.items() if shown)]
        row += [_value(entries.get(tuple(cell[CELL])), digits, scale) for entries, digits, scale in looked_up]
        rows.append(row)
    shown = [key.capitalize() for key, several_values in several.items() if several_values]
    return table(["Variant", *shown, *(c[0] for c in columns)], rows, note, text_columns=1 + len(shown), breaks=breaks)


def _value(entry: dict[str, Any] | None, digits: int, scale: float) -> str:
    if entry is None:
        return DASH
    text = with_spread(entry["mean"], entry["sd"], digits, scale)
    if missing(entry["change_mean"]) or text == NOT_ESTIMABLE:
        return text
    return f"{text}\n{with_spread(entry['change_mean'], entry['change_sd'], digits, scale, signed=True)}"


def compression(results: Results) -> HTML | None:
    """What was checked of each compressed file: sparsity, integer operators, size against the parent's file."""
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
        verdicts = checks["verdict"].dropna()
        rows.append(
            [
                variant,
                dataset,
                model,
                ", ".join(sorted(checks["method"].dropna().unique())) or DASH,
                ", ".join(f"{v} ({n}/{len(verdicts)})" for v, n in verdicts.value_counts().items()) or DASH,
                _range(checks["sparsity"], 1, 100.0),
                _range(checks["integer_operators"], 0),
                _range(checks["float_operators"], 0),
                _kept_in_float(checks),
                _range(checks["size_ratio"], 2),
                _largest(checks["largest_difference"]),
            ]
        )
    header = [
        *(["Variant", "Dataset", "Model", "Quantization", "Verdict", "Zeros among weights, %"]),
        *(
            [
                "Integer operators",
                "Float operators",
                "Matrices in float",
                "Times smaller",
                "Largest difference to torch",
            ]
        ),
    ]
    caption = (
        "What was checked of the files that ship. A file counts as quantized if it is at least 3 times smaller than its "
        "parent and all its matrix products run on integers; else as partly quantized. Operators are counted in the graph "
        "that onnxruntime runs after its fusions; products of two activations, as attention has, are not products of weights. The difference is that of a probability between the shipped float file "
        "and torch on validation rows. Ranges are over seeds and augmentations."
    )
    return table(header, rows, caption, text_columns=5, breaks=breaks)


def _kept_in_float(checks: pd.DataFrame) -> str:
    """Number and bytes of the matrices that quantized files keep in float, and the name of the largest."""
    found = checks[checks["float_matrices"].notna() & ~checks["float_matrix"].isin(ENCODING)]
    if found.empty:
        return DASH
    size = number(found["float_matrix_bytes"].max(), 1, 1e-3)
    return f"{_range(found['float_matrices'], 0)} of {size} kB\nlargest: {found['float_matrix'].iloc[0]}"


def _range(values: pd.Series, digits: int, scale: float = 1.0) -> str:
    found = values.dropna()
    if found.empty:
        return DASH
    low, high = number(found.min(), digits, scale), number(found.max(), digits, scale)
    return low if low == high else f"{low}{DASH}{high}"


def _largest(values: pd.Series) -> str:
    found = values.dropna()
    return DASH if found.empty else f"{found.max():.1g}".replace("-", "\N{MINUS SIGN}")


def steps(results: Results) -> HTML:
    """What each kind of step took."""
    grouped = results.steps.groupby("rule", sort=False)
    rows = []
    for rule, steps in sorted(grouped, key=lambda item: -item[1]["cpu_s"].sum()):
        rows.append([str(rule), f"{len(steps):,}", *_usage_cells(steps)])
    rows.append(["all steps", f"{len(results.steps):,}", *_usage_cells(results.steps)])
    header = [
        "Step",
        "Jobs",
        "CPU-seconds",
        "Wall-seconds",
        "Peak memory, MB",
    ]
    caption = (
        "Time and memory that the successful attempt of each step used, measured by the step itself. Snakemake's own work, "
        "summaries and this report are not in it."
    )
    return table(header, rows, caption, breaks={len(rows) - 1})


def _usage_cells(steps: pd.DataFrame) -> list[str]:
    return [
        number(steps["cpu_s"].sum(), 1),
        number(steps["wall_s"].sum(), 1),
        number(steps["peak_memory_bytes"].max(), 0, 1e-6),
    ]


def provenance(results: Results) -> HTML:
    """Versions, commit, machine."""
    about = results.provenance
    host, intensity, power = about["host"], about["intensity"], results.study["energy"]
    watts, memory = watts_per_core(power), power["watts_per_gb"]
    rows = [
        ["fairweight", f"{about['fairweight']}, commit {about['commit'] or 'unknown'}"],
        ["Finished", about["finished"]],
        [
            "Machine",
            f"{host['processor']}, {host['cores']} cores, {host['memory_bytes'] / 2**30:.0f} GiB, {host['system']}",
        ],
        ["Python", about["python"]],
        ["Packages", ", ".join(f"{name} {version}" for name, version in about["packages"].items())],
        [
            "Power model",
            f"{watts['central']:.3g} W per busy core ({watts['low']:.3g} to {watts['high']:.3g}), {memory['central']:g} W a GB "
            f"({memory['low']:g} to {memory['high']:g}), PUE {power['pue']:g}",
        ],
        [
            "Carbon intensity",
            f"{intensity['name']} {intensity['year'] or ''}: {intensity['g_per_kwh']:g} gCO2e/kWh ({intensity['source']})",
        ],
    ]
    return table(["", ""], rows, "What the study was made with.", text_columns=2)
