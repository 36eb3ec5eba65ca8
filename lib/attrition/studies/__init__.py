"""Studies that are too long for a run: each has a command of its own, and committed results with their date."""
