"""What the figures draw are the numbers they are given: places, factors, references, bands, colours of models."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
from matplotlib import pyplot as plt

from attrition.metrics.calibration import CalibrationCurve
from attrition.plots import curves, decision, diagrams, incidence, rows
from attrition.plots.style import LIGHT, colour


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def lines_of(ax):
    """Lines with a name, by that name, as x and y."""
    named = (line for line in ax.lines if not str(line.get_label()).startswith("_"))
    return {line.get_label(): np.asarray(line.get_xydata(), dtype=float).T for line in named}


def verticals(ax):
    """Places of vertical lines, by colour."""
    found = [line for line in ax.lines if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1]
    return sorted((float(line.get_xdata()[0]), line.get_color()) for line in found)


def bars(ax):
    """Ends of horizontal lines, as (height, low, high)."""
    made = [line for part in ax.collections if hasattr(part, "get_segments") for line in part.get_segments()]
    return [(y, low, high) for (low, y), (high, _) in made]


def dots(ax, marker):
    """Places of the marks of one kind."""
    return [tuple(xy) for line in ax.lines if line.get_marker() == marker for xy in line.get_xydata().tolist()]


def band(ax, number=0):
    """Lowest and highest end of a band."""
    y = ax.collections[number].get_paths()[0].vertices[:, 1]
    return y.min(), y.max()


ROWS = pd.DataFrame({"label": ["a", "b"], "value": [0.6, 0.7], "ci_low": [0.5, 0.6], "ci_high": [0.65, 0.8]})


def test_a_forest_has_its_reference_its_truth_and_its_faint_rows():
    table = ROWS.assign(label=["first_row", "b"], law=[0.4, 0.9], small=[False, True])
    ax = rows.forest(table, "label", "value", "ci_low", "ci_high", 0.3, truth="law", faint="small", axis_label="x")
    assert verticals(ax) == [(0.3, colour("muted"))]
    assert dots(ax, "o") == [(0.6, 0.0)]
    assert dots(ax, "s") == [(0.7, 1.0)]
    assert sorted(dots(ax, "D")) == [(0.4, 0.0), (0.9, 1.0)]
    assert bars(ax) == [(0.0, 0.5, 0.65), (1.0, 0.6, 0.8)]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["first row", "b"]
    assert ax.get_xlabel() == "x"


def test_a_real_trial_is_shown_between_chance_and_what_is_suspicious():
    table = pd.concat([ROWS.assign(landmark=28), ROWS.assign(landmark=56, value=[0.55, 0.75])])
    ax = rows.aurocs(table, 0.8)
    assert verticals(ax) == [(0.5, colour("chance")), (0.8, colour("red"))]
    assert dots(ax, "o") == [(0.6, -0.12), (0.7, 0.88)]
    assert dots(ax, "s") == [(0.55, 0.12), (0.75, 1.12)]


def test_leaks_are_sorted_by_their_price_and_simulated_ones_are_hollow():
    table = pd.DataFrame({"label": ["a", "b"], "honest": [0.5, 0.6], "leaky": [0.7, 0.95], "difference": [0.2, 0.35]})
    ax = rows.prices(table, table.iloc[:1].assign(label="c"))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["b", "a", "c"]
    assert dots(ax, "o") == [(0.6, -0.14), (0.5, 0.86), (0.5, 2.16)]
    faces = {line.get_label(): line.get_markerfacecolor() for line in ax.lines if line.get_marker() in "oD"}
    assert faces["honest, simulated trials"] == LIGHT["paper"]
    assert faces["honest, this trial"] == colour("honest")
    assert faces["leaky, this trial"] == colour("leaky")


def test_site_groups_stand_by_size_and_those_without_an_interval_are_hollow():
    table = pd.DataFrame({"site_group": ["x", "y", "all"], "n_patients": [16, 25, 41], "n_events": [1, 9, 10]})
    table = table.assign(auroc=[0.4, 0.7, 0.65], ci_low=[np.nan, 0.5, 0.6], ci_high=[np.nan, 0.9, 0.7])
    ax = rows.sites(table)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["y (9 of 25)", "x (1 of 16)"]
    assert dots(ax, "o") == [(0.7, 0.0), (0.4, 1.0)]
    assert [line.get_markersize() for line in ax.lines[:2]] == [8, 7]
    assert [line.get_markerfacecolor() == LIGHT["paper"] for line in ax.lines[:2]] == [False, True]
    assert verticals(ax) == [(0.5, colour("chance")), (0.65, colour("blue"))]
    assert "no site group" in rows.sites(table.assign(ci_low=np.nan)).texts[0].get_text()


def test_event_rates_have_their_counts_and_the_law_beside_them():
    table = pd.DataFrame({"group": ["A", "B"], "n": [30, 70], "rate": [0.4, 0.5], "expected": [0.45, 0.55]})
    fig = rows.rates_by({"first": table.assign(ci_low=0.3, ci_high=0.6), "second": table.iloc[:1]})
    ax = fig.axes[0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["A  (n = 30)", "B  (n = 70)"]
    assert dots(ax, "o") == [(0.4, 0.0), (0.5, 1.0)]
    assert dots(ax, "|") == [(0.45, 0.0), (0.55, 1.0)]
    assert (ax.get_title(loc="left"), ax.get_xlim()) == ("first", (0, 1))


def test_published_is_hollow_and_recomputed_is_filled():
    table = pd.DataFrame({"key": ["lr", "xgb", "lr"], "measure": ["auroc", "auroc", "other"], "published": 0.6})
    ax = rows.published_and_found(table.assign(found=[0.7, 0.8, 0.1]), {"auroc": "AUROC"})
    filled = {line.get_xdata()[0]: line.get_markerfacecolor() for line in ax.lines if len(line.get_xdata())}
    assert filled[0.7] == rows.colour("lr")
    assert filled[0.8] == rows.colour("xgb")
    assert filled[0.6] == LIGHT["paper"]
    assert {(low, high) for _, low, high in bars(ax)} == {(0.6, 0.7), (0.6, 0.8)}


def test_folds_are_spread_over_their_row_with_the_mean_as_a_tick():
    folds = pd.DataFrame({"model": ["lr"] * 3 + ["xgb"], "value": [0.5, 0.6, 0.7, 0.4]})
    ax = rows.fold_distribution(folds, {"lr": "LR", "xgb": "XGB"}, {"chance": 0.5})
    assert dots(ax, "o") == [(0.5, -0.25), (0.6, 0.0), (0.7, 0.25)]
    assert dots(ax, "|") == [(pytest.approx(0.6), 0.0), (0.4, 1.0)]
    assert verticals(ax) == [(0.5, colour("chance"))]


def test_the_ladder_starts_at_chance():
    table = pd.DataFrame({"known": ["nothing", "all"] * 2, "prevalence": ["default"] * 2 + ["p24"] * 2})
    ax = rows.oracle_ladder(table.assign(auroc=[0.5, 0.7, 0.5, 0.72]))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["all", "nothing"]
    assert (-0.12, 0.5, 0.7) in bars(ax)
    assert (0.12, 0.5, 0.72) in bars(ax)


def curve_table(**columns):
    x = np.array([0.0, 0.5, 1.0])
    return pd.DataFrame(
        {"model": "lr", "false_positive_rate": x, "recall": x, "ci_low": x - 0.1, "ci_high": x + 0.2} | columns
    )


def test_roc_curves_are_the_table_and_only_the_models_named_have_a_band():
    table = pd.concat([curve_table(), curve_table(model="xgb", recall=[0.0, 0.8, 1.0])])
    ax = curves.roc(table)
    np.testing.assert_allclose(lines_of(ax)["XGBoost"], [[0, 0.5, 1], [0, 0.8, 1]])
    assert len(ax.collections) == 1
    assert band(ax) == pytest.approx((-0.1, 1.2))


def test_precision_recall_has_the_event_rate_as_its_floor_and_no_null_model():
    table = pd.concat([curve_table(), curve_table(model="null")]).assign(precision=[0.9, 0.8, 0.7] * 2)
    ax = curves.precision_recall(table, 0.2)
    assert ax.get_ylim() == (0.2, 1.01)
    assert len(lines_of(ax)) == 1
    assert any(set(line.get_ydata()) == {0.2} for line in ax.lines)


def made(shift):
    x = np.array([0.2, 0.4])
    return CalibrationCurve(**dict(zip(CalibrationCurve._fields, (x, x + shift, x, x + 2 * shift), strict=True)))


def test_calibration_curves_are_the_numbers_with_bands_from_the_first_on():
    both = {"all": made(0.1), "xgb": made(0.2)}
    ax = curves.calibration_curves(both, {"all": "everything"}, n_banded=1)
    np.testing.assert_allclose(lines_of(ax)["everything"], [[0.2, 0.4], both["all"].observed])
    assert len(ax.collections) == 1
    assert {line.get_label(): line.get_color() for line in ax.lines}["xgb"] == rows.colour("xgb")
    assert len(curves.calibration_curves(both).collections) == 2
    assert curves.calibration_curves(None) is None


def test_shares_are_drawn_in_per_cent():
    reported = pd.DataFrame({"days_after_onset": [0, 7], "reported": [0.2, 0.9]})
    assert curves.reported(reported).lines[0].get_ydata().tolist() == [20, 90]
    table = pd.DataFrame({"prediction": [0.201, 0.199, 0.6], "changes_at_0.5": [0.1, 0.3, 0.5]})
    (line,) = curves.classification_instability(table, [0.5]).lines
    np.testing.assert_allclose(line.get_xydata(), [(0.2, 20), (0.6, 50)])


def test_instability_draws_one_of_so_many_patients():
    table = pd.DataFrame({"prediction": [0.3, 0.1, 0.2], "low": [0.2, 0.0, 0.1], "high": [0.5, 0.3, 0.4]})
    drawn = curves.instability(table, every=2).collections[0].get_segments()
    np.testing.assert_allclose(drawn, [[(0.1, 0.0), (0.1, 0.3)], [(0.3, 0.2), (0.3, 0.5)]])


def test_true_probabilities_have_their_means():
    shares = curves.probability_shares({"default": np.array([0.1, 0.9]), "p24": np.array([0.1, 0.2])}, bins=2)
    assert verticals(curves.true_probability(shares, {"default": 0.5, "p24": 0.24})) == [
        (0.24, colour("ochre")),
        (0.5, colour("blue")),
    ]


def test_net_benefit_is_of_a_hundred_patients():
    table = pd.DataFrame({"model": "lr", "threshold": [0.2, 0.4], "net_benefit": [0.3, 0.1], "over_all": [0.1, 0.2]})
    table = table.assign(
        ci_low=table["net_benefit"] - 0.05, ci_high=table["net_benefit"] + 0.1, over_none=table["net_benefit"]
    )
    for ax in (decision.decision_curves(table, np.array([0.2, -0.1]), {"call": 0.3}), decision.net_benefit(table, {})):
        drawn = lines_of(ax)
        np.testing.assert_allclose(drawn["contact everybody"], [[0.2, 0.4], [20, -10]])
        np.testing.assert_allclose(
            drawn["logistic regression" if "logistic regression" in drawn else "lr"][1], [30, 10]
        )
        assert band(ax) == pytest.approx((5, 40))
        assert ax.get_ylim()[1] > 30


def test_gains_over_both_defaults_have_their_bands():
    table = pd.DataFrame({"model": ["lr", "lr", "xgb"], "threshold": [0.2, 0.4, 0.2]})
    for name, value in (("all", 0.1), ("none", 0.3)):
        table = table.assign(
            **{f"over_{name}": value, f"over_{name}_low": value - 0.02, f"over_{name}_high": value + 0.04}
        )
    ax = decision.gains(table, "lr")
    drawn = lines_of(ax)
    np.testing.assert_allclose(drawn["over contacting everybody"], [[0.2, 0.4], [10, 10]])
    np.testing.assert_allclose(drawn["over contacting nobody"], [[0.2, 0.4], [30, 30]])
    assert [band(ax, k) for k in (0, 1)] == [pytest.approx((8, 14)), pytest.approx((28, 34))]
    assert ax.get_ylim() == pytest.approx((-8, 24))


def test_cost_is_two_panels_of_the_same_steps():
    table = pd.DataFrame({"step": ["draw", "draw", "fit"], "patients": [1e3, 1e5, 1e3], "seconds": [1, 2, 3]})
    left, right = curves.costs(table.assign(peak_mib=[200, 300, 400]))
    np.testing.assert_allclose(lines_of(left)["draw"], [[1e3, 1e5], [1, 2]])
    np.testing.assert_allclose(lines_of(right)["draw"], [[1e3, 1e5], [200, 300]])
    assert any(set(line.get_ydata()) == {curves.LARGEST_MEMORY} for line in right.lines)


def test_those_who_left_stand_beside_those_who_are_still_there():
    table = pd.DataFrame({"step": ["screened", "randomised", "day 28"], "n": [306, 254, 200], "left": [0, 52, 54]})
    ax = diagrams.consort(
        table.assign(withdrew=[0, 0, 30], other=[0, 0, 24], died=[0, 0, 0]), ["withdrew", "other", "died"]
    )
    told = [text.get_text() for text in ax.texts if text.get_text()]
    assert told == [
        "306",
        "screened",
        "254",
        "randomised",
        "52 not randomised",
        "200",
        "day 28",
        "54 left",
        "withdrew 30, other 24",
    ]


def test_drift_of_an_effect_has_the_constant_it_drifts_from():
    residuals = pd.DataFrame({"day": [1.0, 2.0, 3.0], "dose": [0.1, 0.2, 0.3]})
    ax = incidence.drift_of_effect(residuals, {"dose": 0.4}, ["placebo", "dose"])
    assert [line.get_ydata()[0] for line in ax.lines if len(set(line.get_ydata())) == 1] == [0.4]
