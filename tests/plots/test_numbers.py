"""What a figure draws are the numbers of its table, in the unit of its axis, with the lines that they are held to."""

import json
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
from matplotlib import pyplot as plt

import notebook_report as report
from attrition import models, paths
from attrition.metrics.calibration import CalibrationCurve
from attrition.plots import curves, diagrams, incidence, rows, style
from attrition.plots.style import colour
from attrition.studies import published
from attrition.worth import strategies
from tests.notebooks import cells
from tests.plots.test_marks import segments, vertical


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def line(ax, label):
    """Points of the line of that name."""
    return next(one for one in ax.lines if one.get_label() == label).get_xydata()


def marks(ax, marker):
    """Points drawn with that marker, from top to bottom."""
    points = [one.get_xydata() for one in ax.lines if one.get_marker() == marker and len(one.get_xdata())]
    made = np.concatenate(points)
    return made[np.argsort(made[:, 1], kind="stable")]


def horizontal(ax):
    """Heights of lines across the axes."""
    return {
        one.get_ydata()[0] for one in ax.lines if list(one.get_xdata()) == [0, 1] and len(set(one.get_ydata())) == 1
    }


def edges(area):
    """Lowest and highest y of a filled area."""
    y = area.get_paths()[0].vertices[:, 1]
    return y.min(), y.max()


def benefit(*models):
    thresholds = np.array([0.3, 0.4, 0.5])
    one = pd.DataFrame({"threshold": thresholds, "net_benefit": [0.4, 0.3, 0.2]})
    one = one.assign(ci_low=one["net_benefit"] - 0.1, ci_high=one["net_benefit"] + 0.15)
    for name, over in (("all", [0.1, 0.12, 0.14]), ("none", [0.4, 0.3, 0.2])):
        one = one.assign(**{f"over_{name}": over})
        one = one.assign(
            **{f"over_{name}_low": one[f"over_{name}"] - 0.05, f"over_{name}_high": one[f"over_{name}"] + 0.07}
        )
    return pd.concat([one.assign(model=model) for model in models], ignore_index=True)


def test_net_benefit_is_drawn_per_hundred_over_nobody_and_everybody():
    ax = curves.decision_curves(benefit("lr"), np.array([0.35, 0.2, 0.05]), {})
    np.testing.assert_allclose(line(ax, "contact everybody")[:, 1], [35, 20, 5])
    np.testing.assert_allclose(line(ax, models.IN_TEXT["lr"])[:, 1], [40, 30, 20])
    assert horizontal(ax) == {0}
    assert edges(ax.collections[0]) == pytest.approx((10, 55))


def test_everybody_of_a_real_trial_is_what_the_model_is_held_against():
    ax = curves.net_benefit(benefit("all", "arm_only"), {"all": "All", "arm_only": "Arm"})
    np.testing.assert_allclose(line(ax, "contact everybody")[:, 1], [30, 18, 6])
    assert len(ax.collections) == 2
    assert ax.get_ylim()[1] > 40


def test_gains_have_the_bands_of_their_own_comparison():
    ax = curves.gains(benefit("lr", "xgb"), "lr")
    np.testing.assert_allclose(line(ax, "over contacting everybody")[:, 1], [10, 12, 14])
    np.testing.assert_allclose(line(ax, "over contacting nobody")[:, 1], [40, 30, 20])
    assert [edges(area) for area in ax.collections] == [pytest.approx((5, 21)), pytest.approx((15, 47))]
    assert horizontal(ax) == {0}


def test_curves_are_means_over_repeats_with_quantiles_of_resamples():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 60)
    prediction = np.column_stack([y + rng.normal(0, 1, 60), y + rng.normal(0, 1, 60)])
    weights = rng.multinomial(60, np.full(60, 1 / 60), 50).T.astype(float)
    table = curves.roc_data(y, {"lr": prediction, "xgb": prediction[:, 0]}, weights)
    by_model = dict(list(table.groupby("model")))
    single = [curves.roc_data(y, {"lr": prediction[:, k]}, weights)["recall"].to_numpy() for k in (0, 1)]
    np.testing.assert_allclose(by_model["lr"]["recall"], np.mean(single, axis=0))
    inner = by_model["xgb"].query("0.1 < false_positive_rate < 0.6")
    assert (inner["ci_low"] < inner["recall"]).mean() > 0.9
    assert (inner["ci_high"] > inner["recall"]).mean() > 0.9
    ax = curves.roc(table)
    np.testing.assert_allclose(line(ax, models.IN_TEXT["xgb"]), by_model["xgb"][["false_positive_rate", "recall"]])
    assert len(ax.collections) == 1


def test_precision_is_drawn_over_the_event_rate():
    table = pd.DataFrame({"model": "lr", "recall": [0.2, 0.8], "precision": [0.9, 0.7], "ci_low": 0.6, "ci_high": 0.95})
    ax = curves.precision_recall(pd.concat([table, table.assign(model="null")]), 0.25)
    assert horizontal(ax) == {0.25}
    assert ax.get_ylim()[0] == 0.25
    assert len(ax.lines) == 2
    assert curves.precision_recall(table, 0.6).get_ylim()[0] == 0.3


def calibrated():
    grid = np.array([0.2, 0.5, 0.8])
    return CalibrationCurve(grid, grid - 0.1, grid - 0.2, grid + 0.05)


def test_calibration_has_its_band_and_shares_of_predictions():
    fig = curves.calibration({"lr": calibrated()}, {"lr": np.array([0.1, 0.1, 0.9, 0.9])})
    top, bottom = fig.axes
    np.testing.assert_allclose(line(top, models.IN_TEXT["lr"]), [(0.2, 0.1), (0.5, 0.4), (0.8, 0.7)])
    assert edges(top.collections[0]) == pytest.approx((0, 0.85))
    assert bottom.patches[0].get_data().values.sum() == pytest.approx(1)


def test_the_first_model_of_a_real_trial_has_the_band():
    ax = curves.calibration_curves({"all": calibrated(), "arm_only": calibrated()}, {"all": "All"}, n_banded=1)
    assert len(ax.collections) == 1
    assert ax.collections[0].get_facecolor()[0][:3] == pytest.approx(mpl.colors.to_rgb(colour("blue")))
    np.testing.assert_allclose(line(ax, "All")[:, 1], [0.1, 0.4, 0.7])


@pytest.fixture
def drawn_in(tmp_path, monkeypatch):
    """The axes that a cell of a chapter draws with these names."""
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    known = {"np": np, "pd": pd, "report": report, "style": style, "colour": rows.colour}
    return lambda chapter, cell, **names: cells.run(chapter, cell, **known | names)["ax"]


def test_the_share_of_models_that_disagree_is_in_per_cent(drawn_in):
    table = pd.DataFrame({"prediction": [0.301, 0.299, 0.7], "changes_at_0.5": [0.2, 0.4, 0.1]})
    ax = drawn_in("05", "60", steady=table.assign(low=0.0, high=1.0), band_starts=[0.5])
    np.testing.assert_allclose(line(ax, "threshold 0.50"), [(0.3, 30), (0.7, 10)])


def test_patients_are_drawn_by_their_prediction_one_of_so_many(drawn_in):
    table = pd.DataFrame({"prediction": [0.9, 0.1, 0.5, 0.3, 0.4], "low": 0.0, "high": [0.95, 0.2, 0.6, 0.4, 0.5]})
    ax = drawn_in("05", "57", steady=table)
    drawn = [tuple(line[1]) for line in ax.collections[0].get_segments()]
    assert drawn == [(0.1, 0.2), (0.9, 0.95)]


def test_a_learning_curve_has_its_intervals_below_the_oracle():
    table = pd.DataFrame({"model": "lr", "n_train": [1000, 200], "value": [0.7, 0.6]})
    table = table.assign(ci_low=table["value"] - 0.02, ci_high=table["value"] + 0.05)
    ax = curves.learning_curve(table, 0.75)
    (bars,) = ax.collections
    np.testing.assert_allclose([line[:, 1] for line in bars.get_segments()], [(0.58, 0.65), (0.68, 0.75)])
    assert horizontal(ax) == {0.75}
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["200", "1,000"]


@pytest.mark.slow
def test_the_running_sum_starts_with_the_first_patient(drawn_in):
    ax = drawn_in("08", "21", path=np.array([0.5, -1.0]), band=np.array([[-1, -2], [1, 3]]), size=2)
    assert ax.get_legend() is None
    ax.figure.draw_without_rendering()
    assert ax.figure.legends[0].get_window_extent().y1 <= ax.get_window_extent().y0
    np.testing.assert_allclose(line(ax, "this batch"), [(1, 0.5), (2, -1)])
    assert edges(ax.collections[0]) == (-2, 3)
    assert horizontal(ax) == {0}


@pytest.mark.slow
def test_reported_events_are_in_per_cent(drawn_in):
    events = pd.DataFrame({"kind": "adverse event", "day": 1, "known_day": [1, 1, 8, 98]})
    ax = drawn_in("06", "17", study=SimpleNamespace(events=events))
    np.testing.assert_allclose(ax.lines[0].get_ydata()[[0, 6, 7, 90]], [50, 50, 75, 75])
    assert ax.lines[0].get_drawstyle() == "steps-post"


@pytest.mark.slow
def test_an_operating_point_has_the_least_concave_curve_through_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    point = {"claim": "a", "fpr": 0.2, "tpr": 0.7, "published": 0.643, "least": 0.75, "least_any": 0.7}
    point |= {"precision": 0.6, "matrices": 1, "n": 200, "dropouts": 48}
    ax = cells.run("00", "03", "21b", points=pd.DataFrame([point]))["ax"]
    assert line(ax, "a, at least 0.750").tolist() == [[0.2, 0.7]]
    drawn = [tuple(map(tuple, one.get_xydata())) for one in ax.lines]
    assert ((0, 0), (0.2, 0.7), (1, 1)) in drawn
    np.testing.assert_allclose(line(ax, "a, at least 0.750"), [(0.2, 0.7)])
    curve = line(ax, "a curve with AUROC 0.643")
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(0.643, abs=1e-3)


@pytest.mark.slow
def test_memory_is_held_against_two_gibibytes(tmp_path, monkeypatch):
    table = pd.DataFrame({"step": "fit", "patients": [1e3, 1e5], "seconds": [1, 10], "peak_mib": [200, 400]})
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    table.to_csv(tmp_path / "cost.csv", index=False)
    known = {"pd": pd, "plt": plt, "style": style, "colour": rows.colour, "report": report}
    known["paths"] = SimpleNamespace(COST=tmp_path / "cost.csv")
    path = next(Path(paths.NOTEBOOKS).glob("00_*.ipynb"))
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["id"] in ("cost-lines", "fig-cost"):
            exec("".join(cell["source"]), known)
    left, right = known["panels"]
    assert horizontal(right) == {2048}
    np.testing.assert_allclose(line(left, "fit")[:, 1], [1, 10])
    np.testing.assert_allclose(line(right, "fit")[:, 1], [200, 400])


def estimates(**columns):
    table = pd.DataFrame({"label": ["a", "b"], "value": [0.2, -0.1]} | columns)
    return table.assign(ci_low=table["value"] - 0.05, ci_high=table["value"] + 0.1)


def test_a_forest_marks_truth_and_mutes_what_is_small():
    table = estimates(law=[0.1, 0.0], small=[False, True]).rename(columns={"ci_low": "low", "ci_high": "high"})
    ax = rows.forest(table, "label", "value", "low", "high", 0.25, truth="law", faint="small")
    assert set(vertical(ax)) == {0.25}
    np.testing.assert_allclose(segments(ax), [(0, 0.15, 0.3), (1, -0.15, 0)])
    np.testing.assert_allclose(marks(ax, "D"), [(0.1, 0), (0.0, 1)])
    np.testing.assert_allclose(marks(ax, "o"), [(0.2, 0)])
    assert next(one for one in ax.lines if one.get_marker() == "s").get_color() == colour("muted")


def test_differences_stand_beside_the_smallest_of_interest():
    ax = rows.differences(estimates(setting="default", published=[0.15, np.nan]), 0.01)
    (shade,) = [patch for patch in ax.patches if "smallest" in patch.get_label()]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (-0.01, 0.01)
    assert 0 in vertical(ax)
    np.testing.assert_allclose(marks(ax, "x"), [(0.15, 0)])


def test_levels_lie_between_chance_and_the_oracle():
    ax = rows.levels(estimates(model=["lr", "xgb"]), 0.82)
    assert {place: one.get_label() for place, one in vertical(ax).items()} == {0.5: "Chance", 0.82: "Oracle"}


def test_one_split_shows_most_and_half_of_the_trials():
    table = pd.DataFrame([{"label": "a", "model": "lr", "q025": 0.1, "q250": 0.3, "q750": 0.5, "q975": 0.9}])
    ax = rows.one_split(table.assign(truth=0.4, published=0.7))
    words = {made.get_label(): [tuple(line[:, 0]) for line in made.get_segments()] for made in ax.collections}
    assert words == {"95% of trials": [(0.1, 0.9)], "half of trials": [(0.3, 0.5)]}
    assert tuple(marks(ax, "x")[0]) == (0.7, 0)


def test_a_ladder_starts_at_chance_and_goes_down_from_what_is_known_last():
    table = pd.DataFrame({"known": ["first", "last"], "prevalence": "default", "auroc": [0.6, 0.7]})
    ax = rows.oracle_ladder(table)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["last", "first"]
    assert sorted(line[1:] for line in segments(ax)) == [(0.5, 0.6), (0.5, 0.7)]
    assert 0.5 in vertical(ax)


def test_published_is_open_and_found_is_filled(drawn_in):
    table = pd.DataFrame([{"key": "lr", "measure": next(iter(published.MEASURES)), "published": 0.7, "found": 0.6}])
    ax = drawn_in("04", "07", compared=table, models=models, published=published, rows=rows)
    drawn = {one.get_xdata()[0]: one.get_markerfacecolor() for one in ax.lines if len(one.get_xdata())}
    assert drawn == {0.6: rows.colour("lr"), 0.7: colour("paper")}


def test_folds_are_points_around_their_mean():
    folds = pd.DataFrame({"model": "lr", "repeat": 0, "fold": range(3), "value": [0.5, 0.6, 0.85]})
    ax = rows.fold_distribution(folds, {"lr": "LR"}, {"chance": 0.5})
    assert marks(ax, "|")[0][0] == pytest.approx(0.65)
    np.testing.assert_allclose(marks(ax, "o"), [(0.5, -0.25), (0.6, 0), (0.85, 0.25)])
    assert 0.5 in vertical(ax)


def test_ways_are_joined_to_the_truth():
    table = pd.DataFrame([{"way": "leaky", "model": "lr", "value": 0.9, "truth": 0.6}])
    ax = rows.ways(table, {"leaky": "Leaky"})
    assert [line[1:] for line in segments(ax)] == [(0.6, 0.9)]
    assert marks(ax, "|")[0][0] == 0.6


def test_prices_go_from_the_dearest_to_the_cheapest_on_both_kinds_of_trials():
    here = pd.DataFrame({"label": ["cheap", "dear"], "honest": [0.6, 0.6], "leaky": [0.65, 0.9]})
    here = here.assign(difference=here["leaky"] - here["honest"])
    ax = rows.prices(here, here.assign(leaky=[0.7, 0.8]))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["dear", "cheap"]
    lines = sorted(set(segments(ax)))
    np.testing.assert_allclose(lines, [(-0.14, 0.6, 0.9), (0.16, 0.6, 0.8), (0.86, 0.6, 0.65), (1.16, 0.6, 0.7)])
    np.testing.assert_allclose(marks(ax, "D")[:, 0], [0.9, 0.8, 0.65, 0.7])
    assert 0.5 in vertical(ax)


def test_site_groups_stand_by_size_and_few_events_are_hollow():
    table = pd.DataFrame({"site_group": ["s", "l", "all"], "n_patients": [9, 100, 109], "n_events": [1, 40, 41]})
    table = table.assign(auroc=[0.4, 0.7, 0.66], ci_low=[np.nan, 0.6, 0.6], ci_high=[np.nan, 0.8, 0.7])
    ax = rows.sites(table)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["l (40 of 100)", "s (1 of 9)"]
    assert set(vertical(ax)) == {0.5, 0.66}
    faces = {
        one.get_xdata()[0]: (one.get_markerfacecolor(), one.get_markersize())
        for one in ax.lines
        if one.get_marker() == "o"
    }
    assert faces[0.4] == (colour("paper"), 6)
    assert faces[0.7] == (colour("blue"), 13)


def test_hazard_ratios_are_held_against_one_on_a_log_axis():
    table = pd.DataFrame([{"reason": "r", "arm": "A", "hazard_ratio": 2.0, "ci_low": 0.9, "ci_high": 4.4}])
    ax = rows.hazard_ratios(table, ["P", "A"])
    assert 1 in vertical(ax)
    assert ax.get_xscale() == "log"
    np.testing.assert_allclose(segments(ax), [(0, 0.9, 4.4)])


def test_aurocs_of_a_real_trial_are_held_against_chance_and_suspicion():
    ax = rows.aurocs(estimates(landmark=28), 0.75)
    assert {place: one.get_label() for place, one in vertical(ax).items()} == {
        0.5: "chance",
        0.75: "suspicious from here",
    }


def test_observed_rates_stand_beside_the_law():
    table = pd.DataFrame(
        {"group": ["A"], "n_patients": [20], "rate": [0.3], "ci_low": [0.1], "ci_high": [0.5], "expected": [0.4]}
    )
    fig = rows.rates_by({"arm": table, "phase": table})
    for ax in fig.axes:
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["A  (n = 20)"]
        assert marks(ax, "|")[0][0] == 0.4
        assert ax.get_xlim() == (0, 1)


def test_incidence_has_its_band_and_ticks_at_the_landmarks():
    table = pd.DataFrame(
        {"day": [0, 30, 90], "value": [0, 0.1, 0.3], "ci_low": [0, 0.05, 0.2], "ci_high": [0, 0.2, 0.4]}
    )
    ax = incidence.curves(table.assign(reason="r"), "reason", [30])
    assert edges(ax.collections[0]) == pytest.approx((0, 0.4))
    assert ax.lines[0].get_drawstyle() == "steps-post"
    assert ax.get_xlim() == (0, 90)


def test_smoothed_residuals_follow_a_drift():
    residuals = pd.DataFrame({"day": np.arange(60.0), "arm": np.linspace(-1, 1, 60)})
    ax = incidence.drift_of_effect(residuals, {"arm": 0.3}, ["P", "arm"])
    np.testing.assert_allclose(line(ax, "arm")[:, 1], residuals["arm"], atol=1e-9)
    assert horizontal(ax) == {0.3}


def test_of_very_many_residuals_some_places_are_smoothed(monkeypatch):
    value = pd.Series(np.random.default_rng(4).standard_normal(900)).cumsum()
    some = incidence._smooth(value)
    monkeypatch.setattr(incidence, "PLACES", 900)
    every = incidence._smooth(value)
    assert np.count_nonzero(some == every) >= 200
    np.testing.assert_allclose(some, every, atol=0.01 * np.ptp(every))


def test_accuracy_stands_beside_its_landmark():
    table = pd.DataFrame({"landmark": [0, 28], "model": "cox", "measure": "auroc", "value": [0.6, 0.7]})
    table = table.assign(ci_low=table["value"] - 0.1, ci_high=table["value"] + 0.05)
    ax = incidence.accuracy(table, "auroc", 0.5, "AUROC", {"cox": "Cox", "none": "None"})
    np.testing.assert_allclose(line(ax, "Cox"), [(-0.07, 0.6), (0.93, 0.7)])
    np.testing.assert_allclose([one[:, 1] for one in ax.collections[0].get_segments()], [(0.5, 0.65), (0.6, 0.75)])
    assert horizontal(ax) == {0.5}


def test_a_flow_of_participants_counts_those_who_left_beside_those_who_stay():
    table = pd.DataFrame({"step": ["screened", "randomised", "day 28"], "n": [1200, 1000, 900], "left": [0, 200, 100]})
    ax = diagrams.consort(table.assign(death=[0, 0, 60], other=[0, 0, 40], censored=0), ["death", "other"])
    words = [text.get_text() for text in ax.texts if text.get_text()]
    assert [word for word in words if word[0].isdigit()] == ["1,200", "1,000", "200 not randomised", "900", "100 left"]
    assert {"death 60", "other 40"} <= set(words)
    assert len([text for text in ax.texts if getattr(text, "arrow_patch", None) is not None]) == 4
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["1,200"] > heights["1,000"] > heights["900"]
    assert heights["1,000"] > heights["100 left"] > heights["900"]


def test_a_step_beside_another_gets_no_arrow():
    steps = [("in", 10, "", False), ("train", 8, "80 %", False), ("test", 2, "", True)]
    ax = diagrams.flow({"study": steps})
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None) is not None]
    np.testing.assert_allclose([(*arrow.get_position(), *arrow.xy) for arrow in arrows], [(0, -0.33, 0, -0.67)])
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["10 in"] == 0
    assert heights["8 train"] > heights["80 %"] > heights["2 test"]


def test_the_frontier_draws_each_family_that_was_tried_and_the_oracle_apart():
    rows = [("nobody", "nobody", 0, 0), ("everybody", "everybody", 100, 2.0), ("oracle", "oracle", 12, 2.0)]
    rows += [("silent_28", "silent", 40, 1.1), ("silent_14", "silent", 60, 1.4)]
    table = pd.DataFrame(rows, columns=["strategy", "family", "contacts", "completers"])
    ax = curves.frontier(table.assign(ci_low=0.0, ci_high=3.0), strategies.SAID)
    drawn = {line.get_label(): line.get_xdata().tolist() for line in ax.lines if not line.get_label().startswith("_")}
    silent = strategies.SAID["silent"]["figure"][0]
    assert set(drawn) == {"anybody, by lot", silent, "oracle"}
    assert drawn[silent] == [40, 60]
    assert drawn["oracle"] == [12]
