"""Figures of landmark prediction on a real trial: discrimination, calibration, decisions, site groups, leaks."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from attrition.metrics.calibration import CalibrationCurve
from attrition.plots.forest import height
from attrition.plots.style import CYCLE, DASHES, MARKERS, colour
from attrition.text import unless_missing

HUES = {"all": "blue", "arm_only": "ochre", "xgb": "vermilion", "lgbm": "green"}


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    return plt.subplots(figsize=size)[1] if ax is None else ax


def _nothing(ax: Axes, why: str) -> Axes:
    ax.text(0.5, 0.5, why, ha="center", va="center", transform=ax.transAxes, color=colour("muted"))
    ax.set_axis_off()
    return ax


def _places(ax: Axes, labels: list[str]) -> dict[str, float]:
    places = {label: -float(k) for k, label in enumerate(labels)}
    ax.set_yticks(list(places.values()), list(places))
    ax.set_ylim(-len(labels) + 0.4, 0.6)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    return places


def _below(ax: Axes, columns: int) -> None:
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns)


@unless_missing
def aurocs(table: pd.DataFrame, suspicious: float, ax: Axes | None = None) -> Axes:
    """AUROC of every model, one colour and marker a landmark.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.landmark.machine.aurocs`: label, landmark, value, ci_low, ci_high.
    suspicious : float
        AUROC from which an honest result must first be shown to be no leak.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    labels, days = list(dict.fromkeys(table["label"])), sorted(table["landmark"].unique())
    ax = _axes(ax, (5.5, height(len(labels), max(2, len(days)))))
    places = _places(ax, labels)
    ax.axvline(0.5, color=colour("chance"), linestyle=":", label="chance")
    ax.axvline(suspicious, color=colour("red"), linestyle="--", linewidth=1, label="suspicious from here")
    for k, day in enumerate(days):
        lift = 0.24 * ((len(days) - 1) / 2 - k)
        for position, row in enumerate(table[table["landmark"] == day].itertuples()):
            y, hue = places[row.label] + lift, colour(CYCLE[k % len(CYCLE)])
            ax.plot([row.ci_low, row.ci_high], [y, y], color=hue, linewidth=2)
            word = f"day {day}" if position == 0 else None
            ax.plot(row.value, y, MARKERS[k % len(MARKERS)], color=hue, markersize=5.5, label=word)
    ax.set_xlabel("AUROC")
    _below(ax, 3)
    return ax


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
    table = table.sort_values("difference", ascending=False, kind="stable")
    # a leak that this trial's data cannot show still has its place
    labels = list(dict.fromkeys([*table["label"], *([] if simulated is None else simulated["label"])]))
    ax = _axes(ax, (5.5, height(len(labels), 2)))
    places = _places(ax, labels)
    ax.axvline(0.5, color=colour("chance"), linestyle=":")
    both = [(table, 0.14, True)] if simulated is None else [(table, 0.14, True), (simulated, -0.16, False)]
    for rows, lift, real in both:
        where = "this trial" if real else "simulated trials"
        for position, row in enumerate(rows.itertuples()):
            y = places[row.label] + lift
            ax.plot([row.honest, row.leaky], [y, y], color=colour("muted"), linewidth=2 if real else 1)
            for side, marker in (("honest", "o"), ("leaky", "D")):
                face = colour(side) if real else colour("paper")
                word = f"{side}, {where}" if position == 0 else None
                ax.plot(
                    getattr(row, side), y, marker, color=colour(side), markerfacecolor=face, markersize=5, label=word
                )
    ax.set(xlabel="AUROC", xlim=(0.4, 1.02))
    _below(ax, 2)
    return ax


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
    ax = _axes(ax, (5.5, 3.8))
    ax.plot([0, 1], [0, 1], color=colour("muted"), linewidth=0.8, label="perfect")
    for k, (name, curve) in enumerate(curves.items()):
        hue = colour(HUES.get(name, CYCLE[k]))
        ax.plot(curve.predicted, curve.observed, color=hue, linestyle=DASHES[k], label=labels.get(name, name))
        if k == 0:
            ax.fill_between(curve.predicted, curve.ci_low, curve.ci_high, color=hue, alpha=0.15, linewidth=0)
    ax.set(xlabel="predicted risk", ylabel="observed share who leave", xlim=(0, 1), ylim=(0, 1))
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
        From `attrition.landmark.machine.decisions`.
    labels : mapping of str to str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, (5.5, 3.6))
    thresholds = curve["threshold"].unique()
    everybody = (curve["net_benefit"] - curve["over_all"]).to_numpy()[: len(thresholds)]
    ax.axhline(0, color=colour("muted"), linewidth=0.8, label="contact nobody")
    ax.plot(thresholds, 100 * everybody, color=colour("ink"), linestyle=":", label="contact everybody")
    for k, (name, part) in enumerate(curve.groupby("model", sort=False)):
        hue = colour(HUES.get(name, CYCLE[k]))
        ax.plot(
            part["threshold"], 100 * part["net_benefit"], color=hue, linestyle=DASHES[k], label=labels.get(name, name)
        )
        low, high = 100 * part["ci_low"], 100 * part["ci_high"]
        ax.fill_between(part["threshold"], low, high, color=hue, alpha=0.13, linewidth=0)
    top = 100 * max(curve["net_benefit"].max(), everybody.max())
    ax.set(xlabel="threshold: risk from which a patient is contacted", ylabel="net leavers found per 100")
    ax.set(ylim=(-0.25 * top, 1.1 * top), xlim=(thresholds.min(), thresholds.max()))
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
    ax = _axes(ax, (5.5, height(len(groups) + 1)))
    if groups["ci_low"].isna().all():
        return _nothing(ax, "no site group has two events and two non-events")
    labels = [f"{row.site_group} ({row.n_events} of {row.n_patients})" for row in groups.itertuples()]
    places = _places(ax, labels)
    ax.axvline(0.5, color=colour("chance"), linestyle=":", label="chance")
    pooled = table.loc[table["site_group"] == "all", "auroc"].iloc[0]
    ax.axvline(pooled, color=colour("blue"), linestyle="--", linewidth=1, label="all pairs within site groups")
    for label, row in zip(labels, groups.itertuples(), strict=True):
        judged = np.isfinite(row.ci_low)
        if judged:
            ax.plot([row.ci_low, row.ci_high], [places[label]] * 2, color=colour("blue"), linewidth=2)
        face = colour("blue" if judged else "paper")
        size = 3 + row.n_patients**0.5
        ax.plot(row.auroc, places[label], "o", color=colour("blue"), markerfacecolor=face, markersize=size)
    ax.set(xlabel="AUROC", ylabel="site group (events of patients)", xlim=(-0.02, 1.04))
    _below(ax, 2)
    return ax


def reported(table: pd.DataFrame, ax: Axes | None = None) -> Axes | None:
    """Share of adverse events reported by days after their onset; None where no delay is known.

    Parameters
    ----------
    table : pandas.DataFrame
        From `attrition.landmark.machine.known_share`.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    if table["reported"].isna().all():
        return None
    ax = _axes(ax, (5.5, 2.6))
    ax.step(table["days_after_onset"], 100 * table["reported"], where="post", color=colour("adverse event"))
    ax.set(xlabel="days after onset", ylabel="% of adverse events reported", ylim=(0, 100))
    ax.set_xlim(left=0)
    return ax
