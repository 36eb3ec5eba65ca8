"""The ledger against a second implementation of its rules, and against numbers changed on purpose."""

import copy
import csv
import datetime
import doctest
import io
import itertools
import json
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.model_selection import StratifiedKFold

import notebook_report as report
from attrition import claims, findings, paths
from attrition.claims import arithmetic, rules
from attrition.studies import published
from notebook_report import results, sources
from notebook_report.said import said
from tests.notebooks import cells

LEDGER = claims.load()
WRITTEN = {name: claims.section(name) for name in ("claims", "amendments")}
PRINTED = yaml.safe_load(paths.CLAIMS.read_text(encoding="utf-8"))["printed"]
RAW = {entry["id"]: entry for entry in WRITTEN["claims"]}
ORDER = {
    "reproduced": 0,
    "supported": 1,
    "not testable": 2,
    "not settled": 3,
    "direction only": 4,
    "not supported": 5,
    "impossible": 6,
}
COMMITTED = paths.ROOT / "reports" / "results"


def put(found, reference, value):
    chapter, _, dotted = reference.partition(": ")
    *folders, last = dotted.split(".")
    place = found.setdefault(chapter, {})
    for key in folders:
        place = place.setdefault(key, {})
    place[last] = value


def all_references():
    written = {text for texts in claims.references(LEDGER).values() for text in texts}
    return sorted({text.replace("{prevalence}", name) for text in written for name in claims.PREVALENCES})


def made_up(rng):
    """Results in which every reference holds some number, half of them with interval and Monte-Carlo error."""
    found = {}
    for reference in all_references():
        value = float(rng.choice([0.0, 0.003, 0.03, 0.5, 0.71, 1.0]) + rng.normal(0, 0.01))
        se = float(rng.choice([1e-4, 5e-3]))
        half = float(rng.choice([2 * se, 0.02]))
        simulated = {"value": value, "ci_low": value - half, "ci_high": value + half, "mc_se": se}
        put(found, reference, simulated if "paired" in reference or "leave_one" in reference else value)
    put(found, "04_modelling: published_split.sizes.test_1", int(rng.integers(40, 120)))
    put(found, "04_modelling: published_split.smote.after_0", int(rng.integers(400, 620)))
    put(found, "01_generation: published.n_patients", 1000)
    put(found, "01_generation: published.n_dropouts", int(rng.integers(100, 900)))
    return found


@pytest.fixture
def rng():
    return np.random.default_rng(11)


# --- the second implementation: verdicts from stored numbers and the raw YAML -----------------------------------


def rounds(value, printed, decimals):
    unit = Decimal(1).scaleb(-decimals)
    near = {Decimal(repr(round(value + nudge, 12))).quantize(unit, ROUND_HALF_UP) for nudge in (-1e-12, 0.0, 1e-12)}
    return Decimal(str(printed)).quantize(unit) in near or abs(value - printed) <= 0.5 * 10**-decimals + 1e-12


def interval_of(row):
    half = 1.959963984540054 * (row["mc_se"] or 0)
    low = row["measured"] - half if row["ci_low"] is None else row["ci_low"]
    return low, row["measured"] + half if row["ci_high"] is None else row["ci_high"]


def effect(row, margin):
    """Every verdict that some effect between the ends of the interval has, by a fine grid."""
    size, sign = abs(row["published"]), 1 if row["published"] > 0 else -1
    margin = min(margin, size / 2)
    if row["mc_se"] is not None and not row["mc_se"] < margin / 5:
        return {"not testable"}
    low, high = sorted(sign * end for end in interval_of(row))
    found = set()
    for value in np.linspace(low, high, 4001):
        if value < margin:
            found.add("not supported")
        else:
            found.add("supported" if size <= 2 * value and value <= 2 * size else "direction only")
    return found


def one_matrix(args, sizes):
    """Whether some confusion matrix has the printed figures, by counting through all of them."""
    half, recall, precision = 0.5 * 10 ** -args["decimals"] + 1e-12, args["recall"], args["precision"]
    derived = abs(2 * recall * precision / (recall + precision) - args["f1"]) <= 0.0005 + 1e-12
    for positives in {n if isinstance(n, int) else sizes[n] for n in args["positives"]}:
        for tp in range(1, positives + 1):
            for fp in range(args["n"] - positives + 1):
                fits = abs(tp / positives - recall) <= half and abs(tp / (tp + fp) - precision) <= half
                if fits and (derived or abs(2 * tp / (2 * tp + fp + positives - tp) - args["f1"]) <= 0.0005 + 1e-12):
                    return True
    return False


def calculated(source):
    """Value of an operation on printed numbers."""
    if not isinstance(source, dict):
        return source
    ((operation, terms),) = source.items()
    first, second = map(calculated, terms)
    return {"over": first / second, "times": first * second, "minus": first - second}[operation]


def lowest_auc(point):
    true_rate, false_rate = point
    x, y = np.array([0, false_rate, false_rate, 1]), np.array([0, 0, true_rate, true_rate])
    return np.trapezoid(y, x)


def bound_verdict(args):
    n, half = args["n"], 0.5 * 10 ** -args["decimals"] + 1e-12
    points = [
        (tp / positives, fp / (n - positives))
        for positives in range(1, n)
        if abs(positives / n - args["prevalence"]) <= 0.005 + 1e-12
        for tp in range(positives + 1)
        for fp in range(n - positives + 1)
        if tp + fp and abs(tp / positives - args["recall"]) <= half and abs(tp / (tp + fp) - args["precision"]) <= half
    ]
    printed = args["auroc"] + 0.0005 + 1e-12
    if not any(lowest_auc(point) <= printed for point in points):
        return "impossible"
    hull = [np.trapezoid([0, t, 1], [0, f, 1]) for t, f in points]
    return "not testable" if any(area <= printed for area in hull) else "not supported"


def again(args, row, margin, sizes):
    """The verdicts that are open to a statement."""
    rule = args["rule"]
    if rule == "rounds_to":
        if row["measured"] is None:
            return {"not supported"}
        candidates = [row["measured"], *row["or_else"].values()]
        assert set(row["or_else"]) == set(args.get("or_else", ()))
        same = any(rounds(value, args["published"], args["decimals"]) for value in candidates)
        return {"reproduced" if same else "not supported"}
    if rule == "one_matrix":
        return {"reproduced" if one_matrix(args, sizes) else "impossible"}
    if rule == "direction_and_half":
        return effect(row, args.get("margin", margin))
    if rule == "order":
        return {ranking(row, margin, choose) for choose in (min, max)}
    if rule == "rank_first":
        if row["mc_se"] is not None and not row["mc_se"] < margin / 5:
            return {"not testable"}
        others = [value for name, value in row["values"].items() if name != args["leader"]]
        open_to = set()
        for value in (*interval_of(row), row["measured"]):
            first = "supported" if value >= margin else "direction only"
            open_to.add("not supported" if max(others) > value else first)
        return open_to
    if rule == "at_most":
        if row["mc_se"] is not None and not row["mc_se"] < margin / 5:
            return {"not testable"}
        return {"not supported" if end > args["limit"] else "supported" for end in interval_of(row)}
    if rule == "between":
        low, high = row["ends"]
        slack = 0.5 * 10 ** -args["decimals"] + 1e-12
        return {"reproduced" if low - slack <= row["value"] <= high + slack else "not supported"}
    if rule == "calculation":
        same = rounds(calculated(args["of"]), args["published"], args["decimals"])
        return {"reproduced" if same else "impossible"}
    return {again_one(args, row, sizes)}


def ranking(row, margin, choose):
    steps, leads = ([choose(effect(item, margin), key=ORDER.get) for item in row[key]] for key in ("steps", "leads"))
    if "not testable" in steps + leads:
        return "not testable"
    if set(steps) == {"supported"}:
        return "supported"
    return "direction only" if "not supported" not in leads else "not supported"


def again_one(args, row, sizes):
    rule = args["rule"]
    if rule == "equal":
        return "not supported" if row["measured"] > args.get("tolerance", 1e-9) else "reproduced"
    if rule == "auc_ceiling":
        return "not supported" if row["measured"] + 3 * (row["mc_se"] or 0) < args["published"] else "supported"
    if rule == "sums":
        totals = [n if isinstance(n, int) else sizes[n] for n in args["totals"]]
        return "reproduced" if sum(args["terms"]) in totals else "impossible"
    if rule == "sd_of_folds":
        folds, centre = args["folds"], math.fsum(args["folds"]) / len(args["folds"])
        squares = math.fsum((fold - centre) ** 2 for fold in folds)
        near = [math.sqrt(squares / divisor) for divisor in (len(folds), len(folds) - 1)]
        return "reproduced" if any(abs(sd - args["sd"]) <= 0.0011 for sd in near) else "impossible"
    if rule == "relative_change":
        half = 0.5 * 10 ** -args["decimals"]
        extremes = [
            100 * ((args["after"] + a * half) / (args["before"] + b * half) - 1) for a in (-1, 1) for b in (-1, 1)
        ]
        unit = 0.5 if float(args["published"]).is_integer() else 0.05
        inside = min(extremes) <= args["published"] + unit and max(extremes) >= args["published"] - unit
        return "reproduced" if inside else "impossible"
    if rule == "auc_bound":
        return bound_verdict(args)
    return {"never": "impossible", "not_testable": "not testable"}[rule]


def recomputed(row, sizes):
    """Verdict of the weakest statement under every choice of open verdicts; not settled when they differ."""
    entry = RAW[row["id"]]
    each = [
        again(args, stored, entry.get("margin"), sizes)
        for args, stored in zip(entry["statements"], row["statements"], strict=True)
    ]
    weakest = {max(choice, key=ORDER.get) for choice in itertools.product(*each)}
    return weakest.pop() if len(weakest) == 1 else "not settled"


def sizes_of(found):
    return {
        reference: claims.look_up(found, reference)
        for reference in (
            "04_modelling: published_split.sizes.test_1",
            "04_modelling: published_split.smote.after_0",
        )
    }


# --- tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [claims, rules])
def test_doctests(module):
    assert doctest.testmod(module).failed == 0


def test_ledger_is_whole():
    assert [claim.id for claim in LEDGER] == [f"C{i:02d}" for i in range(1, len(LEDGER) + 1)]
    assert [claim.id for claim in LEDGER if claim.prevalence and not claim.margin] == ["C13"]


def test_every_measured_reference_names_a_setting_when_the_claim_has_one():
    for claim in LEDGER:
        simulated = [text for text in claims.references(LEDGER)[claim.id] if "{prevalence}" in text]
        assert bool(simulated) == (claim.prevalence is not None), claim.id


@pytest.mark.parametrize("draw", range(25))
def test_verdicts_equal_a_second_implementation(draw):
    found = made_up(np.random.default_rng(draw))
    for row in json.loads(json.dumps(claims.evaluate(LEDGER, found))):
        assert row["verdict"] == recomputed(row, sizes_of(found)), row["id"]


@pytest.mark.slow
def test_made_up_results_reach_every_verdict():
    seen = set()
    for draw in range(25):
        seen |= {row["verdict"] for row in claims.evaluate(LEDGER, made_up(np.random.default_rng(draw)))}
    assert seen == set(rules.VERDICTS)


def committed():
    if not (COMMITTED / "claims.json").exists():
        pytest.skip("reports/results/claims.json is made by a full run")
    return json.loads((COMMITTED / "claims.json").read_text(encoding="utf-8"))


def committed_chapters():
    chapters = {text.partition(": ")[0] for text in all_references()}
    return {name: json.loads((COMMITTED / f"{name}.json").read_text(encoding="utf-8")) for name in chapters}


def test_committed_verdicts_equal_a_second_implementation():
    rows = committed()
    sizes = sizes_of(committed_chapters())
    assert [row["id"] for row in rows] == list(RAW)
    assert [row["verdict"] for row in rows] == [recomputed(row, sizes) for row in rows]


def reason(name, args, outcome, label=""):
    """The sentence on one statement."""
    return said("reason_of", results.plain(rules.row(label, name, outcome) | {"args": args}))


def test_committed_rows_have_what_a_reader_needs():
    asked = {"id", "claim", "published", "measured", "ci_low", "ci_high", "rule", "verdict", "evidence", "statements"}
    for row in committed():
        assert asked <= set(row)
        assert row["verdict"] in ORDER
        assert row["evidence"]


def replacements(old):
    numbers = [1e-9, 1.0, -1.0, 5.0]
    for value in numbers:
        if isinstance(old, dict):
            yield {**old, "value": value, "ci_low": value - 1e-5, "ci_high": value + 1e-5, "mc_se": 1e-6}
        else:
            yield value


def make_true(ideal, source, target, prevalence, tight=False):
    """Put numbers in place that make `source` exactly `target`; of an operation, the first reference moves."""
    if isinstance(source, str):
        found = {"value": target, "ci_low": target - 1e-5, "ci_high": target + 1e-5, "mc_se": 1e-6}
        put(ideal, source.replace("{prevalence}", prevalence), found if tight else target)
    if not isinstance(source, dict):
        return
    ((operation, (first, *rest)),) = source.items()
    if operation == "largest":
        for other in rest:
            put(ideal, other, 0.0)
        return make_true(ideal, first, target, prevalence)
    second = claims.reader(ideal, "", prevalence)(rest[0]).value
    before = {"minus": target + second, "over": target * second}[operation]
    make_true(ideal, first, before, prevalence, tight and not isinstance(rest[0], str))


def truthful(claim, found):
    """Results changed so that every measured statement of the claim comes out as published."""
    ideal = copy.deepcopy(found)
    for statement in claim.statements:
        args = statement.args
        if statement.rule == "rounds_to":
            for other in args.get("or_else", {}).values():
                put(ideal, other, -9.0)
            make_true(ideal, args["measured"], args["published"] / args.get("scale", 1), "default")
        if statement.rule == "between":
            numbers = [args[key] for key in ("lowest", "highest") if not isinstance(args[key], str)] or [0.0, 99.0]
            inside = {"lowest": 0.0, "value": sum(numbers) / len(numbers), "highest": 99.0}
            for key, value in inside.items():
                if isinstance(args[key], str):
                    put(ideal, args[key], value)
        if statement.rule == "direction_and_half":
            make_true(ideal, args["measured"], args["published"], claim.prevalence or "default", tight=True)
        if statement.rule == "equal":
            for reference in args["measured"]:
                put(ideal, reference, 0.65)
    return ideal


def changes(claim, found):
    before = claims.evaluate_one(claim, found)["verdict"]
    for reference in claims.references([claim])[claim.id]:
        reference = reference.replace("{prevalence}", claim.prevalence or "default")
        for value in replacements(claims.look_up(found, reference)):
            chapter = reference.partition(": ")[0]
            altered = found | {chapter: copy.deepcopy(found.get(chapter, {}))}
            put(altered, reference, value)
            if claims.evaluate_one(claim, altered)["verdict"] != before:
                return True
    return False


def settled_by_arithmetic(claim, found):
    """Whether a purely arithmetic statement is impossible, so that no measurement can rescue the claim."""
    row = claims.evaluate_one(claim, found)
    return any(
        rules.RULES[statement["rule"]].arithmetic and statement["verdict"] in ("impossible", "not testable")
        for statement in row["statements"]
    )


def settled_by_print(claim):
    """Whether no measurement enters the verdict."""
    return all(rules.RULES[statement.rule].arithmetic for statement in claim.statements)


MEASURED = [claim for claim in LEDGER if not settled_by_print(claim) and claims.references([claim])[claim.id]]


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.id)
@pytest.mark.parametrize("source", ["made up", "committed"])
def test_a_changed_number_changes_the_verdict(claim, source, rng):
    if source == "committed":
        committed()
        found = committed_chapters()
    else:
        found = made_up(rng)
    if settled_by_arithmetic(claim, found):
        sizes = [ref for ref in claims.references([claim])[claim.id] if "sizes" in ref or "after_0" in ref]
        assert sizes or any(s.rule == "relative_change" for s in claim.statements)
        return
    ideal = truthful(claim, found)
    assert changes(claim, ideal) or changes(claim, found)


def test_claims_settled_by_arithmetic_ignore_every_measurement(rng):
    settled = {claim.id for claim in LEDGER if settled_by_print(claim) and claim.id not in ("C35", "C44")}
    first, second = (claims.evaluate(LEDGER, made_up(np.random.default_rng(k))) for k in (1, 2))
    for one, other in zip(first, second, strict=True):
        if one["id"] in settled:
            assert one == other


def test_arithmetic_verdicts():
    rows = {row["id"]: row["verdict"] for row in claims.evaluate(LEDGER, made_up(np.random.default_rng(3)))}
    proved = ["C28", "C35", "C36", "C37", "C38", "C39", "C40", "C41", "C44", "C52", "C58", "C59", "C61", "C70", "C73"]
    assert {rows[key] for key in proved} == {"impossible"}
    assert {rows[key] for key in ("C14", "C51", "C62", "C71", "C76")} == {"not testable"}
    assert {rows[key] for key in ("C66", "C68", "C69")} == {"reproduced"}


MODELS = {"C03": (0.720, 0.680, 0.699), "C08": (0.680, 0.650, 0.665), "C11": (0.700, 0.660, 0.679)}


def test_printed_digits_of_recall_and_precision_follow_from_the_document():
    digits = PRINTED["shares"]
    shares = [value for triple in MODELS.values() for value in triple[:2]]
    assert all(round(value, digits) == value for value in shares)
    assert any(round(value, digits - 1) != value for value in shares)
    for recall, precision, f1 in MODELS.values():
        assert rounds(2 * recall * precision / (recall + precision), f1, 3)
    assert digits == published.SAID["decimals"]["recall"] == published.SAID["decimals"]["precision"]
    jointly = [s.args["decimals"] for claim in LEDGER for s in claim.statements if "recall" in s.args]
    stated = set(jointly)
    assert stated == {digits}


@pytest.mark.parametrize("id", MODELS)
def test_the_three_figures_of_a_model_fit_a_matrix_to_two_digits_and_none_to_three(id):
    statement = next(s for claim in LEDGER if claim.id == id for s in claim.statements if s.rule == "one_matrix")
    args = {**statement.args, "positives": [48, 60, 105]}
    assert (args["recall"], args["precision"], args["f1"]) == MODELS[id]
    assert one_matrix(args, {})
    assert not one_matrix(args | {"decimals": 3}, {})
    read = claims.reader({}, "")
    assert rules.one_matrix(args, read).verdict == "reproduced"
    assert rules.one_matrix(args | {"decimals": 3}, read).verdict == "impossible"
    assert "to three digits no matrix" in reason("one_matrix", args, rules.one_matrix(args, read))


def test_an_f1_of_its_own_must_belong_to_the_matrix_too():
    args = {"recall": 0.7, "precision": 0.66, "f1": 0.69, "decimals": 2, "positives": [60], "n": 200}
    assert rules.one_matrix(args, claims.reader({}, "")).verdict == "impossible"
    possible = args | {"f1": arithmetic.Matrix(tn=118, fp=22, fn=18, tp=42).f1}
    assert rules.one_matrix(possible, claims.reader({}, "")).verdict == "reproduced"


def test_noise_of_software_counts_for_boosted_trees_alone():
    lenient = {claim.id for claim in LEDGER for s in claim.statements if "or_else" in s.args}
    assert lenient == {"C06", "C07", "C08", "C09", "C10", "C11", "C47", "C60"}
    args = {"published": 0.643, "decimals": 3, "measured": 0.6467, "or_else": {"from a file": 0.6426}}
    outcome = rules.rounds_to(args, claims.reader({}, ""))
    assert outcome.verdict == "reproduced"
    assert "from a file 0.6426" in reason("rounds_to", args, outcome)
    assert (
        rules.rounds_to(args | {"or_else": {"from a file": 0.6436}}, claims.reader({}, "")).verdict == "not supported"
    )


@pytest.fixture
def amended(tmp_path, monkeypatch):
    """Chapter 00's table of amendments over given rows and entries."""
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))

    def table(rows, entries=WRITTEN["amendments"]):
        read = SimpleNamespace(section={"amendments": entries}.__getitem__)
        names = {"claims": read, "judged": pd.DataFrame(rows), "pd": pd, "said": said, "report": report}
        return cells.run("00", "amendments", **names)["amended"]

    return table


def test_amendments_are_in_order_and_name_claims():
    ids = {claim.id for claim in LEDGER}
    dates = [entry["date"] for entry in WRITTEN["amendments"]]
    assert dates == sorted(dates)
    for entry in WRITTEN["amendments"]:
        assert set(entry.get("before", {})) <= ids


def test_an_amendment_shows_the_verdict_before_and_after(amended):
    entries = [
        {"date": datetime.date(2026, 1, 1), "what": "first", "before": {"C01": "impossible", "C02": "supported"}},
        {"date": datetime.date(2026, 1, 2), "what": "second", "before": {"C01": "not supported"}},
        {"date": datetime.date(2026, 1, 3), "what": "sizes"},
    ]
    rows = [{"id": "C01", "verdict": "reproduced"}, {"id": "C02", "verdict": "supported"}]
    told = amended(rows, entries)["verdicts"].tolist()
    assert told[:2] == ["C01: impossible → not supported; C02: still supported", "C01: not supported → reproduced"]
    assert pd.isna(told[2])


def test_every_verdict_that_this_issue_changed_is_in_the_amendments(rng, amended):
    named = {id for entry in WRITTEN["amendments"] for id in entry.get("before", {})}
    asked = {"C03", "C08", "C11", "C12", "C23", "C32", "C33", "C49", "C53", "C54"}  # changed before 27 November
    assert named >= asked | {"C04", "C09", "C13", "C14", "C16", "C45", "C48", "C50"}
    assert len(amended(claims.evaluate(LEDGER, made_up(rng)))) == len(WRITTEN["amendments"])


def test_scikit_learn_refuses_the_configuration_of_c52():
    with pytest.raises(ValueError, match="random_state"):
        StratifiedKFold(n_splits=5, shuffle=False, random_state=42)


def test_main_setting_decides_and_the_other_stands_beside(rng):
    found = made_up(rng)
    strong = {"value": 0.05, "ci_low": 0.049, "ci_high": 0.051, "mc_se": 1e-4}
    put(found, "03_feature_ablation: paired.default.burden", strong)
    weak = {"value": 0.001, "ci_low": 0.0, "ci_high": 0.002, "mc_se": 1e-4}
    put(found, "03_feature_ablation: paired.p24.burden", weak)
    claim = next(claim for claim in LEDGER if claim.id == "C29")
    row = claims.evaluate_one(claim, found)
    assert (row["verdict"], row["beside"]["verdict"]) == ("supported", "not supported")
    assert row["beside"]["prevalence"] == "p24"


@pytest.mark.parametrize(
    ("value", "half_width", "verdict"),
    [
        (0.05, 0.001, "supported"),
        (0.022, 0.002, "not settled"),  # half of what was published inside
        (0.0105, 0.001, "not settled"),  # the smallest difference of interest inside
        (0.015, 0.002, "direction only"),
        (0.083, 0.002, "not settled"),  # twice what was published inside
        (0.09, 0.002, "direction only"),
        (0.0, 0.009, "not supported"),  # zero inside, but nothing that would matter
        (0.024, 0.025, "not settled"),
    ],
)
def test_a_limit_inside_the_interval_makes_a_verdict_not_settled(rng, value, half_width, verdict):
    found = made_up(rng)
    effect = {"value": value, "ci_low": value - half_width, "ci_high": value + half_width, "mc_se": 1e-4}
    put(found, "03_feature_ablation: paired.default.burden", effect)
    claim = next(claim for claim in LEDGER if claim.id == "C29")
    row = claims.evaluate_one(claim, found)
    assert row["verdict"] == verdict
    assert ("inside the interval" in said("reason", row)) == (verdict == "not settled")


def test_in_a_ranking_only_the_leader_moves():
    effects = {"a": rules.Measure(0.020, 0.018, 0.022, 1e-4), "b": rules.Measure(0.021, 0.017, 0.025, 1e-4)}
    args = {"leader": "a", "measured": {"a": "a", "b": "b"}, "margin": 0.01}
    assert rules.rank_first(args, effects.get).verdict == "not settled"
    effects["a"] = rules.Measure(0.020, 0.0195, 0.0205, 1e-4)
    assert rules.rank_first(args, effects.get).verdict == "not supported"


@pytest.mark.parametrize(("value", "verdict"), [(0.024, "supported"), (0.025, "not settled"), (0.027, "not supported")])
def test_a_limit_on_a_spread_is_settled_outside_its_interval_only(value, verdict):
    args = {"published": 0.02, "limit": 0.025, "measured": "x", "margin": 0.01}
    read = {"x": rules.Measure(value, value - 0.0005, value + 0.0005, 1e-4)}.get
    assert rules.at_most(args, read).verdict == verdict


def test_a_ranking_whose_lead_hangs_on_the_run_is_not_settled():
    close, wide = rules.Measure(0.011, 0.009, 0.013, 1e-4), rules.Measure(0.025, 0.024, 0.026, 1e-4)
    args = {"margin": 0.01, "steps": [{"label": "a", "published": 0.03, "measured": "close"}]}
    args["leads"] = [{"label": "b", "published": 0.03, "measured": "wide"}, *args["steps"]]
    read = {"close": close, "wide": wide}.get
    assert rules.order(args, read).verdict == "not settled"
    args["leads"] = args["leads"][:1]
    assert rules.order(args, read).verdict == "direction only"


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [
        (0.0215, 1e-4, "supported"),
        (0.021, 1e-3, "not settled"),
        (0.0205, 1e-4, "direction only"),
        (0.0099, 2e-5, "not supported"),
        (0.0841, 1e-5, "direction only"),
        (0.0839, 1e-5, "supported"),
        (-0.05, 1e-4, "not supported"),
        (0.05, 0.002, "not testable"),
    ],
)
def test_thresholds_of_an_effect(value, se, verdict):
    measure = rules.Measure(value, value - 2 * se, value + 2 * se, se)
    assert rules.grade_effect(measure, published=0.042, margin=0.01) == verdict


def test_the_verdicts_of_an_effect_are_those_within_its_interval_and_the_weakest_decides():
    measure = rules.Measure(0.06, 0.056, 0.064)
    assert rules.effect_grades(measure, published=0.12, margin=0.01) == ("direction only", "supported")
    assert rules.worst(["reproduced", "direction only", "supported"]) == "direction only"


def test_negative_published_effects_are_mirrored():
    read = claims.reader({"06_x": {"a": {"value": -0.03, "ci_low": -0.032, "ci_high": -0.028}}}, "C")
    outcome = rules.direction_and_half({"published": -0.04, "measured": "06_x: a", "margin": 0.01}, read)
    assert outcome.verdict == "supported"


def test_reasons_are_made_from_the_numbers(rng):
    found = made_up(rng)
    put(found, "04_modelling: published_split.lr.test_auroc", 0.6554)
    row = claims.evaluate_one(LEDGER[0], found)
    assert said("reason", row) == "Published 0.643, recomputed 0.6554."
    put(found, "04_modelling: published_split.lr.test_auroc", 0.6431)
    assert said("reason", claims.evaluate_one(LEDGER[0], found)) == "Published 0.643, recomputed 0.643."


# --- refusals ----------------------------------------------------------------------------------------------------


def entry(**changed):
    base = {
        "id": "C01",
        "claim": "AUROC",
        "published": "0.6",
        "where": "here",
        "kind": "data",
        "estimand": "AUROC",
        "statements": [{"rule": "rounds_to", "published": 0.6, "decimals": 1, "measured": "04_modelling: auroc"}],
        "evidence": ["tbl-published"],
    }
    return {**base, **changed}


def written(tmp_path, *entries):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": list(entries)}), encoding="utf-8")
    return path


def ruled(rule, **arguments):
    return {"statements": [{"rule": rule, **arguments}]}


def an_effect(published=1, measured=1):
    return ruled("direction_and_half", published=published, measured=measured)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"evidence": []}, "C01: 'evidence' is missing"),
        ({"estimate": "x"}, "unknown key 'estimate'; did you mean 'estimand'"),
        ({"kind": "dat"}, "unknown kind 'dat'; did you mean 'data'"),
        ({"prevalence": "p42"}, "unknown prevalence 'p42'; did you mean 'p24'"),
        ({"margin": 0.01}, "'origin' is missing"),
        ({"statements": [{"rule": "round_to"}]}, "did you mean 'rounds_to'"),
        ({"statements": [{"rule": "rounds_to", "published": 1, "decimals": 1}]}, "'measured' is missing"),
        ({"statements": [{"rule": "never", "reason": "r", "reasons": "r"}]}, "unknown key 'reasons'; did you mean"),
        (
            an_effect(measured="04_modelling: b"),
            "C01, direction_and_half: a measured effect needs a margin",
        ),
        (
            an_effect(measured="04_modelling.b"),
            "reference 'chapter: key.key', found '04_modelling.b'",
        ),
        (an_effect(measured="04_modelling: b."), "measured must be a reference 'chapter: key.key'"),
        (an_effect(measured="04_modeling: b"), "unknown chapter '04_modeling'; did you mean '04_modelling'?"),
        (an_effect(measured={"minsu": [1, 2]}), "unknown operation 'minsu'; did you mean 'minus'?"),
        (an_effect(measured={"minus": [1, 2, 3]}), "measured.minus takes two terms, found 3"),
        (an_effect(measured={"minus": [1, "x"]}), "measured.minus 2 must be a reference"),
        (an_effect(measured=True), "measured must be a number, a reference or an operation on these, found True"),
        (an_effect(measured=[]), "'measured' is missing"),
        (an_effect(published="1"), "C01, direction_and_half: published must be a number, found '1'"),
        (an_effect(published=math.nan), "published must be a number, found nan"),
        (ruled("sums", terms=3, totals=[1], what="x"), "C01, sums: terms must be a list that is not empty, found 3"),
        (ruled("order", steps=[{"label": "a"}], leads=[]), "C01, order: 'leads' is missing"),
        (ruled("order", steps=[{"label": "a"}], leads=[{"label": "b"}]), "order: leads 1: 'published' is missing"),
        (ruled("equal", what="x", measured="04_modelling: a"), "equal: measured must be a list that is not empty"),
        (ruled("rounds_to", published=1, decimals=1.5, measured=1), "decimals must be a whole number, found 1.5"),
        ({"statements": ["never"]}, "C01: statements 1 must be a statement with a rule, found 'never'"),
        ({"published": 0.6}, "C01: published must be text (put it in quotes), found 0.6"),
        ({"margin": "0.01", "origin": "x"}, "C01: margin must be a number, found '0.01'"),
        ({"evidence": ["tbl-publshed"]}, "C01: unknown evidence 'tbl-publshed'; did you mean 'tbl-published'?"),
        ({"id": "1"}, "claims.yaml, 1: id must be an id such as C01, found '1'"),
    ],
)
def test_a_faulty_ledger_is_refused(tmp_path, changed, message):
    with pytest.raises(claims.LedgerError, match=re.escape(message)):
        claims.load(written(tmp_path, entry(**changed)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claims:\n- id: C01\n  kind: data\n  kind: rule\n", "claims.yaml, line 4: key 'kind' stands twice"),
        ("claims:\n- id: C01\n  claim: a: b\n", "claims.yaml, line 3: mapping values are not allowed"),
        ("claim:\n", "claims.yaml: unknown key 'claim'; did you mean 'claims'?"),
        ("printed: 1\n", "claims.yaml: 'claims' must be a list of entries"),
        ("claims: [C01]\n", "claims.yaml, claims 1: must be keys with values, found 'C01'"),
        ("- C01\n", "claims.yaml: the top level must be keys with values"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(claims.LedgerError, match=re.escape(message)):
        claims.load(path)


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("amendments", {"date": "today", "what": "x"}, "amendments 1: date must be a date, found 'today'"),
        (
            "amendments",
            {"date": datetime.date(2026, 1, 1), "what": "x", "before": {"C01": "support"}},
            "unknown before C01 'support'; did you mean 'supported'?",
        ),
        ("amendments", {"date": datetime.date(2026, 1, 1), "what_": "x"}, "unknown key 'what_'; did you mean 'what'?"),
    ],
)
def test_a_faulty_amendment_is_refused(tmp_path, name, entry, message):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({name: [entry]}), encoding="utf-8")
    with pytest.raises(claims.LedgerError, match=re.escape(message)):
        claims.section(name, path)


def test_every_argument_of_every_rule_has_a_kind():
    for rule in rules.RULES.values():
        assert {*rule.required, *rule.optional} <= {*rules.ARGUMENTS, *rule.kinds}


def test_an_id_used_twice_is_refused(tmp_path):
    with pytest.raises(claims.LedgerError, match="used 2 times"):
        claims.load(written(tmp_path, entry(), entry()))


def test_a_claim_without_evidence_gets_no_verdict(tmp_path):
    (claim,) = claims.load(written(tmp_path, entry()))
    bare = claims.Claim(**vars(claim) | {"evidence": ()})
    with pytest.raises(claims.LedgerError, match="without evidence"):
        claims.evaluate([bare], {"04_modelling": {"auroc": 0.6}})


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "run ./run_all.sh --only 04_modelling"),
        ({"04_modelling": {"aurc": 0.6}}, "has no 'auroc' (at 'auroc'); did you mean 'aurc'?"),
        ({"04_modelling": {"auroc": None}}, "is not a number"),
        ({"04_modelling": {"auroc": {"lr": 1}}}, "is not a number"),
    ],
)
def test_a_missing_number_is_a_clear_error(tmp_path, found, message):
    ledger = claims.load(written(tmp_path, entry()))
    with pytest.raises(results.MissingResult, match=re.escape(message)):
        claims.evaluate(ledger, found)


def test_claims_file_is_a_list_and_repeats_its_bytes(tmp_path, monkeypatch, rng):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    rows = claims.evaluate(LEDGER, made_up(rng))
    first = claims.write(rows).read_bytes()
    assert claims.write(claims.evaluate(LEDGER, made_up(np.random.default_rng(11)))).read_bytes() == first
    assert [row["id"] for row in json.loads(first)] == [claim.id for claim in LEDGER]
    assert sum(claims.count_verdicts(rows).values()) == len(LEDGER)


def test_differences_of_two_measured_numbers_carry_no_interval():
    both = {"06_x": {key: {"value": 0.7, "ci_low": 0.6, "ci_high": 0.8} for key in "ab"}}
    read = claims.reader(both, "C")
    assert read({"minus": ["06_x: a", "06_x: b"]}).ci_low is None
    assert read({"minus": ["06_x: a", 0.5]}).ci_low == pytest.approx(0.1)
    assert read({"minus": [1, "06_x: a"]}).ci_high == pytest.approx(0.4)
    assert read({"over": ["06_x: a", 2]}).value == pytest.approx(0.35)
    assert read({"minus": [{"over": ["06_x: a", 0.5]}, 1]}).ci_low == pytest.approx(0.2)


def test_references_are_found_among_the_arguments():
    found = claims.references(LEDGER)
    assert found["C01"] == ["04_modelling: published_split.lr.test_auroc"]
    assert "04_modelling: published_split.from_csv.xgb.cv_auroc" in found["C06"]
    assert found["C51"] == []


def test_published_figures_match_the_statement_they_stand_for():
    """Every number that a row prints occurs among its statements' arguments (or is said not to be testable)."""
    for claim in LEDGER:
        if claim.id in (
            "C12",
            "C13",
            "C14",
            "C31",
            "C35",
            "C36",
            "C44",
            "C49",
            "C50",
            "C51",
            "C52",
            "C62",
            "C71",
            "C76",
        ):
            continue
        text = io.StringIO(claim.published.replace("/", " "))
        numbers = {abs(float(n)) for row in csv.reader(text) for n in re.findall(r"\d+\.?\d*", " ".join(row))}
        args = json.dumps([dict(s.args) for s in claim.statements])
        stated = {abs(float(n)) for n in re.findall(r"\d+\.?\d*", args)}
        if not {share for number in numbers for share in (number, number / 100)} & stated:
            assert claim.kind == "method" or "(" in claim.published, claim.id


def test_evidence_of_findings_is_an_id_that_some_notebook_shows():
    shown = {identifier for identifiers in sources.shown().values() for identifier in identifiers}
    real = json.loads((COMMITTED / "06_real_trial.json").read_text(encoding="utf-8"))
    assert set(findings.of_leaks(real["leaks"], 0.05)["evidence"]) <= shown


@pytest.mark.parametrize(
    ("low", "value", "high", "words"),
    [
        (-0.004, -0.003, -0.001, ", not in the claimed direction"),
        (-0.0018, -0.0007, 0.0004, ", no difference is seen and the claimed size is excluded"),
        (-0.001, 0.001, 0.002, ", below the smallest difference of interest 0.01"),
    ],
)
def test_an_effect_that_is_not_there_is_told_by_its_interval(low, value, high, words):
    measured = {"value": value, "ci_low": low, "ci_high": high, "mc_se": 1e-4}
    read = claims.reader({"x": {"y": measured}}, "C00")
    args = {"published": 0.042, "measured": "x: y", "margin": 0.01}
    outcome = rules.direction_and_half(args, read)
    assert outcome.verdict == "not supported"
    assert reason("direction_and_half", args, outcome).endswith(words)


def test_a_margin_that_is_half_of_the_claim_is_called_that():
    read = claims.reader({"x": {"y": 0.001}}, "C00")
    args = {"published": 0.008, "measured": "x: y", "margin": 0.01}
    told = reason("direction_and_half", args, rules.direction_and_half(args, read))
    assert told.endswith("below 0.004 (half of what was published)")


@pytest.mark.parametrize(("counts", "undefined"), [([0, 0], True), ([0, 3], False)])
def test_a_ratio_out_of_none_is_undefined_and_not_nought(counts, undefined):
    args = {"published": 0.24, "decimals": 2, "measured": 0.0, "out_of": counts}
    outcome = rules.rounds_to(args, claims.reader({}, "C00"))
    assert (outcome.verdict, outcome.measured is None) == ("not supported", undefined)


def test_a_printed_rate_stands_for_every_number_that_rounds_to_it():
    """With 48 of 200 no matrix has .72 and .68; with 47 one has, and its area is too large for .643, not for .648."""
    args = {"recall": 0.72, "precision": 0.68, "prevalence": 0.24, "n": 200, "decimals": 2}
    verdicts = [rules.auc_bound(args | {"auroc": auroc}, None) for auroc in (0.643, 0.648)]
    assert [one.verdict for one in verdicts] == ["impossible", "not supported"]
    assert verdicts[0].facts["matrices"] == 0
    assert "with 47 to 49, an AUROC of at least 0.648" in reason("auc_bound", args, verdicts[0])


def test_claims_that_came_late_say_when(rng):
    rows = claims.evaluate(LEDGER, made_up(rng))
    late = [row["id"] for row in rows if row["entered"]]
    assert late == [f"C{number}" for number in range(55, 78)]
    assert rows[-1]["entered"] == "2026-11-27"
