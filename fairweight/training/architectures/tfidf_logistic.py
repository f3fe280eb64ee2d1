"""Logistic regression on TF-IDF of word and character n-grams: for texts, the baseline of published encoders.

Terms are counted by the tokenizer, a file beside the model; weighting, scaling and the linear layer are in the graph.
"""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairweight.training.initial_weights import InitialWeights
from fairweight.training.signature import PADDING
from fairweight.training.tokenizer import fit_terms

FORMS = ("text",)  # forms of rows that it takes
OPTIONS = {
    "words": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1},
        "minItems": 2,
        "maxItems": 2,
        "default": [1, 2],
        "description": "Smallest and largest number of words of a term.",
    },
    "characters": {
        "type": ["array", "null"],
        "items": {"type": "integer", "minimum": 1},
        "minItems": 2,
        "maxItems": 2,
        "default": [2, 5],
        "description": "Smallest and largest number of characters of a term inside a word; null takes words only.",
    },
    "fewest_texts": {
        "type": "integer",
        "minimum": 1,
        "default": 2,
        "description": "Terms in fewer training texts are left out.",
    },
    "most_terms": {
        "type": "integer",
        "minimum": 1,
        "default": 20000,
        "description": "Number of the most frequent terms of each kind that are kept.",
    },
}


class Linear(nn.Module):
    """Linear layer over sublinear term frequency x inverse document frequency, of length 1 for each kind of term."""

    idf: Tensor
    kind: Tensor

    def __init__(self, terms: int, classes: int, kinds: int) -> None:
        super().__init__()
        self.register_buffer("idf", torch.ones(terms))
        self.register_buffer("kind", torch.zeros(terms))  # 0 for words, 1 for characters
        self.weight = nn.Parameter(torch.zeros(terms, classes))
        self.bias = nn.Parameter(torch.zeros(classes))
        self.kinds = kinds

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute logits (n, classes) from terms and their counts int64 (n, length, 2), padded with -1."""
        term, count = tokens[:, :, 0], tokens[:, :, 1]
        present = (term != PADDING).to(torch.float32)
        term = term.clamp(min=0)
        value = (1 + count.clamp(min=1).to(torch.float32).log()) * self.idf[term] * present
        kind, scaled = self.kind[term], torch.zeros_like(value)
        for number in range(self.kinds):
            own = value * (kind == number).to(torch.float32)
            scaled = scaled + own / own.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-12)
        return (scaled.unsqueeze(2) * self.weight[term]).sum(dim=1) + self.bias


def build(
    features: tuple[int, ...],
    classes: int,
    *,
    words: list[int],
    characters: list[int] | None,
    fewest_texts: int,
    most_terms: int,
) -> nn.Module:
    """Build one linear layer over (number of terms,) features.

    Args:
        features: (number of terms,).
        classes: number of classes.
        words, characters, fewest_texts, most_terms: see OPTIONS.
    """
    del words, fewest_texts, most_terms
    return Linear(features[0], classes, 1 if characters is None else 2)


def start(
    texts: NDArray[Any],
    *,
    cache: str | None,
    words: list[int],
    characters: list[int] | None,
    fewest_texts: int,
    most_terms: int,
) -> InitialWeights:
    """Find the terms of training texts (n,), with their inverse document frequencies ln((1 + n) / (1 + df)) + 1.

    Args:
        texts: training texts (n,).
        cache: not used; nothing is published.
        words, characters, fewest_texts, most_terms: see OPTIONS.

    Raises:
        InputError: no term is left.
    """
    del cache
    tokenizer, idf, kind = fit_terms(texts, words, characters, fewest_texts, most_terms)
    return InitialWeights(tokenizer, {}, {"idf": idf, "kind": kind})
