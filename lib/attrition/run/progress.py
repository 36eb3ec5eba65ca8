"""What a reader sees while a run is on: the plan, a line a notebook, the total."""

import sys
import threading
import time
from typing import Any, TextIO

from attrition.run.plan import Chapter


def spoken(seconds: float) -> str:
    """A duration as people say it.

    Examples
    --------
    >>> spoken(3.21), spoken(75)
    ('3.2 s', '1 min 15 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


class Progress:
    """Plain lines, and in a terminal one live line with what is running.

    Parameters
    ----------
    stream : file, optional
        Standard output by default.
    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.started: dict[str, float] = {}
        self.total = self.finished = 0
        self.lock = threading.Lock()

    def line(self, text: str) -> None:
        """Print one line for good."""
        clear = "\r\033[K" if self.live else ""
        print(f"{clear}{text}", file=self.stream, flush=True)

    def plan(self, chapters: list[Chapter], kept: int, expected: dict[str, float], jobs: int) -> None:
        """Say what will be done and how long it should take."""
        self.total = len(chapters)
        if not chapters:
            self.line(f"nothing to redo: {kept} chapters are up to date")
            return
        at_least = max(max(expected.values()), sum(expected.values()) / jobs)
        self.line(f"{self.total} chapters to run ({kept} up to date), {jobs} at a time, about {spoken(at_least)}:")
        for chapter in chapters:
            self.line(f"  {chapter.name:<22} about {spoken(expected[chapter.name])}")

    def tell(self, event: str, name: str, detail: Any) -> None:
        """Receive an event of the runner; ``tick`` when nothing has happened for a while."""
        with self.lock:
            if event == "start":
                self.started[name] = time.perf_counter()
            elif event != "tick":
                self.started.pop(name, None)
                self.finished += 1
                words = {
                    "done": lambda: f"done in {spoken(detail)}",
                    "failed": lambda: "FAILED",
                    "skipped": lambda: "skipped: it needs a chapter that failed",
                }
                self.line(f"[{self.finished}/{self.total}] {name:<22} {words[event]()}")
            self._show_running()

    def _show_running(self) -> None:
        if self.live and self.started:
            now = time.perf_counter()
            running = ", ".join(f"{name} {spoken(now - since)}" for name, since in sorted(self.started.items()))
            self.stream.write(f"\r\033[K  running: {running}")
            self.stream.flush()
