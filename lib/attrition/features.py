"""The published feature versions, each feature with its formula, its group and the time at which it is known.

Every count and rate of the simulated trial is taken over a patient's whole follow-up. For a patient who left,
that reaches past the day they left: such a feature is known only after the outcome, whatever a model makes of
it. What a feature is stands in ``features.yaml`` beside this module.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from attrition import settings, simulate
from attrition.simulate import PUBLISHED_LAW

AT_ENROLMENT = "enrolment"
AFTER_OUTCOME = "after the outcome (uses the full follow-up)"
KNOWN_AT = (AT_ENROLMENT, AFTER_OUTCOME)


@dataclass(frozen=True)
class Feature:
    """One model input: its formula in the raw columns, its groups of `GROUPS`, when it is known (`KNOWN_AT`), and how.

    `compute` takes the trial's DataFrame (n, ...), or a mapping of arrays (n,), to an array (n,).
    """

    name: str
    formula: str
    groups: list[str]
    known_at: str
    unit: str
    compute: Callable[[pd.DataFrame], np.ndarray]


def _column(name: str) -> Callable[[pd.DataFrame], np.ndarray]:
    return lambda trial: np.asarray(trial[name], dtype=float)


def _visit_rate(trial: pd.DataFrame) -> np.ndarray:
    return simulate.visit_rate(_column("visits_completed")(trial), _column("days_in_trial")(trial))


def _adverse_event_rate(trial: pd.DataFrame) -> np.ndarray:
    return simulate.adverse_event_rate(_column("adverse_events")(trial), _column("days_in_trial")(trial))


_DECLARED = settings.declared(__file__, "features.yaml")
# How a feature is computed that is no column of the trial
_COMPUTED: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {
    "visit_rate": _visit_rate,
    "adverse_event_rate": _adverse_event_rate,
    "time_since_last_visit": lambda trial: _column("days_in_trial")(trial) - _column("last_visit_day")(trial),
    "burden": lambda trial: _adverse_event_rate(trial) * (1 - _visit_rate(trial)),
    "age_adverse_risk": lambda trial: _column("age")(trial) / 85 * _adverse_event_rate(trial),
    "trial_phase_risk": lambda trial: simulate.phase_risk(PUBLISHED_LAW, trial["trial_phase"]),
    "treatment_risk": lambda trial: simulate.arm_risk(PUBLISHED_LAW, trial["treatment_group"]),
}
FEATURES: dict[str, Feature] = {
    name: Feature(name, formula, groups, known_at, unit, _COMPUTED.get(name) or _column(name))
    for name, (formula, groups, known_at, unit) in _DECLARED["features"].items()
}

# Published versions, by name, of which the last is the final one
VERSIONS: dict[str, tuple[str, ...]] = {name: tuple(members) for name, members in _DECLARED["versions"].items()}
GROUP_LABELS: dict[str, str] = _DECLARED["groups"]  # groups of features, in the order of tables, and their names there
GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(name for name, feature in FEATURES.items() if group in feature.groups) for group in GROUP_LABELS
}
RAW_COLUMNS: tuple[str, ...] = tuple(_DECLARED["raw columns"])


def matrix(trial: pd.DataFrame, version: str) -> pd.DataFrame:
    """Model inputs of one feature version (a key of `VERSIONS`), floats (n, k) in the published order.

    The trial has the raw columns of the contract; of these `RAW_COLUMNS` are needed, and the error names a missing one.

    Examples
    --------
    >>> matrix(simulate.published_trial(), "v1_counts").columns.tolist()
    ['age', 'days_in_trial', 'visits_completed', 'adverse_events']
    """
    if version not in VERSIONS:
        raise KeyError(f"unknown feature version {version!r}; known: {', '.join(VERSIONS)}")
    return columns(trial, VERSIONS[version])


def columns(trial: pd.DataFrame, names: tuple[str, ...] | list[str]) -> pd.DataFrame:
    """Model inputs by name, in the order given; see `matrix`."""
    missing = [name for name in RAW_COLUMNS if name not in trial]
    if missing:
        raise KeyError(f"the trial lacks the columns {', '.join(missing)}")
    return pd.DataFrame({name: FEATURES[name].compute(trial) for name in names}, index=trial.index)


def array(trial: Mapping[str, np.ndarray], names: Iterable[str]) -> np.ndarray:
    """Model inputs by name from bare arrays, shape (n, k); `attrition.simulate.draw_arrays` draws such trials.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> array(simulate.draw_arrays(PUBLISHED_LAW, 5, rng), VERSIONS["v1_counts"]).shape
    (5, 4)
    """
    return np.stack([FEATURES[name].compute(trial) for name in names]).T  # in memory as `matrix` has it: same last bits


def without(version: str, *names: str) -> tuple[str, ...]:
    """Features of a version except some features or groups, for leave-one-out.

    >>> without("v3_causal", "interactions", "domain") == VERSIONS["v2_rates"]
    True
    """
    dropped = {feature for name in names for feature in GROUPS.get(name, (name,))}
    return tuple(feature for feature in VERSIONS[version] if feature not in dropped)


def table() -> pd.DataFrame:
    """The registry as a table: name, formula, group, known_at, unit, versions."""
    versions = {name: ", ".join(one for one, members in VERSIONS.items() if name in members) for name in FEATURES}
    table = pd.DataFrame([vars(feature) for feature in FEATURES.values()]).rename(columns={"name": "feature"})
    known = table["known_at"].str.partition(" (")[0]
    table = table.assign(group=table["groups"].str[0], known_at=known, versions=table["feature"].map(versions))
    return table[["feature", "formula", "group", "known_at", "unit", "versions"]]


class FeatureVersion(TransformerMixin, BaseEstimator):
    """Feature version as a scikit-learn transformer, from the raw contract columns.

    It learns nothing from the data, so that it may stand anywhere in a pipeline without leaking.

    >>> trial = simulate.published_trial()
    >>> FeatureVersion("v3_causal").fit_transform(trial).shape
    (1000, 9)
    """

    def __init__(self, version: str = "v3_causal"):
        self.version = version

    def fit(self, X: pd.DataFrame, y: object = None) -> "FeatureVersion":
        """Check the columns; nothing else is learned."""
        self.feature_names_out_ = np.asarray(matrix(X.iloc[:1], self.version).columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Features (n, k) of patients (n, ...)."""
        check_is_fitted(self, "feature_names_out_")
        return matrix(X, self.version)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Names of the k features."""
        check_is_fitted(self, "feature_names_out_")
        return self.feature_names_out_
