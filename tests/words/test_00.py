"""Every sentence of chapter 00, and of the findings in the README, over cases that take each of its turns."""

import pandas as pd

from tests.words import turns

HOPE, DOUBT = {"n": 2, "low": 0.4, "high": 0.475}, {"n": 0, "low": None, "high": None}


def interval(value, half=0.01):
    """An interval around a value."""
    return {"value": value, "ci_low": value - half, "ci_high": value + half}


COUNTS = dict.fromkeys(("reproduced", "supported", "not testable", "not settled", "direction only"), 0)
COUNTS |= {"reproduced": 2, "supported": 1, "not supported": 4, "impossible": 3}
KNOWN = {
    **{"n": 10, "statements": 14, "counts": COUNTS, "holding": 3, "day": 28, "at_risk": 200, "events": 60},
    "auroc": {"all": interval(0.66, 0.08), "all_without_arm": interval(0.51, 0.1), "arm_only": interval(0.67, 0.1)},
    **{"p": 0.03, "better": False, "blinded_better": False, "days_known": [], "days_blinded": []},
    **{"use": "not supported", "pays": False, "adds": False, "arm_is_better": False},
    **{"full": DOUBT, "arm": DOUBT, "blinded": DOUBT, "honest": 0.581, "leaky": 0.987},
    **{"patients": 1000, "replicates": 200, "claimed": 0.18, "gain": interval(0.01), "ceiling": 0.709},
    **{"most_events": 77, "n_simulated": 9, "differ": [], "open": []},
    "flow": {"randomised": 254, "discontinued_by_horizon": 112, "primary": 107},
    **{
        "lowest": 0.627,
        "highest": 0.733,
        "excess": {"LR": -0.01},
        "most_events_day": 14,
        "price": interval(0.02, 0.03),
    },
}
LEDGER = KNOWN | {"n_late": 0, "n_first": 10, "holding_first": 3, "impossible_first": 3}
ENGINEERING = {
    **{"claimed": 0.18, "found": interval(0.01, 0.001), "margin": 0.01, "effect": "not supported", "elsewhere": None},
    **{"burden_claimed": 0.042, "burden": interval(0.0004, 0.001), "burden_margin": 0.01, "place": 7, "n": 9},
}
MODELS = {
    **{"lgbm": interval(0.054), "xgb": interval(0.053), "second": interval(0.02), "step": 0.014, "margin": 0.01},
    **{"lr": interval(0.69), "oracle": 0.709, "share": 0.909},
}
ATTEMPT = {"label": "logistic regression", "claimed": 0.733}
BOOSTED = [
    {"label": "XGBoost*", "claimed": 0.7, "found": interval(0.6)},
    {"label": "LightGBM", "claimed": 0.71, "found": interval(0.61)},
]
PILOT = KNOWN | {
    **{"found": interval(0.66), "blinded": interval(0.51), "arm": interval(0.67)},
    **{"attempts": [ATTEMPT], "tested": [0.627], "attempt_verdict": "not supported"},
}
PAPER = {
    **{"useful": ["lr"], "useless": [], "n_models": 3, "low": 0.35, "high": 0.75, "best": "logistic regression"},
    **{"first": 0.45, "last": 0.75, "gain": 14.1, "at_least": 7.3, "at": 0.53, "won": [0.5], "lost": [0.35]},
    **{"smallest": 1.0, "verdict": "supported"},
}
WORTH = {"use": "not supported", "full": DOUBT, "arm": DOUBT, "blinded": DOUBT}
LEAKS = {"n": 13, "harmful": 2, "name": "whole follow up", "price": interval(0.35), "honest": 0.55, "leaky": 0.9}
NOISE = {"spread": 0.036, "claimed": 0.02, "one": 0.643, "other": 0.618, "ratio": 0.5}
POINTS = pd.DataFrame(
    {
        **{"claim": ["C38", "C39", "C40"], "least": [0.79, 0.83, 0.8], "least_any": [0.645, 0.7, 0.66]},
        **{"published": [0.643, 0.618, 0.63], "matrices": 1, "n": [200, 199, 200], "dropouts": [48, 47, 48]},
    }
)
CHANGE = {"claims": ["C01", "C02"], "before": "impossible", "after": "supported"}
PART = {
    **{"rule": "rounds_to", "label": "", "published": 0.643, "measured": 0.6431, "ci_low": None, "ci_high": None},
    **{"mc_se": None, "verdict": "reproduced", "decimals": 3, "or_else": {}, "exact": True, "args": {}},
    "arithmetic": False,
}
EFFECT = {
    **{"rule": "direction_and_half", "label": "", "published": -0.04, "measured": -0.03, "ci_low": -0.032},
    **{"ci_high": -0.028, "mc_se": 0.001, "verdict": "supported", "margin": 0.01, "margin_is_half": False},
    **{"lies": "within", "args": {}, "arithmetic": False},
}
SPREAD = EFFECT | {"rule": "at_most", "measured": 0.036, "limit": 0.025, "args": {"what": "the spread"}}
MATRIX = PART | {
    **{"rule": "one_matrix", "sizes": [48, 60], "matrices": 1, "tp": 35, "positives": 48, "flagged": 51},
    **{"fit_to_three": True, "args": {"recall": 0.72, "precision": 0.68, "f1": 0.699, "decimals": 2}},
}
NEVER = PART | {"rule": "never", "verdict": "impossible", "args": {"reason": "a * is not allowed"}}
BOUND = {
    **{"dropouts": 48, "n": 200, "fpr": 0.107, "fewest": 47, "most": 49, "least_auc": 0.648, "measured": 0.806},
    **{"published": 0.643, "matrices": 1},
}
COST = {
    "most": pd.DataFrame({"patients": [10_000_000] * 2, "seconds": [60.2, 1.5], "peak_mib": [800.0, 900.2]}),
    "whole": pd.DataFrame({"patients": [1000, 1_000_000], "seconds": [1.0, 2.0], "peak_mib": [1500.6, 9.0]}),
    **{"power": pd.Series({"scores": 0.91, "bootstrap": 1.234}), "machine": "2026-11-26, 2 cores"},
}

HOW_MANY = {"day": "2013-06-01", "gone": 49, "begun": 124, "expected": {"median": 131, "low": 107, "high": 157}}
HOW_MANY |= {"planned": 254, "came": 137, "inside": 24, "cuts": 25, "least": 0.878, "most": 0.936}
CASES = {
    "thresholds": [
        (
            DOUBT,
            "at no threshold",
        ),
        (
            HOPE,
            "at thresholds from 0.4 to 0.475",
        ),
        (
            {"low": 0.5, "high": 0.5},
            "at 0.5",
        ),
    ],
    "short_answer": [
        (
            KNOWN,
            "Not shown better than by chance, nor to be worth acting on.",
        ),
        (
            KNOWN | {"pays": True, "full": HOPE},
            "Not shown better than by chance, yet acting on it is shown to pay at thresholds from 0.4 to 0.475 only.",
        ),
        (
            KNOWN | {"better": True},
            "Shown only with the treatment arm, to which nothing is shown to add; acting on it is not shown to pay.",
        ),
        (
            KNOWN | {"better": True, "adds": True},
            "Shown only with the treatment arm; acting on it is not shown to pay.",
        ),
        (
            KNOWN | {"better": True, "pays": True, "full": HOPE},
            "Shown only with the treatment arm, to which nothing is shown to add; acting on it is shown to "
            "pay at thresholds from 0.4 to 0.475 only.",
        ),
        (
            KNOWN | {"blinded_better": True},
            "Better than by chance, but not shown to be worth acting on.",
        ),
        (
            KNOWN | {"blinded_better": True, "pays": True, "full": HOPE},
            "Better than by chance, and acting on it is shown to pay at thresholds from 0.4 to 0.475 only.",
        ),
    ],
    "versus_chance": [
        (
            {"sure": True},
            "is better than chance",
        ),
        (
            {"sure": False},
            "cannot be told from chance",
        ),
    ],
    "by_the_arm": [
        (
            KNOWN,
            "",
        ),
        (
            KNOWN | {"arm": HOPE},
            "; contacting by the treatment arm alone, once it is known, beats both at thresholds from 0.4 to "
            "0.475, by the model without the arm at no threshold",
        ),
        (
            KNOWN | {"arm": HOPE, "blinded": HOPE},
            "; contacting by the treatment arm alone, once it is known, beats both at thresholds from 0.4 to 0.475",
        ),
    ],
    "answer": [
        (
            KNOWN,
            "**Not shown better than by chance, nor to be worth acting on.** In the real trial, with what "
            "was known on day 28, the AUROC is 0.660 (0.580 to 0.740), where 0.5 is chance. Without the "
            "treatment arm, which a blinded trial does not know, it is 0.510 (0.410 to 0.610), which cannot "
            "be told from chance. Contacting patients by the full model is at no threshold shown to beat "
            "both contacting everybody and contacting nobody. What was not yet known, let in by mistake, "
            "lifts an AUROC of 0.581 (a model with one fixed penalty) to as much as 0.987. Of the 10 "
            "published claims that are checked here, 3 hold and 3 cannot be true.",
        ),
        (
            KNOWN | {"use": "not testable", "blinded_better": True},
            "**Better than by chance, but not shown to be worth acting on.** In the real trial, with what "
            "was known on day 28, the AUROC is 0.660 (0.580 to 0.740), where 0.5 is chance. Without the "
            "treatment arm, which a blinded trial does not know, it is 0.510 (0.410 to 0.610), which is "
            "better than chance. Contacting patients by the full model cannot be judged in so small a trial. "
            "What was not yet known, let in by mistake, lifts an AUROC of 0.581 (a model with one fixed "
            "penalty) to as much as 0.987. Of the 10 published claims that are checked here, 3 hold and 3 "
            "cannot be true.",
        ),
        (
            KNOWN | {"use": "supported", "pays": True, "full": HOPE, "arm": HOPE},
            "**Not shown better than by chance, yet acting on it is shown to pay at thresholds from 0.4 to "
            "0.475 only.** In the real trial, with what was known on day 28, the AUROC is 0.660 (0.580 to "
            "0.740), where 0.5 is chance. Without the treatment arm, which a blinded trial does not know, it "
            "is 0.510 (0.410 to 0.610), which cannot be told from chance. Contacting patients by the full "
            "model beats both contacting everybody and contacting nobody at thresholds from 0.4 to 0.475, "
            "the fitted model held fixed; contacting by the treatment arm alone, once it is known, beats "
            "both at thresholds from 0.4 to 0.475, by the model without the arm at no threshold. What was "
            "not yet known, let in by mistake, lifts an AUROC of 0.581 (a model with one fixed penalty) to "
            "as much as 0.987. Of the 10 published claims that are checked here, 3 hold and 3 cannot be true.",
        ),
    ],
    "finding_ledger": [
        (
            LEDGER,
            "*Claim:* 10 published claims, 14 statements in all, about two trials and their models (one "
            "simulated, one real). *Found:* 3 hold (2 reproduced on the published data, 1 supported over "
            "simulated trials); 3 are impossible and 4 are not supported.",
        ),
        (
            LEDGER | {"holding": 1, "counts": COUNTS | {"not supported": 0, "impossible": 1}},
            "*Claim:* 10 published claims, 14 statements in all, about two trials and their models (one "
            "simulated, one real). *Found:* one holds (2 reproduced on the published data, 1 supported over "
            "simulated trials); 1 is impossible.",
        ),
        (
            LEDGER | {"holding": 0, "counts": dict.fromkeys(COUNTS, 0)},
            "*Claim:* 10 published claims, 14 statements in all, about two trials and their models (one "
            "simulated, one real). *Found:* none holds (0 reproduced on the published data, 0 supported over "
            "simulated trials).",
        ),
        (
            LEDGER | {"n_late": 1, "n_first": 9, "counts": dict.fromkeys(COUNTS, 2)},
            "*Claim:* 10 published claims, 14 statements in all, about two trials and their models (one "
            "simulated, one real). *Found:* 3 hold (2 reproduced on the published data, 2 supported over "
            "simulated trials); 2 are impossible, 2 are not supported, 2 hold in direction only, 2 are not "
            "settled and 2 cannot be tested. Of the 9 claims whose rules are older than the results, 3 hold "
            "and 3 are impossible; the other 1 entered when the chapters had been run.",
        ),
        (
            LEDGER | {"counts": dict.fromkeys(COUNTS, 1)},
            "*Claim:* 10 published claims, 14 statements in all, about two trials and their models (one "
            "simulated, one real). *Found:* 3 hold (1 reproduced on the published data, 1 supported over "
            "simulated trials); 1 is impossible, 1 is not supported, 1 holds in direction only, 1 is not "
            "settled and 1 cannot be tested.",
        ),
    ],
    "effect": [
        (
            ENGINEERING | {"effect": "direction only"},
            "has the right direction at less than half the size",
        ),
        (
            ENGINEERING | {"effect": "direction only", "claimed": -0.18, "found": interval(-0.4)},
            "has the right direction at more than twice the size",
        ),
        (
            ENGINEERING | {"effect": "not settled"},
            "has less than half the size, and whether the effect reaches the 0.01 that matters is not settled",
        ),
        (
            ENGINEERING | {"effect": "not settled", "found": interval(0.085)},
            "is not settled: a limit of its rule lies inside the interval",
        ),
        (
            ENGINEERING | {"effect": "not settled", "found": interval(-0.085)},
            "is not settled: a limit of its rule lies inside the interval",
        ),
        (
            ENGINEERING | {"effect": "not settled", "claimed": -0.18, "found": interval(-0.05)},
            "has less than half the size, and whether the effect reaches the 0.01 that matters is not settled",
        ),
        (
            ENGINEERING | {"effect": "reproduced"},
            "is what the published data give",
        ),
        (
            ENGINEERING | {"effect": "supported"},
            "holds, in direction and from half to twice its size",
        ),
        (
            ENGINEERING | {"effect": "not testable"},
            "cannot be tested",
        ),
        (
            ENGINEERING | {"effect": "not supported"},
            "does not hold",
        ),
        (
            ENGINEERING | {"effect": "impossible"},
            "cannot be right",
        ),
    ],
    "finding_engineering": [
        (
            ENGINEERING,
            "*Claim:* engineered features raise the AUROC of a logistic regression by 0.18; the best of them "
            "is burden (adverse-event rate times missed visits), worth 0.042. *Found:* all of them together "
            "change it by +0.010 (+0.009 to +0.011), so this part of the claim does not hold. Burden changes "
            "it by +0.0004 (−0.0006 to +0.0014), less than would matter, and ranks 7 of 9 features. The "
            "verdict is that of the weakest of the three statements.",
        ),
        (
            ENGINEERING | {"elsewhere": "not supported"},
            "*Claim:* engineered features raise the AUROC of a logistic regression by 0.18; the best of them "
            "is burden (adverse-event rate times missed visits), worth 0.042. *Found:* all of them together "
            "change it by +0.010 (+0.009 to +0.011), so this part of the claim does not hold. Burden changes "
            "it by +0.0004 (−0.0006 to +0.0014), less than would matter, and ranks 7 of 9 features. The "
            "verdict is that of the weakest of the three statements.",
        ),
        (
            ENGINEERING | {"elsewhere": "supported", "burden": interval(0.05)},
            "*Claim:* engineered features raise the AUROC of a logistic regression by 0.18; the best of them "
            "is burden (adverse-event rate times missed visits), worth 0.042. *Found:* all of them together "
            "change it by +0.010 (+0.009 to +0.011), so this part of the claim does not hold. At the other "
            "event rate it is *supported*. Burden changes it by +0.0500 (+0.0400 to +0.0600), more than the "
            "smallest difference that would matter, and ranks 7 of 9 features. The verdict is that of the "
            "weakest of the three statements.",
        ),
        (
            ENGINEERING | {"burden": interval(-0.05)},
            "*Claim:* engineered features raise the AUROC of a logistic regression by 0.18; the best of them "
            "is burden (adverse-event rate times missed visits), worth 0.042. *Found:* all of them together "
            "change it by +0.010 (+0.009 to +0.011), so this part of the claim does not hold. Burden changes "
            "it by −0.0500 (−0.0600 to −0.0400), a loss that matters, and ranks 7 of 9 features. The verdict "
            "is that of the weakest of the three statements.",
        ),
        (
            ENGINEERING | {"burden": interval(0.005)},
            "*Claim:* engineered features raise the AUROC of a logistic regression by 0.18; the best of them "
            "is burden (adverse-event rate times missed visits), worth 0.042. *Found:* all of them together "
            "change it by +0.010 (+0.009 to +0.011), so this part of the claim does not hold. Burden changes "
            "it by +0.0050 (−0.0050 to +0.0150), too uncertain to tell from the smallest difference that "
            "would matter, and ranks 7 of 9 features. The verdict is that of the weakest of the three "
            "statements.",
        ),
        (
            ENGINEERING | {"burden": interval(-0.005)},
            "*Claim:* engineered features raise the AUROC of a logistic regression by 0.18; the best of them "
            "is burden (adverse-event rate times missed visits), worth 0.042. *Found:* all of them together "
            "change it by +0.010 (+0.009 to +0.011), so this part of the claim does not hold. Burden changes "
            "it by −0.0050 (−0.0150 to +0.0050), too uncertain to tell from the smallest difference that "
            "would matter, and ranks 7 of 9 features. The verdict is that of the weakest of the three "
            "statements.",
        ),
    ],
    "finding_models": [
        (
            MODELS,
            "*Claim:* logistic regression is the best of three models, LightGBM the second, XGBoost the "
            "third. *Found:* logistic regression ranks patients better than the boosted trees: its AUROC is "
            "higher by 0.054 (0.044 to 0.064) than that of LightGBM and by 0.053 (0.043 to 0.063) than that "
            "of XGBoost. Logistic regression has an AUROC of 0.690 (0.680 to 0.700), where the true "
            "probabilities reach 0.709: 91% of what can be gained over chance.",
        ),
        (
            MODELS | {"lgbm": interval(-0.01), "second": interval(0.0)},
            "*Claim:* logistic regression is the best of three models, LightGBM the second, XGBoost the "
            "third. *Found:* logistic regression does not rank patients better than both boosted trees: its "
            "lead in AUROC is −0.010 (−0.020 to 0.000) over LightGBM and +0.053 (+0.043 to +0.063) over "
            "XGBoost. No difference between LightGBM and XGBoost is seen (0.0000 (−0.0100 to +0.0100)); the "
            "claimed +0.014 is excluded. Logistic regression has an AUROC of 0.690 (0.680 to 0.700), where "
            "the true probabilities reach 0.709: 91% of what can be gained over chance.",
        ),
        (
            MODELS | {"xgb": interval(0.005), "second": interval(0.001, 0.0002)},
            "*Claim:* logistic regression is the best of three models, LightGBM the second, XGBoost the "
            "third. *Found:* logistic regression does not rank patients better than both boosted trees: its "
            "lead in AUROC is +0.054 (+0.044 to +0.064) over LightGBM and +0.005 (−0.005 to +0.015) over "
            "XGBoost. That LightGBM beats XGBoost does not hold: the difference is +0.0010 (+0.0008 to "
            "+0.0012). Logistic regression has an AUROC of 0.690 (0.680 to 0.700), where the true "
            "probabilities reach 0.709: 91% of what can be gained over chance.",
        ),
        (
            MODELS | {"second": interval(-0.001, 0.0005)},
            "*Claim:* logistic regression is the best of three models, LightGBM the second, XGBoost the "
            "third. *Found:* logistic regression ranks patients better than the boosted trees: its AUROC is "
            "higher by 0.054 (0.044 to 0.064) than that of LightGBM and by 0.053 (0.043 to 0.063) than that "
            "of XGBoost. That LightGBM beats XGBoost does not hold: the difference is −0.0010 (−0.0015 to "
            "−0.0005). Logistic regression has an AUROC of 0.690 (0.680 to 0.700), where the true "
            "probabilities reach 0.709: 91% of what can be gained over chance.",
        ),
        (
            MODELS | {"second": interval(0.0, 0.02), "margin": -0.03},
            "*Claim:* logistic regression is the best of three models, LightGBM the second, XGBoost the "
            "third. *Found:* logistic regression ranks patients better than the boosted trees: its AUROC is "
            "higher by 0.054 (0.044 to 0.064) than that of LightGBM and by 0.053 (0.043 to 0.063) than that "
            "of XGBoost. Logistic regression has an AUROC of 0.690 (0.680 to 0.700), where the true "
            "probabilities reach 0.709: 91% of what can be gained over chance.",
        ),
    ],
    "finding_pilot": [
        (
            PILOT,
            "*Claim:* what is known by a landmark ranks the patients of a real trial better than chance. "
            "*Found:* with what was known on day 28, among 200 patients still in the trial of whom 60 have "
            "the primary event by week 24, logistic regression has an AUROC of 0.660 (0.650 to 0.670), which "
            "cannot be told from chance (adjusted p 0.030). Without the treatment arm, which is blinded in a "
            "running trial, it has 0.510 (0.500 to 0.520), which cannot be told from chance; the arm alone "
            "gives 0.670 (0.660 to 0.680). A public attempt on the same trial has 0.733 in cross-validation "
            "and 0.627 on its own test part, on all patients and without a landmark; as a claim about what "
            "can be known in time that is not supported (C53).",
        ),
        (
            PILOT | {"better": True, "tested": [0.627, 0.63]},
            "*Claim:* what is known by a landmark ranks the patients of a real trial better than chance. "
            "*Found:* with what was known on day 28, among 200 patients still in the trial of whom 60 have "
            "the primary event by week 24, logistic regression has an AUROC of 0.660 (0.650 to 0.670), which "
            "is better than chance (adjusted p 0.030). Without the treatment arm, which is blinded in a "
            "running trial, it has 0.510 (0.500 to 0.520), which cannot be told from chance; the arm alone "
            "gives 0.670 (0.660 to 0.680). A public attempt on the same trial has 0.733 in cross-validation "
            "and 0.627 and 0.630 on its own test part, on all patients and without a landmark; as a claim "
            "about what can be known in time that is not supported (C53).",
        ),
        (
            PILOT | {"blinded_better": True, "attempts": [ATTEMPT, *BOOSTED[:1]]},
            "*Claim:* what is known by a landmark ranks the patients of a real trial better than chance. "
            "*Found:* with what was known on day 28, among 200 patients still in the trial of whom 60 have "
            "the primary event by week 24, logistic regression has an AUROC of 0.660 (0.650 to 0.670), which "
            "cannot be told from chance (adjusted p 0.030) (XGBoost*: 0.600 (0.590 to 0.610)). Without the "
            "treatment arm, which is blinded in a running trial, it has 0.510 (0.500 to 0.520), which is "
            "better than chance; the arm alone gives 0.670 (0.660 to 0.680). A public attempt on the same "
            "trial has 0.733 (logistic regression) and 0.700 (XGBoost*) in cross-validation and 0.627 on its "
            "own test part, on all patients and without a landmark; as a claim about what can be known in "
            "time that is not supported (C53).",
        ),
        (
            PILOT | {"attempts": [ATTEMPT, *BOOSTED]},
            "*Claim:* what is known by a landmark ranks the patients of a real trial better than chance. "
            "*Found:* with what was known on day 28, among 200 patients still in the trial of whom 60 have "
            "the primary event by week 24, logistic regression has an AUROC of 0.660 (0.650 to 0.670), which "
            "cannot be told from chance (adjusted p 0.030) (XGBoost*: 0.600 (0.590 to 0.610) and LightGBM: "
            "0.610 (0.600 to 0.620)). Without the treatment arm, which is blinded in a running trial, it has "
            "0.510 (0.500 to 0.520), which cannot be told from chance; the arm alone gives 0.670 (0.660 to "
            "0.680). A public attempt on the same trial has 0.733 (logistic regression), 0.700 (XGBoost*) "
            "and 0.710 (LightGBM) in cross-validation and 0.627 on its own test part, on all patients and "
            "without a landmark; as a claim about what can be known in time that is not supported (C53).",
        ),
        (
            PILOT | {"attempts": [ATTEMPT, *BOOSTED, *BOOSTED]},
            "*Claim:* what is known by a landmark ranks the patients of a real trial better than chance. "
            "*Found:* with what was known on day 28, among 200 patients still in the trial of whom 60 have "
            "the primary event by week 24, logistic regression has an AUROC of 0.660 (0.650 to 0.670), which "
            "cannot be told from chance (adjusted p 0.030) (XGBoost*: 0.600 (0.590 to 0.610), LightGBM: "
            "0.610 (0.600 to 0.620), XGBoost*: 0.600 (0.590 to 0.610) and LightGBM: 0.610 (0.600 to 0.620)). "
            "Without the treatment arm, which is blinded in a running trial, it has 0.510 (0.500 to 0.520), "
            "which cannot be told from chance; the arm alone gives 0.670 (0.660 to 0.680). A public attempt "
            "on the same trial has 0.733 (logistic regression), 0.700 (XGBoost*), 0.710 (LightGBM), 0.700 "
            "(XGBoost*) and 0.710 (LightGBM) in cross-validation and 0.627 on its own test part, on all "
            "patients and without a landmark; as a claim about what can be known in time that is not "
            "supported (C53).",
        ),
    ],
    "pays_to_contact": [
        (
            WORTH,
            "in the real trial contacting by the full model's risk is at no threshold shown to beat both "
            "contacting everybody and contacting nobody",
        ),
        (
            WORTH | {"use": "not testable"},
            "the real trial is too small to tell",
        ),
        (
            WORTH | {"use": "supported", "full": HOPE},
            "in the real trial contacting by the full model's risk beats both contacting everybody and "
            "contacting nobody at thresholds from 0.4 to 0.475, the fitted model held fixed",
        ),
    ],
    "finding_leaks": [
        (
            LEAKS,
            "*Claim:* a model that sees more than was known in time looks better than it is. *Found:* of 13 "
            "ways to let it see more, 2 raise the AUROC with an interval above zero; the largest gain, from "
            "the column or step *whole follow up*, turns 0.550 into 0.900, a difference of +0.350 (+0.340 to "
            "+0.360).",
        ),
        (
            LEAKS | {"harmful": 1},
            "*Claim:* a model that sees more than was known in time looks better than it is. *Found:* of 13 "
            "ways to let it see more, 1 raises the AUROC with an interval above zero; the largest gain, from "
            "the column or step *whole follow up*, turns 0.550 into 0.900, a difference of +0.350 (+0.340 to "
            "+0.360).",
        ),
        (
            LEAKS | {"harmful": 0},
            "*Claim:* a model that sees more than was known in time looks better than it is. *Found:* of 13 "
            "ways to let it see more, none raises the AUROC with an interval above zero; the largest "
            "difference, by *whole follow up*, is +0.350 (+0.340 to +0.360).",
        ),
    ],
    "background": [
        (
            KNOWN,
            "**Background.** Published models claim to predict who leaves a clinical trial. We ask what is "
            "true of 10 published claims with 14 statements, nearly all of one document, and what can be "
            "predicted in a real trial with what is known in time.",
        ),
    ],
    "methods": [
        (
            KNOWN,
            "**Methods.** The simulated trial of 1,000 patients was regenerated to the byte, and 200 further "
            "trials a setting, fewer for boosted trees, were drawn from its law; paired differences were "
            "taken on patients that no model saw, against the true probabilities. In the CDISC pilot (254 "
            "randomised, 112 discontinued by week 24, 107 of them by the primary definition) models were "
            "developed and evaluated at landmark days by repeated cross-validation, on records known by "
            "then. Verdicts follow rules that stand beside the claims, as do the amendments of these rules.",
        ),
    ],
    "main_results": [
        (
            KNOWN,
            "**Results.** Of the claims 2 are reproduced, 1 supported, 3 impossible and 4 none of these. "
            "Feature engineering changes the AUROC by +0.010 (0.000 to +0.020) (published +0.18). At day 28 "
            "of the real trial the AUROC is 0.660 (0.580 to 0.740) with 200 at risk and 60 primary events.",
        ),
    ],
    "usable": [
        (
            KNOWN,
            "leavers are at no landmark shown to be told from stayers better than by chance",
        ),
        (
            KNOWN | {"days_known": [28, 56], "days_blinded": [28, 56]},
            "leavers can be told from stayers better than by chance at day 28 and day 56, with or without the arm",
        ),
        (
            KNOWN | {"days_known": [28]},
            "leavers can be told from stayers better than by chance at day 28, but without the treatment arm "
            "that is shown at no landmark",
        ),
        (
            KNOWN | {"days_blinded": [56]},
            "leavers can be told from stayers better than by chance at no landmark, but without the "
            "treatment arm that is shown at day 56",
        ),
    ],
    "advice": [
        (
            KNOWN,
            "Such predictions should not decide whom to contact.",
        ),
        (
            KNOWN | {"pays": True, "full": HOPE},
            "Acting on such predictions is shown to pay at thresholds from 0.4 to 0.475 only.",
        ),
        (
            KNOWN | {"arm": HOPE},
            "Such predictions should not decide whom to contact. Where the arms are known, contacting by the "
            "arm alone pays at thresholds from 0.4 to 0.475, needs no model, and nothing is shown to add to it.",
        ),
        (
            KNOWN | {"arm": HOPE, "adds": True, "arm_is_better": True},
            "Such predictions should not decide whom to contact. Where the arms are known, contacting by the "
            "arm alone pays at thresholds from 0.4 to 0.475. The arm alone ranks patients better than the "
            "model.",
        ),
    ],
    "conclusions": [
        (
            KNOWN,
            "**Conclusions.** In this real trial leavers are at no landmark shown to be told from stayers "
            "better than by chance. Such predictions should not decide whom to contact.",
        ),
    ],
    "lesson": [
        (
            KNOWN,
            "Some of the published claims hold (3 of 10); three cannot be right whatever the data. What "
            "remains is that leavers are at no landmark shown to be told from stayers better than by chance. "
            "Such predictions should not decide whom to contact.",
        ),
        (
            KNOWN | {"holding": 6},
            "Most of the published claims hold (6 of 10); three cannot be right whatever the data. What "
            "remains is that leavers are at no landmark shown to be told from stayers better than by chance. "
            "Such predictions should not decide whom to contact.",
        ),
        (
            KNOWN | {"holding": 2},
            "Few of the published claims hold (2 of 10); three cannot be right whatever the data. What "
            "remains is that leavers are at no landmark shown to be told from stayers better than by chance. "
            "Such predictions should not decide whom to contact.",
        ),
    ],
    "cautions": [
        (
            KNOWN,
            "The simulated AUROCs, up to 0.709 at the law's own event rate for a reader who knows the true "
            "probabilities, say nothing about patients: the law was invented, and its predictors look past "
            "the day of dropout. The real trial has at most 77 events after a landmark later than day 0, one "
            "disease and one sponsor: an interval that includes one half does not prove that nothing can be "
            "predicted, and one that excludes it does not carry over. A figure called impossible may be a "
            "slip of the pen. Apart from that with a treatment given at random, no association here is shown "
            "to be a cause of leaving, and what could not be tested (no claims) is not thereby refuted.",
        ),
    ],
    "how_verdicts_are_given": [
        (
            {"margin": 0.01},
            "A verdict needs an estimand, a margin with its origin, and a rule. *Reproduced*: the published "
            "data give the figure within rounding (for boosted trees, within the noise of software as well), "
            "or lie within the printed range, or the printed arithmetic is right. *Supported*: over "
            "simulated trials the effect has the claimed direction and half to twice the claimed size. "
            "*Direction only*: another size, but at least the smallest difference of interest (0.01 of AUROC "
            "unless the ledger says otherwise). *Not supported*: neither. *Not settled*: a limit of the rule "
            "lies inside the 95 % interval. *Impossible*: no data can give the printed figures. *Not "
            "testable*: too little was printed, or the run was too small. A claim of several statements "
            "holds as far as its weakest; a ranking whose leader is right but whose order is not holds in "
            "direction only.",
        ),
    ],
    "noise": [
        (
            NOISE,
            "One split with 200 test patients scatters with a standard deviation of 0.036 in AUROC, against "
            "the 0.02 that was published as a sign of stability. Between two splits, a difference such as "
            "0.643 against 0.618 would be well inside that noise; two models on one split share a part of "
            "it. ([](#fig-one-split))",
        ),
        (
            NOISE | {"ratio": 1.5},
            "One split with 200 test patients scatters with a standard deviation of 0.036 in AUROC, against "
            "the 0.02 that was published as a sign of stability. Between two splits, a difference such as "
            "0.643 against 0.618 would be at the edge of that noise; two models on one split share a part of "
            "it. ([](#fig-one-split))",
        ),
        (
            NOISE | {"ratio": 2.5},
            "One split with 200 test patients scatters with a standard deviation of 0.036 in AUROC, against "
            "the 0.02 that was published as a sign of stability. Between two splits, a difference such as "
            "0.643 against 0.618 would be beyond that noise; two models on one split share a part of it. "
            "([](#fig-one-split))",
        ),
    ],
    "other_event_rate": [
        (
            KNOWN,
            "All 9 simulated claims get the same verdict at both event rates.",
        ),
        (
            KNOWN | {"differ": ["C29"]},
            "Of 9 simulated claims one gets another verdict at the other event rate: C29.",
        ),
        (
            KNOWN | {"differ": ["C29", "C31"]},
            "Of 9 simulated claims two get another verdict at the other event rate: C29 and C31.",
        ),
    ],
    "unsettled": [
        (
            KNOWN,
            "Every verdict is settled: wherever a limit lies inside an interval, another statement decides.",
        ),
        (
            KNOWN | {"open": ["C29", "C31"]},
            "Where a limit of the rule lies inside the interval of the effect that decides, another run of "
            "the simulation, or other patients of the real trial, may decide otherwise, and the verdict is "
            "*not settled*: C29 and C31.",
        ),
    ],
    "public_attempt": [
        (
            KNOWN,
            "The public attempt on the pilot asks something else. It is about all 254 randomised patients "
            "and whether they leave at any time, without a landmark; the models here are about the 200 "
            "patients still in the trial on day 28, of whom 60 have the primary event later. Its figures, "
            "0.627 to 0.733, are in cross-validation not above those found here for any kind of model.",
        ),
        (
            KNOWN | {"excess": {"LR*": 0.183}},
            "The public attempt on the pilot asks something else. It is about all 254 randomised patients "
            "and whether they leave at any time, without a landmark; the models here are about the 200 "
            "patients still in the trial on day 28, of whom 60 have the primary event later. Its figures, "
            "0.627 to 0.733, lie in cross-validation beyond those found here for the same kind of model by "
            "+0.183 (LR*). That it counts adverse events over the whole follow-up is not shown to explain "
            "it: with this report's model, at the landmark with most events (day 14) and not on the "
            "attempt's patients, that leak is priced at +0.020 (−0.010 to +0.050) ([](#fig-leaks)).",
        ),
        (
            KNOWN | {"excess": {"LR": 0.183, "RF": 0.1, "XGB": -0.1}, "price": interval(0.1)},
            "The public attempt on the pilot asks something else. It is about all 254 randomised patients "
            "and whether they leave at any time, without a landmark; the models here are about the 200 "
            "patients still in the trial on day 28, of whom 60 have the primary event later. Its figures, "
            "0.627 to 0.733, lie in cross-validation beyond those found here for the same kind of model by "
            "+0.183 (LR), +0.100 (RF) and −0.100 (XGB). That it counts adverse events over the whole "
            "follow-up explains a part of it: with this report's model, at the landmark with most events "
            "(day 14) and not on the attempt's patients, that leak is priced at +0.100 (+0.090 to +0.110) "
            "([](#fig-leaks)).",
        ),
    ],
    "operating_points": [
        (
            {"points": POINTS},
            "All of the three published operating points need a concave curve with an AUROC of at least 0.79 "
            "to 0.83, where 0.618 to 0.643 was published. A curve that is not concave could have less area, "
            "down to 0.645, but then a better ranking could be made from the same score; [](#tbl-arithmetic) "
            "has the proof for each.",
        ),
        (
            {"points": POINTS.assign(published=[0.9, 0.8, 0.9], matrices=[0, 1, 0])},
            "One of the three published operating points needs a concave curve with an AUROC of at least "
            "0.79 to 0.83, where 0.800 to 0.900 was published. For C38 and C40 no confusion matrix of 200 "
            "patients with 48 dropouts has the two printed figures; with another number that the printed "
            "rate can stand for, there may be one, and the verdict rests on its area. A curve that is not "
            "concave could have less area, down to 0.645, but then a better ranking could be made from the "
            "same score; [](#tbl-arithmetic) has the proof for each.",
        ),
        (
            {"points": POINTS.assign(published=[0.9, 0.618, 0.63])},
            "Two of the three published operating points need a concave curve with an AUROC of at least 0.79 "
            "to 0.83, where 0.618 to 0.900 was published. A curve that is not concave could have less area, "
            "down to 0.645, but then a better ranking could be made from the same score; [](#tbl-arithmetic) "
            "has the proof for each.",
        ),
    ],
    "amended": [
        (
            {"changes": []},
            "",
        ),
        (
            {"changes": [CHANGE]},
            "C01, C02: impossible → supported",
        ),
        (
            {"changes": [CHANGE, CHANGE | {"claims": ["C03"], "before": "supported"}]},
            "C01, C02: impossible → supported; C03: still supported",
        ),
    ],
    "figures_found": [
        (
            {"statements": [PART]},
            "0.643",
        ),
        (
            {"statements": [PART | {"measured": None}]},
            "–",
        ),
        (
            {"statements": [SPREAD, PART | {"arithmetic": True}]},
            "0.036 (−0.032 to −0.028)",
        ),
        (
            {"statements": [PART | {"arithmetic": True}]},
            "0.643",
        ),
        (
            {"statements": [PART, PART | {"measured": 0.655, "or_else": {"from a file": 0.643}}]},
            "0.643 / 0.6550, from a file 0.6430",
        ),
        (
            {"statements": [PART | {"measured": 0.655, "verdict": "not supported", "or_else": {"from a file": 0.643}}]},
            "0.6550",
        ),
        (
            {"statements": [PART | {"decimals": -1, "published": 520, "measured": 524.0}]},
            "524",
        ),
        (
            {"statements": [EFFECT]},
            "−0.030 (−0.032 to −0.028)",
        ),
        (
            {"statements": [EFFECT | {"measured": 0.0015, "ci_low": None}]},
            "+0.0015",
        ),
        (
            {"statements": [EFFECT | {"rule": "rank_first", "ci_high": None}]},
            "−0.030",
        ),
        (
            {"statements": [SPREAD]},
            "0.036 (−0.032 to −0.028)",
        ),
        (
            {"statements": [SPREAD | {"measured": 0.0015}]},
            "0.002 (−0.032 to −0.028)",
        ),
        (
            {"statements": [PART | {"or_else": {"from a file": 0.7}}]},
            "0.643",
        ),
        (
            {"statements": [SPREAD | {"measured": 1000.0}]},
            "1000 (0 to 0)",
        ),
    ],
    "reason": [
        (
            {"verdict": "reproduced", "statements": [PART]},
            "Published 0.643, recomputed 0.643.",
        ),
        (
            {"verdict": "impossible", "statements": [PART | {"label": "a*"}, NEVER, NEVER | {"label": "b"}]},
            "A * is not allowed; b: a * is not allowed; a*: reproduced (published 0.643, recomputed 0.643).",
        ),
        (
            {"verdict": "not settled", "statements": [PART, PART]},
            "Reproduced (published 0.643, recomputed 0.643); reproduced (published 0.643, recomputed 0.643).",
        ),
    ],
    "reason_of": [
        (
            PART,
            "published 0.643, recomputed 0.643",
        ),
        (
            PART | {"label": "a*"},
            "a*: published 0.643, recomputed 0.643",
        ),
    ],
    "measured_with_interval": [
        (
            EFFECT | {"sign": "+"},
            "−0.030 (95 % interval −0.032 to −0.028)",
        ),
        (
            EFFECT | {"sign": "", "measured": 0.0015},
            "0.0015 (95 % interval −0.0320 to −0.0280)",
        ),
        (
            EFFECT | {"sign": "", "ci_low": None},
            "−0.030",
        ),
        (
            EFFECT | {"sign": "", "ci_high": None},
            "−0.030",
        ),
    ],
    "too_coarse": [
        (
            EFFECT,
            "Monte-Carlo error 0.001 is not below a fifth of the margin 0.01",
        ),
    ],
    "reason_rounds_to": [
        (
            PART,
            "published 0.643, recomputed 0.643",
        ),
        (
            PART | {"measured": None},
            "published 0.643, recomputed –, since it would be out of none",
        ),
        (
            PART | {"exact": False, "measured": 0.6467, "or_else": {"from a * file": 0.6426}},
            "published 0.643, recomputed 0.6467, from a * file 0.6426",
        ),
        (
            PART | {"or_else": {"from a file": 0.6426}},
            "published 0.643, recomputed 0.643",
        ),
    ],
    "reason_one_matrix": [
        (
            MATRIX,
            "0.72, 0.68 and 0.699 are attainable: 35 of 48 dropouts among 51 flagged",
        ),
        (
            MATRIX | {"matrices": 0},
            "no confusion matrix with 48 or 60 dropouts has 0.72, 0.68 and 0.699",
        ),
        (
            MATRIX | {"fit_to_three": False},
            "0.72, 0.68 and 0.699 are attainable: 35 of 48 dropouts among 51 flagged (to three digits no "
            "matrix with 48 or 60 dropouts has them)",
        ),
        (
            MATRIX | {"fit_to_three": False, "args": MATRIX["args"] | {"decimals": 3}},
            "0.720, 0.680 and 0.699 are attainable: 35 of 48 dropouts among 51 flagged",
        ),
    ],
    "reason_direction_and_half": [
        (
            EFFECT,
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028)",
        ),
        (
            EFFECT | {"verdict": "not testable"},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028); Monte-Carlo error 0.001 is "
            "not below a fifth of the margin 0.01",
        ),
        (
            EFFECT | {"lies": "around the margin"},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028); the smallest difference of "
            "interest 0.01 lies inside the interval",
        ),
        (
            EFFECT | {"lies": "around half"},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028); half of what was published, "
            "0.02, lies inside the interval",
        ),
        (
            EFFECT | {"lies": "around twice"},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028); twice what was published, "
            "0.08, lies inside the interval",
        ),
        (
            EFFECT | {"lies": "below the margin"},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028), below the smallest "
            "difference of interest 0.01",
        ),
        (
            EFFECT | {"lies": "opposite"},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028), not in the claimed direction",
        ),
        (
            EFFECT | {"lies": "absent"},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028), no difference is seen and "
            "the claimed size is excluded",
        ),
        (
            EFFECT | {"lies": "above twice"},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028), more than twice the claimed size",
        ),
        (
            EFFECT | {"lies": "below the margin", "margin_is_half": True},
            "published −0.040, measured −0.030 (95 % interval −0.032 to −0.028), below 0.01 (half of what "
            "was published)",
        ),
    ],
    "reason_order": [
        (
            {"steps": [EFFECT | {"label": "a*"}, EFFECT | {"label": "b"}]},
            "a*: published −0.040, measured −0.030 (95 % interval −0.032 to −0.028); b: published −0.040, "
            "measured −0.030 (95 % interval −0.032 to −0.028)",
        ),
    ],
    "reason_rank_first": [
        (
            EFFECT | {"args": {"leader": "a*"}, "place": 1, "values": {"a": 1, "b": 0}},
            "a* ranks 1 of 2 with −0.030 (95 % interval −0.032 to −0.028)",
        ),
        (
            EFFECT
            | {"args": {"leader": "a*"}, "place": 2, "values": {"a": 1, "b": 0}, "first": EFFECT | {"label": "b*"}},
            "a* ranks 2 of 2 with −0.030 (95 % interval −0.032 to −0.028); first is b* with −0.030 (95 % "
            "interval −0.032 to −0.028)",
        ),
    ],
    "reason_at_most": [
        (
            SPREAD,
            "the spread 0.036 (95 % interval −0.032 to −0.028), limit 0.025",
        ),
        (
            SPREAD | {"args": {}, "verdict": "not testable"},
            "measured 0.036 (95 % interval −0.032 to −0.028), limit 0.025; Monte-Carlo error 0.001 is not "
            "below a fifth of the margin 0.01",
        ),
    ],
    "reason_equal": [
        (
            PART | {"args": {"what": "two * runs"}, "value": 0.65},
            "two * runs agree at 0.6500",
        ),
        (
            PART | {"args": {"what": "two runs"}, "measured": 0.012, "verdict": "not supported"},
            "two runs differ by 0.012",
        ),
    ],
    "reason_auc_ceiling": [
        (
            EFFECT | {"published": 0.85, "measured": 0.709},
            "needs an AUROC of 0.85, the true probabilities reach 0.709 (95 % interval −0.032 to −0.028)",
        ),
    ],
    "reason_between": [
        (
            PART | {"args": {"what": "folds*", "decimals": 2}, "value": 0.7, "ends": [0.65, 0.75]},
            "folds*: 0.70 is within 0.65 to 0.75",
        ),
        (
            PART | {"args": {"what": "folds", "decimals": 0}, "value": 9, "ends": [1, 2], "verdict": "not supported"},
            "folds: 9 is not within 1 to 2",
        ),
    ],
    "reason_sums": [
        (
            PART
            | {
                "args": {"what": "rows*", "terms": [17, 143]},
                "measured": 160.0,
                "totals": [60.0, 48.0],
                "verdict": "impossible",
            },
            "rows*: 17 + 143 = 160, but it must be 60 or 48",
        ),
        (
            PART | {"args": {"what": "rows", "terms": [60]}, "measured": 60.0, "totals": [60.0]},
            "rows: 60, as it must be 60",
        ),
    ],
    "reason_calculation": [
        (
            PART | {"measured": 0.6434},
            "printed 0.643, calculated 0.6434",
        ),
    ],
    "reason_sd_of_folds": [
        (
            PART
            | {
                "mean": 0.6982,
                "population": 0.0145,
                "measured": 0.0163,
                "args": {"mean": 0.698, "sd": 0.023, "decimals": 3},
            },
            "the folds have mean 0.6982 and standard deviation 0.0145 (divisor n) or 0.0163 (n - 1), printed "
            "0.698 and 0.023",
        ),
    ],
    "reason_relative_change": [
        (
            PART
            | {"args": {"before": 0.52, "after": 0.7}, "measured": 34.615, "low": 32.4, "high": 36.9, "published": 38},
            "from 0.52 to 0.7 is +34.6 % (32.4 to 36.9 % with rounding), printed +38 %",
        ),
    ],
    "reason_auc_bound": [
        (
            BOUND,
            "with 48 dropouts of 200 the point implies a false-positive rate of 0.107; with 47 to 49, an "
            "AUROC of at least 0.648 for any curve and 0.806 for a concave one, published 0.643",
        ),
        (
            BOUND | {"matrices": 0},
            "with 48 dropouts of 200 the point implies a false-positive rate of 0.107; with 47 to 49, an "
            "AUROC of at least 0.648 for any curve and 0.806 for a concave one, published 0.643; no "
            "confusion matrix with 48 dropouts has both figures",
        ),
    ],
    "reason_never": [
        (
            NEVER,
            "a * is not allowed",
        ),
    ],
    "reason_not_testable": [
        (
            NEVER,
            "a * is not allowed",
        ),
    ],
    "flow_step": [
        (
            {"step": "drawn", "day": None},
            "patients drawn",
        ),
        (
            {"step": "train", "day": None},
            "to train on",
        ),
        (
            {"step": "test", "day": None},
            "held out once",
        ),
        (
            {"step": "screened", "day": None},
            "screened",
        ),
        (
            {"step": "randomised", "day": None},
            "randomised",
        ),
        (
            {"step": "landmark", "day": 84},
            "still in at day 84",
        ),
    ],
    "flow_note": [
        (
            {"step": "drawn", "events": 525},
            "525 drop out",
        ),
        (
            {"step": "screened", "events": 52},
            "52 screen failures",
        ),
        (
            {"step": "randomised", "events": 107, "competing": 5},
            "107 primary events, 5 competing by week 24",
        ),
        (
            {"step": "landmark", "events": 77},
            "77 have the primary event later",
        ),
    ],
    "flow_shows": [
        (
            {"step": "landmark", "day": 84, "events": 40, "randomised": 254, "left": 150},
            "Of 254 randomised patients 150 are still in at day 84 (40 have the primary event later): the "
            "later one waits, the fewer are left to act for, and to learn from. The simulated trial has no "
            "screening and no loss before the first visit; its patients are all held to be at risk from the "
            "first day. [](#fig-participant-flow) has the real trial's reasons.",
        ),
    ],
    "cost": [
        (
            COST,
            "To draw 10,000,000 patients, derive their features and score them takes 62 seconds of one "
            "processor and 900 MiB at the peak: pieces of a trial are made and let go. The other steps look "
            "at all patients at once, up to 1,000,000 with 1501 MiB. From the second largest number to the "
            "largest, cost grows as the number of patients to a power between 0.91 and 1.23 (bootstrap); 1 "
            "is in proportion. Replicates do not depend on each other: their cost is in proportion to their "
            "number and shared among workers, and the Monte-Carlo error falls with its square root. Measured "
            "on 2026\\-11\\-26, 2 cores.",
        ),
    ],
    "readme_ledger": [
        (
            KNOWN,
            "*10 published claims hold.* 3 do, 3 are impossible, 4 are not supported.",
        ),
    ],
    "readme_engineering": [
        (
            ENGINEERING,
            "*Engineered features raise the AUROC by 0.18.* They change it by +0.010 (+0.009 to +0.011).",
        ),
    ],
    "readme_models": [
        (
            MODELS,
            "*Logistic regression beats LightGBM, which beats XGBoost, in AUROC.* The differences are +0.054 "
            "(+0.044 to +0.064) and +0.0200 (+0.0100 to +0.0300).",
        ),
    ],
    "readme_pilot": [
        (
            PILOT,
            "*What is known on day 28 of a real trial tells who will leave it.* AUROC 0.660 (0.650 to "
            "0.670); without the treatment arm 0.510 (0.500 to 0.520), by the arm alone 0.670 (0.660 to 0.680).",
        ),
    ],
    "readme_number": [
        (
            HOW_MANY,
            "*How many will leave can be told while a trial runs.* Put back to 25 months, 24 of its 90 % intervals "
            "held "
            "what came; in simulated trials 88% to 94%.",
        ),
    ],
    "finding_number": [
        (
            HOW_MANY,
            "*Claim:* how many will leave can be told while a trial runs. *Found:* of the real trial, put back to "
            "2013\\-06\\-01 when 49 of 124 patients were gone, 131 of 254 were expected to be gone in the end (107 to "
            "157), and 137 were; 24 of the intervals of 25 months held what came. In simulated trials of four shapes "
            "87.8% "
            "to 93.6% of what came lay inside the 90 % interval.",
        ),
    ],
    "readme_worth": [
        (
            WORTH,
            "*Told the treatment, it pays to contact the patients whom a model flags.* Here: in the real trial "
            "contacting by the full model's risk is at no threshold shown to beat both contacting everybody and "
            "contacting nobody.",
        ),
    ],
    "readme_leaks": [
        (
            LEAKS,
            "*A model that sees more than was known in time looks better than it is.* Of 13 ways to do so 2 "
            "raise the AUROC; the largest difference is between 0.550 and 0.900.",
        ),
        (
            LEAKS | {"harmful": 1},
            "*A model that sees more than was known in time looks better than it is.* Of 13 ways to do so 1 "
            "raises the AUROC; the largest difference is between 0.550 and 0.900.",
        ),
    ],
    "finding_worth": [
        (
            WORTH | {"simulated": PAPER},
            "*Claim:* told the treatment, it pays to contact the patients whom a model flags. "
            "*Found:* in the real trial "
            "contacting by the full model's risk is at no threshold shown to beat both contacting everybody "
            "and contacting nobody. In the simulated trial, and on paper only, since its predictors are "
            "known too late: contacting by logistic regression beats both contacting everybody and "
            "contacting nobody at thresholds from 0.45 to 0.75; its advantage over the better of the two is "
            "at most 14.1 more leavers found per 100 patients, net of false alarms (lower end of the band "
            "7.3), at 0.53. Of the two thresholds that somebody's costs or bands put there, it is shown to "
            "win at 0.50 and not at 0.35.",
        ),
        (
            WORTH | {"arm": HOPE, "simulated": PAPER | {"useful": []}},
            "*Claim:* told the treatment, it pays to contact the patients whom a model flags. "
            "*Found:* in the real trial "
            "contacting by the full model's risk is at no threshold shown to beat both contacting everybody "
            "and contacting nobody; contacting by the treatment arm alone, once it is known, beats both at "
            "thresholds from 0.4 to 0.475, by the model without the arm at no threshold. In the simulated "
            "trial, and on paper only, since its predictors are known too late: do not use any of the three "
            "models: at no threshold from 0.35 to 0.75 does one beat both contacting everybody and "
            "contacting nobody.",
        ),
    ],
}

test_words = turns.over(CASES)
