"""The published data set looked at, before any model: chapters 01 and 02."""
