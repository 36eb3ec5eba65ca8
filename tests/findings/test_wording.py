"""Sentences of the front page: their wording must follow their numbers, whichever way these fall."""

import copy
import doctest
import re

import matplotlib as mpl
import pandas as pd
import pytest

from attrition import claims, findings, params, report
from attrition.claims import rules
from attrition.findings import overview, paragraphs, wording
from attrition.plots import ledger as plots

mpl.use("Agg")
LEDGER = claims.load()
P = params.load("00_findings")


def interval(value, half=0.001, **more):
    return {"value": value, "ci_low": value - half, "ci_high": value + half, "mc_se": half / 2, **more}


def effect_part(published, value, half=0.001, verdict="supported", rule="direction_and_half"):
    found = interval(value, half)
    return {
        "rule": rule,
        "published": published,
        "measured": value,
        **{key: found[key] for key in ("ci_low", "ci_high", "mc_se")},
        "verdict": verdict,
        "reason": "a reason",
        "label": "effect",
        "margin": 0.01,
    }


def row(identifier, *parts, verdict=None, margin=0.01, beside=None):
    return {
        "id": identifier,
        "claim": f"claim {identifier}",
        "published": "0.1",
        "kind": "method",
        "estimand": "an estimand",
        "rule": "rule",
        "margin": margin,
        "reason": "A reason.",
        "verdict": verdict or rules.worst([part["verdict"] for part in parts]),
        "evidence": ["fig-x"],
        "beside": beside,
        "statements": list(parts),
    }


def plain_part(published, verdict="reproduced"):
    return effect_part(published, published, 0.01, verdict, "rounds_to") | {"decimals": 3}


CHANCE, TOLD = {"raw": 0.3, "holm": 0.6}, {"raw": 0.01, "holm": 0.03}
"""Permutation tests that a model fails and passes."""


@pytest.fixture
def rows():
    lead = {"published": 0.025, "measured": 0.03, "ci_low": 0.02, "ci_high": 0.04, "mc_se": 0.001}
    bound = {
        **effect_part(0.643, 0.806, verdict="impossible", rule="auc_bound"),
        **{"fpr": 0.107, "tpr": 0.72, "precision": 0.68, "least_auc": 0.648, "matrices": 0, "n": 200},
        "dropouts": 48,
    }
    return [
        row("C01", plain_part(0.643)),
        row("C10", plain_part(0.618, "not supported")),
        row(
            "C12",
            effect_part(0.025, 0.03, rule="order") | {"leads": [lead, dict(lead)], "steps": [dict(lead), dict(lead)]},
        ),
        row(
            "C28",
            effect_part(38, 34.6, verdict="impossible", rule="relative_change"),
            effect_part(0.18, 0.02, verdict="direction only"),
        ),
        row("C29", effect_part(0.042, 0.0004, verdict="not supported")),
        row("C31", effect_part(1, 0.0004, rule="rank_first") | {"place": 7, "values": dict.fromkeys("abcdefghi", 0)}),
        row("C38", bound),
        row("C42", effect_part(0.02, 0.036, verdict="not supported", rule="at_most")),
        row("C53", effect_part(0.233, 0.06, 0.07, "not supported"), beside=None),
        row("C54", effect_part(0.127, 0.06, 0.07, "not supported"), beside=None),
    ]


@pytest.fixture
def found():
    at = {
        "at_risk": 200,
        "primary": 60,
        "auroc": dict.fromkeys(("all", "all_without_arm", "arm_only"), interval(0.55, 0.08)),
        "permutation_p": dict.fromkeys(("all", "all_without_arm"), CHANCE),
        "difference": {"all_less_arm_only": interval(-0.01, 0.03)},
    }
    leak = {"honest": 0.55, "leaky": 0.9, "difference": 0.35, "ci_low": 0.2, "ci_high": 0.5}
    none = {"honest": 0.55, "leaky": 0.56, "difference": 0.01, "ci_low": -0.04, "ci_high": 0.06}
    return {
        "01_generation": {
            "oracle": {"default": {"auroc": {"value": 0.709}}},
            "published": {"n_patients": 1000, "n_dropouts": 525, "md5": "132b"},
        },
        "03_feature_ablation": {
            "models": {"default": {"lr": interval(0.69)}},
            "paired": {"default": {"burden": interval(0.0004, n_replicates=200)}},
        },
        "05_evaluation": {
            "decision": {
                **{"sentence": "{best} is worth {gain:.1f} leavers.", "verdict": "supported"},
                **{"best": "LR", "gain": 2.0, "conclusions": {"lr": {"use": True}}},
            }
        },
        "04_modelling": {"published_split": {"sizes": {"train_0": 380, "train_1": 420, "test_0": 95, "test_1": 105}}},
        "06_real_trial": {
            "conclusions": dict.fromkeys(("use", "finding-real-arm", "finding-real-honest"), "not supported"),
            "decisions": {"all": {"n": 0}, "arm_only": {"n": 0}},
            "flow": {
                **{
                    "screened": 306,
                    "screen_failures": 52,
                    "randomised": 254,
                    "primary": 107,
                    "discontinued_by_horizon": 112,
                },
                **{"deaths": 3, "sponsor": 2},
            },
            "landmarks": {day: copy.deepcopy(at) for day in ("28", "56", "84")},
            "leaks": {"whole_follow_up": leak, "whole_follow_up_counts": none},
        },
    }


def told(finding):
    return report.fill(finding.template, finding.values)


@pytest.mark.parametrize("module", [findings, overview, paragraphs, plots])
def test_doctests(module):
    assert doctest.testmod(module).failed == 0


def test_every_sentence_fills_and_carries_evidence(rows, found):
    front = paragraphs.front_page(rows, found, P)
    assert 3 <= len(front) <= 6
    for finding in front:
        text = told(finding)
        assert not re.search(r"[{}]|nan|None", text)
        assert text.endswith(".")
        assert finding.evidence
        assert finding.verdict in rules.VERDICTS
    for paragraph in [*paragraphs.abstract(rows, found, P), paragraphs.lesson(rows, found, P)]:
        assert not re.search(r"[{}]|nan|None", told(paragraph))


@pytest.mark.parametrize(
    ("holding", "verdict"), [(10, "supported"), (4, "direction only"), (1, "not supported"), (0, "not supported")]
)
def test_ledger_finding_follows_the_counts(rows, holding, verdict):
    for i, each in enumerate(rows):
        each["verdict"] = "reproduced" if i < holding else "impossible"
    finding = findings.ledger_finding(rows)
    assert finding.verdict == verdict
    held = {0: "none holds", 1: "one holds"}.get(holding, f"{holding} hold")
    said = told(finding)
    assert "10 published claims, 11 statements in all, about two trials and their models" in said
    assert f"*Found:* {held} (" in said
    assert ("impossible" in said) == (holding < 10)


@pytest.mark.parametrize(
    ("value", "half", "words"),
    [
        (0.0004, 0.001, "less than would matter"),
        (0.05, 0.001, "more than the smallest difference"),
        (-0.05, 0.001, "a loss that matters"),
        (0.01, 0.02, "too uncertain"),
    ],
)
def test_burden_is_worded_by_its_interval(rows, value, half, words):
    rows[4]["statements"][0] |= {"measured": value, "ci_low": value - half, "ci_high": value + half}
    assert words in told(findings.engineering_finding(rows))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.01, "less than half the size, and whether the effect reaches the 0.01 that matters is"),
        (0.09, "is not settled: a"),
    ],
)
def test_an_unsettled_effect_says_what_is_settled_about_it(value, words):
    assert words in findings.effect_words(effect_part(0.18, value, verdict="not settled"))


@pytest.mark.parametrize("verdict", rules.VERDICTS)
def test_engineering_takes_the_verdict_of_the_effect_not_of_the_arithmetic(rows, verdict):
    rows[3]["statements"][1]["verdict"] = verdict
    finding = findings.engineering_finding(rows)
    assert finding.verdict == rules.worst([verdict, "not supported"])  # that of burden
    rows[4]["statements"][0]["verdict"] = rows[5]["verdict"] = "reproduced"
    finding = findings.engineering_finding(rows)
    assert finding.verdict == verdict
    assert findings.effect_words(rows[3]["statements"][1]) in told(finding)


@pytest.mark.parametrize(
    ("measured", "words"), [(0.02, "less than half"), (0.4, "more than twice"), (-0.4, "more than")]
)
def test_an_effect_in_direction_only_says_on_which_side_of_the_claim_it_lies(measured, words):
    published = 0.18 if measured > 0 else -0.18
    said = findings.effect_words({"verdict": "direction only", "published": published, "measured": measured})
    assert f"right direction at {words}" in said


def test_models_sentence_turns_when_a_lead_is_lost(rows, found):
    lr = found["03_feature_ablation"]["models"]["default"]["lr"]
    before = told(findings.models_finding(rows, lr, 0.709))
    rows[2]["statements"][0]["leads"][1] |= {"measured": -0.01, "ci_low": -0.02, "ci_high": 0.0}
    after = told(findings.models_finding(rows, lr, 0.709))
    assert "ranks patients better than the boosted trees" in before
    assert "does not rank patients better" in after
    assert "91%" in before
    assert "does not hold" not in before
    rows[2]["statements"][0]["steps"][1] |= {"measured": -0.001, "ci_low": -0.002, "ci_high": 0.0}
    assert "LightGBM beats XGBoost does not hold" in told(findings.models_finding(rows, lr, 0.709))
    rows[2]["statements"][0]["steps"][1] |= {"published": 0.014, "measured": -0.0007, "ci_high": 0.0004}
    said = told(findings.models_finding(rows, lr, 0.709))
    assert "No difference between LightGBM and XGBoost is seen" in said
    assert "the claimed +0.014 is excluded" in said


@pytest.mark.parametrize(("spread", "wording"), [(0.036, "well inside"), (0.012, "at the edge of"), (0.002, "beyond")])
def test_split_noise_is_worded_by_its_size(rows, spread, wording):
    rows[7]["statements"][0]["measured"] = spread
    assert f"would be {wording} that noise" in told(findings.split_finding(rows))


def test_the_public_attempt_stands_with_its_own_test_figures_and_the_ledgers_verdict(rows, found):
    at = found["06_real_trial"]["landmarks"]["28"]
    finding = findings.pilot_finding(rows, at, 28, "direction only")
    assert "has 0.733 in cross-validation and 0.627 on its own test part" in told(finding)
    assert "known in time that is not supported (C53)" in told(finding)
    assert finding.verdict == "direction only"  # of chapter 06, which answers the question


@pytest.mark.parametrize(("p", "words"), [(0.05, "is better than chance"), (0.051, "cannot be told from chance")])
def test_pilot_sentence_follows_the_permutation_test_whatever_the_interval(rows, found, p, words):
    at = found["06_real_trial"]["landmarks"]["28"]
    for moved, other in (("all", "all_without_arm"), ("all_without_arm", "all")):
        at["permutation_p"] = {moved: {"raw": 0.001, "holm": p}, other: CHANCE}
        at["auroc"] = at["auroc"] | {other: interval(0.6, 0.05)}
        text = told(findings.pilot_finding(rows, at, 28, "supported"))
        assert text.count("cannot be told from chance") == 1 + (words != "is better than chance")
        assert words in text


@pytest.mark.parametrize(
    ("difference", "half", "verdict", "words"),
    [
        (0.35, 0.1, "supported", "raises the AUROC with an interval above zero; the largest gain"),
        (0.03, 0.01, "direction only", "raises the AUROC with an interval above zero; the largest gain"),
        (0.35, 0.4, "not supported", "none raises the AUROC with an interval above zero"),
    ],
)
def test_leak_finding_follows_the_intervals(found, difference, half, verdict, words):
    leaks = found["06_real_trial"]["leaks"]
    ends = {"ci_low": difference - half, "ci_high": difference + half}
    leaks["whole_follow_up"] |= {"difference": difference, **ends}
    finding = findings.leak_finding(leaks, P.smallest_difference_pilot, ("fig-leaks",))
    assert finding.verdict == verdict
    assert words in told(finding)


def test_conclusion_turns_with_the_landmarks_and_the_decision(rows, found):
    real = found["06_real_trial"]
    assert "are at no landmark shown to be told from stayers better than by chance. Such predictions should" in told(
        paragraphs.abstract(rows, found, P)[-1]
    )
    real["landmarks"]["56"]["permutation_p"] = {"all": TOLD, "all_without_arm": CHANCE}
    assert "at day 56, but without the treatment arm that is shown at no landmark" in told(
        paragraphs.abstract(rows, found, P)[-1]
    )
    real["landmarks"]["56"]["permutation_p"] = {"all": TOLD, "all_without_arm": TOLD}
    real["conclusions"]["use"], real["decisions"]["all"] = "supported", {"n": 2, "low": 0.4, "high": 0.5}
    after = told(paragraphs.abstract(rows, found, P)[-1])
    assert "at day 56, with or without the arm" in after
    assert "Acting on such predictions is shown to pay at thresholds from 0.4 to 0.5 only." in after


@pytest.mark.parametrize(
    ("known", "blinded", "adds", "use", "words"),
    [
        (False, False, False, False, "Not shown better than by chance, nor to be worth acting on."),
        (False, False, False, True, "Not shown better than by chance, yet acting on it is shown to pay at thresholds"),
        (
            True,
            False,
            False,
            False,
            "Shown only with the treatment arm, to which nothing is shown to add; acting on it is not",
        ),
        (
            True,
            False,
            False,
            True,
            "Shown only with the treatment arm, to which nothing is shown to add; acting on it is shown",
        ),
        (
            True,
            False,
            True,
            True,
            "Shown only with the treatment arm; acting on it is shown to pay at thresholds from 0.4",
        ),
        (True, True, True, False, "Better than by chance, but not shown to be worth acting on."),
        (
            True,
            True,
            False,
            True,
            "Better than by chance, and acting on it is shown to pay at thresholds from 0.4 to 0.5 only.",
        ),
    ],
)
def test_answer_begins_with_what_the_real_trial_shows(rows, found, known, blinded, adds, use, words):
    real = found["06_real_trial"]
    tests = {"all": TOLD if known else CHANCE, "all_without_arm": TOLD if blinded else CHANCE}
    real["landmarks"][str(P.landmark)]["permutation_p"] = tests
    verdicts = {True: "direction only", False: "not supported"}
    real["decisions"]["all"] = {"n": 2, "low": 0.4, "high": 0.5}
    real["conclusions"] |= {"use": "supported" if use else "not supported", "finding-real-arm": verdicts[adds]}
    assert told(paragraphs.answer(rows, found, P)).startswith(f"**{words}")


def test_settings_sentence_names_what_differs(rows):
    assert "same verdict" in paragraphs.settings_words(rows)[0]
    rows[4]["beside"] = {"verdict": "supported"}
    template, values = paragraphs.settings_words(rows)
    assert report.fill(template, values).endswith("other event rate: C29.")


def test_a_verdict_on_the_front_page_says_what_it_is_at_the_other_event_rate(rows):
    assert "other event rate" not in wording.engineering_finding(rows).template
    rows[3]["beside"] = {"verdict": "impossible", "verdicts": ["impossible", "not supported"]}
    assert "At the other event rate it is *not supported*." in wording.engineering_finding(rows).template


def test_the_arm_alone_is_named_where_it_pays_and_called_better_only_where_that_is_shown(rows, found):
    real = found["06_real_trial"]
    assert "arm alone" not in told(paragraphs.lesson(rows, found, P))
    real["decisions"]["arm_only"] = {"n": 2, "low": 0.4, "high": 0.5}
    said = told(paragraphs.lesson(rows, found, P))
    assert "contacting by the arm alone pays at thresholds from 0.4 to 0.5, needs no model, and nothing" in said
    assert "ranks patients better than the model" not in said
    assert "beats both at thresholds from 0.4 to 0.5" in told(paragraphs.answer(rows, found, P))
    worth = next(one for one in paragraphs.front_page(rows, found, P) if one.id == "finding-worth")
    assert "beats both at thresholds from 0.4 to 0.5" in worth.template
    real["landmarks"][str(P.landmark)]["difference"]["all_less_arm_only"] = interval(-0.05, 0.049)
    assert "The arm alone ranks patients better than the model." in told(paragraphs.lesson(rows, found, P))
    real["conclusions"]["finding-real-arm"] = "supported"
    assert "the arm alone pays at thresholds from 0.4 to 0.5. The" in told(paragraphs.lesson(rows, found, P))


def test_unsettled_verdicts_are_named(rows):
    assert paragraphs.unsettled_words(rows)[0].startswith("Every verdict is settled")
    rows[4]["verdict"] = "not settled"
    template, values = paragraphs.unsettled_words(rows)
    assert report.fill(template, values).endswith("the verdict is *not settled*: C29.")
    assert "1 is not settled" in told(findings.ledger_finding(rows))


@pytest.mark.parametrize(
    ("ours", "low", "words"),
    [
        (0.05, -0.04, r"same kind of model by \+0\.183 \(LR\)"),
        (0.05, -0.04, "over the whole follow-up is not shown to explain it"),
        (0.05, -0.04, r"with most events \(day 28\)"),
        (0.05, 0.005, "over the whole follow-up explains a part of it"),
        (0.24, -0.04, "not above those found here"),
    ],
)
def test_the_public_attempt_is_worded_by_its_excess_and_the_price_of_its_leak(rows, found, ours, low, words):
    real = found["06_real_trial"]
    rows[8]["statements"][0] |= {"measured": ours, "label": "LR"}
    real["leaks"]["whole_follow_up_counts"]["ci_low"] = low
    template, values = paragraphs.attempt_words(rows, found, 28)
    said = report.fill(template, values)
    assert "all 254 randomised patients" in said
    assert "Its figures, 0.627 to 0.733" in said
    assert re.search(words, said)


def test_bounds_sentence_names_what_no_matrix_fits(rows):
    points = overview.point_table(rows)
    assert points.loc[0, ["fpr", "least", "published"]].tolist() == [0.107, 0.806, 0.643]
    template, values = paragraphs.bounds_words(points)
    assert "For C38 no confusion matrix of 200 patients with 48 dropouts" in report.fill(template, values)
    template, values = paragraphs.bounds_words(points.assign(matrices=2))
    assert "no confusion matrix" not in template


def test_cautions_and_lesson_quote_results(rows, found):
    template, values = paragraphs.cautions(rows, found, P)
    text = report.fill(template, values)
    assert "0.709" in text
    assert "60 events" in text
    assert "Some of the published claims" in told(paragraphs.lesson(rows, found, P))


def test_flow_counts_add_up_and_are_drawn(found):
    columns = overview.flow_columns(found)
    simulated = columns["Simulated trial"]
    assert simulated[0].n == simulated[1].n + simulated[2].n
    table = overview.flow_table(columns)
    assert table.loc[table["study"] == "CDISC pilot", "n"].tolist() == [306, 254, 200, 200, 200]
    drawn = [text.get_text() for text in plots.flow(columns).texts]
    assert "254 randomised" in drawn
    assert "107 primary events, 5 competing by week 24" in drawn
    template, values = paragraphs.flow_words(columns)
    assert report.fill(template, values).startswith("Of 254 randomised patients 200 are still in at day 84")


def test_operating_points_are_drawn_where_they_are():
    points = pd.DataFrame({"claim": ["C38"], "fpr": [0.1], "tpr": [0.7], "published": [0.643], "least": [0.8]})
    lines = plots.operating_points(points).get_lines()
    assert [line.get_xydata()[0].tolist() for line in lines if line.get_marker() == "o"] == [[0.1, 0.7]]


def test_ledger_table_is_what_the_report_takes(rows, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    table = overview.ledger_table(rows)
    assert list(table) == ["id", "claim", "published", "found", "verdict", "evidence"]
    assert table.set_index("id").loc["C28", "found"] == "+0.020 (+0.019 to +0.021)"
    with report.capture() as outputs:
        report.ledger(table)
    assert len(outputs) == 1
    assert overview.arithmetic_table(rows)["id"].tolist() == ["C28", "C38"]
    assert len(overview.reasons_table(rows)) == len(rows)
    assert overview.verdict_counts(rows)["all"].sum() == len(rows)


def test_a_figure_reproduced_up_to_the_noise_of_software_shows_both_readings():
    part = plain_part(0.643) | {"measured": 0.6467, "ci_low": None, "or_else": {"from a file": 0.6426}}
    assert overview.found_text({"statements": [part]}) == "0.6467, from a file 0.6426"
    assert overview.found_text({"statements": [part | {"measured": 0.6431}]}) == "0.643"
    assert overview.found_text({"statements": [part | {"verdict": "not supported"}]}) == "0.6467"


def test_checksums_identify_protocol_and_data(found):
    sums = overview.checksums(found)
    assert sums["published trial (md5)"] == "132b"
    assert re.fullmatch(r"[0-9a-f]{64}", sums["claim ledger (sha256)"])


def test_claims_that_entered_late_are_counted_apart(rows):
    assert "older than the results" not in told(findings.ledger_finding(rows))
    rows[0]["entered"] = "2026-11-27"
    rows[1]["verdict"] = "reproduced"
    holding = sum(row["verdict"] in ("reproduced", "supported") for row in rows[1:])
    said = told(findings.ledger_finding(rows))
    assert f"Of the 9 claims whose rules are older than the results, {holding} hold and 2 are impossible" in said
    assert "the other 1 entered" in said


def test_abstract_gives_all_who_discontinued_and_the_primary_ones(rows, found):
    said = told(paragraphs.abstract(rows, found, P)[1])
    assert "112 discontinued by week 24, 107 of them by the primary definition" in said
