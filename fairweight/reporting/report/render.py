"""The report: executed notebooks, one below the other, as one self-contained HTML page."""

import re
from pathlib import Path

import jinja2
import nbformat
from nbconvert import HTMLExporter

from fairweight.core.artifacts import atomic, read_json
from fairweight.reporting.report.page_scripts import EMBED, PAGE_SCRIPT, policy, vega

TEMPLATES = Path(__file__).resolve().parent
# marks of the direction of text, and characters without a width that join no letters
MARKS = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def assemble(notebooks: list[str], *, results: str, page: str) -> None:
    """Write executed notebooks without their code, one below the other, as one self-contained page.

    Args:
        notebooks: in the order of the page.
        results: the study's folder.
        page: HTML file to write.
    """
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    bodies = [exporter.from_notebook_node(nbformat.read(notebook, as_version=4))[0] for notebook in notebooks]
    body = "\n".join(bodies)
    contents = re.findall(r'<h2 id="([^"]+)">(.*?)(?:<a class="anchor-link".*?)?</h2>', body)
    study = read_json(Path(results) / "summary" / "provenance.json")["study"]["name"]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    script = PAGE_SCRIPT.read_text(encoding="utf-8")
    scripts = [script, *(each for each in (EMBED, vega() if EMBED in body else "") if each and each in body)]
    html = environment.get_template("page.html.j2").render(
        title=f"fairweight: {study}",
        body=body,
        contents=contents,
        script=script,
        policy=policy(map(without_marks, scripts)),
    )
    with atomic(page) as temporary:
        temporary.write_text(without_marks(html), encoding="utf-8")


def without_marks(html: str) -> str:
    """A page with a visible code for each mark that would show a name from the data in another order or not at all."""
    return MARKS.sub(lambda mark: f"[U+{ord(mark.group()):04X}]", html)
