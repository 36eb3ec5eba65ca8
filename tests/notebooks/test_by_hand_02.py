"""Chapter 02 by hand: separation, rates, correlations and what a rate is made of; its exercises."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attrition import eda, features, metrics
from tests import notebooks

NAME = "02_eda"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(tmp_path_factory.mktemp("out")))
        yield notebooks.run(NAME, "by-hand", "exercise")


def test_separation_is_the_library_s_auroc_in_the_better_direction(found):
    trial = found["trial"]
    for column, area in found["separation"].items():
        plain = metrics.auroc(trial["dropout"], trial[column])
        assert area == pytest.approx(max(plain, 1 - plain))
    assert found["separation"][found["worst"]] <= found["separation"][found["best"]]


def test_correlations_and_their_intervals_are_scipys(found):
    table = found["correlations"]
    for row in table.itertuples():
        expected = stats.pearsonr(
            features.columns(found["trial"], (row.feature,))[row.feature], found["trial"]["dropout"]
        )
        low, high = expected.confidence_interval(0.95)
        assert (row.correlation, row.ci_low, row.ci_high) == pytest.approx((expected.statistic, low, high))
        assert row.known_at == features.FEATURES[row.feature].known_at
    assert table["correlation"].abs().is_monotonic_decreasing


def test_rates_are_those_of_the_figure(found):
    trial = found["trial"]
    for column, ends in (("trial_phase", found["phase"]), ("treatment_group", found["arm"])):
        rates = eda.event_rates(trial[column], trial["dropout"].to_numpy())["rate"]
        assert ends == pytest.approx((rates.min(), rates.max()))


def test_the_rate_is_compared_between_outer_fifths(found):
    rate = features.columns(found["trial"], ("adverse_event_rate",))["adverse_event_rate"]
    assert np.allclose(found["events_a_day"], rate)
    order = found["days"].rank(method="min", pct=True)
    fewest, most = found["days"] <= np.quantile(found["days"], 0.2), order > 0.8
    assert found["ratio"] == pytest.approx(rate[fewest].mean() / rate[most].mean(), rel=0.02)
    assert found["ratio"] > 1 > found["events_ratio"]


def test_exercises_answer(found):
    same_denominator, (n, within), luck = found["shown"][-3:]
    assert -1 <= same_denominator <= 1
    assert 0 < n < len(found["trial"])
    assert abs(within) < 1
    assert luck < found["correlations"]["correlation"].abs().max()


def test_the_strongest_column_is_named_with_the_day_on_which_it_is_known():
    rows = [("visit_rate", -0.31, "during follow-up"), ("age", 0.1, "enrolment")]
    table = pd.DataFrame(rows, columns=["feature", "correlation", "known_at"])
    said = notebooks.sentence(NAME, "ch02-24", correlations=table, dropout=np.array([1, 0, 0, 0]))
    assert "25% drop out, and the strongest column, *visit rate*, has a correlation of −0.31 with" in said
    assert said.replace("\\", "").endswith("known only during follow-up.")
