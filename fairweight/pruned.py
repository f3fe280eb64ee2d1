"""Pruning of a trained model, with finetuning under the masks."""

from typing import Any

import torch

from fairweight import components
from fairweight.artifacts import write_rows
from fairweight.errors import InputError
from fairweight.models import Model
from fairweight.randomness import integer
from fairweight.training import CURVE, Data, fit


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
        seed, variant: key of the order of rows.

    Raises:
        InputError: the method takes a layer away entirely.
    """
    pruned = Model.load(parent, parent_about)
    options = {key: value for key, value in recipe.items() if key not in ("method", "finetune")}
    weights = {name: weight.detach() for name, weight in pruned.prunable().items()}
    masks = components.load("pruning", recipe["method"])(weights, **options)
    for name, mask in masks.items():
        if not mask.any():
            raise InputError(f"variants: {variant}: prune: nothing of layer {name!r} is left; lower the sparsity.")
        with torch.no_grad():
            pruned.get_parameter(f"body.{name}").mul_(mask)
    history: list[dict[str, Any]] = []
    if finetune["epochs"]:
        data = Data.read(table, split, augmented)
        torch.manual_seed(integer("initialise", variant, seed))  # for what an architecture draws while it trains
        history = fit(pruned, data, finetune, order=integer("finetune", variant, seed), masks=masks)
    pruned.save(model, about, sparsity=sparsity(pruned), pruning=recipe)
    check_zeros(model, about, masks)
    write_rows(curve, history, CURVE)


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
