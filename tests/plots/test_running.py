"""What the figures of a running trial show."""

import numpy as np
import pandas as pd
import pytest

from attrition.plots import running as draw
from attrition.plots.style import colour

DATES = pd.date_range("2026-01-01", periods=4, freq="MS")
FAN = pd.DataFrame({"date": DATES, "low": [5, 6, 7, 8], "low_50": [5, 7, 9, 10], "median": [5, 8, 10, 12]})
FAN = FAN.assign(high_50=[5, 9, 12, 14], high=[5, 11, 15, 19])
LOOKS = pd.DataFrame(
    {"date": DATES, "events": [1, 3, 6, 9], "expected": [1.0, 2.0, 3.0, 4.0], "alarm_at": [4, 5, 6, 8]}
)
LOOKS = LOOKS.assign(rung_a=[False, False, True, True], rung_b=[False] * 4)


def labelled(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_the_fan_begins_at_the_cut_and_shows_both_bands():
    past = pd.DataFrame({"date": DATES[:2] - pd.DateOffset(months=2), "gone": [2, 5]})
    plan = pd.DataFrame({"date": DATES, "expected": [1.0, 3, 5, 7.4]})
    ax = draw.fan(FAN, past, plan, past)
    wide, narrow = (band.get_paths()[0].get_extents().height for band in ax.collections)
    assert wide == pytest.approx(19 - 5)
    assert narrow == pytest.approx(14 - 5)
    lines = labelled(ax)
    assert lines["projected"].get_ydata().tolist() == [5, 8, 10, 12]
    assert lines["gone so far"].get_ydata().tolist() == [2, 5]
    assert {text.get_text() for text in ax.texts} == {"12", "7"}
    assert "plan" not in labelled(draw.fan(FAN, past, None))
    assert draw.fan(None, None, plan) is None


def test_the_alarm_is_drawn_by_its_rule():
    by_curve, by_rate = labelled(draw.alarm(LOOKS, "A", None)), labelled(draw.alarm(LOOKS, "B", 12))
    assert by_curve["rings from here"].get_ydata().tolist() == [4, 5, 6, 8]
    assert by_curve["first rang"].get_ydata()[0] == 6
    assert "first rang" not in by_rate
    assert by_rate["would ring at 12"].get_ydata()[0] == 12
    assert by_rate["gone"].get_ydata().tolist() == LOOKS["events"].tolist()
    rung_later = LOOKS.tail(1).assign(rung_b=True, events=13, date=DATES[-1] + pd.DateOffset(months=1))
    assert draw.alarm(None, "B", None) is draw.alarm(LOOKS.head(0), "A", None) is None
    assert labelled(draw.alarm(LOOKS, "B", 12, rung_later))["first rang"].get_ydata()[0] == 13


def test_every_row_of_the_past_has_its_interval_median_and_outcome():
    table = pd.DataFrame({"cut": DATES[:2], "median": [5, 7], "low": [2, 3], "high": [9, 12], "actual": [4, 6]})
    ax = draw.past(table.assign(open=[False, True]))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["1 Jan 2026", "1 Feb 2026"]
    ends = [segment[:, 0].tolist() for part in ax.collections for segment in part.get_segments()]
    assert [2, 9] in ends
    assert [3, 12] in ends
    lines = labelled(ax)
    assert lines["came, settled"].get_xdata().tolist() == [4]
    assert lines["came, so far"].get_xdata().tolist() == [6]
    assert lines["came, so far"].get_markerfacecolor() != lines["came, settled"].get_markerfacecolor()


def test_bars_of_those_who_remain_add_to_all():
    table = pd.DataFrame({"arm": ["all", "A"], "visit": [28, 28], "enrolled": [10, 5], "remaining": [6, 3]})
    table = table.assign(not_yet_due=[1, 0], competing=0, completed_early=0, **{"left: other": [3, 2]})
    ax = draw.remaining(table)
    assert [bar.get_width() for bar in ax.patches] == [6, 1, 3]
    assert np.sum([bar.get_width() for bar in ax.patches]) == 10
    assert {text.get_text() for text in ax.texts} == {"6", "1", "3"}
    assert list(ax.get_legend_handles_labels()[1]) == ["remaining", "not yet due", "other"]


def test_what_is_left_stands_beside_the_plan():
    table = pd.DataFrame({"label": ["dropout"], "value": [52.0], "low": [42.0], "high": [62.0], "planned": [40.0]})
    assert labelled(draw.three(table))["plan"].get_xdata().tolist() == [40.0]
    assert "plan" not in labelled(draw.three(table.assign(planned=np.nan)))


def test_coverage_lies_in_its_world_and_fraction():
    table = pd.DataFrame({"world": ["a", "a"], "fraction": [0.2, 0.4], "pit": [0.8, 0.9]})
    ax = draw.coverage(table.assign(pit_low=0.7, pit_high=0.95), {"a": "A"}, (0.85, 0.95))
    lines = labelled(ax)
    assert lines["20% of patient-days"].get_xdata().tolist() == [0.8]
    assert lines["40% of patient-days"].get_color() == colour("teal")
    (band,) = ax.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.85, 0.95))
