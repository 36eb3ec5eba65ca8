"""Chapter 01: the published trial described, its formula held against the law, and what the best model could know."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from attrition import features, intervals, oracle, restricted, seeds, simulate
from attrition import law as laws
from attrition.law import PUBLISHED_LAW, Law
from attrition.params import Generation

RATE_CUT, VISIT_CUT = 0.1, 0.5
PUBLISHED = (
    ("dropout, share", ("dropout",), 0.24, 2),
    ("early dropout, share", ("early_dropout",), 0.151, 3),
    ("late dropout, share", ("late_dropout",), 0.092, 3),
    ("dropout by day 30, share", ("dropout_30_days",), 0.064, 3),
    ("age, mean (years)", ("age", "mean"), 51.2, 1),
    ("age, SD (years)", ("age", "sd"), 19.4, 1),
    ("days in trial, mean", ("days_in_trial", "mean"), 197.3, 1),
    ("days in trial, SD", ("days_in_trial", "sd"), 105.6, 1),
    ("visits, mean", ("visits_completed", "mean"), 6.5, 1),
    ("visits, SD", ("visits_completed", "sd"), 3.8, 1),
    ("adverse events, mean", ("adverse_events", "mean"), 1.4, 1),
    ("adverse events, SD", ("adverse_events", "sd"), 1.2, 1),
    ("correlation with dropout: visit rate", ("correlation", "visit_rate"), -0.342, 3),
    ("correlation: adverse-event rate", ("correlation", "adverse_event_rate"), 0.287, 3),
    ("correlation: burden", ("correlation", "burden"), 0.310, 3),
    ("correlation: phase risk", ("correlation", "trial_phase_risk"), 0.185, 3),
    ("correlation: age", ("correlation", "age"), 0.042, 3),
)
"""What was published of the data set: quantity, place in `descriptives`, published figure, decimals."""
CORRELATED = ("visit_rate", "adverse_event_rate", "burden", "trial_phase_risk", "age")
SUMMARISED = ("age", "days_in_trial", "visits_completed", "adverse_events")
OUTCOMES = ("dropout", "early_dropout", "late_dropout", "dropout_30_days")
FIRST_MONTH = 30


def descriptives(trial: pd.DataFrame) -> dict[str, Any]:
    """Every descriptive figure that was published, measured on a trial.

    Parameters
    ----------
    trial : DataFrame (n, 14)

    Returns
    -------
    dict
        Shares of the four outcomes, `mean` and `sd` (divisor n - 1) of four columns, Pearson `correlation` with
        dropout, `risk` of dropout by phase and arm with Wilson intervals, `by_day_30` (share with a dropout day of
        at most 30, which the 30-day column does not always show).
    """
    inputs = features.columns(trial, CORRELATED)
    by_day = (trial["dropout"] == 1) & (trial["dropout_day"] <= FIRST_MONTH)
    return {
        **{name: float(trial[name].mean()) for name in OUTCOMES},
        **{name: {"mean": trial[name].mean(), "sd": trial[name].std(ddof=1)} for name in SUMMARISED},
        "correlation": inputs.corrwith(trial["dropout"]).to_dict(),
        "risk": {name: _risk_by(trial, name) for name in ("trial_phase", "treatment_group")},
        "by_day_30": float(by_day.mean()),
    }


def _risk_by(trial: pd.DataFrame, column: str) -> dict[str, dict[str, float]]:
    counts = trial.groupby(column)["dropout"].agg(["sum", "count"])
    return {level: dict(intervals.wilson(*row)) for level, row in zip(counts.index, counts.to_numpy(), strict=True)}


def descriptives_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """Published figures beside what `descriptives` found.

    Returns
    -------
    DataFrame
        quantity, published, found (unrounded), agrees ("yes" if equal at the published decimals).
    """
    rows = []
    for quantity, place, published, decimals in PUBLISHED:
        value = found
        for key in place:
            value = value[key]
        agrees = abs(value - published) <= 0.5 * 10.0**-decimals + 1e-12
        rows.append((quantity, published, float(value), "yes" if agrees else "no"))
    return pd.DataFrame(rows, columns=["quantity", "published", "found", "agrees"])


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """How many of the published figures the published data give, and which, in words."""
    agreeing = table.loc[table["agrees"] == "yes", "quantity"].tolist()
    listed = ", ".join(agreeing) if agreeing else "none"
    return {"n": len(table), "n_agree": len(agreeing), "agreeing": listed}


def law_risks(law: Law, prevalence_offset: float = 0.0) -> dict[str, Any]:
    """Exact risks of dropout under the law.

    Parameters
    ----------
    law : Law
    prevalence_offset : float

    Returns
    -------
    dict
        ``risk``: of each phase and arm (independent of everything else, so that the rest is alike), and beyond and
        within the cuts .1 a day of the adverse-event rate and .5 of the visit rate; ``risk_difference``: between
        patients beyond and within each cut, as they come; ``share_beyond``: of patients beyond each cut.
    """
    weight = oracle.weight_grid(law)
    p = oracle.probability(law, oracle.score_grid(law), prevalence_offset)
    by_phase, by_arm = ((p * weight).sum(axis=axes) * 3 for axes in ((0, 1, 2, 3, 5), (0, 1, 2, 3, 4)))
    risk = {
        "trial_phase": dict(zip(laws.PHASES, by_phase, strict=True)),
        "treatment_group": dict(zip(laws.ARMS, by_arm, strict=True)),
    }
    difference, share = {}, {}
    for name, beyond in _cuts().items():
        inside, outside = weight * np.broadcast_to(beyond, weight.shape), weight * ~beyond
        risks = {"beyond": (p * inside).sum() / inside.sum(), "within": (p * outside).sum() / outside.sum()}
        risk[name], difference[name] = risks, risks["beyond"] - risks["within"]
        share[name] = inside.sum()
    return {"risk": risk, "risk_difference": difference, "share_beyond": share}


def _cuts() -> dict[str, np.ndarray]:
    """Which combinations of `oracle.score_grid` lie beyond each published cut."""
    days = oracle.DAYS[:, None, None, None, None, None]
    rate = laws.adverse_event_rate(oracle.EVENTS[:, None, None, None], days)
    kept = laws.visit_rate(oracle.VISITS[:, None, None, None, None], days)
    return {"adverse_event_rate_above_01": rate > RATE_CUT, "visit_rate_below_05": kept < VISIT_CUT}


def cut_effects(law: Law, patients: pd.DataFrame, rng: np.random.Generator, prevalence_offset: float = 0.0) -> dict:
    """Effect of lying beyond a cut, everything else of each patient left alike.

    One term of the risk is replaced: each patient is given the rate of a random patient beyond the cut, and of a
    random one within it; the mean difference in probability is the effect.

    Parameters
    ----------
    law : Law
    patients : DataFrame (n, ...)
        From `attrition.simulate.draw_patients`.
    rng : numpy.random.Generator
    prevalence_offset : float

    Returns
    -------
    dict
        Name of the cut to ``value`` and ``mc_se``.
    """
    days = patients["days_in_trial"].to_numpy(float)
    rate = laws.adverse_event_rate(patients["adverse_events"].to_numpy(float), days)
    kept = laws.visit_rate(patients["visits_completed"].to_numpy(float), days)
    score = laws.risk(law, patients)
    terms = {
        "adverse_event_rate_above_01": (law.weight_adverse_events * law.adverse_event_scale * rate, rate > RATE_CUT),
        "visit_rate_below_05": (law.weight_missed_visits * (1 - kept), kept < VISIT_CUT),
    }
    effects = {}
    for name, (term, beyond) in terms.items():
        given = [rng.choice(term[group], len(score)) for group in (beyond, ~beyond)]
        p = [oracle.probability(law, score - term + value, prevalence_offset, nodes=8) for value in given]
        gain = p[0] - p[1]
        effects[name] = {"value": float(gain.mean()), "mc_se": float(gain.std(ddof=1) / np.sqrt(len(gain)))}
    return effects


LABELS = {
    "adverse_event_rate_above_01": "adverse-event rate above .1 a day",
    "visit_rate_below_05": "visit rate below .5",
}
PUBLISHED_RISK = {
    "Phase I": 0.2,
    "Phase II": 0.5,
    "Phase III": 0.8,
    "Active": 0.1,
    "Control": 0.3,
    "Placebo": 0.4,
}
PUBLISHED_DIFFERENCE = {"adverse_event_rate_above_01": 0.3, "visit_rate_below_05": 0.2}


def risks_table(law: Mapping[str, Any], observed: Mapping[str, Any]) -> pd.DataFrame:
    """Risks by phase and arm: published, under the law at both prevalences, observed with its interval."""
    rows = []
    for column in ("trial_phase", "treatment_group"):
        for level, seen in observed[column].items():
            by_setting = [law[setting]["risk"][column][level] for setting in ("default", "p24")]
            interval = f"{seen['value']:.3f} ({seen['ci_low']:.3f} to {seen['ci_high']:.3f})"
            rows.append((level, PUBLISHED_RISK[level], interval, *by_setting))
    return pd.DataFrame(rows, columns=["group", "published", "observed", "law", "law_p24"])


def cuts_table(law: Mapping[str, Any]) -> pd.DataFrame:
    """Both published cuts: the claimed risk difference, the law's as patients come, and everything else alike."""
    rows = []
    for name, label in LABELS.items():
        for setting in ("default", "p24"):
            part = law[setting]
            alike = part["effect"][name]
            difference, share = part["risk_difference"][name], part["share_beyond"][name]
            claimed = PUBLISHED_DIFFERENCE[name]
            rows.append((label, setting, share, claimed, difference, alike["value"], alike["mc_se"]))
    return pd.DataFrame(
        rows, columns=["cut", "prevalence", "share_beyond", "published", "difference", "effect", "effect_mc_se"]
    )


def formula_terms(law: Law = PUBLISHED_LAW) -> pd.DataFrame:
    """Term by term: the published formula and the law that made the published data."""
    return pd.DataFrame(
        [
            ("adverse events a day", "0.35", f"{law.weight_adverse_events * law.adverse_event_scale:g}"),
            ("1 - visit rate", "0.30", f"{law.weight_missed_visits:g}"),
            ("phase risk", "0.20", f"{law.weight_phase:g}"),
            ("arm risk", "not there", f"{law.weight_arm:g}"),
            ("young, below 39 years", "not there", f"{law.weight_young:g}"),
            ("slope before the sigmoid", "1", f"{law.slope:g}"),
            ("offset", "0", f"{law.offset:g}"),
            ("unobserved noise, SD", "0", f"{law.noise_sd:g}"),
        ],
        columns=["term", "published", "law"],
    )


def formula_against_law(trial: pd.DataFrame, law: Law = PUBLISHED_LAW) -> dict[str, Any]:
    """What the published formula says of a trial, and what its law says.

    Returns
    -------
    dict
        ``formula`` and ``law``: arrays (n,) of probabilities; ``mean_formula``, ``mean_law``, ``least_formula``,
        ``greatest_formula``; ``auroc_formula``, ``auroc_law`` against the exact probabilities of these patients.
    """
    by_formula, truth = simulate.published_formula(trial), oracle.of_patients(law, trial)
    return {
        "formula": by_formula,
        "law": truth,
        "mean_formula": float(by_formula.mean()),
        "mean_law": float(truth.mean()),
        "least_formula": float(by_formula.min()),
        "greatest_formula": float(by_formula.max()),
        "auroc_formula": oracle.soft_auroc(by_formula, truth),
        "auroc_law": oracle.soft_auroc(truth, truth),
    }


def oracle_results(law: Law, p: Generation, seed: int) -> dict[str, Any]:
    """Oracles by what they know and by prevalence: the ``oracle`` part of the chapter's results.

    Parameters
    ----------
    law : Law
    p : Generation
        Sizes and days.
    seed : int

    Returns
    -------
    dict
        ``default`` and ``p24``: auroc, log_loss, brier with ``value`` and ``mc_se``, and ``exact``;
        ``enrolment`` and ``day30`` ...: exact performance by prevalence; ``offset_p24``; ``scores``: array (n,)
        of the drawn patients' risk scores, for figures.
    """
    offsets = oracle.prevalence_offsets(law)
    scores = oracle.monte_carlo_scores(law, p.oracle_patients, seeds.stream(seed, "01", "oracle"), p.oracle_chunk)
    found: dict[str, Any] = {"offset_p24": offsets["p24"], "n_patients": p.oracle_patients, "scores": scores}
    for setting, offset in offsets.items():
        found[setting] = oracle.monte_carlo(law, scores, offset) | {"exact": oracle.exact(law, offset)}
    for name, day in {"enrolment": 0, **{f"day{day}": day for day in p.landmark_days}}.items():
        found[name] = {setting: restricted.performance(law, day, offset) for setting, offset in offsets.items()}
    return found


def oracle_table(found: Mapping[str, Any], days: list[int]) -> pd.DataFrame:
    """`oracle_results` as a table, from knowing nothing to knowing the whole follow-up.

    Returns
    -------
    DataFrame
        known, prevalence, at_risk, dropout, auroc, auroc_mc_se, log_loss, brier.
    """
    rows = []
    for setting in ("default", "p24"):
        rate = found[setting]["exact"]["prevalence"]
        chance = {"auroc": 0.5, "log_loss": float(oracle.expected_log_loss(rate, rate)), "brier": rate * (1 - rate)}
        rows.append(("nothing (chance)", setting, 1.0, rate, chance, None))
        for name, words in _knowledge(days).items():
            part = found[name][setting]
            rows.append((words, setting, part["at_risk"], part["prevalence"], part, None))
        full = {metric: found[setting][metric]["value"] for metric in ("auroc", "log_loss", "brier")}
        rows.append(("whole follow-up", setting, 1.0, rate, full, found[setting]["auroc"]["mc_se"]))
    return pd.DataFrame(
        {
            "known": words,
            "prevalence": setting,
            "at_risk": at_risk,
            "dropout": rate,
            "auroc": part["auroc"],
            "auroc_mc_se": error,
            "log_loss": part["log_loss"],
            "brier": part["brier"],
        }
        for words, setting, at_risk, rate, part, error in rows
    )


def _knowledge(days: list[int]) -> dict[str, str]:
    return {"enrolment": "enrolment", **{f"day{day}": f"by day {day}" for day in days}}


def early_lift(found: Mapping[str, Any], setting: str = "default") -> dict[str, Any]:
    """Share of the oracle's lift that is there in time, and the best day, for sentences.

    Returns
    -------
    dict
        ``enrolment``, ``full``: aurocs; ``best_day``, ``best_auroc``: of the restricted oracles; ``share_enrolment``,
        ``share_best``: of the lift over one half; ``verdict_words``: what follows, in words.
    """
    full, enrolment = found[setting]["auroc"]["value"], found["enrolment"][setting]["auroc"]
    days = {int(name[3:]): part[setting]["auroc"] for name, part in found.items() if name.startswith("day")}
    best = max(days, key=days.get)
    shares = [(auroc - 0.5) / (full - 0.5) for auroc in (enrolment, days[best])]
    words = "less than half" if shares[1] < 0.5 else "more than half"
    return {
        "full": full,
        "enrolment": enrolment,
        "best_day": best,
        "best_auroc": days[best],
        "share_enrolment": shares[0],
        "share_best": shares[1],
        "verdict_words": words,
    }
