"""The published data set looked at, before any model: what was published of it, its law, columns, tables of patients.

What was published stands in ``eda.yaml`` beside this module.
"""

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attrition import features, settings
from attrition.metrics import intervals
from attrition.metrics.evaluator import nested
from attrition.simulate import law as laws
from attrition.simulate import oracle
from attrition.simulate.law import Law
from notebook_report import results
from notebook_report.text import interval_text

PUBLISHED = settings.declared(__file__, "eda.yaml")
FIGURES, RISKS, CUTS, PANELS = (PUBLISHED[name] for name in ("figures", "risks", "cuts", "panels"))
RATE = functools.partial(intervals.of_row, value="rate")
DERIVED, DESCRIBED, CATEGORIES = (PUBLISHED[name] for name in ("derived", "described", "categories"))
RATE_CUT, VISIT_CUT = 0.1, 0.5
FIRST_MONTH = 30
LARGE_SMD = 0.1  # standardised mean difference above which groups are usually called unlike (Austin 2009)


def descriptives(trial: pd.DataFrame) -> dict[str, Any]:
    """Every descriptive figure that was published, measured on a trial.

    Returns
    -------
    dict
        Shares of the four outcomes, `mean` and `sd` (divisor n - 1) of four columns, Pearson `correlation` with
        dropout, `risk` of dropout by phase and arm with Wilson intervals, `by_day_30` (share with a dropout day of
        at most 30, which the 30-day column does not always show).
    """
    correlated = ("visit_rate", "adverse_event_rate", "burden", "trial_phase_risk", "age")
    outcomes = ("dropout", "early_dropout", "late_dropout", "dropout_30_days")
    by_day = (trial["dropout"] == 1) & (trial["dropout_day"] <= FIRST_MONTH)
    return {
        **{name: float(trial[name].mean()) for name in outcomes},
        **{name: {"mean": trial[name].mean(), "sd": trial[name].std(ddof=1)} for name in PANELS},
        "correlation": features.columns(trial, correlated).corrwith(trial["dropout"]).to_dict(),
        "risk": {name: nested(event_rates(trial[name], trial["dropout"]), "group", leaf=RATE) for name in RISKS},
        "by_day_30": float(by_day.mean()),
    }


def descriptives_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """Published figures beside those of `descriptives`: quantity, published, found, agrees (at its own decimals)."""
    table = pd.DataFrame.from_dict(FIGURES, orient="index", columns=["place", "published"])
    half = 0.5 * 10.0 ** -table["published"].str.partition(".")[2].str.len()
    table["published"] = table["published"].astype(float)
    table["found"] = [float(results.look_up(found, place)) for place in table["place"]]
    near = (table["found"] - table["published"]).abs() <= half + 1e-12
    table["agrees"] = np.where(near, "yes", "no")
    return table.drop(columns="place").rename_axis("quantity").reset_index()


def _beyond(rate: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Who lies beyond each published cut, by adverse events a day and by visit rate."""
    return dict(zip(CUTS, (rate > RATE_CUT, kept < VISIT_CUT), strict=True))


def law_risks(law: Law, prevalence_offset: float = 0.0) -> dict[str, Any]:
    """Exact risks of dropout under the law.

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
    risk = {"trial_phase": dict(zip(laws.PHASES, by_phase, strict=True))}
    risk["treatment_group"] = dict(zip(laws.ARMS, by_arm, strict=True))
    days = oracle.DAYS[:, None, None, None, None, None]
    rate = laws.adverse_event_rate(oracle.EVENTS[:, None, None, None], days)
    kept = laws.visit_rate(oracle.VISITS[:, None, None, None, None], days)
    difference, share = {}, {}
    for name, beyond in _beyond(rate, kept).items():
        inside, outside = weight * np.broadcast_to(beyond, weight.shape), weight * ~beyond
        risks = {"beyond": (p * inside).sum() / inside.sum(), "within": (p * outside).sum() / outside.sum()}
        risk[name], difference[name] = risks, risks["beyond"] - risks["within"]
        share[name] = inside.sum()
    return {"risk": risk, "risk_difference": difference, "share_beyond": share}


def cut_effects(law: Law, patients: pd.DataFrame, rng: np.random.Generator, prevalence_offset: float = 0.0) -> dict:
    """Effect of lying beyond a cut, everything else of each patient left alike: ``value`` and ``mc_se`` by cut.

    One term of the risk is replaced: each patient is given the rate of a random patient beyond the cut, and of a
    random one within it; the mean difference in probability is the effect.
    """
    days = patients["days_in_trial"].to_numpy(float)
    rate = laws.adverse_event_rate(patients["adverse_events"].to_numpy(float), days)
    kept = laws.visit_rate(patients["visits_completed"].to_numpy(float), days)
    score = laws.risk(law, patients)
    terms = (law.weight_adverse_events * law.adverse_event_scale * rate, law.weight_missed_visits * (1 - kept))
    effects = {}
    for term, (name, beyond) in zip(terms, _beyond(rate, kept).items(), strict=True):
        given = [rng.choice(term[group], len(score)) for group in (beyond, ~beyond)]
        p = [oracle.probability(law, score - term + value, prevalence_offset, nodes=8) for value in given]
        gain = p[0] - p[1]
        effects[name] = {"value": float(gain.mean()), "mc_se": float(gain.std(ddof=1) / np.sqrt(len(gain)))}
    return effects


def risks_table(law: Mapping[str, Any], trial: pd.DataFrame) -> pd.DataFrame:
    """Risks by phase and arm: published, observed with sizes and interval, under the law at both prevalences."""
    tables = []
    for column, published in RISKS.items():
        table = event_rates(trial[column], trial["dropout"]).set_index("group")
        by_setting = {name: law[key]["risk"][column] for name, key in (("law", "default"), ("law_p24", "p24"))}
        observed = [interval_text(RATE(row)) for row in table.to_dict("records")]
        tables.append(table[["n_patients", "n_events"]].assign(published=published, observed=observed, **by_setting))
    return pd.concat(tables).reset_index()


def cuts_table(law: Mapping[str, Any]) -> pd.DataFrame:
    """Both published cuts: the claimed risk difference, the law's as patients come, and everything else alike."""
    rows = []
    for (name, (label, claimed)), setting in itertools.product(CUTS.items(), ("default", "p24")):
        part, alike = law[setting], law[setting]["effect"][name]
        row = {"cut": label, "prevalence": setting, "share_beyond": part["share_beyond"][name], "published": claimed}
        row |= {"difference": part["risk_difference"][name], "effect": alike["value"], "effect_mc_se": alike["mc_se"]}
        rows.append(row)
    return pd.DataFrame(rows)


def unlike(table_1: pd.DataFrame, smallest: float = LARGE_SMD) -> dict[str, Any]:
    """Characteristics in which the groups of a Table 1 (`table_one`) differ by `smallest` SMD or more.

    Returns
    -------
    dict
        ``names``, most unlike first; ``n`` rows; ``smallest``; ``largest`` SMD of all.
    """
    smd = pd.to_numeric(table_1["smd"], errors="coerce").abs()
    rows = table_1.assign(smd=smd)[smd >= smallest].sort_values("smd", ascending=False)
    names = dict.fromkeys(name.split(",")[0].split(":")[0] for name in rows["characteristic"])
    return {"names": ", ".join(names), "n": len(rows), "smallest": smallest, "largest": float(smd.max())}


def table_one(
    patients: pd.DataFrame, columns: Sequence[str], categorical: Sequence[str], by: str, groups: Mapping[object, str]
) -> pd.DataFrame:
    """Characteristics of patients, overall and by group, with missing counts and standardised differences.

    No p-values: in a randomised or simulated group they test what is known to be true, and they mistake size for
    importance.

    Parameters
    ----------
    patients : pandas.DataFrame, shape (n_patients, ...)
    columns : sequence of str
        Characteristics, in order.
    categorical : sequence of str
        Those of `columns` that are categories.
    by : str
        Grouping column.
    groups : mapping
        Value of `by` to heading.

    Returns
    -------
    pandas.DataFrame
        Columns ``characteristic, missing, overall``, one for each group, ``smd``.

    References
    ----------
    Pollard, Johnson, Raffa, Mark. tableone. JAMIA Open 2018;1:26-31.
    Austin. Statistics in Medicine 2009;28:3083-3107.
    """
    from tableone import TableOne

    named = patients[[*columns, by]].assign(**{by: patients[by].map(dict(groups))})
    made = TableOne(
        named, columns=list(columns), categorical=list(categorical), groupby=by, pval=False, smd=True, overall=True
    ).tableone
    made.columns = [str(heading).lower() for _, heading in made.columns]
    smd = next(name for name in made.columns if name.startswith("smd"))
    rows = [_row_label(*index) for index in made.index]
    shown = made.rename(columns={smd: "smd"}).assign(characteristic=rows)
    order = ["characteristic", "missing", "overall", *(g.lower() for g in groups.values()), "smd"]
    return shown[order].astype(object).where(shown[order].notna(), "").reset_index(drop=True)


def _row_label(name: str, level: str) -> str:
    heading = re.sub(r", (n \(%\)|mean \(SD\)|median \[Q1,Q3\])$", r", \1", name).replace("_", " ")
    return f"{heading.split(', n (%)')[0]}: {level}, n (%)" if level else heading


def event_rates(groups: pd.Series, event: np.ndarray, expected: np.ndarray | None = None) -> pd.DataFrame:
    """Share of patients with the event in each group, with Wilson intervals.

    Columns ``group, n_patients, n_events, rate, ci_low, ci_high``; with the known probabilities of the event also
    their mean, ``expected``.

    Examples
    --------
    >>> event_rates(pd.Series(["a", "a", "b"]), np.array([0, 1, 1])).rate.tolist()
    [0.5, 1.0]
    """
    known = {} if expected is None else {"expected": expected}
    by = pd.DataFrame({"group": groups.astype(str).to_numpy(), "event": np.asarray(event)} | known).groupby("group")
    found = by["event"].agg(n_patients="size", n_events="sum")
    ends = pd.DataFrame([intervals.wilson(row.n_events, row.n_patients) for row in found.itertuples()], found.index)
    return found.join(ends.rename(columns={"value": "rate"})).assign(**by[list(known)].mean()).reset_index()
