"""Rewrite texts about one group as texts about another: counterfactual data augmentation (Lu et al. 2020)."""

import numpy as np

from fairweight.core.errors import InputError
from fairweight.core.random_streams import copies
from fairweight.core.table import Augmented, Table
from fairweight.data.counterfactual_terms import Terms

OPTIONS = {
    "share": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "description": "Rows drawn, as a share of the training rows; rows without a word of the list give no new row.",
    },
    "terms": {
        "type": "string",
        "default": "identities",
        "description": "List of terms: one of `config/terms/`, or the path of such a file.",
    },
}


def augment(block: Table, rng: np.random.Generator, *, share: float, terms: str) -> Augmented:
    """Make texts in which words for one group are replaced by words for another group, drawn at random.

    Label and groups are those of the source row: the group is the one that the original text is about.

    Raises:
        InputError: the rows are not texts, or the list of terms cannot be read.
    """
    if block.texts is None:
        raise InputError("augmentation identity_swap is for texts")
    words = Terms.read(terms)
    drawn = copies(rng, len(block), share)
    choices = rng.integers(2**31, size=len(drawn)).tolist()
    made = [words.counterfactual(str(block.texts[i]), choice) for i, choice in zip(drawn, choices, strict=True)]
    kept = np.array([text is not None for text in made], bool)
    return Augmented.from_texts(block, drawn[kept], [text for text in made if text is not None])
