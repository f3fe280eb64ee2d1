"""Low-rank factorization of a trained model, followed by finetuning of the factors."""

from typing import cast

import torch
from torch import Tensor, nn

from fairweight.compression.finetuning import Trained
from fairweight.core import components
from fairweight.core.errors import InputError, by_module, joined
from fairweight.core.recipes import MethodRecipe, TrainingRecipe
from fairweight.training import module_surgery
from fairweight.training.model import Model
from fairweight.training.tracing import owners, replaceable
from fairweight.training.training_data import TrainingData
from fairweight.training.training_loop import write_curve
from fairweight.training.written_model import write_checked

Layers = dict[str, nn.Linear | nn.Conv2d]


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
        InputError: no layer can be replaced or becomes smaller, or the network cannot be rebuilt from its files.
    """
    place = f"variants: {variant}: factorize"
    factorized, data = Model.load(parent, parent_about), TrainingData.read(table, split, augmented)
    network = Trained(factorized, data, finetune, variant=variant, seed=seed)
    try:
        layers = _layers(factorized.body, network.example)
        weights = {f"{name}.weight" if name else "weight": layers[name].weight.detach() for name in _distinct(layers)}
        options = components.chosen(recipe, "finetune")
        factors = components.load("factorizations", recipe["method"])(weights, **options)
        before, ranks = _size(factorized), _replace_layers(factorized, layers, factors)
    except InputError as error:
        raise InputError(f"{place}: {error}.") from None
    if _size(factorized) >= before:
        raise InputError(f"{place}: method {recipe['method']!r} makes no layer smaller; lower the energy or rank.")
    network.train({}, finetune["epochs"])
    write_checked(
        factorized,
        model,
        about,
        network.example,
        place,
        ranks=factorized.about.get("ranks", {}) | ranks,  # of a parent that is itself factorized
        shapes=module_surgery.shapes(factorized.body),
        factorization=recipe,
        sparsity={"all": 0.0},
    )
    write_curve(curve, network.history)


def _size(model: Model) -> int:
    return sum(p.numel() for p in model.body.parameters())


def _layers(body: nn.Module, features: Tensor) -> Layers:
    """Layers that can be factorized, in order; a weight that other layers also use must be factorized in all of them.

    Raises:
        InputError: there are none.
    """
    layers, reasons = replaceable(body, features, (nn.Linear, nn.Conv2d))
    for name in [name for name, layer in layers.items() if isinstance(layer, nn.Conv2d) and layer.groups > 1]:
        del layers[name]
        reasons[name] = "is a grouped convolution"
    users = owners(body)
    for name in [name for name, layer in layers.items() if not _shared_alike(layer, layers, users)]:
        del layers[name]
        reasons[name] = "shares its weight with a layer that cannot be factorized"
    if not layers:
        others = by_module(reasons)
        print(*others, sep="\n")
        why = joined(others, "in the log")
        raise InputError(f"the network has no linear layer or 2-D convolution that can be factorized ({why})")
    return layers


def _shared_alike(layer: nn.Linear | nn.Conv2d, layers: Layers, users: dict[int, list[tuple[nn.Module, str]]]) -> bool:
    """Whether all users of a layer's weight are layers of one kind that are factorized as well."""
    return all(
        name == "weight" and type(user) is type(layer) and any(user is other for other in layers.values())
        for user, name in users[id(layer.weight)]
    )


def _distinct(layers: Layers) -> list[str]:
    """Names of the layers, without those whose weight is that of an earlier one."""
    first: dict[int, str] = {}
    return [name for name, layer in layers.items() if first.setdefault(id(layer.weight), name) == name]


def _replace_layers(model: Model, layers: Layers, factors: dict[str, tuple[Tensor, Tensor]]) -> dict[str, int]:
    """Replace layers by their factors, in place.

    Returns:
        name of the layer -> its rank

    Raises:
        InputError: a name is not that of a weight, or the product of its factors has another shape.
    """
    by_weight = {id(_weight(name, pair, layers)): pair for name, pair in factors.items()}
    chosen = {name: by_weight[id(layer.weight)] for name, layer in layers.items() if id(layer.weight) in by_weight}
    ranks = {name: first.shape[0] for name, (_, first) in chosen.items()}
    model.body = module_surgery.factorize(model.body, ranks)
    with torch.no_grad():
        for name, (second, first) in chosen.items():
            pair = cast("nn.Sequential", model.body.get_submodule(name))
            for module, factor in zip(pair, (first, second), strict=True):
                weight = module.get_parameter("weight")
                weight.copy_(factor.view_as(weight))
    return ranks


def _weight(name: str, pair: tuple[Tensor, Tensor], layers: Layers) -> Tensor:
    """The weight that a factor's name stands for."""
    layer, (second, first) = layers.get(name.rpartition(".")[0]), pair
    matrix = None if layer is None else layer.weight.flatten(1)
    if layer is None or matrix is None or (second.shape[0], first.shape[1]) != matrix.shape:
        raise InputError(f"the factors of {name!r} do not have a product in the shape of a layer's weight")
    return layer.weight
