"""The parts of the repository's own pages that come from results: findings in the README, and where figures are made.

A generated part stands between two comments, ``<!-- NAME: ... -->`` and ``<!-- end of NAME -->``; what is around it is
written by hand. The results are those of the committed report, whatever output folder is in use.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrition import claims, params, paths, results, sources
from attrition.findings import paragraphs
from attrition.findings.wording import USE_WORDS
from attrition.text import fill

SHORT = {
    "finding-ledger": "*{n} published claims hold.* {holding} do, {impossible} are impossible, {not supported} are not "
    "supported.",
    "finding-engineering": "*Engineered features raise the AUROC by {claimed:.2f}.* They change it by {found:+.3f}.",
    "finding-models": "*Logistic regression beats LightGBM, which beats XGBoost, in AUROC.* The differences are "
    "{lgbm:+.3f} and {second:+.4f}.",
    "finding-pilot": "*What is known on day {day} of a real trial tells who will leave it.* AUROC {found:.3f}; without "
    "the treatment arm {blinded:.3f}, by the arm alone {arm:.3f}.",
    "finding-worth": "*It pays to contact the patients whom a model flags.* Here: {use}.",
    "finding-leaks": "*A model that sees more than was known in time looks better than it is.* Of {n} ways to do so "
    "{raised} the AUROC; the largest difference is between {honest:.3f} and {leaky:.3f}.",
}
"""Finding to its line in the README."""
COMMITTED = paths.ROOT / "reports" / "results"


def _evidence(identifier: str, made_in: dict[str, str]) -> str:
    chapter = made_in[identifier]
    return f"[{identifier}](notebooks/{chapter}.ipynb)"


def _judged() -> tuple[list[dict[str, Any]], dict[str, Any], Any]:
    """The ledger's rows, the chapters' results and the parameters of the front page."""
    chapters = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(COMMITTED.glob("0*.json"))}
    return claims.evaluate(claims.load(), chapters), chapters, params.load("00_findings")


def answer() -> str:
    """The answer of the whole report in one paragraph, as chapter 00 gives it."""
    one = paragraphs.answer(*_judged())
    return fill(one.template, one.values)


def findings() -> str:
    """The front page's findings as a Markdown list, a line each: verdict, claim, number, notebook of the evidence."""
    made_in = {identifier: chapter for chapter, identifiers in sources.shown().items() for identifier in identifiers}
    lines = []
    for one in paragraphs.front_page(*_judged()):
        use = USE_WORDS.get(one.verdict, USE_WORDS["not supported"]).format(where=one.values.get("where", ""))
        told = fill(SHORT[one.id], {"use": use} | dict(one.values))
        lines.append(f"- **{one.verdict.capitalize()}:** {told} ({_evidence(one.evidence[0], made_in)})")
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
    "answer": (paths.ROOT / "README.md", answer),
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
