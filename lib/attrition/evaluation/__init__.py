"""From out-of-fold predictions to the tables, explanations and facts of chapter 05."""
