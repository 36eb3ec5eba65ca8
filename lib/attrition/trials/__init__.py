"""The trials that a run is about, by name: the pilot, or those that a reader brought."""

from attrition.trials.brought import (
    FEWEST_EVENTS,
    PACKAGED,
    Brought,
    check,
    checked,
    described,
    inputs,
    load,
    others,
    register,
    registered,
)

__all__ = [
    "FEWEST_EVENTS",
    "PACKAGED",
    "Brought",
    "check",
    "checked",
    "described",
    "inputs",
    "load",
    "others",
    "register",
    "registered",
]
