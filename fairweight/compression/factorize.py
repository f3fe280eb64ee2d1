"""Low-rank factorization of a trained model, followed by finetuning of the factors."""

from typing import cast

import torch
from torch import Tensor, nn

from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.training import module_surgery
from fairweight.training.model import Model
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import write_curve


def factorize(
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
    """Replace layers by two layers of lower rank where these have fewer weights, and finetune the model.

    Args:
        parent, parent_about: safetensors and JSON files of the parent.
        table, split, augmented: Parquet files of the data.
        model, about, curve: files to write; the curve has no rows if nothing is finetuned.
        recipe: `method` and its options.
        finetune: training recipe, with the epochs of finetuning.
        seed, variant: key of the random streams.

    Raises:
        InputError: no layer becomes smaller.
    """
    factorized = Model.load(parent, parent_about)
    options = components.chosen(recipe, "finetune")
    weights = {f"{name}.weight": layer.weight.detach() for name, layer in _layers(factorized.body).items()}
    try:
        factors = components.load("factorizations", recipe["method"])(weights, **options)
    except InputError as error:
        raise InputError(f"variants: {variant}: factorize: {error}.") from None
    ranks = _replace_layers(factorized.body, factors)
    network = Trained(factorized, TrainingData.read(table, split, augmented), finetune, variant=variant, seed=seed)
    network.train({}, finetune["epochs"])
    factorized.save(
        model,
        about,
        ranks=ranks,
        shapes=module_surgery.shapes(factorized.body),
        factorization=recipe,
        sparsity={"all": 0.0},
    )
    write_curve(curve, network.history)


def _layers(body: nn.Module) -> dict[str, nn.Linear | nn.Conv2d]:
    """Layers that can be factorized, in order."""
    return {
        name: module
        for name, module in body.named_modules()
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
    }


def _replace_layers(body: nn.Module, factors: dict[str, tuple[Tensor, Tensor]]) -> dict[str, int]:
    """Replace layers by their factors, in place; the second factor takes the bias.

    Returns:
        name of the layer -> its rank
    """
    ranks = {name.removesuffix(".weight"): first.shape[0] for name, (_, first) in factors.items()}
    biases = {name: body.get_submodule(name).bias for name in ranks}
    module_surgery.factorize(body, ranks)
    with torch.no_grad():
        for name, (second, first) in factors.items():
            layer = name.removesuffix(".weight")
            pair = cast("nn.Sequential", body.get_submodule(layer))
            for module, factor in zip(pair, (first, second), strict=True):
                weight = module.get_parameter("weight")
                weight.copy_(factor.view_as(weight))
            if (bias := biases[layer]) is not None:
                pair[1].get_parameter("bias").copy_(cast("Tensor", bias))
    return ranks
