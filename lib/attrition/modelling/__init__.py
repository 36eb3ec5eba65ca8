"""Rows and tables of the modelling chapter: predictions beside the oracle, and what is shown of the studies."""

from attrition.modelling.rows import (
    SHOWN_MEASURES,
    best_first,
    chosen_table,
    imbalance_table,
    model_table,
    out_of_fold,
    tuning_sentence,
)

__all__ = [
    "SHOWN_MEASURES",
    "best_first",
    "chosen_table",
    "imbalance_table",
    "model_table",
    "out_of_fold",
    "tuning_sentence",
]
