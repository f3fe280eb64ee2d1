"""Pruning of a trained model, followed by finetuning under the masks."""

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor

from fairweight.compression.distill import teacher_loss
from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.core.errors import InputError, listed
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.training import module_surgery
from fairweight.training.model import Model, ModelDescription
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import write_curve
from fairweight.training.written_model import write_checked

AMOUNTS = ("sparsity", "channels")  # options that say how much is removed


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
        InputError: the method does not fit the network, removes a whole layer or nothing, or leaves a network that
            cannot be rebuilt from its files.
    """
    place = f"variants: {variant}: prune"
    pruned = Model.load(parent, parent_about)
    teaching = finetune.get("distillation")
    distillation = teacher_loss(Model.load(parent, parent_about), teaching) if teaching else None
    data = TrainingData.read(table, split, augmented)
    network = Trained(pruned, data, finetune, variant=variant, seed=seed, distillation=distillation)
    before = module_surgery.shapes(pruned.body)
    try:
        masks = _masks(pruned, network, recipe)
        after = module_surgery.shapes(pruned.body)
        _check_masks(masks, pruned, recipe, cut=after != before)
    except InputError as error:
        raise InputError(f"{place}: {error}.") from None
    network.apply(masks)
    network.train(masks, finetune["epochs"])
    description: ModelDescription = {"sparsity": sparsity(pruned), "pruning": recipe}
    if after != before:
        description["shapes"] = after
        if uncut := _uncut(before, pruned, network):
            description["uncut"] = uncut
            print(f"not cut: {', '.join(uncut)}")
    written = write_checked(pruned, model, about, network.example, place, **description)
    check_zeros(model, written, masks)
    write_curve(curve, network.history)


def _masks(pruned: Model, network: Trained, recipe: MethodRecipe) -> dict[str, Tensor]:
    """Masks that the recipe's method makes; it may also change the network in place."""
    options = components.chosen(recipe, "finetune")
    method = components.load("pruning", recipe["method"])
    weights = {name: weight.detach() for name, weight in pruned.prunable().items()}
    if not weights:
        raise InputError("the network has no weights of two or more dimensions; biases and scales are not pruned")
    # a method that looks only at weights has no parameter `network`
    supplied = {"network": network} if "network" in inspect.signature(method).parameters else {}
    masks: dict[str, Tensor] = method(weights, **supplied, **options)
    return masks


def _check_masks(masks: Mapping[str, Tensor], pruned: Model, recipe: MethodRecipe, *, cut: bool) -> None:
    """Check that masks fit the network, leave something of each layer, and remove something if they should.

    Args:
        masks: name of a weight -> boolean tensor.
        pruned: the model, whose layers the method may have cut.
        recipe: the method and its options.
        cut: whether layers have other shapes than before.

    Raises:
        InputError: they do not.
    """
    parameters, method = dict(pruned.body.named_parameters(remove_duplicate=False)), recipe["method"]
    for name, mask in masks.items():
        parameter = parameters.get(name)
        if parameter is None or mask.shape != parameter.shape or mask.dtype != torch.bool:
            raise InputError(
                f"method {method!r} returns for {name!r} something else than a boolean tensor in the shape of a "
                f"parameter; the parameters are: {listed(parameters)}"
            )
        if not mask.any():
            raise InputError(f"nothing of layer {name!r} is left; lower the sparsity")
    asked = [recipe[option] for option in AMOUNTS if option in recipe]
    if any(asked) and not cut and all(mask.all() for mask in masks.values()):
        raise InputError(f"method {method!r} removes nothing of this network; ask for more, or take another method")


def _uncut(before: Mapping[str, list[int]], pruned: Model, network: Trained) -> list[str]:
    """Weights that a method which cuts layers left as they were; those that produce the outputs keep their classes."""
    outputs = set(network.outputs)
    weights = {name: list(weight.shape) for name, weight in pruned.prunable().items() if name not in outputs}
    return [name for name, shape in weights.items() if before.get(name) == shape]


def sparsity(model: Model) -> dict[str, float]:
    """Share of zeros in each prunable tensor, and in all of them together under the key `all`."""
    weights = model.prunable()
    shares = {name: float((w == 0).float().mean()) for name, w in weights.items()}
    zeros = sum(int((w == 0).sum()) for w in weights.values())
    return shares | {"all": zeros / max(1, sum(w.numel() for w in weights.values()))}


def check_zeros(path: str, written: Model, masks: Mapping[str, Tensor]) -> None:
    """Check that every masked weight is zero in the file as written.

    Args:
        path: safetensors file.
        written: the model, loaded from it.
        masks: name of a weight -> boolean tensor.

    Raises:
        AssertionError: a masked weight is not zero.
    """
    for name, mask in masks.items():
        if written.body.get_parameter(name)[~mask].any():
            raise AssertionError(f"{path}: {name} has pruned weights that are not zero")
