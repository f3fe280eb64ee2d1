"""Slices: subgroups of the inputs whose loss rises, found on one half of the rows and tested on the other half."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from fairweight.statistics.crossed_uncertainty import blocks, estimate, of_rows
from fairweight.statistics.shared_source import share_a_source
from fairweight.statistics.significance import holm

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Slice:
    """A slice: the rows that meet all conditions, with its statistics on the half that was not used to find it."""

    conditions: tuple[str, ...]
    change: float  # mean change of the loss of the slice, in nats; positive is worse
    value: float  # mean change of the loss of the slice minus that of the other rows, in nats
    low: float
    high: float
    p_value: float  # one-sided, after Holm's correction over the slices
    n: int
    rows: Array  # positions of the rows of both halves that meet the conditions


@dataclass(frozen=True)
class Features:
    """Inputs of n rows: a column for each numeric input, then one for each level of a categorical input."""

    numbers: Array  # float32 (n, k)
    levels: Array  # bool (n, l), a quarter of the memory of numbers
    names: list[tuple[str, str | None]]  # (k + l) input and level; None for a numeric input

    @property
    def values(self) -> Array:
        """All columns of all rows, float32 (n, k + l)."""
        return self.at(slice(None))

    def at(self, rows: Array | slice) -> Array:
        """All columns of some rows, float32 (m, k + l)."""
        return np.concatenate([self.numbers[rows], self.levels[rows]], axis=1, dtype=np.float32)

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""
        return list(dict.fromkeys(name for name, _ in self.names))

    def sources_of(self, groups: Mapping[str, Array], rng: np.random.Generator) -> list[str]:
        """Inputs that come from the same variable as a group: its source, or a binned version of it.

        Args:
            groups: attribute -> codes of the groups (n,); negative is no group.
            rng: divides the rows into halves.
        """
        return [n for n in self.inputs if any(self._shares_a_source(n, codes, rng) for codes in groups.values())]

    def _shares_a_source(self, name: str, codes: Array, rng: np.random.Generator) -> bool:
        columns = [position for position, (of_column, _) in enumerate(self.names) if of_column == name]
        numeric = self.names[columns[0]][1] is None
        if numeric:
            values = self.numbers[:, columns[0]]
        else:  # a row without a level of a category has a level of its own
            part = self.levels[:, [column - self.numbers.shape[1] for column in columns]]
            values = np.where(part.any(axis=1), part.argmax(axis=1), len(columns))
        return share_a_source(values.astype(float), codes, rng, numeric=numeric)

    def without(self, names: Collection[str]) -> "Features":
        """The same rows without these inputs."""
        kept = [position for position, (name, _) in enumerate(self.names) if name not in names]
        if len(kept) == len(self.names):
            return self
        first = self.numbers.shape[1]
        numbers = [position for position in kept if position < first]
        levels = [position - first for position in kept if position >= first]
        return Features(self.numbers[:, numbers], self.levels[:, levels], [self.names[position] for position in kept])

    def renamed(self, names: Mapping[str, str]) -> "Features":
        """The same inputs, with other names for some of them."""
        return Features(self.numbers, self.levels, [(names.get(name, name), level) for name, level in self.names])

    @classmethod
    def from_table(
        cls, numeric: Array, numeric_names: tuple[str, ...], categorical: Array, levels: dict[str, tuple[str, ...]]
    ) -> "Features":
        """Features of a table: numbers as they are, which may be missing (see `with_medians`), categories one-hot.

        Args:
            numeric: (n, k).
            numeric_names: (k,).
            categorical: codes (n, c).
            levels: categorical input -> its levels, in column order.
        """
        names: list[tuple[str, str | None]] = [(name, None) for name in numeric_names]
        columns: list[Array] = [np.empty((len(numeric), 0), bool)]
        for position, (name, of_input) in enumerate(levels.items()):
            columns.append(categorical[:, position, None] == np.arange(len(of_input)))
            names += [(name, level) for level in of_input]
        return cls(numeric.astype(np.float32), np.concatenate(columns, axis=1), names)

    @classmethod
    def from_blocks(cls, rows: int, blocks: Iterable["Features"]) -> "Features":
        """Features of n rows from those of some rows at a time; there is at least one block."""
        held, start = cls(np.empty((rows, 0), np.float32), np.empty((rows, 0), bool), []), 0
        for block in blocks:
            stop = start + len(block.numbers)
            if not start:
                shapes = (rows, block.numbers.shape[1]), (rows, block.levels.shape[1])
                held = cls(np.empty(shapes[0], np.float32), np.empty(shapes[1], bool), block.names)
            held.numbers[start:stop], held.levels[start:stop] = block.numbers, block.levels
            start = stop
        return held

    def with_medians(self) -> "Features":
        """The same rows with the median of the rows in place of each missing number."""
        for position in range(self.numbers.shape[1]):
            column = self.numbers[:, position, None]
            if np.isnan(column).any():
                column[np.isnan(column)] = np.nanmedian(column, axis=0)
        return self

    @classmethod
    def from_images(cls, images: Array, labels: Array, classes: tuple[str, ...], parts: int = 4) -> "Features":
        """Features of images: brightness (0 to 1) of the whole image and of each of parts x parts, and the class.

        Args:
            images: uint8 (n, channels, height, width).
            labels: codes (n,) into `classes`.
            classes: names of the classes.
            parts: parts of an image along each side.
        """
        shades = images.mean(axis=1, dtype=np.float32) / 255
        columns: list[Array] = [shades.mean(axis=(1, 2))[:, None]]
        names: list[tuple[str, str | None]] = [("brightness", None)]
        for i, band in enumerate(np.array_split(shades, parts, axis=1), start=1):
            for j, part in enumerate(np.array_split(band, parts, axis=2), start=1):
                columns.append(part.mean(axis=(1, 2))[:, None])
                names.append((f"brightness of part {i}, {j} of {parts} x {parts}", None))
        names += [("class", name) for name in classes]
        numbers = np.concatenate(columns, axis=1).astype(np.float32)
        return cls(numbers, labels[:, None] == np.arange(len(classes)), names)

    @classmethod
    def from_texts(cls, words: Array, labels: Array, classes: tuple[str, ...]) -> "Features":
        """Features of texts: the number of words of each (n,), and the class."""
        names: list[tuple[str, str | None]] = [("number of words", None), *(("class", name) for name in classes)]
        return cls(words[:, None].astype(np.float32), labels[:, None] == np.arange(len(classes)), names)


class Rows(Protocol):
    """Values of n rows and K seeds: an array (n, K), or what makes those that are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Array | slice, /) -> Array: ...


def discover(
    changes: Rows, features: Features, rng: np.random.Generator, *, depth: int = 3, smallest: int = 50, most: int = 5
) -> list[Slice]:
    """Find slices whose loss rises, and more than elsewhere, worst first (after Chung et al. 2019).

    One half of the rows chooses the slices and the other half tests them, so that the tests are valid.

    Args:
        changes: change of the loss of each row and seed (n, K), in nats; positive is worse.
        features: inputs of the rows, without missing numbers.
        rng: divides the rows into halves.
        depth: largest number of conditions of a slice.
        smallest: fewest rows of a slice in each half.
        most: largest number of slices that are tested.

    Returns:
        Slices whose mean change on the first half is above 0 and above that of all rows, with their statistics on the
        second half, where it may be otherwise.
    """
    if not features.names:
        return []
    order = rng.permutation(len(changes))
    finding, confirming = order[: len(order) // 2], order[len(order) // 2 :]
    mean = np.concatenate([changes[rows].mean(axis=1) for rows in blocks(len(changes))])
    tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=smallest, random_state=0)
    tree.fit(features.at(finding), mean[finding])
    leaves = np.concatenate([tree.apply(features.at(rows)) for rows in blocks(len(mean))])
    # the worst slices of the first half are tested; nothing of the second half has been used so far
    means = {int(leaf): float(mean[finding][leaves[finding] == leaf].mean()) for leaf in np.unique(leaves[finding])}
    least = max(0.0, float(mean[finding].mean()))
    chosen = sorted((leaf for leaf, value in means.items() if value > least), key=lambda leaf: -means[leaf])[:most]
    tested = []
    confirmed = changes[confirming] if chosen else np.empty((0, 0))
    for leaf in chosen:
        inside, outside = (confirmed[(leaves[confirming] == leaf) == part] for part in (True, False))
        if min(len(inside), len(outside)) < smallest:
            continue
        row_variance = of_rows(inside).row_variance + of_rows(outside).row_variance
        per_seed = inside.mean(axis=0) - outside.mean(axis=0)
        contrast = estimate(per_seed, row_variance, min(len(inside), len(outside)))
        tested.append((leaf, inside, contrast))
    adjusted = holm(np.array([contrast.p_above(0) for _, _, contrast in tested]))
    return [
        Slice(
            conditions=_conditions(tree, features, leaf),
            change=float(inside.mean()),
            value=contrast.value,
            low=contrast.interval()[0],
            high=contrast.interval()[1],
            p_value=float(p),
            n=len(inside),
            rows=np.flatnonzero(leaves == leaf),
        )
        for (leaf, inside, contrast), p in zip(tested, adjusted, strict=True)
    ]


def _conditions(tree: DecisionTreeRegressor, features: Features, leaf: int) -> tuple[str, ...]:
    """Conditions on the path from the root of the tree to a leaf, in words."""
    nodes = tree.tree_
    sides = ((True, nodes.children_left), (False, nodes.children_right))
    parents = {int(child): (parent, left) for left, children in sides for parent, child in enumerate(children)}
    bounds: dict[str, list[float]] = {}
    levels: dict[str, list[str]] = {}
    node = leaf
    while node in parents:
        node, left = parents[node]
        name, level = features.names[nodes.feature[node]]
        if level is None:
            low, high = bounds.setdefault(name, [-np.inf, np.inf])
            cut = float(nodes.threshold[node])
            bounds[name] = [low, min(high, cut)] if left else [max(low, cut), high]
        else:
            levels.setdefault(name, []).append(f"not {level}" if left else level)
    words = [_range(name, *bound) for name, bound in bounds.items()]
    for name, conditions in levels.items():
        # one level that holds implies that the others do not
        held = [level for level in conditions if not level.startswith("not ")]
        words.append(f"{name} is {held[0]}" if held else f"{name} is {' and '.join(conditions)}")
    return tuple(sorted(words))


def _range(name: str, low: float, high: float) -> str:
    if np.isinf(low):
        return f"{name} at most {high:g}"
    return f"{name} above {low:g}" if np.isinf(high) else f"{name} above {low:g} and at most {high:g}"
