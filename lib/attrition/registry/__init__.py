"""The champion: chosen by a stated rule, saved without pickles, registered, and traceable to its data."""

from attrition.registry.champion import (
    ALIAS,
    EXAMPLE,
    NAME,
    STRATEGY,
    VERSION,
    Record,
    choose,
    code_digest,
    folder,
    keep_predictions,
    load,
    pack,
    register,
    requirements,
    traces,
    train,
)
