"""The landmark study of chapter 06: every landmark with enough events, every model, and what the report quotes."""

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from attrition import decision, landmark, params, paths, seeds, tracking
from attrition.cdisc.trial import LEFT_OUT, Trial
from attrition.landmark import guard, participants, prediction, together, uncertainty
from attrition.landmark.prediction import LABELS, Problem
from attrition.landmark.uncertainty import Developed
from attrition.metrics import intervals, samplesize
from attrition.metrics.calibration import CalibrationCurve, calibration_curve
from attrition.resampling import Fold
from attrition.text import unless_missing

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
CALIBRATED = ("arm_only", "all", "xgb", "lgbm")
GRID = np.round(np.arange(0.05, 0.901, 0.025), 3)


@dataclass(frozen=True)
class Study:
    """Problems and out-of-fold predictions by landmark, and the tables made of them.

    Attributes
    ----------
    problems, developed, weights : dict by landmark
        Patients; the models on all of them and in half-samples; patient-bootstrap weights for decision curves.
    skipped : dict of int to str
        Landmarks with too few events, and why.
    chance : dict of int to dict of str to dict
        Landmark after day 0 and feature set to the permutation test: p, holm, mean, low, high.
    summary, differences, optimism, sites : pandas.DataFrame
        See `attrition.landmark.uncertainty` and `prediction`; empty when no landmark has enough events.
    """

    problems: dict[int, Problem] = field(default_factory=dict)
    developed: dict[int, Developed] = field(default_factory=dict)
    weights: dict[int, np.ndarray] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    chance: dict[int, dict[str, dict[str, float]]] = field(default_factory=dict)
    summary: pd.DataFrame = field(default_factory=pd.DataFrame)
    differences: pd.DataFrame = field(default_factory=pd.DataFrame)
    optimism: pd.DataFrame = field(default_factory=pd.DataFrame)
    sites: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def predictions(self) -> dict[int, dict[str, np.ndarray]]:
        """Out-of-fold predictions by landmark and model, (n_patients, n_repeats)."""
        return {day: dict(developed.predictions) for day, developed in self.developed.items()}

    @property
    def main(self) -> int | None:
        """The landmark with the most events: for calibration, decisions, sites and leaks."""
        days = {day: of.n_events for day, of in self.problems.items() if day > 0}
        return max(days, key=days.__getitem__) if days else None


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [pair for pair in PAIRS if pair[0] in names and pair[1] in names]


def check(trial: Trial, of: Problem) -> None:
    """Run the leak guard over the features of a landmark, with every check on.

    It looks at the features as the reader named them, a category as a whole, and at every column of the models that
    comes from none of them.

    Raises
    ------
    attrition.landmark.guard.LeakError
    """
    table = landmark.dictionary(trial, of.landmark)
    declared = dict(zip(table["feature"], table["known_day"], strict=True))

    def build(version: Trial) -> pd.DataFrame:
        return landmark.features(version, of.landmark)

    strange = [name for name in of.X if of.origins.get(name) not in declared]
    X = pd.concat([build(trial).loc[of.X.index], of.X[strange]], axis=1)
    guard.guard(X, declared, of.landmark, of.y, build, trial)


def run(trial: Trial, p: Any, seed: int) -> Study:
    """Fit and judge every model at landmark 0 and at each landmark of the trial, after the leak guard.

    Parameters
    ----------
    trial : Trial
    p : attrition.params.RealTrial
    seed : int

    Returns
    -------
    Study
    """
    study = Study()
    folds = {}
    for day in (0, *trial.landmarks):
        of = prediction.problem(trial, day)
        try:
            folds[day] = prediction.folds_of(of, p.n_folds, p.n_repeats, seed)
        except ValueError as few:
            study.skipped[day] = str(few)
            continue
        check(trial, of)
        study.problems[day] = of
    later = {day: of for day, of in study.problems.items() if day > 0}
    stack = together.stacked(later) if len(later) > 1 else None
    for day, of in study.problems.items():
        study.developed[day] = develop(of, folds[day], p, seed, day == trial.landmarks[0], stack if day else None)
        study.weights[day] = prediction.bootstrap_weights(of, p.n_bootstraps, seed)
    study.chance.update(_tested(study, p.n_permutations, seed))
    return dataclasses.replace(study, **_tables(study, p, seed))


def develop(
    of: Problem, folds: Sequence[Fold], p: Any, seed: int, with_forest: bool, stack: together.Stack | None
) -> Developed:
    """Every model of a landmark on all patients, and in half-samples for its intervals.

    Parameters
    ----------
    of : Problem
    folds : sequence of Fold
    p : attrition.params.RealTrial
    seed : int
    with_forest : bool
        Whether to fit the random forest, which takes longer than all others together.
    stack : Stack or None
        Rows of all landmarks, for the model of all of them.
    """
    chosen = prediction.estimators(p, seed, of)
    drawn = uncertainty.halves(of.y, p.n_half_samples, p.n_folds, seeds.stream(seed, "halves", of.landmark))
    few = drawn[: uncertainty.TWICE * p.n_half_samples_slow]
    predictions, halved = prediction.out_of_fold(of, {}, folds), {}
    for name, (feature_set, estimator) in chosen.items():
        if name in prediction.DEAR and not with_forest:
            continue
        own = [fold for fold in folds if fold.repeat < p.n_repeats_slow] if name in prediction.LEARNERS else folds
        predictions[name] = prediction.out_of_fold(of, {name: (feature_set, estimator)}, own)[name]
        resampled = few if name in prediction.LEARNERS else drawn
        if name in prediction.DEAR:
            resampled = few[:8]
        halved[name] = uncertainty.redeveloped(of, feature_set, estimator, resampled)
    if stack is not None:
        own = [fold for fold in folds if fold.repeat < p.n_repeats_slow]
        predictions["super"], halved["super"] = together.developed(stack, of, own, few, seed)
    ordered = {name: predictions[name] for name in LABELS if name in predictions}
    return Developed(of, ordered, uncertainty.fold_labels(folds, len(of.y)), drawn, halved)


def _tested(study: Study, permutations: int, seed: int) -> dict[int, dict[str, dict[str, float]]]:
    """Permutation tests against chance at every landmark after day 0, with Holm's adjustment for their number."""
    found: dict[int, dict[str, dict[str, float]]] = {day: {} for day in study.developed if day > 0}
    for name in TESTED:
        for day in found:
            developed = study.developed[day]
            if name in developed.predictions:
                found[day][name] = uncertainty.permutation_test(
                    developed.of, name, developed.fold[:, 0], permutations, seed
                )
        adjusted = uncertainty.holm({day: tests[name]["p"] for day, tests in found.items() if name in tests})
        for day, value in adjusted.items():
            found[day][name]["holm"] = value
    return found


def _tables(study: Study, p: Any, seed: int) -> dict[str, pd.DataFrame]:
    """Summary, differences, optimism and sites of a study."""
    later = {day: of for day, of in study.problems.items() if day > 0}
    models = {day: prediction.ridge(of, "all", seed) for day, of in later.items()}
    optimism = [
        {"landmark": day} | prediction.optimism(of, "all", models[day], p.optimism_bootstraps, seed)
        for day, of in later.items()
    ]
    sites = [
        prediction.leave_one_site_group_out(of, "all", models[day]).assign(landmark=day)
        for day, of in later.items()
        if len(set(of.site_group)) > 1
    ]
    summaries = [uncertainty.summary(developed) for developed in study.developed.values()]
    differences = [
        uncertainty.differences(developed, _pairs(list(developed.predictions)), max(1, len(later)))
        for developed in study.developed.values()
    ]
    tables = {"summary": summaries, "differences": differences, "sites": sites}
    stacked = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items() if parts}
    return stacked | {"optimism": pd.DataFrame(optimism)}


def interval(row: pd.Series, low: str = "ci_low", high: str = "ci_high") -> dict[str, float]:
    """A row's estimate as an interval mapping."""
    return {"value": float(row["value"]), "ci_low": float(row[low]), "ci_high": float(row[high])}


def auroc(study: Study, day: int, model: str) -> dict[str, float] | None:
    """AUROC of a model at a landmark with its interval; None where it was not fitted."""
    rows = study.summary
    rows = rows[(rows["landmark"] == day) & (rows["model"] == model) & (rows["measure"] == "auroc")]
    return None if rows.empty else interval(rows.iloc[0])


@unless_missing
def measured(study: Study, day: int, model: str, measure: str) -> dict[str, float]:
    """A measure of `uncertainty.MEASURES` of a model at a landmark, with its interval."""
    return study.developed[day].interval(model, measure)


@unless_missing
def aurocs(study: Study, with_start: bool = False) -> pd.DataFrame:
    """AUROC of every model and landmark, with label, patients and events; the models in the order of `LABELS`."""
    rows = study.summary[study.summary["measure"].eq("auroc") & study.summary["model"].ne("null")]
    rows = rows[(rows["landmark"] > 0) | with_start]
    return rows.assign(label=rows["model"].map(LABELS)).drop(columns="measure").reset_index(drop=True)


@unless_missing
def performance(study: Study, day: int) -> pd.DataFrame:
    """Every measure of every model at one landmark, a row a model, with the null model first."""
    of = study.problems[day]
    rows = pd.concat([study.summary[study.summary["landmark"] == day], calibrated(study.developed[day])])
    table = rows.pivot_table(index="model", columns="measure", values="value", sort=False, observed=True)
    table = table.reindex([name for name in LABELS if name in table.index]).reset_index()
    table.insert(0, "label", table.pop("model").map(LABELS))
    return table.assign(n_patients=len(of.y), n_events=of.n_events)


def calibrated(developed: Developed) -> pd.DataFrame:
    """Calibration slope and calibration-in-the-large of the models `CALIBRATED`, with intervals."""
    own = {name: developed.predictions[name] for name in CALIBRATED if name in developed.predictions}
    judged = dataclasses.replace(developed, predictions=own)
    return uncertainty.summary(judged, ("calibration_slope", "calibration_in_the_large"))


@unless_missing
def calibration(
    study: Study, day: int, models: Sequence[str] = ("all", "arm_only", "xgb")
) -> dict[str, CalibrationCurve]:
    """Flexible calibration curves of the first repeat of cross-validation."""
    found, of = study.predictions[day], study.problems[day]
    return {name: calibration_curve(of.y, found[name][:, 0], n_knots=3) for name in models if name in found}


def _strategies(study: Study, day: int) -> dict[str, np.ndarray]:
    found = study.predictions[day]
    return {name: found[name] for name in ("all", "all_without_arm", "arm_only") if name in found}


@unless_missing
def decisions(study: Study, day: int) -> pd.DataFrame:
    """Decision curves of the strategies at the thresholds `GRID`."""
    of, weights = study.problems[day], study.weights[day][:, :500]
    return decision.decision_curve(of.y, _strategies(study, day), GRID, weights)


@unless_missing
def band_coverage(study: Study, day: int, n_trials: int, seed: int) -> intervals.Interval:
    """Coverage of the bands of `decisions`, with the strategies' mean prediction as the true risk of a patient."""
    chosen = _strategies(study, day)
    risk = np.mean([y_prob.mean(axis=1) for y_prob in chosen.values()], axis=0)
    rng = seeds.stream(seed, "decision bands", str(day))
    return decision.coverage(chosen, risk, GRID, study.weights[day][:, :200], n_trials, rng)


def on_treatment(trial: Trial, study: Study, day: int, model: str = "all") -> dict[str, Any] | None:
    """AUROC among the patients at risk who had not had their last dose by the landmark: a sensitivity analysis.

    Returns
    -------
    dict or None
        auroc (an interval), n_patients, n_events; None where the source does not tell when dosing ended.
    """
    ended = participants.stopped(trial, day)
    if ended is None:
        return None
    of = study.problems[day]
    still = ~of.X.index.isin(ended)
    found = study.developed[day].interval(model, "auroc", still)
    return {"auroc": found, "n_patients": int(still.sum()), "n_events": int(of.y[still].sum())}


def read_from(trial: Trial) -> str:
    """What the trial was read from, for a sentence.

    Examples
    --------
    >>> from attrition import cdisc
    >>> read_from(cdisc.load("pilot"))
    'its CDISC data'
    """
    flat = "one table with a row a patient, by a mapping that says which column is what"
    return flat if trial.source == "table" else "its CDISC data"


def analysed(trial: Trial) -> str:
    """What a patient had to be to be in the analysis set, for a sentence."""
    return "randomised" if trial.flow["randomised"] == len(trial.patients) else "randomised and dosed"


def _analysis_set(trial: Trial) -> str:
    absent = [f"{trial.flow[key]} {words}" for key, words in LEFT_OUT.items() if trial.flow.get(key)]
    return f"{analysed(trial)} patients" + (f" (left out: {', '.join(absent)})" if absent else "")


def definitions(trial: Trial) -> pd.DataFrame:
    """The definitions that the counts follow from: term and meaning."""
    flat = trial.source == "table"
    first = "the first day" if flat else "the first dose"
    patients = "patients of the table" if flat else _analysis_set(trial)
    competing = ", ".join(term.lower() for term in trial.definitions.competing)
    rows = [
        ("trial", trial.definitions.title),
        ("analysis set", f"{patients}; day 1 is {first}, there is no day 0"),
        ("day of leaving", f"study day {'in the table' if flat else 'of the disposition record'}"),
        ("horizon", f"day {trial.horizon}"),
        ("primary event", "leaving by the horizon for any reason" + (f" except {competing}" if competing else "")),
        ("competing event", competing or "none"),
        ("landmarks", ", ".join(f"day {day}" for day in (0, *trial.landmarks)) + " (day 0: baseline and arm only)"),
        ("at risk", "not left by the landmark"),
        ("target", "primary event after the landmark, by the horizon"),
        ("known", "dated by the landmark; adverse events: onset and collection both by it"),
    ]
    return pd.DataFrame(rows, columns=["term", "meaning"])


def reasons(trial: Trial) -> pd.DataFrame:
    """Every disposition term of the data with its reason group, and how many left by the horizon and after it."""
    patients = trial.patients
    by_horizon = patients["event_day"] <= trial.horizon
    table = patients.groupby(["reason_group", "reason"], dropna=False)["id"].size().rename("patients").reset_index()
    early = patients[by_horizon].groupby("reason")["id"].size()
    table["by_horizon"] = table["reason"].map(early).fillna(0).astype(int)
    order = {group: k for k, group in enumerate((*trial.groups, "completed", "ongoing"))}
    table = table.assign(k=table["reason_group"].map(order)).sort_values(["k", "patients"], ascending=[True, False])
    return table[["reason", "reason_group", "by_horizon", "patients"]].reset_index(drop=True)


def feature_groups(trial: Trial, day: int) -> pd.DataFrame:
    """Feature groups at a landmark: how many features, the rule by which they are known, the latest day used."""
    table = landmark.dictionary(trial, day)
    found = table.groupby("group", sort=False).agg(
        features=("feature", "size"),
        rule=("rule", "first"),
        latest_day=("known_day", "max"),
        missing=("missing", "max"),
    )
    return found.reset_index()


def known_share(trial: Trial, days: Sequence[int] = tuple(range(91))) -> pd.DataFrame:
    """Share of dated adverse events that had been reported so many days after their onset."""
    adverse = trial.events[trial.events["kind"].eq("adverse event") & (trial.events["day"] >= 1)]
    lag = (adverse["known_day"] - adverse["day"]).dropna()
    return pd.DataFrame(
        {"days_after_onset": days, "reported": [float((lag <= day).mean()) if len(lag) else np.nan for day in days]}
    )


def numbers(trial: Trial, study: Study, prices: pd.DataFrame) -> dict[str, Any]:
    """The results of the chapter: flow, landmarks and leaks, keyed as the report names them."""
    landmarks: dict[str, Any] = {}
    for day in (0, *trial.landmarks):
        entry: dict[str, Any] = {**landmark.counts(trial, day), "seen": participants.visit_seen(trial, day)}
        entry["off_treatment"] = participants.off_treatment(trial, day)
        if day in study.problems:
            models = list(study.predictions[day])
            entry["auroc"] = {name: auroc(study, day, name) for name in models}
            rows = study.differences[study.differences["landmark"] == day]
            entry["difference"] = {f"{row['first']}_less_{row['second']}": interval(row) for _, row in rows.iterrows()}
            measures = study.summary[study.summary["landmark"] == day].set_index(["model", "measure"])
            brier = {name: interval(measures.loc[(name, "brier_score")]) for name in models if name != "cox"}
            entry["brier_score"] = brier
            slopes = calibrated(study.developed[day]).query("measure == 'calibration_slope'").set_index("model")
            entry["calibration_slope"] = {str(name): interval(row) for name, row in slopes.iterrows()}
            tests = study.chance.get(day, {})
            entry["permutation_p"] = {n: {"raw": t["p"], "holm": t["holm"]} for n, t in tests.items()}
            entry["without_relation"] = {n: {k: t[k] for k in ("mean", "low", "high")} for n, t in tests.items()}
            entry["on_treatment"] = on_treatment(trial, study, day)
            entry["n_features"] = len(study.problems[day].columns("all"))
        if day in study.skipped:
            entry |= {"skipped": study.skipped[day], "auroc": dict.fromkeys(name for name in LABELS if name != "null")}
        landmarks[str(day)] = entry
    for row in study.optimism.to_dict("records"):
        landmarks[str(int(row.pop("landmark")))]["optimism"] = row
    for day, rows in study.sites.groupby("landmark") if len(study.sites) else ():
        landmarks[str(int(day))]["across_sites"] = float(rows.loc[rows["site_group"] == "all", "auroc"].iloc[0])
    keys = ["honest", "leaky", "difference", "ci_low", "ci_high"]
    leaks = {row["leak"]: {key: row[key] for key in keys} for row in prices.to_dict("records")}
    return {"flow": dict(trial.flow), "horizon": trial.horizon, "landmarks": landmarks, "leaks": leaks}


def main_landmark(trial: Trial, fewest: int = prediction.MINIMUM_EVENTS) -> int | None:
    """The landmark with the most events, if one has enough of them."""
    found = (prediction.problem(trial, day) for day in trial.landmarks)
    problems = [of for of in found if prediction.enough(of, fewest)]
    return max(problems, key=lambda of: of.n_events).landmark if problems else None


@unless_missing
def wide(study: Study) -> pd.DataFrame:
    """AUROC as text, a row a model and a column a landmark."""
    rows = study.summary[study.summary["measure"].eq("auroc")]
    text = rows["value"].map("{:.3f}".format)
    ends = rows.apply(lambda r: f" ({r['ci_low']:.3f} to {r['ci_high']:.3f})", axis=1)
    text = text + ends.where(rows["ci_low"].notna(), "")
    heading = rows.apply(lambda r: f"day {r['landmark']}: {r['n_events']} of {r['n_patients']}", axis=1)
    table = rows.assign(text=text, heading=heading, k=rows["model"].map({name: k for k, name in enumerate(LABELS)}))
    columns = list(dict.fromkeys(table["heading"]))
    table = table.pivot_table(index=["k", "model"], columns="heading", values="text", aggfunc="first")[
        columns
    ].reset_index()
    table.insert(0, "label", table["model"].map(LABELS))
    return table.drop(columns=["k", "model"]).rename_axis(columns=None).rename(columns={"label": "features and model"})


@unless_missing
def paired(study: Study) -> pd.DataFrame:
    """Paired differences with readable names, the landmarks after day 0."""
    rows = study.differences[study.differences["landmark"] > 0]
    rows = rows.drop(columns=["all_low", "all_high"])
    return rows.assign(first=rows["first"].map(LABELS), second=rows["second"].map(LABELS)).reset_index(drop=True)


def sample_size(of: Problem, y_prob: np.ndarray | None = None, share: float = 0.15) -> dict[str, Any]:
    """Patients that Riley's criteria ask for, for all columns of a problem, and what they suppose.

    Parameters
    ----------
    of : Problem
    y_prob : array of shape (n_patients, n_repeats), optional
        Out-of-fold predictions.
    share : float
        Of the largest possible Cox-Snell R-squared, which the planned model is supposed to have.

    Returns
    -------
    dict
        share, r2 (supposed), needed; with predictions also r2_seen (theirs, averaged over repeats) and needed_seen
        (None where they explain nothing).
    """
    rate, columns = float(of.y.mean()), len(of.columns("all"))
    largest = samplesize.max_cox_snell(rate)

    def needed(r2: float) -> int | None:
        return int(samplesize.riley(columns, rate, r2)["n"].max()) if 0 < r2 < largest else None

    found: dict[str, Any] = {"share": share, "r2": share * largest, "needed": needed(share * largest)}
    if y_prob is not None:
        seen = float(np.mean([samplesize.cox_snell_r2(of.y, column) for column in y_prob.T]))
        found |= {"r2_seen": seen, "needed_seen": needed(seen)}
    return found


def planned(trial: Trial) -> dict[str, float]:
    """What the day with most events would need for a prediction, by Riley's criteria.

    Returns
    -------
    dict
        day, n, events, columns, needed (patients; None where nobody or everybody has the event, or nothing is known)
        with the r2 and share that it supposes, risk (with its Wilson interval).
    """
    problems = [prediction.problem(trial, day) for day in (0, *trial.landmarks)]
    of = max(problems, key=lambda one: (min(one.n_events, len(one.y) - one.n_events), -one.landmark))
    rate, columns = float(of.y.mean()), len(of.columns("all"))
    supposed = sample_size(of) if 0 < rate < 1 and columns > 0 else {"needed": None}
    numbers = {"day": of.landmark, "n": len(of.y), "events": of.n_events, "columns": columns, **supposed}
    return numbers | {"risk": dict(intervals.wilson(of.n_events, len(of.y)))}


@unless_missing
def sites(study: Study) -> pd.DataFrame | None:
    """The site groups of the main landmark; None where there is one only."""
    own = study.sites[study.sites["landmark"] == study.main] if len(study.sites) else None
    return None if own is None else own.drop(columns="landmark")


@unless_missing
def optimism_table(study: Study) -> pd.DataFrame:
    """Apparent and corrected AUROC at every landmark, with the patients and events that it rests on."""
    of = [study.problems[day] for day in study.optimism["landmark"]]
    return study.optimism.assign(n_patients=[len(one.y) for one in of], n_events=[one.n_events for one in of])


def simulated_numbers(prices: pd.DataFrame) -> dict[str, Any]:
    """The price list of the simulated trials by leak."""
    keys = ["honest", "leaky", "difference", "ci_low", "ci_high", "mc_se"]
    return {row["leak"]: {key: row[key] for key in keys} for row in prices.to_dict("records")}


def handed_on(trial: Trial) -> dict[str, pd.DataFrame]:
    """Tables for other chapters: patients with their event, and the landmark table."""
    patients = trial.patients[["id", "arm", "event_day", "time", "event_group", "status"]]
    return {"trial_patients": patients, "trial_landmarks": landmark.table(trial)}


def as_parquet(table: pd.DataFrame) -> bytes:
    """A table as the bytes of a parquet file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def track(trial: Trial, p: Any, seed: int, found: dict[str, Any], study: Study, prices: pd.DataFrame) -> None:
    """Note the chapter for the tracking store: parameters, digests of what it handed on, measures, tables of results.

    Parameters
    ----------
    trial : Trial
    p : attrition.params.RealTrial
    seed : int
    found : dict
        The chapter's results.
    study : Study
    prices : pandas.DataFrame
        Prices of the leaks.
    """
    tracking.note(
        "06_real_trial",
        params=params.as_dict(p) | {"seed": seed, "trial": trial.name},
        metrics={key: found[key] for key in ("flow", "landmarks", "leaks")},
        data=[paths.processed() / f"{name}.parquet" for name in handed_on(trial)],
        tables={"auroc": study.summary, "leaks": prices},
    )
