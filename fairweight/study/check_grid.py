"""Checks of the grid of a study file: whether dataset, model, training recipe and variant of each cell fit together.

Standard library only. Each error is one sentence with the place and the legal values.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from fairweight.core import components, labels
from fairweight.core.errors import InputError, did_you_mean, known, listed
from fairweight.core.recipes import TrainingRecipe
from fairweight.study.check_datasets import form
from fairweight.study.grid import Cell, Variant


class GridOfStudy(Protocol):
    """What the checks need to know of a study (see `study.Study`)."""

    config: Mapping[str, Any]
    variants: dict[str, Variant]
    cells: list[Cell]

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets in the grid."""

    @property
    def controls(self) -> list[str]:
        """Names of the variants that differ from their baseline by training alone."""

    def cell_baseline(self, cell: Cell) -> Cell:
        """The cell that a cell is compared with."""

    def replicate(self, variant: str) -> int:
        """Replicate of the root of a variant's lineage."""

    def root(self, variant: str) -> Variant:
        """Root of a variant's lineage."""

    def published(self, variant: str) -> bool:
        """Whether a variant comes from published weights."""

    def lineage(self, variant: str) -> list[str]:
        """Names of a variant and its ancestors, root last."""

    def training_recipe(self, variant: str) -> TrainingRecipe:
        """Recipe that a variant is trained with."""


LBFGS = "lbfgs"  # the optimizer that needs a convex loss


def check_cells(study: GridOfStudy) -> None:
    """Check every cell of the grid against the datasets, models and recipes that it names.

    Raises:
        InputError: a cell needs something that its dataset, model or recipe does not have.
    """
    for cell in study.cells:
        _check_for_label(study, cell)
        if not study.variants[cell.variant].record.ships:
            _check_scores(study, cell)
        elif study.published(cell.variant):
            _check_published(study, cell)
        elif study.root(cell.variant).record.imports:
            _check_imported(study, cell)
        else:
            _check_trained(study, cell)


def _check_for_label(study: GridOfStudy, cell: Cell) -> None:
    """Check operation, architecture, methods and training of a cell against a task that lists what it takes."""
    task, variant = study.config["datasets"][cell.dataset]["task"], study.variants[cell.variant]
    of_task = f"is not for the task {task!r} of dataset {cell.dataset!r}"
    operations = components.literal("tasks", task, "OPERATIONS")
    if operations is not None and variant.operation not in operations:
        raise InputError(f"variants: {cell.variant}: {variant.operation!r} {of_task}; there are: {listed(operations)}.")
    if cell.augmentation != "none":
        method, legal = study.config["augmentations"][cell.augmentation]["method"], "AUGMENTATIONS"
        _check_listed(f"augmentations: {cell.augmentation}", method, components.literal("tasks", task, legal), of_task)
    if not variant.record.ships or study.published(cell.variant):
        return
    architectures = {f"models: {cell.model}": study.config["models"][cell.model]["architecture"]}
    if variant.operation == "distill":
        architectures[f"variants: {cell.variant}: distill: student"] = variant.step["student"]["architecture"]
        distillations = components.literal("tasks", task, "DISTILLATIONS")
        _check_listed(f"variants: {cell.variant}: distill", str(variant.method), distillations, of_task)
    for place, architecture in architectures.items():
        kinds = components.literal("architectures", architecture, "LABELS")
        if kinds is not None and labels.kind(task).name not in kinds:
            raise InputError(f"{place}: {architecture!r} {of_task}; name another architecture.")
    if not labels.measured(task) or not variant.record.trains:
        return
    recipe, place = study.training_recipe(cell.variant), f"training: {study.root(cell.variant).step}"
    if recipe.get("distillation"):
        place_of_method = f"variants: {cell.variant}: prune: finetune: distillation"
        distillations = components.literal("tasks", task, "DISTILLATIONS")
        _check_listed(place_of_method, recipe["distillation"]["method"], distillations, of_task)
    if recipe["optimizer"] == LBFGS:
        raise InputError(f"{place}: optimizer: 'lbfgs' minimises a cross-entropy, and {of_task}; name another one.")
    if recipe["select"] == "accuracy":
        raise InputError(f"{place}: select: 'accuracy' {of_task}, whose labels are numbers; leave it out.")


def _check_listed(place: str, method: str, legal: list[str] | None, of_task: str) -> None:
    """Check that a task takes a method; a method of a user's own is not in its list."""
    if legal is not None and ":" not in method and method not in legal:
        raise InputError(f"{place}: {method!r} {of_task}{did_you_mean(method, legal)}; there are: {listed(legal)}.")


def _check_scores(study: GridOfStudy, cell: Cell) -> None:
    """Check that the column of scores that come with the data is kept."""
    column = study.variants[cell.variant].step["column"]
    if column in study.config["datasets"][cell.dataset]["drop"]:
        raise InputError(
            f"datasets: {cell.dataset}: drop: {column!r} holds the scores of variant {cell.variant!r}; remove one of "
            "the two."
        )


def _check_trained(study: GridOfStudy, cell: Cell) -> None:
    """Check what training on the dataset needs."""
    _check_objective(study, cell)
    _check_width(study, cell)
    _check_rows(study, cell)
    _check_task(study, cell)
    if study.config["training"][study.root(cell.variant).step].get("micro_batch_size") is not None:
        _check_micro_batches(study, cell)
    if study.training_recipe(cell.variant)["optimizer"] == LBFGS:
        _check_lbfgs(study, cell)


def _check_micro_batches(study: GridOfStudy, cell: Cell) -> None:
    """Check that the gradient of a batch is a sum over its rows, which micro-batches may divide."""
    root, task = study.root(cell.variant), study.config["datasets"][cell.dataset]["task"]
    recipe, place = study.config["training"][root.step], f"training: {root.step}: micro_batch_size"
    if recipe["optimizer"] == LBFGS:
        raise InputError(f"{place}: optimizer 'lbfgs' has no mini-batches; leave 'micro_batch_size' out.")
    architectures = [study.config["models"][cell.model]["architecture"]]
    for variant in (study.variants[name] for name in study.lineage(cell.variant)):
        if isinstance(variant.step, Mapping) and "student" in variant.step:
            architectures.append(variant.step["student"]["architecture"])
    for architecture in architectures:
        if not components.literal("architectures", architecture, "ROWWISE"):
            legal = [n for n in components.names("architectures") if components.literal("architectures", n, "ROWWISE")]
            raise InputError(
                f"{place}: architecture {architecture!r} does not say that it treats each row of a batch alone "
                f"(ROWWISE); leave 'micro_batch_size' out, or use one of: {listed(legal)}."
            )
    objective, adaptation = recipe["objective"]["method"], recipe["adapt"]["method"]
    if not components.literal("objectives", objective, "CONVEX") or (
        components.literal("tasks", task, "OUTPUT") != "probabilities"
    ):
        raise InputError(
            f"{place}: the loss of a batch must be a mean cross-entropy with fixed weights of rows, and objective "
            f"{objective!r} of task {task!r} is none; leave 'micro_batch_size' out."
        )
    if adaptation != "full":
        raise InputError(f"{place}: ranks train all weights; leave out 'adapt' ({adaptation!r}) or 'micro_batch_size'.")
    if recipe["micro_batch_size"] > recipe["batch_size"]:
        raise InputError(f"{place}: is larger than batch_size, {recipe['batch_size']:,}; set a part of it.")


def _check_lbfgs(study: GridOfStudy, cell: Cell) -> None:
    """Check that what `lbfgs` trains is convex, starts from data, and is not asked for what it has not."""
    root = study.root(cell.variant)
    architecture, recipe = study.config["models"][cell.model]["architecture"], study.config["training"][root.step]
    place, objective, adaptation = f"training: {root.step}", recipe["objective"]["method"], recipe["adapt"]["method"]
    if not components.literal("architectures", architecture, "LINEAR"):
        raise InputError(
            f"{place}: optimizer: 'lbfgs' is for models of one linear layer such as 'logistic_regression', and "
            f"architecture {architecture!r} of model {cell.model!r} is none; name another optimizer."
        )
    if not components.literal("objectives", objective, "CONVEX"):
        legal = [n for n in components.names("objectives") if components.literal("objectives", n, "CONVEX")]
        raise InputError(
            f"{place}: objective: {objective!r} is no sum over rows with fixed weights, which optimizer 'lbfgs' needs; "
            f"there are: {listed(legal)}."
        )
    if adaptation != "full":
        raise InputError(f"{place}: adapt: optimizer 'lbfgs' trains all weights; leave out {adaptation!r}.")
    if recipe["precision"] != "float32":
        raise InputError(
            f"{place}: precision: optimizer 'lbfgs' computes in float64 and writes float32; leave 'precision' out."
        )
    if "epochs" in recipe:
        raise InputError(
            f"{place}: epochs: optimizer 'lbfgs' has no epochs; leave them out (its limit is 'max_iterations')."
        )
    if study.replicate(cell.variant):
        raise InputError(
            f"variants: {root.name}: replicate: optimizer 'lbfgs' starts from zeros, so that a replicate is the same "
            "model; leave it out."
        )
    for name in study.lineage(cell.variant):
        if name != root.name and _trains_again(study.variants[name]):
            raise InputError(
                f"variants: {name}: it trains, and its root {root.name!r} has the optimizer 'lbfgs', which trains from "
                "data only; leave out the training (finetune: {epochs: 0}), or name another optimizer."
            )


def _trains_again(variant: Variant) -> bool:
    """Whether making a variant from its parent trains weights, by its recipe and by the options of its method."""
    if variant.operation == "distill" or (variant.operation == "quantize" and _trains(variant)):
        return True
    if not variant.record.finetunes or not isinstance(variant.step, Mapping):
        return False
    epochs = max(variant.step.get("finetune", {}).get("epochs", 0), variant.step.get("epochs", 0))
    return bool(epochs)


def _check_rows(study: GridOfStudy, cell: Cell) -> None:
    """Check that the dataset has groups, rows and inputs for a variant that is made from its rows."""
    dataset, variant = study.config["datasets"][cell.dataset], study.variants[cell.variant]
    place = f"datasets: {cell.dataset}"
    if variant.record.by_group and isinstance(variant.step, Mapping):
        attribute_place = f"variants: {cell.variant}: {variant.operation}: attribute"
        known(variant.step["attribute"], dataset["groups"], attribute_place, _attribute_of(cell))
    if dataset["split"]["test"] == "all":
        raise InputError(
            f"{place}: split: test is 'all', which leaves no rows to train or calibrate variant {cell.variant!r}; "
            "set a share."
        )
    if form(dataset["inputs"]) is None:
        raise InputError(f"{place}: inputs: is empty, but variant {cell.variant!r} needs input columns.")


def _check_objective(study: GridOfStudy, cell: Cell) -> None:
    """Check the group attribute and the objective of a training recipe."""
    dataset, recipe = study.config["datasets"][cell.dataset], study.training_recipe(cell.variant)
    root = study.root(cell.variant)
    name = root.step["training"] if root.record.imports else root.step
    attribute = recipe["objective"].get("attribute")
    if attribute is not None:
        known(attribute, dataset["groups"], f"training: {name}: objective: attribute", _attribute_of(cell))
    objective = recipe["objective"]["method"]
    legal = components.literal("tasks", dataset["task"], "OBJECTIVES")
    if ":" not in objective and objective not in legal:
        raise InputError(
            f"training: {name}: objective: {objective!r} is not for the task {dataset['task']!r} of dataset "
            f"{cell.dataset!r}{did_you_mean(objective, legal)}; there are: {listed(legal)}."
        )


def _attribute_of(cell: Cell) -> str:
    return f"a group attribute of dataset {cell.dataset!r}"


def _check_imported(study: GridOfStudy, cell: Cell) -> None:
    """Check what a trained model of the user's own, and what is made from it, need."""
    dataset, model = study.config["datasets"][cell.dataset], study.config["models"][cell.model]
    place, root = f"variants: {cell.variant}", study.root(cell.variant)
    takes = components.literal("architectures", model["architecture"], "IMPORTED")
    if takes != root.operation:
        wanted = repr(takes) if takes else "'train'"
        raise InputError(
            f"{place}: {root.operation!r} does not take architecture {model['architecture']!r} of model "
            f"{cell.model!r}, whose variants start with {wanted}."
        )
    if components.literal("tasks", dataset["task"], "PUBLISHED"):
        raise InputError(
            f"{place}: {root.operation!r} is not for the task {dataset['task']!r} of dataset {cell.dataset!r}."
        )
    if model.get("module"):
        try:
            components.locate("architectures", model["module"])
        except InputError as error:
            raise InputError(f"models: {cell.model}: module: {str(error).rstrip('.')}.") from None
    _check_rows(study, cell)
    _check_form(study, cell)
    trained = [name for name in study.lineage(cell.variant) if _trains(study.variants[name])]
    if not trained and cell.augmentation != "none":
        raise InputError(
            f"grid: augmentation {cell.augmentation!r} makes training rows, but variant {cell.variant!r} is not "
            "trained; leave it out."
        )
    if trained:
        _check_objective(study, cell)
        if study.training_recipe(cell.variant).get("micro_batch_size") is not None:
            raise InputError(
                f"training: {root.step['training']}: micro_batch_size: micro-batches are for models that are trained "
                f"from data, and {root.name!r} is imported; leave 'micro_batch_size' out."
            )
        if study.training_recipe(cell.variant)["optimizer"] == LBFGS and any(
            _trains_again(study.variants[name]) for name in trained
        ):
            raise InputError(
                f"{place}: training {root.step['training']!r} has the optimizer 'lbfgs', which trains from data only; "
                "name a recipe with another optimizer."
            )
    for name in trained:
        variant = study.variants[name]
        if variant.operation == "quantize" and study.variants[str(variant.parent)].record.output == "file":
            raise InputError(
                f"variants: {name}: quantize: {variant.method!r} trains, and {variant.parent!r} is an ONNX file "
                "without weights to train; name another method."
            )


def _trains(variant: Variant) -> bool:
    """Whether making a variant trains weights."""
    return variant.record.trains or (
        variant.operation == "quantize" and components.trains("quantization", str(variant.method))
    )


def _check_published(study: GridOfStudy, cell: Cell) -> None:
    """Check what published weights need: a matching architecture and task, no training rows, checksums."""
    dataset, model = study.config["datasets"][cell.dataset], study.config["models"][cell.model]
    place, operation = f"variants: {cell.variant}", study.root(cell.variant).operation
    if not components.literal("architectures", model["architecture"], "PUBLISHED"):
        raise InputError(
            f"{place}: {operation!r} takes published weights as they are, but architecture {model['architecture']!r} "
            f"of model {cell.model!r} is trained; name a training recipe with 'train'."
        )
    if not components.literal("tasks", dataset["task"], "PUBLISHED"):
        raise InputError(f"{place}: {operation!r} is not for the task {dataset['task']!r} of dataset {cell.dataset!r}.")
    for source in model.get("sources", []):
        if not source.lower().endswith(".gguf"):
            raise InputError(
                f"models: {cell.model}: sources: {source!r} is not a GGUF file; give safetensors with 'folder' or "
                "'hub'; a pickle is never loaded."
            )
        if not source.startswith("file:") and not model["sha256"]:
            raise InputError(
                f"models: {cell.model}: 'sha256' is missing; a downloaded file is used only if its checksum matches."
            )
    test = dataset["split"]["test"]
    if test != "all" and not isinstance(test, list):
        raise InputError(
            f"datasets: {cell.dataset}: split: test: set it to 'all', because nothing is trained on its texts, or to "
            "names of files if methods calibrate on the others."
        )
    _check_calibration_rows(study, cell)
    if cell.augmentation != "none":
        raise InputError(
            f"grid: augmentation {cell.augmentation!r} makes training rows, but variant {cell.variant!r} is not "
            "trained; leave it out."
        )
    _check_method_for_task(study.variants[cell.variant], dataset["task"])


def _check_calibration_rows(study: GridOfStudy, cell: Cell) -> None:
    """Check that there are training rows if a method calibrates on them, as its literal `UNCALIBRATED` says."""
    variant, test = study.variants[cell.variant], study.config["datasets"][cell.dataset]["split"]["test"]
    if test != "all" or variant.record.folder is None or not isinstance(variant.step, Mapping):
        return
    for option, values in (
        components.literal(variant.record.folder, str(variant.method), "UNCALIBRATED") or {}
    ).items():
        if variant.step.get(option, values[0]) not in values:
            raise InputError(
                f"variants: {cell.variant}: {variant.operation}: {option}: {variant.step[option]!r} calibrates on "
                "training rows, and 'split: test: all' leaves none; name the files of the test rows there."
            )


def _check_method_for_task(variant: Variant, task: str) -> None:
    """Check a method against the task, which may list legal ones in a literal such as `QUANTIZATION`."""
    if variant.record.folder is None or variant.method is None:
        return
    if ":" in variant.method:
        if components.trains(variant.record.folder, variant.method):
            raise InputError(
                f"variants: {variant.name}: {variant.operation}: {variant.method!r} trains (it takes a network), and "
                f"nothing is trained for the task {task!r}; name a method that does not."
            )
        return
    legal = components.literal("tasks", task, variant.record.folder.upper())
    if legal is not None and variant.method not in legal:
        raise InputError(
            f"variants: {variant.name}: {variant.operation}: {variant.method!r} is not for the task {task!r}"
            f"{did_you_mean(variant.method, legal)}; there are: {listed(legal)}."
        )


def _check_task(study: GridOfStudy, cell: Cell) -> None:
    """Check task, architecture, form of the rows and training objective against each other."""
    dataset, model = study.config["datasets"][cell.dataset], study.config["models"][cell.model]
    architecture = model["architecture"]
    if operation := components.literal("architectures", architecture, "IMPORTED"):
        raise InputError(
            f"variants: {cell.variant}: architecture {architecture!r} of model {cell.model!r} is a trained model; "
            f"define the variant with '{operation}: {{}}'."
        )
    for folder, name in (("tasks", dataset["task"]), ("architectures", architecture)):
        if components.literal(folder, name, "PUBLISHED"):
            raise InputError(
                f"variants: {cell.variant}: {name!r} takes published weights as they are; define the variant with "
                "'pretrained: {}'."
            )
    _check_form(study, cell)


def _check_form(study: GridOfStudy, cell: Cell) -> None:
    """Check that an architecture takes the rows of a dataset."""
    architecture = study.config["models"][cell.model]["architecture"]
    rows = form(study.config["datasets"][cell.dataset]["inputs"])
    forms = components.literal("architectures", architecture, "FORMS") or ("tabular", "image")
    if rows not in forms:
        raise InputError(
            f"models: {cell.model}: architecture {architecture!r} takes {' or '.join(forms)} rows, but those of "
            f"dataset {cell.dataset!r} are {rows}."
        )


def _check_width(study: GridOfStudy, cell: Cell) -> None:
    """Check that the architecture of a narrower network has an option for its width."""
    architecture = study.config["models"][cell.model]["architecture"]
    if study.variants[cell.variant].recipe.get("parameters", 1) == 1:
        return
    if "width_factor" not in components.options("architectures", architecture):
        raise InputError(
            f"variants: {cell.variant}: parameters: architecture {architecture!r} of model {cell.model!r} has no "
            "option 'width_factor' that makes it smaller."
        )


def check_criteria(study: GridOfStudy) -> None:
    """Check the attributes, baselines and the variant that the criteria name, and what the decision assumes.

    Raises:
        InputError: there is no such attribute, baseline, variant or batch size.
    """
    criteria, decision = study.config["criteria"], study.config["decision"]
    cells = set(study.cells)
    for cell in study.cells:
        if study.cell_baseline(cell) not in cells:
            raise InputError(
                f"criteria: against: 'none' compares with variant {study.cell_baseline(cell).variant!r} of model "
                f"{cell.model!r} under augmentation 'none', which is not in the grid of dataset {cell.dataset!r}; add "
                "'none' to its augmentations."
            )
    sizes = study.config["profile"]["batch_sizes"]
    if decision["batch"] not in sizes:
        raise InputError(
            f"decision: batch: {decision['batch']} is not profiled; name one of profile: batch_sizes ({listed(sizes)})."
        )
    if criteria["variant"] in study.controls:
        raise InputError(f"criteria: variant: {criteria['variant']!r} is a control, which is not a candidate to ship.")
    declared = sorted({a for name in study.datasets for a in study.config["datasets"][name]["groups"]})
    for attribute in criteria["attributes"] or []:
        known(attribute, declared, "criteria: attributes", "a group attribute")
    for name in study.datasets if criteria["attributes"] else []:
        groups = study.config["datasets"][name]["groups"]
        if not set(criteria["attributes"]) & set(groups):
            raise InputError(
                f"criteria: attributes: dataset {name!r} has none of them, so that no criterion about groups could be "
                f"tested there; add one of {listed(groups)}, or leave 'attributes' out."
                if groups
                else f"criteria: attributes: dataset {name!r} declares no groups, so that no criterion about groups "
                f"could be tested there; declare {listed(criteria['attributes'])} in its 'groups'."
            )
    numbers = [name for name in study.datasets if labels.measured(study.config["datasets"][name]["task"])]
    if 0 < len(numbers) < len(study.datasets):
        other = next(name for name in study.datasets if name not in numbers)
        raise InputError(
            f"grid: dataset {numbers[0]!r} has labels that are numbers, and dataset {other!r} has others, whose "
            "criteria differ; make two studies of them."
        )
    if not numbers:
        for name in labels.KINDS["numbers"].margins:
            if criteria["margins"].get(name) is not None:
                raise InputError(
                    f"criteria: margins: {name}: limits losses of numbers, and no dataset of the grid has the task "
                    "'regression'; leave it out."
                )
    if criteria["variant"] is not None:
        known(criteria["variant"], study.variants, "criteria: variant", "a variant")
