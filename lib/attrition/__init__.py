"""Can we tell early who will leave a clinical trial, and what would it be worth?

The library behind the numbered notebooks. Its rooms, in order; none imports from one that is
named after it:

    project, paths, seeds                   what every module stands on: where, which stream
    settings, params                        validated choices
    environment, engine                     what is installed, where tasks run
    metrics, decision                       measures, intervals; what acting on them is worth
    simulate, features                      the law, its trials, the best possible model; the published features
    contract, cdisc, trials                 a trial's table checked; CDISC data; the trials that a run is about
    claims, tracking, versions              the ledger and its rules; tracked runs; versions of data and results
    eda                                     chapters 01 and 02: the published data set looked at
    models, survival, resampling            pipelines by name; competing risks; folds and tuning
    evaluation                              chapter 05
    landmark                                chapters 06 and 07: known by then, and predicted
    running                                 a trial that runs: projection, limits, power left
    worth                                   chapter 10: what acting on an early leaver can be worth
    studies                                 one module a study over simulated trials, or of what is published or leaks
    monitoring                              chapter 08: drift, and how often its alarms sound
    score, own, registry                    scoring; the model of a reader's own trial; the champion, saved and served
    plots                                   figures
    disclosure                              what of a report on patients can be handed on
    findings                                what the front page and the README state
    run                                     the command behind ./run_all.sh
"""

import os

# One thread in every numerical library: parallelism is by process (see `run`), and last digits must not
# depend on how many cores a machine has. Effective only before numpy is imported, hence here.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from attrition import project  # noqa: E402  (tells `notebook_report` what it runs and reports)

__version__ = "0.1.0"
