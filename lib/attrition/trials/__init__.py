"""The trials that a run is about, by name: the pilot, or those that a reader brought."""

from attrition.trials.brought import check, checked, described, inputs, load, others, register, registered
