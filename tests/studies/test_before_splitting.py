"""The wrong way: copies deceive a flexible model, scaling first does not, and the sentence follows."""

import pytest

from attrition.studies import imbalance


@pytest.fixture(scope="module")
def table():
    setting = imbalance.event_rates({"p24": 0.24})[0]
    return imbalance.inflation(imbalance.before_splitting(["lr", "lgbm"], 3, 250, setting, 2000, 1))


@pytest.mark.slow
def test_copies_before_splitting_deceive_a_flexible_model(table):
    found = table.set_index(["model", "way"])
    assert found.loc[("lgbm", "copies_before"), "ci_low"] > 0.1
    assert found.loc[("lgbm", "copies_before"), "value"] > found.loc[("lgbm", "copies_before"), "truth"] + 0.1
    assert found.loc[("lgbm", "copies_before"), "inflation"] > found.loc[("lr", "copies_before"), "inflation"]


@pytest.mark.slow
def test_scaling_first_changes_nothing_for_a_model_that_scales(table):
    scaled = table.set_index(["model", "way"]).loc[("lr", "scale_before")]
    assert scaled["inflation"] == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_conclusion_turns_with_the_numbers(table):
    found = imbalance.deceptive(table, 0.01)
    assert "copies_before" in found["deceptive"]
    assert "scale_before" in found["harmless"]
    worst = table.loc[table["inflation"].idxmax()]
    assert (found["model"], found["way"], found["value"]) == (worst["model"], worst["way"], worst["value"])
    honest = table.assign(inflation=table["inflation"].where(table["way"] == "inside", 0.0), ci_low=-0.1)
    assert imbalance.deceptive(honest, 0.01)["deceptive"] == []
    assert len(imbalance.deceptive(honest, 0.01)["harmless"]) == len(imbalance.WAYS) - 1


@pytest.mark.slow
def test_right_way_has_no_inflation_of_its_own(table):
    right = table[table["way"] == imbalance.INSIDE]
    assert right["inflation"].isna().all()
