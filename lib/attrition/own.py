"""The model of a reader's own trial, kept beside its report: asked about other patients on the day of its landmark.

Kept are coefficients, medians, ranges, and the limits that chapter 06 measured, in one file of JSON with its checksum;
no row of a patient, and no category that fewer than `FEWEST` patients have, in words. Without the arm unless asked
otherwise, as in a blinded trial.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from attrition import models, paths, trials
from attrition.cdisc import CdiscError, Trial
from attrition.cdisc.sources import PACKAGED
from attrition.cdisc.trial import CENSORED
from attrition.landmark import cohort, evaluation, prediction
from attrition.landmark.evaluation import Evaluation
from attrition.metrics.intervals import CHANCE
from attrition.models import saving
from attrition.models.ridge import Design, RidgeLogistic
from attrition.score import Support
from attrition.trials import TrialFiles, mapping
from notebook_report import results
from notebook_report.sources import digest, file_digest

FOLDER, CARD = "model", saving.LANDMARK
FEWEST = 8
"""Patients at or beyond each end of a range, and of a category that is kept by its name: as in a released report."""
MARGIN = 0.25
"""Of a range, that a value may lie beyond it: with many features most patients are at the end of one."""
MODELS = ("all_without_arm", "all")
LIMITS = ("auroc", "calibration_slope", "calibration_in_the_large", "scaled_brier")
OUTPUT = ("patient_id", "risk", "missing", "outside_training")
OF_EVENTS = "adverse events"


def read(place: str, mapped: str | None = None, cut: str = "", horizon: int | None = None) -> tuple[TrialFiles, Trial]:
    """A trial to be asked about: nobody in it need have left yet."""
    one = replace(trials.named([place], [mapped] if mapped else [])[0], cut=cut)
    return one, one.load(horizon=horizon)


def files_of(name: str, out: Path | None = None) -> TrialFiles | None:
    """The trial that a run knows by this name, or a packaged one."""
    packaged = [TrialFiles(name, name)] if name in PACKAGED else []
    return next((one for one in (*packaged, *trials.registered(out)) if one.name == name), None)


def data_of(one: TrialFiles) -> str:
    """Digest of what a trial is read from, whatever it is called: its files but for the mapping, and its cut."""
    files = [file_digest(path) for path in one.files() if path.suffix not in mapping.ENDINGS]
    return digest(*([one.place] if one.place in PACKAGED else []), *files, one.cut)


def _built_by() -> str:
    """Digest of what says how features are made."""
    return digest(*(file_digest(Path(cohort.__file__).with_name(name)) for name in ("cohort.py", "landmark.yaml")))


def _told_apart(values: pd.Series, named: list[str]) -> pd.Series:
    """Categories as they are kept: by name, or by a digest of the name."""
    text = values.astype("str").astype(object)
    hidden = text.map(lambda level: level if level in named else f"#{digest(str(level))[:16]}")
    return hidden.where(values.notna(), None)


def _columns(of: prediction.Problem, tables: Mapping[str, pd.DataFrame]) -> tuple[dict[str, Any], Support]:
    """Of each column of a problem its feature, group, rule and level; and what the patients looked like."""
    found: dict[str, Any] = {}
    support = Support({}, {})
    for group, table in tables.items():
        for feature, values in table.items():
            levels: list[Any] = [None]
            if pd.api.types.is_numeric_dtype(values):
                known = np.sort(values.dropna().to_numpy(float))
                if len(known) >= 2 * FEWEST:
                    low, high = known[[FEWEST - 1, -FEWEST]].tolist()
                    support.ranges[str(feature)] = [low - MARGIN * (high - low), high + MARGIN * (high - low)]
            else:
                ordered, sizes = values.astype("category").cat.categories, values.value_counts()
                named = [level for level in ordered if sizes[level] >= FEWEST]
                support.levels[str(feature)] = levels = _told_apart(pd.Series(ordered), named).tolist()
            about = {"feature": feature, "group": group, "rule": cohort.WORDS["groups"][group]}
            own = [name for name in of.groups[group] if of.origins[name] == feature]  # the first of levels has none
            found |= {name: about | {"level": level} for name, level in zip(own, levels[-len(own) :], strict=True)}
    return found, support


def _kept(of: prediction.Problem, name: str, seed: int) -> dict[str, Any]:
    """The ridge regression on all patients of a problem, with one in their place who has the median of everything."""
    fitted = prediction.ridge(of, name, seed).fit(of.X[of.columns(name)].to_numpy(), of.y, of.base)
    design, row = fitted.design_, np.zeros((1, fitted.coef_.shape[1]))
    everybody, features = np.ones((1, len(design.table))), np.arange(len(design.marks))
    row[0, 0], row[0, 1 + features] = 1.0, design.medians(everybody, features)[0]
    one = replace(design, table=row, gaps=np.zeros_like(design.gaps[:1]))
    return {key: value.tolist() for key, value in vars(one).items()} | {"coef": fitted.coef_[0].tolist()}


def keep(trial: Trial, named: str, found: Evaluation, p: Any, seed: int) -> dict[str, Any]:
    """Keep the ridge regressions of the main landmark in ``model/`` of the output folder; without one, keep none.

    Parameters
    ----------
    trial : Trial
    named : str
        Its name in the run.
    found : Evaluation
    p : attrition.params.RealTrial
    seed : int

    Returns
    -------
    dict
        day (None without a model), and the labels of the models.
    """
    folder, day = paths.out() / FOLDER, found.main
    for stale in (folder / CARD, folder / saving.MANIFEST):
        stale.unlink(missing_ok=True)
    if day is None:
        return {"day": None}
    of, developed = found.problems[day], found.developed[day]
    columns, support = _columns(of, cohort.features_by_group(trial, day))
    best = {name: developed.interval(name, "auroc")["value"] for name in MODELS if name in developed.predictions}
    leak = max(best.values()) >= p.suspicious_auroc and evaluation.excuse(found, day, p.suspicious_auroc) is None
    files = files_of(named)
    card = {key: getattr(trial.definitions, key) for key in ("horizon", "estimand", "arms")}
    card |= {"trial": named if files else trial.name, "day": day, "seed": seed, "leak": bool(leak)}
    card |= {"n_patients": len(of.y), "n_events": of.n_events, "n_half_samples": p.n_half_samples, "n_folds": p.n_folds}
    card |= {"data_sha256": data_of(files) if files else "", "features_sha256": _built_by()}
    card |= {"columns": list(columns.values()), "ranges": support.ranges, "levels": support.levels, "models": {}}
    for name in best:
        limits = {measure: developed.interval(name, measure) for measure in LIMITS}
        told = {"limits": results.plain(limits), "p": found.chance[day][name]["holm"]}
        places = [list(columns).index(column) for column in of.columns(name)]  # names of columns hold categories
        card["models"][name] = {"columns": places, **told, **_kept(of, name, seed)}
    results.publish(folder / CARD, json.dumps(card, indent=1, allow_nan=False) + "\n")
    saving.seal(folder)
    return {"day": day, "labels": [prediction.LABELS[name] for name in best]}


class Kept(NamedTuple):
    """One of the models that `keep` has left: its card, and its name there."""

    card: dict[str, Any]
    name: str

    @classmethod
    def load(cls, folder: Path, unblinded: bool = False) -> Self:
        """Read the model without the arm, or with it; refused is a file that is not as it was kept."""
        saving.verify(folder)
        try:
            found = cls(json.loads((folder / CARD).read_text(encoding="utf-8")), MODELS[unblinded])
            if found.name in found.card["models"]:
                found.fitted.predict_proba(np.full((1, len(found.columns)), np.nan))
                return found
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError):
            raise saving.UnsafeModel(f"{folder.name}/{CARD}: no model that this program has kept") from None
        raise CdiscError(f"{folder.name}: its trial told nothing beside the arm, so --unblinded is needed")

    @property
    def own(self) -> dict[str, Any]:
        """The entry of this model in the card."""
        return self.card["models"][self.name]

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Feature, group, rule and level of each of its columns."""
        return [self.card["columns"][place] for place in self.own["columns"]]

    @property
    def fitted(self) -> RidgeLogistic:
        """The regression, see `_kept`."""
        model = RidgeLogistic()
        model.design_ = Design(**{field.name: np.array(self.own[field.name]) for field in fields(Design)})
        model.coef_ = np.array([self.own["coef"]])
        return model

    @property
    def limits(self) -> dict[str, Any]:
        """What was measured of it: facts for sentences."""
        told = {key: value for key, value in self.card.items() if not isinstance(value, list | dict)}
        told |= {"blinded": self.name == MODELS[0], "stale": self.card["features_sha256"] != _built_by()}
        return told | self.own["limits"] | {"p": self.own["p"], "chance": self.own["p"] > CHANCE}

    def features(self, trial: Trial) -> tuple[pd.DataFrame, list[str]]:
        """Its features of the patients at risk on its day, from what was known by then; and those that nobody has.

        No value depends on other patients, nor on anything that is dated later.
        """
        view = cohort.known(trial, self.card["day"])
        if trial.definitions.estimand != self.card["estimand"]:
            raise CdiscError(f"{trial.name}: the model is about leaving the {self.card['estimand']}")
        if self.name == "all" and (other := set(trial.arms) - set(self.card["arms"])):
            raise CdiscError(f"{trial.name}: {len(other)} of its arms the model does not know; leave out --unblinded")
        if not len(view.ids):
            raise CdiscError(f"{trial.name}: no patient is known to be at risk on day {self.card['day']}")
        chosen = {one["feature"]: one for one in self.columns}
        wanted = pd.Series({name: one["group"] for name, one in chosen.items()})
        built = {group: _built(view, str(group), list(names)) for group, names in wanted.groupby(wanted).groups.items()}
        nobody = pd.Series(np.nan, index=view.ids)
        table = {name: self._as_kept(built[one["group"]].get(name, nobody), one) for name, one in chosen.items()}
        return pd.DataFrame(table, index=view.ids), [name for name, values in table.items() if values.isna().all()]

    def _as_kept(self, values: pd.Series, one: Mapping[str, Any]) -> pd.Series:
        """Values of a feature as the card has them; missing, if the trial records it otherwise.

        That is by categories of which the model knows none, by categories instead of numbers, or the other way.
        """
        category, levels = one["level"] is not None, self.card["levels"].get(one["feature"], [])
        told = _told_apart(values, levels) if category else values
        recorded = told.isin(levels).any() if category else pd.api.types.is_numeric_dtype(values)
        return told if recorded else pd.Series(np.nan, index=values.index)

    def risks(self, table: pd.DataFrame, absent: list[str]) -> np.ndarray:
        """Risk of leaving by the horizon; what is `absent` is taken to be as in the median patient."""
        pairs, fitted = [(table[one["feature"]], one["level"]) for one in self.columns], self.fitted
        X = np.column_stack([cells if level is None else cells.eq(level) for cells, level in pairs]).astype(float)
        design = fitted.design_
        median = design.centre + design.scale * design.table[0, 1 : 1 + len(pairs)]
        gone = np.array([one["feature"] in absent for one in self.columns])
        return models.probability(fitted, np.where(gone, median, X))

    def outside(self, table: pd.DataFrame) -> pd.Series:
        """Inputs in which each patient lies outside those of its trial, as text; a missing one never does."""
        ranges, levels = self.card["ranges"], self.card["levels"]
        wanted = table.reindex(columns=[*ranges, *levels]).astype(dict.fromkeys(levels, object))
        return Support(ranges, levels).outside(wanted.fillna({name: known[0] for name, known in levels.items()}))

    def score(self, trial: Trial) -> tuple[pd.DataFrame, dict[str, Any]]:
        """A row `OUTPUT` a patient at risk, and what there is to say of them all."""
        table, absent = self.features(trial)
        made = {"patient_id": table.index, "risk": self.risks(table, absent), "missing": table.isna().sum(axis=1)}
        scored = pd.DataFrame(made | {"outside_training": self.outside(table)}).reset_index(drop=True)
        patients = trial.patients[~trial.patients["id"].isin(table.index)]
        unseen = int(patients["reason_group"].eq(CENSORED).sum())
        facts = {"of": trial.name, "n": len(scored), "absent": absent, "unseen": unseen, "gone": len(patients) - unseen}
        facts |= {"outside": int(scored["outside_training"].ne("").sum()), "gaps": int((scored["missing"] > 0).sum())}
        return scored[list(OUTPUT)], facts | self.limits


def _built(view: cohort.Known, group: str, wanted: list[str]) -> pd.DataFrame:
    """Features of a group without regard to how common or constant they are; empty where nothing of it was recorded."""
    kind = cohort.WORDS["kinds"].get(group)
    recorded = not kind or len(view.kind(kind)) > 0
    table = cohort.BUILDERS[group](view) if recorded else pd.DataFrame(index=view.ids)
    if group != OF_EVENTS or table.columns.empty:
        return table.reindex(view.ids)
    for _, own in view.kind(kind).groupby("detail"):  # of a cohort only its own commonest body systems have columns
        one = cohort.BUILDERS[group](replace(view, events=own))
        table = table.assign(**{name: one[name] for name in one.columns.difference(table.columns)})
    return table.reindex(index=view.ids, columns=wanted, fill_value=0.0)
