"""The same numbers wherever tasks run."""

import os

import joblib
import pytest

from attrition import engine, seeds


def draw(seed, number):
    """One number of its own stream."""
    return float(seeds.stream(seed, "engine", number).normal())


def die_once(marker, seed, number):
    """As `draw`, but the first time the worker that runs it is lost."""
    if not marker.exists():
        marker.touch()
        os._exit(1)
    return draw(seed, number)


TASKS = [joblib.delayed(draw)(7, number) for number in range(40)]
EXPECTED = [draw(7, number) for number in range(40)]


@pytest.fixture
def chosen(monkeypatch):
    """Choose an engine."""

    def choose(name, workers=1):
        monkeypatch.setenv("ATTRITION_ENGINE", name)
        monkeypatch.setenv("ATTRITION_WORKERS", str(workers))
        monkeypatch.setattr(engine, "WORTH", 0.0)
        monkeypatch.setattr(engine, "STARTED", set())

    return choose


def loopback():
    import socket

    try:
        socket.create_server(("127.0.0.1", 0)).close()
    except OSError:
        return False
    return True


needs_loopback = pytest.mark.skipif(not loopback(), reason="the loopback interface is down")


def test_in_order_in_this_process(chosen):
    chosen("serial")
    assert engine.compute(TASKS, "numbers") == EXPECTED


@pytest.mark.slow
def test_the_same_from_two_processes(chosen):
    chosen("processes", 2)
    assert engine.compute(TASKS, "numbers") == EXPECTED


@pytest.mark.slow
def test_processes_are_started_for_what_takes_long_and_kept(chosen, monkeypatch):
    chosen("processes", 2)
    asked = [joblib.delayed(os.getpid)() for _ in range(4)]
    first, *others = engine.compute(asked, "long")
    assert first == os.getpid() not in others
    assert os.getpid() not in engine.compute(asked, "again")
    monkeypatch.setattr(engine, "STARTED", set())
    monkeypatch.setattr(engine, "WORTH", 10.0)
    assert set(engine.compute(asked, "short")) == {os.getpid()}


@pytest.mark.slow
@needs_loopback
@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_from_a_dask_cluster(chosen, workers):
    chosen("dask", workers)
    assert engine.compute(TASKS, "numbers") == EXPECTED


@pytest.mark.slow
@needs_loopback
def test_a_lost_worker_loses_nothing(chosen, tmp_path):
    chosen("dask", 2)
    tasks = [*TASKS, joblib.delayed(die_once)(tmp_path / "died", 7, 40)]
    assert engine.compute(tasks, "numbers") == [*EXPECTED, draw(7, 40)]
    assert (tmp_path / "died").exists()


def test_an_unknown_engine_is_refused(chosen):
    chosen("spark")
    with pytest.raises(engine.EngineError, match="known: serial, processes, dask"):
        engine.compute(TASKS, "numbers")


@pytest.mark.slow
def test_monitoring_gives_the_same_table_from_two_processes(chosen):
    import pandas as pd

    from attrition import monitoring

    sizes = {"batch_sizes": [50], "null_batches": 30, "power_batches": 10, "n_reference": 100, "permutations": 19}
    chosen("serial")
    alone = monitoring.study(7, **sizes)
    chosen("processes", 2)
    pd.testing.assert_frame_equal(alone, monitoring.study(7, **sizes), check_exact=True)


def test_progress_needs_a_terminal(caplog, capsys):
    with caplog.at_level("INFO", logger="attrition.engine"):
        assert engine.compute([joblib.delayed(abs)(-k) for k in range(20)], "numbers") == list(range(20))
    assert [record.getMessage() for record in caplog.records][-1] == "numbers: 20 of 20"
    assert capsys.readouterr().out == ""
