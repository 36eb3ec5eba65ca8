"""Figures. Each function takes and returns an `Axes`; none shows, saves or changes settings."""

from attrition.plots.style import colour, cycle, use

__all__ = ["colour", "cycle", "use"]
