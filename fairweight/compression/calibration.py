"""Types of the rows on which a quantization method calibrates (NumPy only)."""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

Batch = dict[str, NDArray[Any]]  # input tensors of some rows, by name
Calibration = Callable[[int], list[Batch]]  # number of training rows -> these rows, in batches
