"""Chapter 01: the published trial described, its formula held against the law, and the law's own risks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from attrition import features, seeds, simulate
from attrition.metrics import intervals, ranks
from attrition.simulate import law as laws
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW, Law

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


def _risk_by(trial: pd.DataFrame, column: str) -> dict[str, intervals.Interval]:
    counts = trial.groupby(column)["dropout"].agg(["sum", "count"])
    return {level: intervals.wilson(*row) for level, row in zip(counts.index, counts.to_numpy(), strict=True)}


def descriptives_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """Published figures beside what `descriptives` found.

    Returns
    -------
    DataFrame
        quantity, published, found (unrounded), agrees ("yes" if equal at the published decimals).
    """
    rows = []
    for quantity, place, published, decimals in PUBLISHED:
        value: Any = found
        for key in place:
            value = value[key]
        agrees = abs(value - published) <= 0.5 * 10.0**-decimals + 1e-12
        rows.append((quantity, published, float(value), "yes" if agrees else "no"))
    return pd.DataFrame(rows, columns=["quantity", "published", "found", "agrees"])


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """How many of the published figures the published data give, and which, in words."""
    agreeing = table.loc[table["agrees"] == "yes", "quantity"].tolist()
    which = f" ({', '.join(agreeing)})" if agreeing else ""
    count = str(len(agreeing)) if agreeing else "None"
    verbs = ("agree", "fit") if len(agreeing) > 1 else ("agrees", "fits")
    words = dict(zip(("agree", "fit"), verbs, strict=True))
    return {"n": len(table), "n_agree": len(agreeing), "count": count, "which": which, **words}


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
    "adverse_event_rate_above_01": "adverse events > .1 a day",
    "visit_rate_below_05": "visit rate < .5",
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


def risks_table(law: Mapping[str, Any], observed: Mapping[str, Any], trial: pd.DataFrame) -> pd.DataFrame:
    """Risks by phase and arm: published, under the law at both prevalences, observed with n, events and interval."""
    rows = []
    for column in ("trial_phase", "treatment_group"):
        counts = trial.groupby(column)["dropout"].agg(["count", "sum"])
        for level, seen in observed[column].items():
            by_setting = [law[setting]["risk"][column][level] for setting in ("default", "p24")]
            interval = f"{seen['value']:.3f} ({seen['ci_low']:.3f} to {seen['ci_high']:.3f})"
            n, events = (int(part) for part in counts.loc[level])
            rows.append((level, n, events, PUBLISHED_RISK[level], interval, *by_setting))
    return pd.DataFrame(rows, columns=["group", "n", "events", "published", "observed", "law", "law_p24"])


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
            ("adverse events a day", "0.35", f"{law.weight_adverse_events * law.adverse_event_scale:.2f}"),
            ("1 - visit rate", "0.30", f"{law.weight_missed_visits:.2f}"),
            ("phase risk", "0.20", f"{law.weight_phase:.2f}"),
            ("arm risk", "not there", f"{law.weight_arm:.2f}"),
            ("young, below 39 years", "not there", f"{law.weight_young:.2f}"),
            ("slope before the sigmoid", "1.00", f"{law.slope:.2f}"),
            ("offset", "0.00", f"{law.offset:.2f}"),
            ("unobserved noise, SD", "0.00", f"{law.noise_sd:.2f}"),
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
        "auroc_formula": float(ranks.soft_auroc(truth, by_formula, weight=1.0)[0]),
        "auroc_law": float(ranks.soft_auroc(truth, truth, weight=1.0)[0]),
    }


def timing_of_inputs() -> dict[str, int]:
    """How many published inputs there are (``all``) and how many are known only after the outcome (``late``)."""
    known = [feature.known_at for feature in features.FEATURES.values()]
    return {"all": len(known), "late": known.count(features.AFTER_OUTCOME)}


def contradiction_counts(trial: pd.DataFrame) -> dict[str, int]:
    """Contradictions by key, and ``n``, the patients who dropped out."""
    table = simulate.contradictions(trial)
    return {**table.set_index("key")["n_patients"].to_dict(), "n": int(table["out_of"].iloc[0])}


def counts(trial: pd.DataFrame, law: Law = PUBLISHED_LAW) -> dict[str, float]:
    """Patients, dropouts, their share, and the share that the law expects."""
    gone = int(trial["dropout"].sum())
    return {"n": len(trial), "gone": gone, "share": gone / len(trial), "law": oracle.exact(law)["prevalence"]}


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The plain numbers of a mapping, without its arrays."""
    return {key: value for key, value in found.items() if isinstance(value, (int, float))}


def law_found(law: Law, patients: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """Risks under the law and effects of the two published cuts, at both prevalences.

    Parameters
    ----------
    law : Law
    patients : DataFrame
        Drawn from the law; see `cut_effects`.
    seed : int

    Returns
    -------
    dict
        Setting to what `law_risks` gives, with the ``effect`` of the cuts.
    """
    return {
        setting: law_risks(law, offset)
        | {"effect": cut_effects(law, patients, seeds.stream(seed, "01", "cuts"), offset)}
        for setting, offset in oracle.prevalence_offsets(law).items()
    }


def ranges(law: Mapping[str, Any]) -> dict[str, float]:
    """From the lowest to the highest phase and arm: under the law, and as published."""
    phase, arm = law["risk"]["trial_phase"], law["risk"]["treatment_group"]
    return {
        "phase_range": phase["Phase III"] - phase["Phase I"],
        "arm_range": arm["Placebo"] - arm["Active"],
        "phase_published": PUBLISHED_RISK["Phase III"] - PUBLISHED_RISK["Phase I"],
        "arm_published": PUBLISHED_RISK["Placebo"] - PUBLISHED_RISK["Active"],
    }


def cut_numbers(law: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of `cuts_sentence`: one setting of the law's risks with its effects."""
    events, visits = LABELS
    return {
        "events_share": law["share_beyond"][events],
        "events_difference": law["risk_difference"][events],
        "events_published": PUBLISHED_DIFFERENCE[events],
        "visits_share": law["share_beyond"][visits],
        "visits_difference": law["risk_difference"][visits],
        "visits_effect": law["effect"][visits]["value"],
        "visits_published": PUBLISHED_DIFFERENCE[visits],
    }


def cuts_sentence(law: Mapping[str, Any]) -> str:
    """What the two cuts do, in words that follow the numbers; filled by `cut_numbers`."""
    n = cut_numbers(law)
    events = "at least as much as" if n["events_difference"] >= n["events_published"] else "less than"
    visits = "at least as much as" if n["visits_difference"] >= n["visits_published"] else "less than"
    alone = "Less than half" if n["visits_effect"] < n["visits_difference"] / 2 else "At least half"
    return (
        f"Beyond the cut of the adverse-event rate the risk is {{events_difference:.2f}} higher, {events} the "
        "published {events_published:.2f}, but only {events_share:.2%} of patients lie there. Below the cut of the "
        f"visit rate lie {{visits_share:.0%}}; their risk is {{visits_difference:.2f}} higher, {visits} the published "
        f"{{visits_published:.2f}}. {alone} of that is the visits' own doing: with all else alike they add "
        "{visits_effect:.2f}, the rest comes from short follow-up, which lowers the visit rate and raises the "
        "adverse-event rate together."
    )


def chapter_results(
    trial: pd.DataFrame, described: Mapping[str, Any], law: Mapping[str, Any], compared: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that sentences quote about the published trial and the law, for ``01_generation.json``."""
    counts = contradiction_counts(trial)
    baseline = simulate.random_baseline()
    return {
        "published": {
            "md5": simulate.md5(trial),
            "n_patients": len(trial),
            "n_dropouts": counts.pop("n"),
            **counts,
            "descriptives": dict(described),
            "descriptives_agreeing": summary(descriptives_table(described))["n_agree"],
            "descriptives_compared": len(PUBLISHED),
        },
        "baseline": {
            "n_patients": len(baseline),
            "n_dropouts": int(baseline["dropout"].sum()),
            "repeated_ids": int(baseline["patient_id"].duplicated().sum()),
        },
        "formula": numbers(compared),
        "features": timing_of_inputs(),
        "law": dict(law),
        "ranges": ranges(law["default"]),
    }
