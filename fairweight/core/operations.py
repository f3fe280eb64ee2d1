"""Operations of a study: one record each, which study, sweeps, rules, life cycle, report, papers and cards read.

Standard library only: Snakemake reads this while it parses a study. To add an operation, add its record here, its key
to `config/study.schema.yaml`, its module in `fairweight/`, and its rule.
"""

from dataclasses import dataclass
from typing import Literal

Output = Literal["weights", "file", "scores"]

# make float weights that can be trained further
TRAINED = ("train", "import_torch", "prune", "factorize", "distill", "encode")


@dataclass(frozen=True)
class Operation:
    """What the general code must know of one operation.

    Attributes:
        name: key of a variant in the study file, and name of the rule.
        output: what it makes: float `weights`, from which an ONNX file is exported; an ONNX `file`; or `scores`.
        stage: stage of the life cycle that its steps belong to.
        participle: what it has done to a variant, in a sentence.
        parents: operations that can have made its parent; empty for an operation that starts from data.
        module: below `fairweight`, with a function of the operation's name; None if the rule has a script of its own.
        folder: folder of its components, if its method is one.
        sweeps: options that may be lists, each of whose values becomes a variant.
        trains: whether it trains or finetunes, and so takes a training recipe.
        once: whether it, and all that is made from it, exists once and not for every seed.
        by_group: whether its recipe names a group attribute of the dataset in `attribute`.
        reports: files beside its model that the summary of checked files reads.
        relation: relation to its parent in the terms of a model hub; None where the hub has no word for it.
    """

    name: str
    output: Output
    stage: str
    participle: str
    parents: tuple[str, ...] = ()
    module: str | None = None
    folder: str | None = None
    sweeps: tuple[str, ...] = ()
    trains: bool = False
    once: bool = False
    by_group: bool = False
    reports: tuple[str, ...] = ()
    relation: str | None = "finetune"

    @property
    def ships(self) -> bool:
        """Whether an ONNX file ships in the end."""
        return self.output != "scores"

    @property
    def imports(self) -> bool:
        """Whether it takes a trained model from a file of the user's own."""
        return self.stage == "imported model"

    @property
    def finetunes(self) -> bool:
        """Whether it trains weights that its parent has trained before, with `finetune` of its recipe."""
        return self.trains and bool(self.parents)


RECORDS = (
    Operation("train", "weights", "training", "trained", trains=True),
    Operation("pretrained", "weights", "published weights", "taken as published", once=True, relation=None),
    Operation(
        "import_onnx",
        "file",
        "imported model",
        "imported",
        reports=("import.json",),
        relation=None,
    ),
    Operation(
        "import_torch",
        "weights",
        "imported model",
        "imported",
        reports=("import.json",),
        relation=None,
    ),
    Operation(
        "prune",
        "weights",
        "pruning and finetuning",
        "pruned",
        parents=TRAINED,
        module="compression.prune",
        folder="pruning",
        sweeps=("sparsity", "channels"),
        trains=True,
        reports=("model.json",),
    ),
    Operation(
        "factorize",
        "weights",
        "factorization and finetuning",
        "factorized",
        parents=("train", "import_torch", "prune", "distill"),
        module="compression.factorize",
        folder="factorizations",
        sweeps=("energy",),
        trains=True,
        reports=("model.json",),
    ),
    Operation(
        "distill",
        "weights",
        "distillation",
        "distilled",
        parents=(*TRAINED, "import_onnx"),
        module="compression.distill",
        folder="distillations",
        trains=True,
        reports=("model.json",),
    ),
    Operation(
        "encode",
        "weights",
        "storage coding",
        "encoded",
        parents=("train", "import_torch", "prune", "factorize", "distill"),
        module="compression.encode",
        folder="encodings",
        trains=True,
        reports=("encode.json", "model.json"),
    ),
    Operation(
        "prune_onnx",
        "file",
        "pruning of the file",
        "pruned",
        parents=("import_onnx", "prune_onnx"),
        folder="graph_pruning",
        sweeps=("sparsity", "share", "trees"),
        reports=("prune_onnx.json",),
        relation=None,
    ),
    Operation(
        "quantize",
        "file",
        "quantization",
        "quantized",
        parents=(*TRAINED, "pretrained", "import_onnx", "prune_onnx"),
        folder="quantization",
        reports=("quantize.json",),
        relation="quantized",
    ),
    Operation(
        "adjust",
        "file",
        "thresholds",
        "with thresholds adjusted",
        parents=(*TRAINED, "import_onnx", "prune_onnx", "quantize"),
        folder="adjustments",
        by_group=True,
    ),
    Operation("given", "scores", "given scores", "given", once=True),
)
OPERATIONS = {record.name: record for record in RECORDS}
GIVEN = "given"  # name of model and engine where scores come with the data

# export writes the file of what `weights` operations make; the rest is what variants share
SHARED_STAGES = {"fetch": "data", "read": "data", "split": "data", "augment": "augmentation"}
STAGES = SHARED_STAGES | {o.name: o.stage for o in RECORDS if o.ships} | {"export": "export"}  # rule -> stage

EXPORTED = tuple(o.name for o in RECORDS if o.output == "weights")
SHIPPED = tuple(o.name for o in RECORDS if o.ships)


def of_recipe(variant: dict[str, object]) -> str:
    """Name of the operation that a variant of a study file states.

    Raises:
        StopIteration: it states none; a resolved study file always has one.
    """
    return next(name for name in OPERATIONS if name in variant)
