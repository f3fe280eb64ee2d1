"""Optimizers and learning rate schedules of a training recipe."""

import torch
from torch import nn

from fairweight.core.recipes import TrainingRecipe


def make_optimizer(recipe: TrainingRecipe, parameters: dict[str, nn.Parameter]) -> torch.optim.Optimizer:
    """Build the optimizer over the parameters that are trained; those of the head may have their own learning rate.

    Args:
        recipe: the training recipe of the study file.
        parameters: the body's parameters, by name.
    """
    # one pass over the parameters instead of one an operation: a sixth of a training step of the default study
    fused, decay = True, recipe["weight_decay"]
    trained = {name: p for name, p in parameters.items() if p.requires_grad}
    head = [p for name, p in trained.items() if name.startswith("head.")] if recipe["head_learning_rate"] else []
    rest = [p for p in trained.values() if all(p is not other for other in head)]
    rate = recipe["learning_rate"]
    rates = ((rest, rate), (head, recipe["head_learning_rate"]))
    groups = [{"params": members, "lr": member_rate} for members, member_rate in rates if members]
    match recipe["optimizer"]:
        case "adam":
            return torch.optim.Adam(groups, lr=rate, weight_decay=decay, fused=fused)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=fused)
        case _:
            return torch.optim.SGD(groups, lr=rate, momentum=recipe["momentum"], weight_decay=decay, fused=fused)


def make_schedule(recipe: TrainingRecipe, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    """Build the learning rate schedule, which is advanced once an epoch."""
    if recipe["schedule"] == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe["epochs"])
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
