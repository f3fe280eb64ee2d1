"""Pruning of a trained model, with finetuning under the masks."""

import inspect
from typing import Any

import torch

from fairweight.compression.distill import taught
from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.core.artifacts import write_rows
from fairweight.core.errors import InputError
from fairweight.training import module_surgery
from fairweight.training.model import Model
from fairweight.training.train import CURVE, Data


def prune(
    *, parent: str, parent_about: str, table: str, split: str, augmented: str, model: str, about: str, curve: str,
    recipe: dict[str, Any], finetune: dict[str, Any], seed: int, variant: str,
) -> None:  # fmt: skip
    """Prune a parent's weights and finetune what stays.

    Args:
        parent, parent_about: the parent's safetensors and JSON files.
        table, split, augmented: Parquet files of the data.
        model, about, curve: files to write; the curve has no rows where nothing is finetuned.
        recipe: `method` of pruning and its options.
        finetune: training recipe with the epochs of finetuning.
        seed, variant: key of the random streams.

    Raises:
        InputError: the method does not fit the network, or takes a layer away entirely.
    """
    pruned = Model.load(parent, parent_about)
    before = module_surgery.shapes(pruned.body)
    options = components.chosen(recipe, "finetune")
    method = components.load("pruning", recipe["method"])
    teaching = finetune.get("distillation")
    distillation = taught(Model.load(parent, parent_about), teaching) if teaching else None
    data = Data.read(table, split, augmented)
    network = Trained(pruned, data, finetune, variant=variant, seed=seed, distillation=distillation)
    weights = {name: weight.detach() for name, weight in pruned.prunable().items()}
    # a method that only looks at weights takes nothing else
    given = [network] if "network" in inspect.signature(method).parameters else []
    try:
        masks = method(weights, *given, **options)
    except InputError as error:
        raise InputError(f"variants: {variant}: prune: {error}.") from None
    for name, mask in masks.items():
        if not mask.any():
            raise InputError(f"variants: {variant}: prune: nothing of layer {name!r} is left; lower the sparsity.")
    network.apply(masks)
    network.train(masks, finetune["epochs"])
    after = module_surgery.shapes(pruned.body)
    smaller = {"shapes": after} if after != before else {}
    pruned.save(model, about, sparsity=sparsity(pruned), pruning=recipe, **smaller)
    check_zeros(model, about, masks)
    write_rows(curve, network.history, CURVE)


def sparsity(model: Model) -> dict[str, float]:
    """Share of zeros of each prunable tensor, and of `all` together."""
    weights = model.prunable()
    shares = {name: float((w == 0).float().mean()) for name, w in weights.items()}
    zeros = sum(int((w == 0).sum()) for w in weights.values())
    return shares | {"all": zeros / sum(w.numel() for w in weights.values())}


def check_zeros(path: str, about: str, masks: dict[str, torch.Tensor]) -> None:
    """Assert, on the file as written, that every masked weight is zero."""
    written = Model.load(path, about).prunable()
    for name, mask in masks.items():
        if written[name][~mask].any():
            raise AssertionError(f"{path}: {name} has weights that are not zero where they were pruned")
