"""LightGBM's trees walked by XGBoost give LightGBM's scores."""

import numpy as np
import pytest
from scipy.special import expit, logit

from attrition import features, models
from attrition.models import boosters
from attrition.studies.ablation import Sizes, draw, population, positions


@pytest.fixture(scope="module")
def setting():
    columns = positions(features.VERSIONS["v3_causal"])
    trial = draw(7, "default", 0, Sizes())
    return trial.X_train[:, columns], trial.y_train, population(7, "default", 4000).X[:, columns]


@pytest.mark.parametrize("model", ["xgb", "lgbm"])
def test_scores_equal_the_published_pipeline(setting, model):
    X, y, patients = setting
    expected = models.probability(models.classifier(model).fit(X, y), patients)
    ours = expit(boosters.fit_score(model, "class_weight", X, y)(patients))
    np.testing.assert_allclose(ours, expected, atol=1e-6)  # XGBoost's probabilities are of single precision


def test_trees_may_be_single_leaves():
    X, y = np.zeros((60, 2)), np.repeat([0, 1], [20, 40])
    score = boosters.fit_score("lgbm", "none", X, y)(X[:3])
    np.testing.assert_allclose(score, np.log(2), atol=1e-5)


def test_values_at_a_threshold_go_left(setting):
    """Whole numbers of days split at halves and at whole numbers; every one of them must fall on LightGBM's side."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 9, size=(500, 3)).astype(float)
    y = (rng.random(500) < 0.1 + 0.08 * X[:, 0]).astype(int)
    expected = logit(models.probability(models.classifier("lgbm").fit(X, y), X))
    np.testing.assert_allclose(boosters.fit_score("lgbm", "class_weight", X, y)(X), expected, atol=2e-5)


def test_categorical_splits_are_refused():
    with pytest.raises(ValueError, match="categorical"):
        boosters.parse_lightgbm("header\nTree=0\nnum_leaves=2\nnum_cat=1\nthreshold=0\n\n")
