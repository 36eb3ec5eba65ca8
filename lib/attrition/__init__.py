"""Can we tell early who will leave a clinical trial, and what would it be worth?

The library behind the numbered notebooks. Lower layers never import upper ones:

    paths, params, seeds, results
    simulate, oracle, contract, cdisc, landmark, features
    models, resampling, metrics, intervals
    ablation, survival, decision, claims, monitoring, tracking
    plots, tables
    report
    run
"""

import os

# One thread in every numerical library: parallelism is by process (see `run`), and last digits must not
# depend on how many cores a machine has. Effective only before numpy is imported, hence here.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

__version__ = "0.1.0"
