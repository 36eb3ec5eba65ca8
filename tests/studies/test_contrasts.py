"""Contrasts of the simulation study: intervals, pairing, tables, and other splits of the published trial."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attrition import features, simulate
from attrition.studies import ablation, contrasts, published
from attrition.studies.ablation import Sizes, Study, key
from notebook_report import results


@pytest.fixture(scope="module")
def small():
    """All candidates of chapter 03 on five short trials and a small population."""
    return ablation.run(11, dict.fromkeys(ablation.SETTINGS, ablation.candidates(5, 2, 2, 5)), Sizes(300, 60, 2000))


@pytest.fixture(scope="module")
def found(small):
    return contrasts.results(small, 0.01)


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial()


def test_feature_sets_are_named_by_what_they_lack_or_hold():
    sets = ablation.feature_sets()
    final = features.VERSIONS["v3_causal"]
    for name in final:
        assert set(final) - set(sets[f"without_{name}"]) == {name}
    for group, members in features.GROUPS.items():
        assert sets[f"only_{group}"] == members


def test_interval_is_the_t_interval():
    values = np.random.default_rng(3).normal(0.02, 0.01, 40)
    found = contrasts.interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((expected.low, expected.high))
    assert found["spread_low"] < found["ci_low"] < found["value"] < found["ci_high"] < found["spread_high"]


def test_population_variance_widens_the_interval():
    values = np.random.default_rng(3).normal(0.02, 0.01, 40)
    plain, wide = contrasts.interval(values), contrasts.interval(values, 1e-4)
    assert wide["mc_se"] == pytest.approx(np.hypot(plain["mc_se"], 0.01))
    assert wide["spread_low"] == plain["spread_low"]


def test_interval_covers_the_mean_95_times_in_100():
    draws = np.random.default_rng(8).exponential(size=(2000, 60))
    covered = [part["ci_low"] <= 1 <= part["ci_high"] for part in map(contrasts.interval, draws)]
    assert 0.925 < np.mean(covered) < 0.97


@pytest.mark.slow
def test_contrasts_are_paired(small):
    better, worse = key("v3_causal"), key("v1_counts")
    wide = small.trials[small.trials["setting"] == "p24"].pivot_table(index="replicate", columns="key", values="auroc")
    found = contrasts.contrast(small, "p24", better, worse)
    assert found["value"] == pytest.approx((wide[better] - wide[worse]).mean())
    c = small.covariance["p24"].loc[[better, worse], [better, worse]].to_numpy()
    variance = (wide[better] - wide[worse]).var() / 5 + c[0, 0] + c[1, 1] - 2 * c[0, 1]
    assert found["mc_se"] == pytest.approx(np.sqrt(variance))


@pytest.mark.slow
def test_contrast_with_fewer_trees_uses_the_trials_both_have(small):
    assert contrasts.contrast(small, "default", key("v3_causal"), key("v3_causal", "xgb"))["n_replicates"] == 2


@pytest.mark.slow
def test_steps_add_up(found):
    for setting in ("default", "p24"):
        part = found["paired"][setting]
        parts = [part[step]["value"] for step in ("rates_minus_counts", "interactions", "domain")]
        assert sum(parts) == pytest.approx(part["v3_minus_v1"]["value"], abs=1e-12)


@pytest.mark.slow
def test_unknown_candidate_is_named(small):
    with pytest.raises(KeyError, match="v9"):
        contrasts.values(small, "default", key("v9"))


def test_dropouts_gained_by_simulation():
    """Scores of equal variance, a third flagged: count the dropouts above the cut."""
    rng = np.random.default_rng(4)
    n, caught = 2_000_000, []
    y, noise = rng.random(n) < 0.24, rng.normal(size=n)
    for area in (0.70, 0.76):
        score = noise + y * np.sqrt(2) * stats.norm.ppf(area)
        caught.append((y & (score > np.quantile(score, 2 / 3))).mean() * 1000)
    assert contrasts.dropouts_gained(0.70, 0.06, 0.24) == pytest.approx(caught[1] - caught[0], abs=0.3)


@pytest.mark.slow
def test_tables_carry_chance_and_oracle(found):
    table = contrasts.models_table(found).query("setting == 'default'")
    assert table["label"].iloc[[0, -1]].tolist() == ["Chance", "Oracle"]
    assert table["share_of_lift"].iloc[[0, -1]].tolist() == [0, 1]


@pytest.mark.slow
def test_result_keys_of_the_ledger(found):
    interval = {"value", "ci_low", "ci_high", "mc_se"}
    for setting in ("default", "p24"):
        assert set(found["paired"][setting]) == set(contrasts.STEPS)
        assert set(found["leave_one_out"][setting]) == set(features.VERSIONS["v3_causal"])
        places = [*found["paired"][setting].values(), *found["leave_one_out"][setting].values()]
        places += [found["models"][setting][name] for name in ("lr", "lr_minus_lgbm", "lgbm_minus_xgb", "lr_minus_xgb")]
        places += [found["models"][setting]["lr_v3_minus_xgb_v1"], found["single_split_sd"][setting]]
        assert all(interval <= set(place) for place in places)
    assert results.plain(found)["smallest_difference"] == 0.01


@pytest.mark.slow
def test_left_out_table_is_ranked(found):
    table = contrasts.left_out_table(found).query("setting == 'default'")
    assert table["value"].is_monotonic_decreasing
    assert table["rank"].tolist() == list(range(1, 10))


def test_published_split_equals_the_published_protocol(trial):
    parts = published.split(trial)
    fitted = published.estimators(parts.y_train)["lr"].fit(parts.X_train, parts.y_train)
    from sklearn.metrics import roc_auc_score

    expected = roc_auc_score(parts.y_test, fitted.predict_proba(parts.X_test)[:, 1])
    assert published.one_split(trial, "v3_causal", "lr")["auroc"] == pytest.approx(expected, abs=1e-12)


def test_many_splits_are_paired_and_centred_near_the_published_one(trial):
    table = published.many_splits(trial, 60, 1, ["v1_counts", "v3_causal"])
    assert table.shape == (60, 2)
    assert table.corr().iloc[0, 1] > 0.5
    assert 0.01 < table["v3_causal"].std() < 0.06


def test_ordering_counts_trials():
    rng = np.random.default_rng(2)
    test = pd.DataFrame({"lr": rng.random(30), "xgb": rng.random(30), "lgbm": rng.random(30)})
    rows = [
        {
            "setting": "default",
            "replicate": r,
            "key": key("v3_causal", m),
            "auroc": a,
            "test_auroc": test[m][r],
        }
        for m, a in (("lr", 0.7), ("xgb", 0.6), ("lgbm", 0.65))
        for r in range(30)
    ]
    keys = [*dict.fromkeys(row["key"] for row in rows), "oracle"]
    covariance = pd.DataFrame(0.0, index=keys, columns=keys)
    found = contrasts.ordering(Study(pd.DataFrame(rows), {"default": covariance}, pd.DataFrame()), "default")
    assert found["best_in_population"] == "Logistic regression"
    assert found["lr_below_xgb"] == pytest.approx((test["lr"] < test["xgb"]).mean())
    assert found["best_missed"] == pytest.approx((test.max(axis=1) > test["lr"]).mean())
