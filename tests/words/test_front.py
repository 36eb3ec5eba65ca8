"""The first page says what the results say, of the study and of a report on a reader's own trial."""

import copy
import functools
import json
import re

import pytest
from jinja2 import nodes

from attrition import paths
from notebook_report import pages, project
from tests.words import turns

SOURCE = paths.NOTEBOOKS / "pages" / "front.md"
REAL, TIME, RUN, FOUND = "06_real_trial", "07_time_to_dropout", "09_running_trial", "00_findings"
PARAMS = {REAL: {"suspicious_auroc": 0.75}}


def auroc(value, low, high):
    return {"value": value, "ci_low": low, "ci_high": high}


NOWHERE = {"n": 0, "low": None, "high": None, "judged_low": 0.45, "judged_high": 0.5}
ARMS = {"verdict": "supported", "arm": "High dose", "first": "Placebo", "risk": 0.655, "base": 0.279}
LEDGER = {
    "n": 77,
    "holding": 17,
    "n_late": 23,
    "n_first": 54,
    "holding_first": 9,
    "counts": {
        "reproduced": 16,
        "supported": 1,
        "direction only": 3,
        "not supported": 34,
        "impossible": 15,
        "not settled": 0,
        "not testable": 8,
    },
}
RUNNING = {
    "as_at": "2013-06-01",
    "level": 0.9,
    "gate": {"verdict": "supported"},
    "information": 0.34,
    "calendar": True,
    "horizon": 168,
    "states": {"enrolled": 124, "ongoing": 51},
    "gone": 49,
    "allowed": 101,
    "came": 137,
    "since": {"date": "2013-05-01", "started": 13, "gone": 8, "through": 6},
    "projection": {
        "p0": 0.4,
        "p_above": 0.98,
        "counts": "any",
        "word": "will exceed the plan",
        "planned": {"n": 254, "gone": {"median": 131, "low": 107, "high": 157}},
    },
    "power": {"retained": 123, "retained_low": 96, "retained_high": 147, "completers_planned": 153, "power": 0.63}
    | {"power_planned": 0.73},
    "qtl": {"of_this_trial": {"rang": None, "rings_at": 53}},
    "order": {"day": 28, "separates": False, "auroc": auroc(0.506, 0.395, 0.617)},
    "subjects_remaining": [{"visit": 28}],
    "backtest": {"cuts": 25, "inside": 24, "rows": [{"cut": "2013-01-01"}]},
}
WORTH = "10_worth"
STUDY = {
    WORTH: {
        **{"n_at_risk": 229, "landmark": 28, "at_risk_by_reason": {"addressable": 22}},
        **{"everybody": auroc(0.55, -0.98, 2.03), "cap": {"contacts_saved": 91.27}, "verdict": {"worth_it": []}},
    },
    RUN: RUNNING,
    REAL: {
        "horizon": 168,
        "flow": {"censored": 0, "discontinued_by_horizon": 137},
        "interval": {"coverage_null": 0.976, "coverage_signal": 0.965},
        "landmarks": {"28": {"at_risk": 229, "all_cause": 112, "primary": 107, "censored": 0}},
        "asked": {
            "title": "Trial of *something*",
            "arms": ["Placebo", "Low dose", "High dose"],
            "landmark": 28,
            "better": {"all": True, "all_without_arm": False},
            "auroc": {"all": auroc(0.66, 0.566, 0.753), "all_without_arm": auroc(0.506, 0.395, 0.617)},
            "leak": {"name": "visit number", "honest": 0.581, "leaky": 0.987},
        },
        "decisions": {"all_without_arm": NOWHERE, "arm_only": {"n": 2, "low": 0.425, "high": 0.45}},
    },
    TIME: {
        "reasons": ["adverse event", "withdrawal by subject", "other", "competing"],
        "flow": [
            {"arm": "Placebo", "patients": 86, "still in": 59, "adverse event": 8, "withdrawal by subject": 9},
            {"arm": "High dose", "patients": 84, "still in": 26, "adverse event": 44, "withdrawal by subject": 9},
            {
                "arm": "all",
                "patients": 254,
                "still in": 117,
                "adverse event": 89,
                "withdrawal by subject": 25,
                "other": 15,
                "competing": 8,
            },
        ],
        "conclusions": {"arms": ARMS},
    },
    FOUND: {"findings": {"finding-ledger": LEDGER}},
}


def asked(facts):
    return facts[REAL]["asked"]


def everybody(facts):
    return facts[TIME]["flow"][2]


def as_it_is(facts):
    """The study, unchanged."""


def own(facts):
    """The same trial as a reader's own."""
    del facts[FOUND]
    facts[RUN]["states"]["ongoing"] = 0


def goes(facts):
    """The same while it runs, with a plan."""
    own(facts)
    facts[RUN]["states"]["ongoing"] = 51


def changed(**parts):
    """While it runs, with other facts of chapter 09; None takes one away."""

    def turn(facts):
        goes(facts)
        for name, value in parts.items():
            if value is None:
                del facts[RUN][name]
            elif isinstance(value, dict):
                facts[RUN][name] = {k: v for k, v in (facts[RUN][name] | value).items() if v != ()}
            else:
                facts[RUN][name] = value

    return turn


def one_arm(facts):
    own(facts)
    asked(facts).update(arms=["Everybody"], better={"all": False}, auroc={"all": auroc(0.52, 0.41, 0.63)})
    facts[REAL]["decisions"] = {"all": NOWHERE}
    facts[TIME]["conclusions"]["arms"] = None


def one_arm_seen(facts):
    one_arm(facts)
    asked(facts)["better"]["all"] = True


def one_arm_pays(facts):
    one_arm_seen(facts)
    facts[REAL]["decisions"]["all"] = {"n": 3, "low": 0.3, "high": 0.4}


def none_fitted(facts):
    asked(facts).update(landmark=None, leak=None, better={}, auroc={})
    facts[REAL]["decisions"] = {}


def own_none_fitted(facts):
    own(facts)
    none_fitted(facts)


def none_fitted_enough(facts):
    own_none_fitted(facts)
    facts[REAL]["landmarks"]["28"]["skipped"] = {"n_events": 10, "needed": 10}
    facts[REAL]["flow"].update(censored=117)


def none_fitted_few(facts):
    none_fitted_enough(facts)
    facts[REAL]["landmarks"]["28"]["skipped"]["n_events"] = 9


def running(facts):
    own(facts)
    facts[REAL]["flow"].update(censored=40)
    facts[REAL]["landmarks"]["28"].update(censored=35, risk=0.48)


def running_one_arm(facts):
    one_arm(facts)
    facts[REAL]["flow"].update(censored=40)


def one_to_come(facts):
    facts[REAL]["landmarks"]["84"] = {"skipped": {"n_events": 12, "needed": 10}}


def running_alike(facts):
    running(facts)
    arms_alike(facts)


def running_not_judged(facts):
    running(facts)
    arms_not_judged(facts)


def blinded_better(facts):
    asked(facts)["better"]["all_without_arm"] = True


def blinded_pays(facts):
    blinded_better(facts)
    facts[REAL]["decisions"]["all_without_arm"] = {"n": 4, "low": 0.2, "high": 0.35}


def wide_open(facts):
    asked(facts)["auroc"]["all_without_arm"] = auroc(0.6, 0.4, 0.8)


def better_and_wide(facts):
    wide_open(facts)
    blinded_better(facts)


def told_no_better(facts):
    asked(facts)["better"]["all"] = False


def few_on_a_side(facts):
    facts[REAL]["decisions"]["all_without_arm"] = NOWHERE | {"judged_low": None, "judged_high": None}


def one_arm_few(facts):
    one_arm(facts)
    facts[REAL]["decisions"]["all"] = NOWHERE | {"judged_low": None, "judged_high": None}


def nothing_pays(facts):
    facts[REAL]["decisions"]["arm_only"] = NOWHERE


def no_arm_model(facts):
    del facts[REAL]["decisions"]["arm_only"]


def no_leak(facts):
    asked(facts)["leak"] = None


def gate_fails(facts):
    facts[RUN]["gate"]["verdict"] = "not supported"


def worth_it(facts):
    facts[WORTH]["verdict"]["worth_it"] = ["everybody"]


def side_effects(facts):
    own(facts)


def withdrawals(facts):
    own(facts)
    everybody(facts)["withdrawal by subject"] = 90


def others(facts):
    own(facts)
    everybody(facts)["other"] = 91


def competing(facts):
    own(facts)
    everybody(facts)["competing"] = 200


def arms_by_little(facts):
    facts[TIME]["conclusions"]["arms"]["verdict"] = "direction only"


def arms_alike(facts):
    facts[TIME]["conclusions"]["arms"]["verdict"] = "not supported"


def arms_not_judged(facts):
    facts[TIME]["conclusions"]["arms"] = None


NO = "# Who? No. On day 28 a model that does not know the treatment cannot be told from a coin toss\n"
TOLD = (
    "Told the treatment, a model does better than chance; so does the treatment alone, and in a blinded trial nobody "
    "is told."
)
NEVER = (
    "At no threshold where it could be judged (45% to 50%) is the blinded model shown to find more leavers, net of "
    "vain contacts, than contacting everybody or nobody."
)
WIDTH = "with 107 such leavers, anything from 40 to 62 in a hundred fits the blinded model; 50 is a coin."
CLAIMS = "## Of 77 claims in two publications, 17 hold\n"
DIFFER = "fig-who-left: On *High dose* 26 of 84 are still in the trial, on *Placebo* 59 of 86\n"
PAY = "fig-landmark-decisions: "
# What each case says, and what it no longer says of what the study as it is says.
RUNS = "# No. It will exceed its plan: expect 131 of 254 patients gone by day 168, where the plan allows 101\n"
PLACE = {"goes": "Trial of \\*something\\*, running, as it was known on 2013\\-06\\-01: "}


def worded(word):
    return changed(projection={"word": word})


CASES = {
    "running, with a plan": (
        goes,
        [
            PLACE["goes"] + "will it end within its planned dropout of 40%?",
            RUNS,
            "49 of the 124 patients who have begun are gone (left, or had a competing event such as death), 51 are "
            "still "
            "in. In the end 107 to 157 may be gone (90% interval); 98% of the projections end above the plan. That "
            "leaves "
            "123 (96 to 147) who complete, not the 153 of the plan, and a power of 63% where the plan's own numbers "
            "give "
            "73%.",
            "The alarm, which is to be rarely false over all looks, has not rung; on this day 53 gone would have rung "
            "it.",
            "Since 2013\\-05\\-01: 13 began, 8 gone, 6 through. 34% of the planned patient-days are behind.",
            "fig-fan: How many are gone, and how many will be\n",
            "fig-what-is-left: ",
            "fig-alarm: ",
            "fig-remaining: ",
            "fig-past: ",
            "## No list of patients\nAn order of those who are still in is not shown to be better than chance: at the "
            "same "
            "day in the trial a model that does not know the treatment points at the leaver 51 (40 to 62) times in a "
            "hundred.",
            "## Could it be told who?\n\nNo. On day 28 a model that does not know the treatment cannot be told from a "
            "coin toss. Nothing on this page is by arm.",
        ],
        [NO, DIFFER, TOLD, "hundreds of simulated ones", "How many will leave can be told", "fig-answer", PAY],
    ),
    "running, without a plan": (
        changed(
            projection={"p0": None}, power={"completers_planned": (), "power_planned": ()}, qtl={"of_this_trial": None}
        ),
        [
            PLACE["goes"] + "how many will leave?",
            "# Expect 131 of 254 patients to be gone by day 168\n",
            "who complete, and a power",
        ],
        ["planned dropout", "The alarm", "fig-alarm", NO],
    ),
    **{
        f"running, {word}": (worded(word), [f"# {begin}: expect 131 of 254"], [NO])
        for word, begin in {
            "probably exceeds": "Probably not",
            "cannot tell yet": "That cannot be told yet",
            "probably within": "Probably",
            "within the plan": "Yes. It stays within its plan",
        }.items()
    },
    "running, rang": (
        changed(qtl={"of_this_trial": {"rang": "2013-07-01", "rings_at": 53}}),
        ["The alarm rang on 2013\\-07\\-01."],
        ["would have rung it"],
    ),
    "running, rings at no number": (
        changed(qtl={"of_this_trial": {"rang": None, "rings_at": None}}),
        ["over all looks, has not rung."],
        ["would have rung it"],
    ),
    "running, no effect planned": (changed(power={"power": ()}), ["not the 153 of the plan."], ["a power of"]),
    "running, leaving counts": (
        changed(projection={"counts": "leaving"}),
        ["are gone, 51 are still in."],
        ["(left, or"],
    ),
    "running with one arm": (
        lambda facts: (one_arm(facts), facts[RUN]["states"].update(ongoing=51)),
        [RUNS, "No. On day 28 a model cannot be told from a coin toss.\n"],
        ["Nothing on this page is by arm"],
    ),
    "running, no dates": (
        changed(calendar=False, since=None, subjects_remaining=[], backtest={"rows": []}),
        ["Trial of \\*something\\*, running: will it", "fig-what-is-left: "],
        ["Since 2013", "fig-fan", "fig-remaining", "fig-past", NO],
    ),
    "running, too few to project": (
        changed(projection=None),
        ["who left, and could it be told early?"],
        ["How many will leave can be told", "fig-fan"],
    ),
    "running, a model orders": (
        changed(order={"separates": True}),
        ["## A model says more than time in the trial\nAt the same day in the trial it points at the leaver 51 (40 to"],
        ["## No list", NO],
    ),
    "running, no landmark": (
        changed(order={"day": None}),
        ["## No list of patients\nToo few have left after a landmark for a model that orders those who are still in."],
        ["An order of those"],
    ),
    "own trial": (
        own,
        [
            "Trial of \\*something\\*: who left, and could it be told early?",
            "254 patients took part, and 117 were still in the trial on day 168.\n",
            "One trial: with 107",
            "In trials simulated on the design of the CDISC pilot the",
            "## [The chapters](#chapters)",
            "[What was understood](#tbl-trial-definitions)",
            "How your data were read",
            "lifts 58 of a hundred to 99. We treat 75 and more as a leak until shown otherwise.",
        ],
        [
            "hundreds of simulated ones",
            "Some rules were changed",
            "One disease",
            CLAIMS,
            "(#study)",
            "(#tbl-ledger)",
        ],
    ),
    "one arm": (
        one_arm,
        [
            "# No. On day 28 a model cannot be told from a coin toss\n",
            "(45% to 50%) is the model shown to find more leavers, net of vain contacts, than contacting everybody or",
            "anything from 41 to 63 in a hundred fits the model;",
            "fig-who-left: By day 168, 117 of 254 patients were still in the trial\n",
            f"{PAY}No way of choosing whom to contact is shown to find more",
        ],
        [NO, TOLD, "blinded", DIFFER],
    ),
    "one arm, better": (
        one_arm_seen,
        ["Only in part. On day 28 a model does better than a coin toss, but contacting patients by it is not shown"],
        [NO, TOLD, "blinded", "Knowing the treatment"],
    ),
    "one arm, pays": (
        one_arm_pays,
        [
            "Yes. On day 28 a model ranks leavers before stayers, and contacting by it is shown to pay\n",
            "risk is at least 30%, and up to a threshold of 40%, finds",
            f"{PAY}Contacting by the model finds more within the green range",
        ],
        [NO, "blinded", "## This trial gives no reason"],
    ),
    "none fitted": (
        none_fitted,
        [
            "Too few left this trial after a landmark to tell who will\n",
            "254 patients took part; 117 were still in the trial on day 168. A model needs more leavers",
        ],
        [
            NO,
            "Of 229 patients",
            "fig-answer",
            PAY,
            "as a leak until shown",
            "in a hundred",
            "Look at side effects",
        ],
    ),
    "own trial, none fitted": (
        own_none_fitted,
        ["Too few left this trial", "117 were still in the trial on day 168. A model"],
        ["took part, and", "fig-answer", PAY, CLAIMS],
    ),
    "running, nobody through yet": (
        none_fitted_enough,
        [
            "# Not yet. Too few have been followed to day 168 to tell who will leave\n",
            "254 patients took part; 137 have left, and 117 have not been followed to day 168. A model has to see",
            "fig-who-left: The arms differ in how many leave\n",
        ],
        [NO, "# Too few left", "A model needs more leavers", "117 were still in"],
    ),
    "running, few left": (none_fitted_few, ["Too few left this trial"], ["# Not yet"]),
    "running": (
        running,
        [
            "117 were still in the trial on day 168; 40 have not been followed that far.\n",
            "as dropout here; 35 have not been followed that far, and 48% are estimated to leave for such a reason.\n",
            "fig-who-left: The arms differ in how many leave\n",
        ],
        [DIFFER, "as dropout here.\n"],
    ),
    "running, arms alike": (running_alike, ["fig-who-left: No difference between the arms is shown\n"], [DIFFER]),
    "running, arms not judged": (running_not_judged, ["fig-who-left: No difference between the arms"], [DIFFER]),
    "running, one arm": (
        running_one_arm,
        ["fig-who-left: By day 168, 137 of 254 patients had left, and 40 have not been followed that far\n"],
        ["patients were still in the trial\n"],
    ),
    "blinded better": (
        blinded_better,
        [
            "Only in part. On day 28 a model does better than a coin toss, but contacting patients by it is not",
            "Knowing the treatment is not needed for that.",
        ],
        [NO, TOLD],
    ),
    "blinded pays": (
        blinded_pays,
        [
            "Yes. On day 28 a model ranks leavers before stayers, and contacting by it is shown to pay\n",
            "## Contacting by risk pays, within limits\nContacting those whose risk is at least 20%, and up to a "
            "threshold of 35%, finds more leavers for the effort than contacting everybody or nobody.",
            f"{PAY}Contacting by the blinded model finds more within the green range",
        ],
        [NO, "## This trial gives no reason", NEVER],
    ),
    "open": (
        wide_open,
        ["Not settled. With 107 leavers after day 28 a model may be worth much or no more than a coin toss\n"],
        [NO, WIDTH],
    ),
    "better, and wide": (
        better_and_wide,
        ["Only in part. On day 28 a model does better than a coin toss, but"],
        [NO],
    ),
    "told, no better": (told_no_better, [], [TOLD]),
    "few on a side": (
        few_on_a_side,
        ["Too few patients lie on either side of any threshold to judge whether the blinded model finds more leavers"],
        [NEVER],
    ),
    "one arm, few on a side": (
        one_arm_few,
        ["any threshold to judge whether the model finds more leavers than contacting everybody or nobody."],
        [NEVER, "blinded"],
    ),
    "nothing pays": (
        nothing_pays,
        [f"{PAY}No way of choosing whom to contact is shown to find more"],
        [f"{PAY}Only knowing"],
    ),
    "no model of the arm": (
        no_arm_model,
        [f"{PAY}No way of choosing whom to contact is shown to find more"],
        [f"{PAY}Only knowing"],
    ),
    "no leak": (no_leak, [], ["## Ask on which day each number was known", "*visit number*", "as a leak until shown"]),
    "the gate fails": (gate_fails, ["## How many will leave can be told in part\n"], ["within limits\n"]),
    "worth it": (worth_it, ["## Calls to keep patients are shown to be worth their cost\n"], ["## No call to keep"]),
    "side effects": (
        side_effects,
        ["## Look at side effects first\n89 of 254 patients had left for an adverse event by day 168, more than for"],
        ["## No call to keep", "Ask why patients withdraw", "Begin with the largest"],
    ),
    "withdrawals": (
        withdrawals,
        ["## Ask why patients withdraw\n90 of 254 patients had withdrawn by day 168, more than left for any"],
        ["## Look at side effects first", "adverse event"],
    ),
    "others": (
        others,
        ['## Begin with the largest reason\n91 of 254 patients had left by day 168 for the reason group "other", the'],
        ["## Look at side effects first"],
    ),
    "arms by little": (arms_by_little, ["fig-who-left: The arms differ by less than would matter\n"], [DIFFER]),
    "arms alike": (arms_alike, ["fig-who-left: No difference between the arms is shown\n"], [DIFFER]),
    "arms not judged": (arms_not_judged, ["fig-who-left: No difference between the arms is shown\n"], [DIFFER]),
}
AS_IT_IS = [
    "Asked of one real trial (254 patients, Alzheimer's disease) and of hundreds of simulated ones",
    NO,
    "Of 229 patients still in on day 28, 112 left by day 168, 107 of them for a reason that counts",
    TOLD,
    "## This trial gives no reason to pay for a risk score\n",
    NEVER,
    "## How many will leave can be told, within limits\nOn 2013\\-06\\-01 49 of 124 patients were gone. From that, "
    "131 of 254 were expected to leave (107 to 157, 90% interval); 137 did. In 25 such months 24 intervals held what "
    "came; they share patients.",
    "## No call to keep patients is shown to be worth its cost\nOf 229 patients on day 28, 22 leave for a reason "
    "that a call can touch. By the effect of two randomised contacts in other diseases, shrunk towards none, calling "
    "everybody lets 0.6 (−1.0 to 2.0) more of a hundred complete; knowing whom to call could save 91 of a hundred "
    "calls.",
    "One mistake, *visit number*, lifts 58 of a hundred to 99.",
    DIFFER,
    f"{PAY}Only knowing the treatment is shown to find more, in a narrow range",
    f"One trial, one disease: {WIDTH} In trials simulated on its design the full model's intervals held the truth",
    "Some rules were changed after results had been seen; [each change](#tbl-amendments)",
    "23 rules entered after the chapters had been run; of the other 54 claims 9 hold.",
    "in 97.6% of cases without a signal and in 96.5% with one.",
    CLAIMS,
    "16 reproduced, 1 supported, 3 direction only, 34 not supported, 15 impossible, 8 not testable",
    "## [The study, in thirty minutes](#study)",
    "[Your own trial](#ch-06)",
]


@functools.cache
def compiled():
    """The front's template."""
    return front_environment().from_string(SOURCE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """The front page's text over the facts as a case turns them, from the file or a template."""
    folder = tmp_path_factory.mktemp("front")
    (folder / "notebooks").mkdir()

    @functools.cache
    def page(turn):
        facts = copy.deepcopy(STUDY)
        turn(facts)
        for name, part in facts.items():
            (folder / f"{name}.json").write_text(json.dumps(part), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(project, "notebooks", lambda: folder / "notebooks")
            return pages.Pages(list(facts), folder, PARAMS)

    def said(turn=as_it_is, template=None):
        page(turn).parts.clear()
        return text(page(turn), (template or compiled()).render(page(turn).context))

    return said


def text(page, filled):
    """What the page says, with bars and titles of figures and without links to numbers."""
    for place, part in enumerate(page.parts):
        told = ""
        if part.kind == "shown":
            told = f"{part.content['id']}: {part.content['title']}\n"
        elif part.kind == "bar":
            told = ", ".join(f"{n} {words}" for n, _, words, _ in part.content["parts"])
        filled = filled.replace(f"\x02{place}\x03", told)
    return re.sub(r"\[([^][]*)\]\(#n-\d+\)", r"\1", filled)


def test_the_study_as_it_is(front):
    said = front()
    assert [words for words in AS_IT_IS if words not in said] == []


@pytest.mark.parametrize("name", CASES)
def test_words_turn_with_the_results(front, name):
    turn, now, before = CASES[name]
    unchanged, turned = front(), front(turn)
    assert unchanged != turned
    assert [words for words in now if words not in turned] == []
    assert [words for words in now if words in unchanged] == []
    assert [words for words in before if words in turned] == []


def test_who_competes_is_no_reason_to_act_on(front):
    assert front(competing) == front(own)


@pytest.mark.slow
def test_every_condition_is_held_by_a_case(front):
    cases = [as_it_is, competing, one_to_come, *(turn for turn, _, _ in CASES.values())]
    assert turns.free_conditions(front_environment(), SOURCE.read_text(encoding="utf-8"), front, cases) == []


@functools.cache
def front_environment():
    """That of the pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "notebooks", lambda: paths.ROOT / "nowhere")
        return pages.Pages([], paths.ROOT, {}).environment


def test_no_digit_is_typed():
    """But one half as times in a hundred, and the address of a chapter."""
    tree = front_environment().parse(SOURCE.read_text(encoding="utf-8"))
    data = [re.sub(r"50 is a coin|\(#ch-06\)", "", node.data) for node in tree.find_all(nodes.TemplateData)]
    assert [words for words in data if re.search(r"\d", words)] == []


def test_nothing_on_the_front_is_computed_there():
    tree = front_environment().parse(SOURCE.read_text(encoding="utf-8"))
    computed = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Concat)
    assert not list(tree.find_all(computed))
