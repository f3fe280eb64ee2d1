"""CI gate: a step for continuous integration that fails unless a variant is proven to keep the criteria."""

import pandas as pd

from fairweight.core.artifacts import read_frame, write_json
from fairweight.core.errors import InputError
from fairweight.statistics.decision import PROVEN


def check_criteria(*, decisions: str, criteria: str, destination: str, variant: str | None) -> None:
    """Check one variant of every dataset and model against the criteria; write the verdict if it is proven everywhere.

    Args:
        decisions, criteria: summary tables.
        destination: JSON file to write.
        variant: the variant; None checks the recommended one of each dataset and model.

    Raises:
        InputError: the variant is refuted or undecided somewhere, or no variant is recommended; the message names the
            criteria that fail.
    """
    table, evidence = read_frame(decisions), read_frame(criteria)
    decided = table[table["verdict"].notna()]
    if decided.empty:
        raise InputError(
            "gate: nothing was decided; add a variant with a baseline and augmentation 'none' to the grid."
        )
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
        raise InputError(
            f"gate: variant {variant!r} is not compared with a baseline under augmentation 'none'; "
            "set criteria: variant to one that is."
        )
    if failed:
        raise InputError(f"gate: {'; '.join(failed)}.")
    write_json(destination, {"passed": passed, "criteria": sorted(set(evidence["criterion"]))})
    print("; ".join(f"{p['dataset']}, {p['model']}: {p['variant']} is proven" for p in passed))


def _reasons(family: pd.DataFrame) -> str:
    return "; ".join(f"{row['variant']}: {row['reason']}" for _, row in family.iterrows())
