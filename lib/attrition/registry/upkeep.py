"""The champion in use: is it still right for the patients it meets, and is a model of newer patients better?

What a batch is held against must not have been fitted to: of the champion's own trial it is each patient's probability
by a fit that has not seen them (`modelcard.out_of_fold`). Nothing that is returned is about a single patient.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import contract, models, monitoring, own, params, paths, registry, score, seeds, settings
from attrition.cdisc import Trial
from attrition.contract.strict import Problem, lines_of, read_pieces, refuse, refused
from attrition.landmark import cohort, prediction, transport
from attrition.metrics import evaluator, intervals
from attrition.registry import modelcard
from notebook_report import errors, results
from notebook_report.sources import file_digest

FEWEST, MOST = 20, 20_000
"""Patients of a file, memory being bounded by it; the fewest also of those who left, and stayed, of a trial to fit."""
DEALS, RESAMPLES = 999, 1000
ASKED = score.INPUT._replace(unique_patients=True)
KNOWN = ASKED._replace(columns=(*ASKED.columns, *(c for c in contract.TRIAL.columns if c.name == "dropout")))
WATCHED = [name for name in monitoring.WATCHED if name in ASKED.names]
CODES = {"none": errors.OK, "inspect": 10, "recalibrate": 11, "retrain": 12}
"""Exit codes by advice."""
CHALLENGER = "challenger"
"""Alias of a version that is not better than the champion."""
SAID = settings.declared(__file__, "upkeep.yaml")
BETTER = (intervals.Grade.LARGE, intervals.Grade.CLEAR)


def read(path: Path, outcomes: bool = False) -> pd.DataFrame:
    """Patients of a file as the contract wants them, with column ``dropout`` where it is there, or always if asked."""
    text = next(read_pieces(path, MOST + 1))
    if not FEWEST <= len(text) <= MOST:
        raise refused(path.name, f"{FEWEST} to {MOST:,} patients are needed")
    return contract.validate(text, KNOWN if outcomes or "dropout" in text else ASKED, path.name)


def again(patients: pd.DataFrame, reference: pd.DataFrame) -> pd.Series:
    """Whether each patient stands in a reference, cell for cell."""
    rows, known = (pd.util.hash_pandas_object(table[ASKED.names], index=False) for table in (patients, reference))
    return rows.isin(known)


def reference(scorer: score.Scorer, given: Path | None, model: Path) -> pd.DataFrame:
    """Patients with ``dropout`` and a ``probability`` that no fit has seen: of a file, else of the model's own trial.

    Parameters
    ----------
    scorer : attrition.score.Scorer
    given : pathlib.Path, optional
        A file; the model's own trial is known by its checksum.
    model : pathlib.Path
        Where the model lies, if in a folder: its trial may lie as it does beside a run's champion.

    Raises
    ------
    FileNotFoundError
        When no file is given, and the model's own trial is in neither place.
    """
    card, beside = scorer.card, model.resolve().parent.parent / "raw"
    places = [given] if given else [folder / card["data"] for folder in (paths.raw(), beside)]
    own = [path for path in places if path.is_file() and file_digest(path) == card["data_sha256"]]
    if not (given or own):
        told = "the trial that the model was fitted to is not here; --reference FILE names it, or later patients"
        raise FileNotFoundError(f"{card['data']}: {told} with outcomes")
    patients = read((own or places)[0], outcomes=True)
    if not own:
        return patients.assign(probability=scorer.probability(patients))
    n_folds = params.read()["08_monitoring"].champion_folds
    return patients.assign(probability=modelcard.out_of_fold(card["model"], patients, n_folds, card["seed"]))


def compare(scorer: score.Scorer, batch: pd.DataFrame, held: pd.DataFrame) -> tuple[monitoring.Look, list[str]]:
    """One look of chapter 08 at a batch, beside a `reference`; and the columns that were looked at.

    They are cut into cells on batch and reference together: cells that tell one from the other would leave patients
    not exchangeable. The class-weighted model of the published rule is fitted to the reference.
    """
    both = pd.concat([held, batch.assign(probability=scorer.probability(batch))], ignore_index=True)
    card, cells = scorer.card, monitoring.Cells(both[WATCHED])
    twin = models.pipeline(card["model"], registry.VERSION, models.PUBLISHED_STRATEGY, card["seed"])
    twin.fit(held, held["dropout"])
    y, probability = both["dropout"].to_numpy(float), both["probability"].to_numpy()
    seen = cells.onehot(both[WATCHED]), y, probability, models.probability(twin, both)
    return _look(seen, len(batch), cells, card["seed"]), cells.columns


def _look(seen: tuple[NDArray, ...], n_batch: int, cells: monitoring.Cells, seed: int) -> monitoring.Look:
    """One look of chapter 08 at the last patients of what monitoring sees, beside the others."""
    order = np.split(np.arange(len(seen[0])), [-n_batch])
    before, now = (monitoring.Seen(*(part[rows] for part in seen)) for rows in order)
    dealt = monitoring.deal(n_batch, len(seen[0]), DEALS, seeds.stream(seed, "monitor"))
    return monitoring.looks([before], [now], cells, [dealt])[0]


def false_alarms(n_patients: int) -> tuple[str, dict[str, float]]:
    """What chapter 08 counted in unchanged batches of the size nearest to `n_patients`: that size, and rates by alarm.

    ``advice`` is the share in which the rule would not have kept the model. Without results of the chapter, no rate.
    """
    try:
        found = results.read("08_monitoring")
    except results.MissingResult:
        return "", {}
    size = min(found["actions"]["none"], key=lambda size: abs(np.log(int(size) / n_patients)))
    rates = found["false_alarm_rate"] | {name: found[name]["alarm_rate"] for name in monitoring.WITHOUT_NULL}
    kept = found["actions"]["none"][size]["none"]["value"]
    return size, {name: rate[size]["value"] for name, rate in rates.items()} | {"advice": 1 - kept}


def monitor(scorer: score.Scorer, path: Path, held: pd.DataFrame) -> dict[str, Any]:
    """Every alarm of chapter 08 for one batch, with its known rate of false alarms, and one advice.

    Returns
    -------
    dict
        ``file, patients, left`` (None without outcomes), ``outside``, ``reference`` (patients), ``alarms`` by name,
        ``figures`` of the rules without a null, ``inputs`` (a row a column), ``most``: which differs most, and its
        p-value; ``counted_at`` (size of the batches that rates were counted in), ``false_advice``, ``advice``: a key of
        `attrition.monitoring.ACTIONS` and of `CODES`; ``known``: what the model cannot do.
    """
    batch = read(path)
    twice, rule = again(batch, held), "this very patient is one of the model's own, or of the reference"
    refuse(path.name, lines_of("", rule, twice.set_axis(twice.index + score.FIRST_LINE)))
    left = int(batch["dropout"].sum()) if "dropout" in batch else None
    look, columns = compare(scorer, batch if left is not None else batch.assign(dropout=np.nan), held)
    size, rates = false_alarms(len(batch))
    found: dict[str, Any] = {"file": path.name, "patients": len(batch), "left": left, "reference": len(held)}
    found |= {"outside": int((scorer.support.outside(batch) != "").sum()), "counted_at": size}
    found |= {"known": score.late(scorer.card), "false_advice": rates.get("chi2" if left is None else "advice")}
    return found | _seen(look, columns, rates)


def _seen(look: monitoring.Look, columns: list[str], rates: Mapping[str, float]) -> dict[str, Any]:
    """Alarms, figures, inputs and advice of a look."""
    sounds = {name: look.outcome()["alarm", name] for name in (*look.p, "psi_customary")}
    sounds |= {"seed_rule": look.outcome()["alarm", "seed_rule"]} if look.figures else {}
    alone = look.table(columns).set_index("column")
    known = {name: {"p": look.p.get(name), "false_alarm_rate": rates.get(name)} for name in sounds}
    found: dict[str, Any] = {"inputs": alone.reset_index(), "advice": look.action()}
    found |= {"figures": look.figures | {"psi": alone["psi"].max()}}
    found |= {"alarms": {name: about | {"alarm": sounds[name]} for name, about in known.items()}}
    return found | {"most": [alone["p_chi2"].idxmin(), alone["p_chi2"].min()]}


def reference_trial(model: own.Kept, given: Path | None, folder: Path) -> pd.DataFrame:
    """Patients at the landmark to hold others against, see `at_landmark`.

    Parameters
    ----------
    model : attrition.own.Kept
    given : pathlib.Path, optional
        A trial with outcomes; default: the model's own, as the run that kept it has registered it.
    folder : pathlib.Path
        Where the model lies.

    Raises
    ------
    FileNotFoundError
        When no trial is given, and the model's own is not where it was, or not as it was.
    """
    one = own.read(str(given))[0] if given else own.files_of(model.card["trial"], folder.resolve().parent)
    with contextlib.suppress(FileNotFoundError):
        fitted = one is not None and own.data_of(one) == model.card["data_sha256"]
        if one and (given or fitted):
            return at_landmark(model, one.load(), fitted)
    told = "the trial that the model was fitted to is not here as it was; --reference names it, or another one"
    raise FileNotFoundError(f"{model.card['trial']}: {told} with outcomes")


def at_landmark(model: own.Kept, trial: Trial, fitted: bool = False) -> pd.DataFrame:
    """Patients at risk at a model's landmark: its inputs, ``dropout`` and a ``probability`` that no fit has seen.

    The outcome is missing where it is not known yet. Of the model's own trial (`fitted`) each probability is that of a
    fit to the others.
    """
    table, absent = model.features(trial)
    refuse(trial.name, (Problem(name, "nobody in the trial has this input") for name in absent))
    probability, day, horizon = model.risks(table, absent), model.card["day"], model.card["horizon"]
    if fitted:
        of, seed = prediction.problem(transport.aligned(trial, horizon, (day,)), day), model.card["seed"]
        folds = prediction.folds_of(of, model.card["n_folds"], 1, seed)
        probability = prediction.out_of_fold(of, model.name, prediction.ridge(of, model.name, seed), folds)[:, 0]
    return table.assign(dropout=cohort.target(trial, day, horizon), probability=probability)


def monitor_trial(model: own.Kept, trial: Trial, held: pd.DataFrame) -> dict[str, Any]:
    """The alarms of chapter 08 for the patients of a trial at the landmark of a model; as `monitor` has them.

    Patients who stand in the reference (`reference_trial`) are left out. Calibration and ranking are looked at where
    everybody's outcome is known, in both: who leaves is known sooner than who stays.
    """
    batch = at_landmark(model, trial)
    rows, known = (pd.util.hash_pandas_object(side.drop(columns=["dropout", "probability"])) for side in (batch, held))
    batch, again = batch[~rows.isin(known)], int(rows.isin(known).sum())
    if not FEWEST <= len(batch) <= MOST or len(held) < FEWEST:
        rule = f"{FEWEST} to {MOST:,} patients are needed at the landmark whom the model was not fitted to"
        raise refused(trial.name, rule)
    both = pd.concat([held, batch])
    y, probability = both.pop("dropout").to_numpy(float), both.pop("probability").to_numpy()
    seen = not np.isnan(y).any()
    below = both.select_dtypes("number").min() - 1  # a gap has a cell of its own, if it is common enough
    cells = monitoring.Cells(inputs := both.fillna(below.to_dict()).fillna(""))
    parts = cells.onehot(inputs), y if seen else np.full(len(y), np.nan), probability, probability
    look = _look(parts, len(batch), cells, model.card["seed"])._replace(figures={})
    found = {"file": trial.name, "patients": len(batch), "left": int(batch["dropout"].sum()) if seen else None}
    found |= {"reference": len(held), "again": again, "outside": int((model.outside(batch) != "").sum())}
    found |= {"unseen": "not everybody's outcome is known", "counted_at": "any size", "false_advice": None}
    alarms = _seen(look, cells.columns, dict.fromkeys(look.p, monitoring.ALPHA))
    return found | alarms | {"known": told("limits", model.limits)}


def told(task: str, found: Mapping[str, Any]) -> str:
    """What was found, in lines: `task` is a key of ``upkeep.yaml``."""
    words = {"names": monitoring.NAMES, "actions": monitoring.ACTIONS, "measures": modelcard.METRIC_NAMES}
    page = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(SAID[task])
    return page.render({**found, **words}).strip()


def retrain(scorer: score.Scorer, path: Path, folder: Path, seen: pd.DataFrame | None, named: bool) -> dict[str, Any]:
    """Fit the champion's recipe to a new trial, and hold the new version against the present one, patient by patient.

    Neither is judged on a patient that it was fitted to: the new version by cross-validation, the present one without
    the patients of its own trial, where that is known. The new version is better when it is by the margin of the rule
    in ``params.yaml``, and the interval of the paired difference lies above zero.

    Parameters
    ----------
    scorer : attrition.score.Scorer
        The present champion.
    path : pathlib.Path
        A trial with column ``dropout``.
    folder : pathlib.Path
        Where the new version, fitted to all patients, is saved.
    seen : pandas.DataFrame, optional
        What the present champion was fitted to.
    named : bool
        Whether the new version is registered: with the champion's alias if it is better, else as `CHALLENGER`.

    Returns
    -------
    dict
        ``folder, patients, left`` (of those that were judged on), ``measure``, ``better`` (a bool), ``gain``: an
        interval, positive where the new version is better, ``margin``, ``seen``, ``version, alias``, ``known``.
    """
    every, trial, model = params.read(), read(path, outcomes=True), scorer.card["model"]
    choices, seed, y = every["08_monitoring"], every["seed"], trial["dropout"].to_numpy()
    fresh = np.ones(len(trial), dtype=bool) if seen is None else ~again(trial, seen).to_numpy()
    if min(np.bincount(y[fresh], minlength=2)) < FEWEST:
        rule = f"{FEWEST} patients who left and {FEWEST} who stayed are needed that the present model was not fitted to"
        raise refused(path.name, rule)
    unseen = modelcard.out_of_fold(model, trial, choices.champion_folds, seed)
    gain = _gained(y[fresh], unseen[fresh], scorer.probability(trial)[fresh], choices.champion, seed)
    better, margin = intervals.grade(gain, choices.champion["margin"]) in BETTER, choices.champion["margin"]
    made = registry.train(model, trial, path, choices.champion_bootstraps, seed)
    made.save(folder)
    judged: dict[str, Any] = {"patients": int(fresh.sum()), "left": int(y[fresh].sum()), "margin": margin, "gain": gain}
    alias = registry.ALIAS if better else CHALLENGER
    metrics = {f"gain.{end}": gain[end] for end in ("value", "ci_low", "ci_high")}
    version = registry.register(folder, alias=alias, metrics=metrics) if named else None
    judged |= {"version": version, "folder": folder.name}
    judged |= {"measure": choices.champion["metric"], "better": better, "alias": f"{registry.NAME}@{alias}"}
    return judged | {"seen": seen is not None, "known": score.late(made.card)}


def _gained(y: NDArray, new: NDArray, present: NDArray, rule: Mapping[str, Any], seed: int) -> intervals.Interval:
    """What a new version gains on the same patients in the measure of the rule, positive where it is better."""
    weights = intervals.bootstrap_weights(seeds.stream(seed, "retrain"), len(y), RESAMPLES)
    pair = ("new", "present") if rule["better"] == "higher" else ("present", "new")
    both, metric = {"new": new, "present": present}, {rule["metric"]: evaluator.MEASURES[rule["metric"]]}
    return intervals.of_row(evaluator.compare(y, both, [pair], weights, metric).iloc[0])
