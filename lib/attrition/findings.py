"""The front page in words: sentences whose wording is chosen by the numbers they state.

Every function takes ledger rows (`attrition.claims.evaluate`) or chapters' results and gives a template with its
values, or a table. Nothing is computed here that a chapter has not stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from attrition.claims import count_verdicts
from attrition.rules import RULES, VERDICTS

Row = Mapping[str, Any]
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True)
class Finding:
    """A sentence with its numbers, verdict and evidence; `attrition.report.fill` puts `values` into "
    "`template`."""

    id: str
    template: str
    verdict: str
    evidence: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)


def by_id(rows: Sequence[Row]) -> dict[str, Row]:
    """Ledger rows by claim."""
    return {row["id"]: row for row in rows}


def count(n: int, noun: str = "", plural: str | None = None) -> str:
    """A small number in words, with its noun.

    Examples
    --------
    >>> count(1, "claim"), count(0, "claim"), count(14, "claim")
    ('one claim', 'no claims', '14 claims')
    """
    word = WORDS[n] if 0 <= n < len(WORDS) else str(n)
    named = noun if n == 1 else plural or f"{noun}s"
    return f"{word} {named}" if noun else word


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence with commas and a final *and*.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def ledger_finding(rows: Sequence[Row]) -> Finding:
    """How many published figures hold; *supported* when more than half do, *direction only* when a "
    "quarter do."""
    counts = count_verdicts(rows)
    holding = counts["reproduced"] + counts["supported"]
    share = holding / len(rows)
    verdict = "supported" if share > 0.5 else "direction only" if share >= 0.25 else "not supported"
    rest = [f"{counts[v]} {v}" for v in VERDICTS[2:] if counts[v]]
    template = (
        "Of {n} published figures {holding} hold ({reproduced} reproduced on the published data, "
        "{supported} supported over "
        "simulated trials)" + ("; {rest}." if rest else ".")
    )
    values = {"n": len(rows), "holding": holding, "rest": listed(rest) if rest else "", **counts}
    return Finding("finding-ledger", template, verdict, ("tbl-ledger", "tbl-arithmetic"), values)


def effect_words(row: Row) -> str:
    """What became of a claimed effect, in words.

    Examples
    --------
    >>> effect_words({"verdict": "direction only"})
    'has the claimed direction at less than half the claimed size'
    """
    return {
        "reproduced": "is what the published data give",
        "supported": "holds, in direction and to at least half its size",
        "not testable": "cannot be settled",
        "direction only": "has the claimed direction at less than half the claimed size",
        "not supported": "does not hold",
        "impossible": "cannot be right",
    }[row["verdict"]]


def measured_effect(row: Row) -> dict[str, float]:
    """The measured effect of a claim with its interval: its one ``direction_and_half`` statement."""
    (part,) = [part for part in row["statements"] if part["rule"] == "direction_and_half"]
    return {"value": part["measured"], "ci_low": part["ci_low"], "ci_high": part["ci_high"]}


def relation(found: Mapping[str, float], smallest: float) -> str:
    """How an effect with its interval lies to the smallest difference of interest.

    Examples
    --------
    >>> relation({"value": 0.002, "ci_low": 0.001, "ci_high": 0.003}, 0.01)
    'less than would matter'
    """
    if found["ci_low"] >= smallest:
        return "more than the smallest difference that would matter"
    if found["ci_high"] <= -smallest:
        return "a loss that matters"
    if max(abs(found["ci_low"]), abs(found["ci_high"])) < smallest:
        return "less than would matter"
    return "too uncertain to tell from the smallest difference that would matter"


def burden_finding(rows: Sequence[Row]) -> Finding:
    """What the most advertised feature is worth."""
    row, rank = by_id(rows)["C29"], by_id(rows)["C31"]
    found = measured_effect(row)
    template = (
        "The feature that was published as the most valuable, burden, adds {found:+.4f} of AUROC over "
        "simulated trials where "
        "{claimed:+.3f} was claimed: {relation}. Among nine features it ranks {place}."
    )
    values = {
        "found": found,
        "claimed": row["statements"][-1]["published"],
        "relation": relation(found, row["margin"]),
        "place": rank["statements"][0]["place"],
    }
    return Finding("finding-burden", template, row["verdict"], tuple(row["evidence"]), values)


def engineering_finding(rows: Sequence[Row]) -> Finding:
    """What all engineered features together are worth; the verdict is that on the effect, arithmetic apart."""
    row = by_id(rows)["C28"]
    part = next(part for part in row["statements"] if part["rule"] == "direction_and_half")
    template = (
        "All feature engineering together, rates, interactions and domain encodings, is worth "
        "{found:+.3f} of AUROC to a "
        "logistic regression, where {claimed:+.2f} was published: the claim {words}."
    )
    values = {
        "found": measured_effect(row),
        "claimed": part["published"],
        "words": effect_words(part),
    }
    return Finding("finding-engineering", template, part["verdict"], tuple(row["evidence"]), values)


def models_finding(rows: Sequence[Row], lr: Mapping[str, float], oracle: float) -> Finding:
    """Which model is best, and how close it comes to what is attainable.

    Parameters
    ----------
    lr : mapping
        Population AUROC of logistic regression, an interval.
    oracle : float
        AUROC of the true probabilities.
    """
    row = by_id(rows)["C12"]
    leads = {
        key: {k: lead[k] for k in ("ci_low", "ci_high")} | {"value": lead["measured"]}
        for key, lead in zip(("lgbm", "xgb"), row["statements"][0]["leads"], strict=True)
    }
    ahead = all(lead["ci_low"] is not None and lead["ci_low"] > 0 for lead in leads.values())
    opening = (
        "Logistic regression ranks patients better than the boosted trees"
        if ahead
        else "Logistic regression does not rank patients better than both boosted trees"
    )
    template = opening + (
        " (by {lgbm:.3f} of AUROC against LightGBM, by {xgb:.3f} against XGBoost) and reaches {share:.0%} "
        "of the attainable lift over chance: an AUROC of {lr:.3f} where the true probabilities give {oracle:.3f}."
    )
    share = (lr["value"] - 0.5) / (oracle - 0.5)
    values = {**leads, "share": share, "lr": lr, "oracle": oracle}
    return Finding("finding-models", template, row["verdict"], tuple(row["evidence"]), values)


def split_finding(rows: Sequence[Row]) -> Finding:
    """How much one split of 200 patients can say."""
    row = by_id(rows)["C42"]
    spread = row["statements"][0]["measured"]
    one, other = (by_id(rows)[key]["statements"][0]["published"] for key in ("C01", "C10"))
    ratio = abs(one - other) / (2**0.5 * spread)
    wording = "well inside" if ratio < 1 else "at the edge of" if ratio < 2 else "beyond"
    template = (
        "One split with 200 test patients scatters with a standard deviation of {spread:.3f} in AUROC, "
        "against the {claimed:.2f} that was published as a sign of stability; a difference such as {one:.3f} "
        "against {other:.3f} is {wording} that noise."
    )
    claimed = row["statements"][0]["published"]
    values = {"spread": spread, "wording": wording, "claimed": claimed, "one": one, "other": other}
    return Finding("finding-one-split", template, row["verdict"], tuple(row["evidence"]), values)


def honest_words(auroc: Mapping[str, float]) -> str:
    """How an honest AUROC with its interval lies to chance.

    Examples
    --------
    >>> honest_words({"value": 0.55, "ci_low": 0.47, "ci_high": 0.63})
    'cannot be told from chance'
    """
    if auroc["ci_low"] > 0.5:
        return "is better than chance"
    return "is worse than chance" if auroc["ci_high"] < 0.5 else "cannot be told from chance"


def pilot_finding(rows: Sequence[Row], auroc: Mapping[str, Mapping[str, float]], at_risk: int, events: int) -> Finding:
    """What can be predicted at day 28 of the real trial."""
    row = by_id(rows)["C53"]
    template = (
        "In the real trial, among {at_risk} patients still in it at day 28 of whom {events} leave by week "
        "24, a logistic regression "
        "on all that was known by then has an AUROC of {found:.3f}: it {words}. The published attempt, "
        "which counted adverse "
        "events over the whole follow-up, reports {claimed:.3f}."
    )
    values = {
        "at_risk": at_risk,
        "events": events,
        "found": auroc["all"],
        "words": honest_words(auroc["all"]),
        "claimed": 0.5 + row["statements"][0]["published"],
    }
    return Finding("finding-pilot", template, row["verdict"], tuple(row["evidence"]), values)


def leak_finding(leaks: Mapping[str, Mapping[str, float]], smallest: float, evidence: Sequence[str]) -> Finding:
    """The dearest leak on the real trial; *supported* when its price has an interval beyond the smallest difference.

    Parameters
    ----------
    leaks : mapping
        Name to ``honest, leaky, difference, ci_low, ci_high``.
    smallest : float
        Smallest difference of interest.
    """
    name = max(sorted(leaks), key=lambda key: leaks[key]["difference"])
    dearest = leaks[name]
    price = {"value": dearest["difference"], "ci_low": dearest["ci_low"], "ci_high": dearest["ci_high"]}
    harmful = sum(leak["ci_low"] > 0 for leak in leaks.values())
    sure = price["ci_low"] > 0 and price["value"] >= smallest
    verdict = "supported" if sure else "direction only" if price["ci_low"] > 0 else "not supported"
    template = (
        "Leaks make models look good: of {n} ways to let a model see more than was known, {harmful} raise "
        "the AUROC beyond doubt; "
        "the dearest, {name}, turns {honest:.3f} into {leaky:.3f}, a gift of {price:+.3f}."
    )
    if not harmful:
        template = (
            "Of {n} ways to let a model see more than was known, none raises the AUROC beyond doubt; the "
            "largest difference, by "
            "{name}, is {price:+.3f}."
        )
    shown = {"n": len(leaks), "harmful": harmful, "name": name.replace("_", " "), "price": price}
    values = {**shown, "honest": dearest["honest"], "leaky": dearest["leaky"]}
    return Finding("finding-leaks", template, verdict, tuple(evidence), values)


def _found(part: Row) -> str:
    if part["measured"] is None:
        return ""
    digits = part.get("decimals", 0 if float(part["measured"]).is_integer() else 3)
    sign = "+" if part["rule"] == "direction_and_half" else ""
    text = f"{part['measured']:{sign}.{max(digits, 0)}f}"
    if part["ci_low"] is None or part["ci_high"] is None:
        return text
    return f"{text} ({part['ci_low']:{sign}.{digits}f} to {part['ci_high']:{sign}.{digits}f})"


def found_text(row: Row) -> str:
    """What was found, short enough for a table cell: measured figures where there are any, else the arithmetic.

    Examples
    --------
    >>> part = {"rule": "rounds_to", "measured": 0.6554, "decimals": 3, "ci_low": None, "ci_high": None}
    >>> found_text({"statements": [part, {"rule": "attainable", "measured": None}]})
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
    """Why each verdict is what it is: id, kind, rule, margin, verdict, reason, and the other "
    "prevalence's verdict."""
    return pd.DataFrame(
        {
            "id": row["id"],
            "estimand": row["estimand"],
            "rule": row["rule"].replace("_", " "),
            "margin": row["margin"],
            "verdict": row["verdict"],
            "reason": row["reason"],
            "other_setting": row["beside"]["verdict"] if row["beside"] else None,
        }
        for row in rows
    )


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
    """Operating points of the joint claims: claim, fpr, tpr, precision, published, least_any, least, "
    "matrices."""
    names = {"published": "published", "least_auc": "least_any", "measured": "least"}
    kept = ("fpr", "tpr", "precision", *names, "matrices")
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


def settings_words(rows: Sequence[Row]) -> tuple[str, dict[str, Any]]:
    """Whether the verdicts depend on the prevalence, as a sentence."""
    compared = [row for row in rows if row["beside"]]
    differ = [row["id"] for row in compared if row["beside"]["verdict"] != row["verdict"]]
    values = {"n": len(compared), "differ": len(differ), "ids": listed(differ) if differ else ""}
    if not differ:
        return "All {n} simulated claims get the same verdict at both event rates.", values
    return "Of {n} simulated claims {differ} get another verdict at the other event rate: {ids}.", values


Step = tuple[str, int, str]


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
    simulated: list[Step] = [
        ("patients drawn", published["n_patients"], f"{published['n_dropouts']} drop out"),
        ("to train on", train, f"{sizes['train_1']} drop out"),
        ("held out once", test, f"{sizes['test_1']} drop out"),
    ]
    counted = found["06_real_trial"]["flow"]
    gone = f"{counted['deaths']} deaths, {counted['sponsor']} ended by sponsor"
    pilot: list[Step] = [
        ("screened", counted["screened"], f"{counted['screen_failures']} screen failures"),
        ("randomised", counted["randomised"], f"{counted['primary']} leave by week 24; {gone}"),
    ]
    for day in landmarks:
        at = found["06_real_trial"]["landmarks"][str(day)]
        pilot.append((f"in the trial at day {day}", at["at_risk"], f"{at['primary']} leave after it"))
    return {"Simulated trial": simulated, "CDISC pilot": pilot}


def flow_table(columns: Mapping[str, Sequence[Step]]) -> pd.DataFrame:
    """Numbers of the flow figure: study, step, n, of whom."""
    return pd.DataFrame(
        {"study": study, "step": label, "n": n, "of whom": note}
        for study, steps in columns.items()
        for label, n, note in steps
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
