"""What every finished report must satisfy; run ``python -m notebook_report.checks FILE`` on any HTML of ours."""

import base64
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from notebook_report import markdown

PAGE_LIMIT = 3 * 1024 * 1024
FIGURE_LIMIT = 150 * 1024
STYLE_LIMIT = 16_000
SCRIPT_LIMIT = 5_000
FILLER = "No description has been provided"


def _addresses(page: Any) -> Iterator[str]:
    pointers = markdown.names("pointers")
    ids = Counter(one["id"] for one in page.find_all(id=True))
    yield from [f"id {name!r} is used {count} times" for name, count in ids.items() if count > 1]
    for one in page.find_all(True):
        href = one.get("href", "")
        if one.name == "a" and href.startswith("#") and href[1:] not in ids:
            yield f"a link to {href}, which does not exist"
        wanted = [name for pointer in pointers for name in one.get(pointer, "").split()]
        yield from [f"<{one.name}> points to #{name}, which does not exist" for name in wanted if name not in ids]


def _loads(page: Any) -> Iterator[str]:
    forbidden, loading = markdown.names("forbidden"), markdown.names("loading")
    for tag, known in ((one.name, one.attrs) for one in page.find_all(True)):
        if tag in forbidden:
            yield f"<{tag}> has no place in the report"
        for name, value in known.items():
            if (name in loading or (name == "href" and tag == "image")) and not value.startswith("data:"):
                yield f"<{tag} {name}> would load {value[:60]!r}"
            if name.startswith("on"):
                yield f"<{tag}> has a handler {name}"
            if name == "style" and re.search(r"url\((?!#)", value):
                yield f"<{tag}> loads through its style"
        href = known.get("href", "")
        if tag == "link" and not href.startswith("data:"):
            yield f"<link> would load {href[:60]!r}"
        allowed = ("#", "http://", "https://", "mailto:", "data:text/csv;", "data:application/gzip;")
        if tag == "a" and not href.startswith(allowed):
            yield f"a link of a forbidden kind: {href[:60]!r}"
        if tag == "a" and href.startswith("data:") and "download" not in known:
            yield "a data link that is not a download"


def _figures(page: Any) -> Iterator[str]:
    for picture in page.find_all(["img", "svg"]):
        alt = picture.get("aria-label" if picture.name == "svg" else "alt", "").strip()
        if not alt or FILLER in alt:
            yield f"a picture without alternative text ({alt[:40]!r})"
    for one in page.find_all(["script", "foreignobject", "use"]):
        if not one.get("href", "#").startswith("#"):
            yield f"<{one.name}> loads {one['href'][:40]!r}"
        if one.name == "foreignobject":
            yield "a picture that shows something of its own"
    for figure in page.find_all("figure"):
        if not figure.find("figcaption"):
            yield f"figure {figure.get('id', '')!r} has no caption"
        if not figure.find(["img", "svg", "table"]):
            yield f"figure {figure.get('id', '')!r} is empty"
    for part in page.find_all("div", class_=re.compile(r"^out\b")):
        if not part.get_text(strip=True) and not part.find(["img", "svg"]):
            yield "an output is empty"


def _words(page: Any) -> Iterator[str]:
    never_empty = page.find_all(list(markdown.names("never_empty")))
    yield from [f"an empty <{one.name}>" for one in never_empty if not one.get_text(strip=True)]
    yield from [f"the text shows {trace!r}" for trace in dict.fromkeys(markdown.traces(page.get_text(" ")))]
    for one in page.find_all(["td", "p", "figcaption", "li"]):
        if re.search(r"(?<![\w.])(?:nan|NaN|NaT|<NA>)(?!\w)", said := one.get_text()):
            yield f"a missing value in <{one.name}>: {said.strip()[:60]!r}"
    if page.find("merror"):
        yield "a broken formula"


def _headings(page: Any) -> Iterator[str]:
    levels = [int(one.name[1]) for one in page.find_all(re.compile("^h[1-6]$"))]
    if levels.count(1) != 1:
        yield f"{levels.count(1)} headings of level 1"
    yield from [f"a heading of level {b} below one of level {a}" for a, b in pairwise(levels) if b > a + 1]
    if not page.select("html[lang]"):
        yield "the page does not name its language"


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def policy(css: str, js: str) -> str:
    """Content security policy of a report: its own style and script, and nothing from anywhere else."""
    own = f"style-src {_hash(css)}; style-src-attr 'unsafe-inline'; script-src {_hash(js)}"
    return f"default-src 'none'; img-src data:; {own}; base-uri 'none'; form-action 'none'"


def _policy(page: Any) -> Iterator[str]:
    policy = next((one["content"] for one in page.find_all("meta", {"http-equiv": re.compile("Security")})), "")
    if "default-src 'none'" not in policy:
        yield "no content security policy that forbids loading"
    for tag, limit, directive in (("style", STYLE_LIMIT, "style-src "), ("script", SCRIPT_LIMIT, "script-src ")):
        texts = [one.get_text() for one in page.find_all(tag)]
        if len(texts) != 1:
            yield f"{len(texts)} <{tag}> elements instead of one"
        rule = next((part for part in policy.split(";") if part.strip().startswith(directive)), "")
        yield from [f"the policy does not name this <{tag}>" for text in texts if _hash(text) not in rule]
        yield from [f"the {tag} takes {len(t.encode())} bytes" for t in texts if len(t.encode()) > limit]


def problems(html: str) -> list[str]:
    """Whatever a finished report must not have; empty for a sound one.

    One entry for each duplicate id, dangling link, load from the network, handler, missing caption or alternative text,
    empty output, missing value, trace of the machine, oversize, or flaw of the content security policy.

    >>> "a link to #gone, which does not exist" in problems('<a href="#gone">x</a>')
    True
    """
    page = BeautifulSoup(html, "html.parser", multi_valued_attributes=None)
    size = len(html.encode())
    found = [f"the page takes {size / 2**20:.1f} MiB; at most 3"] if size > PAGE_LIMIT else []
    for check in (_addresses, _loads, _figures, _words, _headings, _policy):
        found += check(page)
    return list(dict.fromkeys(found))


def main(arguments: list[str]) -> int:
    """Print the problems of each file; 1 when there are any."""
    found = [f"{name}: {problem}" for name in arguments for problem in problems(Path(name).read_text(encoding="utf-8"))]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
