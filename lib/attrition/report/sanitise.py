"""Nothing enters the report but what is on these lists; what a run leaves behind is scrubbed from text."""

import getpass
import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import nh3

from attrition import paths

PHRASING = {"a", "abbr", "b", "br", "code", "del", "em", "i", "kbd", "s", "small", "span", "strong", "sub", "sup", "u"}
FLOW = {"blockquote", "dd", "div", "dl", "dt", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
TABLE = {"caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"}
MATH_NAMES = """math mi mn mo mtext mspace ms mrow mfrac msqrt mroot mstyle merror mpadded mphantom
    msub msup msubsup munder mover munderover mmultiscripts mtable mtr mtd semantics annotation"""
MATH_ATTRIBUTE_NAMES = """display displaystyle scriptlevel mathvariant stretchy symmetric fence separator form
    lspace rspace minsize maxsize largeop movablelimits accent accentunder linethickness width height depth voffset
    class columnspan rowspan intent arg"""
MATH, MATH_ATTRIBUTES = set(MATH_NAMES.split()), set(MATH_ATTRIBUTE_NAMES.split())
ATTRIBUTES = {
    "*": {"class", "id"},
    "a": {"href", "class"},
    "th": {"scope", "colspan", "rowspan", "class"},
    "td": {"colspan", "rowspan", "class"},
    "ol": {"start"},
    **dict.fromkeys(MATH, MATH_ATTRIBUTES),
}


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=PHRASING | FLOW | TABLE | MATH,
        clean_content_tags={"script", "style", "iframe", "object", "template", "noscript"},
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def html(fragment: str) -> str:
    """Keep the elements and attributes of the allow-list, drop everything else.

    Examples
    --------
    >>> html('<p onclick="x()">kept<script>dropped()</script><img src=x onerror=y></p>')
    '<p>kept</p>'
    """
    return _cleaner().clean(fragment)


SUSPECT = re.compile(r"[/\\\x1b\r]|0x")
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
TEMPORARY = re.compile(r"(?:/tmp|/var/folders|/private/var)/[^\s'\"<>:,;)]*")
HOMES = re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\Users\\)[^\s/\\'\"<>:,;)]+")


@cache
def _roots() -> tuple[tuple[str, str], ...]:
    known = {
        str(paths.ROOT): "",
        str(Path(sys.prefix)): "<environment>",
        str(Path.home()): "~",
        tempfile.gettempdir(): "<temporary>",
    }
    usable = {root: name for root, name in known.items() if root.count("/") + root.count("\\") > 1}
    return tuple(sorted(usable.items(), key=lambda item: -len(item[0])))


def scrub(text: str) -> str:
    """Take terminal codes, memory addresses, folders and user names out of a text.

    Examples
    --------
    >>> scrub("<Axes at 0x7f3a2b1c4d50> of /home/ada/study/data.csv")
    '<Axes at 0x…> of ~/study/data.csv'
    """
    if not SUSPECT.search(text):
        return text
    text = ANSI.sub("", text)
    text = "\n".join(line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n"))
    for root, name in ((str(paths.out()), ""), *_roots()):
        text = text.replace(root + "/", f"{name}/" if name else "").replace(root, name or ".")
    return ADDRESS.sub("0x…", HOMES.sub("~", TEMPORARY.sub("<temporary>", text)))


def scrub_all(value: Any) -> Any:
    """Scrub every text inside nested lists and mappings."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: scrub_all(item) for key, item in value.items()}
    return [scrub_all(item) for item in value] if isinstance(value, list) else value


COMMON_USERS = {"root", "user", "users", "runner", "ubuntu", "debian", "admin", "jovyan", "build", "vscode", "test"}


def traces(text: str) -> list[str]:
    """Traces of the machine that are still in a text: addresses, absolute paths, the user's name.

    Examples
    --------
    >>> traces("read /home/ada/data.csv")
    ['/home/ada']
    """
    found = [match[0] for pattern in (ADDRESS, HOMES, TEMPORARY) for match in pattern.finditer(text)]
    found += [root for root, _ in _roots() if root in text]
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        return found
    named = len(user) >= 4 and user not in COMMON_USERS and re.search(rf"\b{re.escape(user)}\b", text)
    return [*found, user] if named else found
