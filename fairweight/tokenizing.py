"""From texts to tokens, by a tokenizer that travels with its model: the only module that knows tokenizers.

A tokenizer is JSON-compatible: `kind`; `definition`, the text of a file that stands beside what ships; its `sha256`;
`vocabulary`, the number of distinct tokens; `length`, the most tokens of one text.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.errors import InputError
from fairweight.feeding import PADDING

FILE = "tokenizer.json"  # name of the file beside what ships
SUBWORDS = "subwords"  # a tokenizer.json of Hugging Face's library `tokenizers` (extra `text`)


def subwords(definition: str, length: int) -> dict[str, Any]:
    """A tokenizer from the text of a tokenizer.json, which cuts at so many tokens, special ones counted.

    Raises:
        InputError: the text is not a tokenizer.json.
    """
    loaded = _loaded(definition, length)
    return _described(SUBWORDS, definition, vocabulary=loaded.get_vocab_size(), length=length)


def _described(kind: str, definition: str, **sizes: int) -> dict[str, Any]:
    digest = hashlib.sha256(definition.encode()).hexdigest()
    return {"kind": kind, "definition": definition, "sha256": digest, **sizes}


def tokens(tokenizer: dict[str, Any], texts: Sequence[str] | NDArray[Any]) -> NDArray[np.int64]:
    """Tokens of texts.

    Args:
        tokenizer: as described above.
        texts: (n,) strings.

    Returns:
        int64 (n, longest), padded at the end with -1.

    Raises:
        InputError: the definition is not the one that the model was made with.
    """
    if hashlib.sha256(tokenizer["definition"].encode()).hexdigest() != tokenizer["sha256"]:
        raise InputError("the tokenizer is not the one that the model was made with; make the model anew")
    loaded = _loaded(tokenizer["definition"], tokenizer["length"])
    if "start" not in tokenizer:
        return padded([found.ids for found in loaded.encode_batch([str(text) for text in texts])])
    # a language model is given the token it starts from, and nothing that a classifier's tokenizer adds
    start = [] if tokenizer["start"] is None else [tokenizer["start"]]
    found = loaded.encode_batch([str(text) for text in texts], add_special_tokens=False)
    return padded([start + of.ids for of in found])


def cut(tokenizer: dict[str, Any], texts: Sequence[str] | NDArray[Any]) -> int:
    """How many texts are longer than the tokenizer's length, and so are cut."""
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
