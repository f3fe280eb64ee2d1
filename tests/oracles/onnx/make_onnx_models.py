"""Write the ONNX files of this folder: small models that other libraries train and convert.

They need an environment of their own, so that tests run without the converters:

python -m venv convert && convert/bin/pip install skl2onnx==1.20.0 onnxmltools==1.16.0 lightgbm==4.7.0
convert/bin/pip install --no-deps xgboost==3.2.0
convert/bin/python tests/oracles/onnx/make_onnx_models.py

Rows are those of `rows.npz`: `x` float32 (300, 6), `y` 0 or 1, `z` one of three classes; and under the name of a model
of trees its probabilities with the first FEWER trees of each class, as the library computes them.
"""

from pathlib import Path

import lightgbm
import numpy as np
import onnxmltools
import pandas as pd
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as TreeFloats
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = Path(__file__).parent
FLOATS = [("input", FloatTensorType([None, 6]))]
FEWER = 5


def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with two and with three classes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 6)).astype(np.float32) * [1, 10, 100, 1, 1, 1]
    score = x[:, 0] + x[:, 1] / 10 * x[:, 3] + 0.3 * random.normal(size=300)
    return x.astype(np.float32), (score > 0).astype(np.int64), np.digitize(score, [-0.5, 0.5]).astype(np.int64)


def save(name: str, proto) -> None:
    """Write a file without the version of the library that made it."""
    (FOLDER / f"{name}.onnx").write_bytes(proto.SerializeToString())
    print(f"{name}: {(FOLDER / f'{name}.onnx').stat().st_size} bytes")


def scikit_learn(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    """Pipelines of scikit-learn: one tensor of floats or doubles, and one input for each column, texts included."""
    expected = {}
    whole = {"zipmap": False}
    mlp = MLPClassifier((64, 32), random_state=0, max_iter=60)
    logistic = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    save("skl_logistic_zipmap", to_onnx(logistic, initial_types=FLOATS))
    network = make_pipeline(StandardScaler(), mlp).fit(x, y)
    save("skl_mlp", to_onnx(network, initial_types=FLOATS, options={MLPClassifier: whole}))
    doubles = [("input", DoubleTensorType([None, 6]))]
    save("skl_mlp_double", to_onnx(network, initial_types=doubles, options={MLPClassifier: whole}))
    names = np.array(["low", "middle", "high"])[z]
    named = make_pipeline(StandardScaler(), mlp).fit(x, names)
    save("skl_mlp_labels_opset9", to_onnx(named, initial_types=FLOATS, target_opset={"": 9, "ai.onnx.ml": 1}))
    frame = pd.DataFrame(x[:, :2], columns=["age", "income"])
    frame["region"] = np.array(["north", "south", "west"])[(x[:, 4] > 0).astype(int) + (x[:, 5] > 1)]
    columns = make_column_transformer((StandardScaler(), ["age", "income"]), (OneHotEncoder(), ["region"]))
    inputs = [(name, FloatTensorType([None, 1])) for name in ("age", "income")]
    inputs.append(("region", StringTensorType([None, 1])))
    table = make_pipeline(columns, MLPClassifier((16,), random_state=0, max_iter=150)).fit(frame, y)
    save("skl_columns", to_onnx(table, initial_types=inputs, options={MLPClassifier: whole}))
    boosting = GradientBoostingClassifier(n_estimators=20, max_depth=3, random_state=0)
    for name, labels in (("skl_boosting", y), ("skl_boosting_3", z)):
        boosting.fit(x, labels)
        save(name, to_onnx(boosting, initial_types=FLOATS, options={GradientBoostingClassifier: whole}))
        expected[name] = list(boosting.staged_predict_proba(x))[FEWER - 1]
    for name, labels in (("skl_forest", y), ("skl_forest_3", z)):
        forest = RandomForestClassifier(10, max_depth=4, random_state=0).fit(x, labels)
        save(name, to_onnx(forest, initial_types=FLOATS, options={RandomForestClassifier: whole}))
        expected[name] = np.mean([tree.predict_proba(x) for tree in forest.estimators_[:FEWER]], axis=0)
    return expected


def tree_libraries(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    """Boosting of XGBoost and LightGBM."""
    expected = {}
    floats = [("input", TreeFloats([None, 6]))]
    for name, labels in (("binary", y), ("3", z)):
        boosted = xgboost.XGBClassifier(n_estimators=15, max_depth=3, random_state=0).fit(x, labels)
        save(f"xgboost_{name}", onnxmltools.convert_xgboost(boosted, initial_types=floats, target_opset=15))
        expected[f"xgboost_{name}"] = boosted.predict_proba(x, iteration_range=(0, FEWER))
        model = lightgbm.LGBMClassifier(n_estimators=15, num_leaves=7, random_state=0, verbose=-1).fit(x, labels)
        converted = onnxmltools.convert_lightgbm(model, initial_types=floats, target_opset=15, zipmap=name == "binary")
        save(f"lightgbm_{name}", converted)
        expected[f"lightgbm_{name}"] = model.predict_proba(x, num_iteration=FEWER)
    return expected


if __name__ == "__main__":
    x, y, z = rows()
    expected = scikit_learn(x, y, z) | tree_libraries(x, y, z)
    probabilities = {name: values.astype(np.float32) for name, values in expected.items()}
    np.savez_compressed(FOLDER / "rows.npz", x=x, y=y, z=z, **probabilities)
