"""Repeated and nested cross-validation to tidy out-of-fold rows."""

from attrition.resampling.folds import (
    OOF_COLUMNS,
    Fold,
    out_of_fold,
    per_fold,
    per_repeat,
    repeated_folds,
    unshuffled_folds,
)
