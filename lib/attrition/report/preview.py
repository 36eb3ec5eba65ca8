"""How outputs look in JupyterLab, before the report numbers and links them."""

import re
from html import escape
from typing import Any


def references(markdown: str) -> str:
    """Give references without text their id as text, since only the report knows their number.

    Examples
    --------
    >>> references("see [](#fig-roc)")
    'see [fig-roc](#fig-roc)'
    """
    return re.sub(r"\[\]\(#([a-z0-9-]+)\)", r"[\1](#\1)", markdown)


def table(spec: dict[str, Any], caption: str = "", notes: str | None = None) -> str:
    """HTML of a table, everything escaped."""
    align = [column["align"] for column in spec["columns"]]
    head = "".join(
        f'<th scope="col" style="text-align:{a}">{escape(column["label"])}</th>'
        for column, a in zip(spec["columns"], align, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align:{a}">{escape(v)}</td>' for v, a in zip(row, align, strict=True))
        + "</tr>"
        for row in spec["rows"]
    )
    told = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    below = f"<p><small>{escape(notes)}</small></p>" if notes else ""
    return f"<table>{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def plain(spec: dict[str, Any], caption: str) -> str:
    """Text of a table, for terminals and diffs."""
    head = " | ".join(column["label"] for column in spec["columns"])
    return "\n".join([caption, head, *(" | ".join(row) for row in spec["rows"])])
