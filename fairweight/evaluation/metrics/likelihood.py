"""Likelihood of texts: how well a language model predicts each token from those before it."""

from collections.abc import Callable

import numpy as np

from fairweight.evaluation.metric_rows import Array, Assessed, MetricRow, metric_row

Z = 1.96


def measure(assessed: Assessed) -> list[MetricRow]:
    """Perplexity, bits per byte, and the ratio of the perplexity to the baseline's.

    Perplexity is exp of the mean negative log-likelihood per token; bits per byte of text do not depend on the
    tokenizer. `perplexity_ratio` compares variant and baseline on the same texts, so that the difficulty of the texts
    cancels. Sentences of pairs are left out; `stereotypes` measures them.

    Intervals are at 95 %, with texts as the units that vary, not tokens: each value is a ratio of sums, whose standard
    error follows by linearisation (Cochran 1977, section 6.3), on the log scale for perplexities.

    Returns:
        One row per metric; none where nothing was predicted.
    """
    if assessed.nll is None or assessed.tokens is None or assessed.utf8_bytes is None:
        return []
    passage = np.ones(len(assessed.nll), bool) if assessed.pairs is None else assessed.pairs == 0
    passage &= assessed.tokens > 0
    nll, tokens, size = assessed.nll[passage], assessed.tokens[passage], assessed.utf8_bytes[passage]
    rows = [_ratio_row("perplexity", nll, tokens, np.exp), _ratio_row("bits_per_byte", nll / np.log(2), size, float)]
    if assessed.baseline_nll is not None:
        rows.append(_ratio_row("perplexity_ratio", nll - assessed.baseline_nll[passage], tokens, np.exp))
    return rows


def _ratio_row(metric: str, above: Array, below: Array, transform: Callable[[float], float]) -> MetricRow:
    """A transformed ratio of two sums over texts (n,), with its interval."""
    n, total = len(above), float(below.sum())
    if not total:
        return metric_row(metric, None, n=n, denominator=0, reason="no tokens")
    ratio = float(above.sum()) / total
    value = float(transform(ratio))
    if n < 2:
        return metric_row(metric, value, n=n, denominator=int(total), reason="of one text there is no interval")
    residual = above - ratio * below
    error = float(np.sqrt(n / (n - 1) * (residual**2).sum())) / total
    bounds = float(transform(ratio - Z * error)), float(transform(ratio + Z * error))
    return metric_row(metric, value, n=n, denominator=int(total), interval=bounds)
