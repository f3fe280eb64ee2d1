"""A table in parts goes from `fairweight init` to predictions, and a changed part is read again."""

import numpy as np
import pandas as pd
import yaml
from runs import LOCAL, Run

from fairweight.cli.main import main
from fairweight.core.artifacts import read_json, read_predictions

ROWS = 600


def write_parts(folder):
    rng = np.random.default_rng(0)
    income = rng.normal(3000, 900, ROWS)
    table = pd.DataFrame({"income": income.round(2), "job": rng.choice(list("abc"), ROWS)})
    table["sex"] = rng.choice(["F", "f", "M"], ROWS)
    table["repaid"] = np.where(rng.random(ROWS) < 1 / (1 + np.exp((3000 - income) / 500)), "yes", "no")
    for year, part in (("2025", table[:250]), ("2026", table[250:])):
        path = folder / "people" / f"year={year}" / "part-0.csv.gz"
        path.parent.mkdir(parents=True)
        part.to_csv(path, index=False)
    (folder / "people" / "_SUCCESS").touch()


def test_a_folder_of_parts_is_predicted_and_read_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path)
    main(["init", "people", "--target", "repaid", "--groups", "sex"])
    study = yaml.safe_load((tmp_path / "people.yaml").read_text())
    assert study["datasets"]["people"]["groups"]["sex"]["merge"] == {"F": ["F", "f"]}
    study["training"]["standard"] |= {"epochs": 2, "batch_size": 64}
    study["seeds"] = 1
    text = yaml.safe_dump(study).replace("positive: 'yes'", "positive: yes").replace("positive: 'no'", "positive: yes")
    assert "positive: yes" in text
    (tmp_path / "people.yaml").write_text(text)
    predictions, card = (
        f"results/people/{path}"
        for path in ("seed-0/people/none/mlp/dense/onnxruntime/predictions.parquet", "data/people/card.json")
    )
    run = Run(tmp_path)
    run.snakemake("people.yaml", *LOCAL, "--", predictions, card)
    about = read_json(card)
    assert about["rows"] == ROWS and about["classes"] == ["no", "yes"]
    assert [group["group"] for group in about["groups"]["sex"]] == ["F", "M"]
    assert about["columns"]["numeric"] == ["income"]  # the years of the folders are no input
    assert len(read_predictions(predictions)[0]["row"]) == 120 + 48  # test and validation rows
    assert run.jobs("people.yaml", *LOCAL, "--", card) == {}
    part = tmp_path / "people" / "year=2026" / "part-0.csv.gz"
    pd.read_csv(part)[:300].to_csv(part, index=False)
    assert {"fetch", "read"} <= set(run.jobs("people.yaml", *LOCAL, "--", card))
