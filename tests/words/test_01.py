"""What chapter 01 says of the checksum, the published figures and the two cuts follows the numbers."""

from tests.words import turns

PATIENTS = {"md5": "13af", "n": 1000, "gone": 525}
FILE = (
    "The file has the md5 `13af`, which is {} stated one. It holds 1,000 patients, of whom 525 dropped out: 52.5%, "
    "where the published documents say 24 %. All that follows is about exactly these patients, or about the law that "
    "drew them."
)
REST = (
    ". A figure that does not agree does not describe this data set; which one it describes, if any, nothing published "
    "says, so chapter 00 judges each figure by the data that can be regenerated."
)
EVENTS, VISITS = "adverse_event_rate_above_01", "visit_rate_below_05"


def cut(events, visits, effect):
    """Facts of one setting: two risk differences and the effect of the second."""
    return {
        "published": {EVENTS: ["events", 0.3], VISITS: ["visits", 0.2]},
        "share_beyond": {EVENTS: 0.0012, VISITS: 0.234},
        "risk_difference": {EVENTS: events, VISITS: visits},
        "effect": {EVENTS: {"value": 0.9}, VISITS: {"value": effect}},
    }


def told(events, less_events, visits, less_visits, alone, effect):
    """The paragraph on the cuts."""
    return (
        f"Beyond the cut of the adverse-event rate the risk is {events} higher, {less_events} the published 0.30, but "
        f"only 0.12% of patients lie there. Below the cut of the visit rate lie 23%; their risk is {visits} higher, "
        f"{less_visits} the published 0.20. {alone} of that is the visits' own doing: with all else alike they add "
        f"{effect}, the rest comes from short follow-up, which lowers the visit rate and raises the adverse-event rate "
        "together."
    )


LEARNED = {"compared": range(17), "counted": {"last_visit_after_dropout": 70}, "gone": 525, "late": 6, "every": 9}
LEARNED |= {"lift": {"full": 0.71, "best_auroc": 0.62, "best_day": 90, "enrolment": 0.58}}


def learned(how_many, fit):
    """The points that end the chapter."""
    return (
        "- The published trial is regenerated to the byte, so that every later chapter argues about the same patients. "
        f"{how_many} of the 17 published figures of [](#tbl-descriptives) {fit} it.\n- In 70 of 525 patients who "
        "left, the last visit comes after leaving, and 6 of 9 published inputs are known only afterwards.\n- The "
        "ceiling for any model is an AUROC of 0.710 with all of that, 0.620 with what was known by day 90, and 0.580 "
        "at enrolment. Every later table of Part I carries the ceiling as its oracle row."
    )


LESS, MORE = "less than", "at least as much as"
CASES = {
    turns.inline("01_generation", "ch01-09"): [
        (PATIENTS | {"simulate": {"PUBLISHED_MD5": "13af"}}, FILE.format("the")),
        (PATIENTS | {"simulate": {"PUBLISHED_MD5": "0000"}}, FILE.format("NOT the")),
    ],
    turns.inline("01_generation", "ch01-59"): [
        (LEARNED | {"agreeing": []}, learned("None", "fits")),
        (LEARNED | {"agreeing": ["share"]}, learned("1", "fits")),
        (LEARNED | {"agreeing": ["share", "age"]}, learned("2", "fit")),
    ],
    turns.inline("01_generation", "ch01-27"): [
        (
            {"agreeing": [], "compared": range(17)},
            "None of 17 published figures agrees with the published data within rounding" + REST,
        ),
        (
            {"agreeing": ["share"], "compared": range(17)},
            "1 of 17 published figures agrees with the published data within rounding (share)" + REST,
        ),
        (
            {"agreeing": ["share", "age"], "compared": range(17)},
            "2 of 17 published figures agree with the published data within rounding (share, age)" + REST,
        ),
    ],
    "cuts": [
        (cut(0.3, 0.2, 0.1), told("0.30", MORE, "0.20", MORE, "At least half", "0.10")),
        (cut(0.25, 0.1, 0.02), told("0.25", LESS, "0.10", LESS, "Less than half", "0.02")),
    ],
}
test_words = turns.over(CASES)
