"""Names of the files of a published model (standard library only)."""

FILES = ("config.json", "model.safetensors", "tokenizer.json")
