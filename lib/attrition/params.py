"""Read ``params.yaml``: every size and choice of the study.

The file has one section a notebook. ``ranges.yaml`` is the list of known keys, with the range of every number, and
`Section.relations` has what numbers owe to each other; `attrition.settings` says what is wrong with the rest, where,
and what was probably meant. Whatever passes, every chapter can be run with.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrition import paths, settings
from attrition.settings import Keys, Kind, Number, problems, refuse, shape, unknown
from notebook_report import errors, project

MODELS = {"lr", "xgb", "lgbm"}
Related = Iterator[tuple[bool, str]]


class ParamsError(errors.Refusal, ValueError):
    """``params.yaml`` holds something that the study does not know, or lacks something that it needs."""

    exit_code = errors.USAGE


class Section:
    """Parameters of one chapter."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

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


class FeatureAblation(Section):
    """03: what each group of features is worth."""

    def relations(self) -> Related:
        counts, sizes = self.learning_replicates, len(self.learning_sizes)
        curves = set(counts) == MODELS and all(len(count) == sizes for count in counts.values())
        yield 2 * self.n_test <= self.n_patients, "n_test must be at most half of n_patients"
        yield set(self.n_replicates_trees) == {"default", "p24"}, "n_replicates_trees must name default and p24"
        yield curves, "learning_replicates must name lr, xgb and lgbm, each with as many numbers as learning_sizes"


class Modelling(Section):
    """04: models, imbalance, internal validation."""

    def relations(self) -> Related:
        rates, trials = self.imbalance_rates, self.imbalance_trials
        named = all(name == f"p{100 * rate:g}" for name, rate in rates.items() if name != "default")
        named = named and rates.get("default") == 0 and "p24" in rates  # sentences that read a name read the rate
        yield len(self.tuning_trees) == 2, "tuning_trees must be two numbers, of the first and the last round"
        yield set(trials) >= MODELS, "imbalance_trials must name lr, xgb and lgbm"
        yield trials.get("lr", 2) > 1, "imbalance_trials must be at least 2 for lr"
        yield named, "imbalance_rates must be default: 0, p24: 0.24 and others so named"


class Evaluation(Section):
    """05: discrimination, calibration, decisions, stability."""

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


class RealTrial(Section):
    """06: landmark prediction on a real trial."""

    def relations(self) -> Related:
        yield self.n_repeats_slow <= self.n_repeats, "n_repeats_slow must be at most n_repeats"


class Monitoring(Section):
    """08: drift, and when to retrain."""

    def relations(self) -> Related:
        yield 200 in self.batch_sizes, "batch_sizes must hold 200, at which a claim is judged"


class Findings(Section):
    """00: the front page."""

    def relations(self) -> Related:
        pilot = set(self.landmarks) <= {28, 56, 84}
        yield self.landmark in self.landmarks, "landmark must be one of landmarks"
        yield pilot, "landmarks must be among those of the pilot, 28, 56 and 84"


RANGES = settings.read(Path(__file__).with_name("ranges.yaml"), ParamsError)
# What a section of ``params.yaml`` may hold
SHAPES: dict[str, Keys] = {name: shape(keys, RANGES["words"]) for name, keys in RANGES["chapters"].items()}
RELATED: dict[str, type[Section]] = {
    "03_feature_ablation": FeatureAblation,
    "04_modelling": Modelling,
    "05_evaluation": Evaluation,
    "06_real_trial": RealTrial,
    "08_monitoring": Monitoring,
    "00_findings": Findings,
}
SECTIONS: dict[str, Any] = {
    name: dataclasses.make_dataclass("Section", keys.needed, bases=(RELATED.get(name, Section),), frozen=True)
    for name, keys in SHAPES.items()
}
PROFILES = ("full", "quick")
# Values of a section as one profile has them, which are checked when they are put together
VALUES = Kind("keys with values", lambda values: values is None or isinstance(values, dict))


def file() -> Keys:
    """What ``params.yaml`` may hold."""
    chapters: dict[str, Any] = dict.fromkeys(SECTIONS, VALUES)
    profiles = Keys({}, dict.fromkeys(PROFILES, Keys({}, chapters)))
    return Keys({"seed": shape("seed", RANGES["words"])}, {"profiles": profiles} | chapters)


def _section(name: str, values: Any, source: str) -> Any:
    shapes, where = SHAPES[name], f"{source}, {name}: "
    refuse(problems(values, shapes, where), ParamsError)
    numbers = [key for key, each in shapes.needed.items() if isinstance(each, Number) and not each.whole]
    made = SECTIONS[name](**values | {key: float(values[key]) for key in numbers})
    refuse((where + sentence for holds, sentence in made.relations() if not holds), ParamsError)
    return made


def read(profile: str = "full", path: Path | None = None) -> dict[str, Any]:
    """All sections of ``params.yaml`` (or of the file at `path`) for one profile, and ``"seed"``."""
    path = path or paths.PARAMS
    return resolve(settings.read(path, ParamsError, settings.StrictLoader), profile, path.name)


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
    >>> load("00_findings").landmark
    28
    """
    refuse(unknown([chapter], SECTIONS, "", "chapter"), ParamsError)
    resolved = read(profile)
    project.current.profile = profile
    return resolved[chapter]


def as_dict(section: Any) -> dict[str, Any]:
    """Plain mapping of a section, for hashing and tracking."""
    return dataclasses.asdict(section)
