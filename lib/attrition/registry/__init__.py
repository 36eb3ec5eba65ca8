"""The champion: chosen by a stated rule, saved without pickles, registered, and traceable to its data."""

from attrition.registry.champion import (
    ALIAS,
    EXAMPLE,
    NAME,
    STRATEGY,
    VERSION,
    choose,
    code_digest,
    folder,
    keep_predictions,
    load,
    pack,
    predictions_file,
    register,
    requirements,
    traces,
    train,
)
