"""The card and the sentence about the champion follow the numbers."""

import re

import pytest

from attrition import models, registry, score, simulate
from attrition.registry import modelcard

RULE = {"among": ["lr", "lgbm", "xgb"], "metric": "brier_score", "better": "lower", "margin": 0.002}


def measured(**values):
    """Performance as chapter 05 writes it, with intervals of .01 either side."""
    return {
        name: {"brier_score": {"value": value, "ci_low": value - 0.01, "ci_high": value + 0.01}}
        for name, value in values.items()
    }


@pytest.mark.parametrize(
    ("values", "champion", "behind", "lead"),
    [
        ({"lr": 0.21, "lgbm": 0.25, "xgb": 0.26}, "lr", 0.0, 0.04),
        ({"lr": 0.221, "lgbm": 0.22, "xgb": 0.26}, "lr", 0.001, 0.0),
        ({"lr": 0.23, "lgbm": 0.22, "xgb": 0.26}, "lgbm", 0.0, 0.01),
    ],
)
def test_the_facts_say_why_this_one(values, champion, behind, lead):
    table = modelcard.candidates(measured(**values), RULE)
    assert table.loc[table["chosen"] == "yes", "model"].tolist() == [champion]
    facts = modelcard.chosen(table, RULE)
    assert facts["label"] == models.LABELS[champion]
    assert (facts["metric"], facts["margin"]) == ("Brier score", 0.002)
    assert (facts["behind"], facts["lead"]) == (pytest.approx(behind), pytest.approx(lead))


def test_the_distance_is_from_the_best_whichever_way_is_better():
    table = modelcard.candidates(measured(lr=0.7, lgbm=0.6, xgb=0.65), RULE | {"better": "higher"})
    assert table["behind"].round(6).tolist() == [0.0, 0.1, 0.05]


def test_a_single_candidate_has_nobody_behind_it():
    rule = RULE | {"among": ["lr"]}
    assert modelcard.chosen(modelcard.candidates(measured(lr=0.2), rule), rule)["second"] is None


def test_held_out_patients_are_predicted_worse_than_seen_ones():
    from attrition import metrics

    trial = simulate.published_trial()
    found = modelcard.held_out("lgbm", trial, 3, 42)
    fitted = models.pipeline("lgbm", registry.VERSION, registry.STRATEGY).fit(trial, trial["dropout"])
    assert found["auroc"]["value"] < metrics.auroc(trial["dropout"], models.probability(fitted, trial)) - 0.1
    assert found["auroc"]["ci_low"] < found["auroc"]["value"] < found["auroc"]["ci_high"]


def test_the_card_holds_no_patient_and_says_what_it_is_not_for(tmp_path):
    from notebook_report import results

    trial = simulate.published_trial()
    data = results.publish(tmp_path / "trial.csv", simulate.csv_text(trial))
    scorer = registry.train("lr", trial, data, 5, 42)
    told = modelcard.table(scorer, modelcard.held_out("lr", trial, 3, 42)).set_index("fact")["value"]
    assert "not for care" in told["meant for"]
    assert told["inputs known"] == "after the follow-up"
    assert told["what it cannot do"].startswith("6 of the 9 inputs of the model are known only after the outcome")
    assert told["patients (dropouts)"] == "1,000 (525)"
    assert not told.str.contains("P-0").any()
    assert told["feature version"] == "v3_causal"
    assert told["class weights"] == "none"
    assert told["SHA-256 of the data"] == scorer.card["data_sha256"][:16] + "..."
    assert told["threshold of a flag"] == "0.35 (preset published), 0.50 (preset even)"
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", told["AUROC"])
    assert re.fullmatch(r"0\.\d{3}", told["Brier score"])
    assert re.fullmatch(r"\d\.\d\d \(\d\.\d\d to \d\.\d\d\)", told["calibration slope"])


def test_newcomers_are_admitted_and_the_oldest_is_outside():
    patients, refused = score.admit(modelcard.newcomers(42))
    assert not refused
    assert patients["age"].iloc[-1] == 97
    assert not set(patients["patient_id"]) & set(simulate.published_trial()["patient_id"])
