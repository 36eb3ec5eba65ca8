"""Make metrics_input.csv: two predictions of one outcome, one with ties and one miscalibrated.

Run: python metrics_input.py (numpy only)
"""

from pathlib import Path

import numpy as np

rng = np.random.default_rng(20260105)
lp = rng.normal(0.2, 1.1, 400)
y = (rng.random(400) < 1 / (1 + np.exp(-lp))).astype(int)
a = 1 / (1 + np.exp(-(0.4 + 1.6 * (lp + rng.normal(0, 0.8, 400)))))
b = np.clip(np.round(1 / (1 + np.exp(-(lp + rng.normal(0, 1.5, 400)))), 2), 0.01, 0.99)
rows = ["y,a,b", *(f"{yi},{ai:.17g},{bi:.2f}" for yi, ai, bi in zip(y, a, b, strict=True))]
Path(__file__).with_suffix(".csv").write_text("\n".join(rows) + "\n")
