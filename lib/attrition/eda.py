"""The published data set looked at, before any model: what was published of it, its law, columns, tables of patients.

What was published stands in ``eda.yaml`` beside this module.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attrition import features, seeds, settings, simulate
from attrition.metrics import intervals, ranks
from attrition.simulate import law as laws
from attrition.simulate import oracle
from attrition.simulate.law import PUBLISHED_LAW, Law

PUBLISHED = settings.read(Path(__file__).with_name("eda.yaml"), ValueError)
FIGURES, RISKS, CUTS, PANELS = (PUBLISHED[name] for name in ("figures", "risks", "cuts", "panels"))
DERIVED, DESCRIBED, CATEGORIES = (PUBLISHED[name] for name in ("derived", "described", "categories"))
RATE_CUT, VISIT_CUT = 0.1, 0.5
FIRST_MONTH = 30
LARGE_SMD = 0.1
"""Standardised mean difference above which groups are usually called unlike (Austin 2009)."""


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
    correlated = ("visit_rate", "adverse_event_rate", "burden", "trial_phase_risk", "age")
    outcomes = ("dropout", "early_dropout", "late_dropout", "dropout_30_days")
    by_day = (trial["dropout"] == 1) & (trial["dropout_day"] <= FIRST_MONTH)
    return {
        **{name: float(trial[name].mean()) for name in outcomes},
        **{name: {"mean": trial[name].mean(), "sd": trial[name].std(ddof=1)} for name in PANELS},
        "correlation": features.columns(trial, correlated).corrwith(trial["dropout"]).to_dict(),
        "risk": {name: _risk_by(trial, name) for name in ("trial_phase", "treatment_group")},
        "by_day_30": float(by_day.mean()),
    }


def _risk_by(trial: pd.DataFrame, column: str) -> dict[str, intervals.Interval]:
    counts = trial.groupby(column)["dropout"].agg(["sum", "count"])
    return {level: intervals.wilson(*row) for level, row in zip(counts.index, counts.to_numpy(), strict=True)}


def descriptives_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """Published figures beside those of `descriptives`: quantity, published, found, agrees (at its own decimals)."""
    rows = []
    for quantity, (place, published) in FIGURES.items():
        name, _, part = place.partition(".")
        value = float(found[name][part] if part else found[name])
        half = 0.5 * 10.0 ** -len(published.partition(".")[2])
        agrees = abs(value - float(published)) <= half + 1e-12
        rows.append((quantity, float(published), value, "yes" if agrees else "no"))
    return pd.DataFrame(rows, columns=["quantity", "published", "found", "agrees"])


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
    risk = {
        "trial_phase": dict(zip(laws.PHASES, by_phase, strict=True)),
        "treatment_group": dict(zip(laws.ARMS, by_arm, strict=True)),
    }
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


def law_found(law: Law, patients: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """`law_risks` with the ``effect`` of the cuts (`cut_effects` over drawn patients), at both prevalences."""
    return {
        setting: law_risks(law, offset)
        | {"effect": cut_effects(law, patients, seeds.stream(seed, "01", "cuts"), offset)}
        for setting, offset in oracle.prevalence_offsets(law).items()
    }


def risks_table(law: Mapping[str, Any], observed: Mapping[str, Any], trial: pd.DataFrame) -> pd.DataFrame:
    """Risks by phase and arm: published, under the law at both prevalences, observed with n, events and interval."""
    rows = []
    for column in ("trial_phase", "treatment_group"):
        counts = trial.groupby(column)["dropout"].agg(["count", "sum"])
        for level, seen in observed[column].items():
            by_setting = [law[setting]["risk"][column][level] for setting in ("default", "p24")]
            told = f"{seen['value']:.3f} ({seen['ci_low']:.3f} to {seen['ci_high']:.3f})"
            rows.append((level, *map(int, counts.loc[level]), RISKS[level], told, *by_setting))
    return pd.DataFrame(rows, columns=["group", "n", "events", "published", "observed", "law", "law_p24"])


def cuts_table(law: Mapping[str, Any]) -> pd.DataFrame:
    """Both published cuts: the claimed risk difference, the law's as patients come, and everything else alike."""
    rows = []
    for name, (label, claimed) in CUTS.items():
        for setting in ("default", "p24"):
            part, alike = law[setting], law[setting]["effect"][name]
            difference, share = part["risk_difference"][name], part["share_beyond"][name]
            rows.append((label, setting, share, claimed, difference, alike["value"], alike["mc_se"]))
    names = ["cut", "prevalence", "share_beyond", "published", "difference", "effect", "effect_mc_se"]
    return pd.DataFrame(rows, columns=names)


def ranges(law: Mapping[str, Any]) -> dict[str, float]:
    """From the lowest to the highest phase and arm: under the law, and as published."""
    phase, arm = law["risk"]["trial_phase"], law["risk"]["treatment_group"]
    return {
        "phase_range": phase["Phase III"] - phase["Phase I"],
        "arm_range": arm["Placebo"] - arm["Active"],
        "phase_published": RISKS["Phase III"] - RISKS["Phase I"],
        "arm_published": RISKS["Placebo"] - RISKS["Active"],
    }


def formula_terms(law: Law = PUBLISHED_LAW) -> pd.DataFrame:
    """Term by term: the published formula and the law that made the published data."""
    values = [law.weight_adverse_events * law.adverse_event_scale, law.weight_missed_visits, law.weight_phase]
    values += [law.weight_arm, law.weight_young, law.slope, law.offset, law.noise_sd]
    terms = PUBLISHED["terms"]
    return pd.DataFrame({"term": terms.keys(), "published": terms.values(), "law": [f"{v:.2f}" for v in values]})


def formula_against_law(trial: pd.DataFrame, law: Law = PUBLISHED_LAW) -> tuple[pd.DataFrame, dict[str, float]]:
    """What the published formula says of a trial, and what its law says.

    Returns
    -------
    probabilities : DataFrame (n, 2)
        ``formula`` and ``law``.
    summary : dict
        ``mean_formula``, ``mean_law``, ``least_formula``, ``greatest_formula``; ``auroc_formula``, ``auroc_law``
        against the exact probabilities of these patients.
    """
    by_formula, truth = simulate.published_formula(trial), oracle.of_patients(law, trial)
    return pd.DataFrame({"formula": by_formula, "law": truth}), {
        "mean_formula": float(by_formula.mean()),
        "mean_law": float(truth.mean()),
        "least_formula": float(by_formula.min()),
        "greatest_formula": float(by_formula.max()),
        "auroc_formula": float(ranks.soft_auroc(truth, by_formula, weight=1.0)[0]),
        "auroc_law": float(ranks.soft_auroc(truth, truth, weight=1.0)[0]),
    }


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


def bins(values: pd.Series, most: int = 24) -> np.ndarray:
    """Histogram edges: one bin a value for counts, `most` edges otherwise."""
    low, high = values.min(), values.max()
    return np.arange(low - 0.5, high + 1.5) if int(high - low) <= most else np.linspace(low, high, most)


def histograms(trial: pd.DataFrame, event: np.ndarray) -> pd.DataFrame:
    """The numbers behind the panels: share of patients by column, outcome and bin."""
    parts = []
    for column in PANELS:
        edges = bins(trial[column])
        for name, mask in (("stayed", event == 0), ("dropout", event == 1)):
            count, _ = np.histogram(trial.loc[mask, column], edges)
            part = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "share": count / mask.sum()})
            parts.append(part.assign(column=column, outcome=name))
    return pd.concat(parts, ignore_index=True)[["column", "outcome", "from", "to", "share"]]


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


def missing_values(table: pd.DataFrame) -> pd.DataFrame:
    """Missing values by column: ``column, n, missing, share``.

    Examples
    --------
    >>> missing_values(pd.DataFrame({"age": [50, None]})).missing.tolist()
    [1]
    """
    found = table.isna().sum().rename_axis("column").reset_index(name="missing")
    found.insert(1, "n", len(table))
    return found.assign(share=found["missing"] / len(table))


def event_rates(groups: pd.Series, event: np.ndarray, expected: np.ndarray | None = None) -> pd.DataFrame:
    """Share of patients with the event in each group, with Wilson intervals.

    Columns ``group, n, events, rate, ci_low, ci_high``; with the known probabilities of the event also their mean,
    ``expected``.

    Examples
    --------
    >>> event_rates(pd.Series(["a", "a", "b"]), np.array([0, 1, 1])).rate.tolist()
    [0.5, 1.0]
    """
    frame = pd.DataFrame({"group": groups.astype(str).to_numpy(), "event": np.asarray(event)})
    if expected is not None:
        frame["expected"] = expected
    rows = []
    for group, part in frame.groupby("group"):
        n, events = len(part), int(part["event"].sum())
        row = {"group": group, "n": n, "events": events, **intervals.wilson(events, n)}
        rows.append(row | ({"expected": float(part["expected"].mean())} if expected is not None else {}))
    return pd.DataFrame(rows).rename(columns={"value": "rate"})
