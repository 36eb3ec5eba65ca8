"""Chapter 05's tables, and the facts that its sentences turn with."""

import numpy as np
import pandas as pd
import pytest

from attrition import metrics, models
from attrition.evaluation import coverage, performance
from attrition.metrics import evaluator, intervals
from notebook_report.results import MissingResult


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
    return performance.arrange(rows)


def test_arranged_predictions_are_those_of_each_patient_and_repeat(rows, held_out):
    assert held_out.y_prob["lr"].shape == (300, 3)
    assert held_out.y_prob["null"].shape == (300, 1)
    one = rows[(rows["model"] == "lr") & (rows["repeat"] == 2) & (rows["patient_id"] == "P-0007")]
    assert held_out.y_prob["lr"][7, 2] == one["y_prob"].item()
    np.testing.assert_array_equal(held_out.y_prob["oracle"][:, 0], held_out.true)


def test_a_model_without_all_patients_is_refused(rows):
    gap = rows[~((rows["model"] == "xgb") & (rows["patient_id"] == "P-0003") & (rows["repeat"] == 1))]
    with pytest.raises(ValueError, match="xgb"):
        performance.arrange(gap)


def test_a_patient_twice_in_a_repeat_is_refused(rows):
    with pytest.raises(ValueError, match="duplicate"):
        performance.arrange(pd.concat([rows, rows.iloc[:1]]))


def test_missing_predictions_name_the_chapter_that_makes_them(tmp_path):
    with pytest.raises(MissingResult, match="04"):
        performance.read_predictions(tmp_path / "oof_predictions.parquet")


def test_expected_auroc_is_the_mean_over_outcomes_drawn_from_the_truth(held_out, rng):
    drawn = [metrics.auroc((rng.random(300) < held_out.true).astype(int), held_out.true) for _ in range(400)]
    assert performance.expected_auroc(held_out)["oracle"] == pytest.approx(np.mean(drawn), abs=0.005)


def test_everybody_is_a_row_at_every_threshold(held_out, rng):
    table = performance.at_thresholds(held_out, {"call": 0.35}, intervals.bootstrap_weights(rng, 300, 20))
    everybody = table[table["model"] == "all"].iloc[0]
    assert everybody["flagged_per_100"] == 100
    assert everybody["recall"] == 1
    assert everybody["found_per_100"] == pytest.approx(100 * held_out.y.mean())


def test_dollars_of_contacting_everybody_stand_beside_the_models():
    curve = pd.DataFrame({"model": ["lr", "oracle"], "threshold": 0.5, "net_benefit": [0.2, 0.3]})
    table = performance.money_table(curve, np.array([0.1]), cost=45)
    assert dict(zip(table["model"], table["money"], strict=True)) == {"all": 450, "lr": 900, "oracle": 1350}


@pytest.mark.parametrize("threshold", [0.02, 0.35, 0.404, 0.97])
def test_money_at_any_threshold_is_gains_less_costs(held_out, rng, threshold):
    table = performance.at_thresholds(
        held_out, {"stated": threshold, "twice": threshold}, intervals.bootstrap_weights(rng, 300, 20)
    )
    worth = performance.money_at(table, "lr", threshold, cost=45)
    gain = 45 * (1 - threshold) / threshold

    def balance(flagged):
        return 100 * (gain * (flagged & (held_out.y == 1)).sum() - 45 * (flagged & (held_out.y == 0)).sum()) / 300

    own = np.mean([balance(column >= threshold) for column in held_out.y_prob["lr"].T])
    everybody = balance(np.ones(300, dtype=bool))
    assert worth["model"] == pytest.approx(own)
    assert worth["everybody"] == pytest.approx(everybody)
    assert worth["added"] == pytest.approx(own - max(everybody, 0))


def _interval(value, half=0.01):
    return {"value": value, "ci_low": value - half, "ci_high": value + half}


def test_dollars_leave_out_thresholds_that_are_too_low():
    curve = pd.DataFrame({"model": "lr", "threshold": [0.1, 0.5], "net_benefit": [0.4, 0.2]})
    table = performance.money_table(curve, np.array([0.3, 0.1]), cost=45, lowest=0.2)
    assert table["threshold"].tolist() == [0.5, 0.5]
    assert table["net_benefit"].tolist() == [0.1, 0.2]


def test_the_table_of_repeats_has_their_spread_and_that_of_averaged_scores(held_out):
    row = performance.auroc_by_repeat(held_out).set_index("model").loc[models.LABELS["lr"]]
    of_lr = held_out.y_prob["lr"]
    assert row["of_averaged_scores"] == pytest.approx(metrics.auroc(held_out.y, of_lr.mean(axis=1)))
    assert row["sd"] == pytest.approx(np.std([metrics.auroc(held_out.y, p) for p in of_lr.T], ddof=1))


@pytest.mark.parametrize(("half", "verdict"), [(0.01, "supported"), (0.045, "direction only"), (0.1, "not supported")])
def test_the_verdict_on_ranking_follows_the_interval(half, verdict):
    found = {m: {"auroc": _interval(v, 0.03)} for m, v in {"lr": 0.7, "xgb": 0.65, "lgbm": 0.6, "oracle": 0.75}.items()}
    gaps = {"lr_minus_xgb": {"auroc": _interval(0.05, half)}}
    facts = performance.discrimination(found, gaps, 0.01, {"lr": 0.7, "oracle": 0.75})
    assert (facts["verdict"], facts["best"], facts["second_name"]) == (verdict, "lr", "XGBoost")
    assert facts["share"] == pytest.approx(0.8)


def _conclusions(**use):
    yes = {"use": True, "better_from": 0.4, "better_to": 0.6, "best_threshold": 0.5}
    yes |= {"best_over_default": 0.05, "best_over_default_low": 0.02}
    no = {"use": False, "better_from": None, "better_to": None, "best_threshold": 0.5}
    no |= {"best_over_default": 0.0, "best_over_default_low": -0.01}
    return {model: yes if use.get(model) else no for model in ("lr", "xgb", "lgbm")}


def test_the_verdict_on_acting_can_be_no():
    facts = performance.decisions(_conclusions(), 0.35, 0.75, 0.01)
    assert facts == {"low": 0.35, "high": 0.75, "useful": [], "n_models": 3, "verdict": "not supported"}


@pytest.mark.parametrize(("smallest", "verdict"), [(0.01, "supported"), (0.03, "direction only")])
def test_the_verdict_on_acting_asks_whether_the_gain_matters(smallest, verdict):
    facts = performance.decisions(_conclusions(lr=True), 0.35, 0.75, smallest, (0.55, 0.35))
    assert facts["verdict"] == verdict
    assert (facts["won"], facts["lost"]) == ([0.55], [0.35])
    assert (facts["gain"], facts["at_least"], facts["smallest"]) == (5.0, 2.0, 100 * smallest)
    assert facts["useless"] == ["XGBoost", "LightGBM"]


@pytest.mark.parametrize(("threshold", "wins"), [(0.39, False), (0.4, True), (0.6, True), (0.61, False)])
def test_a_threshold_wins_within_the_range_of_use(threshold, wins):
    assert performance.wins_at(_conclusions(lr=True)["lr"], threshold) == wins
    assert not performance.wins_at(_conclusions()["lr"], threshold)


def test_calibration_names_who_is_too_extreme_off_level_or_neither():
    good = {"calibration_slope": _interval(1, 0.1), "calibration_in_the_large": _interval(0, 0.1)}
    steep = good | {"calibration_slope": _interval(0.4, 0.1)}
    off = good | {"calibration_in_the_large": _interval(0.4, 0.1), "calibration_slope": _interval(1.4, 0.1)}
    facts = performance.calibration({"lr": good, "xgb": steep, "lgbm": off})
    assert facts["too_extreme"] == ["XGBoost"]
    assert facts["off_level"] == ["LightGBM"]
    assert facts["calibrated"] == ["logistic regression"]
    assert facts["verdict"] == "exploratory"
    assert performance.calibration(dict.fromkeys(models.FITTED, steep))["verdict"] == "not supported"


@pytest.mark.parametrize(
    ("plain", "weighted", "verdict"),
    [
        (0.0, -1.0, "supported"),
        (0.5, -1.0, "not supported"),
        (-0.5, -1.0, "not supported"),
        (0.0, -0.1, "not supported"),
    ],
)
def test_class_weights_spoil_a_level_that_was_right_without_them(plain, weighted, verdict):
    rows = [
        {"trial": "rare", "strategy": name, "n_patients": 100, "n_events": 24, "auroc": 0.6, "recall": 0.5}
        | {"calibration_in_the_large": level, "ci_low": level - 0.2, "ci_high": level + 0.2, "flagged_per_100": 30.0}
        for name, level in {"none": plain, "class_weight": weighted}.items()
    ]
    facts = performance.class_weights(pd.DataFrame(rows), "rare")
    assert (facts["verdict"], facts["spoiled"]) == (verdict, verdict == "supported")
    assert (facts["rate"], facts["level_weighted"], facts["flagged_plain"]) == (0.24, weighted, 30.0)


def test_coverage_names_the_method_that_fails():
    row = {"measure": "AUROC", "method": "x", "coverage": 0.95, "ci_low": 0.94, "ci_high": 0.96}
    assert coverage.judged(pd.DataFrame([row]))["verdict"] == "supported"
    low = row | {"measure": "ICI", "coverage": 0.8, "ci_low": 0.78, "ci_high": 0.82}
    high = row | {"measure": "AUPRC", "coverage": 0.99, "ci_low": 0.98, "ci_high": 1.0}
    facts = coverage.judged(pd.DataFrame([row, low, high]))
    assert facts["outside"] == ["ICI (x)", "AUPRC (x)"]
    assert (facts["lowest"], facts["highest"], facts["methods"]) == (0.8, 0.99, 3)


@pytest.mark.parametrize(("n", "verdict"), [(1000, "supported"), (523, "supported"), (300, "not supported")])
def test_sample_size_follows_the_largest_need(n, verdict):
    needed = pd.DataFrame({"criterion": ["overall risk", "shrinkage"], "n_patients": [384, 523]})
    facts = performance.sample_size(needed, n, 0.9)
    assert (facts["verdict"], facts["criterion"], facts["n_needed"]) == (verdict, "shrinkage", 523)


def _in_subgroups(rng, held_out, shift=0.0):
    group = np.where(np.arange(300) < 240, "large", "little")
    p = {
        name: np.clip(y_prob - shift * (group == "large")[:, None], 0.01, 0.99)
        for name, y_prob in held_out.y_prob.items()
    }
    return evaluator.by_subgroup(held_out.y, p, {"size": group}, intervals.bootstrap_weights(rng, 300, 100))


@pytest.mark.parametrize("small", [False, True])
def test_the_column_size_stands_only_where_a_subgroup_is_small(held_out, rng, small):
    shown = performance.subgroup_display(_in_subgroups(rng, held_out).assign(small=small), "lr")
    assert ("size" in shown.columns) == small
    assert list(shown)[-3:] == ["auroc", "oracle_auroc", "calibration_in_the_large"]


def test_a_miscalibrated_subgroup_is_found_and_a_small_one_is_not_judged(held_out, rng):
    table = _in_subgroups(rng, held_out, shift=0.3)
    facts = performance.heterogeneity(
        table[(table["model"] == "oracle") & (table["measure"] == "calibration_in_the_large")]
    )
    assert facts["miscalibrated"] == ["size large"]
    assert (facts["n_subgroups"], facts["n_small"], facts["n_large"], facts["n_miscalibrated"]) == (2, 1, 1, 1)
    assert facts["expected_by_chance"] == 0.05


def test_age_groups_hold_every_year():
    names = performance.age_group(pd.Series(np.arange(18, 85)), [35, 50, 65])
    assert [(names == name).sum() for name in ("under 35", "35 to 49", "50 to 64", "65 and over")] == [17, 15, 15, 20]


def test_pairs_are_shown_from_logistic_regression_or_against_the_oracle(held_out, rng):
    assert ("xgb", "lr") in performance.pairs()
    pairs = [pair for pair in performance.pairs() if "lgbm" not in pair]
    only = {"auroc": metrics.auroc}
    compared = evaluator.compare(held_out.y, held_out.y_prob, pairs, intervals.bootstrap_weights(rng, 300, 20), only)
    shown = performance.paired_table(compared)
    expected = ["Logistic regression less XGBoost", "Logistic regression less Oracle", "XGBoost less Oracle"]
    assert shown["comparison"].tolist() == expected
    assert list(shown) == ["comparison", "n_patients", "n_events", "auroc"]


def test_a_model_is_of_use_within_its_range_only(held_out):
    found = {"better_from": 0.5, "better_to": 0.56, "best_threshold": 0.53}
    found |= {"best_over_default": 0.09, "best_over_default_low": 0.03}
    table = performance.conclusion_table({"xgb": found | {"use": True}, "lgbm": found | {"use": False}}, held_out)
    assert table["conclusion"].tolist() == ["use between 0.50 and 0.56 only", "do not use"]
