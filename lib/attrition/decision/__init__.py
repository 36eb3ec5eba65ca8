"""Decisions: what acting on a prediction is worth, in patients and in money."""

from attrition.decision.bands import BESIDE, coverage, coverage_words
from attrition.decision.benefit import (
    at_thresholds,
    conclude,
    decision_curve,
    money_per_100,
    net_benefit,
    net_benefit_interval,
    threshold_grid,
    treat_all,
    where,
)
from attrition.decision.costs import (
    BANDS,
    band_of,
    band_table,
    implied_costs,
    spent,
)
