"""One small book, made once, and a browser to read it with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pytest

from tests.report import books

CHROMIUM = Path("/usr/bin/chromium")
QUIET = """--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync
    --no-first-run --disable-default-apps --disable-dev-shm-usage"""
MADE = {
    "Run": {"profile": "full", "seed": 42},
    "Data": [{"file": "trial.csv", "sha256": "ab" * 32}, {"file": "pilot", "sha256": "cd" * 32}],
    "Note": "Nothing was measured.",
}


@pytest.fixture(scope="package", autouse=True)
def out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Output folder of its own for the tests of the report, and for no others."""
    folder = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(folder))
        mpl.use("agg")
        yield folder


@pytest.fixture(scope="package")
def executed(out: Path) -> Path:
    """Folder of executed notebooks."""
    return books.write(out / "executed")


@pytest.fixture(scope="package")
def page(executed: Path, out: Path) -> Path:
    """Finished report of the small book."""
    return books.build(executed, out, made=MADE)


@pytest.fixture(scope="package")
def html(page: Path) -> str:
    """Text of the finished report."""
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser():  # type: ignore[no-untyped-def]
    """Headless Chromium; tests that need it say why they are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: dev)")
    found = CHROMIUM if CHROMIUM.exists() else shutil.which("chromium")
    if not found:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(found), args=QUIET.split())
        yield chromium
        chromium.close()
