"""The parts of the repository's own pages that come from results: findings in the README, and where figures are made.

A generated part stands between two comments, ``<!-- NAME: ... -->`` and ``<!-- end of NAME -->``; what is around it is
written by hand. The results are those of the committed report, whatever output folder is in use.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

from attrition import claims, params, paths, results, sources
from attrition.findings.paragraphs import front_page
from attrition.text import fill

COMMITTED = paths.ROOT / "reports" / "results"


def _evidence(identifier: str, made_in: dict[str, str]) -> str:
    chapter = made_in[identifier]
    return f"[{identifier}](notebooks/{chapter}.ipynb)"


def findings() -> str:
    """The front page's findings as a Markdown list: verdict, sentence with its numbers, notebooks of the evidence."""
    ledger = claims.load()
    chapters = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(COMMITTED.glob("0*.json"))}
    rows = claims.evaluate(ledger, chapters)
    made_in = {identifier: chapter for chapter, identifiers in sources.shown().items() for identifier in identifiers}
    lines = []
    for one in front_page(rows, chapters, params.load("00_findings")):
        proof = ", ".join(_evidence(identifier, made_in) for identifier in one.evidence)
        lines.append(f"- **{one.verdict.capitalize()}.** {fill(one.template, one.values)} ({proof})")
    return "\n".join(lines)


def figures() -> str:
    """Every figure and table by the notebook that makes it, as a Markdown table."""
    rows = ["| notebook | figures | tables |", "|---|---|---|"]
    for chapter, identifiers in sources.shown().items():
        kinds = {kind: [name for name in identifiers if name.startswith(kind)] for kind in ("fig", "tbl")}
        cells = [", ".join(f"`{name}`" for name in names) for names in kinds.values()]
        rows.append(f"| [{chapter}](../notebooks/{chapter}.ipynb) | {' | '.join(cells)} |")
    return "\n".join(rows)


GENERATED: dict[str, tuple[Path, Callable[[], str]]] = {
    "findings": (paths.ROOT / "README.md", findings),
    "figures": (paths.ROOT / "docs" / "figures.md", figures),
}
"""What is generated, the page it stands on, and the function that makes it."""


def page(name: str) -> str:
    """The page of `GENERATED` called `name` with its generated part as the committed results and notebooks have it.

    Raises
    ------
    ValueError
        When the page has not exactly one pair of the two comments.
    """
    path, make = GENERATED[name]
    part = re.compile(rf"(?P<start><!-- {name}: [^\n]*-->\n).*?(?P<end><!-- end of {name} -->)", re.DOTALL)
    text = path.read_text(encoding="utf-8")
    if len(part.findall(text)) != 1:
        raise ValueError(f"{path.name}: one pair of comments for {name!r} is needed")
    made = make()
    return part.sub(lambda match: f"{match['start']}{made}\n{match['end']}", text)


def stale() -> list[str]:
    """Names of `GENERATED` whose page is not as the committed results and notebooks have it."""
    return [name for name, (path, _) in GENERATED.items() if path.read_text(encoding="utf-8") != page(name)]


def write() -> list[str]:
    """Bring the generated parts up to date; gives the names of those that were not."""
    changed = stale()
    for name in changed:
        results.publish(GENERATED[name][0], page(name))
    return changed
