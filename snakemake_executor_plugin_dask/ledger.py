"""A line of JSON for every attempt at a job (standard library only)."""

import json
import os
import time
from pathlib import Path
from typing import Any


class Ledger:
    """Appends to one file a run, in a folder; each line is written at once, so that a killed run keeps what it had."""

    def __init__(self, folder: str | None, session: str) -> None:
        self.path: Path | None = None
        if folder:
            start = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
            self.path = Path(folder) / f"{start}-{session}.jsonl"
            self.path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, entry: dict[str, Any]) -> None:
        """Add one attempt."""
        if self.path is None:
            return
        line = json.dumps(entry, ensure_ascii=False, default=str).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
