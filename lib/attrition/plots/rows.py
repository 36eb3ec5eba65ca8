"""Labelled rows, each with marks and intervals: the one form of every forest and dot plot."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from attrition.models import FITTED, LABELS, MODELS
from attrition.plots import style
from attrition.plots.style import CYCLE, LIGHT, MARKERS, WIDTH, axes, cycle, legend_below, nothing, vertical
from notebook_report import text
from notebook_report.text import unless_missing


def colour(name: str) -> str:
    """Colour of a model where it is declared (`attrition.models.MODELS`); other names as in `style.colour`."""
    return style.colour(MODELS[name].hue if name in MODELS else name)


class Mark(NamedTuple):
    """How a group looks: words of its legend, colour (a name, or a hex string), marker, size in points, filling.

    Examples
    --------
    >>> Mark("published", "red", "x").style()["color"] == colour("red")
    True
    """

    label: str | None = None
    hue: str = "blue"
    marker: str = "o"
    size: float = 5.5
    face: str | None = None

    def style(self) -> dict[str, Any]:
        """What `Axes.plot` needs to draw it."""
        hue = self.hue if self.hue.startswith("#") else colour(self.hue)
        look = {"color": hue, "marker": self.marker, "markersize": self.size, "linestyle": "none"}
        face = LIGHT.get(self.face, self.face) if self.face else hue
        return look | {"markerfacecolor": face, "markeredgewidth": 1.8 if self.marker in "x|" else 1.0}


SETTING_LABELS = {"default": "law's own prevalence", "p24": "24 % drop out"}
SETTINGS = {
    name: Mark(text.percent(label), hue, marker, 6)
    for (name, label), hue, marker in zip(SETTING_LABELS.items(), ("blue", "ochre"), MARKERS, strict=False)
}


def of_models(models: Iterable[str], size: float = 5.5, names: Mapping[str, str] = LABELS) -> dict[str, Mark]:
    """Mark of each model, in the colour and with the marker that it has everywhere."""
    marker = dict(zip(FITTED, MARKERS, strict=False))
    return {name: Mark(names.get(name, name), colour(name), marker.get(name, "o"), size) for name in models}


def rows(
    table: pd.DataFrame,
    marks: Mapping[Any, Mark] | None = None,
    ax: Axes | None = None,
    *,
    label: str = "label",
    value: str = "value",
    by: str | None = None,
    labels: Sequence[str] | Mapping[Any, str] | None = None,
    ends: tuple[str, str] = ("ci_low", "ci_high"),
    gap: float = 0.22,
    line: float = 2.0,
    also: Mapping[str, Mark] | None = None,
    bars: str | None = None,
    height: float | None = None,
    xlabel: str = "",
) -> Axes:
    """Draw a tidy table of estimates, one labelled row a label from top to bottom, groups beside each other.

    Parameters
    ----------
    table : pandas.DataFrame
        Beside the columns named below optionally ``spread_low`` and ``spread_high`` (a thin line), and ``lift`` (how
        far below its row a mark stands, instead of by group).
    marks : mapping of group to Mark, optional
        The groups to draw, in order.
    ax : matplotlib Axes, optional
    label, value : str
        Columns of the rows and of the estimates.
    by : str, optional
        Column of the groups.
    labels : sequence or mapping of str, optional
        Rows from top to bottom, with their names if these are others; by default as they come in the table.
    ends : tuple of str
        Columns between which a line is drawn, where the table has them.
    gap : float
        Between two groups of a row, in rows.
    line : float
        Width of the line in points.
    also : mapping of str to Mark, optional
        Further columns to mark at the height of the estimate.
    bars : str, optional
        Colour of the lines, where it is not that of the marks.
    height : float, optional
        Inches, where no axes are given.
    xlabel : str

    Examples
    --------
    >>> found = pd.DataFrame({"arm": ["A", "B"], "risk": [0.2, 0.3], "ci_low": [0.1, 0.2], "ci_high": [0.3, 0.4]})
    >>> [tick.get_text() for tick in rows(found, label="arm", value="risk").get_yticklabels()]
    ['A', 'B']
    """
    marks, shown = marks or {"": Mark()}, table[label] if labels is None else labels
    names = dict(shown) if isinstance(shown, Mapping) else {name: name for name in shown}
    place = {name: number for number, name in enumerate(names)}
    ax = axes(ax, height or 0.9 + len(names) * (0.36 + 0.1 * (len(marks) - 1)))
    group = pd.Series("", table.index) if by is None else table[by]
    for k, (name, mark) in enumerate(marks.items()):
        part, look = table[(group == name) & table[label].isin(place)], mark.style()
        y = part[label].map(place).astype(float) + part.get("lift", gap * (k - (len(marks) - 1) / 2))
        if "spread_low" in part:
            ax.hlines(y, part["spread_low"], part["spread_high"], color=look["color"], linewidth=0.9, alpha=0.55)
        if ends[0] in part:
            ax.hlines(y, part[ends[0]], part[ends[1]], linewidth=line, color=colour(bars) if bars else look["color"])
        if value in part:
            ax.plot(part[value], y, label=mark.label, **look)
        for column, extra in (also or {}).items():
            ax.plot(part[column], y, label=None if k else extra.label, **extra.style())
    ax.set_yticks(range(len(names)), list(names.values()))
    ax.set(ylim=(len(names) - 0.4, -0.6), xlabel=xlabel or ax.get_xlabel())
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    return ax


def stacked(
    ax: Axes,
    names: pd.Series,
    parts: Iterable[tuple[str, str, pd.Series]],
    *,
    room: float | pd.Series,
    form: str = "g",
    height: float = 0.74,
    **words: Any,
) -> Axes:
    """Draw a bar a row from top to bottom, cut into parts, each with its number where there is room.

    Parameters
    ----------
    ax : matplotlib Axes
    names : Series of str
    parts : iterable of (str, str, Series)
        Words of the legend, hex colour and widths, in order; on the light colours a number is written in ink.
    room : float or Series
        From how wide a part is labelled.
    form : str
        Of the numbers.
    height : float
    **words
        Further look of the numbers.
    """
    left = pd.Series(0.0, index=names.index)
    for label, hue, width in parts:
        ax.barh(names, width, left=left, color=hue, label=label, height=height, edgecolor=LIGHT["paper"])
        ink = LIGHT["ink" if hue in (LIGHT["grid"], LIGHT["paper"]) else "paper"]
        for y in np.flatnonzero(width >= room).tolist():
            x = left.iloc[y] + width.iloc[y] / 2
            ax.text(x, y, f"{width.iloc[y]:{form}}", ha="center", va="center", color=ink, **words)
        left = left + width
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(visible=False)
    ax.tick_params(axis="y", length=0)
    return ax


def forest(
    table: pd.DataFrame,
    label: str,
    value: str,
    low: str,
    high: str,
    reference: float,
    truth: str | None = None,
    faint: str | None = None,
    axis_label: str = "",
) -> Axes:
    """Estimates with intervals, one row each, beside a vertical line.

    Parameters
    ----------
    table : pandas.DataFrame
    label, value, low, high : str
        Columns of the row names, estimates and interval ends.
    reference : float
        Where the vertical line stands.
    truth : str, optional
        Column of known values, marked by a diamond.
    faint : str, optional
        Boolean column: rows to be drawn muted.
    axis_label : str
    """
    names = [str(name).replace("_", " ") for name in table[label]]
    drawn = table.assign(row=names, muted=table[faint].astype(bool) if faint else False)
    marks = {False: Mark(), True: Mark(hue="muted", marker="s")}
    also = {truth: Mark("law", "vermilion", "D", 5, "none")} if truth else None
    form: dict[str, Any] = {"label": "row", "value": value, "by": "muted", "ends": (low, high), "also": also}
    ax = rows(drawn, marks, **form, gap=0, line=1.3, height=0.8 + 0.27 * len(table), xlabel=axis_label)
    vertical(ax, reference, dash="-")
    return legend_below(ax) if truth else ax


def differences(table: pd.DataFrame, smallest_difference: float, xlabel: str = "Gain in AUROC") -> Axes:
    """Paired differences in both settings of prevalence, the smallest difference of interest shaded around zero.

    Optional columns: spread_low, spread_high (a thin line) and published (a cross).
    """
    marks = {name: SETTINGS[name] for name in dict.fromkeys(table["setting"])}
    ax = rows(table, marks, by="setting", gap=0.32, line=3.2, xlabel=xlabel)
    shade = f"below the smallest difference of interest, {smallest_difference:g}"
    look: dict[str, Any] = {"color": LIGHT["grid"], "alpha": 0.6, "linewidth": 0, "label": shade, "zorder": 0}
    ax.axvspan(-smallest_difference, smallest_difference, **look)
    vertical(ax, 0, hue="ink", dash="-")
    if "published" in table:
        known = table[["label", "published"]].dropna().drop_duplicates("label")
        rows(known, {"": Mark("published", "red", "x", 7)}, ax, value="published", labels=list(table["label"]))
    return legend_below(ax)


def levels(table: pd.DataFrame, oracle: float) -> Axes:
    """AUROC of models by row (columns label, model, value, ci_low, ci_high), between chance and the oracle."""
    ax = rows(table, of_models(table["model"].unique(), 6), by="model", line=3.2, xlabel="AUROC")
    vertical(ax, 0.5, "Chance", hue="chance")
    vertical(ax, oracle, "Oracle", hue="oracle", dash="--")
    return legend_below(ax, 3)


def one_split(table: pd.DataFrame) -> Axes:
    """What one test split could have shown: spread of the test AUROC over trials, the truth, and what was published.

    Columns label, model, q025, q250, q750, q975 (of the test AUROC), truth, published.
    """
    drawn = table.rename(columns={"q025": "spread_low", "q975": "spread_high"})
    marks = {name: Mark(hue=colour(name)) for name in dict.fromkeys(drawn["model"])}
    also = {"truth": Mark("population AUROC", "ink", "o", 5), "published": Mark("published", "red", "x", 7)}
    ax = rows(drawn, marks, by="model", ends=("q250", "q750"), gap=0, line=7, also=also)
    for line, words in zip(ax.collections, ("95% of trials", "half of trials"), strict=False):
        line.set_label(words)
    ax.set_xlabel("AUROC on the test patients of one split")
    return legend_below(ax)


def rates_by(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Observed event rates (`attrition.eda.event_rates`, by what the groups are) with intervals and the law's own."""
    fig, panels = plt.subplots(len(tables), 1, figsize=(WIDTH, 1.9 * len(tables)), sharex=True)
    marks = {"": Mark("observed, 95% interval", "dropout", "o", 4.5)}
    also = {"expected": Mark("the law's own", "ink", "|", 12)}
    for ax, (title, table) in zip(panels, tables.items(), strict=True):
        named = [f"{group}  (n = {n})" for group, n in zip(table["group"], table["n_patients"], strict=True)]
        rows(table.assign(label=named), marks, ax, value="rate", line=1.6, also=also)
        ax.set(title=title, xlim=(0, 1))
    panels[-1].set_xlabel("share of patients who dropped out")
    legend_below(panels[0])
    return fig


def oracle_ladder(table: pd.DataFrame) -> Axes:
    """The best attainable AUROC by what is known, at both prevalences, from `simulate.oracle.oracle_table`."""
    rungs = list(dict.fromkeys(table["known"]))[::-1]
    form: dict[str, Any] = {"label": "known", "value": "auroc", "by": "prevalence", "labels": rungs}
    form |= {"ends": ("chance", "auroc"), "gap": 0.24, "line": 1.2, "height": 3.4}
    ax = rows(table.assign(chance=0.5), SETTINGS, **form, xlabel="AUROC of the best possible model")
    vertical(ax, 0.5)
    ax.set_xlim(0.48, 0.82)
    ax.legend(loc="lower right")
    return ax


def fold_distribution(folds: pd.DataFrame, labels: Mapping[str, str], references: Mapping[str, float]) -> Axes:
    """AUROC of every fold as a point, the mean as a tick, vertical references by colour name; models top to bottom."""
    by_model = folds.groupby("model")
    place = by_model.cumcount() / by_model["value"].transform("size").sub(1).clip(lower=1)
    form: dict[str, Any] = {"label": "model", "labels": labels, "xlabel": "AUROC in a test fold"}
    ax = rows(folds.assign(lift=0.5 * place - 0.25), of_models(labels, 4), by="model", height=3.0, **form)
    rows(by_model["value"].mean().reset_index(), {"": Mark(hue="ink", marker="|", size=26)}, ax, **form)
    for name, value in references.items():
        vertical(ax, value, hue=name)
    return ax


def ways(table: pd.DataFrame, labels: Mapping[str, str]) -> Axes:
    """Cross-validated AUROC of each way (filled) and the population's (tick), by model.

    `table` comes from `attrition.studies.imbalance.inflation`; `labels` has the ways from top to bottom.
    """
    marks = of_models(table["model"].unique())
    form: dict[str, Any] = {"label": "way", "by": "model", "labels": labels, "ends": ("truth", "value"), "line": 1}
    also = {"truth": Mark("in the population", "ink", "|", 12)}
    ax = rows(table, marks, also=also, height=3.0, gap=0.3, xlabel="AUROC", **form)
    return legend_below(ax, len(marks) + 1)


@unless_missing
def aurocs(table: pd.DataFrame, suspicious: float) -> Axes:
    """AUROC of every model on a real trial, one colour and marker a landmark.

    The table has label, landmark, value, ci_low, ci_high; from `suspicious` on an honest result must first be shown to
    be no leak.
    """
    days = sorted(table["landmark"].unique())
    marks = {day: Mark(f"day {day}", CYCLE[k % 8], MARKERS[k % 8]) for k, day in enumerate(days)}
    ax = rows(table, marks, by="landmark", gap=0.24, xlabel="AUROC")
    vertical(ax, 0.5, "chance")
    vertical(ax, suspicious, "suspicious from here", "red", "--")
    return legend_below(ax, 3)


@unless_missing
def aurocs_table(table: pd.DataFrame) -> pd.DataFrame:
    """The numbers behind `aurocs`."""
    return table[["label", "landmark", "value", "ci_low", "ci_high", "n_patients", "n_events"]]


def prices(table: pd.DataFrame, simulated: pd.DataFrame | None = None) -> Axes:
    """Honest and leaky AUROC of every leak, joined by a line; simulated trials as hollow marks below.

    Both tables have the columns leak, label, honest, leaky.
    """
    ordered = table.sort_values("difference", ascending=False, kind="stable")
    both: list[Any] = [(ordered, "this trial", -0.14, 2, None), (simulated, "simulated trials", 0.16, 1, "paper")]
    both = both if simulated is not None else both[:1]
    # a leak that this trial's data cannot show still has its place
    labels = list(dict.fromkeys(label for part, *_ in both for label in part["label"]))
    ax = axes(None, 0.9 + 0.46 * len(labels))
    for part, where, lift, width, face in both:
        for side, marker in (("honest", "o"), ("leaky", "D")):
            marks = {"": Mark(f"{side}, {where}", side, marker, 5, face)}
            form: dict[str, Any] = {"labels": labels, "ends": ("honest", "leaky"), "line": width, "bars": "muted"}
            rows(part.assign(lift=lift), marks, ax, value=side, xlabel="AUROC", **form)
    vertical(ax, 0.5)
    ax.set_xlim(0.4, 1.02)
    return legend_below(ax)


@unless_missing
def sites(table: pd.DataFrame) -> Axes:
    """AUROC in each site group, one landmark of `attrition.landmark.prediction.leave_one_site_group_out`."""
    groups = table[table["site_group"] != "all"].sort_values("n_patients", ascending=False, kind="stable")
    if groups["ci_low"].isna().all():
        return nothing(axes(None), "no site group has two events and two non-events")
    named = [f"{row.site_group} ({row.n_events} of {row.n_patients})" for row in groups.itertuples()]
    sizes = zip(named, 3 + groups["n_patients"] ** 0.5, groups["ci_low"].isna(), strict=True)
    marks = {name: Mark(size=size, face="paper" if few else None) for name, size, few in sizes}
    form: dict[str, Any] = {"value": "auroc", "by": "label", "gap": 0, "height": 0.9 + 0.36 * (len(groups) + 1)}
    ax = rows(groups.assign(label=named), marks, xlabel="AUROC", **form)
    vertical(ax, 0.5, "chance")
    pooled = table.loc[table["site_group"] == "all", "auroc"].iloc[0]
    vertical(ax, pooled, "all pairs within site groups", "blue", "--")
    ax.set(ylabel="site group (events of patients)", xlim=(-0.02, 1.04))
    return legend_below(ax)


def hazard_ratios(table: pd.DataFrame, arms: Sequence[str]) -> Axes:
    """Hazard ratios with their intervals on a log axis, grouped by reason; rows without an estimate are left out.

    Of all arms of the trial, so that each keeps its colour.
    """
    table = table.dropna(subset=["hazard_ratio"]).astype({"arm": str})
    if table.empty:
        return nothing(axes(None, 1.4), "No reason has enough events in every arm")
    colours, drawn = cycle([str(arm) for arm in arms]), table["arm"].unique()
    marks = {arm: Mark(arm, colours[arm], MARKERS[k % 8]) for k, arm in enumerate(drawn)}
    form: dict[str, Any] = {"label": "reason", "value": "hazard_ratio", "by": "arm", "height": 1.4 + 0.3 * len(table)}
    ax = rows(table, marks, gap=0.3 / max(len(drawn) - 1, 1), xlabel="Cause-specific hazard ratio", **form)
    vertical(ax, 1)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ticks = [tick for tick in (0.01, 0.03, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64) if low <= tick <= high]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return legend_below(ax)


def alarm_rates(table: pd.DataFrame, titles: Mapping[str, str], names: Mapping[str, str], level: float) -> Figure:
    """Alarm rates with intervals in several worlds below each other, one marker a batch size; the nominal rate a line.

    `titles` and `names` are scenarios and methods of `attrition.monitoring.study`, from top to bottom.
    """
    size = (WIDTH, 1.0 + 2.2 * len(titles))
    fig, panels = plt.subplots(len(titles), 1, figsize=size, sharex=True, squeeze=False)
    marker = dict(zip(sorted(table["batch_size"].unique()), MARKERS, strict=False))
    hues = dict(zip(names, ("blue", "teal", "green", "vermilion", "purple", "ochre", "red"), strict=True))
    form: dict[str, Any] = {"label": "name", "value": "rate", "by": "batch_size", "labels": names, "line": 1}
    form |= {"gap": 0.48 / max(len(marker) - 1, 1), "bars": "muted"}
    for ax, (scenario, title) in zip(panels[:, 0], titles.items(), strict=True):
        for name, own in table[table["scenario"] == scenario].groupby("name"):
            rows(own, {n: Mark(None, hues[str(name)], shape, 3.7) for n, shape in marker.items()}, ax, **form)
        for made in ax.collections:
            made.set_zorder(4)  # an interval may be shorter than its mark is wide
        for n, shape in marker.items():
            ax.plot([], [], label=f"{n} patients", **Mark(None, "ink", shape, 3.7).style())
        vertical(ax, level, "nominal", dash="--")
        ax.set(xlim=(-0.03, 1.03), title=title)
    panels[-1, 0].set_xlabel("share of batches with an alarm")
    legend_below(panels[0, 0], 3)
    return fig
