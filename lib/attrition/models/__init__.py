"""Models by name: from the raw columns of the contract to a probability of dropout, in one pipeline."""

from attrition.models.pipelines import (
    FITTED,
    IN_TEXT,
    LABELS,
    MODELS,
    PUBLISHED,
    STRATEGIES,
    Model,
    classifier,
    pipeline,
    probability,
    threshold,
)
