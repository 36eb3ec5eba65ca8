"""Figures of landmark prediction on a real trial: discrimination, calibration, decisions, site groups, leaks."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from attrition.metrics.calibration import CalibrationCurve
from attrition.plots.decision import benefit_lines
from attrition.plots.rows import Mark, rows
from attrition.plots.style import (
    CYCLE,
    DASHES,
    MARKERS,
    axes,
    colour,
    from_0_to_1,
    legend_below,
    line_and_band,
    nothing,
)
from notebook_report.text import unless_missing

HUES = {"all": "blue", "arm_only": "ochre", "xgb": "vermilion", "lgbm": "green"}


@unless_missing
def aurocs(table: pd.DataFrame, suspicious: float, ax: Axes | None = None) -> Axes:
    """AUROC of every model, one colour and marker a landmark.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.landmark.evaluation.aurocs`: label, landmark, value, ci_low, ci_high.
    suspicious : float
        AUROC from which an honest result must first be shown to be no leak.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    days = sorted(table["landmark"].unique())
    marks = {day: Mark(f"day {day}", CYCLE[k % 8], MARKERS[k % 8]) for k, day in enumerate(days)}
    ax = rows(table.assign(group=table["landmark"]), marks, ax, gap=0.24)
    ax.axvline(0.5, color=colour("chance"), linestyle=":", label="chance")
    ax.axvline(suspicious, color=colour("red"), linestyle="--", linewidth=1, label="suspicious from here")
    ax.set_xlabel("AUROC")
    return legend_below(ax, 3)


@unless_missing
def aurocs_table(table: pd.DataFrame) -> pd.DataFrame:
    """The numbers behind `aurocs`."""
    return table[["label", "landmark", "value", "ci_low", "ci_high", "n_patients", "n_events"]]


def prices(table: pd.DataFrame, simulated: pd.DataFrame | None = None, ax: Axes | None = None) -> Axes:
    """Honest and leaky AUROC of every leak, joined by a line; simulated trials as hollow marks below.

    Parameters
    ----------
    table, simulated : pandas.DataFrame
        leak, label, honest, leaky.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    real = table.sort_values("difference", ascending=False, kind="stable").assign(lift=-0.14)
    both = [(real, "this trial", 2)]
    if simulated is not None:
        both.append((simulated.assign(lift=0.16), "simulated trials", 1))
    # a leak that this trial's data cannot show still has its place
    labels = list(dict.fromkeys(label for part, *_ in both for label in part["label"]))
    ax = axes(ax, 0.9 + 0.46 * len(labels))
    for part, where, width in both:
        for side, marker in (("honest", "o"), ("leaky", "D")):
            mark = Mark(f"{side}, {where}", side, marker, 5, None if width == 2 else "paper")
            drawn, ends = part.assign(value=part[side]), ("honest", "leaky")
            rows(drawn, {"": mark}, ax, labels=labels, ends=ends, line=width, bars="muted")
    ax.axvline(0.5, color=colour("chance"), linestyle=":")
    ax.set(xlabel="AUROC", xlim=(0.4, 1.02))
    return legend_below(ax)


@unless_missing
def calibration(curves: Mapping[str, CalibrationCurve], labels: Mapping[str, str], ax: Axes | None = None) -> Axes:
    """Calibration curves with the band of the first one.

    Parameters
    ----------
    curves : mapping of str to attrition.metrics.calibration.CalibrationCurve
    labels : mapping of str to str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = from_0_to_1(axes(ax, 3.8), "predicted risk", "observed share who leave", label="perfect")
    for k, (name, curve) in enumerate(curves.items()):
        look: dict[str, Any] = {
            "color": colour(HUES.get(name, CYCLE[k])),
            "linestyle": DASHES[k],
            "label": labels.get(name, name),
        }
        line_and_band(ax, curve.predicted, curve.observed, None if k else (curve.ci_low, curve.ci_high), **look)
    ax.legend(loc="upper left")
    return ax


@unless_missing
def calibration_table(curves: Mapping[str, CalibrationCurve]) -> pd.DataFrame:
    """The numbers behind `calibration`: model, predicted, observed, ci_low, ci_high."""
    frames = [pd.DataFrame(curve._asdict()).assign(model=name) for name, curve in curves.items()]
    return pd.concat(frames, ignore_index=True)[["model", "predicted", "observed", "ci_low", "ci_high"]]


@unless_missing
def net_benefit(curve: pd.DataFrame, labels: Mapping[str, str], ax: Axes | None = None) -> Axes:
    """Decision curves in net leavers found per 100 patients.

    Parameters
    ----------
    curve : pandas.DataFrame
        From `attrition.landmark.evaluation.decisions`.
    labels : mapping of str to str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    names, n_thresholds = curve["model"].unique(), curve["threshold"].nunique()
    everybody = (curve["net_benefit"] - curve["over_all"]).to_numpy()[:n_thresholds]
    looks = {name: {"color": colour(HUES.get(name, CYCLE[k])), "linestyle": DASHES[k]} for k, name in enumerate(names)}
    ax = benefit_lines(axes(ax, 3.6), curve, everybody, looks, labels, names)
    top = 100 * max(curve["net_benefit"].max(), everybody.max())
    ax.set(xlabel="threshold: risk from which a patient is contacted", ylim=(-0.25 * top, 1.1 * top))
    ax.legend(loc="upper right")
    return ax


@unless_missing
def sites(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """AUROC in each site group, predicted by a model trained on the others.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.landmark.prediction.leave_one_site_group_out`, one landmark.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    groups = table[table["site_group"] != "all"].sort_values("n_patients", ascending=False, kind="stable")
    if groups["ci_low"].isna().all():
        return nothing(axes(ax), "no site group has two events and two non-events")
    named = [f"{row.site_group} ({row.n_events} of {row.n_patients})" for row in groups.itertuples()]
    sizes = zip(named, 3 + groups["n_patients"] ** 0.5, groups["ci_low"].isna(), strict=True)
    marks = {name: Mark(size=size, face="paper" if few else None) for name, size, few in sizes}
    drawn = groups.assign(label=named, group=named, value=groups["auroc"])
    ax = rows(drawn, marks, ax, gap=0, height=0.9 + 0.36 * (len(groups) + 1))
    ax.axvline(0.5, color=colour("chance"), linestyle=":", label="chance")
    pooled = table.loc[table["site_group"] == "all", "auroc"].iloc[0]
    ax.axvline(pooled, color=colour("blue"), linestyle="--", linewidth=1, label="all pairs within site groups")
    ax.set(xlabel="AUROC", ylabel="site group (events of patients)", xlim=(-0.02, 1.04))
    return legend_below(ax)


def reported(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Share of adverse events reported by days after their onset, from `attrition.landmark.cohort.known_share`."""
    ax = axes(ax, 2.6)
    ax.step(table["days_after_onset"], 100 * table["reported"], where="post", color=colour("adverse event"))
    ax.set(xlabel="days after onset", ylabel="% of adverse events reported", ylim=(0, 100))
    ax.set_xlim(left=0)
    return ax
