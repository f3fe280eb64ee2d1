"""Article, cards and archive of real studies; names that hold anything."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard
from huggingface_hub.utils import validate_repo_id
from markdown_it import MarkdownIt
from runs import Run

from fairweight.cli.main import main
from fairweight.core.checksums import checksum
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.reporting.archive.packing import write_archive
from fairweight.reporting.archive.unpacking import check, unpack

sys.path.insert(0, str(ROOT / "tests" / "unit"))
from hostile import NAMES

pytestmark = pytest.mark.workflow
LATEX = bool(shutil.which("latexmk") and shutil.which("pdftotext"))
VALIDATOR = ROOT / ".venv-crate" / "bin" / "python"
RESULTS = "results/tiny"


@pytest.fixture(scope="module")
def made(finished, tmp_path_factory):
    """The tiny study with its article, cards and archive."""
    run = finished.copy(tmp_path_factory.mktemp("made") / "run")
    run.snakemake("study.yaml", "--", "article" if LATEX else "paper", "cards", "archive")
    return run


def words(pdf):
    done = subprocess.run(["pdftotext", "-raw", pdf, "-"], capture_output=True, text=True, check=True)
    return re.sub(r"\s", "", done.stdout)


# ---- the article


def test_every_number_is_that_of_its_file(made):
    folder = made.folder / RESULTS
    numbers = pd.read_csv(folder / "paper/numbers.csv").set_index("key")
    variants = pd.read_parquet(folder / "summary/variants.parquet")
    row = variants[(variants["measure"] == "accuracy") & (variants["variant"] == "int8") & variants["attribute"].isna()]
    assert float(numbers.loc["adult/mlp/int8/accuracy", "value"]) == pytest.approx(row.iloc[0]["mean"], rel=1e-12)
    assert numbers.loc["adult/mlp/int8/accuracy", "text"] == f"{row.iloc[0]['mean'] * 100:.2f}"
    rules = pd.read_parquet(folder / "summary/rules.parquet")
    assert float(numbers.loc["cpu-seconds", "value"]) == pytest.approx(rules["cpu_s"].sum())
    assert all((folder / source).exists() for source in numbers["source"].unique())
    macros = (folder / "paper/numbers.tex").read_text()
    assert macros.count(r"\fwset{") == len(numbers)


def test_tables_have_what_the_summaries_have(made):
    folder = made.folder / RESULTS
    table = pd.read_csv(folder / "paper/tables/adult-groups.csv")
    source = pd.read_parquet(folder / "summary/comparisons.parquet")
    joined = table.merge(source[source["metric"] == "accuracy"], on=["augmentation", "variant", "attribute", "group"])
    assert len(joined) == len(table) > 0
    assert np.allclose(joined["value_x"], joined["value_y"]) and np.allclose(joined["low_x"], joined["low_y"])


def test_figures_are_one_column_wide_and_their_text_is_text(made):
    for figure in (made.folder / RESULTS / "paper/figures").glob("*.svg"):
        svg = figure.read_text()
        assert "<text" in svg and re.search(r'width="241\.2pt"', svg)
        pdf = figure.with_suffix(".pdf").read_bytes()
        assert b"/FontFile2" in pdf and b"/Type3" not in pdf and b"/Subtype /Image" not in pdf
    names = {figure.name for figure in (made.folder / RESULTS / "paper/figures").glob("*.pdf")}
    assert names == {"adult-trade-off.pdf", "adult-who-pays.pdf", "adult-winners.pdf", "energy-by-rule.pdf"}


@pytest.mark.skipif(not LATEX, reason="latexmk is not installed")
def test_changing_the_study_changes_the_article(made):
    pdf = made.folder / RESULTS / "paper/article.pdf"
    text = words(pdf)
    numbers = pd.read_csv(made.folder / RESULTS / "paper/numbers.csv").set_index("key")
    assert "Thestudytiny" in text and "Adult,firstrows" in text
    assert numbers.loc["adult/mlp/int8/accuracy", "text"] in text
    other = made.copy(made.folder.parent / "other")
    other.study(energy={"pue": 2.0})  # what no model depends on, so that nothing is trained again
    other.snakemake("study.yaml", "--", "article")
    again = pd.read_csv(other.folder / RESULTS / "paper/numbers.csv").set_index("key")
    each = "adult/mlp/int8/energy_j_per_1000"  # the energy of the study also counts what both runs used themselves
    assert float(again.loc[each, "value"]) == pytest.approx(2 * float(numbers.loc[each, "value"]))
    changed = words(other.folder / RESULTS / "paper/article.pdf")
    assert f"{again.loc['energy', 'text']}kJ" in changed and f"{numbers.loc['energy', 'text']}kJ" not in changed


def test_snakemakes_own_report_has_the_page_figures_and_tables(made):
    made.snakemake("study.yaml", "--report", "report.zip", "--", "all", "paper")
    names = {Path(name).name for name in zipfile.ZipFile(made.folder / "report.zip").namelist()}
    assert {
        "report.html",
        "adult-trade-off.svg",
        "adult-variants.csv",
        "steps.csv",
        "energy-by-rule.svg",
        "adult-energy.csv",
    } <= names
    page = zipfile.ZipFile(made.folder / "report.zip").read("report/report.html").decode()
    assert "of the study tiny" in page and "Figures" in page and "Tables" in page


# ---- the cards


def test_model_cards_are_those_of_the_hub(made):
    folder = made.folder / RESULTS
    cards = {path.parent.name: path for path in (folder / "hub/models").rglob("README.md") if "none" in path.parts}
    assert set(cards) == {"dense", "pruned50", "int8"}
    shipped = pd.read_parquet(folder / "summary/shipped.parquet").set_index("variant")
    seeds = shipped["seed"].to_dict()
    for variant, path in cards.items():
        card = ModelCard.load(path)
        assert (path.parent / "model.onnx").read_bytes() == (
            folder / f"seed-{seeds[variant]}/adult/none/mlp/{variant}/model.onnx"
        ).read_bytes()
        assert f"that of seed {seeds[variant]}, which has the highest accuracy on validation rows" in card.text
        results = {(r.metric_name): r for r in card.data.eval_results}
        entry = results["Accuracy of Female by sex"]
        mean = entry.metric_args["mean_over_seeds"]
        for bounds, value in (("interval_95", entry.metric_value), ("mean_interval_95", mean)):
            low, high = entry.metric_args[bounds]
            assert low < value < high
        assert results["Accuracy"].metric_value == shipped.loc[variant, "test"]
        assert entry.metric_args["seeds"] == 2 and entry.dataset_split == "test"
        gap = results["Accuracy gap by sex"].metric_args
        assert gap["expected_of_equal_groups"] > 0 and "interval_95" not in gap
        assert ("change_interval_95" in gap) == (variant != "dense")  # a baseline is compared with nothing
        if variant != "dense":
            low, high = gap["change_interval_95"]
            assert low <= gap["change_from_baseline"] <= high
        assert card.data.library_name == "onnx" and card.data.pipeline_tag == "tabular-classification"
        assert getattr(card.data, "base_model", None) == (None if variant == "dense" else "tiny-adult-mlp-dense")
        validate_repo_id(card.data.model_name)
        assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()


def test_emissions_are_grams_of_the_lineage(made):
    folder = made.folder / RESULTS
    costs = pd.read_parquet(folder / "summary/steps.parquet")
    ours = costs[(costs["dataset"] == "adult") & (costs["augmentation"].isna() | (costs["augmentation"] == "none"))]
    once = ours[ours["rule"].isin(["fetch", "read"])]
    shared = ours["rule"].isin(["split", "augment"])
    made = ours["rule"].isin(["train", "export", "quantize"]) & ours["variant"].isin(["dense", "int8"])
    own = ours[shared | made]
    card = ModelCard.load(folder / "hub/models/adult/none/mlp/int8/README.md")
    expected = once["emissions_g"].sum() + own["emissions_g"].sum() / 2
    assert card.data.co2_eq_emissions["emissions"] == pytest.approx(expected)
    assert "modelled" in card.data.co2_eq_emissions["source"]


def test_data_cards_are_those_of_the_hub(made):
    card = DatasetCard.load(made.folder / RESULTS / "hub/datasets/adult/README.md")
    assert card.data.pretty_name == "Adult, first rows" and card.data.size_categories == ["1K<n<10K"]
    assert card.data.license == "unknown" and "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d" in str(
        card
    )


# ---- the archive


def archive_of(run, study="tiny"):
    return run.folder / f"results/{study}/archive/{study}.crate.zip"


@pytest.mark.skipif(not VALIDATOR.exists(), reason="`make crate-validator` has not run")
def test_a_public_validator_finds_nothing(made):
    command = [VALIDATOR, ROOT / "tests/oracles/validate_crate.py", archive_of(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 issues at level RECOMMENDED" in done.stdout


@pytest.mark.skipif(not VALIDATOR.exists(), reason="`make crate-validator` has not run")
def test_the_validator_notices_what_is_missing(made, tmp_path):
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(archive_of(made)) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "ro-crate-metadata.json":
                graph = json.loads(data)
                graph["@graph"] = [n for n in graph["@graph"] if n["@id"] != "#run"]
                data = json.dumps(graph)
            target.writestr(name, data)
    command = [VALIDATOR, ROOT / "tests/oracles/validate_crate.py", broken]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_packed_again_it_has_the_same_bytes(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made.folder)
    for path in (made.folder / RESULTS).rglob("*.md"):
        path.touch()
    write_archive(str(tmp_path / "again.zip"), results=RESULTS)
    assert checksum(tmp_path / "again.zip") == checksum(archive_of(made))


def test_unpacked_elsewhere_it_is_checked_and_its_report_rendered_again(made, finished, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    shutil.copy(archive_of(made), "moved.zip")
    main(["verify-archive", "moved.zip", "--into", "unpacked"])
    output = capfd.readouterr().out
    assert "files match their checksums" in output and "without training: the same bytes" in output
    places = [str(place).encode() for place in (made.folder, finished.folder, ROOT)]
    files = [path for path in Path("unpacked").rglob("*") if path.is_file()]
    assert not [path for path in files if any(place in path.read_bytes() for place in places)]
    subprocess.run(["sha256sum", "--check", "--quiet", "manifest-sha256.txt"], cwd="unpacked", check=True)
    summary = Path("unpacked/run/results/tiny/summary/variants.parquet")
    summary.write_bytes(summary.read_bytes()[:-1] + b"x")
    with pytest.raises(SystemExit, match=r"changed: run/results/tiny/summary/variants\.parquet"):
        main(["verify-archive", "unpacked"])


def test_it_is_reproduced_to_the_byte_in_a_clean_folder(made, tmp_path, capfd):
    main(["reproduce", str(archive_of(made)), "--into", str(tmp_path / "again")])
    match = re.search(
        r"Reproduced: all (\d+) files that follow from data and recipe have the same bytes", capfd.readouterr().out
    )
    assert int(match.group(1)) >= 50
    differences = json.loads((tmp_path / "again/reproduction.json").read_text())
    assert differences["reproduced"] and all(part["archived"] == part["here"] for part in differences["parts"])
    assert differences["parts"][1]["name"] == "instruction set" and differences["parts"][1]["here"] != "not recorded"
    with pytest.raises(SystemExit, match="is not empty; a study is reproduced in a clean folder"):
        main(["reproduce", str(archive_of(made)), "--into", str(tmp_path / "again")])


# ---- names that hold anything


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A study of a table whose columns, groups, classes and titles hold what data may hold; started by `init`."""
    folder = tmp_path_factory.mktemp("hostile") / "run"
    folder.mkdir()
    rng, rows, names = np.random.default_rng(0), 900, list(NAMES.values())
    table = pd.DataFrame({"size": rng.normal(size=rows).round(3)})
    table[NAMES["latex"]] = rng.choice(names, rows)
    table[NAMES["script"]] = rng.choice([NAMES["markdown"], NAMES["emoji"]], rows)
    table["label"] = np.where(table["size"] + rng.normal(size=rows) > 0, NAMES["quotes"], NAMES["chinese"])
    table.to_csv(folder / "data.csv", index=False)
    path = folder / "study.yaml"
    groups = [NAMES["latex"], NAMES["script"]]
    main(["init", str(folder / "data.csv"), "--target", "label", "--output", str(path), "--groups", *groups])
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    study |= {
        "name": "北京_study",
        "seeds": 2,
        "fairness": {"smallest_group": 10},
        "profile": {"rounds": 2, "seconds": 0.001},
    }
    study["datasets"] = {"données": study["datasets"]["data"] | {"title": " ".join(names), "licence": NAMES["script"]}}
    study["training"]["standard"]["epochs"] = 1
    study["grid"] = [{"dataset": "données", "models": ["mlp"], "variants": ["dense", "int8"]}]
    path.write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    run = Run(folder)
    run.snakemake("study.yaml", "--", "article" if LATEX else "paper", "cards", "archive")
    return run


def test_hostile_names_are_text_in_the_article(hostile):
    made = hostile.folder / "results/北京_study/paper"
    source = "".join(path.read_text(encoding="utf-8") for path in made.rglob("*.tex"))
    assert r"\input{/etc" not in source.replace(r"\textbackslash{}input", "")
    if LATEX:
        text = words(made / "article.pdf")
        for name in NAMES.values():
            assert re.sub(r"\s", "", name) in text, name


def test_hostile_names_are_text_on_the_cards(hostile):
    for path in (hostile.folder / "results/北京_study/hub").rglob("README.md"):
        card = (ModelCard if "models" in path.parts else DatasetCard).load(path)
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(card.text)
        assert not [t for t in tokens if t.type.startswith("html")]
        text = ""
        for token in tokens:
            children = token.children or []
            assert not [c for c in children if c.type in ("html_inline", "link_open", "image", "em_open", "s_open")], (
                path
            )
            text += "".join(c.content for c in children) + "\n"
        for name in NAMES.values():
            assert name in text, (path, name)


def test_hostile_names_are_in_the_archive(hostile, tmp_path):
    archive = archive_of(hostile, "北京_study")
    unpack(archive, tmp_path / "unpacked")
    assert check(tmp_path / "unpacked").sound
    graph = json.loads((tmp_path / "unpacked/ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    assert any(node.get("name") == " ".join(NAMES.values()) for node in graph)
    if VALIDATOR.exists():
        command = [VALIDATOR, ROOT / "tests/oracles/validate_crate.py", archive]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
