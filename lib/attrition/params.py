"""Read ``params.yaml``: every size and choice of the study.

The file has one section a notebook. The classes below are the list of known keys, with the range of every number, and
`RELATIONS` what numbers owe to each other: an unknown or missing key, a value of the wrong kind or out of range is an
error that says where, and what was probably meant. Whatever passes, every chapter can be run with.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import yaml

from attrition import errors, paths


class _OnceOnly:
    """A key that stands twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Refuse a second key of the same name, which YAML would let win unseen."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value != "<<" and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)  # type: ignore[misc]


class Loader(_OnceOnly, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML for the project's own files, in C where that is there: six times as fast."""


class StrictLoader(_OnceOnly, yaml.SafeLoader):
    """Safe YAML for a reader's files: the loader in C lets marks inside a file pass."""


def read_yaml(path: Path, kind: type[Exception]) -> dict[str, Any]:
    """Content of a YAML file whose top level has keys; an error of `kind` says what is wrong, and in which line."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader) or {}
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise kind(f"{path.name}{line}: {error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise kind(f"{path.name}: cannot be read; it must be YAML in UTF-8") from None
    if not isinstance(content, dict):
        raise kind(f"{path.name}: the top level must be keys with values")
    return content


class ParamsError(errors.Refusal, ValueError):
    """``params.yaml`` holds something that the study does not know, or lacks something that it needs."""

    exit_code = errors.USAGE


@dataclass(frozen=True)
class Within:
    """Range of a number, or of every number in a list or mapping, which may not be empty; both ends belong to it.

    Parameters
    ----------
    low, high : float
    whole : bool
        Of lists and mappings: whole numbers only.
    rising : bool
        Of lists: each number larger than the one before it.
    """

    low: float
    high: float
    whole: bool = False
    rising: bool = False


Seed = Annotated[int, Within(0, 2**32 - 1)]
Folds = Annotated[int, Within(2, 20)]
Trials = Annotated[int, Within(2, 100_000)]
"""Simulated trials, replicates, batches or splits: from two on there is a spread."""
Resamples = Annotated[int, Within(20, 100_000)]
Patients = Annotated[int, Within(100, 10_000_000)]
Probability = Annotated[float, Within(0.01, 0.99)]
Margin = Annotated[float, Within(0.0001, 0.5)]
Days = Annotated[list, Within(1, 365, whole=True, rising=True)]


class Section:
    """Parameters of one chapter."""

    def but(self, **changes: Any) -> Any:
        """The same parameters with some of them changed, checked as those of ``params.yaml`` are.

        Examples
        --------
        >>> load("08_monitoring").but(n_permutations=199).n_permutations
        199
        """
        name = next(name for name, kind in SECTIONS.items() if isinstance(self, kind))
        return _section(name, as_dict(self) | changes, "but")


@dataclass(frozen=True)
class Generation(Section):
    """01: the published trial and the law behind it."""

    smallest_difference: Margin
    oracle_patients: Annotated[int, Within(1000, 100_000_000)]
    oracle_chunk: Annotated[int, Within(1000, 10_000_000)]
    effect_patients: Annotated[int, Within(5000, 10_000_000)]
    landmark_days: Days


@dataclass(frozen=True)
class Eda(Section):
    """02: what the published trial looks like."""


@dataclass(frozen=True)
class FeatureAblation(Section):
    """03: what each group of features is worth."""

    smallest_difference: Margin
    n_replicates: Trials
    n_replicates_alone: Trials
    n_replicates_trees: Annotated[dict, Within(2, 100_000, whole=True)]
    n_replicates_tree_versions: Annotated[int, Within(0, 100_000)]
    n_patients: Patients
    n_test: Annotated[int, Within(50, 1_000_000)]
    n_population: Annotated[int, Within(1000, 10_000_000)]
    split_seeds: Annotated[list, Within(0, 2**32 - 1, whole=True)]
    n_splits: Trials
    n_baseline: Trials
    learning_sizes: Annotated[list, Within(100, 1_000_000, whole=True, rising=True)]
    learning_replicates: Annotated[dict, Within(2, 10_000, whole=True)]
    learning_population: Annotated[int, Within(1000, 10_000_000)]


@dataclass(frozen=True)
class Modelling(Section):
    """04: models, imbalance, internal validation."""

    n_folds: Folds
    n_repeats: Annotated[int, Within(1, 1000)]
    smallest_difference: Margin
    search_candidates: Annotated[int, Within(1, 1000)]
    tuning_candidates: Annotated[int, Within(2, 1000)]
    tuning_folds: Folds
    tuning_trees: Annotated[list, Within(1, 10_000, whole=True, rising=True)]
    wrong_way_trials: Annotated[int, Within(1, 10_000)]
    wrong_way_patients: Patients
    imbalance_trials: Annotated[dict, Within(1, 10_000, whole=True)]
    imbalance_rates: Annotated[dict, Within(0, 0.9)]
    imbalance_patients: Patients
    imbalance_population: Annotated[int, Within(500, 10_000_000)]
    net_benefit_at: Annotated[list, Within(0.01, 0.99, rising=True)]
    validation_sizes: Annotated[list, Within(100, 100_000, whole=True, rising=True)]
    validation_trials: Trials
    validation_population: Annotated[int, Within(1000, 10_000_000)]
    validation_repeats: Annotated[int, Within(1, 1000)]
    validation_bootstraps: Annotated[int, Within(2, 100_000)]


@dataclass(frozen=True)
class Evaluation(Section):
    """05: discrimination, calibration, decisions, stability."""

    smallest_difference: Margin
    smallest_difference_net_benefit: Margin
    n_bootstraps: Resamples
    n_bootstraps_curves: Resamples
    thresholds: Annotated[dict, Within(0.01, 0.99)]
    decision_threshold: Probability
    contact_cost: Annotated[float, Within(0.01, 1_000_000)]
    n_folds: Folds
    class_weight_rates: Annotated[dict, Within(0, 0.9)]
    class_weight_patients: Patients
    stability_bootstraps: Resamples
    stability_boosted: Annotated[int, Within(2, 10_000)]
    unsteady: Probability
    age_groups: Annotated[list, Within(19, 85, whole=True, rising=True)]
    small_subgroup: Annotated[int, Within(1, 1_000_000)]
    n_permutations: Annotated[int, Within(1, 1000)]
    coverage_simulations: Trials
    coverage_bootstrapped: Trials
    coverage_patients: Patients
    coverage_bootstraps: Resamples

    @property
    def every_threshold(self) -> dict[str, float]:
        """The thresholds with a reason, and the one of the decision where it is none of them."""
        known = self.decision_threshold in self.thresholds.values()
        return self.thresholds if known else self.thresholds | {"net benefit": self.decision_threshold}


@dataclass(frozen=True)
class RealTrial(Section):
    """06: landmark prediction on a real trial."""

    n_folds: Annotated[int, Within(3, 20)]
    n_repeats: Annotated[int, Within(1, 1000)]
    n_repeats_slow: Annotated[int, Within(1, 1000)]
    n_bootstraps: Resamples
    n_half_samples: Annotated[int, Within(3, 10_000)]
    n_half_samples_slow: Annotated[int, Within(3, 10_000)]
    n_permutations: Annotated[int, Within(19, 100_000)]
    optimism_bootstraps: Annotated[int, Within(2, 100_000)]
    leak_ridge_c: Annotated[float, Within(1e-6, 1e3)]
    trees: Annotated[int, Within(1, 10_000)]
    tree_depth: Annotated[int, Within(1, 12)]
    learning_rate: Annotated[float, Within(0.0001, 1)]
    smallest_difference: Margin
    suspicious_auroc: Annotated[float, Within(0.5, 1)]
    band_trials: Annotated[int, Within(20, 100_000)]
    leak_repeats: Annotated[int, Within(1, 1000)]
    leak_trials: Trials
    leak_patients: Patients
    leak_population: Annotated[int, Within(1000, 10_000_000)]
    noise_features: Annotated[int, Within(1, 10_000)]


@dataclass(frozen=True)
class TimeToDropout(Section):
    """07: competing risks."""

    smallest_difference_risk: Margin
    fewest_events: Annotated[int, Within(2, 100_000)]
    fewest_landmark_events: Annotated[int, Within(10, 100_000)]
    period_days: Annotated[int, Within(1, 365)]
    n_folds: Folds
    n_repeats: Annotated[int, Within(1, 1000)]
    n_half_samples: Annotated[int, Within(3, 10_000)]


@dataclass(frozen=True)
class Monitoring(Section):
    """08: drift, and when to retrain."""

    batch_sizes: Annotated[list, Within(20, 100_000, whole=True, rising=True)]
    null_batches: Trials
    power_batches: Trials
    n_reference: Patients
    n_permutations: Annotated[int, Within(19, 100_000)]
    champion: dict
    champion_bootstraps: Resamples
    champion_folds: Folds


@dataclass(frozen=True)
class Findings(Section):
    """00: the front page."""

    smallest_difference: Margin
    smallest_difference_pilot: Margin
    landmark: Annotated[int, Within(1, 365)]
    landmarks: Days


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
MODELS = {"lr", "xgb", "lgbm"}
CHAMPION = {"among": list, "metric": str, "better": str, "margin": float | int}


def _champion(rule: dict[str, Any]) -> bool:
    sound = set(rule) == set(CHAMPION) and all(isinstance(rule[key], kind) for key, kind in CHAMPION.items())
    sound = sound and not isinstance(rule["margin"], bool)
    return sound and bool(rule["among"]) and rule["better"] in ("higher", "lower") and 0 <= rule["margin"] <= 1


def _curves(p: FeatureAblation) -> bool:
    """Whether the learning curve of each model has as many numbers of replicates as there are sizes."""
    counts = p.learning_replicates
    return set(counts) == MODELS and all(
        isinstance(c, list) and len(c) == len(p.learning_sizes) for c in counts.values()
    )


def _rates(rates: dict[str, float]) -> bool:
    """Whether the law's own event rate and 24 % are there, and sentences that read a name read the rate."""
    named = all(name == f"p{100 * rate:g}" for name, rate in rates.items() if name != "default")
    return named and rates.get("default") == 0 and "p24" in rates


RELATIONS: dict[str, list[tuple[Callable[[Any], bool], str]]] = {
    "03_feature_ablation": [
        (lambda p: 2 * p.n_test <= p.n_patients, "n_test must be at most half of n_patients"),
        (lambda p: set(p.n_replicates_trees) == {"default", "p24"}, "n_replicates_trees must name default and p24"),
        (_curves, "learning_replicates must name lr, xgb and lgbm, each with as many numbers as learning_sizes"),
    ],
    "04_modelling": [
        (lambda p: len(p.tuning_trees) == 2, "tuning_trees must be two numbers, of the first and the last round"),
        (lambda p: set(p.imbalance_trials) >= MODELS, "imbalance_trials must name lr, xgb and lgbm"),
        (lambda p: p.imbalance_trials["lr"] > 1, "imbalance_trials must be at least 2 for lr"),
        (lambda p: _rates(p.imbalance_rates), "imbalance_rates must be default: 0, p24: 0.24 and others so named"),
    ],
    "05_evaluation": [
        (lambda p: p.n_bootstraps_curves <= p.n_bootstraps, "n_bootstraps_curves must be at most n_bootstraps"),
        (
            lambda p: p.stability_boosted <= p.stability_bootstraps,
            "stability_boosted must be at most stability_bootstraps",
        ),
        (
            lambda p: p.coverage_bootstrapped <= p.coverage_simulations,
            "coverage_bootstrapped must be at most coverage_simulations",
        ),
        (lambda p: len(set(p.thresholds.values())) > 1, "thresholds must hold two numbers that differ, or more"),
        (
            lambda p: set(p.class_weight_rates) == {"published", "rare"},
            "class_weight_rates must name published and rare",
        ),
    ],
    "06_real_trial": [(lambda p: p.n_repeats_slow <= p.n_repeats, "n_repeats_slow must be at most n_repeats")],
    "08_monitoring": [
        (lambda p: 200 in p.batch_sizes, "batch_sizes must hold 200, at which a claim is judged"),
        (lambda p: _champion(p.champion), "champion must hold among, metric, better (higher, lower), margin (0 to 1)"),
    ],
    "00_findings": [
        (lambda p: p.landmark in p.landmarks, "landmark must be one of landmarks"),
        (lambda p: set(p.landmarks) <= {28, 56, 84}, "landmarks must be among those of the pilot, 28, 56 and 84"),
    ],
}
"""What numbers of a section owe to each other, and the sentence that says so."""


def _refuse_unknown(keys: list[str], known: list[str], where: str) -> None:
    for key in keys:
        if key not in known:
            raise ParamsError(f"{where}: unknown key {key!r}{errors.closest(key, known)}")


def _checked(value: Any, hint: Any, where: str) -> Any:
    limits: tuple[Within, ...] = getattr(hint, "__metadata__", ())
    kind = hint.__origin__ if limits else hint
    plain = get_origin(kind) or kind
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise ParamsError(f"{where}: expected {getattr(plain, '__name__', plain)}, found {value!r}")
    for limit in limits:
        _refuse_outside(value, limit, where)
    return value


def _refuse_outside(value: Any, limit: Within, where: str) -> None:
    if isinstance(value, dict | list):
        if not value:
            raise ParamsError(f"{where}: is empty")
        for key, item in value.items() if isinstance(value, dict) else enumerate(value, 1):
            _refuse_outside(item, limit, f"{where}, {key}")
        if limit.rising and list(value) != sorted(set(value)):
            raise ParamsError(f"{where}: each number must be larger than the one before it, found {value}")
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or (limit.whole and not isinstance(value, int)):
        raise ParamsError(f"{where}: expected {'a whole number' if limit.whole else 'a number'}, found {value!r}")
    if not limit.low <= value <= limit.high:
        raise ParamsError(f"{where}: must lie between {limit.low:,} and {limit.high:,}, found {value!r}")


def _section(name: str, values: dict[str, Any], source: str) -> Any:
    kind = SECTIONS[name]
    hints = get_type_hints(kind, include_extras=True)
    _refuse_unknown(list(values), list(hints), f"{source}, {name}")
    for key in hints:
        if key not in values:
            raise ParamsError(f"{source}, {name}: key {key!r} is missing")
    made = kind(**{key: _checked(values[key], hint, f"{source}, {name}.{key}") for key, hint in hints.items()})
    for holds, sentence in RELATIONS.get(name, []):
        if not holds(made):
            raise ParamsError(f"{source}, {name}: {sentence}")
    return made


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
        Unknown or missing key, unknown profile, value of the wrong kind or out of range.
    """
    path = path or paths.PARAMS
    return resolve(read_yaml(path, ParamsError), profile, path.name)


def resolve(content: dict[str, Any], profile: str, source: str) -> dict[str, Any]:
    """What `read` gives, from the content of a file that messages call `source`."""
    _refuse_unknown(list(content), ["seed", "profiles", *SECTIONS], source)
    profiles = content.get("profiles", {})
    _refuse_unknown(list(profiles), list(PROFILES), f"{source}, profiles")
    _refuse_unknown([profile], list(PROFILES), "profile")
    for name, overrides in profiles.items():
        _refuse_unknown(list(overrides or {}), list(SECTIONS), f"{source}, profiles.{name}")
    chosen = profiles.get(profile) or {}
    resolved: dict[str, Any] = {"seed": _checked(content.get("seed"), Seed, f"{source}, seed")}
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
