"""The report in a browser: no network, no violation, no overflow, and every control does what it says."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from attrition import paths
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
        tab.on("request", lambda made: made.url.startswith(("data:", url.split("#")[0])) or asked.append(made.url))
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


CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const parsed = {}, rgba = css => parsed[css] ||= (canvas.clearRect(0, 0, 1, 1), canvas.fillStyle = css,
        canvas.fillRect(0, 0, 1, 1), [...canvas.getImageData(0, 0, 1, 1).data].map((v, i) => i < 3 ? v : v / 255));
    const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
    const light = c => c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const ground = e => {
        const own = rgba(getComputedStyle(e).backgroundColor);
        return own[3] === 1 ? own.slice(0, 3)
            : over(own, e.parentElement ? ground(e.parentElement) : rgba('Canvas').slice(0, 3)) };
    const below = (text, svg) => { // the last shape that was painted under the middle of a text
        const box = text.getBoundingClientRect(), at = new DOMPoint(box.left + box.width / 2, box.top + box.height / 2);
        const shapes = [...svg.querySelectorAll('path, rect, circle, polygon')].filter(e => !e.closest('defs, clipPath')
            && e.compareDocumentPosition(text) & 4 && getComputedStyle(e).fill !== 'none'
            && e.isPointInFill(at.matrixTransform(e.getScreenCTM().inverse())));
        return shapes.reduce((under, e) => { const own = rgba(getComputedStyle(e).fill);
            own[3] *= getComputedStyle(e).fillOpacity * getComputedStyle(e).opacity;
            return over(own, under) }, ground(svg)) };
    const pale = e => e ? getComputedStyle(e).opacity * pale(e.parentElement) : 1;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), seen = new Map();
    let count = 0;
    for (let node; node = walk.nextNode();) {
        const e = node.parentElement;
        if (!node.data.trim() || !e.checkVisibility() || e.closest('.hidden, script, .skip')) continue;
        const style = getComputedStyle(e), svg = e.closest('svg');
        const under = svg ? below(e, svg) : ground(e), ink = rgba(svg ? style.fill : style.color);
        ink[3] *= pale(e);
        const [a, b] = [light(over(ink, under)), light(under)].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
        const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
        count++;
        if (ratio < (large ? 3 : 4.5)) seen.set(e.tagName + '.' + e.className + (e.closest('figure')?.id || ''),
            [ratio.toFixed(2), node.data.trim().slice(0, 40)]);
    }
    return [count, [...seen]] }"""
"""Texts whose contrast, computed over the backgrounds below them, is too low: axe leaves texts over gradients open."""


@pytest.mark.slow
@pytest.mark.parametrize("folded", [True, False], ids=["folded", "unfolded"])
@pytest.mark.parametrize("size", [DESK, PHONE, SMALL], ids=["1440", "390", "320"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violation(visit, url, size, scheme, folded):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (extra: dev)")
    tab = visit(url, size, scheme, bypass_csp=True)
    if not folded:
        unfold(tab)
    told = axe.Axe().run(tab, options={"resultTypes": ["violations"]}).response
    assert len(told["passes"]) > 25
    assert [(v["id"], [node["html"][:120] for node in v["nodes"][:3]]) for v in told["violations"]] == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_below_it(visit, url, scheme):
    tab = visit(url, scheme=scheme)
    unfold(tab)
    count, faint = tab.evaluate(CONTRAST)
    assert count > 300
    assert faint == []


@pytest.mark.slow
def test_faint_text_is_noticed(visit, page):
    tab = visit(page.as_uri(), bypass_csp=True)
    tab.add_style_tag(content=".lead p { color: #999 } .tbl td { background: #666 } svg text { fill: #aaa !important }")
    unfold(tab)
    _, faint = tab.evaluate(CONTRAST)
    assert {name.split(".")[0] for name, _ in faint} >= {"P", "TD", "text"}


SHIFT = """new Promise(done => { let sum = 0;
    new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value })
        .observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done(sum), 400) })"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
def test_nothing_moves_while_the_page_opens(visit, url, size):
    assert visit(url, size).evaluate(SHIFT) < 0.1


@pytest.mark.slow
def test_a_shift_is_noticed(browser, page, tmp_path):
    moved = tmp_path / "moved.html"
    push = "setTimeout(() => document.getElementById('main').style.paddingTop = '300px', 50)"
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8"))
    moved.write_text(text.replace("</script>", f";{push}</script>"), encoding="utf-8")
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = context.new_page()
    tab.goto(moved.as_uri())
    tab.wait_for_timeout(200)
    assert tab.evaluate(SHIFT) > 0.1
    context.close()


STOPS = """[...document.querySelectorAll('a[href], button, summary, [tabindex]')]
    .filter(e => e.tabIndex >= 0 && e.checkVisibility()).length"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
def test_a_keyboard_gets_through_the_folded_report(visit, url, size):
    tab = visit(url, size)
    tab.wait_for_timeout(100)
    assert 20 < tab.evaluate(STOPS) <= 300


@pytest.mark.slow
def test_the_folded_report_is_short(visit, url):
    tab = visit(url)
    assert tab.locator("details.chapter[open]").count() == 0
    assert tab.evaluate("document.documentElement.scrollHeight") <= 28 * DESK[1]


@pytest.mark.slow
def test_headings_have_names_of_their_own(visit, url):
    tab = visit(url)
    unfold(tab)
    names = tab.evaluate("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(e => e.textContent.trim())")
    assert len(names) > 10
    assert sorted(name for name in names if names.count(name) > 1) == []


@pytest.mark.slow
def test_the_answer_and_its_figure_come_at_once(visit, url):
    """The first figure whole on the first screen of a desk; with the answer above it on two screens of a phone."""
    for size, screens in ((DESK, 1), (PHONE, 2)):
        tab = visit(url, size)
        hero = tab.locator(".hero figure svg:visible").bounding_box()
        title = tab.locator(".front h1").bounding_box()
        assert 0 < title["y"] < hero["y"]
        assert hero["y"] + hero["height"] <= screens * size[1]


@pytest.mark.slow
def test_the_front_can_be_read_in_two_minutes(visit):
    if not PUBLISHED.exists():
        pytest.skip("reports/report.html is not there; run ./run_all.sh")
    tab = visit(PUBLISHED.as_uri())
    words = """(() => { const front = document.querySelector('.front').cloneNode(true);
        front.querySelectorAll('svg, details, .behind').forEach(e => e.remove());
        return front.textContent.trim().split(/\\s+/).length })()"""
    assert 450 <= tab.evaluate(words) <= 650
    assert 1 <= tab.locator(".front figure").count() <= 3


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESK, PHONE, SMALL], ids=["1440", "390", "320"])
def test_nothing_is_wider_than_the_screen(visit, url, size):
    tab = visit(url, size)
    unfold(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") == size[0]
    wide = """[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, .hidden, math')
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    assert tab.evaluate(wide) == []


LETTERS = """[...document.querySelectorAll('.fig svg')].filter(e => e.checkVisibility()).flatMap(svg => {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return [...svg.querySelectorAll('text')].map(e => [parseFloat(getComputedStyle(e).fontSize) * scale,
        svg.closest('figure').id]) })"""
"""Height of the letters of figures as they are shown, in pixels: sizes in a drawing are in its own units."""


@pytest.mark.slow
@pytest.mark.parametrize(("size", "least"), [(DESK, 11), (PHONE, 11), (SMALL, 8.95)], ids=["1440", "390", "320"])
def test_text_of_figures_can_be_read(visit, url, size, least):
    tab = visit(url, size)
    unfold(tab)
    letters = tab.evaluate(LETTERS)
    assert len({id for _, id in letters}) == tab.locator(".fig").count()
    assert sorted({(round(px, 2), id) for px, id in letters if px < least - 0.05}) == []


DRAWN = """[...document.querySelectorAll('.fig')].map(e => [!!e.closest('.even'),
    [...e.querySelectorAll(':scope > svg')].filter(s => s.checkVisibility()).map(s => s.classList[0]).join()])"""
"""Whether a figure has half the width of the page, and which of its drawings are shown."""


@pytest.mark.slow
def test_a_phone_and_a_half_page_have_drawings_of_their_own(visit, url):
    for size, whole in ((DESK, "wide"), (PHONE, "narrow")):
        tab = visit(url, size)
        unfold(tab)
        assert {tuple(one) for one in tab.evaluate(DRAWN)} == {(False, whole), (True, "narrow")}


@pytest.mark.slow
def test_text_of_figures_is_found_by_the_search_of_the_page(visit, page):
    tab = visit(page.as_uri())
    assert tab.evaluate("window.find('False-positive rate')") is True
    assert tab.evaluate("getSelection().anchorNode.parentElement.closest('svg').closest('figure').id") == "fig-roc"


@pytest.mark.slow
def test_nothing_hostile_ran(visit, page):
    tab = visit(page.as_uri())
    assert tab.evaluate("window.hit") is None


@pytest.mark.slow
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


@pytest.mark.slow
def test_pictures_show(visit, url):
    tab = visit(url)
    unfold(tab)
    empty = """[...document.querySelectorAll('.fig svg')].filter(e => e.checkVisibility() &&
        (e.getBoundingClientRect().height < 50 || !e.querySelector('path, use, rect, image'))).map(e => e.ariaLabel)"""
    assert tab.evaluate(empty) == []
    raster = "[...document.querySelectorAll('svg image')].map(e => e.getAttribute('href').slice(0, 22))"
    assert set(tab.evaluate(raster)) == {"data:image/webp;base64"}


@pytest.mark.slow
def test_skip_link_is_first_and_controls_follow(visit, url):
    tab = visit(url)
    order = []
    for _ in range(5):
        tab.keyboard.press("Tab")
        order.append(tab.evaluate("document.activeElement.textContent.trim()"))
    assert order[0] == "Skip to the report"
    assert order[1:] == ["Dark theme", "Open all chapters", "Contents", "The answer"]
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.slow
def test_skip_link_leads_to_the_report(visit, url):
    tab = visit(url)
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"


@pytest.mark.slow
def test_one_button_opens_and_closes_all_chapters(visit, url):
    tab = visit(url)
    count = "document.querySelectorAll('details.chapter').length"
    opened = "document.querySelectorAll('details.chapter[open]').length"
    assert tab.evaluate(opened) == 0
    tab.click("#all")
    assert tab.evaluate(opened) == tab.evaluate(count) > 0
    assert tab.inner_text("#all") == "Close all chapters"
    assert tab.evaluate("document.querySelectorAll('details.code[open]').length") == 0
    tab.click("#all")
    assert tab.evaluate(opened) == 0
    assert tab.inner_text("#all") == "Open all chapters"


@pytest.mark.slow
def test_folds_work_without_javascript(visit, page):
    for size in (DESK, PHONE):
        tab = visit(page.as_uri(), size, java_script_enabled=False)
        assert not tab.locator("#all").is_visible()
        assert not tab.locator(".toc ol").first.is_visible()
        tab.locator("details.chapter > summary").first.click()
        code = tab.locator("details.code").first
        assert not code.locator("pre").is_visible()
        code.locator("summary").click()
        assert code.locator("pre").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["#cell-05-04", "#tbl-hostile", "#c03-limits", "#n-3", "#ref-bob1999"])
def test_an_address_opens_the_folds_around_its_place(visit, page, place):
    tab = visit(page.as_uri() + place)
    tab.locator(place).wait_for(state="visible")
    assert 0 <= tab.locator(place).bounding_box()["y"] < DESK[1]


def darkness(tab, selector):
    """Mean brightness of an element as drawn, 0 to 255."""
    from PIL import Image

    picture = Image.open(io.BytesIO(tab.locator(selector).first.screenshot())).convert("L")
    return sum(value * count for value, count in enumerate(picture.histogram())) / (picture.width * picture.height)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_toggle_turns_page_and_figures(visit, url, scheme):
    tab = visit(url, scheme=scheme)
    sides = {"light": lambda value: value > 200, "dark": lambda value: value < 90}
    other = {"light": "dark", "dark": "light"}[scheme]
    assert sides[scheme](darkness(tab, ".hero svg:visible"))
    assert tab.inner_text("#theme") == f"{other.capitalize()} theme"
    tab.click("#theme")
    assert sides[other](darkness(tab, ".hero svg:visible"))
    assert sides[other](darkness(tab, "h1"))
    tab.reload()
    assert sides[other](darkness(tab, "h1"))
    tab.click("#theme")
    assert sides[scheme](darkness(tab, ".hero svg:visible"))


COLUMN = "[...document.querySelectorAll('#{} tbody tr')].map(r => r.lastElementChild.textContent)"


@pytest.mark.slow
def test_tables_sort_by_value_and_say_so(visit, page):
    tab = visit(page.as_uri())
    unfold(tab)
    head, column = tab.locator("#tbl-days thead th").last, COLUMN.format("tbl-days")
    rising = [f"{i / 8 - 0.5:.3f} (−1.000 to 2.000)".replace("-", "−") for i in range(12)]
    head.locator("[role=button]").focus()
    tab.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert tab.evaluate(column) == rising
    tab.keyboard.press(" ")
    assert head.get_attribute("aria-sort") == "descending"
    assert tab.evaluate(column) == rising[::-1]
    tab.locator("#tbl-days thead th").first.locator("[role=button]").click()
    assert head.get_attribute("aria-sort") is None


@pytest.mark.slow
def test_only_long_tables_sort(visit, url):
    tab = visit(url)
    unfold(tab)
    rows = """[...document.querySelectorAll('main table')].map(e =>
        [e.tBodies[0].rows.length, !!e.querySelector('th [role=button]')])"""
    told = tab.evaluate(rows)
    assert {sorts for n, sorts in told if n < 10} == {False}
    assert True in {sorts for n, sorts in told if n >= 10}


@pytest.mark.slow
def test_money_sorts_as_numbers_and_missing_cells_stand_last_both_ways(visit, page):
    tab = visit(page.as_uri())
    unfold(tab)
    head, column = tab.locator("#tbl-bands thead th").last, COLUMN.format("tbl-bands")
    head.locator("[role=button]").click()
    assert tab.evaluate(column)[:4] == ["−$20", "$45", "$300", "$1,200"]
    assert set(tab.evaluate(column)[-2:]) == {"–", ""}
    head.locator("[role=button]").click()
    assert tab.evaluate(column)[4:8] == ["$1,200", "$300", "$45", "−$20"]
    assert set(tab.evaluate(column)[-2:]) == {"–", ""}


@pytest.mark.slow
def test_a_ledger_row_is_not_hidden_under_the_head_of_its_table(visit, url):
    tab = visit(url + "#tbl-ledger")
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_row_keeps_its_names_while_its_numbers_scroll(visit, page, scheme):
    tab = visit(page.as_uri(), PHONE, scheme)
    unfold(tab)
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


@pytest.mark.slow
def test_a_rule_beside_the_names_of_rows_stands_only_where_numbers_scroll(visit, page):
    shadow = "getComputedStyle(document.querySelector('{}')).boxShadow"
    tab = visit(page.as_uri(), PHONE)
    unfold(tab)
    assert "inset" in tab.evaluate(shadow.format("#tbl-strategies td.k"))
    assert tab.evaluate(shadow.format("#tbl-bands tbody th")) == "none"


@pytest.mark.slow
def test_what_scrolls_sideways_shows_it(visit, page):
    tab = visit(page.as_uri(), PHONE)
    unfold(tab)
    bare = """[...document.querySelectorAll('.scroll')]
        .filter(e => !getComputedStyle(e).backgroundImage.startsWith('linear-gradient'))
        .map(e => e.outerHTML.slice(0, 80))"""
    assert tab.evaluate(bare) == []


@pytest.mark.slow
def test_checksums_break_instead_of_widening_their_table(visit, page):
    tab = visit(page.as_uri(), PHONE)
    unfold(tab)
    assert tab.evaluate(
        "[...document.querySelectorAll('.made .scroll')].every(e => e.scrollWidth <= e.clientWidth + 1)"
    )


@pytest.mark.slow
def test_figures_fit_a_phone_and_stand_clear_of_its_edge(visit, page):
    tab = visit(page.as_uri(), PHONE)
    unfold(tab)
    boxes = tab.evaluate(
        """[...document.querySelectorAll('.fig svg')].filter(e => e.checkVisibility()).map(e => {
            const box = e.getBoundingClientRect(); return [box.left, innerWidth - box.right, box.width] })"""
    )
    assert len(boxes) == 3
    assert all(min(left, right) >= 3 and width > 300 for left, right, width in boxes)


@pytest.mark.slow
def test_a_phone_has_a_way_back_to_the_contents(visit, url):
    tab = visit(url)
    assert not tab.locator(".up").is_visible()
    tab = visit(url, PHONE)
    tab.evaluate("scrollTo(0, 3000)")
    tab.locator(".up").click()
    tab.wait_for_timeout(100)
    assert tab.locator(".toc > details > ol > li > a").first.is_visible()
    assert tab.locator("#contents").bounding_box()["y"] >= 0


@pytest.mark.slow
def test_contents_mark_the_current_section(visit, url):
    tab = visit(url)
    for link in tab.locator(".toc > details > ol > li > a").all()[:2]:
        link.click()
        tab.wait_for_timeout(200)
        current = tab.locator(".toc a[aria-current]")
        assert current.count() == 1
        top = current.evaluate("e => e.closest('.toc > details > ol > li').firstElementChild.getAttribute('href')")
        assert top == link.get_attribute("href")


@pytest.mark.slow
def test_a_link_to_a_folded_place_opens_it(visit, page):
    tab = visit(page.as_uri())
    tab.locator('.front a[href="#tbl-ledger"]').click()
    tab.locator(".strip a").nth(9).click()
    row = tab.locator("#tbl-ledger-9")
    row.wait_for(state="visible")
    assert row.inner_text().startswith("C10")
    tab.locator('.front a[href="#n-2"]').click()
    tab.locator("#n-2").wait_for(state="visible")
    tab.locator('#n-2 a[href="#cell-05-04"]').click()
    tab.locator("#cell-05-04 pre").wait_for(state="visible")


@pytest.mark.slow
def test_data_behind_a_figure_downloads(visit, page, out):
    tab = visit(page.as_uri(), accept_downloads=True)
    with tab.expect_download() as waiting:
        tab.click('a[download="fig-roc.csv"]')
    saved = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert saved == (out / "tables" / "fig-roc.csv").read_text(encoding="utf-8")


def printed(tab, path):
    """Text of the pages as they are printed, and the file."""
    for program in ("pdftotext", "pdftoppm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (apt-get install poppler-utils)")
    tab.pdf(path=path, format="A4", prefer_css_page_size=True, print_background=True)
    done = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True)
    return done.stdout.removesuffix("\f").split("\f")


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_print_is_light_and_has_no_blank_page(visit, url, tmp_path, dark):
    from PIL import Image

    tab = visit(url)
    if dark:
        tab.click("#theme")
    text = "\n".join(printed(tab, tmp_path / "report.pdf"))
    command = ["pdftoppm", "-r", "20", "-gray", str(tmp_path / "report.pdf"), str(tmp_path / "p")]
    subprocess.run(command, check=True)
    pages = [Image.open(path).convert("L") for path in sorted(tmp_path.glob("p-*.pgm"))]
    assert len(pages) >= 2
    ink = [sum(picture.histogram()[:200]) / (picture.width * picture.height) for picture in pages]
    assert min(ink) > 0.001, [i + 1 for i, share in enumerate(ink) if share <= 0.001]
    assert max(ink) < 0.5
    assert "Dark theme" not in text
    assert "import " not in text
    assert "report.figure(" not in text


@pytest.mark.slow
@pytest.mark.parametrize("chapters", [False, True], ids=["pages", "with chapters"])
def test_print_has_page_numbers_and_the_numbers_of_every_table(visit, url, tmp_path, chapters):
    """Chapters are printed when they are open."""
    tab = visit(url)
    if chapters:
        tab.click("#all")
    tab.emulate_media(media="print")
    cells = tab.evaluate(
        """[...document.querySelectorAll('main table')].filter(e => e.checkVisibility()).map(e => {
            const all = [...e.querySelectorAll('tbody :is(td, th)')].map(c => c.textContent.trim());
            const numbers = all.filter(t => /\\d/.test(t) && t.length < 40).sort((a, b) => b.length - a.length);
            return [e.closest('figure')?.id || e.textContent.slice(0, 30), numbers[0], numbers.at(-1)] })"""
    )
    pages = printed(tab, tmp_path / "report.pdf")
    assert [re.findall(r"(\d+) ?/ ?(\d+)\s*$", page) for page in pages] == [
        [(str(at), str(len(pages)))] for at in range(1, len(pages) + 1)
    ]
    words = set(" ".join(pages).split())
    assert len(cells) >= (4 if chapters else 1)
    sampled = [
        (id, part) for id, *own in cells for n in own for part in re.split(r"[\s-]+", n or "") if re.search(r"\d", part)
    ]
    assert [(id, part) for id, part in sampled if not any(part in word for word in words)] == []
    assert ("Chapter" in "".join(pages) or "CHAPTER" in "".join(pages)) is chapters
    assert "Referen" in "".join(pages)


@pytest.mark.slow
def test_front_and_study_are_printed_on_about_twenty_pages(visit, tmp_path):
    if not PUBLISHED.exists():
        pytest.skip("reports/report.html is not there; run ./run_all.sh")
    assert 12 <= len(printed(visit(PUBLISHED.as_uri()), tmp_path / "report.pdf")) <= 24


CUT = """() => [...document.querySelectorAll('main *')].filter(e => e.checkVisibility()
    && !e.closest('svg, math, .hidden') && (e.getBoundingClientRect().right > innerWidth + 1
        || getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1
        || getComputedStyle(e).overflowY !== 'visible' && e.scrollHeight > e.clientHeight + 1))
    .map(e => e.outerHTML.slice(0, 90))"""


@pytest.mark.slow
@pytest.mark.parametrize("chapters", [False, True], ids=["pages", "with chapters"])
def test_print_cuts_nothing_off(visit, url, chapters):
    tab = visit(url, PAPER)
    if chapters:
        tab.evaluate("document.querySelectorAll('details.chapter').forEach(e => e.open = true)")
    tab.emulate_media(media="print")
    assert tab.evaluate(CUT) == []


@pytest.mark.slow
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
    tab.evaluate("document.querySelectorAll('details:is(.full, .chapter)').forEach(e => e.open = true)")
    return tab.evaluate(
        """[...document.querySelectorAll('main table')].filter(e => e.offsetParent !== null
                && (e.getBoundingClientRect().right > e.closest('.scroll').getBoundingClientRect().right + .5
                    || [...e.querySelectorAll('th, td')].some(c => c.scrollWidth > c.clientWidth + 1)))
            .map(e => e.closest('figure')?.id)"""
    )


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_quick_run_is_watermarked(visit, executed, tmp_path):
    quick = tmp_path / "quick.html"
    quick.write_text(books.compose(executed, quick=True), encoding="utf-8")
    tab = visit(quick.as_uri())
    assert tab.get_by_text("Quick run.").is_visible()
    assert "QUICK" in tab.evaluate("getComputedStyle(document.body, '::after').content")
