"""The study says what the results say: its words turn with them, its numbers come from them."""

import copy
import functools
import json
import re

import jinja2
import pytest
from jinja2 import nodes

from attrition import params, paths
from notebook_report import pages, project
from tests.words import turns

SOURCE = paths.NOTEBOOKS / "pages" / "study.md"
RESULTS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((paths.ROOT / "reports" / "results").glob("*.json"))
}
REAL, TIME, FITS = "06_real_trial", "07_time_to_dropout", "04_modelling"
STEPS, WORTH, WATCH, FOUND = "03_feature_ablation", "05_evaluation", "08_monitoring", "00_findings"
RUN, KEPT = "09_running_trial", "10_worth"
PILOT, LEDGER = "findings.finding-pilot.", "findings.finding-ledger."
NAMED = re.compile(r"\]\(#[\w-]*\)|\[(?:@\w+(?:; )?)+\]|\b95 %|\b[A-Za-z]+[\d+]+(?:\([A-Z]\d\))?|\\\[.*?\\\]")


def changed(changes):
    """A copy of the results with other values at ``chapter: dotted.path``; a slash stands for a dot in a key."""
    touched = {place.partition(": ")[0] for place in changes}
    made = RESULTS | {chapter: copy.deepcopy(RESULTS[chapter]) for chapter in touched}
    for place, value in changes.items():
        chapter, _, dotted = place.partition(": ")
        *folders, last = dotted.split(".")
        inner = functools.reduce(
            lambda part, key: part[int(key) if isinstance(part, list) else key], folders, made[chapter]
        )
        assert last in inner, place
        inner[last] = value
    return made


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Make pages over the given changes: the study alone, without the report's other pages."""
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "pages").mkdir()
    (folder / "references.yaml").write_bytes((paths.NOTEBOOKS / "references.yaml").read_bytes())

    as_they_are = {name: pages.traced(values, f"{name}: ") for name, values in RESULTS.items()}

    def traced(name, values):
        return as_they_are[name] if values[name] is RESULTS[name] else pages.traced(values[name], f"{name}: ")

    @functools.cache
    def made(frozen):
        patch = pytest.MonkeyPatch()
        patch.setattr(project, "notebooks", lambda: folder)
        values = changed(dict(CASES[frozen][0]) if frozen else {})
        patch.setattr(pages, "_results", lambda names, folder: {name: traced(name, values) for name in values})
        found = pages.Pages(
            [], folder, {n: vars(part) if hasattr(part, "__dict__") else part for n, part in SECTIONS.items()}
        )
        patch.undo()
        return found

    return made


SECTIONS = params.read("full")


CODE = []  # of the study's template: the same for the pages of all results, as their filters have the same names


@functools.cache
def compiled(environment):
    """The study's template."""
    CODE[:] = CODE or [environment.compile(SOURCE.read_text(encoding="utf-8"))]
    return environment.template_class.from_code(environment, CODE[0], environment.make_globals(None))


def text(page, template=None):
    """What the page says, with titles of figures and without links; numbers keep their digits."""
    page.parts.clear()
    filled = (template or compiled(page.environment)).render(page.context)
    shown = [f"{part.content['id']}: {part.content['title']}" for part in page.parts if part.kind == "shown"]
    plain = re.sub(r"\[([^][]*)\]\(#n-\d+\)", r"\1", filled)
    return "\n".join([plain, *shown])


SILENT = {f"{REAL}: conclusions.finding-real-honest": "not supported"}
SEEING = {f"{FOUND}: {PILOT}blinded_better": True}
ADDING = {f"{REAL}: conclusions.finding-real-arm": "supported"}
ARMS_ALIKE = {f"{TIME}: conclusions.arms.verdict": "not supported"}
UNJUDGED = {"judged_low": None, "judged_high": None}
NOWHERE = {"low": None, "high": None, "n": 0}


def decisions(model, **values):
    return {f"{REAL}: decisions.{model}.{name}": value for name, value in values.items()}


# Changes of the results, what must then be said, what must no longer be said (and is said without the changes).
CASES = {
    "no signal": (
        SILENT,
        ["it is not shown that leavers can be told", "That is no evidence of a signal.", "nothing follows from this"],
        ["the answer is sobering", "So there is a signal.", "a tool and none", "This explains the section before"],
    ),
    "not blind": (
        SEEING,
        [
            "also without the treatment arm",
            "could use still ranks better than chance",
            "*Test the score without the arm",
        ],
        ["the answer is sobering", ", which cannot be told from chance", "*Deploy no dropout score", "says more than"],
    ),
    "more than the arm": (
        ADDING,
        ["what else was known adds to the treatment arm.", "At one landmark or more the other columns"],
        ["At no landmark are the other columns", "Whoever knows the arm is not shown to gain"],
    ),
    "arms alike": (
        ARMS_ALIKE,
        ["it is not shown to reach the"],
        ["it exceeds", "On either dose patients leave sooner", "This explains the section before"],
    ),
    "censored": (
        {f"{REAL}: flow.censored": 3},
        ["The follow-up of three patients ended", "sets the two side by side"],
        ["nothing rests on assumptions about censoring", "With nobody censored"],
    ),
    "fewer left": (
        {f"{REAL}: flow.discontinued_by_horizon": 90},
        ["90 had left"],
        ["More patients left by the horizon than stayed"],
    ),
    "last doses": (
        {f"{REAL}: landmarks.28.off_treatment.primary": 5},
        ["; 5 of these went on"],
        ["every one of them went on"],
    ),
    "above one half": (
        {f"{REAL}: landmarks.56.auroc.all_without_arm": {"value": 0.55, "ci_low": 0.4, "ci_high": 0.7}},
        ["0.55 (0.40 to 0.70)"],
        ["no knowledge turned upside down"],
    ),
    "XGBoost better": ({f"{REAL}: landmarks.28.difference.xgb_less_all.ci_low": 0.01}, ["Some other learners do"], []),
    "LightGBM better": (
        {f"{REAL}: landmarks.28.difference.lgbm_less_all.ci_low": 0.01},
        ["Some other learners do"],
        [],
    ),
    "Cox better": (
        {f"{REAL}: landmarks.28.difference.cox_less_all.ci_low": 0.01},
        ["Some other learners do better."],
        ["Other learners are not shown"],
    ),
    "null covers less": ({f"{REAL}: interval.coverage_null": 0.9}, ["90.0%"], ["no less often than they promise"]),
    "signal covers less": ({f"{REAL}: interval.coverage_signal": 0.9}, ["90.0%"], ["no less often than they promise"]),
    "no mistake": (
        {f"{TIME}: conclusions.mistake.overstated": False},
        ["Here the two hardly differ"],
        ["It overstates the risks"],
    ),
    "hazards alike": (
        {f"{TIME}: conclusions.hazards.verdict": "not supported"},
        ["No cause-specific hazard ratio"],
        ["Which reason makes the difference?"],
    ),
    "more reasons, drifting": (
        {f"{TIME}: conclusions.hazards.others": False, f"{TIME}: conclusions.hazards.p": 0.001},
        ["find a ratio that changes over time"],
        ["For the other reasons no ratio", "find no ratio that changes"],
    ),
    "never pays": (
        decisions("all", **NOWHERE) | decisions("arm_only", **NOWHERE),
        [
            "is at no threshold shown to find more leavers, net, than",
            "this is shown at no threshold ([",
            "by the treatment arm alone is shown to win at no threshold",
        ],
        ["in part of the range", "Nobody should build a policy", "the very same window"],
    ),
    "nothing judged": (
        decisions("all", **NOWHERE, **UNJUDGED, best=None, best_at=None, best_low=None)
        | decisions("all_without_arm", **UNJUDGED),
        ["at no threshold."],
        ["Judged were those from", "By point estimate the advantage", "it could be judged from"],
    ),
    "pays once": (
        decisions("all", low=0.45, n=1) | decisions("all_without_arm", low=0.5, high=0.5),
        [
            "at the threshold 0.45 only",
            "rests on one threshold of",
            "wins from 0.425 to 0.45; it needs",
            "wins from 0.5 to 0.5.",
        ],
        ["at thresholds from 0.425", "the very same window", "it could be judged from 0.45"],
    ),
    "pays widely": (
        decisions("all", high=0.6, n=8, best_low=1.5),
        ["the lower end of its band is 1.5", "wins from 0.425 to 0.45; it needs"],
        ["and nothing is shown", "Nobody should build a policy"],
    ),
    "leaks": (
        {
            f"{REAL}: leaks.whole_follow_up_counts.ci_low": 0.02,
            f"{FOUND}: findings.finding-leaks.verdict": "not supported",
            f"{REAL}: leaks.visit_number_reached.leaky": 0.7,
        },
        ["counted over the whole follow-up add"],
        ["Not every leak pays", "Knowing too much makes a model", "One column with the wrong date"],
    ),
    "one order": (
        {f"{STEPS}: single_split.default.ordering.published_order": 0.8},
        ["80%"],
        ["A single split need not"],
    ),
    "engineering": (
        {f"{FOUND}: findings.finding-engineering.verdict": "supported"},
        [],
        ["The published gains are not found again"],
    ),
    "models as published": (
        {f"{FOUND}: findings.finding-models.verdict": "supported"},
        ["That is the published order."],
        ["The simple model leads"],
    ),
    "models in another order": (
        {f"{FOUND}: findings.finding-models.verdict": "not supported"},
        ["0.652). The published order is not confirmed."],
        ["The simple model leads"],
    ),
    "below the ceiling": (
        {f"{WORTH}: paired.lr_minus_oracle.auroc.ci_high": -0.001},
        ["it falls short of the ceiling"],
        ["cannot tell the two apart"],
    ),
    "one too extreme": (
        {f"{WORTH}: calibration.too_extreme": ["XGBoost"]},
        [],
        ["Both exaggerate", "The risks of the boosted trees"],
    ),
    "other too extreme": (
        {f"{WORTH}: calibration.too_extreme": ["LightGBM"]},
        [],
        ["Both exaggerate", "The risks of the boosted trees"],
    ),
    "balancing helps": (
        {f"{FITS}: imbalance.conclusion.n_helped": 4},
        ["of balancing, model and rate 4 raise the AUROC"],
        ["none raises the AUROC", "Balancing is not shown to help"],
    ),
    "balancing ruled out": ({f"{FITS}: imbalance.conclusion.n_open": 0}, [], ["in the others the trials are too few"]),
    "balancing harmless": (
        {f"{FITS}: imbalance.conclusion.worse": False, f"{FITS}: imbalance.conclusion.same": False},
        [],
        ["Balancing is not shown to help", "and leaves the probabilities alone"],
    ),
    "fewer false alarms": (
        {f"{WATCH}: seed_rule.alarm_rate.50": {"value": 0.95, "ci_low": 0.4, "ci_high": 0.99}},
        ["95% (40% to 99%)"],
        ["More patients make it surer", "Alarms without a null"],
    ),
    "a better cut-off": ({f"{WATCH}: psi_customary.alarm_rate.50.ci_low": 0.1}, [], ["Alarms without a null"]),
    "regression not higher": (
        {f"{FOUND}: {PILOT}attempts.0.claimed": 0.6},
        ["AUROCs of 0.60, 0.73"],
        ["All are higher than ours"],
    ),
    "forest not higher": (
        {f"{FOUND}: {PILOT}attempts.1.claimed": 0.4},
        ["of 0.73, 0.40, 0.76"],
        ["All are higher than ours"],
    ),
    "everybody is worth calling": (
        {f"{KEPT}: verdict.grade": "everybody"},
        ["A strategy is shown to be worth its cost ("],
        ["No strategy is shown to be worth its cost"],
    ),
    "a model before a study of the call": (
        {f"{KEPT}: evppi.value": 100.0},
        ["what a call does is worth 100. At this cost of a call the patients are worth knowing"],
        ["the effect is worth knowing before the patients"],
    ),
    "the gate holds": (
        {f"{RUN}: gate.verdict": "supported", f"{RUN}: gate.lowest.pit": 0.871},
        ["87.1% to", "), within the 85%"],
        ["not everywhere within the"],
    )
    if RESULTS[RUN]["gate"]["verdict"] != "supported"
    else (
        {f"{RUN}: gate.verdict": "not supported", f"{RUN}: gate.lowest.pit": 0.831},
        ["83.1% to", "not everywhere within the 85%"],
        ["), within the 85%"],
    ),
    "boosting not higher": (
        {f"{FOUND}: {PILOT}attempts.2.claimed": 0.5},
        ["of 0.73, 0.73, 0.50 in"],
        ["All are higher than ours"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_words_turn_with_the_results(study, name):
    _, now, before = CASES[name]
    as_it_is, turned = text(study("")), text(study(name))
    assert as_it_is != turned
    for words in now:
        assert words in turned
        assert words not in as_it_is
    for words in before:
        assert words in as_it_is
        assert words not in turned


@pytest.mark.slow
def test_every_condition_is_held_by_a_case(study):
    source, cases = SOURCE.read_text(encoding="utf-8"), ["", *CASES]
    free = turns.free_conditions(study("").environment, source, lambda name, made: text(study(name), made), cases)
    assert free == []


def at(place):
    chapter, _, dotted = place.partition(": ")
    return functools.reduce(lambda part, key: part[key], dotted.split("."), RESULTS[chapter])


SENTENCES = [
    (f"{REAL}: landmarks.28.auroc.all_without_arm.value", "without the treatment arm gets {:.0%} ("),
    (f"{REAL}: landmarks.28.auroc.arm_only.value", "The arm alone, with no other column, gets {:.0%} ("),
    (f"{REAL}: landmarks.28.difference.all_less_arm_only.value", "changes the AUROC by {:+.2f} ("),
    (f"{REAL}: landmarks.28.permutation_p.all.holm", "p of {:.3f} at four weeks"),
    (f"{REAL}: landmarks.84.permutation_p.all.holm", "and {:.3f} at twelve"),
    (f"{REAL}: interval.coverage_null", "in {:.1%} of the trials where nothing can be predicted"),
    (f"{TIME}: conclusions.mistake.wrong_sum", "adds up to {:.1%} of the patients where"),
    (f"{TIME}: cif.by_arm.Placebo.168.value", "{:.0%} (19% to 38%) of the placebo arm"),
    (f"{REAL}: decisions.all.best", "with {:.1f} more leavers found per hundred"),
    (f"{REAL}: leaks.visit_number_reached.honest", "turns {:.2f} into"),
    (f"{STEPS}: paired.default.v3_minus_v1.value", "the whole gain is {:+.3f} ("),
    (f"{FITS}: imbalance.p24.lr.class_weight.calibration_in_the_large.value", "to {:+.2f} ("),
    (f"{WATCH}: refits_on_wrong_inputs.200.last", "fits a model to them in {:.0%} of"),
    (f"{FOUND}: verdicts.impossible", "The remaining {} are impossible"),
    (f"{FOUND}: bounds.C38.least", "has an area of at least {:.2f} "),
]


@pytest.mark.parametrize(("place", "words"), SENTENCES)
def test_numbers_stand_in_their_sentences(study, place, words):
    expected = words.format(at(place)).replace("-", "\N{MINUS SIGN}")
    expected = expected.replace("%", "") if "gets" in words else expected
    assert text(study("")).count(expected) == 1


def test_no_digit_is_typed():
    tree = pages_environment().parse(SOURCE.read_text(encoding="utf-8"))
    for node in tree.find_all(nodes.TemplateData):
        assert not re.search(r"\d", NAMED.sub("", node.data)), node.data


def pages_environment():
    return jinja2.Environment(trim_blocks=True)


def test_the_study_can_be_read_in_half_an_hour(study):
    page = study("")
    said = text(page)
    plain = re.sub(r"\[(?:@\w+(?:; )?)+\]|\x02\d+\x03|[#*]", "", said[: said.rindex("fig-participant-flow: ")])
    shown = page.shown
    assert 4700 <= len(plain.split()) <= 5300
    assert 9 <= sum(id.startswith("fig-") for id in shown) <= 15
    assert 5 <= sum(id.startswith("tbl-") for id in shown) <= 7
    assert len(set(shown)) == len(shown)
    assert "  \n" not in said


def test_nothing_in_the_study_is_computed_there():
    tree = pages_environment().parse(SOURCE.read_text(encoding="utf-8"))
    computed = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Concat, nodes.Neg)
    assert not list(tree.find_all(computed))
