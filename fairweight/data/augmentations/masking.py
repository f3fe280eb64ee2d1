"""Mask words of texts at random."""

import numpy as np

from fairweight.core.errors import InputError
from fairweight.core.random_streams import copies
from fairweight.core.table import Augmented, Table

OPTIONS = {
    "share": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "description": "Rows made, as a share of the training rows.",
    },
    "words": {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.15,
        "description": "Probability that a word is masked (0.15 in Devlin et al. 2019); at least one word stays.",
    },
    "mask": {"type": "string", "minLength": 1, "default": "[MASK]", "description": "Replacement for a masked word."},
}


def augment(block: Table, rng: np.random.Generator, *, share: float, words: float, mask: str) -> Augmented:
    """Make copies of a block's texts with words masked; label and groups are those of the source row.

    Raises:
        InputError: the rows are not texts.
    """
    if block.texts is None:
        raise InputError("augmentation masking is for texts")
    source = copies(rng, len(block), share)
    made = []
    for position in source:
        parts = str(block.texts[position]).split()
        hidden = rng.random(len(parts)) < words
        hidden[rng.integers(len(parts))] = False
        made.append(" ".join(mask if gone else part for part, gone in zip(parts, hidden, strict=True)))
    return Augmented.from_texts(block, source, made)
