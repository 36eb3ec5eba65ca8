"""Markdown to HTML: raw HTML shown as text, formulas as MathML, references filled in.

Nothing enters the report but elements on the lists here; what a run leaves behind is scrubbed from text.
"""

import getpass
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cache, partial
from html import escape
from pathlib import Path
from typing import Any

import math_core
import mistune
import nh3
from mistune.plugins.table import table as table_plugin

from notebook_report import project
from notebook_report import text as writing
from notebook_report.errors import BuildError

INLINE_MATH = r"(?<![\\$])\$(?![\s$])(?P<inline_math_text>(?:\\.|[^$\\])+?)(?<!\s)\$(?!\d)"
BLOCK_MATH = r"^ {0,3}\$\$(?P<block_math_text>[\s\S]+?)\$\$[ \t]*(?:\n|\Z)"
NOTEBOOK = re.compile(r"^(?:\./)?(?P<number>\d\d)_\w+\.ipynb$")


CONVERTER = math_core.LatexToMathML(fancy_error=False)


def formula(latex: str, where: str, display: bool = False) -> str:
    """MathML of a formula; one that does not parse is refused.

    >>> formula("p", "")
    '<math><mi>p</mi></math>'
    """
    try:
        return CONVERTER.convert_with_local_state(latex.strip(), displaystyle=display)
    except math_core.LatexError as error:
        raise BuildError(f"broken formula ${latex.strip()}$: {' '.join(str(error).split())}", where) from None


class Renderer(mistune.HTMLRenderer):
    """HTML of one cell: `where` names it in messages, ``label(id, where)`` gives the text of a reference."""

    def __init__(
        self, where: str, label: Callable[[str, str], str], heading: Callable[[str, int], str] | None = None
    ) -> None:
        super().__init__(escape=True)
        self.where, self.label, self.make_heading = where, label, heading

    def render_tokens(self, tokens: Iterable[dict[str, Any]], state: mistune.BlockState) -> str:
        """Tokens in order, text that an escaped character cut into pieces as one."""
        joined: list[dict[str, Any]] = []
        for token in tokens:
            if joined and token["type"] == joined[-1]["type"] == "text":
                joined[-1] = joined[-1] | {"raw": joined[-1]["raw"] + token["raw"]}
            else:
                joined.append(token)
        return super().render_tokens(joined, state)

    def text(self, text: str) -> str:
        """Words, with true minus signs and one form of per cent."""
        return super().text(writing.typeset(text))

    def heading(self, text: str, level: int, **attrs: object) -> str:
        """Heading, one level below its level in the notebook."""
        return self.make_heading(text, level) if self.make_heading else f"<p><strong>{text}</strong></p>\n"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Reference inside the book, link to another chapter, or link to the outside."""
        notebook = NOTEBOOK.match(url)
        target = f"#ch-{notebook['number']}" if notebook else url
        if target.startswith("#"):
            name = self.label(target[1:], self.where)
            return f'<a href="{escape(target)}">{text or escape(name)}</a>'
        if re.match(r"(https?|mailto):", target):
            return f'<a href="{escape(target)}">{text or escape(target)}</a>'
        return text or escape(target)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Pictures come from `report.figure` alone."""
        raise BuildError(f"a Markdown picture ({url[:40]}) has no place in the report; use report.figure", self.where)

    def block_code(self, code: str, info: str | None = None) -> str:
        """Code block without colours."""
        return f'<pre class="scroll"><code>{escape(code.rstrip())}</code></pre>\n'

    def table(self, text: str) -> str:
        """Table that scrolls inside itself."""
        return f'<div class="scroll"><table>{text}</table></div>\n'

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        """Cell of a Markdown table; an empty corner is no heading."""
        tag = 'th scope="col"' if head and text.strip() else "td"
        return f'<{tag} class="{(align or "left")[0]}">{text}</{tag[:2]}>'

    def inline_math(self, text: str) -> str:
        """Formula in a line."""
        return formula(text, self.where)

    def block_math(self, text: str) -> str:
        """Formula on a line of its own."""
        return f'<div class="math scroll">{formula(text, self.where, display=True)}</div>\n'


def _formula(kind: str, _: Any, match: Any, state: Any) -> int:
    state.append_token({"type": kind, "raw": match[f"{kind}_text"]})
    return match.end()


def _math_plugin(md: mistune.Markdown) -> None:
    md.inline.register("inline_math", INLINE_MATH, partial(_formula, "inline_math"), before="link")
    md.block.register("block_math", BLOCK_MATH, partial(_formula, "block_math"), before="list")


def render(source: str, renderer: Renderer) -> str:
    """HTML of a Markdown text, passed through the sanitiser."""
    md = mistune.Markdown(renderer=renderer, plugins=[table_plugin, _math_plugin])
    return sanitised(str(md(source)))


def inline(source: str, renderer: Renderer) -> str:
    """HTML of one paragraph (a caption, a sentence) without its ``<p>``."""
    html = render(source, renderer).strip()
    single = re.fullmatch(r"<p>((?:(?!<p>).)*)</p>", html, flags=re.S)
    return single[1] if single else html


def names(of: str) -> set[str]:
    """A list of names of ``vocabulary.yaml``."""
    return set(writing.VOCABULARY[of].split())


KEPT = {name: set(kept.split()) for name, kept in writing.VOCABULARY["attributes"].items()}
CLEANER = nh3.Cleaner(
    tags=names("elements") | names("math"),
    clean_content_tags=names("dropped"),
    attributes=KEPT | dict.fromkeys(names("math"), names("math_attributes")),
    url_schemes={"http", "https", "mailto"},
    link_rel=None,
)


def sanitised(fragment: str) -> str:
    """Keep the elements and attributes of the allow-list, drop everything else.

    >>> sanitised('<p onclick="x()">kept<script>dropped()</script><img src=x onerror=y></p>')
    '<p>kept</p>'
    """
    return CLEANER.clean(fragment)


SUSPECT = re.compile(r"[/\\\x1b\r]|0x")
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
TEMPORARY = re.compile(r"(?:/tmp|/var/folders|/private/var)/[^\s'\"<>:,;)]*")
HOMES = re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\Users\\)[^\s/\\'\"<>:,;)]+")


@cache
def _roots() -> tuple[tuple[str, str], ...]:
    known = {str(project.current.root): "", str(Path(sys.prefix)): "<environment>"}
    known |= {str(Path.home()): "~", tempfile.gettempdir(): "<temporary>"}
    usable = {root: name for root, name in known.items() if root.count("/") + root.count("\\") > 1}
    return tuple(sorted(usable.items(), key=lambda item: -len(item[0])))


def scrub(text: str) -> str:
    """Take terminal codes, memory addresses, folders and user names out of a text.

    >>> scrub("<Axes at 0x7f3a2b1c4d50> of /home/ada/study/data.csv")
    '<Axes at 0x…> of ~/study/data.csv'
    """
    if not SUSPECT.search(text):
        return text
    text = ANSI.sub("", text)
    text = "\n".join(line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n"))
    for root, name in ((str(project.out()), ""), *_roots()):
        text = text.replace(root + "/", f"{name}/" if name else "").replace(root, name or ".")
    return ADDRESS.sub("0x…", HOMES.sub("~", TEMPORARY.sub("<temporary>", text)))


def scrub_all(value: Any) -> Any:
    """Scrub every text inside nested lists and mappings."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: scrub_all(item) for key, item in value.items()}
    return [scrub_all(item) for item in value] if isinstance(value, list) else value


def traces(text: str) -> list[str]:
    """Traces of the machine that are still in a text: addresses, absolute paths, the user's name.

    >>> traces("read /home/ada/data.csv")
    ['/home/ada']
    """
    found = [match[0] for pattern in (ADDRESS, HOMES, TEMPORARY) for match in pattern.finditer(text)]
    found += [root for root, _ in _roots() if root in text]
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        return found
    named = len(user) >= 4 and user not in names("common_users") and re.search(rf"\b{re.escape(user)}\b", text)
    return [*found, user] if named else found
