"""Content decides what is redone."""

import json
import subprocess

import pytest

from notebook_report import driver, project, sources
from tests.run.conftest import write_notebook


def test_prose_changes_the_chapter_but_not_what_reads_from_it(study):
    chapter = project.current.chapters[0]
    before = sources.code_key(chapter, {}, []), sources.own_key(chapter, "k")
    text = chapter.notebook.read_text()
    chapter.notebook.write_text(text.replace("# 01_alpha", "# Another title"))
    after = sources.code_key(chapter, {}, []), sources.own_key(chapter, "k")
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_code_parameters_needs_and_inputs_each_change_the_key(study):
    chapter = project.current.chapters[0]
    base = sources.code_key(chapter, {"n": 1}, ["a"], "x")
    assert sources.code_key(chapter, {"n": 2}, ["a"], "x") != base
    assert sources.code_key(chapter, {"n": 1}, ["b"], "x") != base
    assert sources.code_key(chapter, {"n": 1}, ["a"], "y") != base
    write_notebook(chapter.notebook, "1 + 1")
    assert sources.code_key(chapter, {"n": 1}, ["a"], "x") != base


def open_and_save(notebook, source=None):
    """What autosave in an editor does to a notebook: outputs, counts, metadata; and `source` for its last cell."""
    content = json.loads(notebook.read_text())
    content["metadata"]["language_info"] = {"version": "3.11"}
    content["cells"][-1] |= {
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}],
        "execution_count": 3,
    }
    content["cells"][-1]["metadata"]["trusted"] = True
    content["cells"][-1]["source"] = source or content["cells"][-1]["source"].splitlines(keepends=True)
    notebook.write_text(json.dumps(content, indent=1))


@pytest.fixture
def repository(study, monkeypatch):
    """The toy study as a git repository; returns what the report would say of its commit."""

    def git(*words):
        own = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *own, *words], cwd=study, check=True, capture_output=True, text=True).stdout

    monkeypatch.setattr(project.current, "root", study)
    (study / "requirements.lock").touch()
    git("init", "-q")
    git("add", "notebooks", "params.yaml", "requirements.lock")
    git("commit", "-qm", "first")
    assert driver.commit() == git("log", "-1", "--format=%h").strip()
    return driver.commit


def test_a_notebook_that_was_opened_and_saved_is_the_same(study):
    chapter = project.current.chapters[0]
    before = sources.own_key(chapter, "k"), sources.code_key(chapter, {}, [])
    open_and_save(chapter.notebook)
    assert (sources.own_key(chapter, "k"), sources.code_key(chapter, {}, [])) == before
    open_and_save(chapter.notebook, "2 + 2")
    assert sources.own_key(chapter, "k") != before[0]


def test_a_changed_caption_redoes_its_chapter_and_no_other(study, monkeypatch):
    monkeypatch.setattr(project.current, "root", study)
    (study / "requirements.lock").touch()
    before = [sources.own_key(chapter, "k") for chapter in project.current.chapters], sources.everything()
    (study / "notebooks" / "captions").mkdir()
    (study / "notebooks" / "captions" / f"{project.current.chapters[0].name}.yaml").write_text("fig-a: {caption: New.}")
    after = [sources.own_key(chapter, "k") for chapter in project.current.chapters], sources.everything()
    assert [a == b for a, b in zip(after[0], before[0], strict=True)] == [False, True, True]
    assert after[1] != before[1]


def test_the_report_names_its_commit_also_after_a_notebook_was_opened(repository, study, monkeypatch):
    before, known = sources.everything(), repository()
    open_and_save(project.current.chapters[0].notebook)
    assert (sources.everything(), repository()) == (before, known)
    open_and_save(project.current.chapters[0].notebook, "2 + 2")
    assert sources.everything() != before
    assert repository() is None


@pytest.mark.parametrize("name", ["params.yaml", "notebooks/04_new.ipynb", "claims.yaml"])
def test_a_report_of_changed_or_new_sources_names_no_commit(repository, study, name):
    (study / name).write_text("{}")
    assert repository() is None
