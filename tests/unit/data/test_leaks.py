"""A data card names inputs that alone predict the label, and no amount as an identifier."""

import numpy as np
import pandas as pd
from dataset_recipes import dataset

from fairweight.core.artifacts import read_json
from fairweight.data.card import write_card
from fairweight.data.leaks import leaks
from fairweight.data.read import read

ROWS = 600


def people():
    rng = np.random.default_rng(0)
    label = rng.random(ROWS) < 0.3
    return pd.DataFrame(
        {
            "income": [f"{value:.2f}".replace(".", ",") for value in rng.normal(3000, 900, ROWS)],
            "age": rng.integers(18, 90, ROWS),
            "job": rng.choice(list("abc"), ROWS),
            # known only after the label: a reason, with one mistake, and a number of reminders
            "reason": np.where(label | (np.arange(ROWS) == 9), rng.choice(["late", "never"], ROWS), "none"),
            "reminders": np.where(label, rng.integers(3, 9, ROWS), rng.integers(0, 3, ROWS)),
            "paid": np.where(label, "no", "yes"),
            "sex": rng.choice(["f", "m"], ROWS),
        }
    )


def card(folder, frame):
    frame.to_csv(folder / "all", index=False, sep=";")
    recipe = dataset(
        reader={"method": "delimited", "separator": ";"},
        decimal=",",
        inputs={"numeric": ["income", "age", "reminders"], "categorical": ["job", "reason"]},
        split={"test": 0.2},
    )
    paths = {name: str(folder / f"{name}.json") for name in ("contents", "card")} | {"table": str(folder / "t.parquet")}
    read({"all": str(folder / "all")}, paths["table"], paths["contents"], name="d", recipe=recipe, given=[])
    write_card(paths["contents"], paths["table"], paths["card"], name="d", recipe=recipe)
    return read_json(paths["card"]), paths["table"]


def test_inputs_that_alone_predict_the_label_are_warnings(tmp_path):
    written, table = card(tmp_path, people())
    assert set(leaks(table)) == {"reason", "reminders"}
    sentences = [sentence for sentence in written["warnings"] if "alone predicts the label" in sentence]
    assert [sentence.split(":")[0] for sentence in sentences] == ["reminders", "reason"]
    assert "balanced accuracy 100.0%" in sentences[0] and "known only after the label" in sentences[0]


def test_amounts_with_a_decimal_comma_identify_nobody(tmp_path):
    frame = people()
    assert frame["income"].nunique() > 0.9 * ROWS
    written, _ = card(tmp_path, frame)
    assert written["identifying"] == []
