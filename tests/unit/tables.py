"""Small tables for the tests."""

from pathlib import Path

import numpy as np

from fairweight.core.table import Table

TFIDF = {"architecture": "tfidf_logistic", "words": [1, 2], "characters": [2, 4], "fewest_texts": 2, "most_terms": 5000}


def tabular(rows: int = 400, seed: int = 0, classes: int = 2) -> Table:
    """Rows with two numeric and two categorical inputs, from which the label can be predicted approximately."""
    rng = np.random.default_rng(seed)
    numeric = np.stack([rng.normal(size=rows), rng.integers(18, 90, rows)], axis=1).astype(np.float32)
    categorical = np.stack([rng.integers(3, size=rows), rng.integers(4, size=rows)], axis=1)
    signal = numeric[:, 0] + 0.5 * (categorical[:, 0] == 1) + 0.3 * rng.normal(size=rows)
    label = np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes))
    return Table(
        row=np.arange(rows),
        file=np.where(np.arange(rows) < rows * 0.8, "train", "test").astype(object),
        label=label,
        classes=tuple(f"class {c}" for c in range(classes)),
        numeric=numeric,
        numeric_names=("x", "age"),
        categorical=categorical,
        levels={"job": ("a", "b", "c"), "town": ("k", "l", "m", "n")},
        images=None,
        groups={"sex": rng.integers(2, size=rows), "part": rng.integers(-1, 3, size=rows)},
        group_levels={"sex": ("f", "m"), "part": ("p", "q", "r")},
    )


def pictures(rows: int = 60, size: int = 28, seed: int = 0) -> Table:
    """Images of one bright square whose position gives the class."""
    rng = np.random.default_rng(seed)
    label = rng.integers(3, size=rows)
    images = rng.integers(0, 40, size=(rows, 1, size, size)).astype(np.uint8)
    for image, c in zip(images, label, strict=True):
        image[0, 6 * c + 3 : 6 * c + 9, 8:16] = 220
    return Table(
        row=np.arange(rows) + 7,
        file=np.full(rows, "train", dtype=object),
        label=label,
        classes=("0", "1", "2"),
        numeric=np.empty((rows, 0), np.float32),
        numeric_names=(),
        categorical=np.empty((rows, 0), np.int64),
        levels={},
        images=images,
        groups={"hand": rng.integers(2, size=rows)},
        group_levels={"hand": ("l", "r")},
    )


def comments(rows: int = 240, seed: int = 0) -> Table:
    """Short texts of different lengths with a word that gives the class."""
    rng = np.random.default_rng(seed)
    words = np.array(
        ["the", "a", "of", "cat", "dog", "house", "river", "stone", "green", "old", "walks", "sees", "under", "over"]
    )
    label = rng.integers(2, size=rows)
    telling = (("good", "fine", "kind"), ("bad", "poor", "mean"))
    texts = [
        " ".join(
            [*rng.choice(words, rng.integers(1, 12)), rng.choice(telling[c]), *rng.choice(words, rng.integers(0, 9))]
        )
        for c in label
    ]
    nothing = np.empty((rows, 0))
    return Table(
        row=np.arange(rows),
        file=np.full(rows, "all", dtype=object),
        label=label,
        classes=("0", "1"),
        numeric=nothing.astype(np.float32),
        numeric_names=(),
        categorical=nothing.astype(np.int64),
        levels={},
        images=None,
        groups={"identity": rng.integers(2, size=rows)},
        group_levels={"identity": ("p", "q")},
        texts=np.array(texts, dtype=object),
    )


def small_bert(folder: Path, texts: list[str]) -> None:
    """Write an untrained BERT of four small layers as the three files of a published model (extra `text`)."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel

    folder.mkdir(exist_ok=True)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # published tokenizers also pad and truncate, at a length of their own
    tokenizer.enable_padding(length=40)
    tokenizer.enable_truncation(max_length=40)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config).save_pretrained(folder)
