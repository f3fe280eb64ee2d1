"""The ledger keeps every attempt, adds steps known from usage files only, and marks what is not known."""

import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from matplotlib.figure import Figure

from fairweight.core.errors import InputError
from fairweight.energy import carbon_intensity
from fairweight.energy.energy_summary import _text_of_rules
from fairweight.energy.ledger import by_rule, read_ledger
from fairweight.energy.life_cycle import rules_table
from fairweight.energy.metered_ledger import meter
from fairweight.energy.run_total import print_total, total
from fairweight.reporting.report import study_energy

RECIPE = {
    "watts_per_core": {"low": 5, "central": 10, "high": 20},
    "watts_per_gb": {"low": 0, "central": 0, "high": 0},
    "pue": 1,
    "country": "DEU",
}
USED = {"cpu_s": 2.0, "wall_s": 3.0, "started": 100.0, "peak_memory_bytes": 10**9, "threads": 1, "host": "here"}


def attempt(status, output, **changes):
    used = USED if status != "lost" else {"threads": 1}
    entry = {"session": "s", "rule": "train", "attempt": 1, "status": status, "output": [output]}
    return {**entry, **used, "ended": 103.0, **changes}


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "mine"
    (folder / "ledger").mkdir(parents=True)
    usage = "results/mine/a/train.usage.json"
    lines = [attempt("failed", usage), attempt("lost", usage), attempt("ok", usage)]
    (folder / "ledger" / "one.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = {"session": "s", "host": "here", "started": 90.0, "ended": 110.0, "cpu_s": 1.0, "processes": []}
    (folder / "ledger" / "one.overhead.json").write_text(json.dumps(run))
    for place in ("a", "b"):
        (folder / place).mkdir()
        (folder / place / "train.usage.json").write_text(json.dumps(USED))
    return folder


def test_every_attempt_counts_and_a_usage_file_only_where_no_attempt_made_it(results):
    table = read_ledger(results)
    assert table["status"].tolist() == ["failed", "lost", "ok", "ok", "ok"]
    assert table["recorded_by"].tolist() == ["executor"] * 3 + ["step", "executor"]
    assert table["kind"].tolist() == ["step"] * 4 + ["run"]
    assert table["cpu_s"].sum() == 7 and pd.isna(table["cpu_s"][1])
    rules = by_rule(table, RECIPE).set_index("rule")
    columns = ["attempts", "failed", "unknown", "cpu_s", "energy_j_central"]
    assert rules.loc["train", columns].tolist() == [4, 2, 1, 6, 60]


def test_a_rule_with_lost_attempts_only_is_not_attributable_and_gets_no_zeros(results):
    line = attempt("lost", "results/mine/a/prune.usage.json", rule="prune")
    (results / "ledger" / "two.jsonl").write_text(json.dumps(line) + "\n")
    table = meter(read_ledger(results), results / "meter", None)[0]
    rules = rules_table(table, RECIPE)
    prune = rules.set_index("rule").loc["prune"]
    assert prune[["cpu_s", "energy_j_central", "emissions_g"]].isna().all() and prune["attempts"] == 1
    assert re.search(r"prune +1 +1 +not attributable\n", _text_of_rules(table, rules, RECIPE))
    grams = rules["emissions_g"].sum()
    assert re.search(rf"together .* {grams:.3g}\n", _text_of_rules(table, rules, RECIPE) + "\n") and grams < 0.01
    shown = SimpleNamespace(
        rules=rules, later=None, steps=pd.DataFrame(columns=["rule", "dataset", "energy_j_central"])
    )
    page = re.sub(r"<[^>]+>", " ", study_energy.rules(shown).data)
    assert re.search(r"prune +1 +1( +\N{EN DASH}){4} +not attributable", page) and "nan" not in page
    figure = Figure()
    study_energy.draw_energy_by_rule(figure, shown)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["(the run itself)", "train"]


def test_the_table_of_rules_names_what_it_does_not_hold_with_its_size(results):
    table = meter(read_ledger(results), results / "meter", None)[0]
    rules = rules_table(table, RECIPE)  # 7 CPU-seconds, one of them Snakemake's and Dask's
    amounts = {"cpu_s": 0.7, "energy_j_low": 3.5, "energy_j": 7.0, "energy_j_high": 14.0}
    shown = SimpleNamespace(rules=rules, later=amounts | {"rules": ["life_cycle", "render_notebook"]})
    page = study_energy.rules(shown).data
    assert "Not included: 1 attempt that ended without a record" in page
    assert "Not included: 0.7 CPU-seconds, 10.0 % more, or 7.0 (3.5 to 14.0) J, that the run itself and later" in page
    assert "(life_cycle, render_notebook)" in page and "fairweight energy prints the complete sum" in page
    assert "Not included: steps that ended later" in study_energy.rules(SimpleNamespace(rules=rules, later=None)).data
    alone = SimpleNamespace(rules=rules[rules["kind"] == "step"], later=None)
    assert "Not included: what Snakemake used itself" in study_energy.rules(alone).data


def test_a_run_under_way_counts_and_is_named(results):
    path = results / "ledger" / "one.overhead.json"
    run = json.loads(path.read_text()) | {"ended": 3700.0, "wall_s": 20.0}
    for complete, named in ((False, True), (True, False)):
        path.write_text(json.dumps(run | {"complete": complete}))
        table = read_ledger(results)
        own = table[table["kind"] == "run"].iloc[0]
        # by a clock that nobody sets
        assert (own["cpu_s"], own["wall_s"], own["clock_jumped"]) == (1, 20, True)
        text = _text_of_rules(table, by_rule(table, RECIPE), RECIPE)
        assert ("1 runs are under way or were killed" in text) == named


def test_the_line_at_the_end_of_a_run_is_the_complete_sum(results, capsys):
    print_total(results, RECIPE)
    grams = 70 / 3.6e6 * carbon_intensity.country("DEU").g_per_kwh
    line = f"have used 7 CPU-seconds, 0.07 kJ (0.035 to 0.14) and {grams:.3g} gCO2e (modelled)"
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1
    rules = by_rule(read_ledger(results), RECIPE)
    assert total(results, RECIPE).joules["central"] == pytest.approx(rules["energy_j_central"].sum())
    assert total(results, RECIPE).grams == pytest.approx(rules["emissions_g"].sum())
    print_total(results / "nothing", RECIPE)
    assert not capsys.readouterr().err


def test_a_clock_that_jumps_is_marked_and_changes_no_figure(results):
    path = results / "ledger" / "two.jsonl"
    path.write_text(json.dumps(attempt("ok", "results/mine/c", ended=3700.0)) + "\n")
    table = read_ledger(results)
    assert table.loc[table["clock_jumped"], "wall_s"].tolist() == [3.0]


def test_a_truncated_last_line_is_skipped_and_another_one_reported(results):
    path = results / "ledger" / "two.jsonl"
    whole = json.dumps(attempt("ok", "results/mine/c"))
    path.write_text(whole + "\n" + whole[:20])
    assert len(read_ledger(results)) == 6
    path.write_text(whole[:20] + "\n" + whole)
    with pytest.raises(InputError, match=r"two.jsonl, line 1: this is not a JSON object"):
        read_ledger(results)


def test_a_folder_without_files_is_reported(tmp_path):
    with pytest.raises(InputError, match="neither a ledger nor a usage file"):
        read_ledger(tmp_path)


@pytest.mark.parametrize("prefix", ["../out", "out", "/data/results/of/all", "results/results", "."])
def test_a_step_counts_once_wherever_the_results_are_and_were(results, tmp_path, prefix):
    """`pathvars: results` may name any folder, and results may have been moved since they were made."""
    path = results / "ledger" / "one.jsonl"
    path.write_text(path.read_text().replace("results/mine", prefix))
    for folder in (results, results.rename(tmp_path / "moved")):
        if folder.exists():
            table = read_ledger(folder)
            assert table["recorded_by"].tolist() == ["executor"] * 3 + ["step", "executor"]
            assert table["cpu_s"].sum() == 7
