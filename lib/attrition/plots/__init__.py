"""Figures. Each function takes and returns an `Axes`; none shows, saves or changes settings."""
