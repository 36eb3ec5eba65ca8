"""Models by name: from the raw columns of the contract to a probability of dropout, in one pipeline."""

from attrition.models.pipelines import (
    LABELS,
    MODELS,
    PUBLISHED_STRATEGY,
    STRATEGIES,
    BalancedXGBClassifier,
    Model,
    PrevalenceThreshold,
    Recalibrated,
    classifier,
    pipeline,
    probability,
    threshold,
)

__all__ = [
    "LABELS",
    "MODELS",
    "PUBLISHED_STRATEGY",
    "STRATEGIES",
    "BalancedXGBClassifier",
    "Model",
    "PrevalenceThreshold",
    "Recalibrated",
    "classifier",
    "pipeline",
    "probability",
    "threshold",
]
