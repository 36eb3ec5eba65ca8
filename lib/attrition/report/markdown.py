"""Markdown to HTML: raw HTML shown as text, formulas as MathML, references filled in."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from html import escape
from typing import Any

import math_core
import mistune
from mistune.plugins.table import table as table_plugin

from attrition import text as writing
from attrition.report import sanitise
from attrition.report.errors import BuildError

INLINE_MATH = r"(?<![\\$])\$(?![\s$])(?P<inline_math_text>(?:\\.|[^$\\])+?)(?<!\s)\$(?!\d)"
BLOCK_MATH = r"^ {0,3}\$\$(?P<block_math_text>[\s\S]+?)\$\$[ \t]*(?:\n|\Z)"
NOTEBOOK = re.compile(r"^(?:\./)?(?P<number>\d\d)_\w+\.ipynb$")


@cache
def _converter() -> math_core.LatexToMathML:
    return math_core.LatexToMathML(fancy_error=False)


def formula(latex: str, where: str, display: bool = False) -> str:
    """MathML of a formula.

    Raises
    ------
    BuildError
        For a formula that does not parse.

    Examples
    --------
    >>> formula("p", "")
    '<math><mi>p</mi></math>'
    """
    try:
        return _converter().convert_with_local_state(latex.strip(), displaystyle=display)
    except math_core.LatexError as error:
        raise BuildError(f"broken formula ${latex.strip()}$: {' '.join(str(error).split())}", where) from None


class Renderer(mistune.HTMLRenderer):
    """HTML of one cell.

    Parameters
    ----------
    where : str
        Notebook and cell, for messages.
    label : callable
        ``label(id, where)`` gives the text of a reference, e.g. ``"Figure 5"``; raises for an unknown id.
    heading : callable
        ``heading(text, level)`` gives the HTML of a heading.
    """

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


def _math_plugin(md: mistune.Markdown) -> None:
    def inline(parser, match, state):
        state.append_token({"type": "inline_math", "raw": match["inline_math_text"]})
        return match.end()

    def block(parser, match, state):
        state.append_token({"type": "block_math", "raw": match["block_math_text"]})
        return match.end()

    md.inline.register("inline_math", INLINE_MATH, inline, before="link")
    md.block.register("block_math", BLOCK_MATH, block, before="list")


def render(source: str, renderer: Renderer) -> str:
    """HTML of a Markdown text, passed through the sanitiser."""
    md = mistune.Markdown(renderer=renderer, plugins=[table_plugin, _math_plugin])
    return sanitise.html(str(md(source)))


def inline(source: str, renderer: Renderer) -> str:
    """HTML of one paragraph (a caption, a sentence) without its ``<p>``."""
    html = render(source, renderer).strip()
    single = re.fullmatch(r"<p>((?:(?!<p>).)*)</p>", html, flags=re.S)
    return single[1] if single else html
