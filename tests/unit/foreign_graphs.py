"""Models of other libraries (tests/oracles/onnx), in the form in which a study imports them."""

from pathlib import Path

import numpy as np
import onnx

from fairweight.inference.imported_graph import read_graph

ORACLES = Path(__file__).parents[1] / "oracles" / "onnx"
ROWS = np.load(ORACLES / "rows.npz")
FEWER = 5  # trees of each class, for which rows.npz has the probabilities


def imported(name, folder):
    """Path of the file of a model, imported: without maps of scores."""
    path = Path(folder) / f"{name}.onnx"
    onnx.save(read_graph(ORACLES / f"{name}.onnx").proto, str(path))
    return path
