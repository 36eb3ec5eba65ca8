"""The report in a browser: no network, no violation, no overflow, and every control does what it says."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from attrition import paths
from notebook_report import book
from tests.report import books

pytestmark = pytest.mark.browser
DESK, PHONE, SMALL = (1440, 900), (390, 844), (320, 640)
PAPER = (672, 900)
"""What the margins leave of the width of A4 (178 mm), in pixels."""
PUBLISHED = paths.ROOT / "reports" / "report.html"


REPORTS = ["small book", pytest.param("published report", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=REPORTS)
def url(request, page):
    """Address of the small book, and of the published report when it is there."""
    if request.param == "small book":
        return page.as_uri()
    if not PUBLISHED.exists():
        pytest.skip("reports/report.html is not there; run ./run_all.sh")
    return PUBLISHED.as_uri()


@pytest.fixture
def visit(browser):
    """Open a report with the network blocked; anything it asks for or complains of is a failure."""
    contexts = []

    def go(url, size=DESK, scheme="light", **options):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce", **options
        )
        contexts.append((context, []))
        asked = contexts[-1][1]
        context.route(re.compile("^https?:"), lambda route: (asked.append(route.request.url), route.abort()))
        tab = context.new_page()
        tab.on("console", lambda message: asked.append(message.text))
        tab.on("pageerror", lambda error: asked.append(str(error)))
        tab.on("request", lambda made: made.url.startswith(("data:", url)) or asked.append(made.url))
        tab.goto(url)
        return tab

    yield go
    for context, asked in contexts:
        context.close()
        assert asked == []


def unfold(tab):
    """Open every fold."""
    tab.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    tab.wait_for_timeout(100)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violation(visit, url, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (extra: dev)")
    tab = visit(url, size, scheme, bypass_csp=True)
    unfold(tab)
    told = axe.Axe().run(tab, options={"resultTypes": ["violations"]}).response
    assert len(told["passes"]) > 25
    assert [(v["id"], [node["html"][:120] for node in v["nodes"][:3]]) for v in told["violations"]] == []


@pytest.mark.parametrize("size", [DESK, PHONE, SMALL], ids=["1440", "390", "320"])
def test_nothing_is_wider_than_the_screen(visit, url, size):
    tab = visit(url, size)
    unfold(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") == size[0]
    wide = """[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, .hidden, math')
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    assert tab.evaluate(wide) == []


@pytest.mark.parametrize("size", [PHONE, SMALL], ids=["390", "320"])
def test_text_of_figures_can_be_read_on_a_phone(visit, url, size):
    tab = visit(url, size)
    scales = tab.evaluate(
        """[...document.querySelectorAll('.fig img')].map(e => {
            const box = /viewBox='[\\d.]+ [\\d.]+ ([\\d.]+)/.exec(decodeURIComponent(e.src.startsWith(
                'data:image/svg+xml;base64') ? atob(e.src.split(',')[1]).replaceAll('"', "'") : e.src));
            return e.getBoundingClientRect().width / box[1] })"""
    )
    assert scales
    assert min(scales) * 9 >= 8.95


def test_nothing_hostile_ran(visit, page):
    tab = visit(page.as_uri())
    assert tab.evaluate("window.hit") is None


def test_policy_stops_what_would_slip_through(browser, page, tmp_path):
    spoilt = tmp_path / "spoilt.html"
    text = page.read_text(encoding="utf-8").replace("<h1>", "<h1><img src=x onerror=\"window.hit='yes'\">")
    spoilt.write_text(text, encoding="utf-8")
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(spoilt.as_uri())
    tab.wait_for_timeout(200)
    assert tab.evaluate("window.hit") is None
    context.close()


def test_pictures_show(visit, url):
    tab = visit(url)
    broken = "[...document.images].filter(e => !e.complete || !e.naturalWidth).map(e => e.alt)"
    assert tab.evaluate(broken) == []


def test_skip_link_is_first_and_controls_follow(visit, url):
    tab = visit(url)
    order = []
    for _ in range(5):
        tab.keyboard.press("Tab")
        order.append(tab.evaluate("document.activeElement.textContent.trim()"))
    assert order[0] == "Skip to the report"
    assert order[1:4] == ["Show all code", "Dark theme", "Contents"]
    assert order[4] == "Findings"
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_skip_link_leads_to_the_report(visit, url):
    tab = visit(url)
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"


def test_one_button_opens_and_folds_all_code(visit, url):
    tab = visit(url)
    count = "document.querySelectorAll('details.code').length"
    opened = "document.querySelectorAll('details.code[open]').length"
    assert tab.evaluate(opened) == 0
    tab.click("#codes")
    assert tab.evaluate(opened) == tab.evaluate(count) > 0
    assert tab.get_attribute("#codes", "aria-pressed") == "true"
    tab.click("#codes")
    assert tab.evaluate(opened) == 0


def test_folds_work_without_javascript(visit, page):
    tab = visit(page.as_uri(), java_script_enabled=False)
    assert not tab.locator("#codes").is_visible()
    code = tab.locator("details.code").first
    assert not code.locator("pre").is_visible()
    code.locator("summary").click()
    assert code.locator("pre").is_visible()


def darkness(tab, selector):
    """Mean brightness of an element as drawn, 0 to 255."""
    from PIL import Image

    picture = Image.open(io.BytesIO(tab.locator(selector).first.screenshot())).convert("L")
    return sum(value * count for value, count in enumerate(picture.histogram())) / (picture.width * picture.height)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_toggle_turns_page_and_figures(visit, url, scheme):
    tab = visit(url, scheme=scheme)
    sides = {"light": lambda value: value > 200, "dark": lambda value: value < 70}
    other = {"light": "dark", "dark": "light"}[scheme]
    assert sides[scheme](darkness(tab, ".fig img"))
    assert tab.inner_text("#theme") == f"{other.capitalize()} theme"
    tab.click("#theme")
    assert sides[other](darkness(tab, ".fig img"))
    assert sides[other](darkness(tab, "h1"))
    tab.reload()
    assert sides[other](darkness(tab, "h1"))
    tab.click("#theme")
    assert sides[scheme](darkness(tab, ".fig img"))


def test_tables_sort_by_value_and_say_so(visit, page):
    tab = visit(page.as_uri())
    head = tab.locator("#tbl-models th", has_text="Net benefit at")
    head = head if head.count() else tab.locator("#tbl-models thead th").last
    column = "[...document.querySelectorAll('#tbl-models tbody tr')].map(r => r.lastElementChild.textContent)"
    head.locator("[role=button]").focus()
    tab.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert tab.evaluate(column) == ["−0.020", "0.084", "0.090", "0.112", "0.125"]
    tab.keyboard.press(" ")
    assert head.get_attribute("aria-sort") == "descending"
    assert tab.evaluate(column)[0] == "0.125"
    tab.locator("#tbl-models thead th").first.locator("[role=button]").click()
    assert head.get_attribute("aria-sort") is None


def test_money_sorts_as_numbers_and_missing_cells_stand_last_both_ways(visit, page):
    tab = visit(page.as_uri())
    head = tab.locator("#tbl-bands thead th").last
    column = "[...document.querySelectorAll('#tbl-bands tbody tr')].map(r => r.lastElementChild.textContent)"
    head.locator("[role=button]").click()
    assert tab.evaluate(column)[:4] == ["−$20", "$45", "$300", "$1,200"]
    head.locator("[role=button]").click()
    assert tab.evaluate(column)[:4] == ["$1,200", "$300", "$45", "−$20"]


def test_a_ledger_row_is_not_hidden_under_the_head_of_its_table(visit, url):
    tab = visit(url)
    last = tab.locator(".strip a").count() - 1
    for i in (0, 9, last // 2, last):
        tab.locator(".strip a").nth(i).click()
        tab.wait_for_timeout(50)
        under = tab.evaluate(
            """i => document.getElementById('tbl-ledger-' + i).getBoundingClientRect().top
            - document.querySelector('#tbl-ledger thead th').getBoundingClientRect().bottom""",
            i,
        )
        assert under > -1


def test_contents_mark_what_was_jumped_to(visit, url):
    """Every entry marks itself; a figure or table marks the section that it stands in."""
    tab = visit(url)
    wrong = """async () => {
        const links = [...document.querySelectorAll('.toc a')].map(a => a.hash.slice(1)), wrong = [];
        const all = [...document.querySelectorAll('main [id]')];
        const places = all.filter(e => links.includes(e.id) || e.matches('figure'));
        let section;
        for (const place of places) {
            if (links.includes(place.id)) section = place.id;
            location.hash = place.id;
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 20))));
            const low = scrollY + innerHeight > document.documentElement.scrollHeight - 1;
            const marked = document.querySelector('.toc a[aria-current]').hash.slice(1);
            if (marked !== section && !low) wrong.push([place.id, marked, section]);
        }
        return [places.length, wrong] }"""
    count, found = tab.evaluate(wrong)
    assert count > 10
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_row_keeps_its_names_while_its_numbers_scroll(visit, page, scheme):
    tab = visit(page.as_uri(), PHONE, scheme)
    for id, names in (("tbl-models", 1), ("tbl-strategies", 2)):
        box = tab.locator(f"#{id} .scroll")
        box.evaluate("e => { e.scrollLeft = 200 }")
        places, tints, left = box.evaluate(
            """(e, names) => {
                e.scrollIntoView();
                const at = e.getBoundingClientRect(), cells = [...e.querySelector('tbody tr').cells].slice(0, names);
                const kept = cell => { const r = cell.getBoundingClientRect();
                    return document.elementFromPoint(r.left + 2, r.top + 8) === cell && r.right < at.right - 60 };
                return [cells.map(kept), cells.map(c => getComputedStyle(c).backgroundColor), e.scrollLeft] }""",
            names,
        )
        assert left > 100
        assert places == [True] * names
        assert set(tints) == {"rgb(254, 254, 254)" if scheme == "light" else "rgb(21, 25, 29)"}


def test_a_rule_beside_the_names_of_rows_stands_only_where_numbers_scroll(visit, page):
    shadow = "getComputedStyle(document.querySelector('{}')).boxShadow"
    tab = visit(page.as_uri(), PHONE)
    assert "inset" in tab.evaluate(shadow.format("#tbl-strategies td.k"))
    assert tab.evaluate(shadow.format("#tbl-bands tbody th")) == "none"


def test_what_scrolls_sideways_shows_it(visit, page):
    tab = visit(page.as_uri(), PHONE)
    unfold(tab)
    bare = """[...document.querySelectorAll('.scroll')]
        .filter(e => !getComputedStyle(e).backgroundImage.startsWith('linear-gradient'))
        .map(e => e.outerHTML.slice(0, 80))"""
    assert tab.evaluate(bare) == []


def test_checksums_break_instead_of_widening_their_table(visit, page):
    tab = visit(page.as_uri(), PHONE)
    assert tab.evaluate(
        "[...document.querySelectorAll('.made .scroll')].every(e => e.scrollWidth <= e.clientWidth + 1)"
    )


def test_figures_fit_a_phone_and_stand_clear_of_its_edge(visit, page):
    tab = visit(page.as_uri(), PHONE)
    boxes = tab.evaluate(
        """[...document.querySelectorAll('.fig > .scroll')].map(e => [e.scrollWidth - e.clientWidth,
            e.getBoundingClientRect().left])"""
    )
    assert boxes
    assert all(over <= 1 and left >= 3 for over, left in boxes)


def test_a_phone_has_a_way_back_to_the_contents(visit, url):
    tab = visit(url)
    assert not tab.locator(".up").is_visible()
    tab = visit(url, PHONE)
    tab.evaluate("scrollTo(0, 3000)")
    tab.locator(".up").click()
    tab.wait_for_timeout(100)
    assert tab.locator(".toc > details > ol > li > a").first.is_visible()
    assert tab.locator("#contents").bounding_box()["y"] >= 0


def test_contents_mark_the_current_section(visit, url):
    tab = visit(url)
    for link in tab.locator(".toc > details > ol > li > a").all()[:3]:
        link.click()
        tab.wait_for_timeout(200)
        current = tab.locator(".toc a[aria-current]")
        assert current.count() == 1
        top = current.evaluate("e => e.closest('.toc > details > ol > li').firstElementChild.getAttribute('href')")
        assert top == link.get_attribute("href")


def test_a_link_to_a_folded_place_opens_it(visit, page):
    tab = visit(page.as_uri())
    tab.locator(".strip a").nth(9).click()
    row = tab.locator("#tbl-ledger-9")
    row.wait_for(state="visible")
    assert row.inner_text().startswith("C10")
    tab.locator('.front a[href="#cell-05-04"]').first.click()
    tab.locator("#cell-05-04 pre").wait_for(state="visible")


def test_data_behind_a_figure_downloads(visit, page, out):
    tab = visit(page.as_uri(), accept_downloads=True)
    with tab.expect_download() as waiting:
        tab.click('a[download="fig-roc.csv"]')
    saved = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert saved == (out / "tables" / "fig-roc.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_print_is_light_and_has_no_blank_page(visit, url, tmp_path, dark):
    if not shutil.which("pdftoppm"):
        pytest.skip("pdftoppm is not installed (apt-get install poppler-utils)")
    from PIL import Image

    tab = visit(url)
    if dark:
        tab.click("#theme")
    tab.pdf(path=tmp_path / "report.pdf", format="A4", prefer_css_page_size=True, print_background=True)
    command = ["pdftoppm", "-r", "20", "-gray", str(tmp_path / "report.pdf"), str(tmp_path / "p")]
    subprocess.run(command, check=True)
    pages = [Image.open(path).convert("L") for path in sorted(tmp_path.glob("p-*.pgm"))]
    assert len(pages) > 2
    ink = [sum(picture.histogram()[:200]) / (picture.width * picture.height) for picture in pages]
    assert min(ink) > 0.001, [i + 1 for i, share in enumerate(ink) if share <= 0.001]
    assert max(ink) < 0.5
    text = subprocess.run(["pdftotext", str(tmp_path / "report.pdf"), "-"], capture_output=True, text=True, check=True)
    assert "Dark theme" not in text.stdout
    assert "import " not in text.stdout
    assert "report.figure(" not in text.stdout


def test_print_measures_in_points_and_keeps_captions_whole(visit, page):
    tab = visit(page.as_uri())
    tab.emulate_media(media="print")
    assert tab.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") == pytest.approx(
        40 / 3, abs=0.01
    )
    assert tab.evaluate("getComputedStyle(document.querySelector('.out > p')).maxWidth") == "none"
    style = "getComputedStyle(document.querySelector('.tbl > figcaption'))"
    assert tab.evaluate(f"[{style}.breakInside, {style}.breakAfter]") == ["avoid", "avoid"]
    assert not tab.locator(".up").is_visible()


def too_wide(tab):
    """Tables that the printed page cuts, and cells whose text leaves them, as a browser lays out the print."""
    tab.emulate_media(media="print")
    tab.evaluate("document.querySelectorAll('details.full').forEach(e => e.open = true)")
    return tab.evaluate(
        """[...document.querySelectorAll('main table')].filter(e => e.offsetParent !== null
                && (e.getBoundingClientRect().right > e.closest('.scroll').getBoundingClientRect().right + .5
                    || [...e.querySelectorAll('th, td')].some(c => c.scrollWidth > c.clientWidth + 1)))
            .map(e => e.closest('figure')?.id)"""
    )


def test_no_table_is_wider_than_a_printed_page(visit, url):
    assert too_wide(visit(url, PAPER)) == []


WIDE = """```python
words = {columns} * ["{word}"]
rows = pd.DataFrame({{f"name {{i}}": [f"{{word}} {{i}}"] * 3 for i, word in enumerate(words)}})
report.table(rows, id="tbl-w-{columns}", caption="A table of {columns} columns.")
```"""


@pytest.fixture(scope="module")
def wide(out):
    """A book with tables of many columns, of usual and of very long words."""
    sizes = {9: "0.123", 16: "0.593 (0.526 to 0.663)", 18: "0.593 (0.526 to 0.663)", 26: "unconditional"}
    cells = ["# Wide tables", *(WIDE.format(columns=n, word=word) for n, word in sizes.items())]
    return books.build(books.write(out / "wide", {"03_wide": cells}), out / "alone")


def test_wide_tables_are_set_smaller_or_turned_and_keep_all_words(visit, wide, tmp_path):
    """In the layout, and on paper: no word of the PDF is beyond the margin, the widest tables are on turned pages."""
    tab = visit(wide.as_uri(), PAPER)
    assert too_wide(tab) == []
    classes = tab.evaluate("[...document.querySelectorAll('.tbl')].map(e => e.className)")
    assert classes == ["tbl", "tbl wide", "tbl turned", "tbl turned"]
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not installed (apt-get install poppler-utils)")
    tab.pdf(path=tmp_path / "wide.pdf", format="A4", prefer_css_page_size=True)
    command = ["pdftotext", "-bbox", str(tmp_path / "wide.pdf"), "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pages = re.findall(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', told, re.S)
    assert {float(width) > float(height) for width, height, _ in pages} == {False, True}
    for width, _, words in pages:
        ends = [float(x) for x in re.findall(r'xMax="([\d.]+)"', words)]
        assert max(ends, default=0) < float(width) - 16 / 25.4 * 72 + 1


def test_a_quick_run_is_watermarked(visit, executed, tmp_path):
    quick = tmp_path / "quick.html"
    quick.write_text(books.compose(executed, quick=True), encoding="utf-8")
    tab = visit(quick.as_uri())
    assert tab.get_by_text("Quick run.").is_visible()
    assert "QUICK" in tab.evaluate("getComputedStyle(document.body, '::after').content")
