"""Metadata of an archive: RO-Crate 1.1 with the profile Workflow Run Crate 0.5.

https://w3id.org/ro/crate/1.1, https://w3id.org/ro/wfrun/workflow/0.5 (Leo et al. 2024, PLOS ONE 19(9): e0309210).
"""

import datetime
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fairweight.core.artifacts import read_frame
from fairweight.energy.amounts import Footprint, of_study
from fairweight.reporting.archive.layout import LOCK, METADATA, README, SNAKEFILE, STUDY

TERMS = "https://w3id.org/ro/terms/workflow-run#"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {term: f"{TERMS}{term}" for term in ("sha256", "resourceUsage")}]
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
ENGINE = "https://snakemake.github.io"
LICENCE = "https://spdx.org/licenses/Apache-2.0"
KINDS = {
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".parquet": "application/vnd.apache.parquet",
    ".onnx": "application/octet-stream",
    ".ipynb": "application/x-ipynb+json",
    ".lock": "text/plain",
    ".toml": "application/toml",
    ".j2": "text/plain",
    ".js": "text/javascript",
    ".cff": "application/yaml",
    ".jsonl": "application/jsonl",
    ".py": "text/x-python",
    ".rst": "text/x-rst",
    ".smk": "text/x-python",
    ".sh": "application/x-sh",
}
TYPES = mimetypes.MimeTypes(filenames=())  # without the lists of this machine, on which no byte may depend

Node = dict[str, Any]  # a JSON-LD object


@dataclass(frozen=True)
class Entry:
    """A file of the archive."""

    name: str
    size: int
    sha256: str

    @property
    def reference(self) -> str:
        """Its identifier: a relative URI."""
        return quote(self.name)

    @property
    def kind(self) -> str:
        """Its media type."""
        suffix = Path(self.name).suffix
        return KINDS.get(suffix) or TYPES.guess_type(self.name)[0] or "text/plain"


def metadata(entries: list[Entry], provenance: Node, results: Path) -> Node:
    """The content of `ro-crate-metadata.json`.

    Args:
        entries: the other files of the archive.
        provenance: `provenance.json` of the study.
        results: the study's folder.
    """
    study = provenance["study"]
    graph = [
        _descriptor(),
        _root(entries, provenance),
        _workflow(provenance),
        *_run(entries, provenance, results),
        *_parameters(entries, study),
        *_context(provenance),
        *(_file(entry) for entry in entries if entry.name != SNAKEFILE),
    ]
    return {"@context": CONTEXT, "@graph": _described(graph, entries)}


def _described(graph: list[Node], entries: list[Entry]) -> list[Node]:
    """The same nodes, where those of files have the size and checksum of their entry."""
    sizes = {entry.reference: entry for entry in entries}
    for node in graph:
        for key, value in node.items():
            if isinstance(value, list) and len(value) == 1:
                node[key] = value[0]  # RO-Crate wants no list around one value
        if entry := sizes.get(node["@id"]):
            node |= {"contentSize": str(entry.size), "sha256": entry.sha256}
    return graph


def _ref(identifier: str) -> Node:
    return {"@id": identifier}


def _descriptor() -> Node:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": _ref("./"),
        "conformsTo": [
            _ref("https://w3id.org/ro/crate/1.1"),
            _ref("https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
        ],
    }


def _root(entries: list[Entry], provenance: Node) -> Node:
    study = provenance["study"]
    titles = ", ".join(d["title"] or name for name, d in study["datasets"].items())
    description = (
        "Which compressed model can ship? Study file, workflow, lock file, results, report and checksums of the study "
        f"{study['name']} on {titles}. Raw data and files about single rows are left out."
    )
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"fairweight study {study['name']}",
        "description": description,
        "datePublished": provenance["finished"],
        "license": _ref(LICENCE),
        "conformsTo": [_ref(profile) for profile in PROFILES],
        "mainEntity": _ref(SNAKEFILE),
        "mentions": [_ref("#run")],
        "hasPart": [_ref(entry.reference) for entry in entries],
    }


def _workflow(provenance: Node) -> Node:
    return {
        "@id": SNAKEFILE,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "fairweight",
        "description": "From a study file to compressed models, their fairness and energy, and a report.",
        "encodingFormat": "text/plain",
        "conformsTo": _ref("https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"),
        "programmingLanguage": _ref(SNAKEMAKE),
        "softwareRequirements": [_ref(LOCK), _ref(ENGINE)],
        "version": f"{provenance['fairweight']} ({provenance['commit'] or 'unknown commit'})",
        "license": _ref(LICENCE),
        "input": [_ref("#study")],
        "output": [_ref("#report"), _ref("#models")],
    }


def _run(entries: list[Entry], provenance: Node, results: Path) -> list[Node]:
    study, steps = provenance["study"], read_frame(results / "summary" / "steps.parquet")
    used = of_study(read_frame(results / "summary" / "rules.parquet"))
    started = datetime.datetime.fromtimestamp(float(steps["started"].min()), datetime.UTC).isoformat(timespec="seconds")
    host, usage = provenance["host"], _usage(used)
    made = [e for e in entries if e.name.startswith("run/results/")]
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run of the study {study['name']}",
        "description": f"On {host['processor']}, {host['cores']} cores, {host['system']}",
        "instrument": _ref(SNAKEFILE),
        "startTime": started,
        "endTime": provenance["finished"],
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "object": [_ref(STUDY), *(_ref(f"#data-{quote(name)}") for name in study["datasets"])],
        "result": [_ref(entry.reference) for entry in made],
        "resourceUsage": [_ref(node["@id"]) for node in usage],
    }
    return [action, *usage, *_data(study)]


def _usage(used: Footprint) -> list[Node]:
    """CPU time, energy and emissions of a run."""
    figures = {
        "cpu-time": ("CPU time", used.cpu_s, "s"),
        "energy": ("Energy, modelled", used.energy_j, "J"),
        "emissions": ("Emissions, modelled", used.emissions_g, "gCO2e"),
    }
    return [
        {
            "@id": f"#{key}",
            "@type": "PropertyValue",
            "name": name,
            "propertyID": f"https://w3id.org/ro/terms/fairweight#{key}",
            "value": str(value),
            "unitText": unit,
        }
        for key, (name, value, unit) in figures.items()
    ]


def _data(study: Node) -> list[Node]:
    """Datasets of the study, with their sources."""
    return [
        {
            "@id": f"#data-{quote(name)}",
            "@type": "CreativeWork",
            "name": dataset["title"] or name,
            "description": "; ".join(source for file in dataset["files"].values() for source in file["sources"]),
        }
        for name, dataset in study["datasets"].items()
    ]


def _parameters(entries: list[Entry], study: Node) -> list[Node]:
    base = f"run/results/{study['name']}"
    models = [e.reference for e in entries if e.name.startswith(base) and e.name.endswith("/model.onnx")]
    report = [e.reference for e in entries if e.name.startswith(f"{base}/report/") and e.name.endswith(".html")]
    parameters = {
        "study": ("The study file", "application/yaml", [STUDY]),
        "report": ("The report", "text/html", report),
        "models": ("The files that ship", "application/octet-stream", models),
    }
    return [
        {
            "@id": f"#{key}",
            "@type": "FormalParameter",
            "additionalType": "File",
            "name": key,
            "description": title,
            "encodingFormat": kind,
            "valueRequired": key == "study",
            "workExample": [_ref(i) for i in examples],
            "conformsTo": _ref("https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"),
        }
        for key, (title, kind, examples) in parameters.items()
    ]


def _context(provenance: Node) -> list[Node]:
    snakemake = provenance["packages"]["snakemake"]
    language = {
        "@id": SNAKEMAKE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "alternateName": "Snakemake",
        "version": snakemake,
        "identifier": _ref("https://doi.org/10.1093/bioinformatics/bts480"),
        "url": _ref("https://snakemake.readthedocs.io"),
    }
    application = {"@type": "SoftwareApplication", "name": "Snakemake", "url": ENGINE, "softwareVersion": snakemake}
    licence = {
        "@id": LICENCE,
        "@type": "CreativeWork",
        "name": "Apache License 2.0",
        "description": (
            "The licence of the workflow. Data and results made from them stay under the licences on the data cards."
        ),
    }
    profiles = [
        {"@id": url, "@type": "CreativeWork", "name": name, "version": version}
        for url, (name, version) in PROFILES.items()
    ]
    return [language, {"@id": ENGINE} | application, licence, *profiles]


def _file(entry: Entry) -> Node:
    node: Node = {"@id": entry.reference, "@type": "File", "name": entry.name, "encodingFormat": entry.kind}
    if entry.name == README:
        node["about"] = _ref("./")
    elif entry.name == STUDY:
        node["exampleOfWork"] = _ref("#study")
    elif entry.name.endswith("/report.html"):
        node["exampleOfWork"] = _ref("#report")
    elif entry.name.endswith("/model.onnx"):
        node["exampleOfWork"] = _ref("#models")
    return node
