"""Every turn of the sentences of chapter 06."""

from types import SimpleNamespace

import numpy as np

from tests.words import turns


def ends(value, low, high):
    return {"value": value, "ci_low": low, "ci_high": high}


def trial(source="sdtm", competing=("DEATH", "Site closed"), n_patients=3, flow=None, estimand="study"):
    definitions = SimpleNamespace(title="Pilot (1*2)", competing=competing, estimand=estimand)
    flow = {"randomised": 3} | (flow or {})
    return SimpleNamespace(
        source=source, horizon=168, landmarks=(28, 84), patients=["p"] * n_patients, flow=flow, definitions=definitions
    )


LEFT_OUT = {"never_dosed": "never dosed", "no_record": "without a record"}

HONEST = {
    "days": [28, 84],
    "above": [28, 84],
    "p": [0.01, 0.04],
    "tried": 20,
    "best": 0.703,
    "model": "all",
    "label": "All known features",
    "day": 84,
    "suspicious": 0.75,
    "excuse": None,
}
ARM = {
    "days": [28, 84],
    "compared": 2,
    "leak": False,
    "verdict": "supported",
    "gain": ends(0.06, 0.01, 0.11),
    "day": 28,
    "clear": [28, 84],
    "worse": [],
    "smallest": 0.05,
    "suspicious": 0.75,
}
BLINDED = {
    "day": 28,
    "compared": 2,
    "gain": ends(0.06, 0.01, 0.11),
    "left": ends(0.58, 0.5, 0.66),
    "above": [28],
    "clear": [28],
    "unclear": [84],
    "verdict": "supported",
}
ADVERSE = {
    "days": [28],
    "compared": 1,
    "verdict": "direction only",
    "gain": ends(0.01, 0.001, 0.02),
    "day": 28,
    "clear": [28],
}


def optimism(corrected: float) -> dict:
    rows = [{"landmark": day, "apparent": day / 100 + 0.47, "corrected": corrected} for day in (0, 28)]
    return {"day": 28, "rows": rows, "crossed": ends(0.66, 0.6, 0.72)}


OPTIMISM = optimism(0.7)
SIZE = {
    "day": 28,
    "events": 107,
    "features": 40,
    "n": 229,
    "share": 0.15,
    "r2": 0.112,
    "needed": 2500,
    "r2_seen": 0.03,
    "needed_seen": 9000,
}
GROUPS = [{"observed": rate, "n_patients": n} for rate, n in ((0.5, 30), (0.4, 20), (0.55, 25))]
SITES = {
    "day": 28,
    "rows": [*GROUPS, {"observed": 0.3, "n_patients": 9, "auroc": 0.61}],
    "inside": ends(0.64, 0.6, 0.7),
}
ACROSS = {
    "given": True,
    "judged": 3,
    "day": 28,
    "horizon": 168,
    "auroc": {"value": 0.6, "ci_low": 0.52, "ci_high": 0.68, "pi_low": 0.41, "pi_high": 0.77},
}
LEAKS = {
    "n": 4,
    "large": 1,
    "above": 1,
    "suspicious": 0.75,
    "smallest": 0.05,
    "label": "Whole follow-up",
    "honest": 0.6,
    "leaky": 0.9,
    "price": ends(0.3, 0.2, 0.4),
    "free": ["Time of day", "Site"],
}
SIMULATED = {"n_trials": 5.0, "honest": 0.6, "truth": 0.61, "above": 1, "leaks": 2, "most": 0.2}
FLOW = {"n": 254, "randomised": 254, "discontinued_by_horizon": 140, "primary": 137, "censored": 0, "horizon": 168}
LAG = {"recorded": 10, "collected": 9, "reported": [0.4, 0.45, 0.45, *np.linspace(0.5, 0.98, 26)]}
VISITS = {"planned": 28, "attended_by": 0.4, "attended_within": 0.9, "median_day": 29.0, "day": 28}
WRONG = {"day": 28, "leaky": 0.96, "honest": 0.6, "ci_low": 0.2, "n_patients": 229, "n_events": 107, "suspicious": 0.75}
FEW = {
    "day": 0,
    "n": 100,
    "events": 5,
    "risk": ends(0.05, 0.02, 0.11),
    "features": 12,
    "needed": 3000,
    "share": 0.15,
    "r2": 0.05,
}
CASES: dict = {
    "declared_known": [
        (
            {
                "rows": [
                    {"column": "a*b", "landmark": 28} | ends(0.82, 0.77, 0.86),
                    {"column": "x", "landmark": 0} | ends(0.5, 0.4, 0.6),
                ],
                "above": True,
                "suspicious": 0.75,
            },
            (
                "Declared by the mapping to have been known on day 1: *a\\*b*, which alone ranks with an AUROC of"
                " 0.820 (0.770 to 0.860) on day 28; *x*, which alone ranks with an AUROC of 0.500 (0.400 to "
                "0.600) on day 0. From 0.75 up a column is refused unless that is declared. The data cannot show"
                " when a column was filled in: what follows holds if the declaration does."
            ),
        ),
        (
            {"rows": [{"column": "x", "landmark": 0} | ends(0.5, 0.4, 0.6)], "above": False, "suspicious": 0.75},
            (
                "Declared by the mapping to have been known on day 1: *x*, which alone ranks with an AUROC of "
                "0.500 (0.400 to 0.600) on day 0."
            ),
        ),
    ],
    "estimand": [
        (
            {"trial": trial()},
            (
                "This report is about leaving the **study**. The source records one way out a patient, so "
                "stopping treatment and leaving the study are not told apart."
            ),
        ),
        (
            {"trial": trial(estimand="")} | {"off_treatment": 90, "off_study": 70, "retained_off_treatment": 25},
            (
                "This report is about leaving the **study**. A patient who stops treatment and stays in the "
                "study has not left. Of 3 patients, 90 had stopped treatment by day 168 without having completed"
                " it, and 70 had left the study; 25 of those off treatment were still in the study, so their "
                "outcomes can be retrieved."
            ),
        ),
        (
            {"trial": trial(estimand="treatment")}
            | {"off_treatment": 90, "off_study": 70, "retained_off_treatment": 25},
            (
                "This report is about leaving the **treatment**. A patient who has stopped the assigned "
                "treatment has left, whether or not the visits went on. Of 3 patients, 90 had stopped treatment "
                "by day 168 without having completed it, and 70 had left the study; 25 of those off treatment "
                "were still in the study, so their outcomes can be retrieved."
            ),
        ),
    ],
    "no_prediction": [
        (
            {},
            ("No landmark has enough events for a prediction to be judged, so nothing is concluded about prediction."),
        ),
    ],
    "trial_definitions": [
        (
            {"trial": trial(flow={"censored": 2}), "left_out": LEFT_OUT},
            (
                "trial: Pilot (1*2)\n\n"
                "analysis set: randomised patients; day 1 is the first dose, there is no day 0\n\n"
                "day of leaving: study day of the disposition record\n\n"
                "horizon: day 168\n\n"
                "primary event: leaving by the horizon for any reason except death, site closed\n\n"
                "competing event: death, site closed\n\n"
                "landmarks: day 0, day 28, day 84 (day 0: baseline and arm only)\n\n"
                "at risk: not left by the landmark, and still followed\n\n"
                "target: primary event after the landmark, by the horizon\n\n"
                "censored: data that end before the horizon, without leaving; whoever is seen longer stands in "
                "for the time after, by inverse-probability-of-censoring weights\n\n"
                "known: dated by the landmark; adverse events: onset and collection both by it"
            ),
        ),
        (
            {"trial": trial(), "left_out": LEFT_OUT},
            (
                "trial: Pilot (1*2)\n\nanalysis set: randomised patients; day 1 is the first dose, there is no "
                "day 0\n\nday of leaving: study day of the disposition record\n\nhorizon: day 168\n\nprimary event: "
                "leaving by the horizon for any reason except death, site closed\n\ncompeting event: death, "
                "site closed\n\nlandmarks: day 0, day 28, day 84 (day 0: baseline and arm only)\n\nat risk: not "
                "left by the landmark\n\ntarget: primary event after the landmark, by the horizon\n\nknown: dated "
                "by the landmark; adverse events: onset and collection both by it"
            ),
        ),
        (
            {"trial": trial(source="table", competing=()), "left_out": LEFT_OUT},
            (
                "trial: Pilot (1*2)\n\nanalysis set: patients of the table; day 1 is the first day, there is no "
                "day 0\n\nday of leaving: study day in the table\n\nhorizon: day 168\n\nprimary event: leaving by "
                "the horizon for any reason\n\ncompeting event: none\n\nlandmarks: day 0, day 28, day 84 (day 0: "
                "baseline and arm only)\n\nat risk: not left by the landmark\n\ntarget: primary event after the "
                "landmark, by the horizon\n\nknown: dated by the landmark; adverse events: onset and collection "
                "both by it"
            ),
        ),
        (
            {"trial": trial(n_patients=2, flow={"never_dosed": 1}), "left_out": LEFT_OUT},
            (
                "trial: Pilot (1*2)\n\nanalysis set: randomised and dosed patients (left out: 1 never dosed); "
                "day 1 is the first dose, there is no day 0\n\nday of leaving: study day of the disposition "
                "record\n\nhorizon: day 168\n\nprimary event: leaving by the horizon for any reason except death, "
                "site closed\n\ncompeting event: death, site closed\n\nlandmarks: day 0, day 28, day 84 (day 0: "
                "baseline and arm only)\n\nat risk: not left by the landmark\n\ntarget: primary event after the "
                "landmark, by the horizon\n\nknown: dated by the landmark; adverse events: onset and collection "
                "both by it"
            ),
        ),
        (
            {"trial": trial(n_patients=1, flow={"never_dosed": 1, "no_record": 2}), "left_out": LEFT_OUT},
            (
                "trial: Pilot (1*2)\n\nanalysis set: randomised and dosed patients (left out: 1 never dosed, 2 "
                "without a record); day 1 is the first dose, there is no day 0\n\nday of leaving: study day of "
                "the disposition record\n\nhorizon: day 168\n\nprimary event: leaving by the horizon for any "
                "reason except death, site closed\n\ncompeting event: death, site closed\n\nlandmarks: day 0, day "
                "28, day 84 (day 0: baseline and arm only)\n\nat risk: not left by the landmark\n\ntarget: "
                "primary event after the landmark, by the horizon\n\nknown: dated by the landmark; adverse "
                "events: onset and collection both by it"
            ),
        ),
    ],
    "took_part": [
        (
            FLOW | {"censored": 4, "risk": 0.577, "to_come": {"n": 3, "leaving": 1.6}},
            (
                "Of 254 randomised patients 140 left by day 168: 137 with the primary event, 3 for a competing "
                "reason. The data of four other patients end before that day (3 still in the trial, 1 who had "
                "completed it earlier); they count for as long as they were seen. By day 168 the risk of the "
                "primary event is 57.7% (Aalen-Johansen, from day 1). If those still in the trial go on as "
                "others did before them, about 2 of the 3 are still to leave with the primary event by then."
            ),
        ),
        (
            FLOW | {"censored": 4, "risk": 0.577, "to_come": {"n": 0, "leaving": 0.0}},
            (
                "Of 254 randomised patients 140 left by day 168: 137 with the primary event, 3 for a competing "
                "reason. The data of four other patients end before that day (0 still in the trial, 4 who had "
                "completed it earlier); they count for as long as they were seen. By day 168 the risk of the "
                "primary event is 57.7% (Aalen-Johansen, from day 1)."
            ),
        ),
        (
            FLOW | {"censored": 4, "risk": np.nan, "to_come": {"n": 3, "leaving": np.nan}},
            (
                "Of 254 randomised patients 140 left by day 168: 137 with the primary event, 3 for a competing "
                "reason. The data of four other patients end before that day (3 still in the trial, 1 who had "
                "completed it earlier); they count for as long as they were seen. Nobody has been seen through "
                "day 168 yet, so how many will have left by then is not yet known, and no prediction can be "
                "judged."
            ),
        ),
        (
            FLOW,
            (
                "Of 254 randomised patients 140 left by day 168: 137 with the primary event, 3 for a "
                "competing reason. Nobody's follow-up ends before that day without a disposition."
            ),
        ),
        (
            FLOW | {"randomised": 260},
            (
                "Of 254 randomised and dosed patients 140 left by day 168: 137 with the primary event, 3 for "
                "a competing reason. Nobody's follow-up ends before that day without a disposition."
            ),
        ),
    ],
    "lag": [
        (
            LAG,
            (
                "40% of the adverse events are known on the day they begin; half are reported within 3 days, "
                "and 98% after four weeks. Counting by onset would hand the model reports from its own "
                "future."
            ),
        ),
        (
            LAG | {"reported": [0.4] * 28 + [0.49]},
            (
                "40% of the adverse events are known on the day they begin, and 49% after four weeks. "
                "Counting by onset would hand the model reports from its own future."
            ),
        ),
        (
            LAG | {"reported": [1.0] * 29},
            "Every adverse event is known on the day it begins, by the dates of this source.",
        ),
        (
            LAG | {"reported": [np.nan] * 29},
            (
                "No adverse event with a collection date began on day 1 or later, so there is no delay of "
                "reporting to show."
            ),
        ),
        (
            LAG | {"collected": 0},
            ("This source has no collection dates: no adverse event counts as known at any landmark."),
        ),
        (LAG | {"recorded": 0}, "This source has no dated adverse events, so none counts as known at any landmark."),
    ],
    "visits": [
        (
            VISITS,
            (
                "A visit planned for a day need not happen on it. Of the patients at risk on day 28, 90% had "
                "the visit planned for day 28 within a week of it, and 40% by the landmark itself (median day "
                "29); only for these does the landmark see it. We keep the rule strict and use whatever had "
                "happened by then, by date and not by the label of the visit."
            ),
        ),
        (VISITS | {"median_day": np.nan}, "This source has no dated visits, so no feature counts them."),
    ],
    "off_treatment": [
        (
            {"stopped": {"n": 12, "primary": 9}, "day": 28, "at_risk": 229},
            (
                "Of the 229 patients at risk on day 28, 12 had already had the last dose; of these 9 went on "
                "to the primary event. By the record they were still in, in fact treatment had ended. That is "
                "known in hindsight only, so no feature uses it; but visits and reports by the landmark may "
                "hint at it."
            ),
        ),
        (
            {"stopped": {"n": 12, "primary": 12}, "day": 28, "at_risk": 229},
            (
                "Of the 229 patients at risk on day 28, 12 had already had the last dose; all of them went on "
                "to the primary event. By the record they were still in, in fact treatment had ended. That is "
                "known in hindsight only, so no feature uses it; but visits and reports by the landmark may "
                "hint at it."
            ),
        ),
        (
            {"stopped": {"n": 0, "primary": 0}, "day": 28, "at_risk": 229},
            "The source shows nobody at risk on day 28 who had had the last dose by then.",
        ),
        (
            {"stopped": None, "day": 28, "at_risk": 229},
            (
                "This source does not tell when dosing ended, so it is not known how many of the 229 patients "
                "at risk on day 28 were still taking treatment."
            ),
        ),
    ],
    "wrong_way": [
        (
            WRONG,
            (
                "An AUROC of 0.960 among 229 patients with 107 events: it looks wonderful. The folds are "
                "clean and nothing is tuned, yet what was added is the outcome itself: what is counted over "
                "the whole follow-up is small *because* the patient left. Without those columns the same "
                "model on the same folds has 0.600 on day 28."
            ),
        ),
        (
            WRONG | {"leaky": 0.7},
            (
                "An AUROC of 0.700 among 229 patients with 107 events: it looks better than it is. The folds "
                "are clean and nothing is tuned, yet what was added is the outcome itself: what is counted "
                "over the whole follow-up is small *because* the patient left. Without those columns the same "
                "model on the same folds has 0.600 on day 28."
            ),
        ),
        (
            WRONG | {"ci_low": -0.01},
            (
                "On day 28 the wrong way gives an AUROC of 0.960 and the honest one 0.600: in this trial the "
                "whole follow-up tells no more than what was known by then."
            ),
        ),
        ({"day": None}, ""),
    ],
    "skipped": [
        (
            {"day": 84, "n_events": 14, "n_patients": 60, "n_censored": 40, "n_stayed": 6, "needed": 10},
            (
                "Not yet: of the 60 patients at risk on day 84 the number who have left with the primary event "
                "is 14, and that of those known not to by the horizon is 6; prediction needs 10 of each."
            ),
        ),
        (
            {"day": 84, "n_events": 4, "n_patients": 60, "n_censored": 40, "n_stayed": 10, "needed": 10},
            (
                "Too few events, nothing is fitted: day 84: 4 events among 60 patients; prediction needs 10 with"
                " and without the event."
            ),
        ),
        (
            {"day": 84, "n_events": 54, "n_patients": 60, "n_censored": 0, "n_stayed": 6, "needed": 10},
            (
                "Too few events, nothing is fitted: day 84: 54 events among 60 patients; prediction needs 10 "
                "with and without the event."
            ),
        ),
    ],
    "too_few": [
        (
            FEW | {"risk": None, "needed": None},
            (
                "**What can be concluded:** who took part, why and when they left; not yet the risk of leaving "
                "by the horizon, since nobody has been seen through it. **What cannot:** whether anybody's "
                "leaving can be told early. 5 events on day 0, where they are most, neither show that it can nor"
                " that it cannot, so no model is fitted."
            ),
        ),
        (
            FEW,
            (
                "**What can be concluded:** who took part, why and when they left, and the risk of leaving: "
                "5% (2% to 11%) of 100 patients. **What cannot:** whether anybody's leaving can be told "
                "early. 5 events on day 0, where they are most, neither show that it can nor that it cannot, "
                "so no model is fitted. For 12 candidate columns that explain 15% of what can be explained, a "
                "Cox-Snell R-squared of 0.050, the sample-size criteria of Riley and colleagues ask for 3,000 "
                "patients at this risk. Another trial, or several together, could put the question."
            ),
        ),
        (
            FEW | {"needed": None},
            (
                "**What can be concluded:** who took part, why and when they left, and the risk of leaving: "
                "5% (2% to 11%) of 100 patients. **What cannot:** whether anybody's leaving can be told "
                "early. 5 events on day 0, where they are most, neither show that it can nor that it cannot, "
                "so no model is fitted."
            ),
        ),
        ({"day": None}, ""),
    ],
    "honest_ranking": [
        (
            HONEST | {"best": 0.81, "excuse": "arm"},
            (
                "With what was known by then, a ridge regression on all known features ranks better than chance "
                "on day 28 and day 84 (p of the permutation test, adjusted for the 2 landmarks: 0.010, 0.040). "
                "The highest of 20 AUROCs after day 0 is 0.810 (all known features, day 84), flattered by having"
                " been picked. The randomised arm alone reaches 0.75, from which an AUROC is otherwise a leak "
                "until shown otherwise; the arm is known by design."
            ),
        ),
        (
            HONEST | {"best": 0.81, "excuse": "declared"},
            (
                "With what was known by then, a ridge regression on all known features ranks better than chance "
                "on day 28 and day 84 (p of the permutation test, adjusted for the 2 landmarks: 0.010, 0.040). "
                "The highest of 20 AUROCs after day 0 is 0.810 (all known features, day 84), flattered by having"
                " been picked. That is an AUROC from 0.75 up, for which a column may account that is declared "
                "known on day 1: the verdict rests on that declaration."
            ),
        ),
        (
            HONEST,
            (
                "With what was known by then, a ridge regression on all known features ranks better than "
                "chance on day 28 and day 84 (p of the permutation test, adjusted for the 2 landmarks: 0.010, "
                "0.040). The highest of 20 AUROCs after day 0 is 0.703 (all known features, day 84), "
                "flattered by having been picked. None reaches 0.75."
            ),
        ),
        (
            HONEST | {"above": []},
            (
                "With what was known by then, a ridge regression on all known features ranks better than "
                "chance at no landmark after day 0 (p of the permutation test, adjusted for the 2 landmarks: "
                "0.010, 0.040). The highest of 20 AUROCs after day 0 is 0.703 (all known features, day 84), "
                "flattered by having been picked. None reaches 0.75."
            ),
        ),
        (
            HONEST | {"model": "adverse_events"},
            (
                "With what was known by then, a ridge regression on all known features ranks better than "
                "chance on day 28 and day 84 (p of the permutation test, adjusted for the 2 landmarks: 0.010, "
                "0.040). The highest of 20 AUROCs after day 0 is 0.703 (baseline, arm and adverse events, day "
                "84), flattered by having been picked. None reaches 0.75."
            ),
        ),
        (
            HONEST | {"model": "visits"},
            (
                "With what was known by then, a ridge regression on all known features ranks better than "
                "chance on day 28 and day 84 (p of the permutation test, adjusted for the 2 landmarks: 0.010, "
                "0.040). The highest of 20 AUROCs after day 0 is 0.703 (baseline, arm, adverse events and "
                "visits, day 84), flattered by having been picked. None reaches 0.75."
            ),
        ),
        (
            HONEST | {"model": "lgbm", "label": "All, LightGBM"},
            (
                "With what was known by then, a ridge regression on all known features ranks better than "
                "chance on day 28 and day 84 (p of the permutation test, adjusted for the 2 landmarks: 0.010, "
                "0.040). The highest of 20 AUROCs after day 0 is 0.703 (all, LightGBM, day 84), flattered by "
                "having been picked. None reaches 0.75."
            ),
        ),
        (
            HONEST | {"best": 0.75},
            (
                "With what was known by then, a ridge regression on all known features ranks better than "
                "chance on day 28 and day 84 (p of the permutation test, adjusted for the 2 landmarks: 0.010, "
                "0.040). The highest of 20 AUROCs after day 0 is 0.750 (all known features, day 84), "
                "flattered by having been picked. An AUROC from 0.75 up is a leak until shown otherwise, so "
                "it is not judged whether patients are ranked better than chance."
            ),
        ),
        (
            {"days": []},
            ("No landmark has enough events for a prediction to be judged, so nothing is concluded about prediction."),
        ),
    ],
    "below_half": [
        (
            {
                "auroc": ends(0.42, 0.36, 0.48),
                "label": "All, arm blinded",
                "day": 28,
                "mean": 0.47,
                "low": 0.4,
                "high": 0.53,
            },
            (
                "All, arm blinded has an AUROC of 0.420 (0.360 to 0.480) on day 28, below one half. That is "
                "no knowledge turned round: with few events what a model learns from some patients by chance "
                "goes against the others; where nothing can be predicted, the same procedure gives 0.470 on "
                "average and between 0.400 and 0.530."
            ),
        ),
        (
            {"auroc": ends(0.42, 0.36, 0.48), "label": "All, arm blinded", "day": 28, "mean": None},
            (
                "All, arm blinded has an AUROC of 0.420 (0.360 to 0.480) on day 28, below one half. That is "
                "no knowledge turned round: with few events what a model learns from some patients by chance "
                "goes against the others."
            ),
        ),
        ({"auroc": None}, ""),
    ],
    "interval_coverage": [
        (
            {
                "simulations": 1000,
                "simulations_every_method": 200,
                "date": "2026-01-31",
                "coverage_null": 0.951,
                "coverage_signal": 0.947,
                "lowest": 0.93,
                "highest": 0.97,
                "lowest_slope": 0.88,
                "fixed_lowest": 0.61,
                "fixed_highest": 0.84,
            },
            (
                "Half-samples are used here: over 1000 trials of each kind (the other methods over 200; study "
                "of 2026\\-01\\-31) their intervals of the AUROC of all features hold the truth in 95.1% where "
                "nothing can be predicted and in 94.7% where something can; over AUROCs, differences and "
                "Brier scores in 93% to 97%, of calibration slopes, whose estimate leans low, in no fewer "
                "than 88%. Resampling patients over fixed predictions reaches 61% to 84%."
            ),
        ),
    ],
    "beyond_the_arm": [
        (
            ARM,
            (
                "All known features together rank patients better than the arm alone on day 28 and day 84; "
                "the largest of these differences in AUROC is +0.060 (+0.010 to +0.110) (day 28; smallest "
                "difference of interest 0.05; intervals are widened for the number of landmarks)."
            ),
        ),
        (
            ARM | {"verdict": "direction only"},
            (
                "All known features together rank patients better than the arm alone on day 28 and day 84; "
                "the largest of these differences in AUROC is +0.060 (+0.010 to +0.110) (day 28; smallest "
                "difference of interest 0.05; intervals are widened for the number of landmarks)."
            ),
        ),
        (
            ARM | {"verdict": "not supported", "gain": ends(0.06, -0.01, 0.13), "clear": []},
            (
                "At no landmark after day 0 is it shown that all known features together rank patients better "
                "than the treatment arm alone; the largest difference in AUROC is +0.060 (−0.010 to +0.130) "
                "(day 28; the interval is widened for the number of landmarks)."
            ),
        ),
        (
            ARM | {"verdict": "not supported", "worse": [28]},
            (
                "At no landmark after day 0 is it shown that all known features together rank patients better "
                "than the treatment arm alone; the largest difference in AUROC is +0.060 (+0.010 to +0.110) "
                "(day 28; the interval is widened for the number of landmarks). On day 28 they rank worse: "
                "noise costs more than the features bring."
            ),
        ),
        (
            ARM | {"leak": True, "auroc": ends(0.8, 0.7, 0.9)},
            (
                "With all known features the AUROC is 0.800 (0.700 to 0.900) on day 28. From 0.75 up it is a "
                "leak until shown otherwise, so it is not judged whether they rank patients better than the "
                "arm alone."
            ),
        ),
        (ARM | {"compared": 0}, "There is no arm to compare with."),
        (
            {"days": []},
            ("No landmark has enough events for a prediction to be judged, so nothing is concluded about prediction."),
        ),
    ],
    "blinded": [
        (
            BLINDED,
            (
                "Where treatment is blinded, a running trial does not know the arm. Without it the AUROC on "
                "day 28 is 0.580 (0.500 to 0.660); knowing it is worth +0.060 (+0.010 to +0.110) (an interval "
                "for one comparison; a gain is shown on day 28, not on day 84). Without the arm the model is "
                "better than chance on day 28."
            ),
        ),
        (
            BLINDED | {"unclear": []},
            (
                "Where treatment is blinded, a running trial does not know the arm. Without it the AUROC on "
                "day 28 is 0.580 (0.500 to 0.660); knowing it is worth +0.060 (+0.010 to +0.110) (an interval "
                "for one comparison; a gain is shown on day 28). Without the arm the model is better than "
                "chance on day 28."
            ),
        ),
        (
            BLINDED | {"clear": [], "unclear": [28, 84]},
            (
                "Where treatment is blinded, a running trial does not know the arm. Without it the AUROC on "
                "day 28 is 0.580 (0.500 to 0.660); knowing it is worth +0.060 (+0.010 to +0.110) (an interval "
                "for one comparison; a gain is shown at no landmark). Without the arm the model is better "
                "than chance on day 28."
            ),
        ),
        (
            BLINDED | {"above": []},
            (
                "Where treatment is blinded, a running trial does not know the arm. Without it the AUROC on "
                "day 28 is 0.580 (0.500 to 0.660); knowing it is worth +0.060 (+0.010 to +0.110) (an interval "
                "for one comparison; a gain is shown on day 28, not on day 84). Without the arm the model is "
                "at no landmark after day 0 shown to be better than chance."
            ),
        ),
        (BLINDED | {"compared": 0}, "The arm tells nothing that could be taken away."),
        (
            {"day": None},
            ("No landmark has enough events for a prediction to be judged, so nothing is concluded about prediction."),
        ),
    ],
    "adverse_events": [
        (
            ADVERSE,
            (
                "Adverse events known by the landmark add to baseline and arm: at best +0.010 (+0.001 to "
                "+0.020) in AUROC (day 28; the interval is widened for the number of landmarks)."
            ),
        ),
        (
            ADVERSE | {"verdict": "not supported"},
            (
                "Adverse events known by the landmark are not shown to add anything to baseline and arm: at "
                "best +0.010 (+0.001 to +0.020) in AUROC (day 28; the interval is widened for the number of "
                "landmarks)."
            ),
        ),
        (ADVERSE | {"compared": 0}, "No adverse event counts as known at a landmark, so they add nothing."),
        (
            {"days": []},
            ("No landmark has enough events for a prediction to be judged, so nothing is concluded about prediction."),
        ),
    ],
    "on_treatment": [
        (
            {
                "day": 28,
                "among": {"n_patients": 217, "n_events": 98, "auroc": ends(0.6, 0.52, 0.68)},
                "everybody": ends(0.62, 0.55, 0.69),
            },
            (
                "Among the 217 patients at risk on day 28 who were still taking treatment (98 events), the "
                "full model has an AUROC of 0.600 (0.520 to 0.680); among all at risk it has 0.620 (0.550 to "
                "0.690)."
            ),
        ),
        (
            {"day": 28, "among": None, "everybody": ends(0.62, 0.55, 0.69)},
            (
                "This source does not tell when dosing ended, so the full model cannot be asked about those "
                "alone who were still taking treatment."
            ),
        ),
        ({"day": None}, ""),
    ],
    "landmark_calibration": [
        (
            {"slope": ends(0.3, 0.1, 0.994), "scaled": ends(-0.1, -0.2, -0.01)},
            (
                "With a calibration slope of 0.30 (0.10 to 0.99) (1 is ideal) the predictions are too "
                "extreme. The scaled Brier score is −0.100 (−0.200 to −0.010): worse than the event rate "
                "alone."
            ),
        ),
        (
            {"slope": ends(0.8, 0.5, 0.996), "scaled": ends(0.1, 0.01, 0.2)},
            (
                "With a calibration slope of 0.80 (0.50 to 1.00) (1 is ideal) it is not shown that the "
                "predictions are too extreme. The scaled Brier score is +0.100 (+0.010 to +0.200): better "
                "than the event rate alone."
            ),
        ),
        (
            {"slope": ends(1.4, 1.006, 1.7), "scaled": ends(0.1, -0.01, 0.2)},
            (
                "With a calibration slope of 1.40 (1.01 to 1.70) (1 is ideal) the predictions are not extreme "
                "enough. The scaled Brier score is +0.100 (−0.010 to +0.200): not shown to be better or worse "
                "than the event rate alone."
            ),
        ),
        (
            {"slope": ends(1.4, 1.004, 1.7), "scaled": ends(0.1, -0.01, 0.2)},
            (
                "With a calibration slope of 1.40 (1.00 to 1.70) (1 is ideal) it is not shown that the "
                "predictions are too extreme. The scaled Brier score is +0.100 (−0.010 to +0.200): not shown "
                "to be better or worse than the event rate alone."
            ),
        ),
        (
            {"slope": ends(np.nan, np.nan, np.nan), "scaled": ends(0.8, 0.7, 0.9)},
            (
                "The calibration slope is not defined: the predictions hardly differ, or separate those who "
                "leave from those who stay. The scaled Brier score is +0.800 (+0.700 to +0.900): better than "
                "the event rate alone."
            ),
        ),
        ({"slope": None, "scaled": None}, ""),
    ],
    "landmark_contacting": [
        (
            {"models": {"all": {"low": 0.2, "high": 0.5, "judged_low": 0.2, "judged_high": 0.5}}, "beside": 10},
            (
                "Contacting by the full model's risk is shown to beat both contacting everybody and "
                "contacting nobody at thresholds from 0.2 to 0.5; the bands hold for all strategies, "
                "thresholds and both defaults together. Judged, with at least 10 patients on either side, are "
                "the full model at thresholds from 0.2 to 0.5."
            ),
        ),
        (
            {
                "models": {
                    "all": {"low": None, "high": None, "judged_low": 0.2, "judged_high": 0.5},
                    "all_without_arm": {"low": 0.5, "high": 0.5, "judged_low": 0.2, "judged_high": 0.5},
                    "arm_only": {"low": 0.4, "high": 0.475, "judged_low": 0.2, "judged_high": 0.5},
                },
                "beside": 10,
            },
            (
                "Contacting by the full model's risk is shown to beat both contacting everybody and "
                "contacting nobody at no threshold; the bands hold for all strategies, thresholds and both "
                "defaults together. By the same model without the treatment arm it does so at 0.5. By the "
                "treatment arm alone it does so at thresholds from 0.4 to 0.475. Judged, with at least 10 "
                "patients on either side, are the full model at thresholds from 0.2 to 0.5, the same model "
                "without the treatment arm at thresholds from 0.2 to 0.5 and the treatment arm alone at "
                "thresholds from 0.2 to 0.5."
            ),
        ),
        (
            {"models": {"all": {"low": 0.5, "high": 0.5, "judged_low": None, "judged_high": None}}, "beside": 10},
            (
                "Contacting by the full model's risk is shown to beat both contacting everybody and "
                "contacting nobody at 0.5; the bands hold for all strategies, thresholds and both defaults "
                "together. Judged, with at least 10 patients on either side, are the full model at no "
                "threshold."
            ),
        ),
        (
            {"models": {}},
            ("No landmark has enough events for a prediction to be judged, so nothing is concluded about prediction."),
        ),
    ],
    "landmark_optimism": [
        (
            OPTIMISM,
            (
                "On the patients it was fitted on, the full model reaches 0.750 on day 28; corrected for "
                "optimism by the bootstrap 0.700, and in cross-validation 0.660 (0.600 to 0.720). "
                "Cross-validation trains on fewer patients and leans low; the bootstrap judges on patients "
                "whom it has mostly seen and leans high when features are many. The report quotes the lower."
            ),
        ),
        (
            optimism(0.63),
            (
                "On the patients it was fitted on, the full model reaches 0.750 on day 28; corrected for "
                "optimism by the bootstrap 0.630, and in cross-validation 0.660 (0.600 to 0.720). The "
                "bootstrap corrects more than cross-validation does; the report quotes the latter."
            ),
        ),
        (
            optimism(0.67),
            (
                "On the patients it was fitted on, the full model reaches 0.750 on day 28; corrected for "
                "optimism by the bootstrap 0.670, and in cross-validation 0.660 (0.600 to 0.720). The two "
                "corrected figures agree within 0.02."
            ),
        ),
        (
            optimism(0.645),
            (
                "On the patients it was fitted on, the full model reaches 0.750 on day 28; corrected for "
                "optimism by the bootstrap 0.645, and in cross-validation 0.660 (0.600 to 0.720). The two "
                "corrected figures agree within 0.02."
            ),
        ),
        ({"day": None, "rows": [], "crossed": None}, ""),
    ],
    "landmark_sample_size": [
        (
            SIZE,
            (
                "On day 28 there are 107 events for 40 candidate columns, 2.7 each. If these explained 15% of "
                "what can be explained, a Cox-Snell R-squared of 0.112, the sample-size criteria of Riley and "
                "colleagues would ask for 2,500 patients where there are 229. The R-squared seen in "
                "cross-validation is 0.030; for that they would ask for 9,000."
            ),
        ),
        (
            SIZE | {"needed": 229},
            (
                "On day 28 there are 107 events for 40 candidate columns, 2.7 each. If these explained 15% of "
                "what can be explained, a Cox-Snell R-squared of 0.112, the sample-size criteria of Riley and "
                "colleagues ask for 229, no more than the 229 that there are. The R-squared seen in "
                "cross-validation is 0.030; for that they would ask for 9,000."
            ),
        ),
        (
            SIZE | {"needed_seen": None},
            (
                "On day 28 there are 107 events for 40 candidate columns, 2.7 each. If these explained 15% of "
                "what can be explained, a Cox-Snell R-squared of 0.112, the sample-size criteria of Riley and "
                "colleagues would ask for 2,500 patients where there are 229. The R-squared seen in "
                "cross-validation is 0.030; no number of patients is enough for that."
            ),
        ),
        ({"day": None}, ""),
    ],
    "site_groups": [
        (
            SITES,
            (
                "Trained on all other site groups and asked about the one left out, the model of day 28 ranks "
                "pairs of patients of the same group with an AUROC of 0.610 (0.640 in ordinary "
                "cross-validation). Between 40% and 55% of the patients of a group have the primary event; "
                "the smallest of the 3 groups has 20 patients."
            ),
        ),
        (
            {"day": 28, "rows": []},
            (
                "All patients belong to one site group (or the source names none), so the model cannot be "
                "asked about places that it has not seen."
            ),
        ),
        ({"day": None}, ""),
    ],
    "across_trials": [
        (
            ACROSS,
            (
                "Asked about a trial that it has not seen, on day 28 and with day 168 as horizon, the model "
                "of the others has a mean AUROC of 0.600 (0.520 to 0.680) over 3 trials. In a new trial of "
                "the same kind, 95 % of such models would have between 0.41 and 0.77."
            ),
        ),
        (
            ACROSS
            | {
                "judged": 2,
                "auroc": {"value": 0.6, "ci_low": 0.52, "ci_high": 0.68, "pi_low": np.nan, "pi_high": np.nan},
            },
            (
                "Asked about a trial that it has not seen, on day 28 and with day 168 as horizon, the model "
                "of the others has a mean AUROC of 0.600 (0.520 to 0.680) over 2 trials. Two trials are too "
                "few to say what a third would bring: there is no prediction interval."
            ),
        ),
        (
            {"given": True, "judged": 0},
            ("Fewer than two trials have enough events (or features in common), so nothing is said about a new trial."),
        ),
        (
            {"given": False},
            (
                "One trial was given, so how its model would do in another one is not known. Given several "
                "(`./run_all.sh --trial A B C`), this section leaves out one trial at a time."
            ),
        ),
    ],
    "price_of_leaks": [
        (
            LEAKS,
            (
                "Of 4 ways of leaking, 1 raises the AUROC by 0.05 or more, with an interval above zero; 1 "
                "reaches 0.75. The dearest, *whole follow\\-up*, turns 0.600 into 0.900: its price is +0.300 "
                "(+0.200 to +0.400). Both sides carry one fixed penalty, compare all folds, and are held "
                "fixed by the intervals, which are then too narrow. Not every leak pays: no gain is shown "
                "from time of day and site."
            ),
        ),
        (
            LEAKS | {"large": 2, "above": 2, "free": []},
            (
                "Of 4 ways of leaking, 2 raise the AUROC by 0.05 or more, with an interval above zero; 2 "
                "reach 0.75. The dearest, *whole follow\\-up*, turns 0.600 into 0.900: its price is +0.300 "
                "(+0.200 to +0.400). Both sides carry one fixed penalty, compare all folds, and are held "
                "fixed by the intervals, which are then too narrow."
            ),
        ),
        (
            {"n": 0},
            ("No landmark has enough events for a prediction to be judged, so nothing is concluded about prediction."),
        ),
    ],
    "simulated_leaks": [
        (
            SIMULATED,
            (
                "Over 5 simulated trials the honest cross-validation of enrolment features averages 0.600 "
                "where new patients give 0.610; 1 of 2 leaks raises the estimate with an interval above zero, "
                "the dearest by +0.200 on average."
            ),
        ),
        (
            SIMULATED | {"above": 2},
            (
                "Over 5 simulated trials the honest cross-validation of enrolment features averages 0.600 "
                "where new patients give 0.610; 2 of 2 leaks raise the estimate with an interval above zero, "
                "the dearest by +0.200 on average."
            ),
        ),
    ],
    "finding_real_honest": [
        (
            HONEST,
            (
                "*Claim:* what is known by a landmark ranks patients better than chance. *Found:* With what "
                "was known by then, a ridge regression on all known features ranks better than chance on day "
                "28 and day 84 (p of the permutation test, adjusted for the 2 landmarks: 0.010, 0.040). The "
                "highest of 20 AUROCs after day 0 is 0.703 (all known features, day 84), flattered by having "
                "been picked. None reaches 0.75."
            ),
        ),
        (
            {"days": []},
            (
                "*Claim:* what is known by a landmark ranks patients better than chance. *Found:* No landmark "
                "has enough events for a prediction to be judged, so nothing is concluded about prediction."
            ),
        ),
    ],
    "finding_real_arm": [
        (
            ARM,
            (
                "*Claim:* what is known by a landmark ranks patients better than the treatment arm alone. "
                "*Found:* All known features together rank patients better than the arm alone on day 28 and "
                "day 84; the largest of these differences in AUROC is +0.060 (+0.010 to +0.110) (day 28; "
                "smallest difference of interest 0.05; intervals are widened for the number of landmarks)."
            ),
        ),
        (
            {"days": []},
            (
                "*Claim:* what is known by a landmark ranks patients better than the treatment arm alone. "
                "*Found:* No landmark has enough events for a prediction to be judged, so nothing is "
                "concluded about prediction."
            ),
        ),
    ],
    "finding_real_blinded": [
        (
            BLINDED,
            (
                "*Claim:* knowing the treatment arm improves the prediction. *Found:* Where treatment is "
                "blinded, a running trial does not know the arm. Without it the AUROC on day 28 is 0.580 "
                "(0.500 to 0.660); knowing it is worth +0.060 (+0.010 to +0.110) (an interval for one "
                "comparison; a gain is shown on day 28, not on day 84). Without the arm the model is better "
                "than chance on day 28."
            ),
        ),
        (
            {"day": None},
            (
                "*Claim:* knowing the treatment arm improves the prediction. *Found:* No landmark has enough "
                "events for a prediction to be judged, so nothing is concluded about prediction."
            ),
        ),
    ],
    "finding_real_leaks": [
        (
            LEAKS,
            (
                "*Claim:* knowing what was not yet known makes a model look better than it is. *Found:* Of 4 "
                "ways of leaking, 1 raises the AUROC by 0.05 or more, with an interval above zero; 1 reaches "
                "0.75. The dearest, *whole follow\\-up*, turns 0.600 into 0.900: its price is +0.300 (+0.200 "
                "to +0.400). Both sides carry one fixed penalty, compare all folds, and are held fixed by the "
                "intervals, which are then too narrow. Not every leak pays: no gain is shown from time of day "
                "and site."
            ),
        ),
        (
            {"n": 0},
            (
                "*Claim:* knowing what was not yet known makes a model look better than it is. *Found:* No "
                "landmark has enough events for a prediction to be judged, so nothing is concluded about "
                "prediction."
            ),
        ),
    ],
    "kept": [
        ({"day": None}, "No model is kept: at no landmark could one be judged."),
        (
            {"day": 28, "labels": ["All, arm blinded", "All"]},
            "Kept in the folder `model` of the output: *All, arm blinded* and *All*, "
            "fitted to everybody at risk on day 28.",
        ),
    ],
    turns.inline("06_real_trial", "ch06-04b"): [
        (
            {"study": SimpleNamespace(source="table")},
            ("The trial is read from one table with a row a patient, by a mapping that says which column is what."),
        ),
        ({"study": SimpleNamespace(source="sdtm")}, "The trial is read from its CDISC data."),
    ],
}

test_words = turns.over(CASES)
