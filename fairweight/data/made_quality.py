"""Quality of generated rows: how faithful, how useful and how private they are, beside real rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from fairweight.core.table import Table

Array = NDArray[Any]
MOST_ROWS = 4_000  # of each kind; of more, this number is drawn
FOLDS = 5
Row = dict[str, Any]


def quality(made: Table, real: Table, training: Table, rng: np.random.Generator) -> Iterator[Row]:
    """Measures of generated rows, each beside the same measure of real rows.

    Args:
        made: generated rows.
        real: rows of the dataset that were not used to generate them (validation and test rows).
        training: the training rows.
        rng: draws the rows that are compared.

    Yields:
        `measure`, `about` (a column, a group, or None), `value`, and `reference`, the same for real rows.
    """
    made, real, training = (rows.take(_drawn(len(rows), rng)) for rows in (made, real, training))
    yield from _faithful(made, real, training, rng)
    yield from _useful(made, real, training, rng)
    yield from _private(made, real, training)


def _drawn(rows: int, rng: np.random.Generator) -> Array:
    return np.arange(rows) if rows <= MOST_ROWS else np.sort(rng.choice(rows, MOST_ROWS, replace=False))


# ---- faithful


def _faithful(made: Table, real: Table, training: Table, rng: np.random.Generator) -> Iterator[Row]:
    """Distance of every column's distribution, of pairs of columns, and whether a classifier tells made from real."""
    middle = medians(training)
    pairs = [_matched(rows, training, rng) for rows in (made, real)]
    for position, name in enumerate(training.numeric_names):
        values = [_ks(rows.numeric[:, position], base.numeric[:, position]) for rows, base in pairs]
        yield _row("column_distance", name, *values)
    for position, (name, levels) in enumerate(training.levels.items()):
        codes = [(rows.categorical[:, position], base.categorical[:, position]) for rows, base in pairs]
        yield _row("column_distance", name, *(_total_variation(*pair, len(levels)) for pair in codes))
    matrices = [(_dependence(rows, middle), _dependence(base, middle)) for rows, base in pairs]
    yield _row("dependence_distance", None, *(float(np.abs(own - base).mean()) for own, base in matrices))
    yield _row("detection_auc", None, *(_detected(rows, base, middle) for rows, base in pairs))


def _matched(rows: Table, training: Table, rng: np.random.Generator) -> tuple[Table, Table]:
    """As many rows of each combination of label and groups from both, so that filling one up makes no difference."""
    ours, theirs = _kinds(rows, training)
    chosen: tuple[list[Array], list[Array]] = ([], [])
    for kind in np.intersect1d(ours, theirs):
        members = [np.flatnonzero(own == kind) for own in (ours, theirs)]
        number = min(map(len, members))
        for side, own in zip(chosen, members, strict=True):
            side.append(rng.choice(own, number, replace=False))
    first, second = (np.sort(np.concatenate([*side, np.empty(0, np.int64)])).astype(np.int64) for side in chosen)
    return rows.take(first), training.take(second)


def _kinds(*tables: Table) -> list[Array]:
    """Number of the combination of label and groups of each row, the same in all tables."""
    columns = [np.stack([rows.label, *(rows.groups[name] for name in tables[0].groups)], axis=1) for rows in tables]
    _, numbers = np.unique(np.concatenate(columns), axis=0, return_inverse=True)
    return np.split(numbers.ravel(), np.cumsum([len(rows) for rows in tables])[:-1])


def _ks(first: Array, second: Array) -> float:
    """Largest difference of two distribution functions; missing numbers are the smallest."""
    values = [np.nan_to_num(column.astype(np.float64), nan=-np.inf) for column in (first, second)]
    return float(stats.ks_2samp(*values).statistic) if min(map(len, values)) else float("nan")


def _total_variation(first: Array, second: Array, levels: int) -> float:
    shares = [np.bincount(codes, minlength=levels) / max(1, len(codes)) for codes in (first, second)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _dependence(rows: Table, middle: Array) -> Array:
    """Correlation matrix of the ranks of numbers, and of indicators of categories."""
    features = encoded(rows, middle)
    with np.errstate(invalid="ignore", divide="ignore"):
        ranks = stats.rankdata(features, axis=0)
        matrix: Array = np.nan_to_num(np.corrcoef(ranks, rowvar=False))
    return matrix


def encoded(rows: Table, middle: Array) -> Array:
    """Numbers, missing ones as the median of training rows (k,), and indicators of categories: float64 (n, d)."""
    numeric = rows.numeric.astype(np.float64)
    coded = zip(rows.categorical.T, rows.levels.values(), strict=True)
    indicators = [np.eye(len(levels))[codes] for codes, levels in coded]
    return np.concatenate([np.where(np.isnan(numeric), middle, numeric), *indicators], axis=1)


def medians(rows: Table) -> Array:
    """Median of each numeric column (k,); 0 where all numbers are missing."""
    known = [column[~np.isnan(column)].astype(np.float64) for column in rows.numeric.T]
    return np.array([np.median(column) if len(column) else 0.0 for column in known])


def _detected(rows: Table, base: Table, middle: Array) -> float:
    """Area below the ROC curve of boosted trees that tell `rows` from `base`, cross-validated; 0.5 is guessing."""
    features = np.concatenate([encoded(rows, middle), encoded(base, middle)])
    kind = np.arange(len(features)) < len(rows)
    if min(kind.sum(), (~kind).sum()) < FOLDS:
        return float("nan")
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    trees = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    scores = cross_val_predict(trees, features, kind, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(kind, scores))


# ---- useful


def _useful(made: Table, real: Table, training: Table, rng: np.random.Generator) -> Iterator[Row]:
    """Accuracy on real rows of logistic regressions of made rows alone, and of training rows with made ones."""
    middle = medians(training)
    features = encoded(real, middle)
    alone, alike = _matched(made, training, rng)
    yield _row(
        "accuracy_of_made", None, *(_accuracy(_fitted(middle, rows), features, real.label) for rows in (alone, alike))
    )
    scopes: list[tuple[str | None, Array]] = [(None, np.ones(len(real), dtype=bool))]
    for attribute, codes in real.groups.items():
        scopes += [(f"{level} ({attribute})", codes == code) for code, level in enumerate(real.group_levels[attribute])]
    models = [_fitted(middle, training, made), _fitted(middle, training)]
    for about, member in scopes:
        if member.any():
            values = [_accuracy(model, features[member], real.label[member]) for model in models]
            yield _row("accuracy_with_made", about, *values)


def _accuracy(model: Any, features: Array, labels: Array) -> float:
    return float("nan") if model is None else float((model(features) == labels).mean())


def _fitted(middle: Array, *tables: Table) -> Any:
    """Function of encoded rows that predicts their labels; None where there is one label only."""
    labels = np.concatenate([rows.label for rows in tables])
    if len(np.unique(labels)) < 2:
        return None
    features = np.concatenate([encoded(rows, middle) for rows in tables])
    centre, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    model = LogisticRegression(max_iter=500).fit((features - centre) / scale, labels)
    return lambda other: model.predict((other - centre) / scale)


# ---- private


def _private(made: Table, real: Table, training: Table) -> Iterator[Row]:
    """Distance to the nearest training row, and copies of training rows, beside those of real rows."""
    middle = medians(training)
    base = encoded(training, middle)
    spread = base.std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    nearest = NearestNeighbors(n_neighbors=1).fit(base / scale)
    distances = [nearest.kneighbors(encoded(rows, middle) / scale)[0][:, 0] for rows in (made, real)]
    yield _row("nearest_distance", None, *(float(np.median(own)) for own in distances))
    yield _row("nearest_distance_5", None, *(float(np.quantile(own, 0.05)) for own in distances))
    yield _row("copies", None, *(float((own == 0).mean()) for own in distances))


def _row(measure: str, about: str | None, value: float, reference: float) -> Row:
    return {"measure": measure, "about": about, "value": value, "reference": reference}
