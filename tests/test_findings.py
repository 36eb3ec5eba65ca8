"""Facts of the front page: verdicts and grades follow the numbers; pages that repeat results are as committed."""

import contextlib
import copy
import doctest
import io
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import notebook_report as report
from attrition import __main__ as command
from attrition import findings, params, paths
from attrition.claims import rules
from attrition.plots import curves, diagrams
from notebook_report import results
from notebook_report.said import said
from tests.notebooks import cells

mpl.use("Agg")
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
        "arithmetic": rules.RULES[rule].arithmetic,
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
        "09_running_trial": {
            **{"as_at": "2013-06-01", "gone": 49, "states": {"enrolled": 124}, "came": 137},
            "projection": {"planned": {"n": 254, "gone": {"median": 131, "low": 107, "high": 157}}},
            "backtest": {"cuts": 25, "inside": 24},
            "gate": {"verdict": "supported", "lowest": {"pit": 0.88}, "highest": {"pit": 0.94}, "trials": 500},
        },
        "05_evaluation": {
            "decision": {
                **{"useful": ["lr"], "useless": [], "n_models": 3, "low": 0.35, "high": 0.75, "best": "LR"},
                **{"first": 0.45, "last": 0.75, "gain": 2.0, "at_least": 1.5, "at": 0.5, "won": [0.5], "lost": []},
                **{"smallest": 1.0, "verdict": "supported", "conclusions": {"lr": {"use": True}}},
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


def front(rows, found):
    return findings.front_page(findings.facts(rows, found, P), rows, found, P)


def test_how_many_is_judged_by_the_gate_of_the_simulation(found):
    run = found["09_running_trial"]
    for verdict in ("supported", "not supported"):
        one = findings.of_running(run | {"gate": run["gate"] | {"verdict": verdict}})
        assert one["verdict"] == verdict
    assert (one["came"], one["cuts"], one["inside"]) == (
        run["came"],
        run["backtest"]["cuts"],
        run["backtest"]["inside"],
    )
    assert one["expected"] == run["projection"]["planned"]["gone"]
    assert (one["least"], one["most"]) == (run["gate"]["lowest"]["pit"], run["gate"]["highest"]["pit"])


@pytest.mark.parametrize("module", [findings, curves])
def test_doctests(module):
    assert doctest.testmod(module).failed == 0


def test_every_sentence_fills_and_carries_evidence(rows, found):
    for name, one in front(rows, found).items():
        text = said(name.replace("-", "_"), one)
        assert not re.search(r"[{}]|nan|None", text)
        assert text.endswith(".")
        assert one["evidence"]
        assert one["verdict"] in rules.VERDICTS
        assert said(name.replace("finding-", "readme_"), one).endswith(".")
    facts = findings.facts(rows, found, P)
    for name in ("answer", "background", "methods", "main_results", "conclusions", "lesson", "cautions"):
        assert not re.search(r"[{}]|nan|None", said(name, facts))


@pytest.mark.parametrize(
    ("holding", "verdict"),
    [(6, "supported"), (5, "direction only"), (3, "direction only"), (2, "not supported"), (0, "not supported")],
)
def test_the_ledger_holds_by_its_counts(rows, holding, verdict):
    for i, each in enumerate(rows):
        each["verdict"] = ("reproduced", "supported")[i % 2] if i < holding else "impossible"
    found = findings.of_ledger(rows)
    assert (found["verdict"], found["holding"], found["n"], found["statements"]) == (verdict, holding, 10, 11)
    assert found["counts"]["impossible"] == 10 - holding


def test_claims_that_entered_late_are_counted_apart(rows):
    assert findings.of_ledger(rows)["n_late"] == 0
    rows[0]["entered"] = "2026-11-27"
    rows[1]["verdict"] = "reproduced"
    holding = sum(row["verdict"] in ("reproduced", "supported") for row in rows[1:])
    found = findings.of_ledger(rows)
    assert (found["n_first"], found["n_late"], found["holding_first"], found["impossible_first"]) == (9, 1, holding, 2)


@pytest.mark.parametrize("verdict", rules.VERDICTS)
def test_engineering_takes_the_verdict_of_the_effect_not_of_the_arithmetic(rows, verdict):
    rows[3]["statements"][1]["verdict"] = verdict
    found = findings.of_engineering(rows)
    assert (found["effect"], found["elsewhere"]) == (verdict, None)
    assert found["verdict"] == rules.worst([verdict, "not supported"])  # that of burden
    rows[4]["statements"][0]["verdict"] = rows[5]["verdict"] = "reproduced"
    assert findings.of_engineering(rows)["verdict"] == verdict
    assert (found["claimed"], found["burden_claimed"], found["place"], found["n"]) == (0.18, 0.042, 7, 9)
    assert (found["found"]["value"], found["burden"]["value"]) == (0.02, 0.0004)


def test_an_effect_carries_its_verdict_at_the_other_event_rate(rows):
    rows[3]["beside"] = {"verdict": "impossible", "verdicts": ["impossible", "not supported"]}
    assert findings.of_engineering(rows)["elsewhere"] == "not supported"


def test_models_are_compared_by_their_leads_and_with_the_true_probabilities(rows):
    part = rows[2]["statements"][0]
    part["leads"][1] |= {"measured": -0.01, "ci_low": -0.02, "ci_high": 0.0}
    part["steps"][1] |= {"published": 0.014, "measured": 0.001, "ci_low": None}
    found = findings.of_models(rows, {"value": 0.69}, 0.7)
    assert (found["lgbm"]["value"], found["xgb"]["value"], found["step"]) == (0.03, -0.01, 0.014)
    assert found["second"] == {"value": 0.001, "ci_low": 0.001, "ci_high": 0.04}
    assert found["share"] == pytest.approx(0.95)


def test_the_public_attempt_stands_with_its_own_test_figures_and_the_ledgers_verdict(rows, found):
    rows[8]["statements"].append(effect_part(0.2, 0.05) | {"label": "XGBoost"})
    found["06_real_trial"]["conclusions"]["finding-real-honest"] = "direction only"
    pilot = front(rows, found)["finding-pilot"]
    assert [one["claimed"] for one in pilot["attempts"]] == pytest.approx([0.733, 0.7])
    assert pilot["attempts"][1]["found"] == pytest.approx({"value": 0.55, "ci_low": 0.549, "ci_high": 0.551})
    assert pilot["tested"] == pytest.approx([0.627])
    assert pilot["attempt_verdict"] == "not supported"
    assert pilot["verdict"] == "direction only"  # of chapter 06, which answers the question


@pytest.mark.parametrize(("p", "better"), [(0.05, True), (0.051, False)])
def test_better_than_chance_is_what_the_permutation_test_says_whatever_the_interval(rows, found, p, better):
    at = found["06_real_trial"]["landmarks"]["28"]
    for moved, key in (("all", "better"), ("all_without_arm", "blinded_better")):
        at["permutation_p"] = dict.fromkeys(("all", "all_without_arm"), CHANCE) | {moved: {"raw": 0.001, "holm": p}}
        facts = findings.facts(rows, found, P)
        assert facts[key] == better
        assert facts["days_known" if moved == "all" else "days_blinded"] == ([28] if better else [])
        assert not facts["better" if key == "blinded_better" else "blinded_better"]


@pytest.mark.parametrize(
    ("difference", "half", "verdict", "harmful"),
    [(0.35, 0.1, "supported", 1), (0.03, 0.01, "direction only", 1), (0.35, 0.4, "not supported", 0)],
)
def test_leaks_follow_the_intervals(found, difference, half, verdict, harmful):
    leaks = found["06_real_trial"]["leaks"]
    ends = {"ci_low": difference - half, "ci_high": difference + half}
    leaks["whole_follow_up"] |= {"difference": difference, **ends}
    made = findings.of_leaks(leaks, P.smallest_difference_pilot)
    assert (made["verdict"], made["harmful"], made["n"], made["leaky"]) == (verdict, harmful, 2, 0.9)
    assert made["name"] == "whole follow up"


def test_the_worth_of_acting_is_that_of_the_real_trial_with_the_simulated_one_beside(rows, found):
    real = found["06_real_trial"]
    worth = front(rows, found)["finding-worth"]
    assert (worth["verdict"], worth["full"]["low"], worth["evidence"][0]) == (
        *("not supported", None),
        "fig-landmark-decisions",
    )
    real["conclusions"]["use"] = "not testable"
    assert front(rows, found)["finding-worth"]["evidence"] == ["fig-decision-gains", "tbl-decisions"]


@pytest.mark.parametrize(("adds", "expected"), [("direction only", True), ("supported", True), ("not settled", False)])
def test_facts_take_their_grades_from_the_real_trial(rows, found, adds, expected):
    real = found["06_real_trial"]
    real["conclusions"] |= {"use": "supported", "finding-real-arm": adds}
    real["decisions"]["arm_only"] = {"n": 2, "low": 0.4, "high": 0.5}
    real["landmarks"]["56"]["primary"] = 61
    facts = findings.facts(rows, found, P)
    assert (facts["pays"], facts["adds"], facts["arm"]["high"], facts["full"]["low"]) == (True, expected, 0.5, None)
    assert not facts["arm_is_better"]
    real["landmarks"][str(P.landmark)]["difference"]["all_less_arm_only"] = interval(-0.05, 0.049)
    assert findings.facts(rows, found, P)["arm_is_better"]
    assert (facts["honest"], facts["leaky"], facts["most_events"], facts["most_events_day"]) == (0.55, 0.9, 61, "56")


def test_the_ledger_is_told_by_what_differs_and_what_is_open(rows, found):
    rows[4]["beside"] = {"verdict": "supported"}
    rows[5]["verdict"] = "not settled"
    facts = findings.facts(rows, found, P)
    assert (facts["n_simulated"], facts["differ"], facts["open"]) == (1, ["C29"], ["C31"])
    assert facts["noise"]["ratio"] == pytest.approx(0.025 / (2**0.5 * 0.036))
    assert (facts["lowest"], facts["highest"]) == pytest.approx((0.627, 0.733))
    assert facts["excess"] == pytest.approx({"effect": 0.173})


def test_operating_points_have_a_row_each(rows, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    points = cells.run("00", "03", "21", rows=rows)["points"]
    assert points.loc[0, ["claim", "fpr", "least", "published"]].tolist() == ["C38", 0.107, 0.806, 0.643]
    assert said("operating_points", {"points": points}).startswith("All of the one published operating points need")


def test_flow_counts_add_up_and_are_drawn(found, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    made = cells.run("00", "03", "28", found=found)
    steps, table = made["steps"], made["flow"]
    assert steps[0]["n"] == steps[1]["n"] + steps[2]["n"]
    assert table.loc[table["study"] == "CDISC pilot", "n"].tolist() == [306, 254, 200, 200, 200]
    assert table["beside"].tolist() == [False, False, True] + 5 * [False]
    drawn = [text.get_text() for text in diagrams.flow(made["boxes"]).texts]
    assert "254 randomised" in drawn
    assert "107 primary events, 5 competing by week 24" in drawn


def test_the_ledger_shows_the_figures_found(rows, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    found = {row["id"]: said("figures_found", row) for row in rows}
    assert found["C28"] == "+0.020 (+0.019 to +0.021)"
    with report.capture() as outputs:
        report.ledger(pd.DataFrame(rows).assign(found=found.values()))
    assert len(outputs) == 1


def test_reasons_are_told_of_every_claim_and_of_what_arithmetic_settles():
    rows, _, _ = findings._judged()
    reasons = pd.Series([said("reason", row) for row in rows])
    assert reasons.str.fullmatch("[A-Z0-9].*[.]").all()
    assert not reasons.str.contains(r"\\|None|nan").any()
    (part,) = next(row for row in rows if row["id"] == "C35")["statements"]
    assert said("reason_of", part) == ("dropouts among the 200 test patients: 144 + 56 = 200, but it must be 48 or 105")


def test_a_figure_reproduced_up_to_the_noise_of_software_shows_both_readings():
    part = plain_part(0.643) | {"measured": 0.6467, "ci_low": None, "or_else": {"from a file": 0.6426}}
    assert said("figures_found", {"statements": [part]}) == "0.6467, from a file 0.6426"
    assert said("figures_found", {"statements": [part | {"measured": 0.6431}]}) == "0.643"
    assert said("figures_found", {"statements": [part | {"verdict": "not supported"}]}) == "0.6467"


def test_provenance_identifies_protocol_and_data(found, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    made = cells.run("00", "03", "33", found=found, seed=42, profile="full")["made"].set_index("name")
    assert made.loc["seed", "value"] == "42"
    assert made.loc["published trial (md5)", "value"] == "132b"
    assert re.fullmatch(r"[0-9a-f]{64}", made.loc["claim ledger (sha256)", "value"])
    assert made.loc["numpy", "value"] == np.__version__
    assert made.loc["numpy", "kind"] == "package"


def test_the_pages_are_as_the_committed_results_and_notebooks_have_them():
    assert results.renew(findings.pages(), check=True) == [], "run: python -m attrition readme"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the README whose findings were edited by hand."""
    path, copy = paths.ROOT / "README.md", tmp_path / "README.md"
    copy.write_text(path.read_text(encoding="utf-8").replace("- **", "- I think: **", 1), encoding="utf-8")
    monkeypatch.setattr(findings, "GENERATED", {copy: {"findings": findings.listed_findings}})
    return copy


@pytest.mark.slow
def test_an_edited_page_is_told_and_mended_and_the_rest_is_left_alone(copied, capsys):
    assert command.main(["readme", "--check"]) == 1
    assert "I think" in copied.read_text(encoding="utf-8")
    assert command.main(["readme"]) == 0
    assert command.main(["readme", "--check"]) == 0
    before, _, rest = (paths.ROOT / "README.md").read_text(encoding="utf-8").partition("<!-- findings: ")
    after = rest.partition("<!-- end of findings -->")[2]
    assert copied.read_text(encoding="utf-8").startswith(before)
    assert copied.read_text(encoding="utf-8").endswith(after)
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("README.md: not as in reports/results")
    assert told[1:] == ["README.md: brought up to date", "all up to date"]


def test_a_page_without_its_comments_is_refused(copied):
    copied.write_text("# Attrition\n", encoding="utf-8")
    with pytest.raises(ValueError, match="one pair of comments"):
        findings.pages()


def test_findings_turn_with_the_results(monkeypatch):
    before = findings.listed_findings()
    monkeypatch.setattr(findings, "front_page", lambda *given: {})
    assert findings.listed_findings() == ""
    assert [line.startswith("- **") and len(line.split()) < 50 for line in before.splitlines()] == [True] * 7


def test_readme_is_short_and_its_links_lead_somewhere():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    first = text.partition("## What came out")[0]
    assert len(first.split()) <= 250
    assert first.count("```") == 2
    for page in ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (paths.ROOT / "docs").glob("*.md"))):
        place = paths.ROOT / page
        for target in re.findall(r"\]\(([^)#\s]+)", place.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (place.parent / target).exists(), f"{page}: {target}"


def test_the_library_alone_does_what_the_readme_prints():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    lines, printed = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL).groups()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(lines, "README.md", "exec"), {})
    assert said.getvalue() == printed
    assert len([line for line in lines.splitlines() if line and "import" not in line]) <= 5
