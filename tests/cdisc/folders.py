"""Small folders of SDTM and ADaM, made of what became of each patient."""

import pandas as pd

START = pd.Timestamp(2020, 1, 1)
COMPLETED, LEFT = "COMPLETED", "WITHDRAWAL BY SUBJECT"


def date(day):
    """ISO date of a study day; day 1 is the first dose."""
    return None if day is None else f"{START + pd.Timedelta(days=day - 1 if day > 0 else day):%Y-%m-%d}"


def ids(n):
    """Identifiers of n patients."""
    return [f"P-{i:02d}" for i in range(1, n + 1)]


def record(patient, term, day, subcategory=None, epoch=None, category="DISPOSITION EVENT"):
    """A row of DS."""
    return {
        "USUBJID": patient, "DSCAT": category, "DSSCAT": subcategory, "EPOCH": epoch, "DSDECOD": term,
        "DSSTDTC": date(day),
    }  # fmt: skip


def everybody(n, term=COMPLETED, day=180, **cell):
    """The same disposition for n patients."""
    return [record(patient, term, day, **cell) for patient in ids(n)]


def sdtm(folder, disposition, n=12, visits=(1, 30, 60), others=None, **demographics):
    """DM, DS, SV and other domains in a folder."""
    dm = {
        "STUDYID": "T1", "USUBJID": ids(n), "SITEID": "01", "ARM": ["A", "B"] * (n // 2), "RFSTDTC": date(1), "AGE": 50,
    } | demographics  # fmt: skip
    sv = [
        {"USUBJID": p, "VISITNUM": k, "VISIT": f"V{k}", "SVSTDTC": date(d)}
        for p in ids(n)
        for k, d in enumerate(visits)
    ]
    domains = {"dm": pd.DataFrame(dm), "ds": pd.DataFrame(disposition), "sv": pd.DataFrame(sv)} | (others or {})
    for name, frame in domains.items():
        pd.DataFrame(frame).to_csv(folder / f"{name}.csv", index=False)
    return folder


def adam(folder, n=12, **columns):
    """ADSL in a folder."""
    adsl = {"STUDYID": "T1", "USUBJID": ids(n), "SITEID": "01", "TRT01P": ["A", "B"] * (n // 2), "TRTSDT": date(1)}
    pd.DataFrame(adsl | columns).to_csv(folder / "adsl.csv", index=False)
    return folder
