"""Numbered notebooks run in order, cached, and bound into one checked HTML report; knows nothing of what they study."""
