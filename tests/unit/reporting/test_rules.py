"""What the rules of the report, the article, the cards and the archive read: no table or file is forgotten."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from studies import tiny

from fairweight.reporting.report.results import TABLES


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """Inputs and outputs of the rules that make reports, for the tiny study with two seeds."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "study.yaml").write_text(yaml.safe_dump(tiny(seeds=2)))
    command = [sys.executable, str(Path(__file__).with_name("rule_inputs.py")), str(folder / "study.yaml"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("rule", ["render_notebook", "paper", "cards"])
def test_every_table_is_an_input(rules, rule):
    tables = {Path(path).stem for path in rules["inputs"][rule] if path.endswith(".parquet")}
    assert tables >= set(TABLES)
    assert not [path for path in rules["inputs"][rule] if path.endswith(".usage.json")]


def test_cards_read_the_files_of_all_seeds(rules):
    seeds = {}
    for path in map(Path, (path for path in rules["inputs"]["cards"] if path.endswith("model.onnx"))):
        seed = next(part for part in path.parts if part.startswith("seed-"))
        seeds.setdefault(str(path.parent).partition(f"/{seed}/")[2], set()).add(seed)
    assert seeds and all(numbers == {"seed-0", "seed-1"} for numbers in seeds.values())


def test_the_article_and_the_archive_read_all_that_the_paper_writes(rules):
    written = {path for path in rules["outputs"]["paper"] if not path.endswith(".usage.json")}
    assert len(written) == 7
    for rule in ("article", "archive"):
        assert written <= set(rules["inputs"][rule])
