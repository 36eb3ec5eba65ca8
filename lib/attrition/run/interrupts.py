"""Being asked to stop: Ctrl-C, a polite kill, a terminal that goes away."""

import signal
import threading
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop."""


_asked = threading.Event()


def asked() -> bool:
    """Whether such a signal has come. A package that is being loaded may make another error of it."""
    return _asked.is_set()


def _raise_interrupted(*_: Any) -> None:
    _asked.set()
    for number in SIGNALS:  # once is enough: a second Ctrl-C must not tear the clearing up
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted


def install() -> None:
    """Turn the first such signal into `Interrupted` in the main thread."""
    _asked.clear()
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:  # nohup stays in force
                signal.signal(number, _raise_interrupted)
