"""The report in a real browser: it stands alone, answers to its reader, and shows names as text."""

import json
import re
import shutil

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.formatting import number
from fairweight.reporting.report.render import assemble
from fairweight.reporting.report.render_notebook import execute

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<script>alert(1)</script> </script> \"quoted\" & 'so' $x^2$ **bold** `code` \\textbf 中文 🎉 "
HOSTILE += "x" * 200
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium")


class Reader:
    """A browser without a network, and what went wrong in it."""

    def __init__(self, browser, width):
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.wrong = []
        self.page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self._asked)

    def _asked(self, request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.wrong.append(request.url)

    def open(self, path):
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#explorer svg")
        return self.page


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page_file(finished):
    return finished.folder / "results/tiny/report/report.html"


@pytest.mark.parametrize("width", [1280, 400])
def test_it_opens_without_errors_requests_or_overflow(browser, page_file, width):
    reader = Reader(browser, width)
    page = reader.open(page_file)
    assert not reader.wrong
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_explorer_reacts(browser, page_file):
    page = Reader(browser, 1280).open(page_file)

    def shown():
        return page.text_content("#explorer svg")

    first = shown()
    assert "Accuracy, % (vertical)" in first
    page.select_option("select[name=vertical]", label="Log loss, nats")
    page.wait_for_function("document.querySelector('#explorer svg').textContent.includes('Log loss')")
    points = page.locator("#explorer svg [aria-roledescription=point], #explorer svg [aria-roledescription=circle]")
    every = points.count()
    page.check("#explorer input[type=checkbox]")
    page.wait_for_timeout(300)
    assert 0 < points.count() < every


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, page_file, scheme):
    reader = Reader(browser, 1280)
    reader.page.emulate_media(color_scheme=scheme)
    violations = Axe().run(reader.open(page_file)).response["violations"]
    serious = [
        f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in violations if v["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_print_hides_what_cannot_be_used(browser, page_file):
    page = Reader(browser, 1280).open(page_file)
    page.emulate_media(media="print")
    assert not page.is_visible("nav") and not page.is_visible("#explorer select[name=vertical]")
    assert page.is_visible("#explorer svg")


def test_what_is_folded_is_printed_and_folded_again(browser, page_file):
    page = Reader(browser, 1280).open(page_file)
    folded = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(folded)
    page.evaluate(f"addEventListener('beforeprint', () => window.printed = {folded})")
    page.pdf()
    assert before and page.evaluate("window.printed") == 0 and page.evaluate(folded) == before


def test_the_page_runs_its_own_scripts_alone_and_needs_no_code_from_strings(browser, page_file):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page_file.read_text()).group(1)
    assert "unsafe-eval" not in policy and "http" not in policy and policy.count("sha256-") == 3
    page = Reader(browser, 1280).open(page_file)  # Vega has drawn under it
    assert "Verdict matrix" in page.inner_text("#answer-1")


def test_names_are_text(browser, finished, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(finished.folder / "results/tiny", results)
    card = next((results / "data").glob("*/card.json"))
    card.write_text(json.dumps(json.loads(card.read_text()) | {"title": HOSTILE}))
    concerns = ["answer", "data", "people", "methods"]
    for concern in concerns:
        execute(
            str(ROOT / f"notebooks/{concern}.ipynb"), results=str(results), executed=str(tmp_path / f"{concern}.ipynb")
        )
    assemble([str(tmp_path / f"{c}.ipynb") for c in concerns], results=str(results), page=str(tmp_path / "page.html"))
    reader = Reader(browser, 400)
    page = reader.open(tmp_path / "page.html")
    assert not reader.wrong
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert HOSTILE[:80] in page.inner_text("main") and HOSTILE in page.locator("select[name=shown]").inner_text()


def test_every_number_of_the_answer_stands_in_a_file(browser, finished, page_file):
    page = Reader(browser, 1280).open(page_file)
    text = page.evaluate("""() => {
        const first = document.querySelector('main').cloneNode(true);
        first.querySelectorAll('figure, script, style').forEach(node => node.remove());
        return first.textContent.split('Data')[0];
    }""")
    summary = finished.folder / "results/tiny/summary"
    names = ("decisions", "criteria", "variants", "ratios", "goals", "crossings", "untested", "shipped", "profiles")
    names += ("comparisons", "parts", "simple_models")
    tables = [pd.read_parquet(summary / f"{name}.parquet") for name in names]
    known = {"95", "5", "1", "2", "3", "1,000,000"}  # of the text, counts of variants and seeds, and stated predictions
    for table in tables:
        for value in table.select_dtypes("number").stack():
            known |= {number(abs(value), digits, scale) for digits in range(5) for scale in (1, 100, 1e-3, 1e3)}
    sizes = tables[2][tables[2]["measure"] == "transfer_bytes"]["mean"]
    known |= {number(size / other) for size in sizes for other in sizes}
    costs = [tables[4][["cost", "baseline_cost"]].stack(), tables[0]["cost"].dropna(), sizes]
    latencies = tables[2][tables[2]["measure"] == "latency_p50_ms"]["mean"]
    for column in (*costs, latencies):  # what ships costs a percentage less
        known |= {number(abs(1 - value / other), 0, 100) for value in column for other in column}
    provenance = json.loads((summary / "provenance.json").read_text())
    known |= {str(provenance["cells"]), str(provenance["study"]["fairness"]["smallest_group"])}
    numbers = set(re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])", text))
    assert numbers and numbers <= known, numbers - known
