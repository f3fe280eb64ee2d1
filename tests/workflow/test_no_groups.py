"""A study that names no groups, as `fairweight init` writes it, has its report, article and cards."""

import pandas as pd
import pytest
from runs import Run

pytestmark = pytest.mark.workflow
GROUPLESS = {
    "seeds": 1,
    "datasets__adult__groups": {},
    "datasets__adult__reader__rows": 1000,
    "augmentations": {},
    "variants": {"dense": {"train": "standard"}, "int8": {"from": "dense", "quantize": "auto"}},
    "grid": [{"dataset": "adult", "models": ["mlp"], "variants": ["dense", "int8"]}],
}


def test_it_has_everything_and_says_why_nobody_is_told_apart(tmp_path):
    run = Run(tmp_path)
    run.snakemake(run.study(**GROUPLESS), "--", "all", "paper", "cards")
    folder = tmp_path / "results/tiny"
    page = (folder / "report/report.html").read_text()
    assert "There is no figure of who pays" in page and "the study file names none" in page
    assert "Who is in the data is not known" in page and "What cannot be concluded" in page and "Provenance" in page
    assert {f.name for f in (folder / "paper/figures").glob("*.pdf")} == {
        *("adult-trade-off.pdf", "adult-winners.pdf", "energy-by-rule.pdf")
    }
    assert len(pd.read_csv(folder / "paper/tables/adult-variants.csv")) == 2
    assert "No groups are declared" in (folder / "hub/datasets/adult/README.md").read_text()
    assert len(list((folder / "hub/models").rglob("README.md"))) == 2
