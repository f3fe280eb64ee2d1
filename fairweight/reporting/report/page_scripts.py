"""The scripts of the page, and the Content-Security-Policy that lets a browser run these and no others."""

import base64
import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from fairweight.core.artifacts import atomic
from fairweight.data.fetch import cache_folder

PAGE_SCRIPT = Path(__file__).with_name("report.js")
SPECIFICATION = "explorer-specification"  # id of the element that holds the chart as JSON
# `ast`: Vega interprets its expressions, so that the policy need not allow code from strings
OPTIONS = {"renderer": "svg", "actions": False, "mode": "vega-lite", "defaultStyle": False, "ast": True}
EMBED = (
    f"vegaEmbed('#explorer', JSON.parse(document.getElementById('{SPECIFICATION}').textContent), "
    f"{json.dumps(OPTIONS)}).catch(console.error);"
)
# styles are not restricted: Vega and Jupyter set them on elements; images are figures inside the page
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

NO_SCRIPT = "'none'"


def vega() -> str:
    """Vega as one script; because bundling takes two seconds, it is cached for this version of the package."""
    cached = cache_folder(None) / "scripts" / f"vega-{version('vl-convert-python')}.js"
    if not cached.exists():
        import vl_convert  # noqa: PLC0415 - assembling the page mostly finds the script in the cache

        bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub does not know the default
        with atomic(cached) as temporary:
            temporary.write_text(bundle, encoding="utf-8")
    return cached.read_text(encoding="utf-8")


def policy(scripts: Iterable[str]) -> str:
    """The policy of a page that runs these inline scripts and no others, and fetches nothing.

    Args:
        scripts: exactly what stands between their tags.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return f"{POLICY}; script-src {allowed or NO_SCRIPT}"
