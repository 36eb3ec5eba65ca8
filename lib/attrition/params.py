"""Read ``params.yaml``: every size and choice of the study.

The file has one section a notebook. ``ranges.yaml`` is the list of known keys, with the range of every number
and what numbers owe to each other; `attrition.settings` says what is wrong, where, and what was probably meant.
Whatever passes, every chapter can be run with.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attrition import paths, settings
from attrition.settings import Keys, Kind, Number, problems, refuse, shape, unknown
from notebook_report import errors, project


class ParamsError(errors.Refusal, ValueError):
    """``params.yaml`` holds something that the study does not know, or lacks something that it needs."""

    exit_code = errors.USAGE


class Section:
    """Parameters of one chapter; `chapter` names it, in a worker's copy of the class as well."""

    chapter: ClassVar[str]

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def but(self, **changes: Any) -> Any:
        """The same parameters with some of them changed, checked as those of ``params.yaml`` are.

        Examples
        --------
        >>> load("08_monitoring").but(n_permutations=199).n_permutations
        199
        """
        return _section(self.chapter, as_dict(self) | changes, "but")


class Evaluation(Section):
    """05: discrimination, calibration, decisions, stability."""

    @property
    def every_threshold(self) -> dict[str, float]:
        """The thresholds with a reason, and the one of the decision where it is none of them."""
        known = self.decision_threshold in self.thresholds.values()
        return self.thresholds if known else self.thresholds | {"net benefit": self.decision_threshold}


RANGES = settings.read(Path(__file__).with_name("ranges.yaml"), ParamsError)
# What a section of ``params.yaml`` may hold
SHAPES: dict[str, Keys] = {name: shape(keys, RANGES["words"]) for name, keys in RANGES["chapters"].items()}
KINDS = dict.fromkeys(SHAPES, Section) | {"05_evaluation": Evaluation}
SECTIONS: dict[str, Any] = {
    name: dataclasses.make_dataclass(
        "Section", keys.needed, bases=(KINDS[name],), namespace={"chapter": name}, frozen=True
    )
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
    owed = RANGES["relations"].get(name, {}).items()
    refuse((where + sentence for sentence, holds in owed if not eval(holds, {**vars(made)})), ParamsError)
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
