"""Likelihood of texts: how surely each token is foretold from those before it."""

from typing import Any

import numpy as np

from fairweight.cells import Assessed, cell, subsets


def measure(assessed: Assessed) -> list[dict[str, Any]]:
    """Perplexity, exp of the mean negative log-likelihood of a token, and bits a byte of text, which tokenizers do not change.

    Returns:
        One cell for each metric and subset of rows; none where nothing was foretold.
    """
    if assessed.nll is None or assessed.tokens is None or assessed.utf8_bytes is None:
        return []
    found = []
    for attribute, group, member in subsets(assessed):
        nats, tokens, size = (float(of[member].sum()) for of in (assessed.nll, assessed.tokens, assessed.utf8_bytes))
        for name, value in (
            ("perplexity", float(np.exp(nats / tokens)) if tokens else None),
            ("bits_per_byte", nats / np.log(2) / size if size else None),
        ):
            found.append(
                cell(
                    name, value, n=int(member.sum()), denominator=int(tokens), attribute=attribute, group=group,
                    smallest=assessed.smallest_group, reason=None if value is not None else "no tokens",
                )
            )  # fmt: skip
    return found
