"""The one shape of a trial that every later step works on, and what its terms mean.

``terms.yaml`` has the vocabulary of CDISC and the choices for studies that are known by name.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from attrition.cdisc.sources import TERMS, CdiscError, counted, study_day

STANDARD = TERMS["standard"]
COMPETING, NO_EVENT, COMPLETED, CENSORED = "competing", "none", "completed", "ongoing"
EARLY_SHARE = 0.025
FEWEST_COMPLETERS = 10
"""With fewer completers than this, one of them is more than the share that may complete early."""
KINDS = ("adverse event", "visit", "vital sign", "lab", "questionnaire", "exposure", "end of exposure")
"""Kinds of events. An end of exposure (of those whose dosing has ended) is known in hindsight only: no feature."""
ESTIMANDS = ("study", "treatment")
"""What leaving may mean: of the study, or of the treatment; ICH E9(R1) asks which."""
LEFT_OUT = {"not_dosed": "never dosed", "left_before_first_dose": "left or last seen before the first dose"}
"""Why a randomised patient is not in the analysis set: key of the participant flow, and words."""
EVENT_COLUMNS = ("id", "kind", "name", "value", "detail", "day", "known_day")
MOST_SITES = 20
"""Sites that are looked at one by one: a model is developed without each."""
PATIENT_COLUMNS = ("id", "arm", "site", "site_group", "event_day", "reason", "reason_group")
EXITS_OF = tuple(f"{name}_{what}" for name in ("treatment", "study") for what in ("day", "reason", "known"))
EXIT_COLUMNS = ("id", "start", "last_day", *EXITS_OF)


@dataclass(frozen=True)
class Definitions:
    """The choices that turn a trial's records into patients, events and outcomes; ``terms.yaml`` has the usual ones.

    Attributes
    ----------
    horizon : int or None
        Last study day on which a discontinuation counts; None: see `resolve`.
    landmarks : tuple of int
        Study days at which a prediction is made; empty: one sixth, one third and one half of the horizon.
    arms : tuple of str
        Order of the arms, the reference first; empty: see `ordered_arms`.
    competing : mapping of str to str
        Disposition term of a competing event to its name in the participant flow.
    reasons : mapping of str to str
        Disposition term to reason group; any other term of a discontinuation belongs to `other`.
    smallest_site_arm : int
        A site with an arm of fewer patients than this is pooled.
    estimand : str
        ``"study"`` or ``"treatment"``, see `ESTIMANDS`; empty: the study where its exits are recorded.
    study : str
        The STUDYID that is read, where a folder holds several.
    epochs : tuple of str
        Epochs that the question is about; empty: all but screening, follow-up and extensions.
    study_records, treatment_records, ignored_records : tuple of str
        Records of DS by subcategory or cell, see `attrition.cdisc.disposition.matches`.
    partial_exits : str
        Day of the month of an exit that lacks it: ``"first"``, ``"middle"``, ``"last"``; empty: such a date is refused.
    data_cut : pandas.Timestamp or None
        Nothing that is dated later is read.
    adverse_events_known : str
        When an adverse event without a collection date counts as known: empty (never), ``"next visit"``, ``"onset"``.
    numbers, categories : tuple of str
        Baseline columns of DM or ADSL; without any those of ``terms.yaml``.
    known_on_day_1 : tuple of str
        Baseline columns that are declared to have been known, whatever they tell.
    plan : mapping
        What was planned: patients, dropout, horizon and more.
    """

    name: str = "trial"
    title: str = "A clinical trial"
    horizon: int | None = None
    landmarks: tuple[int, ...] = ()
    arms: tuple[str, ...] = ()
    reference: str = ""
    completed: frozenset[str] = frozenset(STANDARD["completed"])
    competing: Mapping[str, str] = field(default_factory=lambda: STANDARD["competing"])
    reasons: Mapping[str, str] = field(default_factory=lambda: STANDARD["reasons"])
    other: str = "other"
    not_randomised: frozenset[str] = frozenset(STANDARD["not_randomised"])
    smallest_site_arm: int = 3
    pooled_site: str = "pooled"
    questionnaires: Mapping[str, str] = field(default_factory=dict)
    questionnaire_sums: Mapping[str, str] = field(default_factory=dict)
    vital_signs: tuple[str, ...] = tuple(STANDARD["vital_signs"])
    characteristics: Mapping[str, str] = field(default_factory=lambda: STANDARD["characteristics"])
    diagnosis_category: str = "PRIMARY DIAGNOSIS"
    last_visit_number: float = float("inf")
    milestones: frozenset[str] = frozenset(STANDARD["milestones"])
    ongoing: frozenset[str] = frozenset(STANDARD["ongoing"])
    not_treated: frozenset[str] = frozenset(STANDARD["not_treated"])
    estimand: str = ""
    study: str = ""
    epochs: tuple[str, ...] = ()
    study_records: tuple[str, ...] = ()
    treatment_records: tuple[str, ...] = ()
    ignored_records: tuple[str, ...] = ()
    partial_exits: str = ""
    data_cut: pd.Timestamp | None = None
    adverse_events_known: str = ""
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    known_on_day_1: tuple[str, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last_day(self) -> int:
        """The horizon, once it is known."""
        if self.horizon is None:
            raise ValueError("these definitions leave the horizon to the data; see attrition.cdisc.trial.resolve")
        return self.horizon

    @property
    def groups(self) -> tuple[str, ...]:
        """Reason groups in order, the competing one last."""
        return (*dict.fromkeys([*self.reasons.values(), self.other]), COMPETING)

    def group_of(self, reason: pd.Series) -> pd.Series:
        """Reason group of disposition terms, also ``"competing"``, ``"completed"`` and (no term yet) ``"ongoing"``.

        >>> PILOT.group_of(pd.Series(["DEATH", "LACK OF EFFICACY", "COMPLETED"])).tolist()
        ['competing', 'other', 'completed']
        """
        known = dict.fromkeys(self.completed, COMPLETED) | dict.fromkeys(self.competing, COMPETING)
        known |= {term: group for term, group in self.reasons.items() if term not in known}
        return reason.map(known).where(reason.isna() | reason.isin(known), self.other).fillna(CENSORED)


def _study(chosen: dict[str, Any]) -> Definitions:
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in chosen.items()}
    return Definitions(**given)


KNOWN = {study: _study(chosen) for study, chosen in TERMS["studies"].items()}
"""Definitions of known studies, by STUDYID."""
PILOT = KNOWN["CDISCPILOT01"]


def ordered_arms(arm: pd.Series, reference: str = "") -> tuple[str, ...]:
    """Arms with the reference first: the declared one, else one called like a control, else the largest.

    >>> ordered_arms(pd.Series(["10 mg", "20 mg", "placebo"]))
    ('placebo', '10 mg', '20 mg')
    >>> ordered_arms(pd.Series(["B", "NA", "B"]))
    ('B', 'NA')
    """
    sizes = arm.value_counts()
    names = sorted(sizes.index)
    called = [name for part in TERMS["controls"] for name in names if part in name.lower()]
    first = reference if reference in names else [*called, max(names, key=lambda name: sizes[name])][0]
    return (first, *(name for name in names if name != first))


def resolve(definitions: Definitions, patients: pd.DataFrame) -> Definitions:
    """Fill in what the definitions leave to the data: arms, horizon, landmarks.

    The horizon is the last whole week before which fewer than 2.5 % of the completers had completed, so that completion
    is no way out before it; with fewer than ten completers it is the last recorded day.
    """
    arms, begins = definitions.arms or ordered_arms(patients["arm"], definitions.reference), completion_begins(patients)
    usual = int(patients["event_day"].max()) if begins is None else begins // 7 * 7
    horizon = definitions.horizon or definitions.plan.get("horizon") or usual
    landmarks = definitions.landmarks or tuple(round(horizon * part) for part in (1 / 6, 1 / 3, 1 / 2))
    return dataclasses.replace(definitions, arms=arms, horizon=horizon, landmarks=landmarks)


def completion_begins(patients: pd.DataFrame) -> int | None:
    """First day by which completing is no rare thing: before it, fewer than 2.5 % of the completers had completed.

    None with fewer than ten completers.

    >>> completion_begins(pd.DataFrame({"event_day": [100, *[170] * 99], "reason_group": "completed"}))
    170
    """
    completed = patients.loc[patients["reason_group"].eq(COMPLETED), "event_day"]
    return None if len(completed) < FEWEST_COMPLETERS else int(np.quantile(completed, EARLY_SHARE, method="lower"))


@dataclass(frozen=True)
class Trial:
    """A randomised trial as patients, dated events and counts.

    Attributes
    ----------
    name, source : str
        Short name, and where it was read from (``"sdtm"``, ``"adam"`` or ``"table"``).
    definitions : Definitions
        With horizon, landmarks and arms filled in.
    patients : pandas.DataFrame
        One row a patient of the analysis set (see `analysed`), sorted by id: id, arm, site, site_group, the columns
        named in `baseline`, event_day (study day of disposition), reason (its term), reason_group (of that term, also
        ``"completed"`` and ``"ongoing"``), and the outcome by the horizon: time (day of event or end of follow-up, at
        most the horizon), event_group (a reason group, ``"competing"`` or ``"none"``) and status (``"primary"``,
        ``"competing"``, ``"none"``, or ``"censored"`` for completion, or follow-up without a disposition, that ends
        before the horizon; who is seen through the day of the horizon has stayed).
    events : pandas.DataFrame
        One row a dated record: id, kind (one of `KINDS`), name, value, detail, day (of onset or measurement) and
        known_day (the day from which a predictor may use it; missing: never).
    flow : mapping of str to int or None
        Participant flow; None where the source does not tell; of `LEFT_OUT` the keys that count somebody.
    baseline : tuple of str
        Baseline columns of `patients`.
    schedule : tuple of int
        Planned visit days of the protocol (empty when the source has none).
    notes : tuple of str
        What a reader must know about this source.
    exits : pandas.DataFrame
        One row a patient with both events where they are recorded: id, start (calendar date of day 1), last_day (of
        any record), treatment_day and treatment_reason, study_day and study_reason (missing: not yet, or not
        recorded; a completion is an exit, too), treatment_known and study_known (the day from which it was known,
        where it was collected later).
    estimands : tuple of str
        Which of `ESTIMANDS` the source records; the definitions' is the one that `patients` answers.
    cells : pandas.DataFrame
        Disposition records by category, subcategory, epoch and term, and what they were taken for; empty for a table.
    account : tuple of tuple
        File, rows read, rows left out, and why.
    """

    name: str
    source: str
    definitions: Definitions
    patients: pd.DataFrame
    events: pd.DataFrame
    flow: Mapping[str, Any]
    baseline: tuple[str, ...] = ()
    schedule: tuple[int, ...] = ()
    notes: tuple[str, ...] = field(default=())
    exits: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(EXIT_COLUMNS)))
    estimands: tuple[str, ...] = ESTIMANDS[:1]
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    account: tuple[tuple, ...] = ()

    @functools.cached_property
    def memo(self) -> dict:
        """What has been worked out about this trial; a trial made by ``dataclasses.replace`` begins anew."""
        return {}

    @property
    def horizon(self) -> int:
        """Last day on which a discontinuation counts."""
        return self.definitions.last_day

    @property
    def undated(self) -> int:
        """Patients without a start date."""
        return int(self.exits["start"].isna().sum())

    def dated(self) -> "Trial":
        """The trial itself; refused where a patient has no start date, which a cut needs."""
        if self.undated:
            who = f"{self.undated} of {len(self.exits)} patients"
            raise CdiscError(f"{self.name}: no start date of {who}; a cut needs dates")
        return self

    @property
    def last_record(self) -> pd.Timestamp:
        """The declared data cut, else the last calendar day of any record that was read; NaT without any date."""
        if self.definitions.data_cut is not None:
            return self.definitions.data_cut
        days = self.exits[["last_day", "treatment_day", "study_day"]].max(axis=1)
        return (self.exits["start"] + pd.to_timedelta(days - (days > 0), unit="D")).max()

    @property
    def landmarks(self) -> tuple[int, ...]:
        """Days at which a prediction is made."""
        return self.definitions.landmarks

    def but(self, landmarks: Sequence[int]) -> "Trial":
        """The trial with predictions on other days, a checked copy: ``study = study.but(landmarks=(28, 42, 56))``."""
        days = tuple(sorted(set(landmarks)))
        if not days or not all(isinstance(day, int) and 0 < day < self.horizon for day in days):
            raise CdiscError(f"landmarks must be study days before the horizon, day {self.horizon}, not {landmarks}")
        return dataclasses.replace(self, definitions=dataclasses.replace(self.definitions, landmarks=days))

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in order."""
        return self.definitions.arms

    @property
    def groups(self) -> tuple[str, ...]:
        """Reason groups in order, the competing one last."""
        return self.definitions.groups


def pool_sites(site: pd.Series, arm: pd.Series, definitions: Definitions) -> pd.Series:
    """Group of each patient's site: itself, or the pool when an arm has too few patients there or many are larger.

    >>> site, arm = pd.Series(list("AAAABB")), pd.Series(list("xxyyxy"))
    >>> pool_sites(site, arm, Definitions(smallest_site_arm=2)).tolist()
    ['A', 'A', 'A', 'A', 'pooled', 'pooled']
    """
    counts = pd.crosstab(site, arm)
    large = counts[counts.min(axis=1) >= definitions.smallest_site_arm].sum(axis=1).nlargest(MOST_SITES)
    return site.where(site.isin(large.index), definitions.pooled_site)


def _outcome(patients: pd.DataFrame, definitions: Definitions) -> pd.DataFrame:
    day, horizon = patients["event_day"], definitions.last_day
    left = ~patients["reason_group"].isin([COMPLETED, CENSORED])
    group = patients["reason_group"].where(day.le(horizon) & left, NO_EVENT)
    status = group.where(group.isin([NO_EVENT, COMPETING]), "primary").mask(~left & day.lt(horizon), "censored")
    return patients.assign(time=np.minimum(day, horizon), event_group=group, status=status)


def analysed(patients: pd.DataFrame, dosed: pd.Series) -> tuple[pd.DataFrame, dict[str, int]]:
    """The analysis set: randomised patients who were dosed and still in the trial on day 1, the first dose.

    Those who are not in it are counted by the keys of `LEFT_OUT`.

    >>> kept, left_out = analysed(pd.DataFrame({"event_day": [9.0, -2.0, None]}), pd.Series([True, True, False]))
    >>> len(kept), left_out
    (1, {'not_dosed': 1, 'left_before_first_dose': 1})
    """
    early = dosed & (patients["event_day"] < 1)
    return patients[dosed & ~early], {"not_dosed": int((~dosed).sum()), "left_before_first_dose": int(early.sum())}


def days_until(cut: pd.Timestamp | None, start: pd.Series) -> pd.Series:
    """Study day of a data cut for each patient; without a cut or a start nothing lies behind it."""
    return study_day(pd.Series(cut, index=start.index, dtype="datetime64[s]"), start).fillna(np.inf)


def _before_the_cut(
    patients: pd.DataFrame, events: pd.DataFrame, cut: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Patients and records as they stood at a data cut, and who had begun: what is dated later does not exist.

    Who was seen later is followed to the last record by then, or, where no visits are recorded, to the cut.
    """
    here = ~(patients["start"] > cut)
    if not here.any():
        raise CdiscError(f"no patient had begun by {cut:%Y-%m-%d}, the data cut")
    patients = patients[here].reset_index(drop=True)
    last = days_until(cut, patients["start"])
    for name in ESTIMANDS:
        patients.loc[patients[f"{name}_day"] > last, [f"{name}_day", f"{name}_reason"]] = [np.nan, None]
    of = events["id"].map(pd.Series(last.to_numpy(), index=patients["id"]))
    events = events[(events["day"] <= of) & ~(events["known_day"] > of)]
    seen = events.groupby("id")["day"].max().reindex(patients["id"]).to_numpy()
    seen = np.where(np.isnan(seen) | (not events["kind"].eq("visit").any()), last, seen)
    return patients.assign(last_day=patients["last_day"].where(patients["last_day"] <= last, seen)), events, here


def _exits(patients: pd.DataFrame, estimand: str, recorded: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Day and reason of the exit that is asked for, the last day of all others; and which exit it is."""
    chosen = estimand or recorded[0]
    if chosen not in recorded:
        raise CdiscError(f"[design] estimand = {chosen!r}, but no record tells who left the {chosen}")
    day, reason = patients[f"{chosen}_day"], patients[f"{chosen}_reason"]
    if chosen == "treatment" and "study" in recorded:  # who left the study takes the treatment no longer
        also = reason.isna() & patients["study_reason"].notna()
        day, reason = day.mask(also, patients["study_day"]), reason.mask(also, patients["study_reason"])
    return patients.assign(event_day=day.fillna(patients["last_day"]), reason=reason), chosen


def left_out_notes(left_out: Mapping[str, int]) -> tuple[str, ...]:
    """What a reader must know about patients who are not in the analysis set.

    >>> left_out_notes({"not_dosed": 1, "left_before_first_dose": 0})
    ('Not in the analysis set, as day 1 is the first dose: 1 randomised patient never dosed.',)
    """
    who = {key: "1 randomised patient" if n == 1 else f"{n} randomised patients" for key, n in left_out.items() if n}
    return tuple(f"Not in the analysis set, as day 1 is the first dose: {who[key]} {LEFT_OUT[key]}." for key in who)


def _flow(
    patients: pd.DataFrame, definitions: Definitions, screened: Mapping[str, int | None], left_out: Mapping[str, int]
) -> dict:
    left, of = patients[~patients["event_group"].eq(NO_EVENT)], patients["status"].value_counts()
    names = dict.fromkeys(definitions.competing.values(), 0)
    for term, name in definitions.competing.items():
        names[name] += int(left["reason"].eq(term).sum())
    flow = {**screened, "randomised": len(patients) + sum(left_out.values())} | {k: n for k, n in left_out.items() if n}
    flow |= {"discontinued_by_horizon": len(left), "primary": int(of.get("primary", 0)), **names}
    flow |= {"censored": int(of.get("censored", 0)), "in_study_at_horizon": int(of.get("none", 0))}
    return flow | {"ongoing": int(patients["reason_group"].eq(CENSORED).sum())}


def _check(patients: pd.DataFrame, label: str) -> None:
    if patients.empty:
        raise CdiscError(f"{label}: no randomised patient who was in the trial on day 1")
    if twice := int(patients["id"].duplicated().sum()):
        raise CdiscError(f"{label}: {twice} patients occur more than once")
    needed = {"arm": "arm", "event_day": "event day: neither a disposition nor any other dated record"}
    for column, what in needed.items():
        if lost := int(patients[column].isna().sum()):
            raise CdiscError(f"{label}: {lost} randomised patients have no {what}")


def left_on(exits: pd.DataFrame, definitions: Definitions, what: str) -> pd.Series:
    """Day on which each patient left the study, or stopped treatment, by the horizon; missing for all others."""
    day, reason = exits[f"{what}_day"], exits[f"{what}_reason"]
    return day.where(day.le(definitions.last_day) & ~definitions.group_of(reason).isin([COMPLETED, CENSORED]))


def _both(patients: pd.DataFrame, definitions: Definitions, recorded: Sequence[str]) -> dict[str, int]:
    """Off treatment and off study by the horizon, and how many of the former were retained in the study."""
    if len(recorded) < len(ESTIMANDS):
        return {}
    study, treatment = (left_on(patients, definitions, name).notna() for name in ESTIMANDS)
    both = {"off_treatment": treatment, "off_study": study, "retained_off_treatment": treatment & ~study}
    return {name: int(who.sum()) for name, who in both.items()}


def _complete(patients: pd.DataFrame) -> pd.DataFrame:
    """Patients with all columns of `EXIT_COLUMNS`; a source of one exit gives event_day and reason."""
    if "event_day" in patients:
        own = {"study_day": patients["event_day"].where(patients["reason"].notna()), "study_reason": patients["reason"]}
        patients = patients.assign(**own, last_day=patients["event_day"])
    empty = {"start": pd.NaT, "treatment_reason": pd.NA, "study_reason": pd.NA}
    return patients.assign(**{name: empty.get(name, np.nan) for name in EXIT_COLUMNS[1:] if name not in patients})


def _tidy(events: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    events = events[events["id"].astype("category").isin(ids) & events["day"].notna()]
    events = events.reindex(columns=list(EVENT_COLUMNS))
    return events.sort_values(["id", "kind", "day", "name", "value", "detail"], kind="stable").reset_index(drop=True)


def assemble(
    label: str,
    source: str,
    definitions: Definitions,
    patients: pd.DataFrame,
    events: pd.DataFrame,
    screened: Mapping[str, int | None],
    schedule: tuple[int, ...] = (),
    notes: tuple[str, ...] = (),
    dosed: pd.Series | None = None,
    estimands: tuple[str, ...] = ESTIMANDS[:1],
    **more: Any,
) -> Trial:
    """Put a trial together from patients and records; shared by all sources, which messages call `label`.

    Patients have id, arm, site, baseline columns, and of `EXIT_COLUMNS` what is known, or event_day and reason for the
    one exit that is recorded; they may have a site_group. Events have `EVENT_COLUMNS`; `screened` holds ``screened``
    and ``screen_failures``; `dosed` tells who was (default: all), `estimands` which exits are recorded. Horizon,
    landmarks and arms may be open. Refused are no patient, one twice, and a missing arm or last day.
    """
    patients = _complete(patients).reset_index(drop=True)
    dosed = pd.Series(True, index=patients.index) if dosed is None else dosed.reset_index(drop=True)
    undated = events["day"].isna() & events["kind"].ne("end of exposure")  # who is still dosed has no end
    notes = (*notes, *counted({"records without a day are left out.": undated.sum()}))
    if definitions.data_cut is not None:
        screened = dict.fromkeys(screened)  # nobody dates a screening failure
        patients, events, here = _before_the_cut(patients, events, definitions.data_cut)
        dosed = dosed[here].reset_index(drop=True)
        notes = (*notes, *counted({"patients started after the data cut and are left out.": (~here).sum()}))
    patients, estimand = _exits(patients, definitions.estimand, estimands)
    patients, left_out = analysed(patients, dosed)
    _check(patients, label)
    patients = patients.sort_values("id").reset_index(drop=True)
    patients = patients.assign(reason_group=definitions.group_of(patients["reason"]))
    if "site_group" not in patients:
        patients["site_group"] = pool_sites(patients["site"], patients["arm"], definitions)
    definitions = dataclasses.replace(resolve(definitions, patients), estimand=estimand)
    baseline = tuple(c for c in patients if c not in PATIENT_COLUMNS + EXIT_COLUMNS and patients[c].notna().any())
    patients, notes = _outcome(patients, definitions), (*left_out_notes(left_out), *notes)
    flow = _flow(patients, definitions, screened, left_out) | _both(patients, definitions, estimands)
    table = patients[[*PATIENT_COLUMNS[:4], *baseline, *PATIENT_COLUMNS[4:], "time", "event_group", "status"]]
    own = definitions.name, source, definitions, table, _tidy(events, patients["id"]), flow, baseline, schedule, notes
    return Trial(*own, patients[list(EXIT_COLUMNS)], estimands, **more)
