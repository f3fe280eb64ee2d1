"""Pack a study into an archive: a Workflow Run RO-Crate in one zip file, the same bytes for the same content."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fairweight.core.artifacts import atomic, read_json
from fairweight.core.checksums import checksum
from fairweight.core.errors import InputError
from fairweight.reporting.archive.layout import (
    CHECKSUMS,
    MANIFEST,
    METADATA,
    README,
    STUDY,
    kept,
    own_files,
    result_files,
    workflow_files,
)
from fairweight.reporting.archive.metadata import Entry, metadata
from fairweight.reporting.hub.markdown import escape
from fairweight.study.results_layout import PROVENANCE, layout_of

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time in zip files; a file's own time is not part of its content
LEVEL = 6


def write_archive(destination: str, *, results: str) -> None:
    """Write the archive of a finished study.

    Args:
        destination: zip file to write.
        results: the study's folder.

    Raises:
        InputError: a newer version of fairweight wrote the results.
    """
    provenance = read_json(Path(results) / PROVENANCE)
    layout_of(provenance, results)
    name = provenance["study"]["name"]
    # steps that run at the same time add to the ledger, which is therefore read once
    made: dict[str, Path | bytes] = {
        path: file.read_bytes() if path.startswith("ledger/") else file for path, file in result_files(Path(results))
    }
    checksums = {path: _entry(path, content).sha256 for path, content in made.items()}
    contents: dict[str, Path | bytes] = {
        README: readme(provenance).encode(),
        STUDY: study_text(provenance["study"]).encode(),
        CHECKSUMS: (json.dumps(checksums, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode(),
    }
    contents |= {f"run/results/{name}/{p}": content for p, content in made.items() if kept(p)}
    contents |= dict(own_files(provenance["study"]))
    contents |= dict(workflow_files())
    entries = [_entry(name, content) for name, content in sorted(contents.items())]
    about = json.dumps(metadata(entries, provenance, Path(results)), indent=1, ensure_ascii=False) + "\n"
    contents[METADATA] = about.encode()
    entries.append(_entry(METADATA, contents[METADATA]))
    contents[MANIFEST] = "".join(f"{e.sha256}  {e.name}\n" for e in sorted(entries, key=lambda e: e.name)).encode()
    with atomic(destination) as temporary:
        _write_zip(temporary, contents, {entry.name: entry.sha256 for entry in entries})


def readme(provenance: Mapping[str, Any]) -> str:
    """README.md of the archive."""
    name = escape(provenance["study"]["name"])
    return (
        f"# The study {name}\n\nAn archive of fairweight {escape(provenance['fairweight'])}, a Workflow Run RO-Crate "
        f"(`{METADATA}`).\n\n"
        f"- `run/`: the study file, the report, the summaries, the cards, the files that ship; `{CHECKSUMS}` has the "
        "SHA-256 of every file of the study, including those left out because they are about single rows.\n"
        "- `workflow/`: the code and `requirements.lock`.\n\n"
        "```sh\n"
        f"sha256sum --check {MANIFEST}                # check every file\n"
        "fairweight verify-archive .                          # also render the report again, without training\n"
        "fairweight reproduce . --into ../again --data DATA   # run the study again and report differences\n"
        "```\n"
    )


def study_text(study: Mapping[str, Any]) -> str:
    """The resolved study as a file, without the folders of this machine."""
    portable = {key: value for key, value in study.items() if key not in ("cache", "pathvars")}
    return yaml.safe_dump(portable, sort_keys=False, allow_unicode=True, width=120)


def _entry(name: str, content: Path | bytes) -> Entry:
    if isinstance(content, Path):
        return Entry(name, content.stat().st_size, checksum(content))
    return Entry(name, len(content), hashlib.sha256(content).hexdigest())


def _write_zip(path: Path, contents: Mapping[str, Path | bytes], digests: Mapping[str, str]) -> None:
    """Write the zip file.

    Raises:
        InputError: the SHA-256 of a file is not that in `digests`.
    """
    with zipfile.ZipFile(path, "w") as archive:
        # the metadata come first, so that they can be read without the rest
        for name in sorted(contents, key=lambda n: (n != METADATA, n)):
            content = contents[name]
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
            data = content.read_bytes() if isinstance(content, Path) else content
            if isinstance(content, Path) and hashlib.sha256(data).hexdigest() != digests[name]:
                raise InputError(
                    f"{content} has changed while it was archived; archive again when nothing writes to it."
                )
            archive.writestr(entry, data, compresslevel=LEVEL)
