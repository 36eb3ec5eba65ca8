"""Sentences that turn with the numbers."""

import json
import re

import pytest

import notebook_report as report
from attrition import paths
from notebook_report import project
from notebook_report.said import ENVIRONMENT, Said, said
from notebook_report.sources import cells

WORDS = paths.NOTEBOOKS / "words"


def test_an_interval_is_written_out_and_text_from_data_is_escaped():
    found = {"value": 0.5, "ci_low": -0.25, "ci_high": 1}
    made = said("{{ found | f2 }} for {{ name }}, {{ days | days }}", {"found": found, "name": "a*b", "days": [28, 56]})
    assert made == r"0.50 (−0.25 to 1.00) for a\*b, day 28 and day 56"
    assert isinstance(made, Said)


@pytest.mark.parametrize("value", [float("nan"), None])
def test_a_missing_number_is_refused(value):
    with pytest.raises(ValueError, match="missing"):
        said("{{ x | f2 }}", {"x": value})


def test_a_number_needs_its_form_and_a_name_its_value():
    with pytest.raises(ValueError, match="how it is written"):
        said("{{ x }}", {"x": 0.5})
    with pytest.raises(Exception, match="'x' is undefined"):
        said("{{ x }}", {})


def test_lines_are_joined_and_paragraphs_kept():
    assert said("One\nsentence.\n\nAnother   one.", {}) == "One sentence.\n\nAnother one."


def test_what_is_said_is_shown_and_given_back():
    with report.capture() as outputs:
        made = report.say("{% if n %}{{ n }} left.{% endif %}", n=3)
        assert report.say("{% if n %}{{ n }} left.{% endif %}", n=0) == ""
    assert [one["data"]["text/markdown"] for one in outputs] == [made] == ["3 left."]


def test_a_sentence_can_stand_in_another_with_its_values_and_further_ones():
    made = said("{{ said('{{ n }} of {{ m | digits(1) }}, {{ who }}', {'m': 2.25}) }}!", {"n": 1, "m": 9, "who": "a*b"})
    assert made == r"1 of 2.2, a\*b!"
    assert said("{{ said('{{ n }}') }}", {"n": 1, "said": said}) == "1"  # as a notebook has imported it


def test_a_sentence_that_no_file_has_is_named():
    with pytest.raises(ValueError, match="'nowhere'"):
        said("nowhere", {})


def blocks(path):
    return list(ENVIRONMENT.from_string(path.read_text(encoding="utf-8")).blocks)


@pytest.mark.slow
def test_each_sentence_has_one_name_and_is_said_by_the_chapter_that_its_file_is_named_after():
    files = {path.stem: blocks(path) for path in sorted(WORDS.glob("*.md"))}
    names = [name for own in files.values() for name in own]
    assert len(names) == len(set(names))
    for chapter in project.current.chapters:
        code = "\n".join(source for kind, source, _ in cells(chapter.notebook.read_bytes()) if kind == "code")
        for name in re.findall(r"""report\.say\(\s*["'](\w+)["']""", code):
            assert name in files.get(chapter.name, []) + files.get("shared", []), json.dumps([chapter.name, name])
