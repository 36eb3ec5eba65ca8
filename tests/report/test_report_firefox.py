"""The report in Firefox: as wide as the screen, folds and links that open them, figures and colours, no complaint."""

import pytest

from tests.report import firefox
from tests.report.test_report_browser import DESK, DRAWN, PHONE, PUBLISHED

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(firefox.PROGRAM is None, reason="firefox is not installed (apt-get install firefox-esr)"),
]
NARROW = (500, PHONE[1])
"""Firefox has no narrower window."""


@pytest.fixture(scope="module", params=["small book", "published report"])
def opened(request, page, tmp_path_factory):
    """Firefox, and the address of a report."""
    if request.param == "published report" and not PUBLISHED.exists():
        pytest.skip("reports/report.html is not there; run ./run_all.sh")
    with firefox.firefox(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser, page.as_uri() if request.param == "small book" else PUBLISHED.as_uri()


@pytest.mark.parametrize(("size", "shown"), [(DESK, "wide"), (NARROW, "narrow")], ids=["1440", "500"])
def test_pages_fit_and_figures_show(opened, size, shown):
    browser, url = opened
    browser.open(url, *size)
    assert browser.run("document.querySelectorAll('details.chapter[open]').length") == 0
    assert browser.run("document.documentElement.scrollHeight") <= (28 if size == DESK else 60) * size[1]
    browser.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert {tuple(one) for one in browser.run(DRAWN)} == {(False, shown), (True, "narrow")}
    assert browser.run("Math.min(...[...document.querySelectorAll('.fig > svg')].filter(e => e.checkVisibility())"
                       ".map(e => e.getBoundingClientRect().height))") > 50  # fmt: skip


def test_themes_turn_and_links_open_folds(opened):
    browser, url = opened
    browser.open(url, *DESK)
    ground = "getComputedStyle(document.body).backgroundColor"
    before = browser.run(ground)
    browser.run("document.getElementById('theme').click()")
    assert {before, browser.run(ground)} == {"rgb(254, 254, 254)", "rgb(21, 25, 29)"}
    ink = "getComputedStyle(document.querySelector('.fig text')).fill"
    assert browser.run(ink) in ("rgb(232, 235, 238)", "rgb(31, 36, 41)")
    browser.run("document.getElementById('theme').click()")
    browser.run("document.querySelector('.front a[href^=\"#n-\"]').click()")
    target = "document.querySelector(location.hash)"
    assert browser.run(f"{target}.checkVisibility()") is True
    assert browser.run(f"{target}.getBoundingClientRect().top") < DESK[1]
