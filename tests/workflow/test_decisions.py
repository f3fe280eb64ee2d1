"""The decision and the gate through the real Snakefile."""

import json
import re

import pandas as pd
import pytest
from runs import LOCAL

pytestmark = pytest.mark.workflow

MARGINS = {"accuracy": 0.2, "group_accuracy": 0.3, "worst_group_accuracy": 0.3, "fairness_gap": 0.9}
LENIENT = {"margins": MARGINS, "error_rate": 0.5}


def test_two_seeds_prove_nothing_and_it_says_how_many_would_do(finished):
    decisions = pd.read_parquet(finished.folder / "results/tiny/summary/decisions.parquet")
    decided = decisions[decisions["verdict"].notna()].set_index("variant")
    assert set(decided.index) == {"pruned50", "int8"} and set(decided["verdict"]) == {"undecided"}
    assert (
        decided["reason"].str.contains("cannot reach significance with 2 seeds: 2 one-sided tests at 0.05 need 6").all()
    )
    assert decisions.loc[decisions["recommended"], "variant"].tolist() == ["dense"]  # nothing else is proven
    page = (finished.folder / "results/tiny/report/report.html").read_text()
    assert "Ship <b>dense</b>, the baseline" in page and "What cannot be concluded" in page and "Who pays" in page
    output = (finished.folder / "output.txt").read_text()  # before anything is trained
    cannot = "This study cannot decide: adult:\n"
    assert "\n  nothing can be proven: it cannot reach significance with 2 seeds" in output[output.index(cannot) :]
    assert int(re.findall(r"\((\d+)%\) done", output[: output.index(cannot)])[-1]) < 50


def test_summaries_and_comparisons_say_the_same(finished):
    changes = pd.read_parquet(finished.folder / "results/tiny/summary/changes.parquet")
    compared = pd.read_parquet(finished.folder / "results/tiny/summary/comparisons.parquet")
    means = (
        changes[changes["measure"] == "accuracy"]
        .groupby(["variant", "attribute", "group"], dropna=False)["value"]
        .mean()
    )
    rows = compared[(compared["metric"] == "accuracy") & (compared["attribute"] != "class")]
    assert len(rows) == len(means)
    for _, row in rows.iterrows():
        same = means[
            [tuple(map(str, key)) == (row["variant"], str(row["attribute"]), str(row["group"])) for key in means.index]
        ]
        assert same.item() == pytest.approx(row["value"], abs=1e-6)


def test_the_gate_fails_without_a_proof_and_names_the_reason(scratch):
    output = scratch.snakemake("study.yaml", *LOCAL, "gate", ok=False)
    assert "gate: adult, none, mlp: no variant is proven" in output and "cannot reach significance" in output


def test_the_gate_passes_a_proven_variant_and_fails_a_planted_violation(scratch):
    """The same models, held against criteria that they keep and against one that they break."""
    scratch.snakemake(scratch.study(criteria=LENIENT), *LOCAL, "gate")
    verdict = json.loads((scratch.folder / "results/tiny/summary/gate.json").read_text())
    assert "int8" in {p["variant"] for p in verdict["passed"]}
    broken = LENIENT | {"variant": "int8", "ceilings": {"size_bytes": {"at_most": 100}}}
    output = scratch.snakemake(scratch.study(criteria=broken), *LOCAL, "gate", ok=False)
    assert "int8 is refuted (size bytes is refuted)" in output
    assert not (scratch.folder / "results/tiny/summary/gate.json").exists()


def test_a_model_that_learned_nothing_is_no_reference_and_the_gate_says_so_first(scratch):
    """With a learning rate of (almost) 0 the models stay as they were drawn."""
    study = scratch.study(criteria=LENIENT, training__standard__learning_rate=1e-12)
    output = scratch.snakemake(study, *LOCAL, "gate", ok=False)
    assert "(int8, pruned50: the baseline dense is too weak to compare with: " in output
    guards = pd.read_parquet(scratch.folder / "results/tiny/summary/guards.parquet")
    assert set(guards.loc[guards["variant"] == "dense", "guard"]) & {"one_class", "majority"}
    simple = pd.read_parquet(scratch.folder / "results/tiny/summary/simple_models.parquet").iloc[0]
    assert simple["dataset"] == "adult" and 0.5 < simple["majority_share"] < simple["accuracy"] < 1
    decisions = pd.read_parquet(scratch.folder / "results/tiny/summary/decisions.parquet")
    assert not decisions["recommended"].any() and "proven" not in set(decisions["verdict"])


def test_criteria_decide_anew_and_train_nothing(scratch):
    jobs = scratch.jobs(scratch.study(criteria=LENIENT))
    reruns = {"decide", "life_cycle", "what_if", "later_steps", "power", "provenance", "render_notebook", "report"}
    assert set(jobs) == reruns


def test_a_mitigation_is_compared_with_the_plain_model(scratch):
    study = scratch.study(
        training__fair={
            "epochs": 2,
            "learning_rate": 0.005,
            "batch_size": 64,
            "objective": {"method": "reweighing", "attribute": "sex"},
        },
        variants__fair={"train": "fair", "against": "dense"},
        variants__fair_int8={"from": "fair", "quantize": "auto"},
        grid=[{"dataset": "adult", "models": ["mlp"], "variants": ["fair_int8"]}],
    )
    scratch.snakemake(study, "--", "results/tiny/summary/comparisons.parquet")
    compared = pd.read_parquet(scratch.folder / "results/tiny/summary/comparisons.parquet")
    assert dict(compared[["variant", "baseline"]].drop_duplicates().to_numpy().tolist()) == {
        "fair": "dense",
        "fair_int8": "dense",
    }
    gap = compared[(compared["metric"] == "demographic_parity_difference") & (compared["attribute"] == "sex")]
    assert (gap["value"] < 0).all()  # reweighing narrows what it is for, and the other metrics stand beside it
    assert {"accuracy", "equalized_odds_difference"} <= set(compared["metric"])
