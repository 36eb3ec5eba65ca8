"""Risk of leaving by reason, over time: Aalen-Johansen, hazards, and scores of predictions under censoring."""
