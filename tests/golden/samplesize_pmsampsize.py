"""Make samplesize_pmsampsize.csv.

Run in an environment of its own with Python 3.12: pip install pmsampsize==0.1.0, then python
samplesize_pmsampsize.py The first two settings are the published worked examples: Chagas disease (Riley et
al. 2019, Stat Med 38, 1276-1296) and pre-eclampsia (Riley et al. 2020, BMJ 368, m441).
"""

import csv
from pathlib import Path

from pmsampsize.pmsampsize import pmsampsize

SETTINGS = [(24, 0.174, 0.288), (30, 0.05, 0.05), (9, 0.53, 0.1), (6, 0.24, 0.03), (12, 0.3, 0.2)]
with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
    table = csv.writer(file, lineterminator="\n")
    criteria = ["shrinkage", "optimism", "overall_risk"]
    table.writerow(["parameters", "prevalence", "r2", *criteria, "n", "max_r2", "events_per_parameter"])
    for parameters, prevalence, r2 in SETTINGS:
        made = pmsampsize(type="b", csrsquared=r2, parameters=parameters, prevalence=prevalence)
        n = [row[1] for row in made["results_table"] if row[0].startswith("Criteria")]
        row = [parameters, prevalence, r2, *n, made["sample_size"], repr(made["max_r2a"]), made["EPP"]]
        table.writerow(row)
