"""The recipes of docs/trained-models.md as they stand, and the conversions that it warns of."""

import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import safetensors.torch
import yaml
from runs import Run

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.foreign_models import refuse_foreign

skl2onnx = pytest.importorskip("skl2onnx", reason="make setup-convert")
pytestmark = pytest.mark.workflow

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBERS = ["age", "bmi", "bp", *(f"s{number}" for number in range(1, 7))]
TOLERANCE = 1e-3  # of `reference` in a study file
FILES = (
    "logistic_regression",
    "mlp",
    "xgboost_numbers",
    "lightgbm_numbers",
    "xgboost",
    "lightgbm",
    "risk_network",
)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    page = (ROOT / "docs" / "trained-models.md").read_text()
    blocks = BLOCK.findall(page)
    assert len(blocks) >= 6
    (study,) = re.findall(r"^```yaml\n(# file: risk_network.yaml\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (folder / "risk_network.yaml").write_text(study)
    for code in blocks:
        if named := re.match(r"# file: (\S+)\n", code):
            (folder / named.group(1)).write_text(code)
            continue
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        command = [sys.executable, "-W", "ignore", "-c", code]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{code}\n{done.stderr[-3000:]}"
    return folder


def probabilities(path, rows):
    """Probability of the second class, from a file that takes a column an input or all numbers in one."""
    session = onnxruntime.InferenceSession(path)
    inputs = session.get_inputs()
    if len(inputs) == 1:
        feeds = {inputs[0].name: rows[NUMBERS].to_numpy("float32")}
    else:
        kinds = {"tensor(float)": "float32", "tensor(string)": object}
        feeds = {each.name: rows[[each.name]].to_numpy(kinds[each.type]) for each in inputs}
    scores = session.run([session.get_outputs()[-1].name], feeds)[0]
    if session.get_outputs()[-1].name == "logits":
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
    return scores[:, 1]


@pytest.mark.parametrize("name", FILES)
def test_a_recipe_writes_a_file_with_the_probabilities_of_the_original(converted, name):
    rows = pd.read_csv(converted / f"{name}_test.csv")
    refuse_foreign(converted / f"{name}.onnx")
    differences = np.abs(probabilities(converted / f"{name}.onnx", rows) - rows["probability"])
    print(f"{name}: largest difference {differences.max():.1e}")
    assert differences.max() < 1e-5
    assert ((rows["probability"] > 0.5) == rows["progressed"]).mean() > 0.65  # it has learnt something


def test_the_state_dict_fits_the_module(converted):
    state = safetensors.torch.load_file(converted / "risk_network.safetensors")
    assert state["1.weight"].shape == (32, 9)


def test_a_row_alone_and_another_number_of_rows_work(converted):
    for name in FILES:
        rows = pd.read_csv(converted / f"{name}_test.csv")
        whole = probabilities(converted / f"{name}.onnx", rows)
        assert np.allclose(probabilities(converted / f"{name}.onnx", rows[:1]), whole[:1], atol=1e-5), name


def test_the_study_of_the_pytorch_section_finetunes_every_variant(converted):
    study = yaml.safe_load((converted / "risk_network.yaml").read_text())
    made = "results/risk_network/seed-0/people/none/risk_network"
    variants = study["grid"][0]["variants"]
    Run(converted).snakemake(
        "risk_network.yaml", *(f"{made}/{name}/onnxruntime/predictions.parquet" for name in variants)
    )
    facts = json.loads((converted / made / "original/import.json").read_text())
    assert facts["verdict"] == "as the original" and facts["largest_difference"] < 1e-5
    accuracy = {}
    for name in variants:
        rows = pd.read_parquet(converted / made / name / "onnxruntime/predictions.parquet")
        accuracy[name] = float((rows["prediction"] == rows["label"]).mean())
    assert min(accuracy.values()) > 0.6, accuracy
    state = safetensors.torch.load_file(converted / made / "pruned50/model.safetensors")
    zeros = sum(int((tensor == 0).sum()) for name, tensor in state.items() if tensor.ndim > 1)
    assert zeros >= 0.45 * sum(tensor.numel() for tensor in state.values() if tensor.ndim > 1)


@pytest.mark.parametrize("name", ["digits", "comments"])
def test_models_for_images_and_texts_go_through_check(converted, name):
    page = (ROOT / "docs" / "trained-models.md").read_text()
    command = next(block for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if f"check {name}.onnx" in block)
    made = f"results/{name}/seed-0/rows/none/{name}/original"
    words = shlex.split(command.replace("\\\n", " "))
    fairweight = Path(sys.executable).with_name("fairweight")
    # up to the predictions of the original: what follows is that of any study
    done = subprocess.run(
        [str(fairweight), *words[1:], "--", f"{made}/onnxruntime/predictions.parquet"],
        cwd=converted,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    rows = pd.read_parquet(converted / made / "onnxruntime/predictions.parquet")
    assert (rows["prediction"] == rows["label"]).mean() > 0.9
    facts = json.loads((converted / made / "import.json").read_text())
    assert facts["verdict"] == ("as the original" if name == "comments" else "not compared with its original")


def trees(library):
    if library == "xgboost":
        return pytest.importorskip("xgboost").XGBClassifier(n_estimators=50, max_depth=4)
    return pytest.importorskip("sklearn.ensemble").RandomForestClassifier(50, random_state=0)


@pytest.mark.parametrize(
    ("library", "scaler", "sparse", "right"),
    [
        ("xgboost", True, False, False),
        ("xgboost", False, True, False),
        ("xgboost", True, True, False),
        ("forest", True, False, False),
        ("xgboost", False, False, True),
        ("forest", False, False, True),
    ],
)
def test_the_page_warns_of_what_is_wrong_without_a_message(converted, tmp_path, library, scaler, sparse, right):
    """Rows at a threshold, as integers of people often are: the reference column shows what no message does."""
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from xgboost import XGBClassifier

    skl2onnx.update_registered_converter(
        XGBClassifier,
        "XGBClassifier",
        calculate_linear_classifier_output_shapes,
        convert_xgboost,
        options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
    )
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.integers(0, 60, (3000, len(NUMBERS))), columns=NUMBERS).astype(float)
    rows["sex"] = random.choice(["one", "two"], len(rows))
    odds = (rows["age"] - rows["bmi"]) / 20 + (rows["sex"] == "two")
    label = (random.random(len(rows)) < 1 / (1 + np.exp(-odds))).astype(int)
    one_hot = OneHotEncoder(sparse_output=sparse)
    numbers = StandardScaler() if scaler else "passthrough"
    columns = make_column_transformer((numbers, NUMBERS), (one_hot, ["sex"]), sparse_threshold=float(sparse))
    model = make_pipeline(columns, trees(library)).fit(rows, label)
    types = [(name, FloatTensorType([None, 1])) for name in NUMBERS] + [("sex", StringTensorType([None, 1]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        proto = skl2onnx.to_onnx(
            model, initial_types=types, options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3}
        )
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    differences = np.abs(probabilities(tmp_path / "model.onnx", rows) - model.predict_proba(rows)[:, 1])
    print(f"largest difference {differences.max():.2g}")
    assert (differences.max() < 1e-5) if right else (differences.max() > TOLERANCE)


def test_the_converter_of_histogram_gradient_boosting_fails_with_a_message():
    """When it works, the page can have a recipe for it."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
    model = HistGradientBoostingClassifier(max_iter=5).fit(rows, rows[:, 0] > 0)
    with pytest.raises(ValueError, match="Unable to create node"):
        skl2onnx.to_onnx(model, rows[:1], options={"zipmap": False})
