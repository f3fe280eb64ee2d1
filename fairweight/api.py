"""Public names for components of your own: what a user's module may import, and nothing else of this package.

Stability: a name below keeps its meaning and its parameters within a minor version. A change is listed in CHANGELOG.md,
and the old name works, with a DeprecationWarning, for one more minor version. Other modules may change at any time.

Names are loaded when they are first used, so that a reader does not import torch. The code version of a step counts
only the modules behind the names that your module imports (`from fairweight.api import keep_largest`): an edit
elsewhere reruns nothing of yours.

| kind of component | function | public names that it may need besides `InputError` |
|---|---|---|
| readers | `read(files, **options)`: frames of named columns | `block_rows` |
| augmentations | `augment(block, rng, columns, **options)`: `Augmented` | `Table`, `Columns`, `copies` |
| architectures | `build(features, classes, **options)`: torch module | |
| objectives | `prepare(labels, groups, weights, **options)`: loss of a batch | |
| adaptations | `adapt(body, **options)`: function that undoes it | |
| pruning | `prune(weights[, network], **options)`: masks | `Network`, `keep_largest`, `everything_stays` ... |
| factorizations | `factorize(weights, **options)`: two factors by name | |
| distillations | `prepare(**options)`: loss of a student | |
| quantization | `quantize(source, destination, calibration[, network, export], **options)`: name or report | ... |
| encodings | `encode(weights, network, **options)`: `Coded`; `decode(coded)` | `Network` |
| adjustments | `fit(scores, labels, groups, **options)`: thresholds by group | |
| metrics (a file of its folder) | `measure(assessed)`: metric rows | `Assessed`, `metric_row`, `subsets`, `wilson` |

A quantization method writes the file `destination` and returns its name, or a mapping with the key `method`;
`calibration(rows)` returns batches of input tensors by name. Options are the keyword-only parameters. A module may
declare them in a literal `OPTIONS` (JSON Schema of each), and the packages of an optional extra in `NEEDS`. A docstring
of a shipped component of the same kind is the model for yours. For `optimizer: lbfgs`, an architecture of one linear
layer declares `LINEAR = True`; an objective whose rows have fixed weights declares `CONVEX = True`, and returns them
from `row_weights(labels, groups, weights, **options)`. For `micro_batch_size`, an architecture whose outputs for a row
depend on no other row of the batch and on no random numbers declares `ROWWISE = True`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairweight.compression.coded_file import Coded as Coded
    from fairweight.compression.masks import everything_stays as everything_stays
    from fairweight.compression.masks import keep_largest as keep_largest
    from fairweight.compression.masks import keep_largest_of_each as keep_largest_of_each
    from fairweight.compression.masks import layer_sparsities as layer_sparsities
    from fairweight.compression.method_api import Network as Network
    from fairweight.compression.onnx_graph_edits import gemm_to_matmul as gemm_to_matmul
    from fairweight.compression.onnx_graph_edits import weighted_nodes as weighted_nodes
    from fairweight.compression.static_int8 import check_rows as check_rows
    from fairweight.compression.static_int8 import quantize_file as quantize_file
    from fairweight.core.errors import InputError as InputError
    from fairweight.core.random_streams import copies as copies
    from fairweight.core.table import Augmented as Augmented
    from fairweight.core.table import Table as Table
    from fairweight.core.table import block_rows as block_rows
    from fairweight.data.column_statistics import Columns as Columns
    from fairweight.evaluation.metric_rows import Assessed as Assessed
    from fairweight.evaluation.metric_rows import metric_row as metric_row
    from fairweight.evaluation.metric_rows import subsets as subsets
    from fairweight.statistics.intervals import wilson as wilson

# public name -> module below `fairweight` that defines it; a literal, which `core.code_version` reads
PUBLIC = {
    "Assessed": "evaluation.metric_rows",
    "Augmented": "core.table",
    "Coded": "compression.coded_file",
    "Columns": "data.column_statistics",
    "InputError": "core.errors",
    "Network": "compression.method_api",
    "Table": "core.table",
    "block_rows": "core.table",
    "check_rows": "compression.static_int8",
    "copies": "core.random_streams",
    "everything_stays": "compression.masks",
    "gemm_to_matmul": "compression.onnx_graph_edits",
    "keep_largest": "compression.masks",
    "keep_largest_of_each": "compression.masks",
    "layer_sparsities": "compression.masks",
    "metric_row": "evaluation.metric_rows",
    "quantize_file": "compression.static_int8",
    "subsets": "evaluation.metric_rows",
    "weighted_nodes": "compression.onnx_graph_edits",
    "wilson": "statistics.intervals",
}


__all__ = sorted(PUBLIC)  # noqa: PLE0605 - the names of the literal above


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(PUBLIC)}")
    return getattr(importlib.import_module(f"fairweight.{PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(PUBLIC)
