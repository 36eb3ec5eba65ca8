"""Figures that follow the reader's light or dark setting."""

import base64
import re

from attrition.plots.style import DARK, LIGHT

SPOKEN = {"black": "#1f2429", "#000000": "#1f2429", "white": "#fefefe", "#ffffff": "#fefefe"}
NAMES = {hexa: f"--{name}" for name, hexa in LIGHT.items()}


def themed(svg: str) -> str:
    """Swap the colours of the light theme for variables that a dark screen redefines.

    The picture is embedded as an image, and an image's ``prefers-color-scheme`` is the colour scheme of the place
    where it stands: it follows the page's switch as well as the reader's setting.

    Parameters
    ----------
    svg : str
        As `attrition.report.svg.draw` gives it.
    """
    used: set[str] = set()

    def variable(match: re.Match[str]) -> str:
        hexa = match[2].lower()
        hexa = SPOKEN.get(hexa, hexa)
        if hexa not in NAMES:
            return match[0]
        used.add(hexa)
        return f"{match[1]}:var({NAMES[hexa]})"

    body = re.sub(r"\b(fill|stroke|stop-color|color):\s*(#[0-9a-fA-F]{6}|black|white)\b", variable, svg)
    # Text without a colour of its own is black by default.
    names = sorted(name for name, hexa in LIGHT.items() if hexa in used or name == "ink")
    light = "".join(f"--{name}:{LIGHT[name]};" for name in names)
    dark = "".join(f"--{name}:{DARK[name]};" for name in names)
    style = (
        f"<style>svg{{{light}}}text{{fill:var(--ink)}}"
        f"@media(prefers-color-scheme:dark){{svg{{{dark}}}.l{{display:none}}.d{{display:inline}}}}</style>"
    )
    return re.sub(r"(<svg\b[^>]*>)", lambda m: m[1] + style, body, count=1)


def size(svg: str) -> tuple[float, float]:
    """Width and height of a figure in points."""
    box = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', svg)
    if box is None:
        raise ValueError("the picture does not say how large it is")
    return float(box[1]), float(box[2])


def embed(svg: str) -> tuple[str, float, float]:
    """Address of a themed figure for ``<img src>``, with its width and height in points."""
    width, height = size(svg)
    return _address(themed(svg)), width, height


def _single_quotes(match: re.Match[str]) -> str:
    return match[0] if "'" in match[0] else match[0].replace('"', "'")


def _address(svg: str) -> str:
    svg = re.sub(r"<[^<>]*>", _single_quotes, svg.replace("\n", " "))
    coded = svg.replace("%", "%25").replace("#", "%23").replace("<", "%3C").replace(">", "%3E")
    plain = "data:image/svg+xml;charset=utf-8," + coded.replace("&", "&amp;").replace('"', "&quot;")
    packed = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return min(plain, packed, key=len)
