"""Tokenizers: build them, and turn texts into tokens. The only module that knows how tokenizers work.

A tokenizer is stored in the signature of its model as JSON (see `signature.Tokenizer`), and its definition also as a
file beside the exported model.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from fairweight.core.errors import InputError
from fairweight.training.signature import PADDING, Tokenizer

FILE = "tokenizer.json"  # name of the file beside the exported model
SUBWORDS = "subwords"  # kind: a tokenizer.json of Hugging Face's library `tokenizers` (extra `text`)
TERMS = "terms"  # kind: word and character n-grams, counted by scikit-learn's CountVectorizer
ANALYZERS = {"words": "word", "characters": "char_wb"}


class _Terms(TypedDict):
    """Definition of a tokenizer of n-grams."""

    words: list[int]
    characters: list[int] | None
    terms: dict[str, dict[str, int]]  # kind of term -> term -> code


def subwords(definition: str, length: int) -> Tokenizer:
    """Build a tokenizer from the text of a tokenizer.json.

    Published tokenizers may pad texts and truncate at another length. These settings are replaced, so that everyone who
    loads the written file gets the tokens that the model was trained on.

    Args:
        definition: text of the file.
        length: largest number of tokens of one text, special tokens included; longer texts are cut.

    Raises:
        InputError: the text is not a tokenizer.json.
    """
    loaded = _loaded(definition, length)
    return _described(SUBWORDS, loaded.to_str(), vocabulary=loaded.get_vocab_size(), length=length)


def padding_code(tokenizer: Tokenizer) -> int:
    """Code of the token with which a tokenizer.json pads texts; 0 where it has none of the usual names."""
    loaded = _loaded(tokenizer["definition"], tokenizer["length"])
    codes = [loaded.token_to_id(token) for token in ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>")]
    return next((int(code) for code in codes if code is not None), 0)


def _described(kind: str, definition: str, *, vocabulary: int, length: int) -> Tokenizer:
    digest = hashlib.sha256(definition.encode()).hexdigest()
    return {"kind": kind, "definition": definition, "sha256": digest, "vocabulary": vocabulary, "length": length}


def fit_terms(
    texts: Sequence[str] | NDArray[Any], words: list[int], characters: list[int] | None, fewest: int, most: int
) -> tuple[Tokenizer, NDArray[np.float32], NDArray[np.float32]]:
    """Fit a tokenizer of word and character n-grams to training texts.

    Args:
        texts: (n,) strings.
        words: smallest and largest number of words of a term.
        characters: smallest and largest number of characters of a term inside a word; None for words only.
        fewest: terms in fewer texts are left out.
        most: number of the most frequent terms of each kind that are kept.

    Returns:
        The tokenizer; the inverse document frequency ln((1 + n) / (1 + df)) + 1 of each term; and the kind of each
        term, 0 for words and 1 for characters.

    Raises:
        InputError: no term is left.
    """
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 - half a second

    terms: dict[str, dict[str, int]] = {}
    idf, kinds = [], []
    for number, (kind, sizes) in enumerate({"words": words, "characters": characters}.items()):
        if sizes is None:
            continue
        counter = CountVectorizer(analyzer=ANALYZERS[kind], ngram_range=tuple(sizes), min_df=fewest, max_features=most)
        try:
            counts = counter.fit_transform([str(text) for text in texts])
        except ValueError as error:
            raise InputError(f"terms: {error}") from None
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        terms[kind] = {term: int(code) for term, code in sorted(counter.vocabulary_.items(), key=lambda pair: pair[1])}
        idf.append(np.log((1 + len(texts)) / (1 + frequency)) + 1)
        kinds.append(np.full(len(frequency), number))
    content: _Terms = {"words": words, "characters": characters, "terms": terms}
    definition = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    vocabulary = sum(map(len, terms.values()))
    tokenizer = _described(TERMS, definition, vocabulary=vocabulary, length=vocabulary)
    return tokenizer, np.concatenate(idf).astype(np.float32), np.concatenate(kinds).astype(np.float32)


def _counts(definition: str, texts: Sequence[str]) -> NDArray[np.int64]:
    """Codes of the terms of each text and their counts, int64 (n, longest, 2), padded at the end with -1."""
    counted, start = [], 0
    for counter in _counters(definition):
        matrix = counter.transform(texts)
        matrix.sort_indices()
        counted.append((matrix, start))
        start += matrix.shape[1]
    sizes = sum(matrix.indptr[1:] - matrix.indptr[:-1] for matrix, _ in counted)
    filled = np.full((len(texts), max(1, int(np.max(sizes, initial=1))), 2), PADDING, dtype=np.int64)
    for row in range(len(texts)):
        place = 0
        for matrix, offset in counted:
            part = slice(matrix.indptr[row], matrix.indptr[row + 1])
            size = part.stop - part.start
            filled[row, place : place + size, 0] = matrix.indices[part] + offset
            filled[row, place : place + size, 1] = matrix.data[part]
            place += size
    return filled


@functools.lru_cache(maxsize=2)
def _counters(definition: str) -> tuple[Any, ...]:
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 - half a second

    content = json.loads(definition)
    return tuple(
        CountVectorizer(analyzer=ANALYZERS[kind], ngram_range=tuple(content[kind]), vocabulary=vocabulary)
        for kind, vocabulary in content["terms"].items()
    )


def tokens(tokenizer: Tokenizer, texts: Sequence[str] | NDArray[Any]) -> NDArray[np.int64]:
    """Tokenize texts.

    Args:
        tokenizer: description of a tokenizer.
        texts: (n,) strings.

    Returns:
        int64 (n, longest), padded at the end with -1; for terms (n, longest, 2), each term with its count.

    Raises:
        InputError: the definition does not have the checksum of the tokenizer that the model was trained with.
    """
    if hashlib.sha256(tokenizer["definition"].encode()).hexdigest() != tokenizer["sha256"]:
        raise InputError("the tokenizer is not the one that the model was made with; make the model again")
    if tokenizer["kind"] == TERMS:
        return _counts(tokenizer["definition"], [str(text) for text in texts])
    loaded = _loaded(tokenizer["definition"], tokenizer["length"])
    if "start" not in tokenizer:
        return padded([encoding.ids for encoding in loaded.encode_batch([str(text) for text in texts])])
    # a language model gets its start token, and none of the special tokens that a classifier's tokenizer adds
    start = [] if tokenizer["start"] is None else [tokenizer["start"]]
    encodings = loaded.encode_batch([str(text) for text in texts], add_special_tokens=False)
    return padded([start + encoding.ids for encoding in encodings])


def count_truncated(tokenizer: Tokenizer, texts: Sequence[str] | NDArray[Any]) -> int:
    """Count the texts (n,) that are longer than the tokenizer's length and so are cut; terms are never cut."""
    if tokenizer["kind"] == TERMS:
        return 0
    loaded = _loaded(tokenizer["definition"], tokenizer["length"])
    return sum(bool(encoding.overflowing) for encoding in loaded.encode_batch([str(text) for text in texts]))


def padded(rows: list[list[int]]) -> NDArray[np.int64]:
    """Stack rows of different lengths as one array (n, longest), padded at the end with -1."""
    filled = np.full((len(rows), max(map(len, rows), default=0)), PADDING, dtype=np.int64)
    for array, row in zip(filled, rows, strict=True):
        array[: len(row)] = row
    return filled


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
