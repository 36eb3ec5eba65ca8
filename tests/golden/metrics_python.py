"""Make metrics_dcurves.csv and metrics_mlstatkit.csv from metrics_input.csv.

Run in an environment of its own: pip install dcurves==1.1.7 MLstatkit==0.1.91, then python metrics_python.py
"""

from pathlib import Path

import pandas as pd
from dcurves import dca
from MLstatkit import Delong_test

here = Path(__file__).parent
data = pd.read_csv(here / "metrics_input.csv")

curves = dca(data=data, outcome="y", modelnames=["a", "b"], thresholds=[i / 100 for i in range(1, 96)])
curves[["model", "threshold", "net_benefit"]].to_csv(
    here / "metrics_dcurves.csv", index=False, float_format="%.17g", lineterminator="\n"
)

z, p_value, _, _, auroc_a, auroc_b, info = Delong_test(data["y"], data["a"], data["b"], return_ci=True, return_auc=True)
values = {"auroc_a": auroc_a, "auroc_b": auroc_b, "z_b_less_a": z, "p_value": p_value}
values["variance_of_difference"] = info["var_diff"]
table = pd.DataFrame({"name": list(values), "value": list(values.values())})
table.to_csv(here / "metrics_mlstatkit.csv", index=False, float_format="%.17g", lineterminator="\n")
