"""Unknown keys are errors, numbers out of range are errors, and with whatever passes the chapters run."""

import copy
import functools
import math
import re

import pytest
import yaml

from attrition import params, paths, settings
from attrition.run import TrialCommand


@functools.cache
def written():
    return yaml.safe_load(paths.PARAMS.read_text(encoding="utf-8"))


@pytest.fixture
def edited(tmp_path):
    """Write ``params.yaml`` with changes, return its path."""

    def write(change):
        content = copy.deepcopy(written())
        change(content)
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def test_both_profiles_resolve():
    full, quick = params.read("full"), params.read("quick")
    assert full["08_monitoring"].null_batches > quick["08_monitoring"].null_batches
    assert full["seed"] == quick["seed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(sed=1), "unknown key 'sed'; did you mean 'seed'"),
        (lambda c: c["08_monitoring"].update(null_batch=1), "unknown key 'null_batch'; did you mean 'null_batches'"),
        (lambda c: c["profiles"]["quick"].update({"08_monitorin": {}}), "did you mean '08_monitoring'"),
        (lambda c: c["08_monitoring"].pop("n_permutations"), "08_monitoring: 'n_permutations' is missing"),
        (
            lambda c: c["08_monitoring"].update(n_permutations="many"),
            "08_monitoring: n_permutations must be a whole number from 19 to 100,000, found 'many'",
        ),
        (lambda c: c.update(seed=True), "params.yaml: seed must be a whole number"),
    ],
)
def test_what_the_study_does_not_know_is_refused(edited, change, message):
    with pytest.raises(params.ParamsError, match=message):
        params.read("quick", edited(change))


def test_a_section_can_be_had_with_other_values_and_stays_as_it_is():
    p = params.load("05_evaluation")
    changed = p.but(decision_threshold=0.4, n_folds=3)
    assert (changed.decision_threshold, changed.n_folds) == (0.4, 3)
    assert params.as_dict(changed) == params.as_dict(p) | {"decision_threshold": 0.4, "n_folds": 3}
    assert p == params.load("05_evaluation") == p.but()
    changed.thresholds.clear()
    assert p.thresholds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decision_treshold": 0.4}, "unknown key 'decision_treshold'; did you mean 'decision_threshold'?"),
        ({"decision_threshold": 40}, "05_evaluation: decision_threshold must be a number from 0.01 to 0.99, found 40"),
        ({"decision_threshold": "0.4"}, "decision_threshold must be a number from 0.01 to 0.99, found '0.4'"),
        ({"n_bootstraps": 20}, "05_evaluation: n_bootstraps_curves must be at most n_bootstraps"),
    ],
)
def test_a_changed_section_is_checked(changes, message):
    with pytest.raises(params.ParamsError, match=re.escape(message)):
        params.load("05_evaluation").but(**changes)


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("seed: 1\nprofiles: {}\nseed: 2\n", encoding="utf-8")
    with pytest.raises(params.ParamsError, match=r"params\.yaml, line 3: key 'seed' stands twice"):
        params.read(path=path)


def test_an_unknown_profile_is_refused():
    with pytest.raises(params.ParamsError, match="did you mean 'quick'"):
        params.read("quik")


def leaves(node, path=()):
    """Where every number of ``params.yaml`` stands, with it."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from leaves(value, (*path, key))
    if isinstance(node, int | float) and not isinstance(node, bool):
        yield path, node


CONTENT = yaml.safe_load(paths.PARAMS.read_text(encoding="utf-8"))
NUMBERS = dict(leaves(CONTENT))


def changed(node, path, value):
    """The content with one number replaced."""
    if not path:
        return value
    made = node.copy()
    made[path[0]] = changed(node[path[0]], path[1:], value)
    return made


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 10**12, "0.4", None, True, [], {}], ids=str)
def test_no_number_can_be_what_it_cannot_mean(value):
    assert len(NUMBERS) > 150
    for path in NUMBERS:
        profile, where = (path[1], path[2:]) if path[0] == "profiles" else ("full", path)
        with pytest.raises(params.ParamsError) as refused:
            params.resolve(changed(CONTENT, path, value), profile, "params.yaml")
        assert all(str(key) in str(refused.value) for key in ("params.yaml", *where[:2]))


@pytest.mark.parametrize("share", [2, 0])
@pytest.mark.parametrize(
    "key", ["decision_threshold", "unsteady", "smallest_difference", "smallest_difference_net_benefit"]
)
def test_a_share_is_no_number_of_patients(key, share):
    with pytest.raises(params.ParamsError, match=rf"05_evaluation: {key} must be a number from .* found {share}"):
        params.resolve(changed(CONTENT, ("05_evaluation", key), share), "full", "params.yaml")


def test_a_refusal_ends_the_run_with_2_and_a_sentence(edited, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(paths, "PARAMS", edited(lambda c: c["05_evaluation"].update(decision_threshold=1.4)))
    assert TrialCommand().line(["--only", "05", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "05_evaluation: decision_threshold must be a number from 0.01 to 0.99, found 1.4" in said
    assert "Traceback" not in said


def numbers(shape):
    """Numbers of a shape, at any depth."""
    if isinstance(shape, settings.Number):
        yield shape
    parts = shape.values() if isinstance(shape, dict) else shape if isinstance(shape, list) else ()
    parts = [shape.item] if isinstance(shape, settings.Rising) else parts
    parts = shape.needed.values() if isinstance(shape, settings.Keys) else parts
    for part in parts:
        yield from numbers(part)


def bounds():
    """Section, key and range of every number of `params`."""
    for section, shapes in params.SHAPES.items():
        for key, shape in shapes.needed.items():
            yield from ((section, key, limit) for limit in numbers(shape))


def test_every_number_has_a_range():
    ranged = {(section, key) for section, key, _ in bounds()} | {("seed",)}
    for path in NUMBERS:
        where = path[2:] if path[0] == "profiles" else path
        assert where[:2] in ranged, where
    assert all(math.isfinite(limit.low) and math.isfinite(limit.high) for _, _, limit in bounds())


@pytest.mark.parametrize(("section", "key", "limit"), list(bounds()), ids=str)
def test_both_ends_of_a_range_are_told_from_what_lies_beyond(section, key, limit):
    step, kind = (1, int) if limit.whole else (1e-9, float)

    def refused(number):
        return bool(list(limit.problems(kind(number), "", key)))

    assert not refused(limit.low)
    assert not refused(limit.high)
    assert refused(limit.low - step)
    assert refused(limit.high + step * max(1, limit.high))


RELATED = [
    ("03_feature_ablation", {"n_test": 600}, "n_test must be at most half of n_patients"),
    ("03_feature_ablation", {"n_replicates_trees": {"default": 2}}, "must name default and p24"),
    ("03_feature_ablation", {"learning_sizes": [200, 500]}, "as many numbers as learning_sizes"),
    ("03_feature_ablation", {"learning_sizes": [500, 200]}, "larger than the one before it"),
    ("04_modelling", {"tuning_trees": [1, 2, 3]}, "tuning_trees must be two numbers"),
    ("04_modelling", {"imbalance_trials": {"lr": 2, "xgb": 1}}, "must name lr, xgb and lgbm"),
    ("04_modelling", {"imbalance_trials": {"lr": 1, "xgb": 1, "lgbm": 1}}, "at least 2 for lr"),
    ("04_modelling", {"imbalance_rates": {"default": 0, "p24": 0.3}}, "imbalance_rates must be default: 0, p24: 0.24"),
    ("05_evaluation", {"n_bootstraps_curves": 700}, "n_bootstraps_curves must be at most n_bootstraps"),
    ("05_evaluation", {"stability_boosted": 300}, "at most stability_bootstraps"),
    ("05_evaluation", {"coverage_bootstrapped": 900}, "coverage_bootstrapped must be at most coverage_simulations"),
    ("05_evaluation", {"thresholds": {"a": 0.4}}, "thresholds must hold two numbers that differ"),
    ("05_evaluation", {"class_weight_rates": {"rare": 0.2}}, "class_weight_rates must name published and rare"),
    ("06_real_trial", {"n_repeats_slow": 30}, "n_repeats_slow must be at most n_repeats"),
    (
        "08_monitoring",
        {"champion": {"among": ["lr"], "metric": "brier", "better": "best", "margin": 0}},
        "08_monitoring: champion: unknown better 'best'; known: higher, lower",
    ),
    ("08_monitoring", {"batch_sizes": [50, 100]}, "batch_sizes must hold 200"),
    ("00_findings", {"landmarks": [28, 30]}, "landmarks must be among those of the pilot"),
    ("00_findings", {"landmark": 29}, "landmark must be one of landmarks"),
]


@pytest.mark.parametrize(("section", "values", "message"), RELATED, ids=str)
def test_numbers_that_do_not_go_together_are_refused(section, values, message, edited):
    with pytest.raises(params.ParamsError, match=section) as refused:
        params.read("full", edited(lambda content: content[section].update(values)))
    assert message in str(refused.value)


def sentences(section, broken):
    """Relations of a section with some values changed: whether each holds, and its sentence."""
    made = params.SECTIONS[section](**CONTENT[section] | broken)
    relations = params.RANGES["relations"].get(section, {})
    return {(bool(eval(holds, {**vars(made)})), sentence) for sentence, holds in relations.items()}


def test_every_relation_has_its_case():
    every = {sentence for section in params.SECTIONS for holds, sentence in sentences(section, {})}
    broken = {sentence for section, values, _ in RELATED for holds, sentence in sentences(section, values) if not holds}
    assert every == broken
    assert all(holds for section in params.SECTIONS for holds, _ in sentences(section, {}))
