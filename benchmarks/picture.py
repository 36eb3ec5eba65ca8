"""Picture of the report's first screen, for the README: ``python benchmarks/picture.py REPORT PICTURE``."""

import io
import shutil
import sys
from pathlib import Path
from typing import Literal

from notebook_report import results

WIDTH, HEIGHT = 1280, 960
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def take(report: Path, picture: Path, scheme: Literal["light", "dark"] = "light") -> Path:
    """Photograph the top of a report in headless Chromium (extra ``dev``).

    Parameters
    ----------
    report : pathlib.Path
        A finished report.
    picture : pathlib.Path
        PNG to write, by rename.
    scheme : {"light", "dark"}

    Raises
    ------
    FileNotFoundError
        When there is no Chromium on this machine.
    """
    from PIL import Image
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise FileNotFoundError("chromium is not installed (apt-get install chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, device_scale_factor=1.5
        )
        page.goto(report.resolve().as_uri())
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128)
        browser.close()
    packed = io.BytesIO()
    shot.save(packed, "PNG", optimize=True)
    return results.publish(picture, packed.getvalue())


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
