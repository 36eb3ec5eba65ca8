"""CDISC data (SDTM or ADaM) to a trial: patients, dated events, participant flow.

    from attrition import cdisc
    trial = cdisc.load("pilot")            # or a folder of SDTM or ADaM files

Everything after this package works on a `Trial` and its `Definitions`; only ``terms.yaml`` knows the names of the
pilot.
"""

from dataclasses import replace
from pathlib import Path

from attrition.cdisc.readers import load_adam, load_sdtm
from attrition.cdisc.sources import CdiscError, Source, kind, open_source
from attrition.cdisc.trial import KNOWN, Definitions, Trial


def usual(source: Source, study: str = "") -> Definitions:
    """Definitions of the study that a source is of, where it is known by its STUDYID; else CDISC's terms."""
    studies = [study] if study else source.read(source.of_subjects, ["STUDYID"])["STUDYID"].dropna().unique()
    known = [KNOWN[name] for name in studies if name in KNOWN]
    return known[0] if len(studies) == 1 and known else Definitions(name=source.label)


def load(trial: str | Path = "pilot", definitions: Definitions | None = None) -> Trial:
    """Load a trial from the package of the pilot or from a folder of CDISC files.

    Parameters
    ----------
    trial : str or pathlib.Path
        ``"pilot"`` (SDTM), ``"pilot-adam"``, or a folder with SDTM domains (DM and DS at least) or ADaM data sets (ADSL
        at least), or a zip archive of one. With both kinds SDTM is read.
    definitions : Definitions, optional
        Default: those of the study named by STUDYID where it is known, else the CDISC terms with a horizon from
        the data.

    Examples
    --------
    >>> trial = load("pilot")
    >>> trial.flow["randomised"], trial.horizon
    (254, 168)
    """
    source = open_source(trial)
    return read(source, definitions or usual(source))


def read(source: Source, definitions: Definitions) -> Trial:
    """`load` for a source that is open; what it notes and keeps account of goes into the trial."""
    trial = (load_sdtm if kind(source) == "sdtm" else load_adam)(source, definitions)
    return replace(trial, notes=(*trial.notes, *source.notes), account=tuple(source.account))
