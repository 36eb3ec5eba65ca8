"""The wrong way: copies deceive a flexible model, scaling first does not, and the sentence follows."""

import pytest

from attrition.modelling import imbalance
from attrition.published import before_splitting


@pytest.fixture(scope="module")
def table():
    setting = imbalance.settings({"p24": 0.24})[0]
    return before_splitting.summary(before_splitting.study(["lr", "lgbm"], 3, 250, setting, 2000, 1))


def test_copies_before_splitting_deceive_a_flexible_model(table):
    found = table.set_index(["model", "way"])
    assert found.loc[("lgbm", "copies_before"), "ci_low"] > 0.1
    assert found.loc[("lgbm", "copies_before"), "value"] > found.loc[("lgbm", "copies_before"), "truth"] + 0.1
    assert found.loc[("lgbm", "copies_before"), "inflation"] > found.loc[("lr", "copies_before"), "inflation"]


def test_scaling_first_changes_nothing_for_a_model_that_scales(table):
    scaled = table.set_index(["model", "way"]).loc[("lr", "scale_before")]
    assert scaled["inflation"] == pytest.approx(0, abs=1e-9)


def test_conclusion_turns_with_the_numbers(table):
    found = before_splitting.conclude(table, 0.01)
    assert "copies_before" in found["deceptive"]
    assert found["sentence"].startswith("Worst is")
    honest = table.assign(inflation=table["inflation"].where(table["way"] == "inside", 0.0), ci_low=-0.1)
    assert before_splitting.conclude(honest, 0.01)["deceptive"] == []
    assert before_splitting.conclude(honest, 0.01)["sentence"].startswith("No way")


def test_right_way_has_no_inflation_of_its_own(table):
    right = table[table["way"] == before_splitting.INSIDE]
    assert right["inflation"].isna().all()
