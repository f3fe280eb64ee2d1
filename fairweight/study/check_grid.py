"""What the grid of a study file puts together: whether dataset, model, training and variant go with each other.

Standard library only.  Each refusal is one sentence with the place and the legal values.
"""

from typing import TYPE_CHECKING

from fairweight.core import components
from fairweight.core.errors import InputError, known
from fairweight.study.check_datasets import form

if TYPE_CHECKING:
    from fairweight.study.study import Cell, Study


def check_uses(study: "Study") -> None:
    """Check every cell of the grid: what is declared elsewhere must have what the cell needs of it."""
    for cell in study.cells:
        dataset, operation = study.config["datasets"][cell.dataset], study.variants[cell.variant].operation
        place = f"datasets: {cell.dataset}"
        if operation == "given":
            column = study.variants[cell.variant].recipe["given"]["column"]
            if column in dataset["drop"]:
                raise InputError(
                    f"{place}: drop: {column!r} is given scores of variant {cell.variant!r}; take one out."
                )
            continue
        if study.published(cell.variant):
            _check_published(study, cell)
            continue
        attribute = study.training_recipe(cell.variant)["objective"].get("attribute")
        if attribute is not None:
            place_ = f"training: {study.root(cell.variant).recipe['train']}: objective: attribute"
            known(attribute, dataset["groups"], place_, f"a group attribute of dataset {cell.dataset!r}")
        _check_width(study, cell)
        if operation == "adjust":
            attribute = study.variants[cell.variant].recipe["adjust"]["attribute"]
            place_ = f"variants: {cell.variant}: adjust: attribute"
            known(attribute, dataset["groups"], place_, f"a group attribute of dataset {cell.dataset!r}")
        if dataset["split"]["test"] == "all":
            raise InputError(f"{place}: split: test is 'all', so nothing is left to train variant {cell.variant!r}.")
        if form(dataset["inputs"]) is None:
            raise InputError(f"{place}: inputs: is empty, and variant {cell.variant!r} needs something to learn from.")
        _check_task(study, cell)


def _check_published(study: "Study", cell: "Cell") -> None:
    """What published weights need: an architecture that takes them, a task without training, and nothing drawn."""
    dataset, model = study.config["datasets"][cell.dataset], study.config["models"][cell.model]
    place, task = f"variants: {cell.variant}", study.config["datasets"][cell.dataset]["task"]
    if not components.literal("architectures", model["architecture"], "PUBLISHED"):
        raise InputError(
            f"{place}: 'pretrained' takes published weights as they are, and architecture {model['architecture']!r} of "
            f"model {cell.model!r} is trained; name a training recipe with 'train'."
        )
    if not components.literal("tasks", task, "PUBLISHED"):
        raise InputError(f"{place}: 'pretrained' is not for the task {task!r} of dataset {cell.dataset!r}.")
    for source in model.get("sources", []):
        if not source.lower().endswith(".gguf"):
            raise InputError(
                f"models: {cell.model}: sources: {source!r} is not a GGUF file; safetensors are taken by 'folder' or 'hub', "
                "and a pickle never."
            )
        if not source.startswith("file:") and not model["sha256"]:
            raise InputError(f"models: {cell.model}: 'sha256' is missing; a downloaded file is never trusted unseen.")
    if dataset["split"]["test"] != "all":
        raise InputError(f"datasets: {cell.dataset}: split: test: set it to 'all'; nothing is trained on its texts.")
    if cell.augmentation != "none":
        raise InputError(
            f"grid: augmentation {cell.augmentation!r} makes training rows, and nothing is trained of {cell.variant!r}."
        )
    quantize, legal = (
        study.variants[cell.variant].recipe.get("quantize"),
        components.literal("tasks", task, "QUANTIZATION"),
    )
    if quantize and ":" not in quantize["method"] and quantize["method"] not in legal:
        raise InputError(
            f"{place}: quantize: {quantize['method']!r} is not for the task {task!r}; there are: {', '.join(legal)}."
        )


def _check_task(study: "Study", cell: "Cell") -> None:
    """What the dataset's kind of task and the form of its rows leave open."""
    dataset, model = study.config["datasets"][cell.dataset], study.config["models"][cell.model]
    rows, architecture = form(dataset["inputs"]), model["architecture"]
    for kind, name in (("tasks", dataset["task"]), ("architectures", architecture)):
        if components.literal(kind, name, "PUBLISHED"):
            raise InputError(
                f"variants: {cell.variant}: {name!r} takes published weights as they are; make the variant with "
                "'pretrained: {}'."
            )
    taken = components.literal("architectures", architecture, "FORMS") or ("tabular", "image")
    if rows not in taken:
        raise InputError(
            f"models: {cell.model}: architecture {architecture!r} takes {' or '.join(taken)} rows, and those of "
            f"dataset {cell.dataset!r} are {rows}."
        )
    objective = study.training_recipe(cell.variant)["objective"]["method"]
    legal = components.literal("tasks", dataset["task"], "OBJECTIVES")
    if ":" not in objective and objective not in legal:
        raise InputError(
            f"training: {study.root(cell.variant).recipe['train']}: objective: {objective!r} is not for the task "
            f"{dataset['task']!r} of dataset {cell.dataset!r}; there are: {', '.join(legal)}."
        )


def _check_width(study: "Study", cell: "Cell") -> None:
    architecture = study.config["models"][cell.model]["architecture"]
    if study.variants[cell.variant].recipe.get("parameters", 1) == 1:
        return
    if "width_factor" not in components.options("architectures", architecture):
        raise InputError(
            f"variants: {cell.variant}: parameters: architecture {architecture!r} of model {cell.model!r} has no "
            "option 'width_factor' to make it smaller with."
        )


def check_criteria(study: "Study") -> None:
    """Check that the criteria name attributes and variants that there are."""
    criteria = study.config["criteria"]
    for attribute in criteria["attributes"] or []:
        declared = sorted({a for name in study.datasets for a in study.config["datasets"][name]["groups"]})
        known(attribute, declared, "criteria: attributes", "a group attribute")
    if criteria["variant"] is not None:
        known(criteria["variant"], study.variants, "criteria: variant", "a variant")
