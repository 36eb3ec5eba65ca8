"""What each way of leaking would have been worth: the same model and folds, once honest and once not."""

from attrition.leaks.prices import (
    COLUMNS,
    FEATURES,
    HOW,
    LABELS,
    PROCEDURES,
    Leak,
    feature_prices,
    filled,
    price,
    price_list,
    wide_candidates,
    wrong_way,
)

__all__ = [
    "COLUMNS",
    "FEATURES",
    "HOW",
    "LABELS",
    "PROCEDURES",
    "Leak",
    "feature_prices",
    "filled",
    "price",
    "price_list",
    "wide_candidates",
    "wrong_way",
]
