"""Every check fires on a sound report spoilt in one place."""

import re
import sys

import pytest

from attrition.plots.style import DARK, LIGHT
from notebook_report import checks

SPOILT = {
    "duplicate id": (r'id="fig-roc"', 'id="fig-cloud"', "used 2 times"),
    "dangling link": (r'href="#fig-roc"', 'href="#fig-gone"', "does not exist"),
    "picture from the network": (r'(<image [^>]*href=")data:', r"\1https://example.org/", "would load"),
    "stylesheet from the network": (r"</head>", '<link rel="stylesheet" href="https://x.org/a.css"></head>', "<link>"),
    "handler": (r"<p>", '<p onclick="x()">', "has a handler"),
    "script link": (r'href="#fig-roc"', 'href="javascript:x()"', "forbidden kind"),
    "second script": (r"</body>", "<script>x()</script></body>", "2 <script> elements"),
    "changed script": (r"<script>", "<script>x();", "policy does not name this <script>"),
    "changed style": (r"<style>", "<style>p{}", "policy does not name this <style>"),
    "no policy": (r"default-src 'none'", "default-src *", "no content security policy"),
    "missing alt": (r'(<svg [^>]*) aria-label="[^"]+"', r"\1", "without alternative text"),
    "filler alt": (r'(<svg [^>]*aria-label=")[^"]+', rf"\1{checks.FILLER} for this image", "without alternative text"),
    "missing caption": (r'(id="fig-cloud".*?)<figcaption>.*?</figcaption>', r"\1", "no caption"),
    "empty caption": (r'(id="fig-cloud".*?<figcaption>).*?(</figcaption>)', r"\1\2", "empty <figcaption>"),
    "empty figure": (r'(id="fig-roc">).*?(<figcaption>)', r"\1\2", "figure 'fig-roc' is empty"),
    "empty output": (r'<div class="out">', '<div class="out"></div><div class="out">', "an output is empty"),
    "blank heading cell": (r'<th scope="col">No.</th>', '<th scope="col"></th>', "empty <th>"),
    "frame": (r"</main>", "<iframe></iframe></main>", "no place in the report"),
    "home folder": (r"</main>", "<p>/home/ada/trial.csv</p></main>", "shows '/home/ada'"),
    "address": (r"</main>", "<p>at 0x7f3a2b1c4d50</p></main>", "shows '0x7f3a2b1c4d50'"),
    "missing value": (r"</main>", "<p>The auroc is nan.</p></main>", "a missing value"),
    "skipped heading": (r"<h3 id", "<h6>x</h6><h3 id", "a heading of level 6 below"),
    "two titles": (r"</main>", "<h1>x</h1></main>", "2 headings of level 1"),
    "no language": (r'<html lang="en">', "<html>", "language"),
    "picture that loads": (r'(<use [^>]*href=")#', r"\1https://x.org/a.svg#", "<use> loads"),
    "picture that runs": (r"<svg ", '<svg onload="x()" ', "has a handler"),
    "picture with a page of its own": (r"</svg>", "<foreignObject><p>x</p></foreignObject></svg>", "of its own"),
    "data that open instead of downloading": (r'download="fig-roc.csv" ', "", "not a download"),
    "data of another kind": (r'href="data:application/gzip;', 'href="data:text/html;', "forbidden kind"),
    "large page": (r"</main>", "x" * (checks.PAGE_LIMIT + 1) + "</main>", "MiB; at most 3"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_check_fires(html, case):
    pattern, replacement, message = SPOILT[case]
    spoilt = re.sub(pattern, replacement.replace("\\1", r"\g<1>").replace("\\2", r"\g<2>"), html, count=1, flags=re.S)
    assert spoilt != html
    found = checks.problems(spoilt)
    assert any(message in problem for problem in found), found


def test_sizes_of_style_and_script(html):
    style, script = (re.search(rf"<{tag}>(.*?)</{tag}>", html, flags=re.S)[1] for tag in ("style", "script"))
    assert len(style.encode()) <= checks.STYLE_LIMIT
    assert len(script.encode()) <= checks.SCRIPT_LIMIT


@pytest.mark.slow
def test_command_line(page, tmp_path, capsys):
    assert checks.main([str(page)]) == 0
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(page.read_text(encoding="utf-8").replace('lang="en"', ""), encoding="utf-8")
    assert checks.main([str(spoilt)]) == 1
    assert "language" in capsys.readouterr().out


def luminance(colour):
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


PAIRS = [
    *((text, ground) for text in ("ink", "muted", "link") for ground in ("paper", "panel")),
    *((tone, f"{tone}bg") for tone in ("good", "half", "bad", "open")),
    *((tone, "panel") for tone in ("good", "half", "bad")),
    *((tone, "paper") for tone in ("good", "half", "bad", "open")),
    ("ink", "mark"), ("link", "mark"), ("muted", "mark"), ("ink", "halfbg"), ("link", "halfbg"),
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids="-on-".join)
def test_text_can_be_read_in_both_themes(html, pair):
    themes = {
        name: (light, dark) for name, light, dark in re.findall(r"--(\w+): ?light-dark\((#\w{6}),(#\w{6})\)", html)
    }
    for side in (0, 1):
        assert contrast(themes[pair[0]][side], themes[pair[1]][side]) >= 4.5


@pytest.mark.parametrize("name", [name for name in LIGHT if name not in ("paper", "grid")])
def test_marks_of_figures_can_be_seen_in_both_themes(name):
    assert contrast(LIGHT[name], LIGHT["paper"]) >= 4.5, "labels have the colours of their marks"
    assert contrast(DARK[name], DARK["paper"]) >= 4.5


def test_module_runs_as_a_command():
    assert checks.main([]) == 0
    assert "notebook_report.checks" in sys.modules
