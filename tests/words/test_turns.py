"""No turn, sign or factor of a sentence can change without a test that fails."""

import pytest

from tests.words import turns

SOURCE = """{% block better %}
{% if gain > 0 and sure %}Better by {{ (100 * gain) | f1 }}{% elif gain < 0 %}Worse{% else %}No better{% endif %},
 {{ {"a": "alone", "b": "together"}[how] }}{{ " at last" if late else "" }}.
{% endblock %}"""
CASES = [
    {"gain": gain, "sure": sure, "how": how, "late": late}
    for gain in (0.5, 0.0, -0.5)
    for sure in (True, False)
    for how in "ab"
    for late in (True, False)
]


def test_cases_that_take_every_turn_hold_a_sentence():
    assert turns.unheld(SOURCE, "better", CASES) == []


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ({"gain": -0.5}, "is true"),
        ({"gain": 0.5}, "the number 100"),
        ({"sure": False}, "right part of a condition is false"),
        ({"how": "b"}, "words of a choice"),
        ({"late": True}, "condition is true"),
        ({"late": False}, "condition is false"),
    ],
)
def test_a_turn_that_no_case_takes_is_named(left_out, said):
    cases = [case for case in CASES if not left_out.items() <= case.items()]
    found = turns.unheld(SOURCE, "better", cases)
    assert any(said in what for _, what in found)


@pytest.mark.slow
def test_every_turn_of_every_sentence_is_held(tmp_path):
    found = turns.places(tmp_path)
    assert found == [], "\n".join(found)
