"""Hooks of MkDocs: pages from files outside docs/, generated references, links to what is no page, pictures.

Pages stay readable where they lie: a link such as `../config/README.md` works on a forge and in an editor. Here it
becomes a link to the page that is made from that file, or plain text where the site has no such page.
"""

import posixpath
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import pictures
import tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# page of the site -> file of the repository from which it is made
INCLUDED = {
    "reference/study-file.md": "config/README.md",
    "reference/executor.md": "snakemake_executor_plugin_dask/README.md",
    "reference/logger.md": "snakemake_logger_plugin_live/README.md",
    "security.md": "SECURITY.md",
    "contributing.md": "CONTRIBUTING.md",
    "code-of-conduct.md": "CODE_OF_CONDUCT.md",
    "changelog.md": "CHANGELOG.md",
}
PAGES = {source: page for page, source in INCLUDED.items()} | {
    "README.md": "index.md",
    "docs/decisions/": "decisions/index.md",
    "docs/decisions": "decisions/index.md",
    "fairweight/api.py": "reference/python-api.md",
}
DECISIONS = "decisions/index.md"
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
PLACEHOLDER = re.compile(r"<!-- generated: ([\w-]+) -->")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the decisions in the navigation, and let mermaidx render pictures."""
    records = sorted(f"decisions/{path.name}" for path in (ROOT / "docs" / "decisions").glob("*.md"))
    for section in config.nav or []:
        for entry in next(iter(section.values())):
            if isinstance(entry, dict) and "Decisions" in entry:
                entry["Decisions"] = [DECISIONS, *records]
    fence = {"name": "mermaid", "class": "mermaid", "format": pictures.fence}
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from files elsewhere, the index of decisions, and the reports of the gallery."""
    for page, source in INCLUDED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, DECISIONS, content=tables.decisions(ROOT / "docs" / "decisions")))
    for name, report in tables.reports().items():
        files.append(File.generated(config, f"gallery/{name}.html", abs_src_path=str(report)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is generated, and lead links to the pages of the site."""
    path = page.file.src_path
    markdown = PLACEHOLDER.sub(lambda match: _generated(match[1]), markdown)
    source = INCLUDED.get(path, f"docs/{path}")
    return LINK.sub(partial(_link, source, path, files), markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mark the page of keys, whose tables have a form of their own."""
    return f'<div class="study-keys">{html}</div>' if page.file.src_path == "reference/study-file.md" else html


def _generated(name: str) -> str:
    if name == "command-line":
        command = [sys.executable, "-P", str(ROOT / "docs" / "generate" / "command_line.py")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    makers: dict[str, Any] = {
        "component-kinds": tables.component_kinds,
        "python-api": tables.python_api,
        "result-tables": tables.result_tables,
        "gallery": tables.gallery,
    }
    return makers[name]()


def _link(source: str, page: str, files: Files, match: re.Match[str]) -> str:
    """A link of a file in the repository, as a link of the site; its bare text where the target is no page."""
    text, target, anchor = match[1], match[2], match[3] or ""
    if files.get_file_from_path(posixpath.normpath(posixpath.join(posixpath.dirname(page), target))):
        return match[0]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    other = PAGES.get(place, place.removeprefix("docs/") if place.startswith("docs/") else "")
    if files.get_file_from_path(other):
        return f"[{text}]({posixpath.relpath(other, posixpath.dirname(page) or '.')}{anchor})"
    if not (ROOT / place).exists():
        return match[0]  # a broken link: MkDocs warns
    return text if place in text else f"{text} (`{place}`)"
