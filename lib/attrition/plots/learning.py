"""Learning curves against the oracle."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from attrition.models import FITTED, LABELS
from attrition.plots.fitted import colour
from attrition.plots.style import DASHES, MARKERS, axes


def learning_curve(table: pd.DataFrame, oracle: float, ax: Axes | None = None) -> Axes:
    """Mean population AUROC by the number of training patients, with Monte-Carlo intervals.

    Parameters
    ----------
    table : DataFrame
        Columns model, n_train, value, ci_low, ci_high.
    oracle : float
        The oracle's AUROC.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    ax.axhline(oracle, color=colour("oracle"), linestyle=DASHES[1], linewidth=1.2)
    known = [model for model in FITTED if model in set(table["model"])]
    for k, model in enumerate(known):
        rows = table[table["model"] == model].sort_values("n_train")
        n = rows["n_train"] * (1 + 0.04 * (k - 1))
        reach = [rows["value"] - rows["ci_low"], rows["ci_high"] - rows["value"]]
        style: dict[str, Any] = {"color": colour(model), "marker": MARKERS[k], "linestyle": DASHES[k]}
        ax.errorbar(n, rows["value"], yerr=reach, label=LABELS[model], elinewidth=1, capsize=2, **style)
    ax.set(xscale="log", xlabel="Training patients", ylabel="AUROC in the population")
    sizes = sorted(table["n_train"].unique())
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.text(sizes[0], oracle, "Oracle", va="bottom", fontsize=9)
    ax.legend(loc="lower right")
    return ax
