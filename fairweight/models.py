"""A model: an encoder fitted on training rows, and a body built by an architecture."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairweight import components, surgery
from fairweight.artifacts import read_weights, write_weights
from fairweight.errors import InputError
from fairweight.table import Signature, Table


class TabularEncoder(nn.Module):
    """Numbers standardised, categories one-hot; a category unseen in training is all zeros, a missing number the mean."""

    mean: Tensor
    scale: Tensor
    column: Tensor
    level: Tensor

    def __init__(self, numeric: int, sizes: list[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(numeric))
        self.register_buffer("scale", torch.ones(numeric))
        # one-hot feature j says: column[j] holds level[j]; two small tensors serve all columns in one comparison
        columns = [position for position, size in enumerate(sizes) for _ in range(size)]
        levels = [level for size in sizes for level in range(size)]
        self.register_buffer("column", torch.tensor(columns, dtype=torch.int32), persistent=False)
        self.register_buffer("level", torch.tensor(levels, dtype=torch.int32), persistent=False)
        self.numeric, self.categorical = numeric, sum(sizes)
        self.features = (numeric + sum(sizes),)

    def fit(self, table: Table) -> None:
        """Take mean and standard deviation of each numeric column; a constant column keeps scale 1."""
        if not self.numeric:
            return
        numeric = table.numeric.astype(np.float64)
        spread = np.nanstd(numeric, axis=0)
        self.mean.copy_(torch.from_numpy(np.nanmean(numeric, axis=0)))
        self.scale.copy_(torch.from_numpy(np.where(spread > 0, spread, 1.0)))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Numeric float32 (n, k) and categorical int64 (n, c), whichever there are -> features float32 (n, d)."""
        parts = []
        if self.numeric:
            numeric = inputs[0]
            parts.append((torch.where(torch.isnan(numeric), self.mean, numeric) - self.mean) / self.scale)
        if self.categorical:
            parts.append((inputs[-1].to(torch.int32).index_select(1, self.column) == self.level).to(torch.float32))
        return torch.cat(parts, dim=1)


class ImageEncoder(nn.Module):
    """Pixels standardised by the mean and standard deviation of each channel."""

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape[0], 1, 1))
        self.register_buffer("scale", torch.ones(shape[0], 1, 1))
        self.features = shape

    def fit(self, table: Table) -> None:
        """Take mean and standard deviation of each channel over all pixels of the rows."""
        if table.images is None:
            raise ValueError("an image encoder is fitted on images")
        for channel in range(self.features[0]):
            # exact in integers, without a floating-point copy of all pixels
            pixels = table.images[:, channel]
            mean = float(pixels.sum(dtype=np.uint64)) / pixels.size
            square = float(np.square(pixels, dtype=np.uint16).sum(dtype=np.uint64)) / pixels.size
            self.mean[channel] = mean
            self.scale[channel] = max(square - mean**2, 1e-12) ** 0.5

    def forward(self, image: Tensor) -> Tensor:
        """uint8 (n, channels, height, width) -> float32 of the same shape."""
        return (image.to(torch.float32) - self.mean) / self.scale


class Model(nn.Module):
    """Encoder and body; rebuilt from `about` alone.

    Args:
        about: signature, architecture and its options, as JSON; and where layers differ from what the architecture
            builds, `ranks` of factorised ones and `shapes` of the body's tensors.

    Raises:
        InputError: the architecture does not fit the inputs.
    """

    def __init__(self, about: Mapping[str, Any]) -> None:
        super().__init__()
        self.about = dict(about)
        self.signature = Signature.from_dict(about["signature"])
        if self.signature.image is not None:
            self.encoder: TabularEncoder | ImageEncoder = ImageEncoder(self.signature.image)
        else:
            sizes = [len(levels) for levels in self.signature.categorical.values()]
            self.encoder = TabularEncoder(len(self.signature.numeric), sizes)
        self.body = self.new_body()
        surgery.factorize(self.body, about.get("ranks", {}))
        surgery.reshape(self.body, about.get("shapes", {}))

    def new_body(self) -> nn.Module:
        """A body as the architecture builds and initialises it."""
        recipe = self.about["architecture"]
        options = {key: value for key, value in recipe.items() if key != "architecture"}
        build = components.load("architectures", recipe["architecture"])
        body: nn.Module = build(tuple(self.encoder.features), len(self.signature.classes), **options)
        return body

    def forward(self, *inputs: Tensor) -> Tensor:
        """Input tensors in the order of `Signature.feeds` -> logits (n, classes)."""
        logits: Tensor = self.body(self.encoder(*inputs))
        return logits

    def encode(self, table: Table) -> Tensor:
        """Features of rows (n, ...)."""
        with torch.no_grad():
            features: Tensor = self.encoder(*(torch.from_numpy(a) for a in self.signature.feeds(table).values()))
        return features

    def prunable(self) -> dict[str, Tensor]:
        """The body's weight matrices and kernels, by name; biases and the like are never pruned."""
        return {name: p for name, p in self.body.named_parameters() if p.dim() >= 2}

    def save(self, path: str, about_path: str, **about: Any) -> None:
        """Write weights and description; further keywords enter the description."""
        weights: dict[str, NDArray[Any]] = {name: tensor.numpy() for name, tensor in self.state_dict().items()}
        write_weights(path, weights, self.about | about, about_path)

    @classmethod
    def load(cls, path: str, about_path: str) -> "Model":
        """Inverse of `save`."""
        weights, about = read_weights(path, about_path)
        model = cls(about)
        try:
            model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights.items()})
        except RuntimeError as error:
            raise InputError(f"{path} does not fit {about_path} ({error}); make both anew") from None
        return model.eval()


def narrowed(about: Mapping[str, Any], share: float) -> dict[str, Any]:
    """The architecture of a description at the width that has nearest to this share of its parameters.

    Raises:
        InputError: the architecture has no option `width`.
    """
    stated = dict(about["architecture"])
    if "width_factor" not in components.options("architectures", stated["architecture"]):
        raise InputError(
            f"architecture {stated['architecture']!r} has no option 'width_factor' to make it smaller with"
        )

    def parameters(width: float) -> int:
        body = Model({**about, "architecture": stated | {"width_factor": width}}).body
        return sum(p.numel() for p in body.parameters())

    full = float(stated.get("width_factor", 1.0))
    wanted, low, high = share * parameters(full), 0.0, full
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if parameters(middle) < wanted else (low, middle)
    return stated | {"width_factor": min((low, high), key=lambda w: abs(parameters(w) - wanted))}
