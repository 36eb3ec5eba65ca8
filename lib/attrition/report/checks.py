"""What every finished report must satisfy; run ``python -m attrition.report.checks FILE`` on any HTML of ours."""

import base64
import hashlib
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from attrition.report import sanitise

PAGE_LIMIT = 3 * 1024 * 1024
FIGURE_LIMIT = 150 * 1024
STYLE_LIMIT = 12_000
SCRIPT_LIMIT = 5_000
FILLER = "No description has been provided"
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href", "ping"}
FORBIDDEN = {"iframe", "object", "embed", "form", "base", "frame", "audio", "video", "source", "svg", "portal"}
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


def picture(source: str) -> str:
    """Text of an embedded picture; empty for one that is not SVG."""
    head, _, body = source.partition(",")
    if "svg+xml" not in head:
        return ""
    return base64.b64decode(body).decode() if "base64" in head else unquote(body)


def _addresses(page: _Page) -> list[str]:
    ids = Counter(known["id"] for _, known in page.tags if "id" in known)
    found = [f"id {name!r} is used {count} times" for name, count in ids.items() if count > 1]
    for tag, known in page.tags:
        href = known.get("href", "")
        if tag == "a" and href.startswith("#") and href[1:] not in ids:
            found.append(f"a link to {href}, which does not exist")
        wanted = [name for pointer in POINTERS for name in known.get(pointer, "").split()]
        found += [f"<{tag}> points to #{name}, which does not exist" for name in wanted if name not in ids]
    return found


def _loads(page: _Page) -> list[str]:
    found = []
    for tag, known in page.tags:
        if tag in FORBIDDEN:
            found.append(f"<{tag}> has no place in the report")
        for name, value in known.items():
            if name in LOADING and not value.startswith("data:"):
                found.append(f"<{tag} {name}> would load {value[:60]!r}")
            if name.startswith("on"):
                found.append(f"<{tag}> has a handler {name}")
            if name == "style" and "url(" in value:
                found.append(f"<{tag}> loads through its style")
        href = known.get("href", "")
        if tag == "link" and not href.startswith("data:"):
            found.append(f"<link> would load {href[:60]!r}")
        allowed = ("#", "http://", "https://", "mailto:", "data:text/csv;")
        if tag == "a" and not href.startswith(allowed):
            found.append(f"a link of a forbidden kind: {href[:60]!r}")
        if tag == "a" and href.startswith("data:") and "download" not in known:
            found.append("a data link that is not a download")
    return found


def _figures(page: _Page) -> list[str]:
    found = []
    for tag, known in page.tags:
        if tag != "img":
            continue
        alt = known.get("alt", "").strip()
        if not alt or FILLER in alt:
            found.append(f"a picture without alternative text ({alt[:40]!r})")
        if len(known.get("src", "")) > FIGURE_LIMIT:
            found.append(f"a picture of {len(known['src']) // 1024} KiB ({alt[:40]!r})")
        drawing = picture(known.get("src", ""))
        if re.search(r"""(?:href|src)=["'](?!#|data:)|url\((?!["']?#)|@import|<script|<foreignObject""", drawing):
            found.append(f"a picture that loads or runs something ({alt[:40]!r})")
        found += [f"a picture shows {trace!r}" for trace in sanitise.traces(drawing)]
    for tag, known, text, inside in page.closed:
        if tag == "figure" and "figcaption" not in inside:
            found.append(f"figure {known.get('id', '')!r} has no caption")
        if tag == "figure" and not {"img", "table"} & set(inside):
            found.append(f"figure {known.get('id', '')!r} is empty")
        if known.get("class", "").split()[:1] == ["out"] and not text.strip() and "img" not in inside:
            found.append("an output is empty")
    return found


def _words(page: _Page) -> list[str]:
    found = [f"an empty <{tag}>" for tag, _, text, _ in page.closed if tag in LEFT_BLANK and not text.strip()]
    text = " ".join(page.text)
    found += [f"the text shows {trace!r}" for trace in dict.fromkeys(sanitise.traces(text))]
    for tag, _, said, _ in page.closed:
        if tag in {"td", "p", "figcaption", "li"} and re.search(r"(?<![\w.])(?:nan|NaN|NaT|<NA>)(?!\w)", said):
            found.append(f"a missing value in <{tag}>: {said.strip()[:60]!r}")
    if any(tag == "merror" for tag, _ in page.tags):
        found.append("a broken formula")
    return found


def _headings(page: _Page) -> list[str]:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    found = [] if levels.count(1) == 1 else [f"{levels.count(1)} headings of level 1"]
    steps = pairwise(levels)
    found += [f"a heading of level {b} below one of level {a}" for a, b in steps if b > a + 1]
    if not any(tag == "html" and known.get("lang") for tag, known in page.tags):
        found.append("the page does not name its language")
    return found


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _policy(page: _Page) -> list[str]:
    found = []
    policy = next((k["content"] for t, k in page.tags if t == "meta" and "Security" in k.get("http-equiv", "")), "")
    if "default-src 'none'" not in policy:
        found.append("no content security policy that forbids loading")
    for tag, limit, directive in (("style", STYLE_LIMIT, "style-src "), ("script", SCRIPT_LIMIT, "script-src ")):
        texts = [text for name, _, text, _ in page.closed if name == tag]
        if len(texts) != 1:
            found.append(f"{len(texts)} <{tag}> elements instead of one")
        rule = next((part for part in policy.split(";") if part.strip().startswith(directive)), "")
        found += [f"the policy does not name this <{tag}>" for text in texts if _hash(text) not in rule]
        found += [f"the {tag} takes {len(t.encode())} bytes" for t in texts if len(t.encode()) > limit]
    return found


def problems(html: str) -> list[str]:
    """Look for whatever a report must not have.

    Parameters
    ----------
    html : str
        A finished report.

    Returns
    -------
    list of str
        Empty for a sound report: one entry for each duplicate id, dangling link, load from the network, handler,
        missing caption or alternative text, empty output, missing value, trace of the machine, oversize, or flaw
        of the content security policy.

    Examples
    --------
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


def check_html(path: Path) -> list[str]:
    """`problems` of a file."""
    return problems(Path(path).read_text(encoding="utf-8"))


def main(arguments: list[str]) -> int:
    """Print the problems of each file; 1 when there are any."""
    found = [f"{name}: {problem}" for name in arguments for problem in check_html(Path(name))]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
