"""Models by name: from the raw columns of the contract to a probability of dropout, in one pipeline.

What is fitted, evaluated and saved is one `Pipeline`: features, scaling, resampling and classifier. So no
step can be fitted on rows that the classifier must not see. `MODELS` is the registry: a fourth model is one
entry, and chapters 04 and 05 compare it with the others, under its own name and colour.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from attrition import settings
from attrition.features import FeatureVersion
from attrition.metrics import ranks
from attrition.metrics.calibration import logit

DECLARED = settings.declared(__file__, "models.yaml")
STRATEGIES: dict[str, str] = DECLARED["strategies"]
"""What can be done about a rare outcome, and its name in tables."""
PUBLISHED_STRATEGY = "class_weight"


class BalancedXGBClassifier(XGBClassifier):
    """XGBoost whose `scale_pos_weight` is negatives / positives of the rows that it is fitted on.

    A constant would be the ratio of some other set of rows in every fold of a cross-validation.
    """

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Self:
        """Fit with the ratio of `y`; see `xgboost.XGBClassifier.fit`."""
        positives = np.count_nonzero(np.asarray(y) == 1)
        self.positive_weight_ = (len(y) - positives) / positives
        return super().fit(X, y, **kwargs)

    def get_xgb_params(self) -> dict[str, Any]:
        """Parameters handed to the booster, the ratio among them."""
        return super().get_xgb_params() | {"scale_pos_weight": getattr(self, "positive_weight_", None)}


class Recalibrated(ClassifierMixin, BaseEstimator):
    """Fit a classifier, then map its log-odds onto the scale of the training rows (Platt's logistic map).

    The map, logit P(y = 1) = intercept + slope * logit(y_prob), is fitted on out-of-fold probabilities within
    the training rows, so the rows that a probability is recalibrated with have not made it.

    References
    ----------
    Platt J. Probabilities for SV machines. Advances in Large-Margin Classifiers, 2000.
    """

    def __init__(self, estimator: BaseEstimator | None = None, folds: int = 5, seed: int = 42):
        self.estimator, self.folds, self.seed = estimator, folds, seed

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the classifier on all rows and the map on out-of-fold rows."""
        inner = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        oof = cross_val_predict(clone(self.estimator), X, y, cv=inner, method="predict_proba")[:, 1]
        self.map_ = LogisticRegression(C=np.inf, max_iter=1000).fit(logit(oof)[:, None], y)
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.classes_ = self.estimator_.classes_
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Recalibrated probabilities, (n_patients, 2)."""
        return self.map_.predict_proba(logit(self.estimator_.predict_proba(X)[:, 1])[:, None])

    def predict(self, X: Any) -> np.ndarray:
        """1 where the recalibrated probability exceeds one half; (n_patients,)."""
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)


@dataclass(frozen=True)
class Model:
    """One entry of the registry.

    Attributes
    ----------
    label : str
        Name in tables.
    build : callable
        ``build(seed, weighted, **chosen)`` gives the unfitted classifier, with class weights if `weighted`.
    scaled : bool
        Whether its inputs are standardised within the pipeline.
    search : dict
        Candidate values of each setting, for `attrition.resampling.search`.
    hue : str
        Its colour in every figure, a key of `attrition.plots.style.LIGHT`.
    trusted : tuple of str
        Types beyond scikit-learn's own that a saved model of this kind may contain. A person has reviewed each.
    """

    label: str
    build: Callable[..., BaseEstimator]
    scaled: bool
    search: dict[str, Any]
    hue: str
    trusted: tuple[str, ...] = ("attrition.features.FeatureVersion",)

    @property
    def in_text(self) -> str:
        """Its name within a sentence: lower case, but for names such as XGBoost."""
        return self.label.lower() if self.label[1:].islower() else self.label


def _logistic(seed: int, weighted: bool, **chosen: Any) -> BaseEstimator:
    weight = "balanced" if weighted else None
    return LogisticRegression(**{"class_weight": weight, "max_iter": 1000, "random_state": seed} | chosen)


def _xgboost(seed: int, weighted: bool, **chosen: Any) -> BaseEstimator:
    kind = BalancedXGBClassifier if weighted else XGBClassifier
    return kind(**DECLARED["published"]["xgb"] | {"random_state": seed} | chosen)


def _lightgbm(seed: int, weighted: bool, **chosen: Any) -> BaseEstimator:
    weight = {"class_weight": "balanced" if weighted else None, "random_state": seed}
    return LGBMClassifier(**DECLARED["published"]["lgbm"] | weight | chosen)


def _null(seed: int, weighted: bool, **chosen: Any) -> BaseEstimator:
    return DummyClassifier(strategy="prior")


MODELS: dict[str, Model] = {
    "lr": Model("Logistic regression", _logistic, True, {"C": np.logspace(-4, 2, 25).tolist()}, "blue"),
    "xgb": Model("XGBoost", _xgboost, False, DECLARED["search"]["xgb"], "vermilion"),
    "lgbm": Model("LightGBM", _lightgbm, False, DECLARED["search"]["lgbm"], "green"),
    "null": Model("Null (prevalence)", _null, False, {}, "muted"),
}
PUBLISHED = ("lr", "xgb", "lgbm")
"""The models whose performance was published; chapter 03 and the claims are about these."""
FITTED = [name for name in MODELS if name != "null"]
"""The models that chapters 04 and 05 compare: all that learn something; `add` takes in further ones."""
LABELS = {name: model.label for name, model in MODELS.items()} | {"oracle": "Oracle"}
IN_TEXT = {name: MODELS[name].in_text for name in FITTED} | {"oracle": "oracle", "null": "null"}
"""Models as sentences and legends name them."""


def add(name: str, model: Model) -> None:
    """Declare a further model in a cell: from there on it is compared, tabled and drawn like the others.

    It is asked for by its `name`, as in `MODELS`; a cell that is run again replaces it. It has a hue that no other has.
    """
    if name not in MODELS:
        FITTED.append(name)
    MODELS[name], LABELS[name], IN_TEXT[name] = model, model.label, model.in_text


def classifier(model: str, strategy: str = PUBLISHED_STRATEGY, seed: int = 42, **chosen: Any) -> Pipeline:
    """Pipeline from a numeric feature matrix to a probability: scaling, resampling, classifier.

    A moved threshold leaves the probabilities alone.

    >>> [name for name, _ in classifier("lr", "smote").steps]
    ['scale', 'resample', 'classify']
    """
    entry, _ = MODELS[model], STRATEGIES[strategy]
    last = entry.build(seed, strategy in ("class_weight", "recalibrated"), **chosen)
    if strategy == "recalibrated":
        last = Recalibrated(last, seed=seed)
    steps: list[tuple[str, Any]] = [("scale", StandardScaler())] if entry.scaled else []
    if strategy in ("smote", "undersample"):
        from imblearn import over_sampling, under_sampling  # takes a second, which most kernels do without
        from imblearn.pipeline import Pipeline as ResamplingPipeline

        sampler = over_sampling.SMOTE if strategy == "smote" else under_sampling.RandomUnderSampler
        return ResamplingPipeline([*steps, ("resample", sampler(random_state=seed)), ("classify", last)])
    return Pipeline([*steps, ("classify", last)])


def pipeline(
    model: str,
    features: str | TransformerMixin = "v3_causal",
    strategy: str = PUBLISHED_STRATEGY,
    seed: int = 42,
    **chosen: Any,
) -> Pipeline:
    """Pipeline from raw contract columns to a probability of dropout: a step ``features``, then those of `classifier`.

    Parameters
    ----------
    model : str
        Key of `MODELS`.
    features : str or transformer
        Feature version, or a transformer from raw columns to the model's inputs.
    strategy, seed, **chosen
        As in `classifier`.

    Examples
    --------
    >>> [name for name, _ in pipeline("xgb").steps]
    ['features', 'classify']
    """
    first = FeatureVersion(features) if isinstance(features, str) else clone(features)
    inner = classifier(model, strategy, seed, **chosen)
    return type(inner)([("features", first), *inner.steps])


def probability(fitted: BaseEstimator, X: Any) -> np.ndarray:
    """Predicted probability of dropout, (n_patients,), as float64 and settled (see `ranks.settled`)."""
    return ranks.settled(fitted.predict_proba(X)[:, 1])
