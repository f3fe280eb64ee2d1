"""The first screen and the tables of the page, as HTML and in a browser that refuses what the page does not declare."""

import re
import shutil
from html.parser import HTMLParser

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from planted_answers import planted
from playwright.sync_api import sync_playwright

from fairweight.core.artifacts import write_json
from fairweight.reporting.report.decision import recommendation
from fairweight.reporting.report.page import SHOWN_ROWS, table
from fairweight.reporting.report.page_scripts import PAGE_SCRIPT, policy
from fairweight.reporting.report.render import assemble

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
browser_only = pytest.mark.skipif(not CHROMIUM, reason="no chromium")
ROWS = [[f"v{number}", f"{(7 * number) % 30 + 1:,}.5"] for number in range(30)]


class Balanced(HTMLParser):
    """Whether every tag is closed."""

    def __init__(self, html):
        super().__init__()
        self.stack = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        """A tag that closes itself."""

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


# ---- as HTML


def test_one_answer_is_one_open_card_without_an_overview():
    page = recommendation(planted(variants=3)).data
    assert page.count('<section class="card"') == 1 and '<details class="card"' not in page and "overview" not in page
    assert '<h2 class="headline">Ship v2</h2><span class="chip proven">✓ proven</span>' in page
    assert "error rate 5 %, 3 seeds" in page and not Balanced(page).stack


def test_each_cell_has_a_symbol_a_word_and_a_plot_with_its_numbers():
    page = recommendation(planted(variants=3)).data
    cells = re.findall(r'<td class="test (proven|refuted|undecided)".*?</td>', page, flags=re.S)
    assert len(cells) == 12  # four criteria of three variants
    for verdict, symbol in (("proven", "✓"), ("refuted", "✗")):
        assert f'<span class="mark" aria-hidden="true">{symbol}</span><span class="vh">{verdict}</span>' in page
    label = (
        "−6.00 points, 95\N{NO-BREAK SPACE}% interval −6.40 to −5.60, bound −5.00; "
        "true positive rate of Black by race: refuted"
    )
    assert f'aria-label="{label}"' in page
    assert page.count('class="tag">smallest<') == 1 and page.count('class="tag">fastest<') == 1


def test_what_cannot_be_tested_is_said_in_its_cell():
    results = planted(variants=1)
    gap = results.criteria["criterion"] == "fairness_gap"
    results.criteria.loc[gap, ["value", "low", "high"]] = None
    results.criteria.loc[gap, "verdict"] = "undecided"
    results.criteria["reason"] = results.criteria["reason"].astype(object)
    results.criteria.loc[gap, "reason"] = "fewer than two groups of <age>"
    page = recommendation(results).data
    assert '<small title="fewer than two groups of &lt;age&gt;">cannot be tested</small>' in page
    assert page.count('<svg class="plot"') == 3


def test_a_bound_below_shades_what_lies_left_and_one_above_what_lies_right():
    page = recommendation(planted(variants=1)).data
    zones = [
        (float(x), float(width))
        for x, width in re.findall(r'<rect class="zone" x="([\d.]+)" y="0" width="([\d.]+)"', page)
    ]
    assert len(zones) == 4
    assert all(x == 0 for x, _ in zones[:3])  # accuracy, groups and true positive rates may not fall
    assert zones[3][0] > 0 and sum(zones[3]) == pytest.approx(72)  # a gap may not grow


def test_a_criterion_that_holds_alone_has_a_mark_and_a_word_of_its_own():
    results = planted(variants=2)
    results.decisions.loc[1:, "verdict"] = "undecided"
    results.goals["winner"] = "dense"
    results.goals["saving"] = None
    results.criteria["p_proven"] = 0.03
    results.criteria["verdict"] = "proven"
    page = recommendation(results).data
    assert 'class="test proven"' not in page and page.count('<td class="test alone"') == 8
    assert "(✓)</span>" in page and "alone; not after the correction</small>" in page
    assert "(✓) alone: the criterion holds by itself, but not after the correction." in page
    assert "alone" not in recommendation(planted(variants=1)).data


def test_the_cost_of_the_goal_stands_beside_the_variant():
    page = recommendation(planted(variants=2)).data
    head = page.split('<table class="matrix data">')[1].split("</thead>")[0]
    assert re.findall(r'class="text">([^<]+)', head)[:3] == ["Variant", "Life-cycle energy", "Accuracy"]
    assert re.search(r'<th scope="row">dense .*?</th><td class="cost"', page)


def test_a_baseline_that_ships_beside_proven_variants_has_a_neutral_chip():
    results = planted(variants=1)
    results.goals["winner"] = "dense"
    results.goals["saving"] = None
    page = recommendation(results).data
    assert '<span class="chip no-saving">1 of 1 proven, no saving shown</span>' in page


def test_twenty_datasets_of_forty_variants_have_an_overview_and_folded_cards():
    page = recommendation(planted(datasets=20, variants=40)).data
    assert page.count('<section class="card"') == 1 and page.count('<details class="card"') == 19
    overview = page.split('<div class="cards">')[0]
    assert overview.count("<tr>") == 21 and overview.count('href="#answer-') == 20
    matrices = page.split('<table class="matrix data">')[1:]
    assert len(matrices) == 20
    for matrix in matrices:
        body = matrix.split("<tbody>")[1].split("</tbody>")[0]
        assert body.count("<tr ") == 41 and body.count("data-keep") == SHOWN_ROWS
        assert re.search(r'<tr class="ships" data-keep><th scope="row">v39', body)
        assert re.search(r'<tr class="base" data-keep><th scope="row">dense', body)
    assert not Balanced(page).stack


def test_the_short_answers_stand_above_the_folded_sentences():
    page = recommendation(planted(variants=3)).data
    visible = page.split('<details class="fold">')[0]
    for title in ("Why", "Saves", "May lose most", "Not known", "File"):
        assert f"<dt>{title}</dt>" in visible
    assert "<code>seed-2/d0/none/m/v2/model.onnx</code>" in visible
    assert "Among those proven and the baseline" in page and "Among those proven" not in visible


def test_the_script_and_the_page_agree_on_the_rows_that_are_shown():
    assert f"const SHOWN_ROWS = {SHOWN_ROWS};" in PAGE_SCRIPT.read_text()


def test_the_policy_names_the_hash_of_each_script_and_nothing_that_is_not_in_the_page():
    # echo -n 'alert(1)' | openssl dgst -sha256 -binary | base64
    assert "script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='" in policy(["alert(1)"])
    assert policy([]).endswith("script-src 'none'")
    assert "http" not in policy(["x"]) and "unsafe-eval" not in policy(["x"]) and "default-src 'none'" in policy(["x"])


# ---- in a browser


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def page_of(folder, *pieces):
    """A page of one notebook with these pieces."""
    outputs = [nbformat.v4.new_output("display_data", data={"text/html": piece}) for piece in pieces]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
    nbformat.write(notebook, folder / "answer.ipynb")
    write_json(folder / "summary" / "provenance.json", {"study": {"name": "planted"}})
    assemble([str(folder / "answer.ipynb")], results=str(folder), page=str(folder / "page.html"))
    return folder / "page.html"


def opened_in(browser, path, width=1280):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(path.as_uri())
    return page


@pytest.fixture
def tables_page(tmp_path):
    return page_of(tmp_path, "<h1>t</h1>", table(["Variant", "Size, kB"], ROWS, "Sizes").data)


def shown(page):
    return page.locator("tbody tr:visible th").all_inner_texts()


@browser_only
def test_a_table_folds_sorts_and_filters(browser, tables_page):
    page = opened_in(browser, tables_page)
    page.click("summary")
    assert shown(page) == [f"v{number}" for number in range(12)]
    page.click("text=Show all 30 rows (18 more)")
    assert len(shown(page)) == 30
    page.click("text=Show 12 rows")
    page.click("button:has-text('Size')")
    assert shown(page)[:2] == ["v0", "v13"]  # 1.5, 2.5
    assert page.get_attribute("th:has-text('Size')", "aria-sort") == "ascending"
    page.focus("button:has-text('Size')")
    page.keyboard.press("Enter")
    assert shown(page)[:2] == ["v17", "v4"] and not page.faults  # 30.5, 29.5
    page.fill("input[type=search]", "v2")
    assert set(shown(page)) == {"v2", *(f"v{number}" for number in range(20, 30))}


@browser_only
def test_without_scripts_the_table_is_complete(browser, tables_page):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(tables_page.as_uri())
    assert page.locator("tbody tr").count() == 30 and page.locator("tbody tr[hidden]").count() == 0
    context.close()


@browser_only
def test_everything_is_printed_and_folded_again(browser, tables_page):
    page = opened_in(browser, tables_page)
    hidden = "document.querySelectorAll('tr[hidden], details:not([open])').length"
    before = page.evaluate(hidden)
    page.evaluate(f"addEventListener('beforeprint', () => window.printed = {hidden})")
    page.pdf()
    assert before == 19 and page.evaluate("window.printed") == 0 and page.evaluate(hidden) == before


@browser_only
def test_a_script_that_is_not_ours_does_not_run_and_nothing_is_fetched(browser, tmp_path):
    hostile = "<script>window.ran = 1</script><img src='https://example.org/x.png' alt='' onerror='window.ran = 2'>"
    page = opened_in(browser, page_of(tmp_path, f"<h1>t</h1>{hostile}", table(["a"], [["1"]] * 13, "t").data))
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None and page.evaluate("typeof SHOWN_ROWS") == "number"
    refused = [fault for fault in page.faults if "Content Security Policy" in fault]
    assert len(refused) == len(page.faults) >= 2


@browser_only
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize(("datasets", "variants"), [(1, 2), (1, 40), (20, 3)])
def test_the_first_screen_stays_inside_the_window(browser, tmp_path, width, datasets, variants):
    path = page_of(tmp_path, "<h1>t</h1>", recommendation(planted(datasets=datasets, variants=variants)).data)
    page = opened_in(browser, path, width)
    assert not page.faults and page.evaluate("document.documentElement.scrollWidth") <= width
    rows = page.locator("#answer-1 tbody tr:visible")
    assert rows.count() == min(variants + 1, SHOWN_ROWS)
    assert page.is_visible(f"#answer-1 tbody tr:has-text('v{variants - 1}')") and page.is_visible("tr.base")
    if width == 1280:
        for text in ("Why", "Saves", "May lose most", "Not known"):
            place = page.locator(f"#answer-1 dt:text-is('{text}')").bounding_box()
            assert datasets > 12 or place["y"] < 900
    if datasets > 1:
        page.click("a[href='#answer-3']")
        page.wait_for_function("document.getElementById('answer-3').open")


@browser_only
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, tmp_path, scheme):
    pieces = recommendation(planted(datasets=2, variants=14)).data, table(["a", "b"], ROWS, "Sizes").data
    page = opened_in(browser, page_of(tmp_path, "<h1>t</h1>", *pieces))
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    violations = Axe().run(page).response["violations"]
    assert [f"{v['id']}: {v['nodes'][0]['html'][:150]}" for v in violations] == []
