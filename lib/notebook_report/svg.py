"""Figures as small, themable, reproducible SVG."""

import base64
import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from notebook_report import project

# Text stays text, at a fraction of the bytes of outlines; Verdana has the widths of the computed layout
FONTS = "DejaVu Sans,Verdana,Segoe UI,Roboto,sans-serif"
RASTER_DPI = 192  # of what matplotlib was asked to rasterise (``rasterized=True``): a lossless picture among vectors
PAD = 0.04  # inches around a figure, so that no label touches the edge of a screen
LONG_PATH = 150  # lines of more points are drawn to a tenth of a point
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def draw(figure: Figure) -> str:
    """SVG of a figure in the light theme, without metadata or generated names: equal figures give equal text."""
    buffer = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": project.current.name}
    with mpl.rc_context(settings):
        figure.savefig(buffer, format="svg", metadata=NO_METADATA, bbox_inches="tight", pad_inches=PAD, dpi=RASTER_DPI)
    return tidy(buffer.getvalue())


SIZE = re.compile(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"')


def size(svg: str) -> tuple[float, float]:
    """Width and height of a picture, in points; raises where it does not say so."""
    found = SIZE.search(svg)
    if found is None:
        raise ValueError("the picture does not say how large it is")
    return float(found[1]), float(found[2])


def _short(match: re.Match[str]) -> str:
    """Coordinates to a hundredth of a point, of long lines to a tenth, without spare zeros and blanks."""
    digits = 1 if match[2].count("L") > LONG_PATH else 2

    def shorter(number: re.Match[str]) -> str:
        return f"{float(number[0]):.{digits}f}".rstrip("0").rstrip(".").replace("-0.", "-.").removeprefix("0") or "0"

    numbers = re.sub(r"-?\d+\.\d+", shorter, match[2].strip())
    return match[1] + re.sub(r"\s*([A-Za-z])\s*", r"\1", numbers) + '"'


def tidy(svg: str) -> str:
    """SVG as matplotlib writes it without what no reader sees, coordinates to a hundredth of a point, fonts named."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", svg)
    svg = re.sub(r'(\b(?:d|x|y|cx|cy|r|transform|points)=")([^"]*)"', _short, svg)
    svg = re.sub(r'(style="[^"]*)"', lambda m: m[1].replace("; ", ";").replace(": ", ":") + '"', svg)
    svg = re.sub(r'"data:image/png;base64,([^"]*)"', _webp, svg)
    return re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", svg)).strip()


def _webp(match: re.Match[str]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(re.sub(r"\s", "", match[1]))))
    picture.save(buffer, "WEBP", lossless=True, quality=100, method=4, exact=False)
    return f'"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"'
