"""Read ``params.yaml``: every size and choice of the study.

The file has one section a notebook. The classes below are the list of known keys: an unknown key, a missing key or a
value of the wrong kind is an error that says where, and what was probably meant.
"""

import dataclasses
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import yaml

from attrition import errors, paths

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same values; in C, where it is there, six times as fast."""


class ParamsError(errors.Refusal, ValueError):
    """``params.yaml`` holds something that the study does not know, or lacks something that it needs."""

    exit_code = errors.USAGE


@dataclass(frozen=True)
class Generation:
    """01: the published trial and the law behind it."""

    smallest_difference: float
    oracle_patients: int
    oracle_chunk: int
    effect_patients: int
    landmark_days: list


@dataclass(frozen=True)
class Eda:
    """02: what the published trial looks like."""


@dataclass(frozen=True)
class FeatureAblation:
    """03: what each group of features is worth."""

    smallest_difference: float
    n_replicates: int
    n_replicates_alone: int
    n_replicates_trees: dict
    n_replicates_tree_versions: int
    n_patients: int
    n_test: int
    n_population: int
    split_seeds: list
    n_splits: int
    n_baseline: int
    learning_sizes: list
    learning_replicates: dict
    learning_population: int


@dataclass(frozen=True)
class Modelling:
    """04: models, imbalance, internal validation."""

    n_folds: int
    n_repeats: int
    smallest_difference: float
    search_candidates: int
    tuning_candidates: int
    tuning_folds: int
    tuning_trees: list
    wrong_way_trials: int
    wrong_way_patients: int
    imbalance_trials: dict
    imbalance_rates: dict
    imbalance_patients: int
    imbalance_population: int
    net_benefit_at: list
    validation_sizes: list
    validation_trials: int
    validation_population: int
    validation_repeats: int
    validation_bootstraps: int


@dataclass(frozen=True)
class Evaluation:
    """05: discrimination, calibration, decisions, stability."""

    smallest_difference: float
    smallest_net_benefit: float
    n_bootstraps: int
    n_bootstraps_curves: int
    thresholds: dict
    decision_threshold: float
    contact_cost: float
    n_folds: int
    class_weight_rates: dict
    class_weight_patients: int
    stability_bootstraps: int
    stability_boosted: int
    unsteady: float
    age_groups: list
    small_subgroup: int
    n_permutations: int
    coverage_simulations: int
    coverage_bootstrapped: int
    coverage_patients: int
    coverage_bootstraps: int


@dataclass(frozen=True)
class RealTrial:
    """06: landmark prediction on a real trial."""

    folds: int
    repeats: int
    dear_repeats: int
    bootstrap: int
    half_samples: int
    dear_half_samples: int
    permutations: int
    optimism_resamples: int
    leak_ridge_c: float
    trees: int
    tree_depth: int
    learning_rate: float
    smallest_difference: float
    suspicious_auroc: float
    band_trials: int
    leak_repeats: int
    leak_trials: int
    leak_trial_size: int
    leak_population: int
    noise_features: int


@dataclass(frozen=True)
class TimeToDropout:
    """07: competing risks."""

    margin_risk: float
    margin_auroc: float
    fewest_events: int
    fewest_landmark_events: int
    period_days: int
    folds: int
    repeats: int
    half_samples: int


@dataclass(frozen=True)
class Monitoring:
    """08: drift, and when to retrain."""

    batch_sizes: list
    null_batches: int
    power_batches: int
    n_reference: int
    permutations: int
    champion: dict
    champion_refits: int
    champion_folds: int


@dataclass(frozen=True)
class Findings:
    """00: the front page."""

    smallest_difference: float
    smallest_difference_pilot: float
    landmark: int
    landmarks: list


SECTIONS: dict[str, type] = {
    "01_generation": Generation,
    "02_eda": Eda,
    "03_feature_ablation": FeatureAblation,
    "04_modelling": Modelling,
    "05_evaluation": Evaluation,
    "06_real_trial": RealTrial,
    "07_time_to_dropout": TimeToDropout,
    "08_monitoring": Monitoring,
    "00_findings": Findings,
}
PROFILES = ("full", "quick")


def _closest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"


def _refuse_unknown(keys: list[str], known: list[str], where: str) -> None:
    for key in keys:
        if key not in known:
            raise ParamsError(f"{where}: unknown key {key!r}{_closest(key, known)}")


def _checked(value: Any, kind: Any, where: str) -> Any:
    plain = get_origin(kind) or kind
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise ParamsError(f"{where}: expected {getattr(plain, '__name__', plain)}, found {value!r}")
    return value


def _section(name: str, values: dict[str, Any], source: str) -> Any:
    kind = SECTIONS[name]
    hints = get_type_hints(kind)
    _refuse_unknown(list(values), list(hints), f"{source}, {name}")
    for key in hints:
        if key not in values:
            raise ParamsError(f"{source}, {name}: key {key!r} is missing")
    return kind(**{key: _checked(values[key], hint, f"{source}, {name}.{key}") for key, hint in hints.items()})


def read(profile: str = "full", path: Path | None = None) -> dict[str, Any]:
    """Resolve all sections of ``params.yaml`` for one profile.

    Parameters
    ----------
    profile : {"full", "quick"}
        ``quick`` overrides sizes.
    path : pathlib.Path, optional
        Another parameter file.

    Returns
    -------
    dict
        Section name to frozen dataclass, and ``"seed"`` to the seed.

    Raises
    ------
    ParamsError
        Unknown or missing key, unknown profile, value of the wrong kind.
    """
    path = path or paths.PARAMS
    source = path.name
    content = yaml.load(path.read_text(encoding="utf-8"), LOADER) or {}
    _refuse_unknown(list(content), ["seed", "profiles", *SECTIONS], source)
    profiles = content.get("profiles", {})
    _refuse_unknown(list(profiles), list(PROFILES), f"{source}, profiles")
    _refuse_unknown([profile], list(PROFILES), "profile")
    for name, overrides in profiles.items():
        _refuse_unknown(list(overrides or {}), list(SECTIONS), f"{source}, profiles.{name}")
    chosen = profiles.get(profile) or {}
    resolved: dict[str, Any] = {"seed": _checked(content.get("seed"), int, f"{source}, seed")}
    for name in SECTIONS:
        values = {**(content.get(name) or {}), **(chosen.get(name) or {})}
        resolved[name] = _section(name, values, source)
    return resolved


def load(chapter: str, profile: str = "full") -> Any:
    """Parameters of one chapter; from here on the process reads and writes results of this profile.

    Parameters
    ----------
    chapter : str
        Name of the notebook without ending.
    profile : {"full", "quick"}

    Returns
    -------
    frozen dataclass

    Examples
    --------
    >>> load("00_findings").__class__.__name__
    'Findings'
    """
    _refuse_unknown([chapter], list(SECTIONS), "chapter")
    resolved = read(profile)
    paths.profile = profile
    return resolved[chapter]


def as_dict(section: Any) -> dict[str, Any]:
    """Plain mapping of a section, for hashing and tracking."""
    return dataclasses.asdict(section)
