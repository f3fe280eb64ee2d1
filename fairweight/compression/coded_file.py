"""File format of coded weights: a header that rebuilds the model, followed by sections of bytes.

The format is documented in docs/coded-weights.md; the encoding that made a file defines what its sections hold.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

import zstandard

from fairweight.core.errors import InputError

MAGIC = b"FWCW"
VERSION = 1
LEVEL = 19  # zstd of the header

Header = dict[str, Any]  # JSON; its keys depend on the encoding


@dataclass(frozen=True)
class Coded:
    """A coded model: its description (JSON), and sections whose meaning the encoding defines."""

    header: Header
    sections: list[bytes]

    def to_bytes(self) -> bytes:
        """The content of the file."""
        described = self.header | {"sections": [len(section) for section in self.sections]}
        text = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()
        header = zstandard.ZstdCompressor(level=LEVEL).compress(text)
        return b"".join([MAGIC, struct.pack("<BI", VERSION, len(header)), header, *self.sections])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Coded":
        """Inverse of `to_bytes`.

        Raises:
            InputError: the content is not that of such a file, or it is incomplete.
        """
        if data[:4] != MAGIC or len(data) < 9:
            raise InputError("this is not a file of coded weights (it does not begin with FWCW)")
        version, length = struct.unpack("<BI", data[4:9])
        if version != VERSION:
            raise InputError(f"this file of coded weights has version {version}, and this decoder reads {VERSION}")
        try:
            header = json.loads(zstandard.ZstdDecompressor().decompress(data[9 : 9 + length]))
        except zstandard.ZstdError:
            raise InputError("the header of this file of coded weights is damaged") from None
        sections, start = [], 9 + length
        for size in header.pop("sections"):
            sections.append(data[start : start + size])
            start += size
        if start != len(data):
            raise InputError(f"this file of coded weights should have {start} bytes, and has {len(data)}")
        return cls(header, sections)
