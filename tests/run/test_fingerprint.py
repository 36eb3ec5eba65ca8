"""Content decides what is redone."""

from attrition.run import fingerprint, plan
from tests.run.conftest import write_notebook


def test_prose_changes_the_chapter_but_not_what_reads_from_it(study):
    chapter = plan.CHAPTERS[0]
    before = fingerprint.code_key(chapter, {}, []), fingerprint.own_key(chapter, "k")
    text = chapter.notebook.read_text()
    chapter.notebook.write_text(text.replace("# 01_alpha", "# Another title"))
    after = fingerprint.code_key(chapter, {}, []), fingerprint.own_key(chapter, "k")
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_code_parameters_needs_and_inputs_each_change_the_key(study):
    chapter = plan.CHAPTERS[0]
    base = fingerprint.code_key(chapter, {"n": 1}, ["a"], "x")
    assert fingerprint.code_key(chapter, {"n": 2}, ["a"], "x") != base
    assert fingerprint.code_key(chapter, {"n": 1}, ["b"], "x") != base
    assert fingerprint.code_key(chapter, {"n": 1}, ["a"], "y") != base
    write_notebook(chapter.notebook, "1 + 1")
    assert fingerprint.code_key(chapter, {"n": 1}, ["a"], "x") != base
