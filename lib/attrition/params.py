"""Read ``params.yaml``: every size and choice of the study.

The file has one section a notebook. The classes below are the list of known keys, with the range of every number, and
`Section.relations` what numbers owe to each other; `attrition.settings` says what is wrong with the rest, where, and
what was probably meant. Whatever passes, every chapter can be run with.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from attrition import paths, settings
from attrition.settings import ANY, TEXT, Keys, Kind, Number, Rising, problems, refuse, unknown, whole
from notebook_report import errors, project

MODELS = {"lr", "xgb", "lgbm"}


class ParamsError(errors.Refusal, ValueError):
    """``params.yaml`` holds something that the study does not know, or lacks something that it needs."""

    exit_code = errors.USAGE


SEED = whole(0, 2**32 - 1)
Folds = Annotated[int, whole(2, 20)]
Repeats = Annotated[int, whole(1, 1000)]
Trials = Annotated[int, whole(2, 100_000)]
"""Simulated trials, replicates, batches or splits: from two on there is a spread."""
Resamples = Annotated[int, whole(20, 100_000)]
Patients = Annotated[int, whole(100, 10_000_000)]
Probability = Annotated[float, Number(0.01, 0.99)]
Margin = Annotated[float, Number(0.0001, 0.5)]
BETTER = ("higher", "lower")
Days = Annotated[list, Rising(whole(1, 365))]


Related = Iterator[tuple[bool, str]]


@dataclass(frozen=True)
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

    def relations(self) -> Related:
        """What numbers owe to each other: whether it holds, and the sentence that says so."""
        yield from ()


@dataclass(frozen=True)
class Generation(Section):
    """01: the published trial and the law behind it."""

    smallest_difference: Margin
    oracle_patients: Annotated[int, whole(1000, 100_000_000)]
    oracle_chunk: Annotated[int, whole(1000, 10_000_000)]
    effect_patients: Annotated[int, whole(5000, 10_000_000)]
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
    n_replicates_trees: Annotated[dict, {ANY: whole(2, 100_000)}]
    n_replicates_tree_versions: Annotated[int, whole(0, 100_000)]
    n_patients: Patients
    n_test: Annotated[int, whole(50, 1_000_000)]
    n_population: Annotated[int, whole(1000, 10_000_000)]
    split_seeds: Annotated[list, [SEED]]
    n_splits: Trials
    n_baseline: Trials
    learning_sizes: Annotated[list, Rising(whole(100, 1_000_000))]
    learning_replicates: Annotated[dict, {ANY: [whole(2, 10_000)]}]
    learning_population: Annotated[int, whole(1000, 10_000_000)]

    def relations(self) -> Related:
        counts, sizes = self.learning_replicates, len(self.learning_sizes)
        curves = set(counts) == MODELS and all(len(count) == sizes for count in counts.values())
        yield 2 * self.n_test <= self.n_patients, "n_test must be at most half of n_patients"
        yield set(self.n_replicates_trees) == {"default", "p24"}, "n_replicates_trees must name default and p24"
        yield curves, "learning_replicates must name lr, xgb and lgbm, each with as many numbers as learning_sizes"


@dataclass(frozen=True)
class Modelling(Section):
    """04: models, imbalance, internal validation."""

    n_folds: Folds
    n_repeats: Repeats
    smallest_difference: Margin
    search_candidates: Repeats
    tuning_candidates: Annotated[int, whole(2, 1000)]
    tuning_folds: Folds
    tuning_trees: Annotated[list, Rising(whole(1, 10_000))]
    wrong_way_trials: Annotated[int, whole(1, 10_000)]
    wrong_way_patients: Patients
    imbalance_trials: Annotated[dict, {ANY: whole(1, 10_000)}]
    imbalance_rates: Annotated[dict, {ANY: Number(0, 0.9)}]
    imbalance_patients: Patients
    imbalance_population: Annotated[int, whole(500, 10_000_000)]
    net_benefit_at: Annotated[list, Rising(Number(0.01, 0.99))]
    validation_sizes: Annotated[list, Rising(whole(100, 100_000))]
    validation_trials: Trials
    validation_population: Annotated[int, whole(1000, 10_000_000)]
    validation_repeats: Repeats
    validation_bootstraps: Annotated[int, whole(2, 100_000)]

    def relations(self) -> Related:
        rates, trials = self.imbalance_rates, self.imbalance_trials
        named = all(name == f"p{100 * rate:g}" for name, rate in rates.items() if name != "default")
        named = named and rates.get("default") == 0 and "p24" in rates  # sentences that read a name read the rate
        yield len(self.tuning_trees) == 2, "tuning_trees must be two numbers, of the first and the last round"
        yield set(trials) >= MODELS, "imbalance_trials must name lr, xgb and lgbm"
        yield trials.get("lr", 2) > 1, "imbalance_trials must be at least 2 for lr"
        yield named, "imbalance_rates must be default: 0, p24: 0.24 and others so named"


@dataclass(frozen=True)
class Evaluation(Section):
    """05: discrimination, calibration, decisions, stability."""

    smallest_difference: Margin
    smallest_difference_net_benefit: Margin
    n_bootstraps: Resamples
    n_bootstraps_curves: Resamples
    thresholds: Annotated[dict, {ANY: Number(0.01, 0.99)}]
    decision_threshold: Probability
    contact_cost: Annotated[float, Number(0.01, 1_000_000)]
    n_folds: Folds
    class_weight_rates: Annotated[dict, {ANY: Number(0, 0.9)}]
    class_weight_patients: Patients
    stability_bootstraps: Resamples
    stability_boosted: Annotated[int, whole(2, 10_000)]
    unsteady: Probability
    age_groups: Annotated[list, Rising(whole(19, 85))]
    small_subgroup: Annotated[int, whole(1, 1_000_000)]
    n_permutations: Repeats
    coverage_simulations: Trials
    coverage_bootstrapped: Trials
    coverage_patients: Patients
    coverage_bootstraps: Resamples

    @property
    def every_threshold(self) -> dict[str, float]:
        """The thresholds with a reason, and the one of the decision where it is none of them."""
        known = self.decision_threshold in self.thresholds.values()
        return self.thresholds if known else self.thresholds | {"net benefit": self.decision_threshold}

    def relations(self) -> Related:
        fewer = {
            "n_bootstraps_curves": "n_bootstraps",
            "stability_boosted": "stability_bootstraps",
            "coverage_bootstrapped": "coverage_simulations",
        }
        for low, high in fewer.items():
            yield getattr(self, low) <= getattr(self, high), f"{low} must be at most {high}"
        rates = set(self.class_weight_rates)
        yield len(set(self.thresholds.values())) > 1, "thresholds must hold two numbers that differ, or more"
        yield rates == {"published", "rare"}, "class_weight_rates must name published and rare"


@dataclass(frozen=True)
class RealTrial(Section):
    """06: landmark prediction on a real trial."""

    n_folds: Annotated[int, whole(3, 20)]
    n_repeats: Repeats
    n_repeats_slow: Repeats
    n_bootstraps: Resamples
    n_half_samples: Annotated[int, whole(3, 10_000)]
    n_half_samples_slow: Annotated[int, whole(3, 10_000)]
    n_half_samples_forest: Annotated[int, whole(3, 10_000)]
    n_permutations: Annotated[int, whole(19, 100_000)]
    optimism_bootstraps: Annotated[int, whole(2, 100_000)]
    leak_ridge_c: Annotated[float, Number(1e-6, 1e3)]
    trees: Annotated[int, whole(1, 10_000)]
    tree_depth: Annotated[int, whole(1, 12)]
    learning_rate: Annotated[float, Number(0.0001, 1)]
    smallest_difference: Margin
    suspicious_auroc: Annotated[float, Number(0.5, 1)]
    band_trials: Annotated[int, whole(20, 100_000)]
    leak_repeats: Repeats
    leak_trials: Trials
    leak_patients: Patients
    leak_population: Annotated[int, whole(1000, 10_000_000)]
    noise_features: Annotated[int, whole(1, 10_000)]

    def relations(self) -> Related:
        yield self.n_repeats_slow <= self.n_repeats, "n_repeats_slow must be at most n_repeats"


@dataclass(frozen=True)
class TimeToDropout(Section):
    """07: competing risks."""

    smallest_difference_risk: Margin
    fewest_events: Annotated[int, whole(2, 100_000)]
    fewest_landmark_events: Annotated[int, whole(10, 100_000)]
    period_days: Annotated[int, whole(1, 365)]
    n_folds: Folds
    n_repeats: Repeats
    n_half_samples: Annotated[int, whole(3, 10_000)]


@dataclass(frozen=True)
class Monitoring(Section):
    """08: drift, and when to retrain."""

    batch_sizes: Annotated[list, Rising(whole(20, 100_000))]
    null_batches: Trials
    power_batches: Trials
    n_reference: Patients
    n_permutations: Annotated[int, whole(19, 100_000)]
    champion: Annotated[dict, Keys({"among": [TEXT], "metric": TEXT, "better": BETTER, "margin": Number(0, 1)})]
    champion_bootstraps: Resamples
    champion_folds: Folds

    def relations(self) -> Related:
        yield 200 in self.batch_sizes, "batch_sizes must hold 200, at which a claim is judged"


@dataclass(frozen=True)
class Findings(Section):
    """00: the front page."""

    smallest_difference: Margin
    smallest_difference_pilot: Margin
    landmark: Annotated[int, whole(1, 365)]
    landmarks: Days

    def relations(self) -> Related:
        pilot = set(self.landmarks) <= {28, 56, 84}
        yield self.landmark in self.landmarks, "landmark must be one of landmarks"
        yield pilot, "landmarks must be among those of the pilot, 28, 56 and 84"


SECTIONS: dict[str, type[Section]] = {
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
VALUES = Kind("keys with values", lambda values: values is None or isinstance(values, dict))
"""Values of a section as one profile has them, which are checked when they are put together."""


def file() -> Keys:
    """What ``params.yaml`` may hold."""
    chapters: dict[str, Any] = dict.fromkeys(SECTIONS, VALUES)
    return Keys({"seed": SEED}, {"profiles": Keys({}, dict.fromkeys(PROFILES, Keys({}, chapters)))} | chapters)


def shape(kind: type[Section]) -> Keys:
    """What a section of ``params.yaml`` may hold."""
    return Keys({key: hint.__metadata__[0] for key, hint in get_type_hints(kind, include_extras=True).items()})


def _section(name: str, values: Any, source: str) -> Any:
    kind, where = SECTIONS[name], f"{source}, {name}: "
    refuse(problems(values, shape(kind), where), ParamsError)
    numbers = [key for key, hint in get_type_hints(kind).items() if hint is float]
    made = kind(**values | {key: float(values[key]) for key in numbers})
    refuse((where + sentence for holds, sentence in made.relations() if not holds), ParamsError)
    return made


def read(profile: str = "full", path: Path | None = None) -> dict[str, Any]:
    """All sections of ``params.yaml`` (or of the file at `path`) for one profile, and ``"seed"``."""
    path = path or paths.PARAMS
    return resolve(settings.read(path, ParamsError), profile, path.name)


def resolve(content: dict[str, Any], profile: str, source: str) -> dict[str, Any]:
    """What `read` gives, from the content of a file that messages call `source`."""
    refuse(unknown([profile], PROFILES, "", "profile"), ParamsError)
    refuse(problems(content, file(), f"{source}: "), ParamsError)
    chosen = content.get("profiles", {}).get(profile) or {}
    return {"seed": content["seed"]} | {
        name: _section(name, {**(content.get(name) or {}), **(chosen.get(name) or {})}, source) for name in SECTIONS
    }


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
    refuse(unknown([chapter], SECTIONS, "", "chapter"), ParamsError)
    resolved = read(profile)
    project.current.profile = profile
    return resolved[chapter]


def as_dict(section: Any) -> dict[str, Any]:
    """Plain mapping of a section, for hashing and tracking."""
    return dataclasses.asdict(section)
