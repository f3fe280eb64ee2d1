"""Training and finetuning in plain PyTorch: tensors in memory, deterministic, the best epoch restored."""

import contextlib
import copy
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fairweight.core import components
from fairweight.core.artifacts import read_augmented, read_split, read_table, write_rows
from fairweight.core.errors import InputError
from fairweight.core.random_streams import integer
from fairweight.core.table import Table
from fairweight.training.initial_weights import Start
from fairweight.training.model import Model, narrowed
from fairweight.training.signature import Signature
from fairweight.training.tokenizer import cut

EVALUATION_ROWS = 4096  # rows a call where only a loss is wanted
CURVE = {
    "epoch": "int64",
    "learning_rate": "double",
    "train_loss": "double",
    "validation_loss": "double",
    "validation_accuracy": "double",
    "wall_s": "double",
    "best": "bool",
}


@dataclass(frozen=True)
class Rows:
    """Encoded rows: features (n, ...), labels int64 (n,), weights in the loss (n,), groups int64 (n,), -1 for none."""

    features: Tensor
    labels: Tensor
    weights: Tensor
    groups: Tensor

    @classmethod
    def of(cls, model: Model, parts: list[tuple[Table, np.ndarray]], attribute: str | None) -> "Rows":
        """Encode tables with their rows' weights; without an attribute all rows are of one group."""
        tables = [table for table, _ in parts]
        codes = [np.zeros(len(t), np.int64) if attribute is None else t.groups[attribute] for t in tables]
        return cls(
            model.encoder.joined([model.encode(table) for table in tables]),
            torch.from_numpy(np.concatenate([table.label for table in tables])),
            torch.from_numpy(np.concatenate([weights for _, weights in parts])),
            torch.from_numpy(np.concatenate(codes)),
        )


@dataclass(frozen=True)
class Data:
    """The training rows of one split with what augmentation made of them, and the validation rows."""

    training: Table
    validation: Table
    made: Table
    row_weights: np.ndarray

    @classmethod
    def read(cls, table: str, split: str, augmented: str) -> "Data":
        """Read them from a dataset's table, a seed's split and an augmentation."""
        rows, positions = read_table(table), read_split(split)
        training = rows.take(positions["train"])
        extra = read_augmented(augmented, training)
        made = training.take(extra.source)
        made = Table(**{**made.__dict__, **extra.inputs()})
        return cls(training, rows.take(positions["validation"]), made, extra.row_weights)

    def encoded(self, model: Model, attribute: str | None = None) -> tuple[Rows, Rows]:
        """(training rows and made rows, validation rows) as the model's encoder sees them; weight 0 leaves a row out.

        Raises:
            InputError: the dataset has no such attribute, or no training row has it.
        """
        if attribute is not None and attribute not in self.training.groups:
            legal = ", ".join(self.training.groups) or "none"
            raise InputError(f"training: objective: attribute {attribute!r} is not a group; there are: {legal}.")
        if attribute is not None and not (self.training.groups[attribute] >= 0).any():
            raise InputError(f"training: objective: no training row has a value of {attribute!r}.")
        used = np.flatnonzero(self.row_weights)
        parts = [(self.training.take(used), self.row_weights[used])]
        if len(self.made):
            parts.append((self.made, np.ones(len(self.made), np.float32)))
        validation = [(self.validation, np.ones(len(self.validation), np.float32))]
        return Rows.of(model, parts, attribute), Rows.of(model, validation, attribute)


def train(
    *, table: str, split: str, augmented: str, model: str, about: str, curve: str,
    architecture: dict[str, Any], recipe: dict[str, Any], seed: int, replicate: int, parameters: float = 1.0,
    task: str = "classification", cache: str | None = None,
) -> None:  # fmt: skip
    """Train a model from its initialisation.

    Args:
        table, split, augmented: Parquet files of the data.
        model, about, curve: safetensors, JSON and Parquet files to write.
        architecture: name and options of the architecture.
        recipe: the training recipe of the study file.
        seed, replicate: key of initialisation and order of rows.
        parameters: share of the architecture's parameters that a narrower one is to have.
        task: kind of task.
        cache: the study's cache folder, if it sets one, for what is published of a model.

    Raises:
        InputError: the architecture does not fit the data.
    """
    data = Data.read(table, split, augmented)
    signature, begun = dataclasses.replace(Signature.fitted(data.training), task=task), None
    if data.training.texts is not None:
        begun = _start(data.training.texts, architecture, cache)
        signature, architecture = dataclasses.replace(signature, text=begun.tokenizer), architecture | begun.options
    torch.manual_seed(integer("initialise", seed, replicate))
    description: dict[str, Any] = {"signature": signature.to_dict(), "architecture": architecture}
    if parameters < 1:
        description["architecture"] = narrowed(description, parameters)
        torch.manual_seed(integer("initialise", seed, replicate))
    built = Model(description) if begun is None else _begun(description, begun)
    built.encoder.fit(data.training)
    history = fit(built, data, recipe, order=integer("order", seed, replicate))
    built.save(
        model,
        about,
        recipe=recipe,
        seed=seed,
        replicate=replicate,
        precision=precision(recipe),
        **_texts(data, signature),
    )
    write_rows(curve, history, CURVE)


def _start(texts: np.ndarray, architecture: dict[str, Any], cache: str | None) -> Start:
    """What the training of an architecture for texts starts from."""
    options = components.chosen(architecture, name="architecture")
    with _placed(architecture):
        begun: Start = components.load("architectures", architecture["architecture"], "start")(
            texts, cache=cache, **options
        )
    return begun


def _begun(description: dict[str, Any], begun: Start) -> Model:
    """A model with the weights that its training starts from."""
    with _placed(description["architecture"]):
        built = Model(description)
        begun.load(built.body)
    return built


@contextlib.contextmanager
def _placed(architecture: dict[str, Any]) -> Iterator[None]:
    """What is refused of published files is told with its place in the study file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"models: architecture {architecture['architecture']}: {str(error).rstrip('.')}.") from None


def _texts(data: Data, signature: Signature) -> dict[str, Any]:
    """How many texts are cut, of those that train."""
    if signature.text is None or data.training.texts is None:
        return {}
    return {"texts": {"training": len(data.training), "cut": cut(signature.text, data.training.texts)}}


def precision(recipe: dict[str, Any]) -> str:
    """What a training step multiplies in on this machine."""
    if recipe["precision"] != "auto":
        return str(recipe["precision"])
    there = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if there else "float32"


def fit(
    model: Model, data: Data, recipe: dict[str, Any], *, order: int, masks: dict[str, Tensor] | None = None,
    constrain: Callable[[dict[str, nn.Parameter]], None] | None = None,
    distillation: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Train a model's body in place and restore its best epoch on validation rows.

    Args:
        model: its encoder is fitted and stays as it is.
        data: rows to learn from and to validate on.
        recipe: the training recipe of the study file.
        order: seed of the order of rows.
        masks: name of a body's parameter -> boolean tensor; where False the weight is kept at zero.
        constrain: is called with the body's parameters before each step, to change their gradients.
        distillation: (features, logits, loss of the labels) of a batch -> the loss to learn by instead.

    Returns:
        The training curve, one entry an epoch (columns of CURVE; losses are means in nats).

    Raises:
        InputError: training diverged.
    """
    torch.use_deterministic_algorithms(True)
    options = components.chosen(recipe["objective"])
    training, validation = data.encoded(model, options.get("attribute"))
    prepare = components.load("objectives", recipe["objective"]["method"])
    objective = prepare(training.labels, training.groups, training.weights, **options)
    if training.features.dim() == 4:
        model.body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolutions take two thirds of the time
    adapt = components.load("adaptations", recipe["adapt"]["method"])
    finish = adapt(model.body, **components.chosen(recipe["adapt"]))
    narrow = precision(recipe) == "bfloat16"
    parameters = dict(model.body.named_parameters())
    optimizer = _optimizer(recipe, parameters)
    schedule = _schedule(recipe, optimizer)
    shuffle = torch.Generator().manual_seed(order)
    history: list[dict[str, Any]] = []
    best, best_epoch, state = (float("inf"), float("inf")), 0, None
    for epoch in range(1, recipe["epochs"] + 1):
        started, rate = time.perf_counter(), optimizer.param_groups[0]["lr"]
        permutation = torch.randperm(len(training.labels), generator=shuffle)
        loss = _epoch(
            model, training, model.encoder.batches(training.features, permutation, recipe["batch_size"]), optimizer,
            objective, masks or {}, parameters, constrain, distillation, narrow,
        )  # fmt: skip
        schedule.step()
        validation_loss, accuracy = evaluate(model, validation)
        history.append(
            dict(
                zip(
                    CURVE,
                    (epoch, rate, loss, validation_loss, accuracy, time.perf_counter() - started, False),
                    strict=True,
                )
            )
        )
        print(
            f"epoch {epoch}/{recipe['epochs']}: loss {loss:.4f}, validation {validation_loss:.4f}, accuracy {accuracy:.4f}"
        )
        # equal errors are told apart by the loss; one that is not finite is never the best
        reached = (1 - accuracy if recipe["select"] == "accuracy" else 0.0, validation_loss)
        if np.isfinite(validation_loss) and reached < best:
            best, best_epoch, state = reached, epoch, copy.deepcopy(model.body.state_dict())
        elif recipe["patience"] and epoch - best_epoch >= recipe["patience"]:
            break
    if state is None:
        raise InputError("training: the validation loss was never finite; lower the learning rate.")
    model.body.load_state_dict(state)
    finish()
    model.body.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    history[best_epoch - 1]["best"] = True
    return history


def _epoch(
    model: Model, rows: Rows, batches: Sequence[Tensor], optimizer: torch.optim.Optimizer,
    objective: Callable[..., Tensor], masks: dict[str, Tensor], parameters: dict[str, nn.Parameter],
    constrain: Callable[[dict[str, nn.Parameter]], None] | None,
    distillation: Callable[[Tensor, Tensor, Tensor], Tensor] | None, narrow: bool,
) -> float:  # fmt: skip
    model.body.train()
    total = 0.0
    for batch in batches:
        features = model.encoder.cut(rows.features[batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            logits = model.body(features).float()
        loss = objective(logits, rows.labels[batch], rows.weights[batch], rows.groups[batch])
        if distillation:
            loss = distillation(features, logits, loss)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if constrain:
            constrain(parameters)
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():  # momentum would move a pruned weight even without a gradient
                parameters[name].mul_(mask)
        total += loss.item() * len(batch)
    return total / len(rows.labels)


def evaluate(model: Model, rows: Rows) -> tuple[float, float]:
    """Mean cross-entropy in nats, and accuracy, of a model's body on encoded rows."""
    model.body.eval()
    total, correct = 0.0, 0
    with torch.no_grad():
        size = min(EVALUATION_ROWS, model.encoder.most_rows)
        for batch in model.encoder.batches(rows.features, torch.arange(len(rows.labels)), size):
            features = model.encoder.cut(rows.features[batch])
            loss, hits = model.task.score(model.body(features), rows.labels[batch])
            total, correct = total + loss, correct + hits
    return total / len(rows.labels), correct / len(rows.labels)


def _optimizer(recipe: dict[str, Any], parameters: dict[str, nn.Parameter]) -> torch.optim.Optimizer:
    # one pass over the parameters instead of one an operation: a sixth of a training step of the default study
    common = {"lr": recipe["learning_rate"], "weight_decay": recipe["weight_decay"], "fused": True}
    trained = {name: p for name, p in parameters.items() if p.requires_grad}
    head = [p for name, p in trained.items() if name.startswith("head.")] if recipe["head_learning_rate"] else []
    rest = [p for p in trained.values() if all(p is not other for other in head)]
    groups = [
        {"params": of, "lr": rate}
        for of, rate in ((rest, recipe["learning_rate"]), (head, recipe["head_learning_rate"]))
        if of
    ]
    match recipe["optimizer"]:
        case "adam":
            return torch.optim.Adam(groups, **common)
        case "adamw":
            return torch.optim.AdamW(groups, **common)
        case _:
            return torch.optim.SGD(groups, momentum=recipe["momentum"], **common)


def _schedule(recipe: dict[str, Any], optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    if recipe["schedule"] == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe["epochs"])
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
