"""Models developed and evaluated at every landmark with enough events: tables, results and conclusions of chapter 06.

Conclusions are numbers and grades; their sentences stand in ``notebooks/words/06_real_trial.md``. Without a prediction
``day`` is None, or ``days`` is empty, and the sentence says so or nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed

from attrition import decision, engine, seeds
from attrition.cdisc.trial import Trial
from attrition.landmark import cohort, guard, prediction, uncertainty
from attrition.landmark.prediction import LABELS, LEARNERS, Problem
from attrition.landmark.uncertainty import Developed
from attrition.metrics import evaluator, intervals, measures
from attrition.metrics.calibration import CalibrationCurve, calibration_curve
from attrition.metrics.intervals import CHANCE, grade, of_row
from attrition.resampling import Fold
from attrition.survival import incidence
from notebook_report.text import unless_missing

PAIRS = [(first, second) for first, second in cohort.WORDS["pairs"]]
TESTED = ("all", "all_without_arm")
"""Feature sets that are tested against chance."""
STRATEGIES = ("all", "all_without_arm", "arm_only")
"""Models by whose risk patients may be contacted."""
MOST_RESAMPLES = 500
"""Bootstrap resamples of decision curves at most."""
DRAWN, RESAMPLED = 5_000, 200
"""Patients of a simulated trial at most, and resamples of it, for the coverage of the curves' bands."""
GRID = np.round(np.arange(0.05, 0.901, 0.025), 3)
Facts = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Models by landmark, and the tables made of them.

    Attributes
    ----------
    developed : dict by landmark
        The models on all patients and in half-samples.
    skipped : dict of int to dict
        Landmarks with too few events: their size, who is known to have stayed, and how many of each are needed.
    chance : dict of int to dict of str to dict
        Landmark after day 0 and feature set to the permutation test: p, holm, mean, low, high.
    summary, differences, optimism, sites : pandas.DataFrame
        Long tables of `attrition.metrics.evaluator`, and see `prediction`; empty when no landmark has enough events.
    declared : pandas.DataFrame
        See `declared`.
    n_bootstraps, seed : int
        Of the resamples for decision curves.
    """

    developed: dict[int, Developed] = field(default_factory=dict)
    skipped: dict[int, dict[str, int]] = field(default_factory=dict)
    chance: dict[int, dict[str, dict[str, float]]] = field(default_factory=dict)
    summary: pd.DataFrame = field(default_factory=pd.DataFrame)
    differences: pd.DataFrame = field(default_factory=pd.DataFrame)
    optimism: pd.DataFrame = field(default_factory=pd.DataFrame)
    sites: pd.DataFrame = field(default_factory=pd.DataFrame)
    declared: pd.DataFrame = field(default_factory=pd.DataFrame)
    n_bootstraps: int = 0
    seed: int = 0

    def weights(self, day: int) -> np.ndarray:
        """Patient-bootstrap weights of a landmark, (n_patients, n_resamples), for decision curves."""
        of, n = self.problems[day], len(self.problems[day].y)
        drawn = intervals.bootstrap_weights(seeds.stream(self.seed, "bootstrap", day), n, self.n_bootstraps)
        return of.resampled(drawn[:, :MOST_RESAMPLES])

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
    comes from none of them. The randomised arm, and columns declared known on day 1, may rank as well as they will.
    """
    table = cohort.dictionary(trial, of.landmark)
    declared = dict(zip(table["feature"], table["known_day"], strict=True))

    def build(version: Trial) -> pd.DataFrame:
        return cohort.features(version, of.landmark)

    strange = [name for name in of.X if of.origins.get(name) not in declared]
    X = pd.concat([build(trial).loc[of.X.index], of.X[strange]], axis=1)
    y, exempt = of.y if prediction.enough(of) else None, {"arm", *declared_known(trial)}
    guard.guard(X, declared, of.landmark, y, build, trial, weights=of.base, exempt=exempt)


def check_all(trial: Trial) -> None:
    """The leak guard at every landmark, as it stands before the first notebook."""
    for day in (0, *trial.landmarks):
        check(trial, prediction.problem(trial, day))


def declared_known(trial: Trial) -> list[str]:
    """Baseline columns that the trial's definitions declare to have been known on day 1."""
    names = trial.definitions.known_on_day_1
    return [name for name in trial.baseline if name in names or name.removeprefix("baseline_") in names]


def declared(trial: Trial, problems: Mapping[int, Problem]) -> pd.DataFrame:
    """How each column that is declared known ranks alone: column, landmark, AUROC with interval, patients and events.

    ``above`` tells whether the guard would have refused it.
    """
    rows = []
    for day, of in problems.items():
        table = cohort.features(trial, day).loc[of.X.index]
        for name in [name for name in declared_known(trial) if name in table]:
            above = bool(len(guard.screen(table[[name]], of.y, weights=of.base)))
            own = guard.alone(table[name], of.y, of.base)
            rows.append({"column": name, "landmark": day, "known_day": 1, **own, **of.size, "above": above})
    return pd.DataFrame(rows)


def run(trial: Trial, p: Any, seed: int) -> Evaluation:
    """Fit and evaluate every model at landmark 0 and at each landmark of the trial, after the leak guard.

    Landmarks, and what is repeated at them, are tasks of `attrition.engine`; `p` has the parameters of the chapter.
    """
    needed = max(prediction.MINIMUM_EVENTS, p.n_folds)
    every = {day: prediction.problem(trial, day) for day in (0, *trial.landmarks)}
    problems = {day: of for day, of in every.items() if prediction.enough(of, needed)}
    for of in problems.values():
        check(trial, of)
    skipped = {
        day: {**of.size, "n_stayed": of.n_stayed, "needed": needed} for day, of in every.items() if day not in problems
    }
    later = {day: of for day, of in problems.items() if day > 0}
    stack = uncertainty.stacked(later) if len(later) > 1 else None
    tasks = [delayed(develop)(of, p, seed, day == trial.landmarks[0]) for day, of in problems.items()]
    tasks += [delayed(_together)(of, p, seed, stack) for of in later.values()] if stack else []
    found = engine.compute(tasks, "models by landmark")
    supers = dict(zip(later, found[len(problems) :], strict=False))
    developed = {day: _with(one, supers.get(day)) for day, one in zip(problems, found, strict=False)}
    chance = _tested({day: developed[day] for day in later}, p.n_permutations, seed)
    known = declared(trial, problems)
    n = min(p.n_bootstraps, max([MOST_RESAMPLES, *(uncertainty.sized(p, of).n_bootstraps for of in problems.values())]))
    return Evaluation(
        developed, skipped, chance, **_tables(developed, p, seed), declared=known, n_bootstraps=n, seed=seed
    )


def _drawn(of: Problem, p: Any, seed: int) -> tuple[list[Fold], list[Fold]]:
    """Folds of all patients, and of half-samples."""
    rng, n_splits = seeds.stream(seed, "halves", of.landmark), uncertainty.splits(p)
    drawn = uncertainty.halves(of.y, p.n_half_samples, p.n_folds, rng, of.weight > 0, n_splits)
    return prediction.folds_of(of, p.n_folds, p.n_repeats, seed), drawn


def develop(of: Problem, p: Any, seed: int, with_forest: bool) -> Developed:
    """Every model of a landmark alone, on all patients, and in half-samples for its intervals.

    The random forest takes longer than all others together.
    """
    p = uncertainty.sized(p, of)
    folds, drawn = _drawn(of, p, seed)
    fewer = dict.fromkeys(LEARNERS, (p.n_repeats_slow, p.n_half_samples_slow))
    fewer["forest"] = (p.n_repeats_slow, p.n_half_samples_forest)
    chosen = prediction.estimators(p, seed, of)
    chosen = {name: model for name, model in chosen.items() if with_forest or name != "forest"}
    return uncertainty.develop(of, chosen, folds, drawn, fewer, uncertainty.splits(p))


def _together(of: Problem, p: Any, seed: int, stack: uncertainty.Stack) -> tuple[np.ndarray, np.ndarray]:
    """The model of all landmarks at one of them, which takes long: as `develop` has the others."""
    p = uncertainty.sized(p, of)
    folds, drawn = _drawn(of, p, seed)
    few = uncertainty.up_to(drawn, uncertainty.splits(p) * p.n_half_samples_slow)
    return uncertainty.developed_together(stack, of, uncertainty.up_to(folds, p.n_repeats_slow), few, seed)


def _with(developed: Developed, together: tuple[np.ndarray, np.ndarray] | None) -> Developed:
    """In the order of `LABELS`, and with the model of all landmarks where there is one."""
    every, halves = dict(developed.predictions), dict(developed.halves)
    if together:
        every["super"], halves["super"] = together
    return replace(developed, predictions={name: every[name] for name in LABELS if name in every}, halves=halves)


def _tested(after: dict[int, Developed], permutations: int, seed: int) -> dict[int, dict[str, dict[str, float]]]:
    """Permutation tests against chance at every landmark after day 0, with Holm's adjustment for their number."""
    tests: dict[int, dict[str, dict[str, float]]] = {day: {} for day in after}
    cases = [(day, name) for name in TESTED for day, one in after.items() if name in one.predictions]
    against = delayed(uncertainty.against_chance)
    tasks = [against(after[day].of, name, after[day].fold[:, 0], permutations, seed) for day, name in cases]
    for (day, name), found in zip(cases, engine.compute(tasks, "permutation tests"), strict=True):
        tests[day][name] = found
    for name in TESTED:
        raw = {day: found[name]["p"] for day, found in tests.items() if name in found}
        for day, adjusted in uncertainty.holm(raw).items():
            tests[day][name]["holm"] = adjusted
    return tests


def _elsewhere(of: Problem, n_bootstraps: int, seed: int) -> tuple[dict[str, float], pd.DataFrame | None]:
    """How the full model ranks among other patients: optimism, and in site groups that it has not seen."""
    model = prediction.ridge(of, "all", seed)
    corrected = prediction.corrected_auroc(of, "all", model, n_bootstraps, seed)
    several, day = len(set(of.site_group)) > 1, {"landmark": of.landmark}
    sites = prediction.leave_one_site_group_out(of, "all", model).assign(**day) if several else None
    return day | corrected | of.size, sites


def _tables(developed: dict[int, Developed], p: Any, seed: int) -> dict[str, pd.DataFrame]:
    """Summary, differences, optimism and sites."""
    after = [one.of for day, one in developed.items() if day > 0]
    tasks = [delayed(_elsewhere)(of, uncertainty.sized(p, of).optimism_bootstraps, seed) for of in after]
    held = engine.compute(tasks, "optimism and sites")
    optimism, sites = [one for one, _ in held], [one for _, one in held if one is not None]
    tables = {
        "summary": [uncertainty.summary(one) for one in developed.values()],
        "differences": [uncertainty.differences(one, PAIRS, max(1, len(after))) for one in developed.values()],
        "optimism": [pd.DataFrame(optimism)],
        "sites": sites,
    }
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items() if parts}


@unless_missing
def aurocs(found: Evaluation) -> pd.DataFrame:
    """AUROC of every model and landmark after day 0, with label, patients and events, in the order of `LABELS`."""
    rows = found.summary.query("measure == 'auroc' and model != 'null' and landmark > 0")
    return rows.assign(label=rows["model"].map(LABELS)).drop(columns="measure").reset_index(drop=True)


@unless_missing
def performance(found: Evaluation, day: int) -> pd.DataFrame:
    """Every measure of every model at one landmark, a row a model, with the null model first."""
    of, rows = found.problems[day], found.summary[found.summary["landmark"] == day]
    table = rows.pivot_table(index="model", columns="measure", values="value", sort=False).reset_index()
    table = table.assign(model=table["model"].map(LABELS), **of.size)
    return table.rename(columns={"model": "label"})


@unless_missing
def calibration(found: Evaluation, day: int) -> dict[str, CalibrationCurve]:
    """Flexible calibration curves of the first repeat of cross-validation."""
    own, of = found.developed[day].predictions, found.problems[day]
    models = [name for name in ("all", "arm_only", "xgb") if name in own]
    return {name: calibration_curve(of.y, own[name][:, 0], n_knots=3, weights=of.base) for name in models}


def _strategies(found: Evaluation, day: int) -> dict[str, np.ndarray]:
    own = found.developed[day].predictions
    return {name: own[name] for name in STRATEGIES if name in own}


@unless_missing
def decisions(found: Evaluation, day: int) -> pd.DataFrame:
    """Decision curves of the strategies at the thresholds `GRID`."""
    of = found.problems[day]
    return decision.decision_curve(of.y, _strategies(found, day), GRID, found.weights(day), base=of.base)


@unless_missing
def band_coverage(found: Evaluation, day: int, n_trials: int, seed: int) -> intervals.Interval | None:
    """Coverage of the bands of `decisions`, with the strategies' mean prediction as the true risk of a patient.

    The simulated trials have as many patients, at most `DRAWN` (of more, thresholds that few patients are beyond are
    then judged in few trials), and are seen to the end, so there is none (None) for a trial with censored patients.
    """
    if found.problems[day].cause is not None:
        return None
    chosen = _strategies(found, day)
    risk = np.mean([y_prob.mean(axis=1) for y_prob in chosen.values()], axis=0)
    rng = seeds.stream(seed, "decision bands", str(day))
    weights = (
        found.weights(day)[:, :RESAMPLED] if len(risk) <= DRAWN else intervals.bootstrap_weights(rng, DRAWN, RESAMPLED)
    )
    return decision.coverage(chosen, risk, GRID, weights, n_trials, rng)


def on_treatment(trial: Trial, found: Evaluation, day: int | None) -> Facts | None:
    """AUROC of the full model among the patients at risk who had not had their last dose by the landmark.

    Gives auroc (an interval), n_patients, n_events and n_censored; None where nothing was fitted or no source tells
    when dosing ended.
    """
    ended = None if day is None else cohort.stopped(trial, day)
    if ended is None or day not in found.problems:
        return None
    of = found.problems[day]
    still = ~of.X.index.isin(ended)
    auroc = found.developed[day].interval("all", "auroc", still)
    size = {"n_patients": int(still.sum()), "n_events": int(of.y[still].sum())}
    return {"auroc": auroc} | size | {"n_censored": int((of.weight[still] == 0).sum())}


def told_alone(found: Evaluation, suspicious: float) -> Facts:
    """Each declared column at the landmark where it alone ranks best, and whether the guard would refuse one."""
    best = found.declared.sort_values("value", ascending=False, kind="stable").drop_duplicates("column")
    return {"rows": best.to_dict("records"), "above": bool(found.declared["above"].any()), "suspicious": suspicious}


def _numbers_at(trial: Trial, found: Evaluation, day: int) -> Facts:
    """The results of one landmark."""
    entry: Facts = {**cohort.counts(trial, day), "risk": cohort.risk(trial, day)}
    entry["seen"] = cohort.visit_seen(trial, day)
    entry["off_treatment"] = cohort.off_treatment(trial, day)
    if day in found.skipped:
        auroc = dict.fromkeys(name for name in LABELS if name != "null")
        return entry | {"skipped": found.skipped[day], "auroc": auroc}
    parts = found.summary[found.summary["landmark"] == day].groupby("measure")
    by = {measure: {row["model"]: of_row(row) for row in part.to_dict("records")} for measure, part in parts}
    apart = evaluator.nested(found.differences[found.differences["landmark"] == day])
    tests = found.chance.get(day, {})
    return entry | {
        **by,
        "difference": {name.replace("_minus_", "_less_"): one["auroc"] for name, one in apart.items()},
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
    days = [
        f"day {row.landmark}: {row.n_events} of {row.n_patients}"
        + (f", {row.n_censored} censored" if row.n_censored else "")
        for row in rows.itertuples()
    ]
    table = evaluator.readable(rows.assign(measure=days)[["model", *evaluator.OF_INTERVAL]]).set_index("model")
    table = table.reindex([name for name in LABELS if name in table.index]).rename(index=LABELS)
    return table.rename_axis("features and model").reset_index()


@unless_missing
def paired(found: Evaluation) -> pd.DataFrame:
    """Paired differences with readable names, the landmarks after day 0."""
    rows = found.differences[found.differences["landmark"] > 0].drop(columns=["measure", "all_low", "all_high"])
    return rows.assign(first=rows["first"].map(LABELS), second=rows["second"].map(LABELS)).reset_index(drop=True)


def needed_patients(of: Problem, y_prob: np.ndarray | None = None, share: float = 0.15) -> Facts:
    """Patients that Riley's criteria ask for, for all columns of a problem, and what they suppose.

    A planned model is supposed to have a `share` of the largest possible Cox-Snell R-squared, ``r2``; with out-of-fold
    predictions (n_patients, n_repeats) there is also ``r2_seen``, and ``needed_seen``: None where they explain nothing.
    Without columns, or where nobody or everybody has the event, ``needed`` is None.
    """
    rate, columns = of.rate, len(of.columns("all"))
    found: Facts = {"day": of.landmark, "n": len(of.y), "events": of.n_events, "features": columns}
    if not (0 < rate < 1 and columns):
        return found | {"needed": None}
    largest = measures.max_cox_snell(rate)

    def needed(r2: float) -> int | None:
        return int(measures.riley(columns, rate, r2)["n_patients"].max()) if 0 < r2 < largest else None

    found |= {"share": share, "r2": share * largest, "needed": needed(share * largest)}
    if y_prob is not None:
        seen = float(np.mean([measures.cox_snell_r2(of.y, column, of.base) for column in y_prob.T]))
        found |= {"r2_seen": seen, "needed_seen": needed(seen)}
    return found


def planned(trial: Trial, found: Evaluation) -> Facts:
    """`needed_patients` for a prediction on the day with most events; ``day`` is None if one was made."""
    if found.main is not None:
        return {"day": None}
    problems = [prediction.problem(trial, day) for day in (0, *trial.landmarks)]
    of = max(problems, key=lambda one: (min(one.n_events, one.n_stayed), -one.landmark))
    risk: Facts | None = dict(intervals.wilson(of.n_events, len(of.y)))
    if of.cause is not None:
        row = incidence.at_days(incidence.aalen_johansen(of.time, of.cause, 2), [of.ahead]).iloc[0].to_dict()
        risk = dict(of_row(row)) if of.rate == of.rate else None
    return needed_patients(of) | {"risk": risk, "censored": of.size["n_censored"]}


def sample_size(found: Evaluation) -> Facts:
    """`needed_patients` at the main landmark, by what was supposed and by what was seen."""
    if found.main is None:
        return {"day": None}
    return needed_patients(found.problems[found.main], found.developed[found.main].predictions["all"])


@unless_missing
def site_groups(found: Evaluation) -> pd.DataFrame | None:
    """The site groups of the main landmark; None where there is one only."""
    own = found.sites[found.sites["landmark"] == found.main] if len(found.sites) else None
    return None if own is None else own.drop(columns="landmark")


def compared(
    found: Evaluation, first: str, second: str, smallest: float, ends: tuple[str, str] = ("all_low", "all_high")
) -> Facts:
    """Difference of two models at every landmark after day 0, with intervals that hold for all of them at once.

    Parameters
    ----------
    found : Evaluation
    first, second : str
        Models; the difference is first less second.
    smallest : float
        Smallest difference of interest.
    ends : (str, str)
        Columns of ``found.differences`` with the ends of the intervals.

    Returns
    -------
    dict
        days; compared (how many landmarks have both models); gains by landmark; clear and worse (landmarks with an
        interval above and below zero); day, gain and verdict of the largest gain, of a clear one if there is any.
    """
    days = sorted(found.later)
    rows = [] if found.differences.empty else found.differences.sort_values("landmark").to_dict("records")
    rows = [row for row in rows if row["landmark"] in days and (row["first"], row["second"]) == (first, second)]
    facts: Facts = {"days": days, "compared": len(rows), "smallest": smallest, "verdict": "not testable"}
    if not rows:
        return facts
    gains = {int(row["landmark"]): of_row(row, "value", *ends) for row in rows}
    clear = [day for day, gain in gains.items() if gain["ci_low"] > 0]
    worse = [day for day, gain in gains.items() if gain["ci_high"] < 0]
    day = max(clear or gains, key=lambda one: gains[one]["value"])
    facts |= {"gains": gains, "clear": clear, "worse": worse, "day": day, "gain": gains[day]}
    return facts | {"verdict": grade(gains[day], smallest).verdict}


def better_than_chance(found: Evaluation, model: str = "all") -> list[int]:
    """Landmarks at which a model ranks better than chance: permutation test, Holm over the landmarks."""
    return [day for day, tests in found.chance.items() if model in tests and tests[model]["holm"] <= CHANCE]


def below_half(found: Evaluation, model: str) -> Facts:
    """An interval wholly below one half (``auroc`` is None without one), and what the procedure gives by chance."""
    rows = [] if found.main is None else aurocs(found).query("model == @model and ci_high < 0.5").to_dict("records")
    if not rows:
        return {"auroc": None}
    label, day = rows[0]["label"], rows[0]["landmark"]
    return {"label": label, "day": day, "auroc": of_row(rows[0]), "mean": None} | found.chance[day].get(model, {})


def excuse(found: Evaluation, day: int, suspicious: float) -> str | None:
    """What may rank as well as a leak and is none: the randomised ``"arm"``, or a column ``"declared"`` known."""
    arm = evaluator.pick(found.summary, landmark=day, model="arm_only", measure="auroc")
    if arm is not None and arm["value"] >= suspicious:
        return "arm"
    return "declared" if len(found.declared) and found.declared["above"].any() else None


def honest(found: Evaluation, suspicious: float) -> Facts:
    """How well any honest model ranks, at which landmarks better than chance, and whether one is too good."""
    days, above = sorted(found.later), better_than_chance(found)
    if not days:
        return {"days": days, "verdict": "not testable"}
    table = aurocs(found)
    best = table.loc[table["value"].idxmax()]
    verdict = "supported" if len(above) == len(days) else "direction only" if above else "not supported"
    facts = {"days": days, "above": above, "p": [found.chance[day]["all"]["holm"] for day in days]}
    facts |= {"tried": len(table), "best": best["value"], "suspicious": suspicious, "day": best["landmark"]}
    facts |= {"excuse": excuse(found, best["landmark"], suspicious)}
    verdict = "not testable" if best["value"] >= suspicious and facts["excuse"] is None else verdict
    return facts | {"model": best["model"], "label": best["label"], "verdict": verdict}


def beyond_the_arm(found: Evaluation, smallest: float, suspicious: float) -> Facts:
    """Whether all that was known adds to the arm alone; not judged where the full model is suspected of a leak."""
    facts = compared(found, "all", "arm_only", smallest)
    if not facts["compared"]:
        return facts
    best = aurocs(found).query("model == 'all'").nlargest(1, "value").iloc[0]
    leak = bool(best["value"] >= suspicious) and excuse(found, best["landmark"], suspicious) is None
    facts |= {"suspicious": suspicious, "leak": leak}
    told = {"auroc": of_row(best), "day": best["landmark"], "verdict": "not testable"}
    return facts | (told if facts["leak"] else {})


def blinded(found: Evaluation, smallest: float) -> Facts:
    """What is left when the arm is not known, as in a running trial."""
    facts = compared(found, "all", "all_without_arm", smallest, ("ci_low", "ci_high")) | {"day": found.main}
    if found.main is None or not facts["compared"]:
        return facts
    gain, left = facts["gains"][found.main], {"landmark": found.main, "model": "all_without_arm", "measure": "auroc"}
    facts |= {"gain": gain, "verdict": grade(gain, smallest).verdict, "left": evaluator.pick(found.summary, **left)}
    unclear = [day for day in facts["gains"] if day not in facts["clear"]]
    return facts | {"unclear": unclear, "above": better_than_chance(found, "all_without_arm")}


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
