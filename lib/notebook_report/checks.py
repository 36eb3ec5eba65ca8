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

from notebook_report import markdown

PAGE_LIMIT = 3 * 1024 * 1024
FIGURE_LIMIT = 150 * 1024
STYLE_LIMIT = 16_000
SCRIPT_LIMIT = 5_000
FILLER = "No description has been provided"
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href", "ping"}
FORBIDDEN = {"iframe", "object", "embed", "form", "base", "frame", "audio", "video", "source", "portal"}
POINTERS = ("aria-labelledby", "aria-describedby", "aria-controls", "for")
LEFT_BLANK = {"figcaption", "caption", "th", "h1", "h2", "h3", "h4", "h5", "h6", "a", "summary", "button", "title"}


class _Page(HTMLParser):
    """Collects what the checks look at, in one pass."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[tuple[str, dict[str, str], list[str]]] = []
        self.closed: list[tuple[str, dict[str, str], str, list[str]]] = []
        self.inner: list[set[str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element; an image counts as content of its ancestors."""
        known = {name: value or "" for name, value in attrs}
        self.tags.append((tag, known))
        for names in self.inner:
            names.add(tag)
        if tag not in VOID:
            self.open.append((tag, known, []))
            self.inner.append(set())

    def handle_endtag(self, tag: str) -> None:
        """Close an element and pass its text on to its parent."""
        while any(name == tag for name, _, _ in self.open):
            name, known, parts = self.open.pop()
            inside = self.inner.pop()
            text = "".join(parts)
            self.closed.append((name, known, text, sorted(inside)))
            if self.open and name not in {"script", "style"}:
                self.open[-1][2].append(text)
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        """Note text; script and style are looked at on their own."""
        if self.open:
            self.open[-1][2].append(data)
            if self.open[-1][0] not in {"script", "style"}:
                self.text.append(data)


def _addresses(page: _Page) -> Iterator[str]:
    ids = Counter(known["id"] for _, known in page.tags if "id" in known)
    yield from [f"id {name!r} is used {count} times" for name, count in ids.items() if count > 1]
    for tag, known in page.tags:
        href = known.get("href", "")
        if tag == "a" and href.startswith("#") and href[1:] not in ids:
            yield f"a link to {href}, which does not exist"
        wanted = [name for pointer in POINTERS for name in known.get(pointer, "").split()]
        yield from [f"<{tag}> points to #{name}, which does not exist" for name in wanted if name not in ids]


def _loads(page: _Page) -> Iterator[str]:
    for tag, known in page.tags:
        if tag in FORBIDDEN:
            yield f"<{tag}> has no place in the report"
        for name, value in known.items():
            if (name in LOADING or (name == "href" and tag == "image")) and not value.startswith("data:"):
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
    for tag, known, text, inside in page.closed:
        if tag == "figure" and "figcaption" not in inside:
            yield f"figure {known.get('id', '')!r} has no caption"
        if tag == "figure" and not {"img", "svg", "table"} & set(inside):
            yield f"figure {known.get('id', '')!r} is empty"
        if known.get("class", "").split()[:1] == ["out"] and not text.strip() and not {"img", "svg"} & set(inside):
            yield "an output is empty"


def _words(page: _Page) -> Iterator[str]:
    yield from [f"an empty <{tag}>" for tag, _, text, _ in page.closed if tag in LEFT_BLANK and not text.strip()]
    text = " ".join(page.text)
    yield from [f"the text shows {trace!r}" for trace in dict.fromkeys(markdown.traces(text))]
    for tag, _, said, _ in page.closed:
        if tag in {"td", "p", "figcaption", "li"} and re.search(r"(?<![\w.])(?:nan|NaN|NaT|<NA>)(?!\w)", said):
            yield f"a missing value in <{tag}>: {said.strip()[:60]!r}"
    if any(tag == "merror" for tag, _ in page.tags):
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
        texts = [text for name, _, text, _ in page.closed if name == tag]
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
    page = _Page()
    page.feed(html)
    page.close()
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
