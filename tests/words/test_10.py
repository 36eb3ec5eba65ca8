"""Every turn of the sentences of chapter 10."""

from tests.words import turns


def ends(value, low, high):
    return {"value": value, "ci_low": low, "ci_high": high}


def verdict(grade, **changes):
    found = {"grade": grade, "firm": True, "best": "everybody", "choose": "everybody, at the landmark"}
    return found | {"beats": ["first missed visit"], "shown": ["first missed visit", "the active arms"]} | changes


MONEY = {"currency": "USD", "contact": 10.0, "patient": 6533.0, "value": 14183.0, "stated": False}
FACTS = {
    "n_at_risk": 229,
    "landmark": 28,
    "to_come": 112,
    "at_risk_by_reason": {"addressable": 22, "adverse event": 76, "other": 9, "competing": 5},
    "n_addressable_late": 20,
    "delta": 7,
    "fewest": 10,
    "ceiling": {kind: {"hr80": {"completers_gained": gain}} for kind, gain in (("addressable", 1.31), ("all", 6.0))},
    "everybody": ends(0.55, -0.98, 2.03),
    "verdict": verdict("not shown"),
    "cap": {"contacts_saved": 91.3, "value": 913.0},
    "money": MONEY,
    "known_addressable": ends(0.58, 0.38, 0.78),
    "per_100_randomised": {"D": 53.9},
    "cost_per_completer": {"value": None, "p_below": 0.72},
    "evppi": {"value": 1707.0, "per_trial": 3910.0, "mc_se": 97.0},
    "evpi": {"value": 1718.0, "p_best": 0.72},
    "study_cost": 3535.0,
    "next_cost": 50.0,
    "q": 0.3,
    "retrieve": ends(13.6, 3.4, 27.9),
    "retrieve_worth": ends(192_857.0, 48_231.0, 395_040.0),
}
FREE = FACTS | {"money": None, "cap": {"contacts_saved": 91.3, "value": None}, "evppi": None, "evpi": None}
FEW = verdict("cannot be judged")
ARM = {"contacts": 64.5, "found": 36.2, "addressable": 5.1, "completers": 0.71, "kept": 0.0195, "lowest_risk": 0.2}
ARM |= {"low": 0.3, "high": 0.45, "threshold": 0.036, "cost_low": 83.0, "cost_high": 125.0}
NO_ARM = {"low": None, "high": None, "threshold": 0.3, "cost_low": None, "cost_high": None}
POWER = {"arms": ["Placebo", "High"], "full": 0.9, "completers": 0.62, "gain_everybody_prior": 0.0038}
POWER |= {"gain_everybody_hr80": 0.0076, "patients_worth": {"everybody_hr80": 1.48}, "gain_retrieve": 0.0998}
POWER |= {"gain_completers_rho": 0.059}
MISSING = {"n_left": 137, "n_retrieved": 36, "arms": ["Placebo", "High"], "tipping": None}
IMPUTED = {
    "completers": ends(-0.77, -3.27, 1.74),
    "random": ends(-1.17, -3.52, 1.18),
    "jump": ends(-0.32, -2.46, 1.82),
    "largest": 15.0,
}
TRUTH = {"n": 400_000, "worst": 0.021, "trials": 500, "size": 250, "bias": 0.08, "lowest": 0.941, "highest": 0.962}
TRUTH |= {"date": "2026-11-28", "false_alarms": 0.018}
CASES: dict = {
    "worth_keep": [
        (
            FACTS,
            (
                "**How many of our leavers could a call keep?** Of 229 patients at risk on day 28, 112 leave "
                "by the horizon: 22 by own wish or lost, 76 for an adverse event, 9 for another reason, 5 "
                "for a competing one. Only the first can be talked about on the telephone. If contacts with "
                "everybody cut that hazard by a fifth, 1.3 more of 100 would complete; could every reason be "
                "moved as much, 6.0. By the effect that two randomised contacts in other diseases showed on "
                "attendance, shrunk towards none, 0.6 (−1.0 to 2.0) more of 100 complete: it may be none, or "
                "fewer than without."
            ),
        ),
        (
            FACTS | {"everybody": ends(1.5, 0.2, 3.0)},
            (
                "**How many of our leavers could a call keep?** Of 229 patients at risk on day 28, 112 leave "
                "by the horizon: 22 by own wish or lost, 76 for an adverse event, 9 for another reason, 5 "
                "for a competing one. Only the first can be talked about on the telephone. If contacts with "
                "everybody cut that hazard by a fifth, 1.3 more of 100 would complete; could every reason be "
                "moved as much, 6.0. By the effect that two randomised contacts in other diseases showed on "
                "attendance, shrunk towards none, 1.5 (0.2 to 3.0) more of 100 complete: more than none."
            ),
        ),
        (
            FACTS | {"verdict": FEW},
            (
                "**How many of our leavers could a call keep?** Of 229 patients at risk on day 28, 112 leave by the"
                " horizon: 22 by own wish or lost, 76 for an adverse event, 9 for another reason, 5 for a competing"
                " one. Only the first can be talked about on the telephone. That is too few to say what contacts "
                "would do."
            ),
        ),
    ],
    "worth_choose": [
        (
            FACTS,
            (
                "**Is a model better than calling everybody?** If calls do no harm it cannot keep more "
                "patients, since whoever is not called is not kept. It can save calls: at most 91.3 of 100, "
                "worth 913 USD, and that only if it knew all. No way of choosing is shown to be worth more "
                "than calling everybody. What was known on day 28 ranks those who will leave for such a "
                "reason with an AUROC of 0.58 (0.38 to 0.78)."
            ),
        ),
        (
            FREE | {"known_addressable": None, "verdict": FEW},
            (
                "**Is a model better than calling everybody?** If calls do no harm it cannot keep more "
                "patients, since whoever is not called is not kept. It can save calls: at most 91.3 of 100, "
                "and that only if it knew all. More cannot be said with so few."
            ),
        ),
        (
            FACTS | {"known_addressable": None, "verdict": verdict("targeting")},
            (
                "**Is a model better than calling everybody?** If calls do no harm it cannot keep more "
                "patients, since whoever is not called is not kept. It can save calls: at most 91.3 of 100, "
                "worth 913 USD, and that only if it knew all. Shown to be worth more than calling everybody: "
                "first missed visit."
            ),
        ),
    ],
    "worth_price": [
        (
            FACTS,
            (
                "**What does one completer more cost, against one recruit more?** A completer bought by recruiting "
                "costs 14,183 USD: a patient for 6,533, and of 100 of them 54 leave. What one costs that is kept by"
                " calls for 10 each is not defined, as the gain may be none; the chance that it is less is 72%. "
                "These costs are the report's defaults, not this trial's: see the table of evidence."
            ),
        ),
        (
            FACTS | {"money": MONEY | {"stated": True}, "cost_per_completer": {"value": 714.0, "p_below": 0.99}},
            (
                "**What does one completer more cost, against one recruit more?** A completer bought by recruiting "
                "costs 14,183 USD: a patient for 6,533, and of 100 of them 54 leave. One that is kept by calls for "
                "10 each costs 714; the chance that this is less is 99%."
            ),
        ),
        (
            FREE,
            (
                "**What does one completer more cost, against one recruit more?** No costs were given "
                "(`contact_cost` and `patient_cost` under `[plan]` of the mapping), so completers and contacts are "
                "counted and nothing is said in money."
            ),
        ),
    ],
    "worth_study": [
        (
            FACTS,
            (
                "**Should we run a study within the trial first?** To know beforehand what a contact does is "
                "worth 1,707 USD per 100 patients, 3,910 for this trial; the best model that there can be, "
                "at most 913 per 100. At this cost of a contact, perfect knowledge of its effect is worth "
                "more than perfect choice; at a higher cost that may turn. Both are upper bounds. A study "
                "within this trial alone, with its 22 such leavers, would tell little; it pays, if at all, "
                "over many trials (3,535 GBP has been its cost on average)."
            ),
        ),
        (
            FACTS | {"evppi": {"value": 900.0, "per_trial": 2000.0}},
            (
                "**Should we run a study within the trial first?** To know beforehand what a contact does is "
                "worth 900 USD per 100 patients, 2,000 for this trial; the best model that there can be, at "
                "most 913 per 100. At this cost of a contact, perfect knowledge of its effect is worth no "
                "more than perfect choice. Both are upper bounds. A study within this trial alone, with its "
                "22 such leavers, would tell little; it pays, if at all, over many trials (3,535 GBP has "
                "been its cost on average)."
            ),
        ),
        (
            FREE,
            (
                "**Should we run a study within the trial first?** Without costs its value cannot be set against "
                "its price."
            ),
        ),
    ],
    "worth_verdict": [
        (
            FACTS,
            (
                "**No strategy is shown to be worth it**, at 10 USD a contact and 6,533 a patient. This does not "
                "turn if contacts move adverse events a little, act after 28 days only, or cost 50. If one must "
                "choose: everybody, at the landmark, best with a probability of 72%."
            ),
        ),
        (
            FREE,
            (
                "**No strategy is shown to be worth it**, were contacts free. This does not turn if contacts move "
                "adverse events a little or act after 28 days only. If one must choose: everybody, at the landmark."
            ),
        ),
        (
            FACTS | {"verdict": FEW, "n_addressable_late": 4},
            (
                "**Cannot be judged:** 4 patients leave by own wish or are lost more than 7 days after day 28; at "
                "least 10 are needed."
            ),
        ),
        (
            FACTS | {"verdict": verdict("everybody", firm=False)},
            (
                "**Contact everybody; prediction adds nothing**, at 10 USD a contact and 6,533 a patient. It is not"
                " firm: it turns if contacts move adverse events a little, act after 28 days only, or cost 50."
            ),
        ),
        (
            FACTS | {"verdict": verdict("targeting")},
            (
                "**Choosing is worth more than contacting everybody**: first missed visit, at 10 USD a contact and "
                "6,533 a patient. This does not turn if contacts move adverse events a little, act after 28 days "
                "only, or cost 50."
            ),
        ),
        (
            FREE | {"verdict": verdict("choosing")},
            (
                "**Shown to be worth it, but not more than contacting everybody**: first missed visit and the "
                "active arms, were contacts free. This does not turn if contacts move adverse events a little or "
                "act after 28 days only."
            ),
        ),
    ],
    "worth_cap": [
        (
            FACTS,
            (
                "Whoever knew all could save 91.3 contacts of 100, 913 USD: if contacts do no harm, no "
                "prediction is worth more than that. To know the effect of a contact is worth 1,707 (Monte "
                "Carlo error 97), to know every number of the model, but not who leaves, 1,718."
            ),
        ),
        (FREE, "Whoever knew all could save 91.3 contacts of 100."),
        (FACTS | {"verdict": FEW}, ""),
    ],
    "worth_retrieve": [
        (
            FACTS,
            (
                "Asking those who leave for the final outcome needs no prediction and has no lead time. If 30% of "
                "them gave it, as assumed, 13.6 (3.4 to 27.9) outcomes of 100 would be regained. That rests on an "
                "assumption alone, so it stands beside the verdict and not in it, and it counts only where the "
                "estimand is treatment policy. Per 100 at risk it would be worth 192,857 (48,231 to 395,040) USD."
            ),
        ),
        (
            FREE,
            (
                "Asking those who leave for the final outcome needs no prediction and has no lead time. If 30% of "
                "them gave it, as assumed, 13.6 (3.4 to 27.9) outcomes of 100 would be regained. That rests on an "
                "assumption alone, so it stands beside the verdict and not in it, and it counts only where the "
                "estimand is treatment policy."
            ),
        ),
    ],
    "worth_arm": [
        (
            {"arm": ARM, "money": MONEY},
            (
                "Contacting the active arms reaches 64 of 100 and finds 36.2 leavers; but of these 5.1 leave for a "
                "reason that a contact can move, so at a hazard ratio of .80 it keeps 0.71, 1.9% of those found. "
                "Chapter 06 finds that the arm pays at thresholds from 0.3 to 0.45: that is true of leavers "
                "*found*. Whoever contacts at such a threshold says that a contact costs 83 to 125 USD. A contact "
                "for 10 puts the threshold at 0.036, where everybody is contacted."
            ),
        ),
        (
            {"arm": ARM | NO_ARM, "money": MONEY},
            (
                "Contacting the active arms reaches 64 of 100 and finds 36.2 leavers; but of these 5.1 leave for a "
                "reason that a contact can move, so at a hazard ratio of .80 it keeps 0.71, 1.9% of those found. "
                "Chapter 06 finds no threshold at which contacting by the arm is shown to pay. A contact for 10 "
                "puts the threshold at 0.300, where not everybody is contacted."
            ),
        ),
        (
            {"arm": ARM | {"threshold": None}, "money": None},
            (
                "Contacting the active arms reaches 64 of 100 and finds 36.2 leavers; but of these 5.1 leave for a "
                "reason that a contact can move, so at a hazard ratio of .80 it keeps 0.71, 1.9% of those found. "
                "Chapter 06 finds that the arm pays at thresholds from 0.3 to 0.45: that is true of leavers "
                "*found*."
            ),
        ),
        ({"arm": None, "money": None}, "There is one arm, so nobody is contacted by it."),
    ],
    "worth_power": [
        (
            {"power": POWER, "rho": 0.54},
            (
                "A comparison of Placebo with High that has a power of 90% if everybody is measured has "
                "62.0% with the completers alone. Contacts with everybody raise that by 0.4 percentage "
                "points at the prior median and by 0.8 at a hazard ratio of .80, the information of 1.5 "
                "randomised patients. Retrieved outcomes, if they come, add 10.0. An earlier measurement "
                "correlated by 0.54 gives 5.9 points by the analysis, if what is missing is missing at "
                "random."
            ),
        ),
        (
            {"power": POWER | {"gain_everybody_prior": 0.2, "gain_everybody_hr80": 0.3}, "rho": None},
            (
                "A comparison of Placebo with High that has a power of 90% if everybody is measured has 62.0% with "
                "the completers alone. Contacts with everybody raise that by 20.0 percentage points at the prior "
                "median and by 30.0 at a hazard ratio of .80, the information of 1.5 randomised patients. Retrieved "
                "outcomes, if they come, add 10.0."
            ),
        ),
        (
            {"power": POWER, "rho": None},
            (
                "A comparison of Placebo with High that has a power of 90% if everybody is measured has 62.0% with "
                "the completers alone. Contacts with everybody raise that by 0.4 percentage points at the prior "
                "median and by 0.8 at a hazard ratio of .80, the information of 1.5 randomised patients. Retrieved "
                "outcomes, if they come, add 10.0."
            ),
        ),
        ({"power": None}, ("Power is not told: this trial compares no two arms of which both have completers.")),
    ],
    "worth_missing": [
        (
            {"missing": MISSING} | IMPUTED,
            (
                "Of 137 patients who left, 36 have the final ADAS-Cog all the same: they came back for it. The "
                "difference of High from Placebo (below zero is better) is −0.8 (−3.3 to 1.7) points among "
                "completers, −1.2 (−3.5 to 1.2) if values are missing at random and −0.3 (−2.5 to 1.8) if leavers "
                "went on like Placebo. No shift of the imputed values up to 15 points turns it significantly "
                "against the treatment."
            ),
        ),
        (
            {"missing": MISSING | {"tipping": 5.5}} | IMPUTED,
            (
                "Of 137 patients who left, 36 have the final ADAS-Cog all the same: they came back for it. "
                "The difference of High from Placebo (below zero is better) is −0.8 (−3.3 to 1.7) points "
                "among completers, −1.2 (−3.5 to 1.2) if values are missing at random and −0.3 (−2.5 to 1.8) "
                "if leavers went on like Placebo. It turns significantly against the treatment once the "
                "imputed values of that arm are 5.5 points worse."
            ),
        ),
        ({"missing": None}, ("This source has no final outcome that leavers lack, so nothing is imputed.")),
    ],
    "worth_truth": [
        (
            {"truth": TRUTH},
            (
                "In a made-up trial of 400,000 patients, where the truth is a formula and a contact "
                "multiplies the hazard by .80, the estimate is off by at most 2.1%. Over 500 trials of 250 "
                "patients its mean error is at most 0.08 completers of 100, and the intervals hold the truth "
                "in 94.1% to 96.2% of trials (study of 2026\\-11\\-28). Where contacts do nothing and a large "
                "study has told their effect, everybody was called *worth it* instead of nobody in 1.8% of "
                "trials."
            ),
        )
    ],
    "finding_contacts": [
        (
            FACTS,
            (
                "*Claim:* contacting patients early is worth its cost. *Found:* **No strategy is shown to be worth "
                "it**, at 10 USD a contact and 6,533 a patient. This does not turn if contacts move adverse events "
                "a little, act after 28 days only, or cost 50. If one must choose: everybody, at the landmark, best"
                " with a probability of 72%."
            ),
        )
    ],
    "finding_contacts_choosing": [
        (
            FACTS,
            (
                "*Claim:* choosing whom to contact is worth more than contacting everybody. *Found:* Whoever "
                "knew all could save 91.3 contacts of 100, 913 USD: if contacts do no harm, no prediction is "
                "worth more than that. To know the effect of a contact is worth 1,707 (Monte Carlo error "
                "97), to know every number of the model, but not who leaves, 1,718. No way of choosing is "
                "shown to be worth more than contacting everybody."
            ),
        ),
        (
            FACTS | {"verdict": FEW},
            (
                "*Claim:* choosing whom to contact is worth more than contacting everybody. *Found:* Too few "
                "patients leave for a reason that a contact can move."
            ),
        ),
        (
            FACTS | {"verdict": verdict("targeting")},
            (
                "*Claim:* choosing whom to contact is worth more than contacting everybody. *Found:* Whoever "
                "knew all could save 91.3 contacts of 100, 913 USD: if contacts do no harm, no prediction is "
                "worth more than that. To know the effect of a contact is worth 1,707 (Monte Carlo error "
                "97), to know every number of the model, but not who leaves, 1,718. It is shown for first "
                "missed visit."
            ),
        ),
    ],
}
test_words = turns.over(CASES)
