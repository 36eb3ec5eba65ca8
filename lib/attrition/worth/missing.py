"""A final outcome that leavers lack: what multiple imputation makes of it, at random and less kindly.

Values are imputed visit by visit from arm, baseline and earlier visits by Bayesian linear regression; *jump to
reference* lets whoever left go on like the reference arm, and a shift makes the imputed values of the last arm worse.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from attrition import seeds
from attrition.cdisc.trial import Trial
from attrition.worth.model import EVIDENCE, Array

ENDPOINT, WINDOW = EVIDENCE["endpoint"], 28
"""Name of the outcome and the days planned for it after the baseline; how far off a value may lie."""
VISITS = tuple(ENDPOINT["visits"])
SHIFTS = np.arange(0.0, 15.01, 0.5)


def outcomes(trial: Trial, name: str = ENDPOINT["name"]) -> pd.DataFrame | None:
    """Baseline and the value nearest to each visit, a row a patient; None where the trial has no such outcome.

    Columns: arm, baseline, the days of the visits, and ``after_DAY``, whether that value was taken after leaving.
    Patients without a baseline are left out.
    """
    records = trial.events[trial.events["name"].eq(name) & trial.events["value"].notna()]
    if records.empty:
        return None
    patients = trial.patients.set_index("id")
    table = pd.DataFrame({"arm": patients["arm"]})
    table["baseline"] = records[records["day"] <= 1].sort_values("day").groupby("id")["value"].last()
    for visit in VISITS:
        near = records.assign(off=(records["day"] - visit).abs()).query("off < @WINDOW and day > 1")
        own = near.sort_values("off", kind="stable").groupby("id").first()
        table[visit] = own["value"]
        table[f"after_{visit}"] = own["day"].reindex(table.index) > patients["event_day"]
    return table.dropna(subset=["baseline"])


def correlation(table: pd.DataFrame) -> float:
    """Correlation of the changes from baseline at the first and at the last visit, among those measured at both."""
    first, last = (table[day] - table["baseline"] for day in (VISITS[0], VISITS[-1]))
    return float(first.corr(last))


def _least_squares(X: Array, y: Array) -> tuple[Array, Array, float, int]:
    """Coefficients, the inverse of X'X, sum of squared residuals, degrees of freedom."""
    inverse = np.linalg.inv(X.T @ X)
    beta = inverse @ X.T @ y
    return beta, inverse, float(((y - X @ beta) ** 2).sum()), len(y) - X.shape[1]


def _regression(X: Array, y: Array, rng: np.random.Generator) -> tuple[Array, float]:
    """A draw of coefficients and residual sd from their posterior under the usual flat prior."""
    beta, inverse, squares, df = _least_squares(X, y)
    sd = float(np.sqrt(squares / rng.chisquare(df)))
    return beta + sd * np.linalg.cholesky(inverse) @ rng.standard_normal(X.shape[1]), sd


def imputed(table: pd.DataFrame, arms: Sequence[str], rng: np.random.Generator, jump: bool = False) -> Array:
    """One imputation of the visits, (n_patients, n_visits).

    With `jump` the mean of whoever has no further value is that of the reference arm from then on; residuals so far,
    against the own arm, are carried on.
    """
    dummies = np.stack([table["arm"].eq(arm).to_numpy(float) for arm in arms[1:]], axis=1)
    base = np.column_stack([np.ones(len(table)), table["baseline"], dummies])
    reference = base * np.r_[1.0, 1.0, np.zeros(len(arms) - 1)]
    values, own_mean, used_mean, ref_mean = (np.empty((len(table), 0)) for _ in range(4))
    for visit in VISITS:
        y = table[visit].to_numpy(float)
        seen, n_base = np.isfinite(y), base.shape[1]
        beta, sd = _regression(np.hstack([base, values])[seen], y[seen], rng)
        own = base @ beta[:n_base] + own_mean @ beta[n_base:]
        ref = reference @ beta[:n_base] + ref_mean @ beta[n_base:]
        target = ref if jump else own
        drawn = target + (values - used_mean) @ beta[n_base:] + sd * rng.standard_normal(len(y))
        values = np.column_stack([values, np.where(seen, y, drawn)])
        own_mean, ref_mean = np.column_stack([own_mean, own]), np.column_stack([ref_mean, ref])
        used_mean = np.column_stack([used_mean, np.where(seen, own, target)])
    return values


def difference(table: pd.DataFrame, final: Array, arms: Sequence[str]) -> tuple[float, float, int]:
    """Last arm less first in the final value, adjusted for baseline: estimate, standard error, degrees of freedom."""
    seen = np.isfinite(final)
    X = np.column_stack([np.ones(len(table)), table["baseline"], *(table["arm"].eq(arm) for arm in arms[1:])])
    beta, inverse, squares, df = _least_squares(X[seen].astype(float), final[seen])
    return float(beta[-1]), float(np.sqrt(squares / df * inverse[-1, -1])), df


def _with_interval(value: float, error: float, df: float) -> dict[str, float]:
    reach, p = float(stdtrit(df, 0.975)) * error, float(2 * stdtr(df, -abs(value / error)))
    return {"value": value, "ci_low": value - reach, "ci_high": value + reach, "se": error, "p": p}


def pooled(found: Sequence[tuple[float, float, int]]) -> dict[str, float]:
    """Rubin's rules, with the degrees of freedom of Barnard and Rubin.

    >>> round(pooled([(1.0, 0.5, 100), (2.0, 0.5, 100)])["value"], 2)
    1.5
    """
    values, errors, df = (np.array(part, dtype=float) for part in zip(*found, strict=True))
    m, within, between = len(values), float((errors**2).mean()), float(values.var(ddof=1))
    total = within + (1 + 1 / m) * between
    share = (1 + 1 / m) * between / total
    observed = (df[0] + 1) / (df[0] + 3) * df[0] * (1 - share)
    nu = observed if share < 1e-12 else 1 / (share**2 / (m - 1) + 1 / observed)
    return _with_interval(float(values.mean()), float(np.sqrt(total)), nu)


def analyses(trial: Trial, n: int, seed: int) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    """Difference of the last arm from the first at the last visit, by what is done about leavers; None without one.

    Beside the table: how many left and were retrieved, and the tipping point, the smallest shift at which the
    difference is significant in the direction of the first arm (None up to `SHIFTS`).
    """
    whole = outcomes(trial)
    if whole is None or len(trial.arms) < 2:
        return None
    last = VISITS[-1]
    on_trial = whole.copy()
    for visit in VISITS:
        on_trial[visit] = whole[visit].mask(whole[f"after_{visit}"])
    rows: dict[str, tuple[int, Mapping[str, float]]] = {}
    for name, table in {"completers": on_trial, "all measured, leavers among them": whole}.items():
        found = _with_interval(*difference(table, table[last].to_numpy(float), trial.arms))
        rows[name] = int(table[last].notna().sum()), found

    def imputing(name: str, table: pd.DataFrame, jump: bool = False) -> list[Array]:
        rng = seeds.stream(seed, "worth missing", name)
        return [imputed(table, trial.arms, rng, jump)[:, -1] for _ in range(n)]

    def judged(table: pd.DataFrame, drawn: Sequence[Array], shift: Array | float = 0.0) -> dict[str, float]:
        return pooled([difference(table, final + shift, trial.arms) for final in drawn])

    (measured, _), (all_measured, _) = rows.values()
    drawn = imputing("at random", on_trial)
    rows["missing at random"] = measured, judged(on_trial, drawn)
    rows["missing at random, leavers' values kept"] = all_measured, judged(whole, imputing("kept", whole))
    rows["jump to reference"] = measured, judged(on_trial, imputing("jump", on_trial, jump=True))
    worse = (on_trial[last].isna() & on_trial["arm"].eq(trial.arms[-1])).to_numpy(float)
    shifted = {shift: judged(on_trial, drawn, shift * worse) for shift in SHIFTS.tolist()}
    tipping = next((shift for shift, one in shifted.items() if one["p"] < 0.05 and one["value"] > 0), None)
    left = trial.patients.set_index("id")["status"].reindex(whole.index).isin(["primary", "competing"])
    facts: dict[str, Any] = {"n_left": int(left.sum()), "n_retrieved": int((left & whole[last].notna()).sum())}
    facts |= {"tipping": tipping, "rho": correlation(on_trial), "arms": [trial.arms[0], trial.arms[-1]]}
    facts["n_earlier"] = {arm: int((on_trial["arm"].eq(arm) & on_trial[VISITS[0]].notna()).sum()) for arm in trial.arms}
    facts["retrieved"] = sorted(whole.index[left & whole[last].notna()])
    table = pd.DataFrame([{"analysis": name, "n_measured": size, **one} for name, (size, one) in rows.items()])
    return table.drop(columns="se", errors="ignore"), facts
