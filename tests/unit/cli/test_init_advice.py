"""What `init` writes beside its guesses: names, seeds, margins, and advice on groups that are too small."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fairweight.cli.main import main
from fairweight.study.schema import read_schema, resolve


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(sizes, *arguments, output="credit.yaml"):
    """Text of the study file of a table with groups of these sizes."""
    origin = np.repeat(list(sizes), list(sizes.values()))
    rng = np.random.default_rng(0)
    labels = rng.choice(["ja", "nein"], len(origin), p=[0.6, 0.4])
    Path("german.csv").write_text(
        pd.DataFrame({"amount": rng.normal(size=len(origin)).round(3), "origin": origin, "repaid": labels}).to_csv(
            index=False
        )
    )
    main(["init", "german.csv", "--target", "repaid", "--groups", "origin", "--output", output, *arguments])
    return Path(output).read_text()


def test_studies_of_one_table_have_the_names_of_their_files():
    assert yaml.safe_load(written({"a": 300, "b": 300}))["name"] == "credit"
    study = yaml.safe_load(written({"a": 300, "b": 300}, output="second look.yaml"))
    assert study["name"] == "second_look" and list(study["datasets"]) == ["german"]


@pytest.mark.parametrize(
    ("sizes", "advice"),
    [
        ({"a": 900, "b": 700, "c": 60, "d": 30}, 'CHECK: join small groups, as in merge: {other: ["c", "d"]}; a 900'),
        ({"a": 900, "b": 700, "c": 60}, "CHECK: c has few rows: it is reported, not tested; a 900"),
        ({"a": 900, "b": 60}, "CHECK: b has few rows: it is reported, not tested; a 900"),
        ({"a": 90, "b": 80, "c": 70}, 'CHECK: join small groups, as in merge: {other: ["b", "c"]}; a 90'),
        ({"a": 900, "b": 700, "c": 300}, '{column: "origin"}  # a 900, b 700, c 300'),
    ],
)
def test_only_groups_that_are_too_small_are_to_be_joined(sizes, advice):
    (line,) = [line for line in written(sizes).splitlines() if line.startswith("      origin: ")]
    assert advice in line


def test_the_seeds_that_are_needed_are_those_of_the_variants_that_are_tested():
    """Three variants at 5 %: 3 / 2^6 < 0.05 < 3 / 2^5."""
    text = written({"a": 300, "b": 300})
    assert "seeds: 8  # 6 are the fewest with which any of 3 variants can be proven; 2 for a first look" in text


def test_every_margin_and_a_legal_goal_are_written():
    text = written({"a": 300, "b": 300})
    margins = read_schema()["properties"]["criteria"]["properties"]["margins"]["properties"]
    # those of regressions have no default here
    defaults = {name: about["default"] for name, about in margins.items() if "default" in about}
    assert yaml.safe_load(text)["criteria"]["margins"] == defaults
    (line,) = [line for line in text.splitlines() if line.startswith("# decision: ")]
    study = resolve(yaml.safe_load(text.replace(line, line.removeprefix("# "))))
    assert study["decision"]["goal"] == "transfer_bytes"


def test_both_criteria_of_one_margin_are_named_with_the_losses_that_the_rows_can_exclude():
    text = written({"a": 300, "b": 300})
    expected = (
        "#   worst group accuracy and group accuracy (by origin, margin 2 points): your rows can only exclude losses"
    )
    assert expected in text and "group rates (" in text
