"""Signature of a model: the columns, levels and classes that an engine needs to be fed with rows of a table."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.table import Table

DEFAULT_TASK = "classification"  # of files that state none


def autoregressive(task: str) -> bool:
    """Whether models of a task decode token by token, with a cache of keys and values."""
    return bool(components.literal("tasks", task, "AUTOREGRESSIVE"))


@dataclass(frozen=True)
class Signature:
    """What travels with a shipped model so that rows can be fed to it; levels are those of its training rows."""

    numeric: tuple[str, ...]
    categorical: dict[str, tuple[str, ...]]
    image: tuple[int, ...] | None  # (channels, height, width)
    classes: tuple[str, ...]
    text: dict[str, Any] | None = None  # a tokenizer, see `tokenizing`
    task: str = DEFAULT_TASK

    @property
    def form(self) -> str:
        """What a row is: `text`, `image` or `tabular`."""
        return "text" if self.text is not None else "image" if self.image is not None else "tabular"

    @classmethod
    def fitted(cls, training: Table) -> "Signature":
        """Signature of a model that is trained on these rows."""
        seen = {}
        for position, (name, levels) in enumerate(training.levels.items()):
            codes = np.unique(training.categorical[:, position])
            seen[name] = tuple(levels[code] for code in codes)
        image = None if training.images is None else tuple(training.images.shape[1:])
        return cls(training.numeric_names, seen, image, training.classes)

    @classmethod
    def from_dict(cls, stated: dict[str, Any]) -> "Signature":
        """Inverse of `to_dict`."""
        return cls(
            tuple(stated["numeric"]),
            {name: tuple(levels) for name, levels in stated["categorical"].items()},
            None if stated["image"] is None else tuple(stated["image"]),
            tuple(stated["classes"]),
            stated.get("text"),
            stated.get("task", DEFAULT_TASK),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible form."""
        return asdict(self)

    def feeds(self, table: Table) -> dict[str, NDArray[Any]]:
        """Input tensors of the shipped file, by name, for these rows.

        Returns:
            `tokens` int64 (n, length, ...), padded at the end; `image` uint8 (n, channels, height, width); or `numeric`
            float32 (n, k) and `categorical` int64 (n, c), whichever the model has; a category that no training row
            had is -1.
        """
        if self.text is not None:
            if table.texts is None:
                raise ValueError("the model takes texts, and the table has none")
            from fairweight.training.tokenizer import tokens  # noqa: PLC0415 - a tokenizer is for texts only

            return {"tokens": tokens(self.text, table.texts)}
        if self.image is not None:
            if table.images is None:
                raise ValueError("the model takes images, and the table has none")
            return {"image": table.images}
        feeds: dict[str, NDArray[Any]] = {}
        if self.numeric:
            feeds["numeric"] = table.numeric
        if self.categorical:
            columns = [self._codes(table, position, name) for position, name in enumerate(self.categorical)]
            feeds["categorical"] = np.stack(columns, axis=1)
        return feeds

    def _codes(self, table: Table, position: int, name: str) -> NDArray[np.int64]:
        known = {level: code for code, level in enumerate(self.categorical[name])}
        translation = np.array([known.get(level, -1) for level in table.levels[name]], dtype=np.int64)
        translated: NDArray[np.int64] = translation[table.categorical[:, position]]
        return translated
