"""From texts to tokens, by a tokenizer that travels with its model: the only module that knows tokenizers.

A tokenizer is JSON-compatible: `kind`; `definition`, the text of a file that stands beside what ships; its `sha256`;
`vocabulary`, the number of distinct tokens; `length`, the most tokens of one text.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.errors import InputError
from fairweight.training.model_inputs import PADDING

FILE = "tokenizer.json"  # name of the file beside what ships
SUBWORDS = "subwords"  # a tokenizer.json of Hugging Face's library `tokenizers` (extra `text`)
TERMS = "terms"  # words and pieces of words, counted by scikit-learn's CountVectorizer
ANALYZERS = {"words": "word", "characters": "char_wb"}


def subwords(definition: str, length: int) -> dict[str, Any]:
    """A tokenizer from the text of a tokenizer.json, which cuts at so many tokens, special ones counted.

    Published ones fill up with a token of their own and cut at another length.  What ships does neither: whoever loads
    its file gets the tokens that the model was trained on.

    Raises:
        InputError: the text is not a tokenizer.json.
    """
    loaded = _loaded(definition, length)
    return _described(SUBWORDS, loaded.to_str(), vocabulary=loaded.get_vocab_size(), length=length)


def _described(kind: str, definition: str, **sizes: int) -> dict[str, Any]:
    digest = hashlib.sha256(definition.encode()).hexdigest()
    return {"kind": kind, "definition": definition, "sha256": digest, **sizes}


def fit_terms(
    texts: Sequence[str] | NDArray[Any], words: list[int], characters: list[int] | None, fewest: int, most: int
) -> tuple[dict[str, Any], NDArray[np.float32], NDArray[np.float32]]:
    """Find the terms of training texts.

    Args:
        texts: (n,) strings.
        words: fewest and most words of a term.
        characters: fewest and most characters of a term inside a word; None for words only.
        fewest: terms in fewer texts are left out.
        most: the most frequent terms of each kind that are kept.

    Returns:
        A tokenizer; ln((1 + n) / (1 + df)) + 1 of each term; and its kind, 0 of words and 1 of characters.
    """
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 - half a second

    terms: dict[str, dict[str, int]] = {}
    idf, kinds = [], []
    for number, (kind, sizes) in enumerate({"words": words, "characters": characters}.items()):
        if sizes is None:
            continue
        counter = CountVectorizer(analyzer=ANALYZERS[kind], ngram_range=tuple(sizes), min_df=fewest, max_features=most)
        try:
            found = counter.fit_transform([str(text) for text in texts])
        except ValueError as error:
            raise InputError(f"terms: {error}") from None
        frequency = np.bincount(found.indices, minlength=found.shape[1])
        terms[kind] = {term: int(code) for term, code in sorted(counter.vocabulary_.items(), key=lambda pair: pair[1])}
        idf.append(np.log((1 + len(texts)) / (1 + frequency)) + 1)
        kinds.append(np.full(len(frequency), number))
    stated = {"words": words, "characters": characters, "terms": terms}
    definition = json.dumps(stated, ensure_ascii=False, separators=(",", ":"))
    vocabulary = sum(map(len, terms.values()))
    tokenizer = _described(TERMS, definition, vocabulary=vocabulary, length=vocabulary)
    return tokenizer, np.concatenate(idf).astype(np.float32), np.concatenate(kinds).astype(np.float32)


def _counts(definition: str, texts: Sequence[str]) -> NDArray[np.int64]:
    """Terms of texts and how often each occurs, int64 (n, longest, 2), padded at the end with -1."""
    counted, start = [], 0
    for counter in _counters(definition):
        found = counter.transform(texts)
        found.sort_indices()
        counted.append((found, start))
        start += found.shape[1]
    sizes = sum(found.indptr[1:] - found.indptr[:-1] for found, _ in counted)
    filled = np.full((len(texts), max(1, int(np.max(sizes, initial=1))), 2), PADDING, dtype=np.int64)
    for row in range(len(texts)):
        place = 0
        for found, offset in counted:
            part = slice(found.indptr[row], found.indptr[row + 1])
            size = part.stop - part.start
            filled[row, place : place + size, 0] = found.indices[part] + offset
            filled[row, place : place + size, 1] = found.data[part]
            place += size
    return filled


@functools.lru_cache(maxsize=2)
def _counters(definition: str) -> tuple[Any, ...]:
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 - half a second

    stated = json.loads(definition)
    return tuple(
        CountVectorizer(analyzer=ANALYZERS[kind], ngram_range=tuple(stated[kind]), vocabulary=vocabulary)
        for kind, vocabulary in stated["terms"].items()
    )


def tokens(tokenizer: dict[str, Any], texts: Sequence[str] | NDArray[Any]) -> NDArray[np.int64]:
    """Tokens of texts.

    Args:
        tokenizer: as described above.
        texts: (n,) strings.

    Returns:
        int64 (n, longest), padded at the end with -1; of terms (n, longest, 2), each with how often it occurs.

    Raises:
        InputError: the definition is not the one that the model was made with.
    """
    if hashlib.sha256(tokenizer["definition"].encode()).hexdigest() != tokenizer["sha256"]:
        raise InputError("the tokenizer is not the one that the model was made with; make the model anew")
    if tokenizer["kind"] == TERMS:
        return _counts(tokenizer["definition"], [str(text) for text in texts])
    loaded = _loaded(tokenizer["definition"], tokenizer["length"])
    if "start" not in tokenizer:
        return padded([found.ids for found in loaded.encode_batch([str(text) for text in texts])])
    # a language model is given the token it starts from, and nothing that a classifier's tokenizer adds
    start = [] if tokenizer["start"] is None else [tokenizer["start"]]
    found = loaded.encode_batch([str(text) for text in texts], add_special_tokens=False)
    return padded([start + of.ids for of in found])


def cut(tokenizer: dict[str, Any], texts: Sequence[str] | NDArray[Any]) -> int:
    """How many texts are longer than the tokenizer's length, and so are cut; terms are never cut."""
    if tokenizer["kind"] == TERMS:
        return 0
    loaded = _loaded(tokenizer["definition"], tokenizer["length"])
    return sum(bool(found.overflowing) for found in loaded.encode_batch([str(text) for text in texts]))


def padded(rows: list[list[int]]) -> NDArray[np.int64]:
    """Rows of differing length as one array (n, longest), padded at the end with -1."""
    found = np.full((len(rows), max(map(len, rows), default=0)), PADDING, dtype=np.int64)
    for array, row in zip(found, rows, strict=True):
        array[: len(row)] = row
    return found


@functools.lru_cache(maxsize=4)
def _loaded(definition: str, length: int) -> Any:
    from tokenizers import Tokenizer  # noqa: PLC0415 - the extra `text`

    try:
        loaded = Tokenizer.from_str(definition)
    except Exception as error:
        raise InputError(f"{FILE} is not a tokenizer of Hugging Face's tokenizers ({error})") from None
    loaded.no_padding()
    loaded.enable_truncation(max_length=length)
    return loaded
