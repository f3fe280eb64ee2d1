"""The report: executed notebooks, one below the other, as one self-contained HTML page."""

import re
from pathlib import Path

import jinja2
import nbformat
from nbconvert import HTMLExporter

from fairweight.core.artifacts import atomic, read_json

HERE = Path(__file__).resolve().parent


def assemble(notebooks: list[str], *, results: str, page: str) -> None:
    """Write executed notebooks, one below the other, as one self-contained page without their code.

    Args:
        notebooks: in the order of the page.
        results: the study's folder.
        page: HTML to write.
    """
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    bodies = [exporter.from_notebook_node(nbformat.read(notebook, as_version=4))[0] for notebook in notebooks]
    body = "\n".join(bodies)
    contents = re.findall(r'<h2 id="([^"]+)">(.*?)<a class="anchor-link"', body)
    study = read_json(Path(results) / "summary" / "provenance.json")["study"]["name"]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True)
    with atomic(page) as temporary:
        template = environment.get_template("page.html.j2")
        temporary.write_text(
            template.render(title=f"fairweight: {study}", body=body, contents=contents), encoding="utf-8"
        )
