"""The card and the sentence about the champion follow the numbers."""

import pytest

from attrition import registry, score, simulate
from attrition.registry import modelcard

RULE = {"among": ["lr", "lgbm", "xgb"], "metric": "brier", "better": "lower", "margin": 0.002}


def measured(**values):
    """Performance as chapter 05 writes it, with intervals of .01 either side."""
    return {
        name: {"brier": {"value": value, "ci_low": value - 0.01, "ci_high": value + 0.01}}
        for name, value in values.items()
    }


@pytest.mark.parametrize(
    ("values", "champion", "words"),
    [
        ({"lr": 0.21, "lgbm": 0.25, "xgb": 0.26}, "lr", "is the best, {lead:.3f} better than that of {second}"),
        ({"lr": 0.221, "lgbm": 0.22, "xgb": 0.26}, "lr", "within the margin"),
        ({"lr": 0.23, "lgbm": 0.22, "xgb": 0.26}, "lgbm", "is the best"),
    ],
)
def test_the_sentence_says_why_this_one(values, champion, words):
    table = modelcard.candidates(measured(**values), RULE)
    assert table.loc[table["chosen"] == "yes", "model"].tolist() == [champion]
    template, filled = modelcard.chosen_sentence(table, RULE)
    assert words in template
    assert filled["label"] == table.loc[table["model"] == champion, "label"].iloc[0]
    template.format(**filled)


def test_the_distance_is_from_the_best_whichever_way_is_better():
    table = modelcard.candidates(measured(lr=0.7, lgbm=0.6, xgb=0.65), RULE | {"better": "higher"})
    assert table["behind"].round(6).tolist() == [0.0, 0.1, 0.05]


def test_a_single_candidate_has_nobody_behind_it():
    template, filled = modelcard.chosen_sentence(modelcard.candidates(measured(lr=0.2), RULE | {"among": ["lr"]}), RULE)
    assert "only candidate" in template.format(**filled)


def test_held_out_patients_are_predicted_worse_than_seen_ones():
    from attrition import metrics, models

    trial = simulate.published_trial()
    found = modelcard.held_out("lgbm", trial, 3, 42)
    fitted = models.pipeline("lgbm", registry.VERSION, registry.STRATEGY).fit(trial, trial["dropout"])
    assert found["auroc"]["value"] < metrics.auroc(trial["dropout"], models.probability(fitted, trial)) - 0.1
    assert found["auroc"]["ci_low"] < found["auroc"]["value"] < found["auroc"]["ci_high"]


def test_the_card_holds_no_patient_and_says_what_it_is_not_for(tmp_path):
    from attrition import results

    trial = simulate.published_trial()
    data = results.publish(tmp_path / "trial.csv", simulate.csv_text(trial))
    scorer = registry.train("lr", trial, data, 5, 42)
    told = modelcard.table(scorer, modelcard.held_out("lr", trial, 3, 42)).set_index("fact")["value"]
    assert "not for care" in told["meant for"]
    assert told["inputs known"] == "after the follow-up"
    assert told["patients (dropouts)"] == "1,000 (525)"
    assert not told.str.contains("P-0").any()


def test_newcomers_are_admitted_and_the_oldest_is_outside():
    patients, refused = score.admit(modelcard.newcomers(42))
    assert not refused
    assert patients["age"].iloc[-1] == 97
    assert not set(patients["patient_id"]) & set(simulate.published_trial()["patient_id"])
