"""A made-up trial whose leavers lack later values; run once, from tests/golden. Nobody is real."""

import numpy as np
import pandas as pd

rng, n = np.random.default_rng(20261128), 240
arm = rng.choice(["A", "B", "C"], n)
effect = pd.Series(arm).map({"A": 0.0, "B": -1.0, "C": -2.5}).to_numpy()
baseline = rng.normal(24, 8, n)
first = baseline + 0.3 * effect + rng.normal(0, 4, n)
second = 0.3 * baseline + 0.7 * first + 0.6 * effect + rng.normal(0, 4, n)
third = 1 + 0.2 * baseline + 0.8 * second + 0.5 * effect + rng.normal(0, 4, n)
table = pd.DataFrame({"arm": arm, "baseline": baseline, "56": first, "112": second, "168": third}).round(1)
gone = np.cumsum(rng.random((n, 3)) < 0.1 + 0.1 * (first > baseline + 2)[:, None], axis=1) > 0
gone[:, 1] |= rng.random(n) < 0.05  # a visit missed in between
table[["56", "112", "168"]] = table[["56", "112", "168"]].mask(gone)
table.to_csv("missing_trial.csv", index=False)
