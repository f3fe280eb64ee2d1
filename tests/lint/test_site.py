"""The documentation site, as it is built: links, generated pages, and that nothing is fetched."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from fairweight import api
from fairweight.core.components import WORKFLOW as ROOT

pytest.importorskip("mkdocs", reason="make setup-docs")
FAIRWEIGHT = Path(sys.executable).with_name("fairweight")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REPORT = """<title>fairweight: people</title><h1>People: which model can ship?</h1><p class="place">2 variants</p>
<h2 class="headline">Ship int8</h2><span class="chip proven">✓ proven</span><p class="place">adults, a net</p>
<h2 class="headline">Ship dense</h2><span class="chip">baseline</span><span class="place">children, a net</span>"""
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
PASSIVE = {"canonical", "next", "prev"}  # relations of `link` that load nothing


class Html(HTMLParser):
    """What a page names, links to, loads and shows."""

    def __init__(self, text):
        super().__init__()
        self.names, self.links, self.loads, self.images = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.names |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag in LOADED and values.get(LOADED[tag]) and values.get("rel") not in PASSIVE:
            self.loads.append(values[LOADED[tag]])
        if tag == "img":
            self.images.append(values)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site with the report of one study in its gallery; a warning of the build is an error."""
    results = tmp_path_factory.mktemp("results") / "people"
    (results / "report").mkdir(parents=True)
    (results / "report" / "report.html").write_text(REPORT)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {
        "NO_MKDOCS_2_WARNING": "1",
        "GALLERY": f"{results} {results.parent / 'absent'}",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Path -> page; the report in the gallery is no page of the site, and 404.html is served below any path."""
    paths = [path for path in site.rglob("*.html") if path.name not in ("404.html", "people.html")]
    return {path: Html(path.read_text(encoding="utf-8")) for path in paths}


def test_links_lead_to_pages_and_their_anchors(site, pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            anchors = pages[target].names if target in pages else set()
            if not target.is_file() or (address.fragment and unquote(address.fragment) not in anchors):
                broken.append((str(path.relative_to(site)), link))
    assert len(pages) > 60 and broken == []


def test_pages_load_files_of_the_site_only(site, pages):
    away = [(path.name, url) for path, page in pages.items() for url in page.loads if urlsplit(url).netloc]
    absent = [
        (path.name, url)
        for path, page in pages.items()
        for url in page.loads
        if not url.startswith(("data:", "#")) and not (path.parent / urlsplit(url).path).is_file()
    ]
    assert away == [] and absent == []
    styles = [path for path in site.rglob("*.css") if re.search(r"url\(\W?https?:|@import", path.read_text())]
    assert styles == []


def test_images_have_texts_for_those_who_do_not_see_them(pages):
    assert [(path.name, i) for path, page in pages.items() for i in page.images if not i.get("alt")] == []


def test_generated_pages_are_complete(site):
    text = {
        name: (site / "reference" / f"{name}.html").read_text() for name in ("python-api", "command-line", "results")
    }
    missing = [name for name in api.PUBLIC if f'id="fairweight.{api.PUBLIC[name]}.{name}"' not in text["python-api"]]
    assert missing == []
    usage = subprocess.run([FAIRWEIGHT, "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^    ([a-z-]+)(?: |$)", usage, re.MULTILINE)
    assert len(commands) > 10
    assert [name for name in commands if f'id="fairweight-{name}"' not in text["command-line"]] == []
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    tables = set(re.findall(r"<results>/summary/(\w+)\.parquet", rules))
    assert {table for table in tables if f'id="{table}"' not in text["results"]} == set()
    assert "generated:" not in "".join(text.values())


def test_the_architecture_picture_is_drawn_at_build_time(site):
    page = (site / "architecture.html").read_text()
    assert "<svg" in page and "flowchart LR" not in page and 'class="mermaid"' not in page


def test_the_gallery_lists_the_reports_that_exist(site):
    page = (site / "gallery" / "index.html").read_text()
    assert 'href="people.html"' in page and "People: which model can ship?" in page and "absent.html" not in page
    assert (site / "gallery" / "people.html").is_file()
    assert "<strong>Ship int8</strong> (✓ proven): adults, a net" in page and "children, a net" in page


@pytest.mark.skipif(not CHROMIUM, reason="no chromium")
def test_a_browser_fetches_nothing_and_finds_pages_without_a_server(site):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme="dark")
        requests, faults = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        for name in ("index", "architecture", "concepts/verdict", "reference/python-api", "reference/study-file"):
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") == 400, name
        page.fill("input.md-search__input", "noise floor")
        page.wait_for_selector(".md-search-result__item", state="attached")
        assert "Noise floor" in page.locator(".md-search-result__item").first.text_content()
        browser.close()
    assert [url for url in requests if not url.startswith("file:")] == [] and faults == []
