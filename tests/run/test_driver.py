"""Notebooks side by side: order, cache, failures, locks."""

import json
import time

import pytest

from notebook_report import driver, project
from notebook_report.driver import Own
from notebook_report.state import Busy, State
from tests.run.conftest import SOURCES, write_notebook

pytestmark = pytest.mark.slow


def run(folder, **options):
    request = driver.Request(out=folder / "out", chapters=project.current.chapters, **options)
    state, events = State(request.out), []
    known = driver.keys(request)
    outcome = driver.Runner(request, state, lambda *event: events.append(event)).run(
        driver.stale(request, state, known), known
    )
    return outcome, events


def read(folder, name):
    return json.loads((folder / "out" / "results" / f"{name}.json").read_text())


def test_chapters_run_in_order_and_a_second_run_redoes_nothing(study):
    outcome, events = run(study)
    assert set(outcome.done) == set(SOURCES)
    assert read(study, "02_beta") == {"twice": 84}
    finished = [name for event, name, _ in events if event == "done"]
    assert finished.index("01_alpha") < finished.index("02_beta")
    again, _ = run(study)
    assert not again.done


def test_a_changed_notebook_redoes_itself_and_what_reads_from_it(study):
    run(study)
    write_notebook(study / "notebooks" / "01_alpha.ipynb", SOURCES["01_alpha"].replace("seed}", "seed + 1}"))
    outcome, _ = run(study)
    assert set(outcome.done) == {"01_alpha", "02_beta"}
    assert read(study, "02_beta") == {"twice": 86}


def test_a_result_that_was_deleted_or_edited_is_made_again(study):
    run(study)
    (study / "out" / "results" / "03_gamma.json").write_text("{}")
    outcome, _ = run(study)
    assert set(outcome.done) == {"03_gamma"}
    assert read(study, "03_gamma") == {"profile": "full"}


def test_time_stamps_do_not_matter(study):
    run(study)
    for path in (study / "notebooks").iterdir():
        path.touch()
    assert not run(study)[0].done


def test_a_failing_notebook_is_named_and_the_rest_still_runs(study):
    write_notebook(study / "notebooks" / "01_alpha.ipynb", "a = 1", "raise ValueError('boom')")
    outcome, _ = run(study)
    assert set(outcome.done) == {"03_gamma"}
    assert outcome.skipped == ["02_beta"]
    error = outcome.failed["01_alpha"]
    assert "01_alpha, code cell 3: ValueError: boom" in str(error)
    assert error.path.exists()
    assert not (study / "out" / "executed" / "01_alpha.ipynb").exists()


def test_on_a_readers_own_trial_messages_are_withheld(study):
    write_notebook(study / "notebooks" / "01_alpha.ipynb", "raise KeyError('Erika Mustermann')")
    outcome, _ = run(study, own=Own("somewhere", ("--trial", "somewhere"), "", ()))
    error = outcome.failed["01_alpha"]
    assert "Erika" not in str(error)
    assert "KeyError" in str(error)


def test_notebooks_run_side_by_side(study):
    for name in ("01_alpha", "03_gamma"):
        write_notebook(study / "notebooks" / f"{name}.ipynb", "import time; time.sleep(4)", SOURCES[name])
    started = time.perf_counter()
    _, events = run(study, jobs=2)
    order = [(event, name) for event, name, _ in events]
    assert order.index(("start", "03_gamma")) < order.index(("done", "01_alpha"))
    assert order.index(("start", "01_alpha")) < order.index(("done", "03_gamma"))
    assert time.perf_counter() - started < 60


def test_a_second_run_is_told_who_holds_the_folder(study):
    state = State(study / "out")
    with state.locked(), pytest.raises(Busy, match="in use by process"), State(study / "out").locked():
        pass
    with State(study / "out").locked():
        pass
