"""Every turn of the sentences of chapter 07."""

from tests.words import turns


def ends(value, low, high):
    return {"value": value, "ci_low": low, "ci_high": high}


MISTAKE = {
    "censored": 0,
    "overstated": True,
    "day": 168,
    "reason": "adverse event",
    "wrong": 0.42,
    "right": 0.36,
    "gap": 6.1,
    "wrong_sum": 0.9,
    "right_sum": 0.56,
}
ARMS = {
    "day": 168,
    "arm": "High",
    "risk": 0.6,
    "first": "Placebo",
    "base": 0.3,
    "gap": ends(30.0, 10.0, 50.0),
    "margin": 10.0,
    "days": ends(20.0, 5.0, 35.0),
    "comparisons": 2,
    "verdict": "supported",
}
HAZARDS = {
    "n": 4,
    "tests": 3,
    "p": 0.4,
    "least": "protocol",
    "bound": 0.0125,
    "reasons": ["adverse event", "consent"],
    "others": False,
    "arm": "High",
    "reason": "adverse event",
    "events": 60,
    "ratio": ends(4.2, 2.1, 8.4),
}
DRIFT = {"reason": "adverse event", "arm": "High", "correlation": -0.25, "p": 0.01}
PREDICTIONS = {
    "day": 28,
    "reference": "arm_only",
    "cox": ends(0.64, 0.56, 0.72),
    "discrete": ends(0.63, 0.55, 0.71),
    "floor": ends(0.6, 0.52, 0.68),
    "ipa": ends(0.05, -0.02, 0.12),
    "largest": ends(0.04, -0.03, 0.11),
}
BLINDED = {"n": 8, "best": ends(0.58, 0.5, 0.66), "day": 84, "better": 2}
LEAVERS = {"patients": 50, "gone": 30, "day": 120, "competing": 2, "censored": 0, "horizon": 120}
SUM = {"difference": 0.2, "day": 120, "one_minus_km": 0.7, "incidence": 0.5, "censored": 0}
BETWEEN = {"arms": 2, "reason": "y", "high": 0.6, "high_arm": "B", "low": 0.2, "low_arm": "A"}
CASES: dict = {
    "single_arm": [
        ({}, "This trial has one arm, so no arms are compared."),
    ],
    "leavers": [
        (
            LEAVERS | {"censored": 20, "horizon": 168},
            (
                "Of 50 patients 30 left by day 120, 2 of them for a competing reason; nobody has been seen "
                "through the horizon, day 168, yet. So what follows is told by day 120, the longest follow-up, "
                "and is an estimate: 20 patients are still to leave or to stay."
            ),
        ),
        (
            LEAVERS,
            (
                "Of 50 patients 30 left by day 120, 2 of them for a competing reason; nobody was censored "
                "before it. So the cumulative incidence is simply a share of patients, which makes this a "
                "fair place to see what the usual curve does to it."
            ),
        ),
        (
            LEAVERS | {"censored": 3},
            (
                "Of 50 patients 30 left by day 120, 2 of them for a competing reason; the number censored "
                "before it is 3, so the cumulative incidence is an estimate rather than a plain share of "
                "patients."
            ),
        ),
    ],
    "sum_of_wrong_curves": [
        (
            SUM | {"censored": 3},
            (
                "Each curve looks plausible; together they do not: on day 120 they add up to 70.0%, while 50.0% "
                "are estimated to have left. A patient who is gone is treated as one who might still leave, and "
                "those who remain are made to stand for that patient too. See [](#fig-one-minus-km)."
            ),
        ),
        (
            SUM,
            (
                "Each curve looks plausible; together they do not: on day 120 they add up to 70.0%, while "
                "50.0% had left. A patient who is gone is treated as one who might still leave, and those who "
                "remain are made to stand for that patient too. See [](#fig-one-minus-km)."
            ),
        ),
        (
            SUM | {"difference": 0.0},
            ("On day 120 the curves add up to 70.0%, the share that had left. See [](#fig-one-minus-km)."),
        ),
    ],
    "mistake": [
        (
            MISTAKE | {"censored": 3},
            (
                "Counting the other reasons as censored overstates the risks: by day 168 it gives 42.0% for the "
                "reason adverse event where 36.0% are estimated to have left for it (6.1 percentage points too "
                "much), and over all reasons it adds up to 90.0% where 56.0% are estimated to have left."
            ),
        ),
        (
            MISTAKE,
            (
                "Counting the other reasons as censored overstates the risks: by day 168 it gives 42.0% for "
                "the reason adverse event where 36.0% left for it (6.1 percentage points too much), and over "
                "all reasons it adds up to 90.0% where 56.0% had left."
            ),
        ),
        ({"overstated": False}, "No reason came before another, so 1 - Kaplan-Meier states the same risks here."),
    ],
    "between_arms": [
        (
            BETWEEN,
            (
                "The arms lie furthest apart in the reason y: 60.0% in the arm B, 20.0% in the arm A. It is "
                "the widest of several gaps, picked after the fact."
            ),
        ),
        (BETWEEN | {"arms": 1}, "This trial has one arm, so no arms are compared."),
    ],
    "risk_of_arms": [
        (
            ARMS,
            (
                "By day 168 the risk of the primary event was 60.0% in the arm High and 30.0% in the arm "
                "Placebo: a difference of 30.0 (10.0 to 50.0) percentage points, at least the smallest "
                "difference of interest (10 points). The difference in days in the trial lost per patient "
                "before the horizon is 20.0 (5.0 to 35.0). (Intervals hold for the 2 comparisons at once.)"
            ),
        ),
        (
            ARMS | {"comparisons": 1},
            (
                "By day 168 the risk of the primary event was 60.0% in the arm High and 30.0% in the arm "
                "Placebo: a difference of 30.0 (10.0 to 50.0) percentage points, at least the smallest "
                "difference of interest (10 points). The difference in days in the trial lost per patient "
                "before the horizon is 20.0 (5.0 to 35.0)."
            ),
        ),
        (
            ARMS | {"verdict": "direction only"},
            (
                "By day 168 the risk of the primary event was 60.0% in the arm High and 30.0% in the arm "
                "Placebo: a difference of 30.0 (10.0 to 50.0) percentage points, clear in direction, but "
                "below the smallest difference of interest (10 points). The difference in days in the trial "
                "lost per patient before the horizon is 20.0 (5.0 to 35.0). (Intervals hold for the 2 "
                "comparisons at once.)"
            ),
        ),
        (
            ARMS | {"verdict": "not supported"},
            (
                "By day 168 the risk of the primary event was 60.0% in the arm High and 30.0% in the arm "
                "Placebo: a difference of 30.0 (10.0 to 50.0) percentage points, an interval that includes no "
                "difference. The difference in days in the trial lost per patient before the horizon is 20.0 "
                "(5.0 to 35.0). (Intervals hold for the 2 comparisons at once.)"
            ),
        ),
        ({"comparisons": 0}, "This trial has one arm, so no arms are compared."),
    ],
    "hazard_ratios": [
        (
            HAZARDS,
            (
                "The arms differ in the hazard of adverse event and consent, most in the arm High: hazard "
                "ratio 4.20 (2.10 to 8.40) against the first arm for the reason adverse event (60 events in "
                "all arms), by intervals that hold for all 4 ratios at once. None of 3 joint checks finds a "
                "hazard ratio that changes over time (smallest p = 0.400, reason protocol); with few events "
                "that is weak evidence."
            ),
        ),
        (
            HAZARDS | {"reasons": ["adverse event"], "others": True},
            (
                "The arms differ in the hazard of adverse event, most in the arm High: hazard ratio 4.20 "
                "(2.10 to 8.40) against the first arm for the reason adverse event (60 events in all arms); "
                "those of the other reasons are not told from 1, by intervals that hold for all 4 ratios at "
                "once. None of 3 joint checks finds a hazard ratio that changes over time (smallest p = "
                "0.400, reason protocol); with few events that is weak evidence."
            ),
        ),
        (
            HAZARDS | {"p": 0.001},
            (
                "The arms differ in the hazard of adverse event and consent, most in the arm High: hazard "
                "ratio 4.20 (2.10 to 8.40) against the first arm for the reason adverse event (60 events in "
                "all arms), by intervals that hold for all 4 ratios at once. The check finds a hazard ratio "
                "that changes over time (reason protocol, p = 0.001, below 0.013 for 3 tests): there, read it "
                "as an average over the trial."
            ),
        ),
        (
            HAZARDS | {"reasons": []},
            (
                "No reason's hazard differs clearly between the arms. None of 3 joint checks finds a hazard "
                "ratio that changes over time (smallest p = 0.400, reason protocol); with few events that is "
                "weak evidence."
            ),
        ),
        ({"n": 0}, "No reason has the events, in every arm, that a Cox model needs."),
    ],
    "drift_of_ratio": [
        (
            DRIFT,
            (
                "For the reason adverse event, the ratio of the arm High drifts most: it falls with time "
                "(correlation −0.25, p = 0.010), a change that its own test finds. The test of a single arm "
                "is not corrected for the number of tests; the joint checks above are."
            ),
        ),
        (
            DRIFT | {"correlation": 0.25},
            (
                "For the reason adverse event, the ratio of the arm High drifts most: it rises with time "
                "(correlation 0.25, p = 0.010), a change that its own test finds. The test of a single arm is "
                "not corrected for the number of tests; the joint checks above are."
            ),
        ),
        (
            DRIFT | {"p": 0.2},
            (
                "For the reason adverse event, the ratio of the arm High drifts most: it falls with time "
                "(correlation −0.25, p = 0.200), which its own test does not tell from no change. The test of "
                "a single arm is not corrected for the number of tests; the joint checks above are."
            ),
        ),
        ({"reason": None}, ""),
    ],
    "landmark_predictions": [
        (
            PREDICTIONS,
            (
                "On day 28 the Cox model of all that was known has an AUROC of 0.640 (0.560 to 0.720) and the "
                "discrete-time model one of 0.630 (0.550 to 0.710), where the arm alone has 0.600 (0.520 to "
                "0.680); the index of prediction accuracy of the Cox model is 0.050 (−0.020 to 0.120). The "
                "largest gain over all landmarks is +0.040 (−0.030 to +0.110), by an interval for one "
                "comparison. Whether what was known ranks better than chance, and better than the arm, is "
                "judged once, in chapter 06."
            ),
        ),
        (
            PREDICTIONS | {"reference": "null"},
            (
                "On day 28 the Cox model of all that was known has an AUROC of 0.640 (0.560 to 0.720) and the "
                "discrete-time model one of 0.630 (0.550 to 0.710), where one risk for all has 0.600 (0.520 "
                "to 0.680); the index of prediction accuracy of the Cox model is 0.050 (−0.020 to 0.120). The "
                "largest gain over all landmarks is +0.040 (−0.030 to +0.110), by an interval for one "
                "comparison. Whether what was known ranks better than chance, and better than the arm, is "
                "judged once, in chapter 06."
            ),
        ),
        (
            {"day": None},
            ("No landmark has the events that a prediction needs; the incidence above is what this trial can tell."),
        ),
    ],
    "landmark_predictions_shown": [
        (
            PREDICTIONS,
            (
                "On day 28 the Cox model of all that was known has an AUROC of 0.640 (0.560 to 0.720) and the "
                "discrete-time model one of 0.630 (0.550 to 0.710), where the arm alone has 0.600 (0.520 to "
                "0.680); the index of prediction accuracy of the Cox model is 0.050 (−0.020 to 0.120). The "
                "largest gain over all landmarks is +0.040 (−0.030 to +0.110), by an interval for one "
                "comparison. Whether what was known ranks better than chance, and better than the arm, is "
                "judged once, in chapter 06. See [](#fig-landmark-auroc) and [](#tbl-landmark-scores)."
            ),
        ),
    ],
    "predictions_without_arm": [
        (
            BLINDED,
            (
                "With the arm blinded the highest AUROC of 8 models and landmarks is 0.580 (0.500 to 0.660) "
                "(day 84), flattered by having been picked; 2 of 8 have a better Brier score than one risk "
                "for everybody. Where treatment is blinded, a running trial does not know the arm, so this is "
                "what a site could use."
            ),
        ),
        (
            BLINDED | {"better": 0},
            (
                "With the arm blinded the highest AUROC of 8 models and landmarks is 0.580 (0.500 to 0.660) "
                "(day 84), flattered by having been picked; 0 of 8 have a better Brier score than one risk "
                "for everybody. Where treatment is blinded, a running trial does not know the arm, so nothing "
                "here is shown to be of use to a site."
            ),
        ),
        ({"n": 0}, "Without arms, or without predictions, there is nothing to blind."),
    ],
    "finding_one_minus_km": [
        (
            MISTAKE,
            (
                "*Claim:* counting the other reasons as censored overstates the risks of leaving. *Found:* "
                "Counting the other reasons as censored overstates the risks: by day 168 it gives 42.0% for "
                "the reason adverse event where 36.0% left for it (6.1 percentage points too much), and over "
                "all reasons it adds up to 90.0% where 56.0% had left."
            ),
        ),
    ],
    "finding_arms": [
        (
            ARMS,
            (
                "*Claim:* the arms differ in the risk of leaving. *Found:* By day 168 the risk of the primary "
                "event was 60.0% in the arm High and 30.0% in the arm Placebo: a difference of 30.0 (10.0 to "
                "50.0) percentage points, at least the smallest difference of interest (10 points). The "
                "difference in days in the trial lost per patient before the horizon is 20.0 (5.0 to 35.0). "
                "(Intervals hold for the 2 comparisons at once.)"
            ),
        ),
        (
            {"comparisons": 0},
            (
                "*Claim:* the arms differ in the risk of leaving. *Found:* This trial has one arm, so no arms "
                "are compared."
            ),
        ),
    ],
    "finding_hazards": [
        (
            HAZARDS,
            (
                "*Claim:* the arms differ in how fast patients leave for a reason. *Found:* The arms differ "
                "in the hazard of adverse event and consent, most in the arm High: hazard ratio 4.20 (2.10 to "
                "8.40) against the first arm for the reason adverse event (60 events in all arms), by "
                "intervals that hold for all 4 ratios at once. None of 3 joint checks finds a hazard ratio "
                "that changes over time (smallest p = 0.400, reason protocol); with few events that is weak "
                "evidence."
            ),
        ),
        (
            {"n": 0},
            (
                "*Claim:* the arms differ in how fast patients leave for a reason. *Found:* No reason has the "
                "events, in every arm, that a Cox model needs."
            ),
        ),
    ],
    turns.inline("07_time_to_dropout", "ch07-45"): [
        ({"sentence": "Done."}, "- Done."),
    ],
}

test_words = turns.over(CASES)
