"""Likelihood of texts: how surely each token is foretold from those before it."""

from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Array, Assessed, cell

Z = 1.96


def measure(assessed: Assessed) -> list[dict[str, Any]]:
    """Perplexity, exp of the mean negative log-likelihood of a token, and bits a byte of text, which tokenizers do not change.

    Sentences of pairs are left out: `stereotypes` is about them.  Intervals are at 95 %, with texts as the units that vary,
    not tokens: a ratio of sums, its error by linearisation (Cochran 1977, section 6.3), of a perplexity on the log scale.
    `perplexity_ratio` is that of the variant over its baseline on the same texts, so that the texts' own difficulty is out of it.

    Returns:
        One cell for each metric; none where nothing was foretold.
    """
    if assessed.nll is None or assessed.tokens is None or assessed.utf8_bytes is None:
        return []
    passage = np.ones(len(assessed.nll), bool) if assessed.pairs is None else assessed.pairs == 0
    passage &= assessed.tokens > 0
    nll, tokens, size = assessed.nll[passage], assessed.tokens[passage], assessed.utf8_bytes[passage]
    found = [_cell("perplexity", nll, tokens, np.exp), _cell("bits_per_byte", nll / np.log(2), size, lambda x: x)]
    if assessed.baseline_nll is not None:
        found.append(_cell("perplexity_ratio", nll - assessed.baseline_nll[passage], tokens, np.exp))
    return found


def _cell(metric: str, above: Array, below: Array, shown: Any) -> dict[str, Any]:
    """A ratio of two sums over texts (n,), with its interval, as it is shown."""
    n, total = len(above), float(below.sum())
    if not total:
        return cell(metric, None, n=n, denominator=0, reason="no tokens")
    ratio = float(above.sum()) / total
    if n < 2:
        return cell(metric, float(shown(ratio)), n=n, denominator=int(total), reason="of one text there is no interval")
    residual = above - ratio * below
    error = float(np.sqrt(n / (n - 1) * (residual**2).sum())) / total
    bounds = float(shown(ratio - Z * error)), float(shown(ratio + Z * error))
    return cell(metric, float(shown(ratio)), n=n, denominator=int(total), interval=bounds)
