"""Low-rank factorisation of a trained model, with finetuning of the factors."""

from typing import Any, cast

import torch
from torch import nn

from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.core.artifacts import write_rows
from fairweight.core.errors import InputError
from fairweight.training import module_surgery
from fairweight.training.model import Model
from fairweight.training.train import CURVE, Data


def factorize(
    *, parent: str, parent_about: str, table: str, split: str, augmented: str, model: str, about: str, curve: str,
    recipe: dict[str, Any], finetune: dict[str, Any], seed: int, variant: str,
) -> None:  # fmt: skip
    """Replace layers by two of lower rank where that is smaller, and finetune.

    Args:
        parent, parent_about: the parent's safetensors and JSON files.
        table, split, augmented: Parquet files of the data.
        model, about, curve: files to write; the curve has no rows where nothing is finetuned.
        recipe: `method` and its options.
        finetune: training recipe with the epochs of finetuning.
        seed, variant: key of the random streams.

    Raises:
        InputError: no layer gets smaller.
    """
    small = Model.load(parent, parent_about)
    options = components.chosen(recipe, "finetune")
    weights = {f"{name}.weight": layer.weight.detach() for name, layer in _layers(small.body).items()}
    try:
        factors = components.load("factorizations", recipe["method"])(weights, **options)
    except InputError as error:
        raise InputError(f"variants: {variant}: factorize: {error}.") from None
    ranks = {name.removesuffix(".weight"): first.shape[0] for name, (_, first) in factors.items()}
    biases = {name: small.body.get_submodule(name).bias for name in ranks}
    module_surgery.factorize(small.body, ranks)
    with torch.no_grad():
        for name, (second, first) in factors.items():
            one, two = cast("nn.Sequential", small.body.get_submodule(name.removesuffix(".weight")))
            one.get_parameter("weight").copy_(first.view_as(one.get_parameter("weight")))
            two.get_parameter("weight").copy_(second.view_as(two.get_parameter("weight")))
            if (bias := biases[name.removesuffix(".weight")]) is not None:
                two.get_parameter("bias").copy_(cast("torch.Tensor", bias))
    network = Trained(small, Data.read(table, split, augmented), finetune, variant=variant, seed=seed)
    network.train({}, finetune["epochs"])
    small.save(
        model, about, ranks=ranks, shapes=module_surgery.shapes(small.body), factorization=recipe, sparsity={"all": 0.0}
    )
    write_rows(curve, network.history, CURVE)


def _layers(body: nn.Module) -> dict[str, nn.Linear | nn.Conv2d]:
    """Layers that can be factorised, in order."""
    return {
        name: m
        for name, m in body.named_modules()
        if isinstance(m, nn.Linear) or (isinstance(m, nn.Conv2d) and m.groups == 1)
    }
