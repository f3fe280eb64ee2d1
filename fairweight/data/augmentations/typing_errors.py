"""Add random typing errors to texts (nlpaug, extra `text`)."""

import random

import numpy as np
from nlpaug.augmenter.char import KeyboardAug, RandomCharAug

from fairweight.core.errors import InputError
from fairweight.core.random_streams import copies
from fairweight.core.table import Augmented, Table

NEEDS = {"text": ["nlpaug"]}  # extra of pyproject.toml -> packages
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
        "maximum": 1,
        "default": 0.1,
        "description": "Share of the words that are edited.",
    },
    "edit": {
        "enum": ["keyboard", "swap", "delete", "insert", "substitute"],
        "default": "keyboard",
        "description": "Edit of a word: a neighbouring key, two characters swapped, or one deleted, inserted or "
        "substituted.",
    },
}


def augment(block: Table, rng: np.random.Generator, *, share: float, words: float, edit: str) -> Augmented:
    """Make copies of a block's texts with edited words; label and groups are those of the source row.

    Raises:
        InputError: the rows are not texts.
    """
    if block.texts is None:
        raise InputError("augmentation typing_errors is for texts")
    amount = {"aug_word_p": words, "aug_char_p": 0.1, "aug_char_max": 1, "aug_word_max": None}
    editor = KeyboardAug(**amount) if edit == "keyboard" else RandomCharAug(action=edit, **amount)
    source = copies(rng, len(block), share)
    # the library uses the global generators of the process: seed them here, and restore them afterwards
    before, legacy = random.getstate(), np.random.get_state()
    try:
        seed = int(rng.integers(2**32))
        random.seed(seed)
        np.random.seed(seed)
        made = [(editor.augment(str(block.texts[i])) or [str(block.texts[i])])[0] for i in source]
    finally:
        random.setstate(before)
        np.random.set_state(legacy)
    return Augmented.from_texts(block, source, made)
