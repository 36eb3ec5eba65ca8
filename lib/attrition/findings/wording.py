"""The front page in words: sentences whose wording is chosen by the numbers they state.

Each finding names the claim that its verdict is about, then what was found.

Every function takes ledger rows (`attrition.claims.evaluate`) or chapters' results and gives a template with its
values, or a table. Nothing is computed here that a chapter has not stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attrition.claims import count_verdicts
from attrition.claims.rules import worst
from attrition.decision import where
from attrition.text import listed

Row = Mapping[str, Any]
LR = "logistic regression"
CHANCE = 0.05
"""Level of the test against chance, over all landmarks together."""


@dataclass(frozen=True)
class Finding:
    """A sentence with its numbers, verdict and evidence; `attrition.report.fill` puts `values` into `template`."""

    id: str
    template: str
    verdict: str
    evidence: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)


def by_id(rows: Sequence[Row]) -> dict[str, Row]:
    """Ledger rows by claim."""
    return {row["id"]: row for row in rows}


def ledger_finding(rows: Sequence[Row]) -> Finding:
    """How many published claims hold; *supported* when more than half do, *direction only* when a quarter do."""
    counts = count_verdicts(rows)
    holding = counts["reproduced"] + counts["supported"]
    share = holding / len(rows)
    verdict = "supported" if share > 0.5 else "direction only" if share >= 0.25 else "not supported"
    said = {
        "impossible": ("is impossible", "are impossible"),
        "not supported": ("is not supported", "are not supported"),
        "direction only": ("holds in direction only", "hold in direction only"),
        "not settled": ("is not settled", "are not settled"),
        "not testable": ("cannot be tested", "cannot be tested"),
    }
    rest = [f"{counts[key]} {words[counts[key] != 1]}" for key, words in said.items() if counts[key]]
    template = (
        "*Claim:* {n} published claims, {statements} statements in all, about two trials and their models (one "
        "simulated, one real). *Found:* {held} ({reproduced} reproduced on the published data, {supported} supported "
        "over simulated trials)"
    ) + ("; {rest}." if rest else ".")
    first = [row for row in rows if not row.get("entered")]
    if len(first) < len(rows):
        template += (
            " Of the {n_first} claims whose rules are older than the results, {holding_first} hold and "
            "{impossible_first} are impossible; the other {n_late} entered when the chapters had been run."
        )
    held = "none holds" if not holding else "one holds" if holding == 1 else f"{holding} hold"
    values = {"n": len(rows), "statements": n_statements(rows), "holding": holding, "held": held, **counts}
    values["rest"] = listed(rest) if rest else ""
    before = count_verdicts(first)
    values |= {"n_first": len(first), "n_late": len(rows) - len(first), "impossible_first": before["impossible"]}
    values["holding_first"] = before["reproduced"] + before["supported"]
    return Finding("finding-ledger", template, verdict, ("tbl-ledger", "tbl-arithmetic"), values)


def n_statements(rows: Sequence[Row]) -> int:
    """Number of statements of all claims."""
    return sum(len(row["statements"]) for row in rows)


def effect_words(part: Row) -> str:
    """What became of a claimed effect, in words.

    Examples
    --------
    >>> effect_words({"verdict": "direction only", "published": 0.2, "measured": 0.05})
    'has the right direction at less than half the size'
    """
    if part["verdict"] == "direction only":
        size = "more than twice" if abs(part["measured"]) > abs(part["published"]) else "less than half"
        return f"has the right direction at {size} the size"
    if part["verdict"] == "not settled" and max(abs(part["ci_low"]), abs(part["ci_high"])) < abs(part["published"]) / 2:
        return (
            "has less than half the size, and whether the effect reaches the "
            f"{part['margin']:g} that matters is not settled"
        )
    return {
        "reproduced": "is what the published data give",
        "supported": "holds, in direction and from half to twice its size",
        "not testable": "cannot be tested",
        "not settled": "is not settled: a limit of its rule lies inside the interval",
        "not supported": "does not hold",
        "impossible": "cannot be right",
    }[part["verdict"]]


def _beside(row: Row, part: Row) -> str | None:
    """Verdict of a statement at the other event rate."""
    return row["beside"]["verdicts"][row["statements"].index(part)] if row["beside"] else None


def _effect(row: Row) -> Row:
    return next(part for part in row["statements"] if part["rule"] == "direction_and_half")


def claimed_effect(row: Row) -> float:
    """The effect that was claimed."""
    return _effect(row)["published"]


def measured_effect(row: Row) -> dict[str, float]:
    """The measured effect of a claim with its interval: its first ``direction_and_half`` statement."""
    part = _effect(row)
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


def doubt(verdict: str, other: str | None) -> str:
    """That a verdict is another one at the other event rate, as a sentence; empty when it is not.

    Examples
    --------
    >>> doubt("supported", "direction only")
    ' At the other event rate it is *direction only*.'
    """
    return f" At the other event rate it is *{other}*." if other not in (None, verdict) else ""


def engineering_finding(rows: Sequence[Row]) -> Finding:
    """What all engineered features, and the most advertised one, are worth; the verdict is that of the weakest part."""
    whole, burden, rank = (by_id(rows)[key] for key in ("C28", "C29", "C31"))
    part = _effect(whole)
    template = (
        "*Claim:* engineered features raise the AUROC of a logistic regression by {claimed:.2f}; the best of them is "
        "burden (adverse-event rate times missed visits), worth {burden_claimed:.3f}. *Found:* all of them together "
        "change it by {found:+.3f}, so this part of the claim {words}."
        + doubt(part["verdict"], _beside(whole, part))
        + " Burden changes it by {burden:+.4f}, {relation}, and ranks {place} of {n} features. The verdict is that of "
        "the weakest of the three statements."
    )
    values = {
        "found": measured_effect(whole),
        "claimed": part["published"],
        "words": effect_words(part),
        "burden": measured_effect(burden),
        "burden_claimed": _effect(burden)["published"],
        "relation": relation(measured_effect(burden), burden["margin"]),
        "place": rank["statements"][0]["place"],
        "n": len(rank["statements"][0]["values"]),
    }
    evidence = tuple(dict.fromkeys([*whole["evidence"], *burden["evidence"]]))
    verdict = worst([part["verdict"], _effect(burden)["verdict"], rank["verdict"]])
    return Finding("finding-engineering", template, verdict, evidence, values)


def _interval(step: Row) -> dict[str, float]:
    ends = {key: step["measured"] if step[key] is None else step[key] for key in ("ci_low", "ci_high")}
    return {"value": step["measured"], **ends}


def models_finding(rows: Sequence[Row], lr: Mapping[str, float], oracle: float) -> Finding:
    """Which model is best, whether the published order holds, and how close the best comes to what is attainable.

    Parameters
    ----------
    rows : sequence of mapping
        The ledger.
    lr : mapping
        Population AUROC of logistic regression, an interval.
    oracle : float
        AUROC of the true probabilities.
    """
    row = by_id(rows)["C12"]
    part = row["statements"][0]
    lgbm, xgb = map(_interval, part["leads"])
    second = _interval(part["steps"][1])
    if min(lgbm["ci_low"], xgb["ci_low"]) > 0:
        template = (
            "logistic regression ranks patients better than the boosted trees: its AUROC is higher by {lgbm:.3f} than "
            "that of LightGBM and by {xgb:.3f} than that of XGBoost"
        )
    else:
        template = (
            "logistic regression does not rank patients better than both boosted trees: its lead in AUROC is "
            "{lgbm:+.3f} over LightGBM and {xgb:+.3f} over XGBoost"
        )
    if second["ci_low"] < 0 < second["ci_high"] < part["steps"][1]["published"]:
        template += ". No difference between LightGBM and XGBoost is seen ({second:+.4f}); the claimed {step:+.3f} is "
        template += "excluded"
    elif second["ci_low"] < row["margin"]:
        template += ". That LightGBM beats XGBoost does not hold: the difference is {second:+.4f}"
    template = (
        "*Claim:* logistic regression is the best of three models, LightGBM the second, XGBoost the third. *Found:* "
        + template
        + ". Logistic regression has an AUROC of {lr:.3f}, where the true probabilities reach {oracle:.3f}: "
        "{share:.0%} of what can be gained over chance."
    )
    share = (lr["value"] - 0.5) / (oracle - 0.5)
    values = {"lgbm": lgbm, "xgb": xgb, "second": second, "share": share, "lr": lr, "oracle": oracle}
    values["step"] = part["steps"][1]["published"]
    return Finding("finding-models", template, row["verdict"], tuple(row["evidence"]), values)


USE_WORDS = {
    "supported": "in the real trial contacting by the full model's risk beats both contacting everybody and contacting "
    "nobody {where}, the fitted model held fixed",
    "not supported": "in the real trial contacting by the full model's risk is at no threshold shown to beat both "
    "contacting everybody and contacting nobody",
    "not testable": "the real trial is too small to tell",
}


def model_where(decisions: Mapping[str, Mapping[str, Any]]) -> str:
    """At which thresholds contacting by the full model beats both defaults.

    Examples
    --------
    >>> model_where({"all": {"n": 2, "low": 0.425, "high": 0.45}})
    'at thresholds from 0.425 to 0.45'
    """
    own = decisions.get("all", {})
    return where(own.get("low"), own.get("high"))


def arm_words(decisions: Mapping[str, Mapping[str, Any]]) -> str:
    """What contacting by the treatment arm alone is worth, as the end of a sentence on the full model.

    Examples
    --------
    >>> arm_words({"arm_only": {"n": 4, "low": 0.4, "high": 0.475}}).split(", ")[-1]
    'by the model without the arm at no threshold'
    """
    arm, blinded = (decisions.get(name, {"n": 0}) for name in ("arm_only", "all_without_arm"))
    if not arm["n"]:
        return ""
    told = f"; contacting by the treatment arm alone, once it is known, beats both {where(arm['low'], arm['high'])}"
    return told + ("" if blinded["n"] else ", by the model without the arm at no threshold")


def worth_finding(decision: Mapping[str, Any], use: str, decisions: Mapping[str, Mapping[str, Any]]) -> Finding:
    """Whether acting on predictions pays: in the real trial, and in the simulated one if they came in time.

    Parameters
    ----------
    decision : mapping
        ``decision`` of chapter 05: ``sentence`` (a template), ``verdict`` and the sentence's values.
    use : str
        Verdict of chapter 06 on acting on its predictions.
    decisions : mapping
        Its ``decisions``, by model.
    """
    known = {key: value for key, value in decision.items() if key not in ("sentence", "verdict", "conclusions")}
    words = USE_WORDS.get(use, USE_WORDS["not supported"]).format(where=model_where(decisions))
    template = (
        "*Claim:* it pays to contact the patients whom a model flags. *Found:* "
        f"{words}{arm_words(decisions)}. In the simulated trial, and on paper only, since its predictors are known "
        "too late: " + decision["sentence"]
    )
    simulated = ("fig-decision-gains", "tbl-decisions")
    evidence = simulated if use == "not testable" else ("fig-landmark-decisions", *simulated)
    return Finding("finding-worth", template, use, evidence, known | {"where": model_where(decisions)})


def split_finding(rows: Sequence[Row]) -> Finding:
    """How much one split of 200 patients can say."""
    row = by_id(rows)["C42"]
    spread = row["statements"][0]["measured"]
    one, other = (by_id(rows)[key]["statements"][0]["published"] for key in ("C01", "C10"))
    ratio = abs(one - other) / (2**0.5 * spread)
    wording = "well inside" if ratio < 1 else "at the edge of" if ratio < 2 else "beyond"
    template = (
        "One split with 200 test patients scatters with a standard deviation of {spread:.3f} in AUROC, against the "
        "{claimed:.2f} that was published as a sign of stability. Between two splits, a difference such as {one:.3f} "
        "against {other:.3f} would be {wording} that noise; two models on one split share a part of it."
    )
    claimed = row["statements"][0]["published"]
    values = {"spread": spread, "wording": wording, "claimed": claimed, "one": one, "other": other}
    return Finding("finding-noise", template, row["verdict"], tuple(row["evidence"]), values)


def better_than_chance(at: Mapping[str, Any], model: str) -> bool:
    """Whether a model ranks better than chance at a landmark: the permutation test of chapter 06, adjusted.

    Examples
    --------
    >>> better_than_chance({"permutation_p": {"all": {"raw": 0.02, "holm": 0.06}}}, "all")
    False
    """
    return at["permutation_p"][model]["holm"] <= CHANCE


def honest_words(at: Mapping[str, Any], model: str) -> str:
    """How the AUROC of a model at a landmark lies to chance.

    Examples
    --------
    >>> honest_words({"permutation_p": {"all": {"raw": 0.3, "holm": 0.9}}}, "all")
    'cannot be told from chance'
    """
    return "is better than chance" if better_than_chance(at, model) else "cannot be told from chance"


def _above_one_half(part: Row) -> dict[str, float | None]:
    """An AUROC with its interval, from a statement on how far it lies above one half."""
    ends = {"value": "measured", "ci_low": "ci_low", "ci_high": "ci_high"}
    return {name: None if part[key] is None else 0.5 + part[key] for name, key in ends.items()}


def pilot_finding(rows: Sequence[Row], at: Mapping[str, Any], day: int, verdict: str) -> Finding:
    """What can be predicted at one landmark day of the real trial, with and without the treatment arm.

    Parameters
    ----------
    rows : sequence of mapping
        The ledger.
    at : mapping
        The landmark's results: ``auroc``, ``permutation_p``, ``at_risk``, ``primary``.
    day : int
    verdict : str
        Of chapter 06 on the same question, over all landmarks.
    """
    auroc, row = at["auroc"], by_id(rows)["C53"]
    first, *rest = row["statements"]
    published = ["{claimed:.3f}" + (f" ({LR})" if rest else "")]
    published += [f"{{claimed_{k}:.3f}} ({part['label']})" for k, part in enumerate(rest, 1)]
    tested = [0.5 + part["published"] for part in by_id(rows)["C54"]["statements"]]
    on_test = listed([f"{{tested_{k}:.3f}}" for k in range(len(tested))])
    others = listed([f"{part['label']}: {{found_{k}:.3f}}" for k, part in enumerate(rest, 1)]) if rest else ""
    template = (
        "*Claim:* what is known by a landmark ranks the patients of a real trial better than chance. *Found:* with "
        "what was known on day {day}, "
        "among {at_risk} patients still in the trial of whom {events} have the primary event by week 24, logistic "
        "regression has an AUROC of {found:.3f}, which {words} (adjusted p {p:.3f})"
        + (f" ({others})" if others else "")
        + ". Without the treatment arm, which is blinded in a running trial, "
        "it has {blinded:.3f}, which {blinded_words}; the arm alone gives {arm:.3f}. A public attempt on the same "
        f"trial has {listed(published)} in cross-validation and {on_test} on its own test part, on all patients and "
        "without a landmark; as a claim about what can be known in time that is {published_verdict} (C53)."
    )
    values = {
        "day": day,
        "at_risk": at["at_risk"],
        "events": at["primary"],
        "published_verdict": row["verdict"],
        "found": auroc["all"],
        "words": honest_words(at, "all"),
        "p": at["permutation_p"]["all"]["holm"],
        "blinded": auroc["all_without_arm"],
        "blinded_words": honest_words(at, "all_without_arm"),
        "arm": auroc["arm_only"],
        **{f"tested_{k}": value for k, value in enumerate(tested)},
        "claimed": 0.5 + first["published"],
        **{f"claimed_{k}": 0.5 + part["published"] for k, part in enumerate(rest, 1)},
        **{f"found_{k}": _above_one_half(part) for k, part in enumerate(rest, 1)},
    }
    return Finding("finding-pilot", template, verdict, tuple(row["evidence"]), values)


def leak_finding(leaks: Mapping[str, Mapping[str, float]], smallest: float, evidence: Sequence[str]) -> Finding:
    """The dearest leak on the real trial; *supported* when its price has an interval beyond the smallest difference.

    Parameters
    ----------
    leaks : mapping
        Name to ``honest, leaky, difference, ci_low, ci_high``.
    smallest : float
        Smallest difference of interest.
    evidence : sequence of str
        Figures and tables that show it.
    """
    name = max(sorted(leaks), key=lambda key: leaks[key]["difference"])
    dearest = leaks[name]
    price = {"value": dearest["difference"], "ci_low": dearest["ci_low"], "ci_high": dearest["ci_high"]}
    harmful = sum(leak["ci_low"] > 0 for leak in leaks.values())
    sure = price["ci_low"] > 0 and price["value"] >= smallest
    verdict = "supported" if sure else "direction only" if price["ci_low"] > 0 else "not supported"
    template = (
        "of {n} ways to let it see more, {raised} the AUROC with an interval above zero; the largest gain, from the "
        "column or step *{name}*, turns {honest:.3f} into {leaky:.3f}, a difference of {price:+.3f}."
    )
    if not harmful:
        template = (
            "of {n} ways to let it see more, none raises the AUROC with an interval above zero; the largest "
            "difference, by *{name}*, is {price:+.3f}."
        )
    template = "*Claim:* a model that sees more than was known in time looks better than it is. *Found:* " + template
    raised = f"{harmful} raise{'s' if harmful == 1 else ''}"
    shown = {"n": len(leaks), "harmful": harmful, "raised": raised, "name": name.replace("_", " "), "price": price}
    values = {**shown, "honest": dearest["honest"], "leaky": dearest["leaky"]}
    return Finding("finding-leaks", template, verdict, tuple(evidence), values)
