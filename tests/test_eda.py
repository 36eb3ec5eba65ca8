import dataclasses

import matplotlib

matplotlib.use("agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from attrition import eda, features, params, simulate
from attrition.plots import diagrams, rows
from attrition.simulate import oracle
from attrition.simulate.law import Law

LAW = Law()


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial()


@pytest.fixture(scope="module")
def described(trial):
    return eda.descriptives(trial)


@pytest.fixture(scope="module")
def law():
    patients = simulate.draw_patients(LAW, 40_000, np.random.default_rng(1))
    effects = eda.cut_effects(LAW, patients, np.random.default_rng(2))
    return eda.law_risks(LAW) | {"effect": effects}


@pytest.fixture(scope="module")
def best():
    sizes = dataclasses.replace(params.load("01_generation", "quick"), landmark_days=[30, 60, 90])
    return oracle.oracle_results(LAW, sizes, seed=3)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_descriptives_equal_plain_pandas(trial, described):
    assert described["dropout"] == (trial["dropout"] == 1).sum() / 1000 == 0.525
    assert described["age"]["sd"] == pytest.approx(np.std(trial["age"], ddof=1))
    rate = trial["visits_completed"] / (trial["days_in_trial"] / 30 + 1)
    assert described["correlation"]["visit_rate"] == pytest.approx(np.corrcoef(rate, trial["dropout"])[0, 1])
    assert described["by_day_30"] == ((trial["dropout_day"] > 0) & (trial["dropout_day"] <= 30)).mean()
    phase_1 = trial.loc[trial["trial_phase"] == "Phase I", "dropout"]
    assert described["risk"]["trial_phase"]["Phase I"]["value"] == phase_1.mean()


def test_agreement_is_rounding_to_the_published_decimals(described):
    changed = {**described, "dropout": 0.2449, "early_dropout": 0.1516}
    table = eda.descriptives_table(changed).set_index("quantity")["agrees"]
    assert table["dropout, share"] == "yes"
    assert table["early dropout, share"] == "no"
    assert (table == "yes").sum() == 1


def test_every_published_figure_is_compared(described):
    assert len(eda.descriptives_table(described)) == 1 + 3 + 8 + 5


def test_the_law_s_risks_agree_with_drawn_trials(law):
    drawn = simulate.draw_trial(LAW, 400_000, np.random.default_rng(4))
    for column in ("trial_phase", "treatment_group"):
        for level, rate in drawn.groupby(column)["dropout"].mean().items():
            assert law["risk"][column][level] == pytest.approx(rate, abs=0.006)
    kept = features.columns(drawn, ["visit_rate", "adverse_event_rate"])
    low, high = drawn.loc[kept["visit_rate"] < 0.5, "dropout"], drawn.loc[kept["visit_rate"] >= 0.5, "dropout"]
    assert law["risk_difference"]["visit_rate_below_05"] == pytest.approx(low.mean() - high.mean(), abs=0.007)
    assert law["share_beyond"]["visit_rate_below_05"] == pytest.approx(len(low) / len(drawn), abs=0.004)
    beyond = (kept["adverse_event_rate"] > 0.1).mean()
    assert law["share_beyond"]["adverse_event_rate_above_01"] == pytest.approx(beyond, abs=0.0003)


@pytest.mark.slow
def test_an_effect_is_none_when_the_law_ignores_the_term():
    deaf = Law(weight_missed_visits=0.0)
    patients = simulate.draw_patients(deaf, 5000, np.random.default_rng(5))
    effect = eda.cut_effects(deaf, patients, np.random.default_rng(6))["visit_rate_below_05"]
    assert effect == {"value": 0.0, "mc_se": 0.0}
    assert eda.law_risks(deaf)["risk_difference"]["visit_rate_below_05"] > 0.05


def test_risks_by_arm_are_equal_when_the_law_ignores_arms():
    risks = eda.law_risks(Law(weight_arm=0.0))["risk"]["treatment_group"]
    assert max(risks.values()) - min(risks.values()) < 1e-12


@pytest.mark.slow
def test_the_ladder_has_chance_below_and_the_whole_follow_up_on_top(best):
    table = oracle.oracle_table(best, [30, 60, 90])
    for _, part in table.groupby("prevalence"):
        assert part["known"].tolist()[0::5] == ["nothing (chance)", "whole follow-up"]
        assert part["auroc"].idxmin() == part.index[0]
        assert part["auroc"].idxmax() == part.index[-1]
        assert part["brier"].iloc[-1] < part["brier"].iloc[0]
    lift = oracle.early_lift(best)
    assert 0 < lift["share_enrolment"] < lift["share_best"] < 1


def test_every_arrow_of_the_graph_is_an_arrow_of_the_law(trial):
    """An arrow into the risk score means that changing the cause alone changes the risk; no arrow, that it does not."""
    causes = {a for a, b in diagrams.EDGES if b == "risk"}
    columns = {"age": "age", "days": "days_in_trial", "visits": "visits_completed", "events": "adverse_events"}
    columns |= {"last": "last_visit_day", "phase": "trial_phase", "arm": "treatment_group", "gender": "gender"}
    before = simulate.risk(LAW, trial)
    for node, column in columns.items():
        changed = trial.assign(**{column: trial[column].to_numpy()[::-1]})
        assert (np.abs(simulate.risk(LAW, changed) - before).max() > 0) == (node in causes), node


@pytest.mark.slow
def test_figures_draw_what_they_are_given(best):
    table = oracle.oracle_table(best, [30, 60, 90])
    drawn = np.concatenate([line.get_xdata() for line in rows.oracle_ladder(table).lines[:2]])
    assert sorted(drawn) == pytest.approx(sorted(table["auroc"]))
    assert len(diagrams.dag().texts) >= len(diagrams.NODES) + len(diagrams.EDGES)


def test_unlike_are_the_characteristics_from_the_smallest_difference_on():
    table = pd.DataFrame({"characteristic": ["age, mean (SD)", "arm, n (%): A", "arm, n (%): B", "sex, n (%): F"]})
    found = eda.unlike(table.assign(smd=["0.10", "-0.40", "", "0.02"]))
    assert (found["names"], found["n"], found["smallest"], found["largest"]) == ("arm, age", 2, 0.1, 0.4)
    assert eda.unlike(table.assign(smd="0.02"))["names"] == ""
