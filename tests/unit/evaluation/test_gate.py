"""The CI gate: what passes, what fails, and what it says of the file that ships."""

import json

import pandas as pd
import pytest

from fairweight.core.errors import InputError
from fairweight.evaluation.gate import check_criteria

CELL = {"dataset": "a", "augmentation": "none", "model": "m", "engine": "onnxruntime"}


def gate(folder, rows, files=(), variant=None):
    """Verdict on decisions (changes of CELL, variant, verdict, recommended) and files (variant, verdict)."""
    decisions = [
        {**CELL, **cell, "variant": name, "verdict": verdict, "recommended": chosen, "p_value": 0.01, "seeds": 8.0}
        | {"reason": None if verdict == "proven" else "why"}
        for cell, name, verdict, chosen in rows
    ]
    shipped = [{**CELL, "variant": name, "seed": 3, "verdict": verdict} for name, verdict in files]
    tables = {
        "decisions": pd.DataFrame(decisions),
        "criteria": pd.DataFrame({"criterion": ["accuracy"]}),
        "untested": pd.DataFrame(columns=[*CELL, "variant", "attribute", "group", "rate"]),
        "shipped": pd.DataFrame(shipped, columns=[*CELL, "variant", "seed", "verdict"]),
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    return check_written(folder, variant)


def check_written(folder, variant=None):
    """Verdict on the tables of a folder; only decisions are needed for one that fails."""
    paths = {name: str(folder / f"{name}.parquet") for name in ("decisions", "criteria", "untested", "shipped")}
    check_criteria(**paths, destination=str(folder / "gate.json"), variant=variant)
    return json.loads((folder / "gate.json").read_text())


def test_the_recommended_variant_passes_with_its_file(tmp_path):
    rows = [({}, "dense", None, False), ({}, "int8", "proven", True), ({}, "small", "refuted", False)]
    (entry,) = gate(tmp_path, rows, [("int8", "undecided")])["passed"]
    assert (entry["variant"], entry["file_seed"], entry["file_verdict"]) == ("int8", 3, "undecided")


def test_a_proven_variant_passes_where_the_baseline_is_recommended(tmp_path):
    rows = [({}, "dense", None, True), ({}, "int8", "proven", False)]
    assert [entry["variant"] for entry in gate(tmp_path, rows)["passed"]] == ["int8"]


@pytest.mark.parametrize(
    ("rows", "files", "variant", "words"),
    [
        ([({}, "int8", "undecided", False)], [], None, "no variant is proven"),
        ([({}, "int8", "proven", True), ({"dataset": "b"}, "small", "proven", True)], [], "int8", "not among"),
        ([({}, "int8", "proven", True), ({"augmentation": "jitter"}, "int8", "refuted", False)], [], None, "jitter"),
        ([({}, "int8", "proven", True), ({"engine": "other"}, "int8", "refuted", False)], [], "int8", "other: int8 is"),
        ([({}, "int8", "proven", True)], [("int8", "refuted")], None, "the file of seed 3, which ships, is refuted"),
        ([({}, "int8", "proven", True)], [], "int9", "'int9' is not compared with a baseline"),
        ([({}, "dense", None, True)], [], None, "nothing was decided"),
    ],
)
def test_what_fails(tmp_path, rows, files, variant, words):
    with pytest.raises(InputError, match=words):
        gate(tmp_path, rows, files, variant)
    assert not (tmp_path / "gate.json").exists()


def test_many_failures_are_one_short_sentence_and_the_log_has_all(tmp_path, capsys):
    rows = [({"dataset": f"d{number}"}, "int8", "undecided", False) for number in range(60)]
    with pytest.raises(InputError) as caught:
        gate(tmp_path, rows, [])
    sentence = str(caught.value)
    assert sentence.startswith("gate: d0, none, m: no variant is proven") and len(sentence) < 300
    assert sentence.endswith(" more in the log.") and " ... " not in sentence
    assert capsys.readouterr().out.count("no variant is proven to keep the criteria (int8: why)") == 60


@pytest.mark.parametrize(("families", "words"), [(1, 30), (1, 60), (3, 60)])
def test_a_long_reason_keeps_its_beginning_where_the_guards_stand(tmp_path, words, families, capsys):
    guard = "the baseline dense is too weak to compare with: "
    guard += "in seed 1 (1 of 2), one class (<=50K) is predicted for all rows"
    reason = f"{guard}; {' '.join(['accuracy'] * words)}"
    cells = [CELL | {"dataset": f"d{n}", "variant": "int8", "verdict": "undecided"} for n in range(families)]
    rows = pd.DataFrame(
        [cell | {"recommended": False, "p_value": 1.0, "seeds": 2.0, "reason": reason} for cell in cells]
    )
    rows.to_parquet(tmp_path / "decisions.parquet")
    pd.DataFrame(columns=[*CELL, "variant", "seed", "verdict"]).to_parquet(tmp_path / "shipped.parquet")
    with pytest.raises(InputError) as caught:
        check_written(tmp_path)
    sentence = str(caught.value)
    assert sentence.startswith(f"gate: d0, none, m: no variant is proven to keep the criteria (int8: {guard}; accuracy")
    assert len(sentence) < 300 and sentence.endswith("2 more in the log." if families > 1 else "(in the log).")
    assert capsys.readouterr().out.count(reason) == families
