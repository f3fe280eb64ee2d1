"""A language model of a few thousand weights, in the form of Hugging Face."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

CONTEXT = 64


def llama(
    folder: Path, *, tied: bool = True, seed: int = 0, dtype: torch.dtype = torch.float32, key_value_heads: int = 1
) -> Path:
    """A random Llama with one token a byte; `<s>` starts a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, **{letter: code for code, letter in enumerate(alphabet, start=1)}}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=key_value_heads,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=tied,
            bos_token_id=0,
            eos_token_id=0,
            initializer_range=0.2,
        )
    )
    state = {k: v.to(dtype).contiguous() for k, v in model.state_dict().items() if not (tied and k == "lm_head.weight")}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict() | {"architectures": ["LlamaForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
