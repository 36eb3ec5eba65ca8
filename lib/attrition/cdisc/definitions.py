"""What a trial's terms mean: horizon, reasons, competing events. Only `PILOT` knows the names of the pilot."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

COMPETING = "competing"
NO_EVENT = "none"
COMPLETED = "completed"
CENSORED = "ongoing"
EARLY_SHARE = 0.025
FEWEST_COMPLETERS = 10
"""With fewer completers than this, one of them is more than the share that may complete early."""


def _frozen(**terms: str) -> Mapping[str, str]:
    return MappingProxyType({key.replace("_", " "): value for key, value in terms.items()})


STANDARD_REASONS = _frozen(
    ADVERSE_EVENT="adverse event",
    WITHDRAWAL_BY_SUBJECT="withdrawal by subject",
    WITHDRAWAL_OF_CONSENT="withdrawal by subject",
    CONSENT_WITHDRAWN="withdrawal by subject",
    WITHDRAWAL_BY_PARENT_OR_GUARDIAN="withdrawal by subject",
)
STANDARD_COMPETING = _frozen(DEATH="deaths", STUDY_TERMINATED_BY_SPONSOR="sponsor")


@dataclass(frozen=True)
class Definitions:
    """The choices that turn a trial's records into patients, events and outcomes.

    Attributes
    ----------
    name, title : str
        Short name for files, and a readable one.
    horizon : int or None
        Last study day on which a discontinuation counts; None: see `resolve`.
    landmarks : tuple of int
        Study days at which a prediction is made; empty: one sixth, one third and one half of the horizon.
    arms : tuple of str
        Order of the arms, the reference first; empty: see `ordered_arms`.
    reference : str
        Reference arm, where `arms` is empty; empty: see `ordered_arms`.
    completed : frozenset of str
        Disposition terms that are no discontinuation.
    competing : mapping of str to str
        Disposition term of a competing event to its name in the participant flow.
    reasons : mapping of str to str
        Disposition term to reason group; any other term of a discontinuation belongs to `other`.
    not_randomised : frozenset of str
        Planned arm (name or code, upper case) of those who were never randomised.
    smallest_site_arm : int
        A site with an arm of fewer patients than this is pooled.
    pooled_site : str
        Name of the pooled sites.
    questionnaires : mapping of str to str
        Test code of a questionnaire's total to a feature name.
    questionnaire_sums : mapping of str to str
        Prefix of item codes to the feature name of their sum (where no total is recorded).
    vital_signs : tuple of str
        Test codes that are followed.
    characteristics : mapping of str to str
        Subject characteristic code to the name of a baseline column.
    diagnosis_category : str
        Medical-history category whose start date gives the disease duration at screening.
    last_visit_number : float
        Visits numbered above it come after the study part and are not read.
    milestones : frozenset of str
        Disposition terms that are protocol milestones.
    """

    name: str = "trial"
    title: str = "A clinical trial"
    horizon: int | None = None
    landmarks: tuple[int, ...] = ()
    arms: tuple[str, ...] = ()
    reference: str = ""
    completed: frozenset[str] = frozenset({"COMPLETED"})
    competing: Mapping[str, str] = field(default_factory=lambda: STANDARD_COMPETING)
    reasons: Mapping[str, str] = field(default_factory=lambda: STANDARD_REASONS)
    other: str = "other"
    not_randomised: frozenset[str] = frozenset({"SCRNFAIL", "SCREEN FAILURE", "NOTASSGN", "NOT ASSIGNED"})
    smallest_site_arm: int = 3
    pooled_site: str = "pooled"
    questionnaires: Mapping[str, str] = field(default_factory=dict)
    questionnaire_sums: Mapping[str, str] = field(default_factory=dict)
    vital_signs: tuple[str, ...] = ("SYSBP", "DIABP", "PULSE", "WEIGHT", "HEIGHT", "TEMP")
    characteristics: Mapping[str, str] = field(default_factory=lambda: {"EDULEVEL": "education_years"})
    diagnosis_category: str = "PRIMARY DIAGNOSIS"
    last_visit_number: float = float("inf")
    milestones: frozenset[str] = frozenset(
        {"INFORMED CONSENT OBTAINED", "RANDOMIZED", "RANDOMISED", "ELIGIBILITY CRITERIA MET", "ENROLLED"}
    )

    @property
    def last_day(self) -> int:
        """The horizon, once it is known.

        Raises
        ------
        ValueError
            When it is still left to the data; see `resolve`.
        """
        if self.horizon is None:
            raise ValueError("these definitions leave the horizon to the data; see attrition.cdisc.definitions.resolve")
        return self.horizon

    @property
    def groups(self) -> tuple[str, ...]:
        """Reason groups in order, the competing one last."""
        return (*dict.fromkeys([*self.reasons.values(), self.other]), COMPETING)

    def group_of(self, reason: pd.Series) -> pd.Series:
        """Reason group of disposition terms.

        Parameters
        ----------
        reason : pandas.Series of str
            Disposition terms; missing means that no disposition is recorded yet.

        Returns
        -------
        pandas.Series of str
            A reason group, ``"competing"``, ``"completed"`` or ``"ongoing"``.

        Examples
        --------
        >>> PILOT.group_of(pd.Series(["DEATH", "LACK OF EFFICACY", "COMPLETED"])).tolist()
        ['competing', 'other', 'completed']
        """
        known = dict.fromkeys(self.completed, COMPLETED) | dict.fromkeys(self.competing, COMPETING)
        known |= {term: group for term, group in self.reasons.items() if term not in known}
        return reason.map(known).where(reason.isna() | reason.isin(known), self.other).fillna(CENSORED)


PILOT = Definitions(
    name="pilot",
    title="CDISC pilot trial (xanomeline in Alzheimer's disease)",
    horizon=168,
    landmarks=(28, 56, 84),
    arms=("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"),
    pooled_site="900",
    last_visit_number=100.0,
    questionnaires={"ACTOT": "adas_cog", "NPTOT": "npi", "CIBIC": "cibic", "CIBICVAL": "cibic"},
    questionnaire_sums={"MMITM": "mmse"},
)
KNOWN = {"CDISCPILOT01": PILOT}


CONTROLS = ("placebo", "control", "sham", "standard of care", "usual care", "standard care")
"""Parts of the name of an arm that serves as reference, in order of preference."""


def ordered_arms(arm: pd.Series, reference: str = "") -> tuple[str, ...]:
    """Arms with the reference first: the declared one, else one called like a control, else the largest.

    Parameters
    ----------
    arm : pandas.Series of str
        Arm of every patient.
    reference : str
        Declared reference arm; ignored when nobody is in it.

    Examples
    --------
    >>> ordered_arms(pd.Series(["10 mg", "20 mg", "placebo"]))
    ('placebo', '10 mg', '20 mg')
    >>> ordered_arms(pd.Series(["B", "NA", "B"]))
    ('B', 'NA')
    """
    sizes = arm.value_counts()
    names = sorted(sizes.index)
    called = [name for part in CONTROLS for name in names if part in name.lower()]
    largest = sorted(names, key=lambda name: -sizes[name])
    first = reference if reference in names else [*called, *largest][0]
    return (first, *(name for name in names if name != first))


def resolve(definitions: Definitions, patients: pd.DataFrame) -> Definitions:
    """Fill in what the definitions leave to the data: arms, horizon, landmarks.

    The horizon is the last whole week by which fewer than 2.5 % of the completers had completed, so that completion
    is no way out before it; with fewer than ten completers it is the last recorded day.

    Parameters
    ----------
    definitions : Definitions
    patients : pandas.DataFrame
        Columns arm, event_day, reason_group.

    Returns
    -------
    Definitions
        With a horizon, landmarks and arms.
    """
    arms = definitions.arms or ordered_arms(patients["arm"], definitions.reference)
    horizon = definitions.horizon or _horizon(patients)
    landmarks = definitions.landmarks or tuple(round(horizon * part) for part in (1 / 6, 1 / 3, 1 / 2))
    return dataclasses.replace(definitions, arms=arms, horizon=horizon, landmarks=landmarks)


def completion_begins(patients: pd.DataFrame) -> int | None:
    """First day by which completing is no rare thing: before it, fewer than 2.5 % of the completers had completed.

    Parameters
    ----------
    patients : pandas.DataFrame
        Columns event_day, reason_group.

    Returns
    -------
    int or None
        None with fewer than ten completers.

    Examples
    --------
    >>> completion_begins(pd.DataFrame({"event_day": [100, *[170] * 99], "reason_group": "completed"}))
    170
    """
    completed = patients.loc[patients["reason_group"].eq(COMPLETED), "event_day"]
    few = len(completed) < FEWEST_COMPLETERS
    return None if few else int(np.quantile(completed, EARLY_SHARE, method="lower"))


def _horizon(patients: pd.DataFrame) -> int:
    begins = completion_begins(patients)
    return int(patients["event_day"].max()) if begins is None else (begins - 1) // 7 * 7
