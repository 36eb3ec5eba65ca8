"""What each group of features is worth: named ablations, paired differences with intervals, rankings."""

from attrition.ablation.groups import (
    PUBLISHED,
    STEPS,
    candidates,
    contrast,
    dropouts_gained,
    feature_sets,
    in_both_settings,
    in_words,
    interval,
    key,
    left_out_table,
    level,
    models_table,
    only_table,
    plan,
    single_features,
    sizes,
    steps_table,
    values,
    with_references,
)
