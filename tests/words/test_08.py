"""What chapter 08 says of alarms, actions and the published rule follows the numbers."""

from tests.words import turns

OLDER = {"label": "older patients, more phase III", "most_rate": 0.934, "least_rate": 0.05}
TIED = OLDER | {"most": ["inputs, PSI", "inputs, KS", "inputs, chi-squared"], "least": ["ranking, AUROC"]}
RARER = {"label": "rarer", "most": ["inputs, PSI"], "most_rate": 1.0, "least": ["a", "b"], "least_rate": 0.25}
POWER = {"size": 200, "worlds": [TIED, RARER], "seer": "inputs, PSI", "enough": 0.8}
TOLD = (
    "With 200 patients a batch these alarms sound: *older patients, more phase III*: most often “inputs, PSI”, "
    "“inputs, KS” and “inputs, chi-squared” (93% of batches), least often “ranking, AUROC” (5%); *rarer*: most often "
    "“inputs, PSI” (100% of batches), least often “a” and “b” (25%)."
)
SHARES = [("recalibrate: re-estimate", 0.5), ("retrain", 0.3), ("keep the model", 0.15), ("look", 0.05)]
ORDER = {"size": 200, "batches": 400, "level": 0.05}
WRONG = "Half of the adverse events unreported: a model is fitted to wrongly recorded inputs in "
RULE = {"size": 200, "rate": {"value": 0.9, "ci_low": 0.88, "ci_high": 0.92}, "below": {"auroc": 0.0, "recall": 0.9}}
CLAIM = (
    "*Claim:* a fall of a batch's AUROC or recall below a fixed bound tells when to retrain. *Found:* applied to the "
    "class-weighted model that it was published for, in 90% (95 % interval 88 to 92%) of batches of 200 patients the "
    "rule raises an alarm although nothing changed"
)
BELOW = ": the AUROC is below its bound in 0% and the recall is below its bound in 90%. More patients make the alarm "
LOOKS = (
    "The rule takes three looks at each batch (inputs, calibration, ranking), each at 5%; together they make it act on "
    "{} of the batches in which nothing changed. Who wants 5% in all must divide the level by the number of looks."
)

CHAMPION = {
    **{"label": "Logistic regression", "metric": "Brier score", "value": 0.2104, "behind": 0.0, "margin": 0.002},
    **{"second": "XGBoost", "lead": 0.041},
}

CASES = {
    "champion_chosen": [
        (
            CHAMPION,
            "Logistic regression is the champion: its Brier score of 0.210 is the best, 0.041 better than that of "
            "XGBoost.",
        ),
        (
            CHAMPION | {"behind": 0.0012},
            "Logistic regression is the champion: its Brier score of 0.210 is 0.0012 from the best, within the margin "
            "of 0.002 for which the simpler model is kept.",
        ),
        (
            CHAMPION | {"second": None},
            "Logistic regression is the champion as the only candidate (Brier score 0.210).",
        ),
    ],
    "power": [
        (
            POWER | {"power": 0.8, "blind": {"the published rule": 0.94}},
            f"{TOLD} The alarm “inputs, PSI” finds every change in at least 80% of batches. An alarm without a null, "
            "“the published rule”, does, and alarms in 94% of unchanged batches as well.",
        ),
        (
            POWER | {"power": 0.79, "blind": {}},
            f"{TOLD} No single permutation alarm finds every change in 80% of batches.",
        ),
    ],
    "actions": [
        (
            {"size": 200, "worlds": [{"label": "older", "shares": SHARES}]},
            "With 200 patients a batch, *older*: no action prevails, “recalibrate: re-estimate” (50%), “retrain” "
            "(30%), “keep the model” (15%) and “look” (5%).",
        ),
        (
            {"size": 50, "worlds": [{"label": x, "shares": [("keep, as is", 0.51), ("look", 0.49)]} for x in "ab"]},
            "With 50 patients a batch, *a*: mostly “keep, as is” (51%); *b*: mostly “keep, as is” (51%).",
        ),
    ],
    "order": [
        (
            ORDER
            | {"rows": [{"batch_size": n, "first": 0.01, "last": n / 500} for n in (50, 200)]}
            | {"hits": 0, "first": 0.0, "upper": 0.0095},
            WRONG + "10% of batches of 50 if the inputs are looked at last and 1% if first; in 40% of batches of 200 "
            "if the inputs are looked at last and 1% if first. With 200 patients a batch it happened in none of 400 "
            "batches when inputs came first (95 % upper limit 0.9%).",
        ),
        (
            ORDER
            | {"rows": [{"batch_size": 200, "first": 0.2, "last": 0.69}], "hits": 80, "first": 0.2, "upper": 0.242},
            WRONG
            + "69% of batches of 200 if the inputs are looked at last and 20% if first. With 200 patients a batch "
            "it happened in 80 of 400 batches when inputs came first (95 % upper limit 24.2%): the order does not "
            "prevent it.",
        ),
        (
            ORDER
            | {"rows": [{"batch_size": 200, "first": 0.05, "last": 0.5}], "hits": 20, "first": 0.05, "upper": 0.08},
            WRONG + "50% of batches of 200 if the inputs are looked at last and 5% if first. With 200 patients a batch "
            "it happened in 20 of 400 batches when inputs came first (95 % upper limit 8.0%).",
        ),
    ],
    "published_rule": [
        (
            RULE | {"verdict": "not supported", "unattainable": True, "worst": "recall"},
            CLAIM + BELOW + "surer, so it is not noise: the bound asks for more recall than the class-weighted model "
            "has.",
        ),
        (
            RULE | {"verdict": "not supported", "unattainable": True, "worst": "auroc"},
            CLAIM + BELOW + "surer, so it is not noise: the bound asks for more AUROC than the class-weighted model "
            "has.",
        ),
        (
            RULE | {"verdict": "not supported", "unattainable": False, "worst": "recall"},
            CLAIM + BELOW + "rarer: the rule retrains on noise.",
        ),
        (
            RULE | {"verdict": "supported", "unattainable": False, "worst": "recall"},
            CLAIM + ", which is what a five per cent rule may do.",
        ),
    ],
    turns.inline("08_monitoring", "ch08-33"): [
        (
            {"kept": {50: 0.854, 200: 0.87}, "monitoring": {"ALPHA": 0.05}},
            LOOKS.format("14.6% (batches of 50) and 13.0% (batches of 200)"),
        ),
    ],
}
test_words = turns.over(CASES)
