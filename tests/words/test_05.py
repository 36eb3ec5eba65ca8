"""Chapter 05: every turn of its sentences, over facts as `attrition.evaluation` gives them."""

from types import SimpleNamespace

import pandas as pd

from attrition import models
from tests.words import turns

RANKING = {
    "verdict": "supported",
    "best_name": "Logistic regression",
    "second_name": "LightGBM",
    "best_auroc": {"value": 0.69, "ci_low": 0.66, "ci_high": 0.72},
    "oracle_auroc": {"value": 0.7, "ci_low": 0.67, "ci_high": 0.73},
    "share": 0.946,
    "gap": {"value": 0.06, "ci_low": 0.05, "ci_high": 0.07},
}


def ends(value: float, half: float = 0.01) -> dict:
    return {"value": value, "ci_low": value - half, "ci_high": value + half}


BOOK = SimpleNamespace(FITTED=["lr", "xgb", "lgbm"], LABELS=models.LABELS, IN_TEXT=models.IN_TEXT)
FOUND = {model: {"auroc": {"value": area}} for model, area in {"lr": 0.69, "lgbm": 0.63, "xgb": 0.62}.items()}
BELOW = {"auroc": ends(-0.012), "brier_score": ends(0.012), "net_benefit": ends(-0.012)}
LESS = {f"{model}_minus_oracle": BELOW for model in FOUND}
LUCKY = {"differences": LESS, "models": BOOK}
NEAREST = LUCKY | {"order": list(FOUND), "found": FOUND}


def lucky(**changes: dict) -> dict:
    return LUCKY | {"differences": LESS | {f"{model}_minus_oracle": BELOW | one for model, one in changes.items()}}


def repeated(n: int, sd: float) -> dict:
    means = {"lr": (0.69, 0.695), "xgb": (0.62, 0.641), "lgbm": (0.63, 0.61), "oracle": (0.7, 0.73), "null": (0.5, 0.5)}
    rows = [
        {"model": models.LABELS[name], "mean": mean, "of_averaged_scores": averaged, "sd": sd, "n_repeats": n}
        for name, (mean, averaged) in means.items()
    ]
    return {"rows": rows, "auroc": ends(0.69, 0.032), "models": BOOK}


REPEATS = repeated(5, 0.0034)
CALIBRATION = {
    "too_extreme": ["XGBoost"],
    "calibrated": ["logistic regression"],
    "off_level": ["LightGBM"],
    "slopes": {
        "logistic regression": {"value": 0.98, "ci_low": 0.88, "ci_high": 1.08},
        "XGBoost": {"value": 0.4, "ci_low": 0.3, "ci_high": 0.5},
    },
}
KNOWN = {
    "slope": {"value": 0.98, "ci_low": 0.95, "ci_high": 1.01},
    "level": {"value": -0.01, "ci_low": -0.03, "ci_high": 0.01},
}
WEIGHTS = {
    "spoiled": True,
    "rate": 0.24,
    "recall_plain": 0.42,
    "recall_weighted": 0.81,
    "flagged_plain": 20.4,
    "flagged_weighted": 61.0,
    "auroc_plain": 0.652,
    "auroc_weighted": 0.6521,
    "level_plain": -0.02,
    "level_weighted": -1.11,
}
ABOVE = {"above": {"xgb": 12, "lgbm": 9, "lr": 34, "oracle": 40}, "thresholds": [k / 100 for k in range(35, 76)]}
ACTING = {
    "low": 0.35,
    "high": 0.75,
    "useful": ["lr"],
    "n_models": 3,
    "best": "logistic regression",
    "first": 0.4,
    "last": 0.6,
    "at": 0.525,
    "gain": 5.04,
    "at_least": 2.26,
    "smallest": 1.0,
    "useless": ["XGBoost", "LightGBM"],
    "won": [0.55],
    "lost": [0.35, 0.75],
    "verdict": "supported",
}
DOLLARS = {"threshold": 0.35, "model": 1234.5, "everybody": 1000.2, "added": 234.3, "oracle": 300.0, "shown": True}
STEADY = {"band": 0.24, "unsteady": 0.081, "threshold": 0.35, "often": 0.1, "mape": 0.0314, "width": 0.126}
NEAR = {"often": 0.1}
LAW = {"held": 8, "n": 9, "known": 4, "found": 3}
BURDEN = {
    "compatible": True,
    "coefficient": {"value": 0.05, "ci_low": -0.15, "ci_high": 0.25},
    "loss": {"value": 0.003, "ci_low": -0.001, "ci_high": 0.007},
    "rank": 4,
    "features": 9,
}
DEPENDENCE = {"best": "Logistic regression", "gap": 0.04, "others": {"XGBoost": 0.1, "LightGBM": 0.123}}
SUBGROUPS = {
    "n_miscalibrated": 2,
    "miscalibrated": ["age under 35", "arm Control"],
    "n_large": 9,
    "expected_by_chance": 0.45,
    "n_small": 2,
}
ENOUGH = {"verdict": "supported", "criterion": "shrinkage", "n_needed": 1523, "n_patients": 2000, "shrinkage": 0.934}
COVERAGE = {"low": 0.93, "high": 0.97, "outside": [], "lowest": 0.9412, "highest": 0.9578, "methods": 16}
AREAS = {"areas": {"lr": 0.7, "xgb": 0.6}, "worst": "xgb", "best": "lr"}
CALLED = {"threshold": 0.35, "flagged_per_100": 80.4, "found_per_100": 45.6, "missed_per_100": 6.9}


def areas(rate, more):
    """How the areas under precision-recall curves are to be read."""
    return (
        f"Read these areas against the event rate, {rate}, which chance would reach: they run from 0.600 (xgb) to "
        f"0.700 (lr).{more} Precision moves with the event rate, so this figure does not carry over to a trial in "
        "which fewer leave."
    )


def flagged(more):
    """What logistic regression does at the threshold of the decision."""
    return (
        "At the threshold 0.35, logistic regression flags 80 of 100 patients, finds 46 leavers and misses 7, with "
        f"precision 0.57{more}. The published confusion matrix counted 60 dropouts in one table and 200 in one "
        "sentence ([](#tbl-ledger)); here found and missed add up to the event rate by construction."
    )


CASES = {
    turns.inline("05_evaluation", "ch05-17"): [
        (AREAS | {"rate": 0.401}, areas("0.401", " With an event rate this high even chance looks good.")),
        (AREAS | {"rate": 0.4}, areas("0.400", "")),
    ],
    turns.inline("05_evaluation", "ch05-34"): [
        (
            {"gains": pd.Series([40.0, 2500.0])},
            "The bands are easy to justify at the low end and hard at the top: the call pays if it saves 40 dollars "
            "on a "
            "patient who would leave, the retention team only if it saves 2500 more than the consultation. Whether "
            "they "
            "do is not in any data here; a trial team has to say it.",
        ),
    ],
    turns.inline("05_evaluation", "ch05-37"): [
        (
            {"called": CALLED, "precision": 0.57, "crowded": True},
            flagged(": where more than half leave, a low threshold flags most patients"),
        ),
        ({"called": CALLED, "precision": 0.57, "crowded": False}, flagged("")),
    ],
    "ranks_best": [
        (
            RANKING,
            "Logistic regression ranks patients best: AUROC 0.690 (0.660 to 0.720), where the oracle has "
            "0.700 (0.670 to 0.730) and chance .5. Over all outcomes that these patients could have had, it "
            "reaches 95% of the lift that can be attained. It leads LightGBM by 0.060 (0.050 to 0.070), more"
            " than the smallest difference of interest.",
        ),
        (
            RANKING | {"verdict": "direction only"},
            "Logistic regression ranks patients best: AUROC 0.690 (0.660 to 0.720), where the oracle has "
            "0.700 (0.670 to 0.730) and chance .5. Over all outcomes that these patients could have had, it "
            "reaches 95% of the lift that can be attained. It leads LightGBM by 0.060 (0.050 to 0.070), "
            "clear in direction, but possibly too small to matter.",
        ),
        (
            RANKING | {"verdict": "not supported"},
            "Logistic regression ranks patients best: AUROC 0.690 (0.660 to 0.720), where the oracle has "
            "0.700 (0.670 to 0.730) and chance .5. Over all outcomes that these patients could have had, it "
            "reaches 95% of the lift that can be attained. It leads LightGBM by 0.060 (0.050 to 0.070), not "
            "distinguishable from no difference.",
        ),
    ],
    "roc_nearest": [
        (
            NEAREST,
            "The curve of logistic regression lies nearest to the oracle's: the areas differ by −0.012 "
            "(−0.022 to −0.002), a difference that these patients do show. LightGBM and XGBoost lie lower, "
            "with areas of 0.630 and 0.620. The doubt: curves may cross where areas do not, so an order of "
            "areas is not an order at every threshold.",
        ),
        (
            NEAREST | lucky(lr={"auroc": ends(0.012)}),
            "The curve of logistic regression lies nearest to the oracle's: the areas differ by 0.012 "
            "(0.002 to 0.022), a difference that these patients do show. LightGBM and XGBoost lie lower, "
            "with areas of 0.630 and 0.620. The doubt: curves may cross where areas do not, so an order of "
            "areas is not an order at every threshold.",
        ),
        (
            NEAREST | lucky(lr={"auroc": ends(-0.002)}),
            "The curve of logistic regression lies nearest to the oracle's: the areas differ by −0.002 "
            "(−0.012 to 0.008), these patients cannot tell the two apart. LightGBM and XGBoost lie lower, "
            "with areas of 0.630 and 0.620. The doubt: curves may cross where areas do not, so an order of "
            "areas is not an order at every threshold.",
        ),
    ],
    "above_the_oracle": [
        (
            LUCKY,
            "No fitted model comes out better than the oracle beyond its interval, in any of 9 comparisons.",
        ),
        (
            lucky(xgb={"brier_score": ends(-0.02)}),
            "On these patients the Brier score of XGBoost is better than the oracle's, with an interval that"
            " excludes 0. No model can be better over all outcomes, so this is the luck of one draw of "
            "outcomes: among 9 intervals of 95 % against the oracle a miss is no surprise, and the other "
            "differences deserve the same doubt.",
        ),
        (
            lucky(lr={"auroc": ends(0.02)}, lgbm={"net_benefit": ends(0.014)}),
            "On these patients the AUROC of logistic regression and the net benefit of LightGBM are better "
            "than the oracle's, with an interval that excludes 0. No model can be better over all outcomes, "
            "so this is the luck of one draw of outcomes: among 9 intervals of 95 % against the oracle a "
            "miss is no surprise, and the other differences deserve the same doubt.",
        ),
    ],
    "spread_over_repeats": [
        (
            REPEATS,
            "Splitting again moves the AUROC of logistic regression by 0.0034, which says nothing about its "
            "error on other patients: half its interval is 0.032 wide. Averaging a patient's scores over "
            "repeats first would change XGBoost most, from 0.620 to 0.641: that is another model, an "
            "ensemble. The null model stays at 0.500.",
        ),
        (
            repeated(1, float("nan")),
            "One repeat says nothing about spread; half the interval of logistic regression is 0.032 wide. "
            "Averaging a patient's scores over repeats first would change XGBoost most, from 0.620 to 0.641:"
            " that is another model, an ensemble. The null model stays at 0.500.",
        ),
    ],
    "who_is_calibrated": [
        (
            CALIBRATION,
            "Predictions of XGBoost are too extreme; those of logistic regression are compatible with "
            "perfect calibration; too high or too low on the whole: LightGBM: the calibration slopes are "
            "0.98 (0.88 to 1.08) for logistic regression and 0.40 (0.30 to 0.50) for XGBoost, where 1 is "
            "right.",
        ),
        (
            CALIBRATION | {"too_extreme": []},
            "Those of logistic regression are compatible with perfect calibration; too high or too low on "
            "the whole: LightGBM: the calibration slopes are 0.98 (0.88 to 1.08) for logistic regression and"
            " 0.40 (0.30 to 0.50) for XGBoost, where 1 is right.",
        ),
        (
            CALIBRATION | {"calibrated": []},
            "Predictions of XGBoost are too extreme; too high or too low on the whole: LightGBM: the "
            "calibration slopes are 0.98 (0.88 to 1.08) for logistic regression and 0.40 (0.30 to 0.50) for "
            "XGBoost, where 1 is right.",
        ),
        (
            CALIBRATION | {"too_extreme": [], "calibrated": []},
            "Too high or too low on the whole: LightGBM: the calibration slopes are 0.98 (0.88 to 1.08) for "
            "logistic regression and 0.40 (0.30 to 0.50) for XGBoost, where 1 is right.",
        ),
        (
            CALIBRATION | {"off_level": []},
            "Predictions of XGBoost are too extreme; those of logistic regression are compatible with "
            "perfect calibration: the calibration slopes are 0.98 (0.88 to 1.08) for logistic regression and"
            " 0.40 (0.30 to 0.50) for XGBoost, where 1 is right.",
        ),
        (
            CALIBRATION | {"calibrated": [], "off_level": []},
            "Predictions of XGBoost are too extreme: the calibration slopes are 0.98 (0.88 to 1.08) for logistic "
            "regression and 0.40 (0.30 to 0.50) for XGBoost, where 1 is right.",
        ),
        (
            CALIBRATION | {"too_extreme": [], "off_level": []},
            "Those of logistic regression are compatible with perfect calibration: the calibration slopes are "
            "0.98 (0.88 to 1.08) for logistic regression and 0.40 (0.30 to 0.50) for XGBoost, where 1 is right.",
        ),
        (
            CALIBRATION | {"too_extreme": [], "calibrated": [], "off_level": []},
            "No model is calibrated: the calibration slopes are 0.98 (0.88 to 1.08) for logistic regression "
            "and 0.40 (0.30 to 0.50) for XGBoost, where 1 is right.",
        ),
    ],
    "calibrated_where_known": [
        (
            KNOWN,
            "One trial can only fail to refute. Over simulated trials, where the truth is known "
            "([](#tbl-imbalance-default)), the same recipe for logistic regression has a calibration slope "
            "of 0.98 (0.95 to 1.01) and a calibration-in-the-large of −0.01 (−0.03 to 0.01): what one trial "
            "does not refute is not refuted there either.",
        ),
        (
            KNOWN | {"slope": ends(0.98)},
            "One trial can only fail to refute. Over simulated trials, where the truth is known "
            "([](#tbl-imbalance-default)), the same recipe for logistic regression has a calibration slope "
            "of 0.98 (0.97 to 0.99) and a calibration-in-the-large of −0.01 (−0.03 to 0.01): its slope is "
            "off, which one trial is too small to show.",
        ),
        (
            KNOWN | {"slope": ends(1.02), "level": ends(-0.02)},
            "One trial can only fail to refute. Over simulated trials, where the truth is known "
            "([](#tbl-imbalance-default)), the same recipe for logistic regression has a calibration slope "
            "of 1.02 (1.01 to 1.03) and a calibration-in-the-large of −0.02 (−0.03 to −0.01): both are off, "
            "which one trial is too small to show.",
        ),
        (
            KNOWN | {"level": ends(0.02)},
            "One trial can only fail to refute. Over simulated trials, where the truth is known "
            "([](#tbl-imbalance-default)), the same recipe for logistic regression has a calibration slope "
            "of 0.98 (0.95 to 1.01) and a calibration-in-the-large of 0.02 (0.01 to 0.03): its level is "
            "off, which one trial is too small to show.",
        ),
    ],
    "class_weights_cost": [
        (
            WEIGHTS,
            "Class weights buy recall by breaking the probabilities: at 24% events recall at the threshold "
            "of the table goes from 0.42 to 0.81 and patients flagged per 100 from 20 to 61, while AUROC "
            "stays at 0.652 and calibration-in-the-large goes from −0.02 to −1.11. A lower threshold raises "
            "recall as well, and leaves the probabilities alone.",
        ),
        (
            WEIGHTS | {"spoiled": False, "auroc_weighted": 0.661},
            "Class weights move the probabilities less than this trial can show: at 24% events recall at the"
            " threshold of the table goes from 0.42 to 0.81 and patients flagged per 100 from 20 to 61, "
            "while AUROC goes from 0.652 to 0.661 and calibration-in-the-large goes from −0.02 to −1.11.",
        ),
    ],
    "by_point_estimates": [
        (
            ABOVE | {"models": BOOK},
            "By point estimates logistic regression is above both defaults at 34 of 41 thresholds from 0.35 "
            "to 0.75, XGBoost at 12, LightGBM at 9 and the oracle at 40. The doubt: these are curves without "
            "a verdict; a lead at one threshold may be luck, and only thresholds that somebody's costs put "
            "there matter.",
        ),
    ],
    "worth_acting": [
        (
            ACTING,
            "contacting by logistic regression beats both contacting everybody and contacting nobody at "
            "thresholds from 0.40 to 0.60; its advantage over the better of the two is at most 5.0 more "
            "leavers found per 100 patients, net of false alarms (lower end of the band 2.3), at 0.53. Of "
            "the three thresholds that somebody's costs or bands put there, it is shown to win at 0.55 and "
            "not at 0.35 and 0.75. Do not use XGBoost and LightGBM at any threshold between 0.35 and 0.75.",
        ),
        (
            ACTING | {"useful": []},
            "do not use any of the three models: at no threshold from 0.35 to 0.75 does one beat both "
            "contacting everybody and contacting nobody.",
        ),
        (
            ACTING | {"won": []},
            "contacting by logistic regression beats both contacting everybody and contacting nobody at "
            "thresholds from 0.40 to 0.60; its advantage over the better of the two is at most 5.0 more "
            "leavers found per 100 patients, net of false alarms (lower end of the band 2.3), at 0.53. Of "
            "the two thresholds that somebody's costs or bands put there, it is shown to win at none of "
            "them. Do not use XGBoost and LightGBM at any threshold between 0.35 and 0.75.",
        ),
        (
            ACTING | {"lost": []},
            "contacting by logistic regression beats both contacting everybody and contacting nobody at "
            "thresholds from 0.40 to 0.60; its advantage over the better of the two is at most 5.0 more "
            "leavers found per 100 patients, net of false alarms (lower end of the band 2.3), at 0.53. Of "
            "the one threshold that somebody's costs or bands put there, it is shown to win at all of them."
            " Do not use XGBoost and LightGBM at any threshold between 0.35 and 0.75.",
        ),
        (
            ACTING | {"won": [], "lost": []},
            "contacting by logistic regression beats both contacting everybody and contacting nobody at "
            "thresholds from 0.40 to 0.60; its advantage over the better of the two is at most 5.0 more "
            "leavers found per 100 patients, net of false alarms (lower end of the band 2.3), at 0.53. Do "
            "not use XGBoost and LightGBM at any threshold between 0.35 and 0.75.",
        ),
        (
            ACTING | {"useless": []},
            "contacting by logistic regression beats both contacting everybody and contacting nobody at "
            "thresholds from 0.40 to 0.60; its advantage over the better of the two is at most 5.0 more "
            "leavers found per 100 patients, net of false alarms (lower end of the band 2.3), at 0.53. Of "
            "the three thresholds that somebody's costs or bands put there, it is shown to win at 0.55 and "
            "not at 0.35 and 0.75.",
        ),
        (
            ACTING | {"verdict": "direction only"},
            "contacting by logistic regression beats both contacting everybody and contacting nobody at "
            "thresholds from 0.40 to 0.60; its advantage over the better of the two is at most 5.0 more "
            "leavers found per 100 patients, net of false alarms (lower end of the band 2.3), at 0.53. Of "
            "the three thresholds that somebody's costs or bands put there, it is shown to win at 0.55 and "
            "not at 0.35 and 0.75. Do not use XGBoost and LightGBM at any threshold between 0.35 and 0.75. "
            "That may be less than the smallest difference of interest, 1 per 100.",
        ),
    ],
    "in_dollars": [
        (
            DOLLARS,
            "At the threshold 0.35 the model is worth 1,234 dollars per 100 patients and contacting "
            "everybody 1,000: over the better of contacting everybody and nobody, the model adds 234, an "
            "advantage whose band excludes none. The true probabilities would add 300.",
        ),
        (
            DOLLARS | {"shown": False},
            "At the threshold 0.35 the model is worth 1,234 dollars per 100 patients and contacting "
            "everybody 1,000: over the better of contacting everybody and nobody, the model adds 234, an "
            "advantage that its band does not tell from none. The true probabilities would add 300.",
        ),
        (
            DOLLARS | {"added": -20.0},
            "At the threshold 0.35 the model is worth 1,234 dollars per 100 patients and contacting "
            "everybody 1,000: over the better of contacting everybody and nobody, the model adds nothing "
            "(−20). The true probabilities would add 300.",
        ),
        (
            DOLLARS | {"added": 0.0},
            "At the threshold 0.35 the model is worth 1,234 dollars per 100 patients and contacting "
            "everybody 1,000: over the better of contacting everybody and nobody, the model adds nothing "
            "(0). The true probabilities would add 300.",
        ),
        (
            DOLLARS | {"added": 400.0},
            "At the threshold 0.35 the model is worth 1,234 dollars per 100 patients and contacting "
            "everybody 1,000: over the better of contacting everybody and nobody, the model adds 400, an "
            "advantage whose band excludes none. The true probabilities would add 300: the rest is the luck "
            "of these patients.",
        ),
        (
            DOLLARS | {"added": 50.0, "oracle": -100.0},
            "At the threshold 0.35 the model is worth 1,234 dollars per 100 patients and contacting "
            "everybody 1,000: over the better of contacting everybody and nobody, the model adds 50, an "
            "advantage whose band excludes none. The true probabilities would add −100: the rest is the luck"
            " of these patients.",
        ),
        (
            DOLLARS | {"added": -50.0, "oracle": -100.0},
            "At the threshold 0.35 the model is worth 1,234 dollars per 100 patients and contacting "
            "everybody 1,000: over the better of contacting everybody and nobody, the model adds nothing "
            "(−50). The true probabilities would add −100.",
        ),
    ],
    "same_patient": [
        (
            STEADY,
            "Most patients keep their band when the model is developed again: 24% of patient-model pairs "
            "fall into another band, and 8% of patients are classed otherwise at 0.35 by more than 10% of "
            "models. The mean absolute difference from the original prediction is 0.031, and the 95 % range "
            "of a patient's predictions is 0.13 wide at the median.",
        ),
        (
            STEADY | {"band": 0.25},
            "Many patients change their band when the model is developed again: 25% of patient-model pairs "
            "fall into another band, and 8% of patients are classed otherwise at 0.35 by more than 10% of "
            "models. The mean absolute difference from the original prediction is 0.031, and the 95 % range "
            "of a patient's predictions is 0.13 wide at the median.",
        ),
    ],
    "near_a_threshold": [
        (
            NEAR,
            "No patient is classed otherwise by more than 10% of models, at any threshold.",
        ),
        (
            NEAR | {"reach": 0.08, "widest": 0.55},
            "It is patients near a threshold whose class is unsteady, and near means up to 0.08 away (at "
            "0.55): beyond that distance no more than 10% of models disagree. The doubt: resampled patients "
            "stand in for new trials, which may differ in more than their patients.",
        ),
    ],
    "law_held": [
        (
            LAW,
            "8 of 9 intervals hold the law's weight; of the 4 features that the law uses as they stand, 3 "
            "have an interval on the right side of zero.",
        ),
    ],
    "burden_weight": [
        (
            BURDEN,
            "The law gives burden no weight of its own, and the fitted coefficient is compatible with that: "
            "0.05 (−0.15 to 0.25) log odds a standard deviation. Shuffling burden in held-out patients costs"
            " 0.003 (−0.001 to 0.007) of AUROC, rank 4 of 9 features.",
        ),
        (
            BURDEN | {"compatible": False},
            "The law gives burden no weight of its own, and the fitted coefficient differs from that: 0.05 "
            "(−0.15 to 0.25) log odds a standard deviation. Shuffling burden in held-out patients costs "
            "0.003 (−0.001 to 0.007) of AUROC, rank 4 of 9 features.",
        ),
    ],
    "nearest_dependence": [
        (
            DEPENDENCE,
            "Logistic regression stays nearest to the law's curves: its mean prediction is nowhere more than"
            " 0.04 away, where XGBoost strays by up to 0.10 and LightGBM strays by up to 0.12. The doubt: "
            "setting one column for everybody makes patients who cannot exist, and distances grow where "
            "patients are few.",
        ),
    ],
    "subgroups_off_level": [
        (
            SUBGROUPS,
            "Off level, with an interval that excludes 0: age under 35 and arm Control. Of 9 subgroups that "
            "are large enough, 2 have an interval of calibration-in-the-large without 0, where 0.5 would be "
            "expected by chance alone; 2 are marked small.",
        ),
        (
            SUBGROUPS | {"n_miscalibrated": 1, "miscalibrated": ["age under 35"], "n_small": 1},
            "Off level, with an interval that excludes 0: age under 35. Of 9 subgroups that are large "
            "enough, 1 has an interval of calibration-in-the-large without 0, where 0.5 would be expected by"
            " chance alone; 1 is marked small.",
        ),
        (
            SUBGROUPS | {"n_miscalibrated": 0, "miscalibrated": [], "n_small": 0},
            "No subgroup is off level beyond chance. Of 9 subgroups that are large enough, none has an "
            "interval of calibration-in-the-large without 0, where 0.5 would be expected by chance alone; "
            "none is marked small.",
        ),
    ],
    "large_enough": [
        (
            ENOUGH,
            "The trial is large enough for logistic regression on nine features: shrinkage asks for 1,523 "
            "patients, it has 2,000. The expected shrinkage at this size is 0.93.",
        ),
        (
            ENOUGH | {"verdict": "not supported"},
            "The trial is too small for logistic regression on nine features: shrinkage asks for 1,523 "
            "patients, it has 2,000. The expected shrinkage at this size is 0.93.",
        ),
    ],
    "methods_cover": [
        (
            COVERAGE,
            "No method's coverage lies outside 93 to 97 % by more than the simulation's own error; the "
            "observed shares run from 94.1% to 95.8% over 16 methods.",
        ),
        (
            COVERAGE | {"outside": ["ICI (x, y)", "AUROC (z)"]},
            "Outside 93 to 97 %, beyond the simulation's own error: ICI (x, y) and AUROC (z); the observed "
            "shares run from 94.1% to 95.8% over 16 methods.",
        ),
    ],
}
test_words = turns.over(CASES)
