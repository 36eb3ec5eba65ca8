"""Tables of patients against plain pandas."""

import numpy as np
import pytest

from attrition import eda, simulate


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial()


@pytest.mark.slow
def test_table_one_counts_every_patient_once(trial):
    made = eda.table_one(trial, ["age", "gender"], ["gender"], "dropout", {0: "stayed", 1: "dropped out"})
    assert int(str(made["overall"][0]).replace(",", "")) == len(trial)
    shares = made[made["characteristic"].str.startswith("gender")]["overall"].str.extract(r"^(\d+)")[0].astype(int)
    assert shares.sum() == len(trial)


def test_smd_is_the_standardised_difference(trial):
    made = eda.table_one(trial, ["days_in_trial"], [], "dropout", {0: "stayed", 1: "dropped out"})
    a, b = (trial.loc[trial["dropout"] == k, "days_in_trial"] for k in (0, 1))
    expected = abs(a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / 2)
    shown = abs(float(made.loc[made["characteristic"].str.startswith("days"), "smd"].iloc[0]))
    assert shown == pytest.approx(expected, abs=0.001)


def test_event_rates_are_group_means(trial):
    made = eda.event_rates(trial["trial_phase"], trial["dropout"].to_numpy())
    expected = trial.groupby("trial_phase")["dropout"].agg(["size", "sum", "mean"])
    assert made["rate"].to_numpy() == pytest.approx(expected["mean"].to_numpy())
    assert made["n_patients"].tolist() == expected["size"].tolist()
    assert (made["ci_low"] < made["rate"]).all()
    assert (made["rate"] < made["ci_high"]).all()
