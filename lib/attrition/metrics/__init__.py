"""Measures of prediction: one measure, one pure function of arrays."""

from attrition.metrics.calibration import calibration_curve, calibration_in_the_large, calibration_slope, ici
from attrition.metrics.measures import (
    auroc,
    auroc_within,
    aurocs_within,
    average_precision,
    brier_score,
    classification,
    log_loss,
    precision_recall_curve,
    roc_curve,
    scaled_brier,
    share_of_attainable_lift,
)
