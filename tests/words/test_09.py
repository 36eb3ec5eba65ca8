"""Every turn of the sentences of chapter 09."""

from tests.words import turns


def three(low, median, high):
    return {"low": low, "median": median, "high": high}


END = {
    "n": 254,
    "gone": three(107, 131, 157),
    "leaving": three(54, 78, 106),
    "leaving_without_drift": three(60, 79, 97),
}
PROJECTION = {"planned": END, "p0": 0.4, "counts": "any", "p_above": 0.98, "word": "will exceed the plan"}
PROJECTION |= {"mostly_prior": False, "rests_on_unseen": False, "unseen": 0.0, "at_visits": False}
ANSWER = {"as_at": "1 June 2013", "horizon": 168, "states": {"enrolled": 124}, "projection": PROJECTION, "allowed": 101}
STATES = {"enrolled": 124, "left": 47, "competing": 2, "completed_early": 0, "through": 24, "ongoing": 51}
SINCE = {"date": "1 May 2013", "started": 13, "gone": 8, "through": 6}
STOOD = {"calendar": True, "as_at": "1 June 2013", "leaving": "study", "horizon": 168, "states": STATES, "since": SINCE}
DRIFT = {"rate_ratio": 1.7, "ci_low": 0.4, "ci_high": 7.7, "changes": False}
LIMIT = {"rang": None, "rule": "B", "c": 2.85, "p0": 0.4, "rings_at": 53, "rang_simple": None}
LAST = {"p_above": 0.986, "events": 49, "expected": 32.6}
ALARM = {"limit": LIMIT, "last": LAST, "sure": 0.997}
POWER = {"retained": 123, "retained_low": 96, "retained_high": 147, "completers_planned": 153}
POWER |= {"to_start_even": 62, "to_start_80": 108, "power": 0.63, "power_low": 0.53, "power_high": 0.71}
POWER |= {"power_planned": 0.73, "word": "short"}
PAST = {"cuts": 25, "inside": 24, "disjoint": 5, "bias": -0.4, "width": 12.2}
AUROC = {"value": 0.51, "ci_low": 0.4, "ci_high": 0.62}
PLACE = {"words": "an even rate", "pit": 0.91, "fraction": 0.2}
GATE = {"asked_low": 0.85, "asked_high": 0.95, "held": 12, "n": 12, "trials": 500}
GATE |= {"lowest": PLACE, "highest": PLACE | {"words": "a peak", "pit": 0.94}}
RUNG = {
    "n_null": 4000,
    "a": 0.048,
    "sites": 0.068,
    "early": 0.38,
    "b_low": 0.004,
    "b_high": 0.058,
    "b_ever": 0.93,
    "b_day": 274.0,
    "simple_ever": 0.4,
    "simple_enrolling": 0.13,
    "calibrated_enrolling": 0.6,
    "b_enrolling": 0.95,
}


HELD = {"will": 0.91, "probably": 0.74, "probably_not": 0.23, "not": 0.1}


def but(facts, **changes):
    return facts | changes


def projected(**changes):
    return but(ANSWER, projection=PROJECTION | changes)


def rests(**changes):
    return but({"information": 0.25, "drift": DRIFT, "overdue": {"n": 0}}, projection=PROJECTION) | changes


def limited(**changes):
    return but(ALARM, limit=LIMIT | changes)


def powered(**changes):
    kept = {key: value for key, value in (POWER | changes).items() if value != ()}
    return {"horizon": 168, "power": kept, "arms": 2, "target": 0.8}


HAND = {"by_hand": three(9.0, 15.0, 22.0), "chance": three(10.0, 15.0, 20.0), "library": three(8, 14, 21)}
LATE = {"n": 9, "many": True, "projection": {"gone": three(110, 135, 160)}}
GIVEN: dict = {
    "running_answer": [
        ANSWER,
        {key: value for key, value in ANSWER.items() if key != "projection"},
        projected(p0=None),
        projected(counts="leaving"),
        *(
            projected(word=word)
            for word in ("probably exceeds", "cannot tell yet", "probably within", "within the plan")
        ),
    ],
    "running_states": [
        STOOD,
        but(STOOD, calendar=False, undated=STATES["enrolled"]),
        but(STOOD, calendar=False, undated=2),
        but(STOOD, states=STATES | {"completed_early": 3}),
        {key: value for key, value in STOOD.items() if key != "since"},
    ],
    "running_rests": [
        rests(),
        {},
        rests(projection=PROJECTION | {"mostly_prior": True}),
        rests(projection=PROJECTION | {"rests_on_unseen": True, "unseen": 0.41}),
        rests(projection=PROJECTION | {"unseen": 0.12, "at_visits": True}),
        rests(drift=DRIFT | {"changes": True}),
        rests(drift=None),
        {"projection": PROJECTION},
        rests(overdue={"n": 1, "many": False}),
        rests(overdue={"n": 2, "many": False}),
        rests(overdue=LATE),
    ],
    "running_alarm": [
        ALARM,
        {"limit": None, "last": LAST},
        but(ALARM, last=None),
        limited(rang="1 July 2013"),
        limited(rule="A"),
        limited(rings_at=None),
        limited(rang_simple="1 July 2014"),
    ],
    "running_power": [
        powered(),
        {},
        powered(completers_planned=(), power_planned=(), word=()),
        powered(to_start_80=0),
        powered(power=()),
        but(powered(), arms=3),
    ],
    "running_past": [PAST, but(PAST, cuts=0), but(PAST, disjoint=1)],
    "running_whom": [
        {"day": 28, "auroc": AUROC, "separates": False},
        {"day": 28, "auroc": AUROC, "separates": True},
        {"day": None},
    ],
    "running_truth": [GATE, but(GATE, held=10)],
    "running_failures": [
        {"worst": PLACE | {"words": "the rate rises", "pit": 0.76}, "second": PLACE | {"pit": 0.834}}
        | {"planned": {"low": 0.878, "high": 0.944, "worst": 0.784}}
    ],
    "running_words": [{f"said_{name}": {"exceeded": share} for name, share in HELD.items()}],
    "running_false_alarms": [RUNG, but(RUNG, b_day=None)],
    "running_by_hand": [HAND, but(HAND, library=None)],
}

EXPECTED: dict = {
    "running_answer": [
        "It will exceed its plan: expect 131 of 254 patients (107 to 157) to be gone for any reason by day "
        "168, where the plan allows 101 (40%). In 98% of the projections more are gone than that.",
        "Too early to say: 124 patients had begun by 1 June 2013, and a projection needs more. What follows "
        "are counts.",
        "Expect 131 of 254 patients (107 to 157) to be gone by day 168. No planned dropout was given to hold "
        "that against.",
        "It will exceed its plan: expect 131 of 254 patients (107 to 157) to be gone by leaving by day 168, "
        "where the plan allows 101 (40%). In 98% of the projections more are gone than that.",
        "It probably exceeds its plan: expect 131 of 254 patients (107 to 157) to be gone for any reason by "
        "day 168, where the plan allows 101 (40%). In 98% of the projections more are gone than that.",
        "Whether it stays within its plan cannot be told yet: expect 131 of 254 patients (107 to 157) to be "
        "gone for any reason by day 168, where the plan allows 101 (40%). In 98% of the projections more are "
        "gone than that.",
        "It probably stays within its plan: expect 131 of 254 patients (107 to 157) to be gone for any reason "
        "by day 168, where the plan allows 101 (40%). In 98% of the projections more are gone than that.",
        "It stays within its plan: expect 131 of 254 patients (107 to 157) to be gone for any reason by day "
        "168, where the plan allows 101 (40%). In 98% of the projections more are gone than that.",
    ],
    "running_states": [
        "By 1 June 2013, 124 patients had begun: 47 have left the study, 2 had a competing event, 24 are "
        "through day 168, and 51 are still in. Since 1 May 2013, 13 more began, 8 more are gone and 6 more are "
        "through.",
        "124 patients have begun (no dates are given, so time counts from the first dose): 47 have left the "
        "study, 2 had a competing event, 24 are through day 168, and 51 are still in. Since 1 May 2013, 13 "
        "more began, 8 more are gone and 6 more are through.",
        "124 patients have begun (two start dates missing: there is no calendar, and time counts from the first "
        "dose): 47 have left the study, 2 had a competing event, 24 are through day 168, and 51 are still in. Since "
        "1 May 2013, 13 more began, 8 more are gone and 6 more are through.",
        "By 1 June 2013, 124 patients had begun: 47 have left the study, 2 had a competing event, 3 completed "
        "before day 168, 24 are through day 168, and 51 are still in. Since 1 May 2013, 13 more began, 8 more "
        "are gone and 6 more are through.",
        "By 1 June 2013, 124 patients had begun: 47 have left the study, 2 had a competing event, 24 are "
        "through day 168, and 51 are still in.",
    ],
    "running_rests": [
        "So far 25% of the planned patient-days have been seen. The daily rate of leaving changes by a factor "
        "of 1.7 (0.4 to 7.7) in a calendar year, which may be no change; without drift 79 (60 to 97) more "
        "would leave, with it 78 (54 to 106).",
        "",
        "Fewer than five have left: the projection is mostly what was assumed beforehand. So far 25% of the "
        "planned patient-days have been seen. The daily rate of leaving changes by a factor of 1.7 (0.4 to "
        "7.7) in a calendar year, which may be no change; without drift 79 (60 to 97) more would leave, with "
        "it 78 (54 to 106).",
        "It rests on days nobody has reached: 41% of the days that are projected lie where hardly anyone has "
        "been watched. So far 25% of the planned patient-days have been seen. The daily rate of leaving "
        "changes by a factor of 1.7 (0.4 to 7.7) in a calendar year, which may be no change; without drift 79 "
        "(60 to 97) more would leave, with it 78 (54 to 106).",
        "12% of the days that are projected lie where hardly anyone has been watched. So far 25% of the "
        "planned patient-days have been seen. Leaving is recorded at visits, so time is cut at visits. The "
        "daily rate of leaving changes by a factor of 1.7 (0.4 to 7.7) in a calendar year, which may be no "
        "change; without drift 79 (60 to 97) more would leave, with it 78 (54 to 106).",
        "So far 25% of the planned patient-days have been seen. The daily rate of leaving changes by a factor "
        "of 1.7 (0.4 to 7.7) in a calendar year, so read the interval with drift, which is the one given here; "
        "without drift 79 (60 to 97) more would leave, with it 78 (54 to 106).",
        "So far 25% of the planned patient-days have been seen.",
        "",
        "So far 25% of the planned patient-days have been seen. The daily rate of leaving changes by a factor "
        "of 1.7 (0.4 to 7.7) in a calendar year, which may be no change; without drift 79 (60 to 97) more "
        "would leave, with it 78 (54 to 106). Of those counted as still in, 1 has no record for longer than "
        "visits are apart.",
        "So far 25% of the planned patient-days have been seen. The daily rate of leaving changes by a factor "
        "of 1.7 (0.4 to 7.7) in a calendar year, which may be no change; without drift 79 (60 to 97) more "
        "would leave, with it 78 (54 to 106). Of those counted as still in, 2 have no record for longer than "
        "visits are apart.",
        "So far 25% of the planned patient-days have been seen. The daily rate of leaving changes by a factor "
        "of 1.7 (0.4 to 7.7) in a calendar year, which may be no change; without drift 79 (60 to 97) more "
        "would leave, with it 78 (54 to 106). Of those counted as still in, 9 have no record for longer than "
        "visits are apart; had they all left, 135 (110 to 160) would be gone in the end.",
    ],
    "running_alarm": [
        "The alarm **has not rung**: the plan has a rate and no shape, so it rings when the rate is above 40% "
        "with a certainty of 99.7%, whatever the shape; at the last look that was 98.6%. That is asked of the "
        "rate at every look, to be rarely false; the word above, of the final count. 49 were gone where the "
        "plan, spread evenly, expects 33; 53 on this day would have rung it. The rule in common use (three "
        "standard deviations of a share of those enrolled) has not rung.",
        "No alarm is looked for: that needs a planned dropout, dates, and a month's first day with ten patients.",
        "No alarm is looked for: that needs a planned dropout, dates, and a month's first day with ten patients.",
        "The alarm **rang on 1 July 2013**: the plan has a rate and no shape, so it rings when the rate is "
        "above 40% with a certainty of 99.7%, whatever the shape; at the last look that was 98.6%. That is "
        "asked of the rate at every look, to be rarely false; the word above, of the final count. 49 were gone "
        "where the plan, spread evenly, expects 33. The rule in common use (three standard deviations of a "
        "share of those enrolled) has not rung.",
        "The alarm **has not rung**: against the planned curve it rings from a log likelihood ratio of 2.85. "
        "49 were gone where the plan expects 33; 53 on this day would have rung it. The rule in common use "
        "(three standard deviations of a share of those enrolled) has not rung.",
        "The alarm **has not rung**: the plan has a rate and no shape, so it rings when the rate is above 40% "
        "with a certainty of 99.7%, whatever the shape; at the last look that was 98.6%. That is asked of the "
        "rate at every look, to be rarely false; the word above, of the final count. 49 were gone where the "
        "plan, spread evenly, expects 33. The rule in common use (three standard deviations of a share of "
        "those enrolled) has not rung.",
        "The alarm **has not rung**: the plan has a rate and no shape, so it rings when the rate is above 40% "
        "with a certainty of 99.7%, whatever the shape; at the last look that was 98.6%. That is asked of the "
        "rate at every look, to be rarely false; the word above, of the final count. 49 were gone where the "
        "plan, spread evenly, expects 33; 53 on this day would have rung it. The rule in common use (three "
        "standard deviations of a share of those enrolled) rang on 1 July 2014.",
    ],
    "running_power": [
        "123 patients (96 to 147) are expected to be retained on day 168, where the plan keeps 153; for so "
        "many, 62 more than planned would have to start for even odds, 108 to be 80% sure. The mean power left "
        "is 63% (53% to 71%), where the plan's own numbers give 73%; for the planned 80%: short. This takes "
        "all who are retained as two arms in the planned ratio, and their leaving as unrelated to the outcome.",
        "",
        "123 patients (96 to 147) are expected to be retained on day 168. The mean power left is 63% (53% to "
        "71%). This takes all who are retained as two arms in the planned ratio, and their leaving as "
        "unrelated to the outcome.",
        "123 patients (96 to 147) are expected to be retained on day 168, where the plan keeps 153. The mean "
        "power left is 63% (53% to 71%), where the plan's own numbers give 73%; for the planned 80%: short. "
        "This takes all who are retained as two arms in the planned ratio, and their leaving as unrelated to "
        "the outcome.",
        "123 patients (96 to 147) are expected to be retained on day 168, where the plan keeps 153; for so "
        "many, 62 more than planned would have to start for even odds, 108 to be 80% sure. Power is told with "
        "a planned effect and spread.",
        "123 patients (96 to 147) are expected to be retained on day 168, where the plan keeps 153; for so "
        "many, 62 more than planned would have to start for even odds, 108 to be 80% sure. The mean power left "
        "is 63% (53% to 71%), where the plan's own numbers give 73%; for the planned 80%: short. This takes "
        "all who are retained as two arms in the planned ratio (here are 3: a comparison of two of them has "
        "less), and their leaving as unrelated to the outcome.",
    ],
    "running_past": [
        "Put back to the first of each month, the trial was projected 25 times from what was known then; 24 of "
        "the intervals held what came. The cuts share patients, and five of them lie a whole follow-up apart: "
        "not 25 independent successes. The medians differ from what came by −0.4 on average; the intervals "
        "span 12 leavers.",
        "No earlier month is settled yet, so this trial cannot judge its own projections.",
        "Put back to the first of each month, the trial was projected 25 times from what was known then; 24 of "
        "the intervals held what came. The cuts share patients, and one of them lies a whole follow-up apart: "
        "not 25 independent successes. The medians differ from what came by −0.4 on average; the intervals "
        "span 12 leavers.",
    ],
    "running_whom": [
        "No list of patients: at the same day in the trial an order of them is not shown to be better than "
        "chance (AUROC of a model that does not know the treatment, 0.51 (0.40 to 0.62) on day 28). What is "
        "left is that who has been in for longer has less time to leave.",
        "A model that does not know the treatment orders patients at the same day better than chance (AUROC "
        "0.51 (0.40 to 0.62) on day 28); an order of all who are still in, by the model of chapter 06 on that "
        "day, is more than time in the trial.",
        "No list of patients: no landmark has the leavers that a model would need.",
    ],
    "running_truth": [
        "In each of the four worlds of the gate, at each of three fractions, the interval held what came in "
        "85% to 95% of 500 trials, from 91.0% (an even rate) to 94.0% (a peak).",
        "In 2 of 12 combinations of world and fraction the share of trials inside lies outside 85% to 95%, "
        "from 91.0% (an even rate) to 94.0% (a peak).",
    ],
    "running_failures": [
        "Outside the gate it is poorest with the rate rises: 76.0% at 20% of the patient-days; then with an "
        "even rate: 83.4% at 20%. Of all who are planned, not only enrolled, 87.8% to 94.4% of what came lay "
        "inside in the four worlds, and 78.4% at the least in all.",
    ],
    "running_words": [
        "Did the words hold? Over the first four worlds, where the word was *will exceed* 91% of the trials "
        "did, *probably exceeds* 74%, *probably within* 23%, and *within* 10%.",
    ],
    "running_false_alarms": [
        "In 4,000 trials that keep to their plan, rule A rings at some look in 4.8%; rule B, which assumes no "
        "shape, in 0.4% to 5.8% over four shapes. Where sites differ rule A rings in 6.8%; with a plan that is "
        "spread evenly it rings in 38.0% where most leave early, so without a planned curve it is no alarm. "
        "Where half as many again leave as planned, rule B has rung by the end in 93% of trials, in half of "
        "them by day 274 of the calendar; three standard deviations of the enrolled have in 40%, and before "
        "enrolment ends in 13% (60% if as many false alarms are allowed) where rule B has in 95%. Delays are "
        "those of an even rate.",
        "In 4,000 trials that keep to their plan, rule A rings at some look in 4.8%; rule B, which assumes no "
        "shape, in 0.4% to 5.8% over four shapes. Where sites differ rule A rings in 6.8%; with a plan that is "
        "spread evenly it rings in 38.0% where most leave early, so without a planned curve it is no alarm. "
        "Where half as many again leave as planned, rule B has rung by the end in 93% of trials; three "
        "standard deviations of the enrolled have in 40%, and before enrolment ends in 13% (60% if as many "
        "false alarms are allowed) where rule B has in 95%. Delays are those of an even rate.",
    ],
    "running_by_hand": [
        "By hand, 15 more of those enrolled will leave (9 to 22); by the library 14 (8 to 21). Were the rates "
        "known, chance alone would give 10 to 20.",
        "By hand, 15 more of those enrolled will leave (9 to 22). Were the rates known, chance alone would "
        "give 10 to 20.",
    ],
}

LEARNED = {"by_hand": {"low": 9.0, "high": 22.0}, "chance": {"low": 10.0, "high": 20.0}}
CASES = {name: list(zip(GIVEN[name], EXPECTED[name], strict=True)) for name in GIVEN}
CASES[turns.inline("09_running_trial", "ch09-31")] = [
    (
        LEARNED | {"settled": {"cuts": 25, "inside": 24}},
        (
            "- How many can be told early: 24 of 25 months of this trial's past held what came.\n\n- An "
            "interval holds rates that are estimated, not only chance: 13 leavers from end to end by "
            "hand, 10 by chance alone.\n\n- An alarm needs a false-alarm rate over all looks; a share of "
            "the enrolled can have one too, but rings later."
        ),
    ),
    (
        LEARNED | {"settled": {"cuts": 0}},
        (
            "- How many can be told early: in simulation, for this trial has no settled month.\n\n- An "
            "interval holds rates that are estimated, not only chance: 13 leavers from end to end by "
            "hand, 10 by chance alone.\n\n- An alarm needs a false-alarm rate over all looks; a share of "
            "the enrolled can have one too, but rings later."
        ),
    ),
]
test_words = turns.over(CASES)


def test_every_word_of_the_projection_has_its_sentence():
    assert list(GIVEN) == list(EXPECTED)
