"""A made-up trial that runs: staggered entry, two ways out, a cut at one day; run once, from tests/golden.

Nobody is real. ``score`` is a prediction made at the start, and not a good one: it knows one of two causes.
"""

import numpy as np
import pandas as pd

rng, n = np.random.default_rng(20261128), 300
x, z = rng.standard_normal((2, n)).round(3)
cut = rng.integers(20, 420, n)
left = rng.exponential(420 * np.exp(-0.7 * x - 0.5 * z)).round() + 1
died = rng.exponential(2500, n).round() + 1
out = np.minimum(np.minimum(left, died), 175)
day = np.minimum(out, cut).astype(int)
reason = np.where(out == 175, "completed", np.where(left <= died, "withdrew", "died"))
table = pd.DataFrame({"id": [f"{i:03d}" for i in range(n)], "arm": rng.choice(["A", "B"], n), "x": x, "day": day})
table["reason"] = np.where(out <= cut, reason, "")
table["score"] = (1 / (1 + np.exp(1 - x))).round(2)
table.to_csv("landmark_trial.csv", index=False)
