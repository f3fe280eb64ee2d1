"""The gate: a step that fails where a variant is not proven to keep the criteria, for use in continuous integration."""

import pandas as pd

from fairweight.core.artifacts import read_frame, write_json
from fairweight.core.errors import InputError
from fairweight.statistics.decision import PROVEN


def hold_against_criteria(*, decisions: str, criteria: str, destination: str, variant: str | None) -> None:
    """Write the verdict on one variant of every dataset and model, if it is proven everywhere.

    Args:
        decisions, criteria: summary tables.
        destination: JSON file to write.
        variant: the variant; None is the recommended one of each dataset and model.

    Raises:
        InputError: it is refuted or undecided somewhere, or nothing is recommended; with the criteria that it fails.
    """
    table, evidence = read_frame(decisions), read_frame(criteria)
    decided = table[table["verdict"].notna()]
    if decided.empty:
        raise InputError("gate: nothing was decided; the grid has no variant to compare with augmentation 'none'.")
    passed, failed = [], []
    for (dataset, model), family in decided.groupby(["dataset", "model"]):
        place = f"{dataset}, {model}"
        chosen = family[family["recommended"] if variant is None else family["variant"] == variant]
        if chosen.empty and variant is None:
            failed.append(f"{place}: no variant is proven to keep the criteria ({_reasons(family)})")
        for _, row in chosen.iterrows():
            if row["verdict"] == PROVEN:
                passed.append({key: row[key] for key in ("dataset", "model", "engine", "variant", "p_value")})
            else:
                failed.append(f"{place}, {row['engine']}: {row['variant']} is {row['verdict']} ({row['reason']})")
    if not failed and not passed:
        raise InputError(f"gate: variant {variant!r} was compared nowhere with augmentation 'none'.")
    if failed:
        raise InputError(f"gate: {'; '.join(failed)}.")
    write_json(destination, {"passed": passed, "criteria": sorted(set(evidence["criterion"]))})
    print("; ".join(f"{p['dataset']}, {p['model']}: {p['variant']} is proven" for p in passed))


def _reasons(family: pd.DataFrame) -> str:
    return "; ".join(f"{row['variant']}: {row['reason']}" for _, row in family.iterrows())
