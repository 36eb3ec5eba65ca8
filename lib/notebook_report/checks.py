"""What every finished report must satisfy; run ``python -m notebook_report.checks FILE`` on any HTML of ours."""

import base64
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder

from notebook_report import markdown

PAGE_LIMIT = 3 * 1024 * 1024
FIGURE_LIMIT = 150 * 1024
STYLE_LIMIT = 16_000
SCRIPT_LIMIT = 5_000
FILLER = "No description has been provided"
RAW = {"script", "style"}
"""What is looked at on its own, not as text."""


class _Page(HTMLParser):
    """The page as a tree; an element that is not closed ends with the one that holds it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open, self.builder, self.void = ["page"], TreeBuilder(), markdown.names("void")
        self.builder.start("page", {})
        self.feed(html)
        super().close()
        self.handle_endtag("page")
        self.root = self.builder.close()
        self.tags = [(element.tag, element.attrib) for element in self.root.iter()][1:]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in self.void:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """End an element and what is still open in it."""
        while tag in self.open:
            last = self.open.pop()
            self.builder.end(last)
            if last == tag:
                break

    def handle_data(self, data: str) -> None:
        """Take up text."""
        self.builder.data(data)

    def said(self, *tags: str) -> Iterator[tuple[Element, str]]:
        """Elements of these kinds with their text."""
        yield from ((one, "".join(one.itertext())) for one in self.root.iter() if one.tag in tags)


def _addresses(page: _Page) -> Iterator[str]:
    pointers = markdown.names("pointers")
    ids = Counter(known["id"] for _, known in page.tags if "id" in known)
    yield from [f"id {name!r} is used {count} times" for name, count in ids.items() if count > 1]
    for tag, known in page.tags:
        href = known.get("href", "")
        if tag == "a" and href.startswith("#") and href[1:] not in ids:
            yield f"a link to {href}, which does not exist"
        wanted = [name for pointer in pointers for name in known.get(pointer, "").split()]
        yield from [f"<{tag}> points to #{name}, which does not exist" for name in wanted if name not in ids]


def _loads(page: _Page) -> Iterator[str]:
    forbidden, loading = markdown.names("forbidden"), markdown.names("loading")
    for tag, known in page.tags:
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


def _figures(page: _Page) -> Iterator[str]:
    for tag, known in page.tags:
        alt = known.get("aria-label" if tag == "svg" else "alt", "").strip()
        if tag in ("img", "svg") and (not alt or FILLER in alt):
            yield f"a picture without alternative text ({alt[:40]!r})"
        if tag in ("script", "foreignobject", "use") and not known.get("href", "#").startswith("#"):
            yield f"<{tag}> loads {known['href'][:40]!r}"
        if tag == "foreignobject":
            yield "a picture that shows something of its own"
    for figure in page.root.iter("figure"):
        inside = {element.tag for element in figure.iter()}
        if "figcaption" not in inside:
            yield f"figure {figure.get('id', '')!r} has no caption"
        if not {"img", "svg", "table"} & inside:
            yield f"figure {figure.get('id', '')!r} is empty"
    for part, text in page.said("div"):
        shown = any(element.tag in ("img", "svg") for element in part.iter())
        if part.get("class", "").split()[:1] == ["out"] and not text.strip() and not shown:
            yield "an output is empty"


def _words(page: _Page) -> Iterator[str]:
    yield from [f"an empty <{one.tag}>" for one, text in page.said(*markdown.names("never_empty")) if not text.strip()]
    parts = ((one.text if one.tag not in RAW else "", one.tail) for one in page.root.iter())
    text = " ".join(part for pair in parts for part in pair if part)
    yield from [f"the text shows {trace!r}" for trace in dict.fromkeys(markdown.traces(text))]
    for one, said in page.said("td", "p", "figcaption", "li"):
        if re.search(r"(?<![\w.])(?:nan|NaN|NaT|<NA>)(?!\w)", said):
            yield f"a missing value in <{one.tag}>: {said.strip()[:60]!r}"
    if page.root.find(".//merror") is not None:
        yield "a broken formula"


def _headings(page: _Page) -> Iterator[str]:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    if levels.count(1) != 1:
        yield f"{levels.count(1)} headings of level 1"
    steps = pairwise(levels)
    yield from [f"a heading of level {b} below one of level {a}" for a, b in steps if b > a + 1]
    if not any(tag == "html" and known.get("lang") for tag, known in page.tags):
        yield "the page does not name its language"


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def policy(css: str, js: str) -> str:
    """Content security policy of a report: its own style and script, and nothing from anywhere else."""
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(css)}; style-src-attr 'unsafe-inline'; "
        f"script-src {_hash(js)}; base-uri 'none'; form-action 'none'"
    )


def _policy(page: _Page) -> Iterator[str]:
    policy = next((k["content"] for t, k in page.tags if t == "meta" and "Security" in k.get("http-equiv", "")), "")
    if "default-src 'none'" not in policy:
        yield "no content security policy that forbids loading"
    for tag, limit, directive in (("style", STYLE_LIMIT, "style-src "), ("script", SCRIPT_LIMIT, "script-src ")):
        texts = [text for _, text in page.said(tag)]
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
    page = _Page(html)
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
