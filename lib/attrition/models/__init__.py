"""Models by name: from the raw columns of the contract to a probability of dropout, in one pipeline."""

from attrition.models.pipelines import (
    FITTED,
    IN_TEXT,
    LABELS,
    MODELS,
    PUBLISHED,
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
    "FITTED",
    "IN_TEXT",
    "LABELS",
    "MODELS",
    "PUBLISHED",
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
