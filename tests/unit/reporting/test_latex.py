"""Text, keys and tables of an article as LaTeX."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest
from hostile import NAMES
from small_results import results_with

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.errors import InputError
from fairweight.core.formatting import with_interval, with_spread
from fairweight.core.shown_measures import MEASURES
from fairweight.energy.energy_model import modelled
from fairweight.energy.ledger_entries import RUN
from fairweight.reporting.paper import latex
from fairweight.reporting.paper.article import compile_article
from fairweight.reporting.paper.keys import _distinct_slugs
from fairweight.reporting.paper.latex import LATEX, LATEX_CELL, escape
from fairweight.reporting.paper.methods import _data, _energy
from fairweight.reporting.paper.numbers import MACRO, numbers
from fairweight.reporting.paper.tables import tables

NEEDS_LATEX = pytest.mark.skipif(not shutil.which("latexmk") or not shutil.which("pdftotext"), reason="no LaTeX here")

CELL = {"dataset": "d", "augmentation": "none", "model": "m", "variant": "v", "engine": "onnxruntime"}


def read_back(text: str) -> str:
    """LaTeX text as TeX shows it: the inverse of `escape`, written from TeX's rules rather than from ours."""
    text = text.replace(r"\allowbreak{}", "")
    for command, character in {
        r"\textbackslash{}": "\0",
        r"\textasciitilde{}": "~",
        r"\textasciicircum{}": "^",
        r"\textless{}": "<",
        r"\textgreater{}": ">",
        r"\textbar{}": "|",
        r"\symbol{34}": '"',
        r"\textquotesingle{}": "'",
        r"\textasciigrave{}": "`",
    }.items():
        text = text.replace(command, character)
    assert not re.search(r"(?<!\\)[%&#$_]|\\[a-z]", text), "a character that means something to TeX"
    return re.sub(r"\\([%&#$_{}])", r"\1", text.replace("{}", "")).replace("\0", "\\")


@pytest.mark.parametrize("kind", NAMES)
def test_names_come_out_as_text(kind):
    assert read_back(escape(NAMES[kind])) == NAMES[kind]


def test_line_breaks_and_control_characters_become_blanks():
    assert escape("a\nb\tc\x00d") == "a b c d"


def test_a_long_word_in_a_cell_may_be_broken():
    assert latex.cell("x" * 200).count(r"\allowbreak{}") == 28 and latex.cell("two words") == "two words"


def test_missing_values_are_not_estimable():
    assert latex.number_text(None, 2) == "not estimable" == with_interval(float("nan"), None, None, 2, writer=LATEX)


def test_values_are_written_with_spread_and_interval():
    assert with_interval(-0.0123, -0.02, 0.001, 2, 100, True, writer=LATEX) == "$-$1.23 [$-$2.00, +0.10]"
    assert with_interval(0.5, 0.4, 0.6, writer=LATEX_CELL) == r"0.5\linebreak{\scriptsize\mbox{[0.4, 0.6]}}"
    assert with_spread(0.5, None, 1, 100, writer=LATEX) == "50.0"
    assert with_spread(0.5, 0.01, 1, 100, writer=LATEX) == r"50.0\,$\pm$\,1.0"


def test_a_small_amount_does_not_read_as_0():
    assert (latex.amount(0.0123), latex.amount(12.345), latex.amount(12.3, 1e-3)) == ("0.0123", "12.35", "0.0123")


def test_the_head_of_a_narrow_column_is_stacked():
    heads = [latex.heading(MEASURES[key]) for key in ("flips", "transfer_bytes", "prefill_tokens_per_cpu_s")]
    assert heads[0] == r"Flips, \%" and heads[1] == r"\shortstack[r]{Transfer\\size, kB}"
    assert heads[2] == r"\shortstack[r]{Prefill\\speed,\\tokens/\\CPU-s}"


def test_shares_are_written_as_in_the_study_file():
    card = {"dataset": "d", "title": "D", "rows": 10, "classes": ["a", "b"], "groups": {}, "licence": None}
    recipe = {"split": {"test": 0.125, "validation": 0.005}, "drop": []}
    text = _data(SimpleNamespace(cards=[card], study={"datasets": {"d": recipe}}))
    assert r"a share of 12.5\,\% drawn once" in text and r"0.5\,\% of the others are validation rows" in text


def test_groups_that_look_alike_have_different_keys_whatever_their_order():
    for names in (["<25", ">25", "25"], ["25", ">25", "<25", ">25"]):
        assert _distinct_slugs(names) == {"25": "25", "<25": "25-2", ">25": "25-3"}
    assert len(set(_distinct_slugs(NAMES.values()).values())) == len(NAMES)


def measure(name, value, unit, **other):
    return {
        **CELL,
        "measure": name,
        "mean": value,
        "sd": 0.5,
        "n": 1,
        "unit": unit,
        "attribute": None,
        "group": None,
        "batch_size": 1,
        **other,
    }


def test_a_key_means_the_same_group_in_all_tables():
    by_group = [measure("accuracy", v, "share", attribute="age", group=g) for v, g in ((0.25, "a b"), (0.75, "a-b"))]
    changes = [
        {**CELL, "metric": "accuracy", "attribute": "age", "group": g, "value": v, "low": v, "high": v}
        for v, g in ((0.2, "a-b"), (0.1, "a b"))
    ]
    card = {"groups": {"age": [{"group": g, "share": s} for g, s in (("a-b", 0.6), ("a b", 0.4))]}}
    by_key = {n.key: n.value for n in numbers(results_with(card=card, variants=by_group, comparisons=changes))}
    pairs = [
        (by_key[key], by_key[f"{key}-2"])
        for key in ("d/m/v/accuracy/age/a-b", "d/m/v/change-accuracy/age/a-b", "d/share/age/a-b")
    ]
    assert pairs == [(0.75, 0.25), (0.2, 0.1), (0.6, 0.4)]


def test_only_shares_are_shown_in_percent():
    assert {record.stored_unit for record in MEASURES.values() if record.unit in ("%", "points")} == {"share"}


LLM = {
    **CELL,
    "seed": 0,
    "perplexity": 25.3,
    "perplexity_low": 20.1,
    "perplexity_high": 30.2,
    "perplexity_ratio": 1.0123,
    "perplexity_ratio_low": 1.01,
    "perplexity_ratio_high": 1.02,
    "stereotype_score": 0.6,
    "stereotype_low": 0.55,
    "stereotype_high": 0.65,
    "prefill_tokens_per_cpu_s": 1234.0,
    "decode_tokens_per_cpu_s": 56.78,
    "size_bytes": 1.5e8,
}


def test_numbers_of_a_language_model_have_their_units_and_intervals():
    units = {"perplexity": "tokens", "perplexity_ratio": "ratio", "decode_tokens_per_cpu_s": "tokens/CPU-s"}
    rows = [measure(name, LLM[name], unit) for name, unit in units.items()]
    by_key = {n.key: (n.text, n.unit) for n in numbers(results_with(variants=rows, language=[LLM]))}
    assert by_key["d/m/v/perplexity"] == ("25.30", "") and by_key["d/m/v/perplexity_ratio"] == ("1.012", "")
    assert by_key["d/m/v/perplexity_ratio/high"] == ("1.020", "")
    assert by_key["d/m/v/stereotype_score/low"] == ("55.0", "%")
    assert by_key["d/m/v/decode_tokens_per_cpu_s"] == ("56.8", "tokens/CPU-s")


def test_a_language_model_has_a_table_of_its_own():
    published = LLM | {"variant": "published", "perplexity_ratio": None, "stereotype_score": None}
    study = {"variants": {"published": {"pretrained": {}}, "v": {"from": "published", "quantize": {}}}}
    shown = next(iter(tables(results_with(study=study, language=[published, LLM]))))
    first, second = (line.split(" & ") for line in shown.text.splitlines()[4:6])
    assert first[2:4] == ["\N{EN DASH}"] * 2 and shown.name == "d-language" and "perplexity_ratio_low" in shown.frame
    assert second[1:] == [
        r"25.30\linebreak{\scriptsize\mbox{[20.10, 30.20]}}",
        r"1.012\linebreak{\scriptsize\mbox{[1.010, 1.020]}}",
        r"60.0\linebreak{\scriptsize\mbox{[55.0, 65.0]}}",
        "1,234",
        "56.8",
        r"150.0 \\",
    ]


def test_the_formula_of_the_methods_gives_its_own_number():
    recipe = {
        "watts_per_core": {"low": 5, "central": 10, "high": 20},
        "watts_per_gb": {"low": 0.1, "central": 0.4, "high": 1},
        "pue": 1.5,
    }
    steps = {"kind": "step", "rule": "train", "attempts": 2, "cpu_s": 1500.0, "memory_gb_s": 16000.0}
    run = {"kind": "run", "rule": RUN, "attempts": 1, "cpu_s": 500.0, "memory_gb_s": 0.0}
    used = [
        rule | modelled(rule["cpu_s"], recipe | {"g_per_kwh": 360, "country": "DEU"}, rule["memory_gb_s"])
        for rule in (steps, run)
    ]
    text = _energy(results_with(study={"energy": recipe}, rules=used)).replace(",", "")
    cpu_s, held = (float(re.search(rf"([\d.]+) {unit}", text).group(1)) for unit in ("CPU-seconds", "GB-seconds"))
    core, gb = (float(re.search(rf"times ([\d.]+)\\W for a {unit}", text).group(1)) for unit in ("busy", "GB"))
    kj = float(re.search(r"PUE of 1.5: ([\d.]+)\\kJ", text).group(1))
    assert kj == pytest.approx((cpu_s * core + held * gb) * 1.5 / 1000, rel=1e-3)


def test_a_table_of_many_rows_breaks_over_pages():
    assert r"\begin{longtable}" in latex.tabular(["a"], [["1"]] * 80, [None])
    assert r"\begin{tabular}" in latex.tabular(["a"], [["1"]] * 8, [None])


@NEEDS_LATEX
def test_names_are_text_in_the_pdf(tmp_path):
    """The real LuaLaTeX, the preamble of the real article."""
    made = tmp_path / "made"
    made.mkdir()
    article = (ROOT / "paper" / "article.tex").read_text()
    preamble = article[: article.index(r"\input{numbers}")]
    # names stand first, below all that can stand above a row: a title, other rows, space
    rows = [[latex.cell(name), latex.cell(kind)] for kind, name in NAMES.items()]
    (made / "numbers.tex").write_text(MACRO + r"\fwset{a/b_c/50}{12.3}")
    tables = [
        latex.tabular([latex.cell(first), "Kind"], rows, [0.6, 0.2], breaks)
        for first, breaks in (("[first]", {*range(99)}), ("* second", ()))
    ]
    body = r"\par ".join([*tables, latex.tabular(["[0,1)", "Kind"], rows[5:] + rows * 3, [0.6, 0.2])])
    text = rf"{preamble}\input{{numbers}}\begin{{document}}{body} number \fw{{a/b_c/50}}.\end{{document}}"
    (tmp_path / "article.tex").write_text(text)
    compile_article(str(tmp_path / "article.tex"), made=str(made), pdf=str(tmp_path / "a.pdf"))
    done = subprocess.run(["pdftotext", "-raw", tmp_path / "a.pdf", "-"], capture_output=True, text=True, check=True)
    shown = re.sub(r"\s", "", done.stdout)
    assert "number12.3" in shown
    for name in [*NAMES.values(), "[first]Kind", "* secondKind", "[0,1)Kind"]:
        assert re.sub(r"\s", "", name) in shown
    kinds = [re.sub(r"\s", "", name) + kind for kind, name in NAMES.items()]
    assert [kind for kind in kinds if shown.count(kind) < 5] == []


@NEEDS_LATEX
def test_a_number_that_does_not_exist_is_an_error_and_not_a_gap(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "numbers.tex").write_text(MACRO)
    article = tmp_path / "article.tex"
    article.write_text(r"\documentclass{article}\input{numbers}\begin{document}\fw{no/such}\end{document}")
    with pytest.raises(InputError, match="there is no number of this key: no/such"):
        compile_article(str(article), made=str(tmp_path / "made"), pdf=str(tmp_path / "a.pdf"))
