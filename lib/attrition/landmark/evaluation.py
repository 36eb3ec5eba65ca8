"""Models developed and evaluated at every landmark with enough events: tables, results and conclusions of chapter 06.

Conclusions are numbers and grades; their sentences stand in ``notebooks/words/06_real_trial.md``. Without a prediction
``day`` is None, or ``days`` is empty, and the sentence says so or nothing.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from attrition import decision, seeds
from attrition.cdisc.trial import Trial
from attrition.landmark import cohort, guard, prediction, uncertainty
from attrition.landmark.prediction import LABELS, LEARNERS, Problem
from attrition.landmark.uncertainty import Developed
from attrition.metrics import intervals, measures
from attrition.metrics.calibration import CalibrationCurve, calibration_curve
from attrition.metrics.intervals import Interval, grade, of_row
from notebook_report.text import INTERVAL, interval_text, unless_missing

PAIRS = (
    ("all", "arm_only"),
    ("all", "all_without_arm"),
    ("adverse_events", "baseline_arm"),
    ("visits", "adverse_events"),
    ("xgb", "all"),
    ("lgbm", "all"),
    ("cox", "all"),
    ("super", "all"),
)
TESTED = ("all", "all_without_arm")
"""Feature sets that are tested against chance."""
STRATEGIES = ("all", "all_without_arm", "arm_only")
"""Models by whose risk patients may be contacted."""
GRID = np.round(np.arange(0.05, 0.901, 0.025), 3)
CHANCE = 0.05
"""Level of the test against chance, over all landmarks together."""
Facts = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Models by landmark, and the tables made of them.

    Attributes
    ----------
    developed, weights : dict by landmark
        The models on all patients and in half-samples; patient-bootstrap weights for decision curves.
    skipped : dict of int to dict
        Landmarks with too few events: n_events, n_patients, and how many with and without are needed.
    chance : dict of int to dict of str to dict
        Landmark after day 0 and feature set to the permutation test: p, holm, mean, low, high.
    summary, differences, optimism, sites : pandas.DataFrame
        See `attrition.landmark.uncertainty` and `prediction`; empty when no landmark has enough events.
    """

    developed: dict[int, Developed] = field(default_factory=dict)
    weights: dict[int, np.ndarray] = field(default_factory=dict)
    skipped: dict[int, dict[str, int]] = field(default_factory=dict)
    chance: dict[int, dict[str, dict[str, float]]] = field(default_factory=dict)
    summary: pd.DataFrame = field(default_factory=pd.DataFrame)
    differences: pd.DataFrame = field(default_factory=pd.DataFrame)
    optimism: pd.DataFrame = field(default_factory=pd.DataFrame)
    sites: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def problems(self) -> dict[int, Problem]:
        """Patients and features by landmark."""
        return {day: developed.of for day, developed in self.developed.items()}

    @property
    def later(self) -> dict[int, Problem]:
        """The problems of the landmarks after day 0."""
        return {day: of for day, of in self.problems.items() if day > 0}

    @property
    def main(self) -> int | None:
        """The landmark with the most events: for calibration, decisions, sites and leaks."""
        days = {day: of.n_events for day, of in self.later.items()}
        return max(days, key=days.__getitem__) if days else None


def check(trial: Trial, of: Problem) -> None:
    """Run the leak guard over the features of a landmark, with every check on.

    It looks at the features as the reader named them, a category as a whole, and at every column of the models that
    comes from none of them.
    """
    table = cohort.dictionary(trial, of.landmark)
    declared = dict(zip(table["feature"], table["known_day"], strict=True))

    def build(version: Trial) -> pd.DataFrame:
        return cohort.features(version, of.landmark)

    strange = [name for name in of.X if of.origins.get(name) not in declared]
    X = pd.concat([build(trial).loc[of.X.index], of.X[strange]], axis=1)
    guard.guard(X, declared, of.landmark, of.y, build, trial)


def run(trial: Trial, p: Any, seed: int) -> Evaluation:
    """Fit and evaluate every model at landmark 0 and at each landmark of the trial, after the leak guard.

    Parameters
    ----------
    trial : Trial
    p : attrition.params.RealTrial
    seed : int
    """
    problems, skipped, needed = {}, {}, max(prediction.MINIMUM_EVENTS, p.n_folds)
    for day in (0, *trial.landmarks):
        of = prediction.problem(trial, day)
        if prediction.enough(of, needed):
            check(trial, of)
            problems[day] = of
        else:
            skipped[day] = {"n_events": of.n_events, "n_patients": len(of.y), "needed": needed}
    later = {day: of for day, of in problems.items() if day > 0}
    stack = uncertainty.stacked(later) if len(later) > 1 else None
    developed = {
        day: develop(of, p, seed, with_forest=day == trial.landmarks[0], stack=stack if day else None)
        for day, of in problems.items()
    }
    weights = {
        day: intervals.bootstrap_weights(seeds.stream(seed, "bootstrap", day), len(of.y), p.n_bootstraps)
        for day, of in problems.items()
    }
    found = Evaluation(developed, weights, skipped)
    return dataclasses.replace(found, chance=_tested(found, p.n_permutations, seed), **_tables(found, p, seed))


def develop(of: Problem, p: Any, seed: int, with_forest: bool, stack: uncertainty.Stack | None) -> Developed:
    """Every model of a landmark on all patients, and in half-samples for its intervals.

    The random forest takes longer than all others together; `stack` is for the model of all landmarks.
    """
    folds = prediction.folds_of(of, p.n_folds, p.n_repeats, seed)
    drawn = uncertainty.halves(of.y, p.n_half_samples, p.n_folds, seeds.stream(seed, "halves", of.landmark))
    fewer = dict.fromkeys(LEARNERS, (p.n_repeats_slow, p.n_half_samples_slow))
    fewer["forest"] = (p.n_repeats_slow, p.n_half_samples_forest)
    chosen = prediction.estimators(p, seed, of)
    chosen = {name: model for name, model in chosen.items() if with_forest or name != "forest"}
    found = uncertainty.develop(of, chosen, folds, drawn, fewer)
    predictions, halves = dict(found.predictions), dict(found.halves)
    if stack is not None:
        own = [fold for fold in folds if fold.repeat < p.n_repeats_slow]
        few = drawn[: uncertainty.TWICE * p.n_half_samples_slow]
        predictions["super"], halves["super"] = uncertainty.developed_together(stack, of, own, few, seed)
    ordered = {name: predictions[name] for name in LABELS if name in predictions}
    return dataclasses.replace(found, predictions=ordered, halves=halves)


def _tested(found: Evaluation, permutations: int, seed: int) -> dict[int, dict[str, dict[str, float]]]:
    """Permutation tests against chance at every landmark after day 0, with Holm's adjustment for their number."""
    tests: dict[int, dict[str, dict[str, float]]] = {day: {} for day in found.later}
    for name in TESTED:
        for day, own in tests.items():
            developed = found.developed[day]
            if name in developed.predictions:
                fold = developed.fold[:, 0]
                own[name] = uncertainty.against_chance(developed.of, name, fold, permutations, seed)
        adjusted = uncertainty.holm({day: own[name]["p"] for day, own in tests.items() if name in own})
        for day, value in adjusted.items():
            tests[day][name]["holm"] = value
    return tests


def _tables(found: Evaluation, p: Any, seed: int) -> dict[str, pd.DataFrame]:
    """Summary, differences, optimism and sites."""
    optimism, sites = [], []
    for day, of in found.later.items():
        model = prediction.ridge(of, "all", seed)
        optimism.append({"landmark": day} | prediction.corrected_auroc(of, "all", model, p.optimism_bootstraps, seed))
        if len(set(of.site_group)) > 1:
            sites.append(prediction.leave_one_site_group_out(of, "all", model).assign(landmark=day))
    developed, days = found.developed.values(), max(1, len(found.later))
    tables = {
        "summary": [uncertainty.summary(one) for one in developed],
        "differences": [uncertainty.differences(one, PAIRS, days) for one in developed],
        "sites": sites,
    }
    stacked = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items() if parts}
    return stacked | {"optimism": pd.DataFrame(optimism)}


def estimate(found: Evaluation, day: int | None, model: str, measure: str = "auroc") -> Interval | None:
    """A measure of a model at a landmark with its interval; None where there is none."""
    rows = found.summary
    if rows.empty:
        return None
    rows = rows[(rows["landmark"] == day) & (rows["model"] == model) & (rows["measure"] == measure)]
    return None if rows.empty else of_row(rows.iloc[0])


@unless_missing
def aurocs(found: Evaluation) -> pd.DataFrame:
    """AUROC of every model and landmark after day 0, with label, patients and events, in the order of `LABELS`."""
    rows = found.summary.query("measure == 'auroc' and model != 'null' and landmark > 0")
    return rows.assign(label=rows["model"].map(LABELS)).drop(columns="measure").reset_index(drop=True)


@unless_missing
def performance(found: Evaluation, day: int) -> pd.DataFrame:
    """Every measure of every model at one landmark, a row a model, with the null model first."""
    of, rows = found.problems[day], found.summary[found.summary["landmark"] == day]
    table = rows.pivot_table(index="model", columns="measure", values="value", sort=False, observed=True)
    table = table.reindex([name for name in LABELS if name in table.index]).reset_index()
    table.insert(0, "label", table.pop("model").map(LABELS))
    return table.assign(n_patients=len(of.y), n_events=of.n_events)


@unless_missing
def calibration(found: Evaluation, day: int) -> dict[str, CalibrationCurve]:
    """Flexible calibration curves of the first repeat of cross-validation."""
    own, of = found.developed[day].predictions, found.problems[day]
    models = [name for name in ("all", "arm_only", "xgb") if name in own]
    return {name: calibration_curve(of.y, own[name][:, 0], n_knots=3) for name in models}


def _strategies(found: Evaluation, day: int) -> dict[str, np.ndarray]:
    own = found.developed[day].predictions
    return {name: own[name] for name in STRATEGIES if name in own}


@unless_missing
def decisions(found: Evaluation, day: int) -> pd.DataFrame:
    """Decision curves of the strategies at the thresholds `GRID`."""
    return decision.decision_curve(found.problems[day].y, _strategies(found, day), GRID, found.weights[day][:, :500])


@unless_missing
def band_coverage(found: Evaluation, day: int, n_trials: int, seed: int) -> intervals.Interval:
    """Coverage of the bands of `decisions`, with the strategies' mean prediction as the true risk of a patient."""
    chosen = _strategies(found, day)
    risk = np.mean([y_prob.mean(axis=1) for y_prob in chosen.values()], axis=0)
    rng = seeds.stream(seed, "decision bands", str(day))
    return decision.coverage(chosen, risk, GRID, found.weights[day][:, :200], n_trials, rng)


def on_treatment(trial: Trial, found: Evaluation, day: int | None) -> Facts | None:
    """AUROC of the full model among the patients at risk who had not had their last dose by the landmark.

    Returns
    -------
    dict or None
        auroc (an interval), n_patients, n_events; None where nothing was fitted or no source tells when dosing ended.
    """
    ended = None if day is None else cohort.stopped(trial, day)
    if ended is None or day not in found.problems:
        return None
    of = found.problems[day]
    still = ~of.X.index.isin(ended)
    auroc = found.developed[day].interval("all", "auroc", still)
    return {"auroc": auroc, "n_patients": int(still.sum()), "n_events": int(of.y[still].sum())}


def _numbers_at(trial: Trial, found: Evaluation, day: int) -> Facts:
    """The results of one landmark."""
    entry: Facts = {**cohort.counts(trial, day), "seen": cohort.visit_seen(trial, day)}
    entry["off_treatment"] = cohort.off_treatment(trial, day)
    if day in found.skipped:
        auroc = dict.fromkeys(name for name in LABELS if name != "null")
        return entry | {"skipped": found.skipped[day], "auroc": auroc}
    rows = found.differences[found.differences["landmark"] == day]
    summary = found.summary[found.summary["landmark"] == day]
    by = {
        measure: {row["model"]: of_row(row) for _, row in part.iterrows()}
        for measure, part in summary.groupby("measure")
    }
    tests = found.chance.get(day, {})
    return entry | {
        **{measure: by.get(measure, {}) for measure in ("auroc", "brier_score", "calibration_slope")},
        "difference": {f"{row['first']}_less_{row['second']}": of_row(row) for _, row in rows.iterrows()},
        "permutation_p": {name: {"raw": test["p"], "holm": test["holm"]} for name, test in tests.items()},
        "without_relation": {n: {key: test[key] for key in ("mean", "low", "high")} for n, test in tests.items()},
        "on_treatment": on_treatment(trial, found, day),
        "n_features": len(found.problems[day].columns("all")),
    }


def numbers(trial: Trial, found: Evaluation, prices: pd.DataFrame) -> Facts:
    """The results of the chapter: flow, landmarks and leaks, keyed as the report names them."""
    landmarks = {str(day): _numbers_at(trial, found, day) for day in (0, *trial.landmarks)}
    for row in found.optimism.to_dict("records"):
        landmarks[str(int(row.pop("landmark")))]["optimism"] = row
    for row in found.sites.to_dict("records"):
        if row["site_group"] == "all":
            landmarks[str(int(row["landmark"]))]["across_sites"] = float(row["auroc"])
    leaks = prices.set_index("leak")[["honest", "leaky", "difference", "ci_low", "ci_high"]].to_dict("index")
    return {"flow": dict(trial.flow), "horizon": trial.horizon, "landmarks": landmarks, "leaks": leaks}


def main_landmark(trial: Trial, fewest: int = prediction.MINIMUM_EVENTS) -> int | None:
    """The landmark with the most events, if one has enough of them."""
    found = (prediction.problem(trial, day) for day in trial.landmarks)
    problems = [of for of in found if prediction.enough(of, fewest)]
    return max(problems, key=lambda of: of.n_events).landmark if problems else None


@unless_missing
def wide(found: Evaluation) -> pd.DataFrame:
    """AUROC as text, a row a model and a column a landmark."""
    rows = found.summary[found.summary["measure"].eq("auroc")]
    rows = rows.assign(
        text=[interval_text(row) for row in rows[list(INTERVAL)].to_dict("records")],
        heading=[f"day {row.landmark}: {row.n_events} of {row.n_patients}" for row in rows.itertuples()],
    )
    table = rows.pivot_table(index="model", columns="heading", values="text", aggfunc="first")
    models, columns = [name for name in LABELS if name in table.index], list(dict.fromkeys(rows["heading"]))
    table = table.reindex(index=models, columns=columns).rename_axis(columns=None)
    table.insert(0, "features and model", table.index.map(LABELS))
    return table.reset_index(drop=True)


@unless_missing
def paired(found: Evaluation) -> pd.DataFrame:
    """Paired differences with readable names, the landmarks after day 0."""
    rows = found.differences[found.differences["landmark"] > 0].drop(columns=["all_low", "all_high"])
    return rows.assign(first=rows["first"].map(LABELS), second=rows["second"].map(LABELS)).reset_index(drop=True)


def needed_patients(of: Problem, y_prob: np.ndarray | None = None, share: float = 0.15) -> Facts:
    """Patients that Riley's criteria ask for, for all columns of a problem, and what they suppose.

    A planned model is supposed to have a `share` of the largest possible Cox-Snell R-squared, ``r2``; with out-of-fold
    predictions (n_patients, n_repeats) there is also ``r2_seen``, and ``needed_seen``: None where they explain nothing.
    """
    rate, columns = float(of.y.mean()), len(of.columns("all"))
    largest = measures.max_cox_snell(rate)

    def needed(r2: float) -> int | None:
        return int(measures.riley(columns, rate, r2)["n"].max()) if 0 < r2 < largest else None

    found: Facts = {"share": share, "r2": share * largest, "needed": needed(share * largest)}
    if y_prob is not None:
        seen = float(np.mean([measures.cox_snell_r2(of.y, column) for column in y_prob.T]))
        found |= {"r2_seen": seen, "needed_seen": needed(seen)}
    return found


def planned(trial: Trial, found: Evaluation) -> Facts:
    """What the day with most events would need for a prediction, by Riley's criteria; ``day`` is None if one was made.

    With `needed` (None where nobody or everybody has the event, or nothing is known) come the r2 and share supposed.
    """
    if found.main is not None:
        return {"day": None}
    problems = [prediction.problem(trial, day) for day in (0, *trial.landmarks)]
    of = max(problems, key=lambda one: (min(one.n_events, len(one.y) - one.n_events), -one.landmark))
    rate, columns = float(of.y.mean()), len(of.columns("all"))
    supposed = needed_patients(of) if 0 < rate < 1 and columns > 0 else {"needed": None}
    numbers = {"day": of.landmark, "n": len(of.y), "events": of.n_events, "columns": columns, **supposed}
    return numbers | {"risk": dict(intervals.wilson(of.n_events, len(of.y)))}


@unless_missing
def site_groups(found: Evaluation) -> pd.DataFrame | None:
    """The site groups of the main landmark; None where there is one only."""
    own = found.sites[found.sites["landmark"] == found.main] if len(found.sites) else None
    return None if own is None else own.drop(columns="landmark")


@unless_missing
def optimism_table(found: Evaluation) -> pd.DataFrame:
    """Apparent and corrected AUROC at every landmark, with the patients and events that it rests on."""
    of = [found.problems[day] for day in found.optimism["landmark"]]
    return found.optimism.assign(n_patients=[len(one.y) for one in of], n_events=[one.n_events for one in of])


def _at_main(facts: Callable[[Evaluation, int], Facts]) -> Callable[[Evaluation], Facts]:
    """The facts of the landmark with most events, with its ``day``; without one ``day`` is None."""

    @functools.wraps(facts)
    def called(evaluated: Evaluation) -> Facts:
        day = evaluated.main
        return {"day": day} | ({} if day is None else facts(evaluated, day))

    return called


def _days(evaluated: Evaluation) -> list[int]:
    return sorted(evaluated.later)


def _differences(evaluated: Evaluation, first: str, second: str, low: str, high: str) -> dict[int, Interval]:
    """Difference of two models after day 0, by landmark; no landmark where one of them was not fitted."""
    if evaluated.differences.empty:
        return {}
    rows = evaluated.differences.query("landmark > 0 and first == @first and second == @second").sort_values("landmark")
    return {int(row["landmark"]): of_row(row, "value", low, high) for _, row in rows.iterrows()}


def _clear(found: Mapping[int, Interval]) -> list[int]:
    return [day for day, value in found.items() if value["ci_low"] > 0]


def _largest(found: Mapping[int, Interval], smallest: float) -> Facts:
    """The largest difference among those that are clear, where there are any, and the verdict on it."""
    clear = _clear(found)
    day = max(clear or found, key=lambda one: found[one]["value"])
    return {"day": day, "gain": found[day], "clear": clear, "verdict": grade(found[day], smallest).verdict}


def better_than_chance(evaluated: Evaluation, model: str = "all") -> list[int]:
    """Landmarks at which a model ranks better than chance: permutation test, Holm over the landmarks."""
    return [day for day, tests in evaluated.chance.items() if model in tests and tests[model]["holm"] <= CHANCE]


def below_half(evaluated: Evaluation, model: str) -> Facts:
    """An interval wholly below one half (``auroc`` is None without one), and what the procedure gives by chance."""
    rows = aurocs(evaluated) if evaluated.main else pd.DataFrame()
    rows = rows[rows["model"].eq(model) & (rows["ci_high"] < 0.5)] if len(rows) else rows
    if rows.empty:
        return {"auroc": None}
    row = rows.iloc[0]
    expected = evaluated.chance.get(int(row["landmark"]), {}).get(model, {"mean": None})
    return {"label": row["label"], "day": row["landmark"], "auroc": of_row(row), **expected}


def honest(evaluated: Evaluation, suspicious: float) -> Facts:
    """How well any honest model ranks, at which landmarks better than chance, and whether one is too good."""
    days, above = _days(evaluated), better_than_chance(evaluated)
    if not days:
        return {"days": days, "verdict": "not testable"}
    table = aurocs(evaluated)
    best = table.loc[table["value"].idxmax()]
    verdict = "supported" if len(above) == len(days) else "direction only" if above else "not supported"
    facts = {"days": days, "above": above, "p": [evaluated.chance[day]["all"]["holm"] for day in days]}
    facts |= {"tried": len(table), "best": best["value"], "suspicious": suspicious}
    facts |= {"model": best["model"], "label": best["label"], "day": best["landmark"]}
    return facts | {"verdict": "not testable" if best["value"] >= suspicious else verdict}


def beyond_the_arm(evaluated: Evaluation, smallest: float, suspicious: float) -> Facts:
    """Whether all that was known adds to the arm alone; not judged where the full model is suspected of a leak."""
    found = _differences(evaluated, "all", "arm_only", "all_low", "all_high")
    facts = {"days": _days(evaluated), "compared": len(found), "verdict": "not testable"}
    if not found:
        return facts
    rows = aurocs(evaluated).query("model == 'all'")
    best = rows.loc[rows["value"].idxmax()]
    facts |= {"smallest": smallest, "suspicious": suspicious, "leak": bool(best["value"] >= suspicious)}
    if facts["leak"]:
        return facts | {"auroc": of_row(best), "day": best["landmark"]}
    worse = [day for day, value in found.items() if value["ci_high"] < 0]
    return facts | _largest(found, smallest) | {"worse": worse}


def blinded(evaluated: Evaluation, smallest: float) -> Facts:
    """What is left when the arm is not known, as in a running trial."""
    main, found = evaluated.main, _differences(evaluated, "all", "all_without_arm", "ci_low", "ci_high")
    facts: Facts = {"day": main, "compared": len(found), "verdict": "not testable"}
    if main is None or not found:
        return facts
    clear = _clear(found)
    facts |= {"gain": found[main], "verdict": grade(found[main], smallest).verdict}
    facts |= {"clear": clear, "unclear": [day for day in found if day not in clear]}
    left = estimate(evaluated, main, "all_without_arm")
    return facts | {"left": left, "above": better_than_chance(evaluated, "all_without_arm")}


def adverse_events(evaluated: Evaluation, smallest: float) -> Facts:
    """Whether adverse events known by the landmark add to baseline and arm."""
    found = _differences(evaluated, "adverse_events", "baseline_arm", "all_low", "all_high")
    facts = {"days": _days(evaluated), "compared": len(found), "verdict": "not testable"}
    return facts | (_largest(found, smallest) if found else {})


def contacting(curve: pd.DataFrame | None) -> Facts:
    """Where contacting by each model's risk beats both defaults in `decisions`; the verdict is on the full model.

    By model ``n``, how many thresholds have both bands above zero, ``low`` and ``high``, the first and last
    of them, and of those that are judged; ``best``, the largest advantage over the better default, in net leavers
    found per 100 patients, with ``best_low``, the lower end of its bands, and ``best_at``. None where there is none.
    """
    models: dict[str, Facts] = {}
    for model in () if curve is None else curve["model"].unique():
        own = decision.conclude(curve, model)
        best, low = 100 * own["best_over_default"], 100 * own["best_over_default_low"]
        facts = {"n": own["n_better"], "low": own["better_from"], "high": own["better_to"]}
        facts |= {"judged_low": own["judged_from"], "judged_high": own["judged_to"]}
        models[str(model)] = facts | {"best": best, "best_low": low, "best_at": own["best_threshold"]}
    verdict = "not testable"
    if models and models["all"]["judged_low"] is not None:
        verdict = "supported" if models["all"]["n"] else "not supported"
    return {"models": models, "beside": decision.BESIDE, "verdict": verdict}


def leaks(prices: pd.DataFrame, smallest: float, suspicious: float) -> Facts:
    """The leak with the highest price, how many have a large one, and which gave nothing."""
    if prices.empty:
        return {"n": 0, "verdict": "not testable"}
    dearest = prices.loc[prices["difference"].idxmax()]
    price = of_row(dearest, "difference")
    large = (prices["ci_low"] > 0) & (prices["difference"] >= smallest)
    facts: Facts = {"n": len(prices), "large": int(large.sum()), "above": int((prices["leaky"] >= suspicious).sum())}
    facts |= {"free": prices.loc[prices["ci_low"] <= 0, "label"].tolist(), "suspicious": suspicious}
    facts |= {**dearest[["label", "honest", "leaky"]], "price": price, "smallest": smallest}
    return facts | {"verdict": grade(price, smallest).verdict}


@_at_main
def optimism(evaluated: Evaluation, day: int) -> Facts:
    """Apparent, corrected and cross-validated AUROC at the main landmark."""
    row = evaluated.optimism.set_index("landmark").loc[day]
    return {**row[["apparent", "corrected"]], "crossed": estimate(evaluated, day, "all")}


@_at_main
def sites(evaluated: Evaluation, day: int) -> Facts:
    """How the full model does in site groups that it has not seen; ``n`` is 0 where there is one only."""
    rows = site_groups(evaluated)
    if rows is None:
        return {"n": 0}
    groups = rows[rows["site_group"] != "all"]
    facts: Facts = {"n": len(groups), "pooled": rows["auroc"].iloc[-1], "smallest": int(groups["n_patients"].min())}
    facts |= {"low": groups["observed"].min(), "high": groups["observed"].max()}
    return facts | {"inside": evaluated.developed[day].interval("all", "auroc")["value"]}


@_at_main
def sample_size(evaluated: Evaluation, day: int) -> Facts:
    """What sample size the number of features would have asked for, by `needed_patients`."""
    of = evaluated.problems[day]
    found = needed_patients(of, evaluated.developed[day].predictions["all"])
    return {"events": of.n_events, "features": len(of.columns("all")), "n": len(of.y), **found}


def lag(reported: pd.DataFrame, trial: Trial) -> Facts:
    """How late adverse events become known (`cohort.known_share`): on the same day, half of them, after four weeks."""
    adverse = trial.events[trial.events["kind"].eq("adverse event")]
    share = reported.set_index("days_after_onset")["reported"]
    half = share.index[share >= 0.5]
    facts = {"recorded": len(adverse), "collected": int(adverse["known_day"].notna().sum()), "month": share[28]}
    return facts | {"same": None if np.isnan(share[0]) else share[0], "half": int(half[0]) if len(half) else None}
