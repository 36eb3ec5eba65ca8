"""What a reader sees while a run is on."""

import io

from notebook_report.driver import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_live_line_goes_on_while_nothing_happens(monkeypatch):
    clock = iter([0.0, 1.0, 6.5])
    monkeypatch.setattr("notebook_report.driver.time.perf_counter", lambda: next(clock))
    shown = Terminal()
    progress = Progress(shown)
    progress.tell("start", "03_feature_ablation", None)
    progress.tell("tick", "", None)
    assert shown.getvalue().endswith("running: 03_feature_ablation 6.5 s")


def test_a_log_gets_a_line_a_notebook_and_no_live_line():
    shown = io.StringIO()
    progress = Progress(shown)
    progress.total = 1
    progress.tell("start", "01_generation", None)
    progress.tell("tick", "", None)
    progress.tell("done", "01_generation", 3.21)
    assert shown.getvalue() == "[1/1] 01_generation          done in 3.2 s\n"
