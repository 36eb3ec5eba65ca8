import json

import pytest

from notebook_report import compare

RESULTS = {
    "03_ablation": {"gain": {"value": 0.0123456789, "n": 20}, "verdict": "supported", "days": [28, 56]},
    "06_trial": {"events": 96, "auroc": None, "zero": 0.0},
}


def written(folder, results):
    folder.mkdir()
    for name, content in results.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def changed(**parts):
    return {name: content | parts.get(name, {}) for name, content in RESULTS.items()}


@pytest.fixture
def said(tmp_path, capsys):
    """Exit code and lines of the command that compares RESULTS with other ones."""

    def run(results):
        old, new = written(tmp_path / "old", RESULTS), written(tmp_path / "new", results)
        code = compare.main([str(old), str(new)])
        return code, capsys.readouterr().out.splitlines()

    return run


def test_equal_results_are_counted(said):
    assert said(RESULTS) == (0, ["6 numbers and 2 texts agree"])


def test_the_last_bits_do_not_count(said):
    gain = {"value": 0.0123456789 * (1 + 5e-7), "n": 20}
    assert said(changed(**{"03_ablation": {"gain": gain}, "06_trial": {"zero": 8e-10}}))[0] == 0


@pytest.mark.parametrize(
    ("file", "part", "line"),
    [
        ("03_ablation", {"gain": {"value": 0.0123456, "n": 20}}, "gain.value: 0.0123456789 -> 0.0123456"),
        ("03_ablation", {"gain": {"value": 0.0123456789, "n": 21}}, "gain.n: 20 -> 21"),
        ("03_ablation", {"verdict": "direction only"}, 'verdict: "supported" -> "direction only"'),
        ("03_ablation", {"days": [28]}, "days.1: 56 -> (absent)"),
        ("03_ablation", {"more": 1}, "more: (absent) -> 1"),
        ("06_trial", {"auroc": 0.5}, "auroc: null -> 0.5"),
        ("06_trial", {"auroc": 0}, "auroc: null -> 0"),
        ("06_trial", {"events": True}, "events: 96 -> true"),
        ("06_trial", {"zero": 2e-9}, "zero: 0.0 -> 2e-09"),
    ],
)
def test_each_difference_is_told_by_file_and_key(said, file, part, line):
    assert said(changed(**{file: part})) == (1, [f"{file}.json: {line}"])


def test_a_missing_file_is_a_difference_of_each_of_its_leaves(said):
    code, lines = said({"03_ablation": RESULTS["03_ablation"]})
    assert (code, len(lines)) == (1, 3)
    assert all(line.startswith("06_trial.json: ") and line.endswith("(absent)") for line in lines)


def test_emptied_mapping_is_a_difference(said):
    assert "gain: (absent) -> {}" in "\n".join(said(changed(**{"03_ablation": {"gain": {}}}))[1])


def test_an_integer_may_stand_for_a_whole_float():
    assert compare.agree(1, 1.0)
    assert not compare.agree(1, 1.1)


@pytest.mark.parametrize("content", [None, "{"])
def test_folders_without_readable_results_are_refused(tmp_path, capsys, content):
    old, new = written(tmp_path / "old", RESULTS), tmp_path / "new"
    new.mkdir()
    if content is not None:
        (new / "03_ablation.json").write_text(content)
    assert compare.main([str(old), str(new)]) == 2
    assert str(new) in capsys.readouterr().err
