"""Pictures of Mermaid text, rendered by Mermaid itself while the site is built: no page loads a script for them."""

import itertools
from typing import Any

import mermaidx

_number = itertools.count(1)


def fence(source: str, language: str, css_class: str, options: dict[str, Any], md: Any, **_: Any) -> str:
    """Render a fenced block of the language `mermaid`, as pymdownx.superfences calls it.

    Args:
        source: text of the picture.
        language: of the fence.
        css_class: of the fence.
        options: of the fence.
        md: the Markdown object.

    Returns:
        HTML with the picture as inline SVG.
    """
    svg = mermaidx.render(source).svg().replace("my-svg", f"mermaid-{next(_number)}")
    return f'<div class="mermaid-picture" role="img" aria-label="Diagram">{svg}</div>'
