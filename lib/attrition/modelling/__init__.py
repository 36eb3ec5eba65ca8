"""Rows and tables of the modelling chapter: predictions beside the oracle, and what is shown of the studies."""

from attrition.modelling.rows import (
    SHOWN_MEASURES,
    best_first,
    chosen_sentence,
    chosen_table,
    fold_summary,
    imbalance_table,
    model_table,
    out_of_fold,
    rate_labels,
    schemes_table,
    tuning_sentence,
)
