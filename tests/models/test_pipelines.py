"""Models: as published, deterministic, and each strategy does what its name says."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from xgboost import XGBClassifier

from attrition import features, models, simulate
from attrition.metrics import ranks

NAMES = ("lr", "xgb", "lgbm")


@pytest.fixture(scope="module")
def rare():
    """600 patients, 5 features, 15 % events, one informative feature."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(600, 5))
    y = (rng.random(600) < 1 / (1 + np.exp(2 - X[:, 0]))).astype(int)
    return X, y


def fitted(name, strategy, data):
    return models.classifier(name, strategy).fit(*data)


@pytest.mark.parametrize("name", NAMES)
def test_published_settings(name):
    settings = models.classifier(name).named_steps["classify"].get_params()
    expected = {
        "lr": {"class_weight": "balanced", "max_iter": 1000, "random_state": 42},
        "xgb": {"n_estimators": 200, "max_depth": 5, "learning_rate": 0.1, "random_state": 42, "n_jobs": 1},
        "lgbm": {
            "n_estimators": 200,
            "num_leaves": 31,
            "max_depth": 5,
            "learning_rate": 0.1,
            "class_weight": "balanced",
            "random_state": 42,
            "n_jobs": 1,
        },
    }[name]
    assert {key: settings[key] for key in expected} == expected


def test_logistic_pipeline_equals_its_parts(rare):
    X, y = rare
    scaled = StandardScaler().fit_transform(X)
    expected = LogisticRegression(class_weight="balanced", max_iter=1000).fit(scaled, y)
    got = models.probability(fitted("lr", "class_weight", rare), X)
    assert np.allclose(got, expected.predict_proba(scaled)[:, 1], atol=1e-8)


def test_positive_weight_is_that_of_the_training_rows(rare):
    X, y = rare
    half = slice(0, 300)
    weight = (y[half] == 0).sum() / (y[half] == 1).sum()
    plain = XGBClassifier(
        n_estimators=200, max_depth=5, learning_rate=0.1, random_state=42, n_jobs=1, scale_pos_weight=weight
    ).fit(X[half], y[half])
    pipeline = clone(fitted("xgb", "class_weight", rare)).fit(X[half], y[half])
    assert pipeline.named_steps["classify"].positive_weight_ == weight
    assert np.array_equal(models.probability(pipeline, X), ranks.settled(plain.predict_proba(X)[:, 1]))


@pytest.mark.parametrize("strategy", models.STRATEGIES)
@pytest.mark.parametrize("name", NAMES)
def test_same_bits_twice(name, strategy, rare):
    X, y = rare
    rare = X[:300], y[:300]
    first, second = (models.probability(fitted(name, strategy, rare), X) for _ in range(2))
    assert np.array_equal(first, second)
    assert ((first >= 0) & (first <= 1)).all()
    assert np.ptp(first) > 0.05


@pytest.mark.parametrize("strategy", ["class_weight", "smote", "undersample"])
def test_balancing_doubles_the_mean_probability_of_a_rare_outcome(strategy, rare):
    X, y = rare
    assert models.probability(fitted("lr", strategy, rare), X).mean() > 2 * y.mean()


def test_recalibration_gives_the_event_rate_back(rare):
    X, y = rare
    assert models.probability(fitted("lr", "recalibrated", rare), X).mean() == pytest.approx(y.mean(), abs=0.01)


def test_recalibration_keeps_the_ranking(rare):
    X, _ = rare
    weighted = models.probability(fitted("lr", "class_weight", rare), X)
    recalibrated = models.probability(fitted("lr", "recalibrated", rare), X)
    assert np.array_equal(np.argsort(weighted), np.argsort(recalibrated))


def test_moved_threshold_leaves_the_probabilities_alone(rare):
    X, _ = rare
    plain, moved = fitted("lr", "none", rare), fitted("lr", "threshold", rare)
    assert np.array_equal(models.probability(plain, X), models.probability(moved, X))


def test_resamplers_balance_and_predict_on_every_row(rare):
    X, y = rare
    for strategy, size in {"smote": 2 * (y == 0).sum(), "undersample": 2 * (y == 1).sum()}.items():
        sampler = models.classifier("lr", strategy).named_steps["resample"]
        assert len(sampler.fit_resample(X, y)[1]) == size
        assert len(fitted("lr", strategy, rare).predict(X)) == len(y)


def test_null_model_predicts_the_event_rate(rare):
    X, y = rare
    assert np.unique(models.probability(fitted("null", "none", rare), X)) == pytest.approx([y.mean()])


def test_pipeline_from_raw_columns_puts_features_first(rare):
    X, y = rare
    first = FunctionTransformer(lambda raw: raw[:, :2])
    pipe = models.pipeline("lr", first, "smote").fit(X, y)
    assert [name for name, _ in pipe.steps] == ["features", "scale", "resample", "classify"]
    assert pipe.named_steps["classify"].coef_.shape == (1, 2)


def test_a_fourth_model_is_one_entry(rare, monkeypatch):
    stump = models.Model(
        "Stump",
        lambda seed, weighted, **kw: models.MODELS["xgb"].build(seed, weighted, max_depth=1),
        False,
        {},
        "teal",
    )
    monkeypatch.setitem(models.MODELS, "stump", stump)
    assert models.classifier("stump").named_steps["classify"].max_depth == 1


@pytest.mark.parametrize(("name", "strategy"), [("svm", "none"), ("lr", "rose")])
def test_unknown_names_are_errors(name, strategy):
    with pytest.raises(KeyError):
        models.classifier(name, strategy)


@pytest.mark.parametrize("name", NAMES)
def test_saved_pipeline_takes_raw_rows_of_the_contract(name):
    trial = simulate.published_trial()
    pipe = models.pipeline(name).fit(trial, trial["dropout"])
    inputs = features.matrix(trial, "v3_causal")
    direct = models.classifier(name).fit(inputs, trial["dropout"])
    assert np.array_equal(models.probability(pipe, trial), models.probability(direct, inputs))
