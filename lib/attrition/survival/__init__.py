"""Risk of leaving by reason, over time: Aalen-Johansen, its band, and the mistake that it replaces."""

from attrition.survival.curves import (
    aalen_johansen,
    at_days,
    curve,
    loglog_band,
    numbers_at_risk,
    one_minus_km,
    risk_difference,
    risk_on,
    tabulate,
    time_lost,
)
