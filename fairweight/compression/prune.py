"""Pruning of a trained model, followed by finetuning under the masks."""

import inspect

from torch import Tensor

from fairweight.compression.distill import teacher_loss
from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.training import module_surgery
from fairweight.training.model import Model, ModelDescription
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import write_curve


def prune(
    *,
    parent: str,
    parent_about: str,
    table: str,
    split: str,
    augmented: str,
    model: str,
    about: str,
    curve: str,
    recipe: MethodRecipe,
    finetune: TrainingRecipe,
    seed: int,
    variant: str,
) -> None:
    """Prune the weights of a parent and finetune those that stay.

    Args:
        parent, parent_about: safetensors and JSON files of the parent.
        table, split, augmented: Parquet files of the data.
        model, about, curve: files to write; the curve has no rows if nothing is finetuned.
        recipe: `method` of pruning and its options.
        finetune: training recipe, with the epochs of finetuning.
        seed, variant: key of the random streams.

    Raises:
        InputError: the method does not fit the network, or removes a whole layer.
    """
    pruned = Model.load(parent, parent_about)
    before = module_surgery.shapes(pruned.body)
    teaching = finetune.get("distillation")
    distillation = teacher_loss(Model.load(parent, parent_about), teaching) if teaching else None
    data = TrainingData.read(table, split, augmented)
    network = Trained(pruned, data, finetune, variant=variant, seed=seed, distillation=distillation)
    masks = _masks(pruned, network, recipe, variant)
    network.apply(masks)
    network.train(masks, finetune["epochs"])
    after = module_surgery.shapes(pruned.body)
    description: ModelDescription = {"sparsity": sparsity(pruned), "pruning": recipe}
    if after != before:
        description["shapes"] = after
    pruned.save(model, about, **description)
    check_zeros(model, about, masks)
    write_curve(curve, network.history)


def _masks(pruned: Model, network: Trained, recipe: MethodRecipe, variant: str) -> dict[str, Tensor]:
    """Masks that the recipe's method makes; it may also change the network in place."""
    options = components.chosen(recipe, "finetune")
    method = components.load("pruning", recipe["method"])
    weights = {name: weight.detach() for name, weight in pruned.prunable().items()}
    # a method that looks only at weights has no parameter `network`
    supplied = {"network": network} if "network" in inspect.signature(method).parameters else {}
    try:
        masks: dict[str, Tensor] = method(weights, **supplied, **options)
    except InputError as error:
        raise InputError(f"variants: {variant}: prune: {error}.") from None
    for name, mask in masks.items():
        if not mask.any():
            raise InputError(f"variants: {variant}: prune: nothing of layer {name!r} is left; lower the sparsity.")
    return masks


def sparsity(model: Model) -> dict[str, float]:
    """Share of zeros in each prunable tensor, and in all of them together under the key `all`."""
    weights = model.prunable()
    shares = {name: float((w == 0).float().mean()) for name, w in weights.items()}
    zeros = sum(int((w == 0).sum()) for w in weights.values())
    return shares | {"all": zeros / sum(w.numel() for w in weights.values())}


def check_zeros(path: str, about: str, masks: dict[str, Tensor]) -> None:
    """Check that every masked weight is zero in the file as written.

    Raises:
        AssertionError: a masked weight is not zero.
    """
    written = Model.load(path, about).prunable()
    for name, mask in masks.items():
        if written[name][~mask].any():
            raise AssertionError(f"{path}: {name} has pruned weights that are not zero")
