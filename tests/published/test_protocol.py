"""The published protocol, against a plain scikit-learn script of the same steps."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition import features, published, simulate


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial()


@pytest.fixture(scope="module")
def parts(trial):
    return published.split(trial)


@pytest.fixture(scope="module")
def found(parts):
    return {name: published.evaluate(model, parts) for name, model in published.estimators(parts.y_train).items()}


@pytest.fixture(scope="module")
def plain(trial):
    X = StandardScaler().fit_transform(features.matrix(trial, "v3_causal").to_numpy())
    y = trial["dropout"].to_numpy()
    return train_test_split(X, y, test_size=0.2, random_state=42, stratify=y)


def test_logistic_regression_equals_a_plain_script(found, plain):
    X_train, X_test, y_train, y_test = plain
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000, random_state=42))
    folds = cross_val_score(model, X_train, y_train, cv=StratifiedKFold(5), scoring="roc_auc")
    assert found["lr"]["fold_auroc"] == pytest.approx(folds, abs=1e-12)
    assert found["lr"]["cv_sd"] == pytest.approx(folds.std())
    y_prob = model.fit(X_train, y_train).predict_proba(X_test)[:, 1]
    assert found["lr"]["test_auroc"] == pytest.approx(roc_auc_score(y_test, y_prob), abs=1e-12)
    labels = model.predict(X_test)
    assert found["lr"]["recall"] == recall_score(y_test, labels)
    assert found["lr"]["precision"] == precision_score(y_test, labels)
    assert found["lr"]["f1"] == pytest.approx(f1_score(y_test, labels))
    counts = found["lr"]["confusion"]
    assert [counts[k] for k in ("tn", "fp", "fn", "tp")] == confusion_matrix(y_test, labels).ravel().tolist()


@pytest.mark.parametrize(("name", "measure"), [("lr", "test_auroc"), ("lr", "cv_auroc"), ("xgb", "test_auroc")])
def test_discrimination_reproduces_within_rounding(name, measure, found):
    assert round(found[name][measure], 3) == published.PUBLISHED[name][measure]


def test_recall_does_not_reproduce(found):
    assert found["lr"]["recall"] < 0.5 < published.PUBLISHED["lr"]["recall"]


def test_split_keeps_the_event_rate_of_the_data(trial, parts):
    sizes = published.sizes(parts)
    assert sizes["train_0"] + sizes["train_1"] == 800
    assert sizes["test_0"] + sizes["test_1"] == 200
    assert sizes["train_1"] / 800 == pytest.approx(trial["dropout"].mean(), abs=0.001)


def test_weights_and_smote_follow_from_the_counts(parts):
    sizes, smote = published.sizes(parts), published.smote_counts(parts)
    assert published.positive_weight(parts.y_train) == sizes["train_0"] / sizes["train_1"]
    assert smote["after_0"] == smote["after_1"] == max(sizes["train_0"], sizes["train_1"])


def test_gain_shares_sum_to_one_and_coefficients_are_named(parts):
    shares = published.gain_shares(parts)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-6)
    assert list(shares) == list(published.coefficients(parts)) == list(features.VERSIONS["v3_causal"])


def test_without_balancing_nobody_is_missed_altogether(parts):
    assert all(0.3 < model["recall"] < 0.8 for model in published.unbalanced(parts).values())


def test_random_data_have_chance_discrimination():
    chance = published.random_baseline(simulate.random_baseline())
    n_events = chance["n_events_test"]
    se = np.sqrt((1 / n_events + 1 / (200 - n_events)) / 12)
    assert abs(chance["balanced"]["test_auroc"] - 0.5) < 3 * se
    assert chance["unbalanced"]["recall"] == 0


def test_nobody_flagged_gives_zero_precision():
    nobody = published.at_threshold(np.array([0, 1]), np.array([0.1, 0.2]))
    assert (nobody["precision"], nobody["recall"], nobody["f1"]) == (0, 0, 0)


def test_configured_folds_are_refused_by_scikit_learn():
    assert "random_state" in published.stratified_kfold_error()


def test_comparison_marks_what_rounds_to_the_printed_figure(trial):
    table = published.comparison(published.replicate(trial, simulate.random_baseline(), n_candidates=2))
    assert len(table) == 15 + len(published.OTHERS)
    assert np.allclose(table["difference"], table["found"] - table["published"])
    assert (table.loc[table["reproduces"], "difference"].abs() < 0.0051).all()
    auroc = table[(table["key"] == "lr") & (table["measure"] == "test_auroc")]
    assert auroc["reproduces"].item()
    assert published.conclude(table)["verdict"] == "not supported", "a claim of several figures is as good as its worst"
    assert published.conclude(table.assign(reproduces=True))["verdict"] == "reproduced"
    assert published.conclude(table.assign(reproduces=False))["verdict"] == "not supported"


@pytest.mark.slow
def test_same_numbers_on_every_run(trial):
    baseline = simulate.random_baseline()
    first, second = (published.replicate(trial, baseline, n_candidates=2) for _ in range(2))
    assert first == second
