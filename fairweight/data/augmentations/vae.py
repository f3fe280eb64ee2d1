"""Generate tabular rows with a small variational autoencoder, given label and groups (Kingma & Welling 2014)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Augmented, Table
from fairweight.data import generation
from fairweight.data.generation import Margins

if TYPE_CHECKING:
    from torch import Tensor, nn

OPTIONS = {
    "attribute": {
        "type": ["string", "null"],
        "default": None,
        "description": "Sensitive attribute: rows are made by group and label; null makes them by label.",
    },
    "fill": {
        "enum": ["balance", "proportional"],
        "default": "balance",
        "description": "balance fills every combination of group and label up to the size of the largest; proportional "
        "makes rows of each in proportion to its size.",
    },
    "share": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 100,
        "default": 1.0,
        "description": "Largest number of rows made, as a share of the training rows.",
    },
    "epochs": {
        "type": "integer",
        "minimum": 1,
        "maximum": 10000,
        "default": 50,
        "description": "Passes over the training rows.",
    },
    "latent": {
        "type": "integer",
        "minimum": 1,
        "maximum": 1024,
        "default": 8,
        "description": "Dimensions of the latent variable.",
    },
}
GENERATES = True
HIDDEN, BATCH, RATE = 128, 256, 2e-3
Array = NDArray[Any]


def augment(
    training: Table,
    rng: np.random.Generator,
    *,
    attribute: str | None,
    fill: str,
    share: float,
    epochs: int,
    latent: int,
) -> Augmented:
    """Draw rows from a conditional autoencoder of normal scores and one-hot categories.

    The condition is the label, all groups, and the inputs from which groups are made, which stay those of the source
    row. Numbers have the distributions of all training rows.

    Raises:
        InputError: the rows are not tabular, or there is no such attribute.
    """
    chosen = generation.cells(training, rng, "vae", attribute=attribute, fill=fill, share=share)
    kept = generation.kept_inputs(training, rng)
    return generation.assembled(training, _made(training, chosen, kept, rng, epochs, latent))


def _made(
    training: Table,
    chosen: list[generation.Cell],
    kept: tuple[Array, Array],
    rng: np.random.Generator,
    epochs: int,
    latent: int,
) -> Iterator[tuple[Array, Array, Array]]:
    import torch  # noqa: PLC0415 - the other augmentations need none of it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a sum depends on how threads divide it
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            margins = Margins.from_rows(training)
            numbers = torch.tensor(margins.scores(training, rng)[:, : training.numeric.shape[1]], dtype=torch.float32)
            widths = [len(levels) for levels in training.levels.values()]
            model = _trained(training, numbers, _condition(training, numbers, kept), widths, epochs, latent)
            for cell in chosen:
                source = training.take(cell.source)
                condition = _condition(source, numbers[torch.tensor(cell.source)], kept)
                scores, codes = _drawn(model, condition, widths, latent)
                uncoded = np.zeros((len(scores), len(widths)))
                numeric = margins.values(np.concatenate([scores, uncoded], axis=1))[0]
                numeric = np.where(kept[0], source.numeric, numeric)
                yield cell.source, numeric, np.where(kept[1], source.categorical, codes)
    finally:
        torch.set_num_threads(threads)


def _condition(rows: Table, numbers: "Tensor", kept: tuple[Array, Array]) -> "Tensor":
    """What a row is made for: label, groups and kept inputs, float32 (n, width)."""
    import torch  # noqa: PLC0415

    parts = [np.eye(len(rows.classes))[rows.label]]
    parts += [np.eye(len(rows.group_levels[name]) + 1)[codes] for name, codes in rows.groups.items()]  # -1 is the last
    for position, levels in enumerate(rows.levels.values()):
        if kept[1][position]:
            parts.append(np.eye(len(levels))[rows.categorical[:, position]])
    condition = torch.tensor(np.concatenate(parts, axis=1), dtype=torch.float32)
    return torch.cat([condition, numbers[:, torch.tensor(np.flatnonzero(kept[0]))]], dim=1)


def _trained(
    training: Table, numbers: "Tensor", condition: "Tensor", widths: list[int], epochs: int, latent: int
) -> dict[str, "nn.Module"]:
    """Encoder and decoder, trained on the evidence lower bound with Adam."""
    import torch  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415

    codes = torch.tensor(training.categorical)
    one_hot = [nn.functional.one_hot(codes[:, i], width).float() for i, width in enumerate(widths)]
    rows = torch.cat([numbers, *one_hot], dim=1)
    inner = nn.Sequential(
        nn.Linear(rows.shape[1] + condition.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * latent)
    )
    outer = nn.Sequential(
        nn.Linear(latent + condition.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, rows.shape[1] + numbers.shape[1])
    )
    optimizer = torch.optim.Adam([*inner.parameters(), *outer.parameters()], lr=RATE)
    for _ in range(epochs):
        for batch in torch.randperm(len(rows)).split(BATCH):
            mean, log_variance = inner(torch.cat([rows[batch], condition[batch]], dim=1)).chunk(2, dim=1)
            drawn = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            output = outer(torch.cat([drawn, condition[batch]], dim=1))
            divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
            loss = (_misfit(output, numbers[batch], codes[batch], widths) + divergence).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"outer": outer.eval()}


def _misfit(output: "Tensor", numbers: "Tensor", codes: "Tensor", widths: list[int]) -> "Tensor":
    """Negative log likelihood of rows (n,), up to a constant: normal scores with a variance each, and categories."""
    import torch  # noqa: PLC0415
    from torch.nn import functional  # noqa: PLC0415

    count = numbers.shape[1]
    mean, log_scale = output[:, :count], output[:, -count:].clamp(-4, 2) if count else output[:, :0]
    loss = (0.5 * ((numbers - mean) / log_scale.exp()) ** 2 + log_scale).sum(dim=1)
    for position, logits in enumerate(output[:, count : count + sum(widths)].split(widths, dim=1) if widths else ()):
        loss = loss + functional.cross_entropy(logits, codes[:, position], reduction="none")
    return torch.as_tensor(loss)


def _drawn(model: dict[str, "nn.Module"], condition: "Tensor", widths: list[int], latent: int) -> tuple[Array, Array]:
    """Normal scores (m, k) and codes (m, c) of rows with these conditions."""
    import torch  # noqa: PLC0415

    with torch.no_grad():
        output = model["outer"](torch.cat([torch.randn(len(condition), latent), condition], dim=1))
    count = (output.shape[1] - sum(widths)) // 2
    scores = (
        output[:, :count] + torch.randn(len(output), count) * output[:, output.shape[1] - count :].clamp(-4, 2).exp()
    )
    logits = output[:, count : count + sum(widths)].split(widths, dim=1) if widths else ()
    codes = [torch.multinomial(part.softmax(dim=1), 1)[:, 0] for part in logits]
    return scores.numpy(), torch.stack(codes, dim=1).numpy() if codes else np.empty((len(output), 0), np.int64)
