"""Chapter 05's tables: averages over repeats, paired differences, and sentences that follow the numbers."""

import types

import numpy as np
import pandas as pd
import pytest

from attrition import evaluation, metrics, report
from attrition.evaluation import appraisal
from attrition.metrics import intervals
from attrition.results import MissingResult


@pytest.fixture
def rng():
    return np.random.default_rng(61)


def _rows(rng, n=300, n_repeats=3):
    true = rng.uniform(0.1, 0.9, n)
    y = (rng.random(n) < true).astype(int)
    ids = [f"P-{i:04d}" for i in range(n)]
    frames = []
    for repeat in range(n_repeats):
        noisy = np.clip(true + rng.normal(0, 0.15, n), 0.01, 0.99)
        for model, p in (("lr", noisy), ("xgb", rng.permutation(noisy)), ("null", np.full(n, y.mean()))):
            frame = {"model": model, "repeat": repeat, "fold": 0, "patient_id": ids, "y": y, "y_prob": p}
            frames.append(pd.DataFrame(frame | {"true_probability": true}))
    return pd.concat(frames).sample(frac=1, random_state=1)


@pytest.fixture
def rows(rng):
    return _rows(rng)


@pytest.fixture
def held_out(rows):
    return evaluation.arrange(rows)


def test_arranged_predictions_are_those_of_each_patient_and_repeat(rows, held_out):
    assert held_out.y_prob["lr"].shape == (300, 3)
    assert held_out.y_prob["null"].shape == (300, 1)
    one = rows[(rows["model"] == "lr") & (rows["repeat"] == 2) & (rows["patient_id"] == held_out.patient_id[7])]
    assert held_out.y_prob["lr"][7, 2] == one["y_prob"].item()
    np.testing.assert_array_equal(held_out.y_prob["oracle"][:, 0], held_out.true)


def test_a_model_without_all_patients_is_refused(rows):
    gap = rows[~((rows["model"] == "xgb") & (rows["patient_id"] == "P-0003") & (rows["repeat"] == 1))]
    with pytest.raises(ValueError, match="xgb"):
        evaluation.arrange(gap)


def test_a_patient_twice_in_a_repeat_is_refused(rows):
    with pytest.raises(ValueError, match="duplicate"):
        evaluation.arrange(pd.concat([rows, rows.iloc[:1]]))


def test_missing_predictions_name_the_chapter_that_makes_them(tmp_path):
    with pytest.raises(MissingResult, match="04"):
        evaluation.read_predictions(tmp_path / "oof_predictions.parquet")


def test_every_model_has_every_measure_with_its_interval(held_out, rng):
    found = evaluation.performance(held_out, intervals.bootstrap_weights(rng, 300, 60), 0.35, 20)
    assert list(found) == ["lr", "xgb", "oracle", "null"]
    for measures in found.values():
        assert set(measures) == {*evaluation.MEASURES, "net_benefit"}
        for name, interval in measures.items():
            if np.isfinite(interval["value"]):
                assert interval["ci_low"] <= interval["value"] <= interval["ci_high"], name
    assert np.isnan(found["null"]["calibration_slope"]["value"])
    expected = np.mean([metrics.auroc(held_out.y, p) for p in held_out.y_prob["lr"].T])
    assert found["lr"]["auroc"]["value"] == pytest.approx(expected)


def test_paired_differences_are_those_of_the_values_and_narrower(held_out, rng):
    weights = intervals.bootstrap_weights(rng, 300, 300)
    found = evaluation.performance(held_out, weights, 0.35, 20)
    gap = evaluation.paired(held_out, [("lr", "oracle")], weights, 0.35)["lr_less_oracle"]["auroc"]
    assert gap["value"] == pytest.approx(found["lr"]["auroc"]["value"] - found["oracle"]["auroc"]["value"])
    width = found["lr"]["auroc"]["ci_high"] - found["lr"]["auroc"]["ci_low"]
    assert gap["ci_high"] - gap["ci_low"] < width


def test_expected_auroc_is_the_mean_over_outcomes_drawn_from_the_truth(held_out, rng):
    drawn = [metrics.auroc((rng.random(300) < held_out.true).astype(int), held_out.true) for _ in range(400)]
    assert evaluation.expected_auroc(held_out)["oracle"] == pytest.approx(np.mean(drawn), abs=0.005)


def test_everybody_is_a_row_at_every_threshold(held_out, rng):
    table = evaluation.at_thresholds(held_out, {"call": 0.35}, intervals.bootstrap_weights(rng, 300, 20))
    everybody = table[table["model"] == "all"].iloc[0]
    assert everybody["flagged_per_100"] == 100
    assert everybody["recall"] == 1
    assert everybody["found_per_100"] == pytest.approx(100 * held_out.y.mean())


def test_dollars_of_contacting_everybody_stand_beside_the_models():
    curve = pd.DataFrame({"model": ["lr", "oracle"], "threshold": 0.5, "net_benefit": [0.2, 0.3]})
    table = evaluation.money_table(curve, np.array([0.1]), cost=45)
    assert dict(zip(table["model"], table["money"], strict=True)) == {"all": 450, "lr": 900, "oracle": 1350}


@pytest.mark.parametrize("threshold", [0.02, 0.35, 0.404, 0.97])
def test_money_at_any_threshold_is_gains_less_costs(held_out, rng, threshold):
    table = evaluation.at_thresholds(
        held_out, {"stated": threshold, "twice": threshold}, intervals.bootstrap_weights(rng, 300, 20)
    )
    worth = evaluation.money_at(table, "lr", threshold, cost=45)
    gain = 45 * (1 - threshold) / threshold

    def balance(flagged):
        return 100 * (gain * (flagged & (held_out.y == 1)).sum() - 45 * (flagged & (held_out.y == 0)).sum()) / 300

    own = np.mean([balance(column >= threshold) for column in held_out.y_prob["lr"].T])
    everybody = balance(np.ones(300, dtype=bool))
    assert worth["model"] == pytest.approx(own)
    assert worth["everybody"] == pytest.approx(everybody)
    assert worth["added"] == pytest.approx(own - max(everybody, 0))


@pytest.mark.parametrize(
    ("threshold", "added", "oracle", "words"),
    [
        (0.5, 450.0, 900.0, "adds 450, an advantage whose band excludes none"),
        (0.3, 450.0, 100.0, "adds 450, an advantage that its band does not tell from none"),
        (0.3, -20.0, 100.0, "adds nothing (-20)"),
    ],
)
def test_the_sentence_on_money_says_what_is_shown_and_what_is_luck(threshold, added, oracle, words):
    worth = {"model": 450.0 + added, "everybody": 450.0, "added": added, "oracle": oracle}
    said = appraisal.money(worth, {"use": True, "better_from": 0.4, "better_to": 0.6}, threshold)
    said = report.fill(said["sentence"], said).replace("\u2212", "-")
    assert words in said
    assert f"At the threshold {threshold:g} " in said
    assert ("luck" in said) == (added > oracle)


@pytest.mark.parametrize(
    ("slope", "level", "words"), [(1.0, 0.0, "not refuted there"), (0.9, 0.0, "its slope is off"), (0.9, 0.2, "both")]
)
def test_known_calibration_is_set_beside_what_one_trial_says(slope, level, words):
    assert words in appraisal.known_calibration(_interval(slope, 0.05), _interval(level, 0.05))["sentence"]


def _interval(value, half):
    return {"value": value, "ci_low": value - half, "ci_high": value + half}


@pytest.mark.parametrize(("half", "verdict"), [(0.01, "supported"), (0.045, "direction only"), (0.1, "not supported")])
def test_the_sentence_on_ranking_follows_the_interval(half, verdict):
    found = {m: {"auroc": _interval(v, 0.03)} for m, v in {"lr": 0.7, "xgb": 0.65, "lgbm": 0.6, "oracle": 0.75}.items()}
    gaps = {"lr_less_xgb": {"auroc": _interval(0.05, half)}}
    expected = {"lr": 0.7, "oracle": 0.75}
    said = appraisal.discrimination(found, gaps, 0.01, expected)
    assert said["verdict"] == verdict
    assert said["best"] == "lr"
    assert said["share"] == pytest.approx(0.8)


def test_the_sentence_on_acting_can_be_no():
    no = {"use": False, "better_from": None, "better_to": None, "best_threshold": 0.5}
    no |= {"best_over_default": 0.0, "best_over_default_low": -0.01}
    yes = no | {
        "use": True,
        "better_from": 0.4,
        "better_to": 0.6,
        "best_over_default": 0.05,
        "best_over_default_low": 0.02,
    }
    assert appraisal.decisions(dict.fromkeys(appraisal.FITTED, no), 0.35, 0.75, 0.01)["verdict"] == "not supported"
    mixed = appraisal.decisions({"lr": yes, "xgb": no, "lgbm": no}, 0.35, 0.75, 0.01)
    assert mixed["verdict"] == "supported"
    assert "Do not use XGBoost and LightGBM" in mixed["sentence"]
    at = appraisal.decisions({"lr": yes, "xgb": no, "lgbm": no}, 0.35, 0.75, 0.01, (0.55, 0.35))
    assert at["where"] == "at 0.55 and not at 0.35"
    assert appraisal.decisions({"lr": yes, "xgb": no, "lgbm": no}, 0.35, 0.75, 0.03)["verdict"] == "direction only"


def test_the_sentence_on_calibration_names_who_is_too_extreme():
    good = {"calibration_slope": _interval(1, 0.1), "calibration_in_the_large": _interval(0, 0.1)}
    steep = good | {"calibration_slope": _interval(0.4, 0.1)}
    said = appraisal.calibration({"lr": good, "xgb": steep, "lgbm": good})
    assert said["too_extreme"] == ["xgb"]
    assert said["calibrated"] == ["lr", "lgbm"]
    assert said["sentence"].startswith("Predictions of XGBoost are too extreme")


def test_the_sentence_on_coverage_names_the_method_that_fails():
    row = {"measure": "AUROC", "method": "x", "coverage": 0.95, "ci_low": 0.94, "ci_high": 0.96}
    fine = pd.DataFrame([row])
    assert appraisal.coverage(fine)["verdict"] == "supported"
    bad = pd.DataFrame([row, row | {"measure": "ICI", "coverage": 0.8, "ci_low": 0.78, "ci_high": 0.82}])
    assert appraisal.coverage(bad)["outside"] == ["ICI (x)"]


@pytest.mark.parametrize(("n", "verdict"), [(1000, "supported"), (300, "not supported")])
def test_the_sentence_on_sample_size_follows_the_largest_need(n, verdict):
    needed = pd.DataFrame({"criterion": ["overall risk", "shrinkage"], "n": [384, 523]})
    said = appraisal.sample_size(needed, n, 0.9)
    assert said["verdict"] == verdict
    assert said["criterion"] == "shrinkage"


@pytest.mark.parametrize("small", [False, True])
def test_the_column_size_stands_only_where_a_subgroup_is_small(small):
    row = {"characteristic": "arm", "subgroup": "A", "n": 100, "events": 50, "small": small}
    row |= {f"{name}{end}": 0.5 for name in ("auroc", "calibration_in_the_large") for end in ("", "_low", "_high")}
    shown = evaluation.subgroup_display(pd.DataFrame([row]), pd.DataFrame([row]))
    assert ("size" in shown.columns) == small


def test_a_model_is_of_use_within_its_range_only():
    found = {"better_from": 0.5, "better_to": 0.56, "best_threshold": 0.53}
    found |= {"best_over_default": 0.09, "best_over_default_low": 0.03}
    patients = types.SimpleNamespace(y=np.array([0, 1]))
    table = evaluation.conclusion_table({"xgb": found | {"use": True}, "lgbm": found | {"use": False}}, patients)
    assert table["conclusion"].tolist() == ["use between 0.50 and 0.56 only", "do not use"]
