"""A process that has loaded the heavy packages once and turns a copy of itself into a kernel whenever asked.

Loading numpy, scipy, pandas, scikit-learn, matplotlib and MLflow takes a notebook up to five seconds of processor time;
a forked copy has them at once. Before a fork the process loads what that chapter needs, and while nobody asks for a
kernel it loads ahead what others will. Forking is safe while the process has one thread and nothing but imports behind
it, so it holds no part of this library that looks at its surroundings when it is loaded, it counts its threads before
every fork, and on any doubt it forks no more: then kernels start the ordinary way. Linux only; macOS does not allow to
fork what these packages load.
"""

import contextlib
import ctypes
import gc
import heapq
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attrition import quiet
from attrition.run import kernels, leftovers

KERNEL = "ipykernel_launcher"
PACKAGES = frozenset(
    {"attrition", "imblearn", "joblib", "lightgbm", "matplotlib", "mlflow", "numpy", "pandas", "pandera", "pyarrow"}
    | {"scipy", "seaborn", "skops", "sklearn", "xgboost"}
)
"""What may be loaded before a fork: none of them starts a thread, or opens anything, when it is imported."""
NOT_BEFORE = "attrition.report"
"""Sets the style of figures when it is loaded, which it does in a notebook only."""
FIRST_USE = {
    "mlflow": ("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
    "pandera": ("pandera.backends.pandas.builtin_checks",),
}
"""What a package loads only when it is used."""
KERNELS = ("ipykernel.kernelapp", "ipykernel.debugger")
WITHOUT = "polars"
"""Starts threads. No chapter uses it, but packages load it where it is installed; copies can load it again."""
ONE_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Keeps the allocator of pyarrow, which pandas loads, from starting a thread."""
POSSIBLE = sys.platform == "linux"
PATIENCE, GOODBYE = 120.0, 1.0
LARGEST = 1 << 20
REFUSED = -1
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def fit(name: str) -> bool:
    """Whether a module, or what is taken from one, may be loaded before a fork."""
    return name.partition(".")[0] in PACKAGES and not f"{name}.".startswith(f"{NOT_BEFORE}.")


class Warm:
    """The driver's end: asks for kernels.

    Parameters
    ----------
    channel : socket.socket
        Connected to the warm process.
    wanted : mapping of str to sequence of str
        What each chapter loads, the most urgent chapter first.
    """

    def __init__(self, channel: socket.socket, wanted: Mapping[str, Sequence[str]]):
        self.channel, self.wanted, self.lost = channel, wanted, False

    def fork(self, argv: Sequence[str], env: Mapping[str, str], folder: Path, streams: Sequence[int]) -> int:
        """Ask for a kernel.

        Parameters
        ----------
        argv : sequence of str
            Command line of the kernel after the interpreter's own words.
        env : mapping
            All of its environment; it names the chapter.
        folder : pathlib.Path
            Where it starts.
        streams : sequence of int
            Files for what it prints and for its errors.

        Returns
        -------
        int
            Process number; its process group has the same one.

        Raises
        ------
        OSError
            When the warm process does not answer (it is not asked again), or refuses.
        """
        if self.lost:
            raise BrokenPipeError("the warm process does not answer")
        chapter = env.get("ATTRITION_CHAPTER", "")
        rank = [*self.wanted, chapter].index(chapter)
        words = {"argv": list(argv), "env": dict(env), "folder": str(folder), "rank": rank}
        request = json.dumps(words | {"modules": list(self.wanted.get(chapter, ()))}).encode()
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(PATIENCE)
            try:
                with theirs:
                    socket.send_fds(self.channel, [request], [*streams, theirs.fileno()])
                answer = ours.recv(LARGEST)
                if not answer:
                    raise BrokenPipeError("the warm process has ended")
            except OSError:
                self.lost = True
                raise
        if int(answer) == REFUSED:
            raise ConnectionRefusedError("the warm process is not fit to be forked")
        return int(answer)


@contextlib.contextmanager
def process(wanted: Mapping[str, Sequence[str]], ahead: Sequence[str], out: Path) -> Iterator[Warm]:
    """A warm process for the time of a run.

    Parameters
    ----------
    wanted : mapping of str to sequence of str
        What each chapter loads: full names of modules, or of what is taken from a module; the most urgent first.
    ahead : sequence of str
        What is loaded while nobody asks for a kernel, in this order.
    out : pathlib.Path
        Output folder. As with any kernel, a private folder is noted there whose connection file stands in the command
        line, here unused: so a later run finds what survived of the warm process and of its copies.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, kernels.private_folder(out) as folder:
        with theirs:
            ends = str(theirs.fileno()), str(folder / leftovers.CONNECTION)
            words = ["-Xfrozen_modules=off", "-m", __name__, *ends, *ahead]
            started = subprocess.Popen(
                [sys.executable, *words], env={**kernels.environment("", out), **quiet.MLFLOW, **ONE_THREAD},
                pass_fds=[theirs.fileno()], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            yield Warm(ours, wanted)
        finally:
            ours.close()
            _ended(started)


def _ended(started: subprocess.Popen) -> None:
    try:
        started.wait(GOODBYE)
    except subprocess.TimeoutExpired:
        started.kill()  # its kernels end with it
        started.wait()


def _reap(*_: Any) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _load(wanted: str) -> None:
    package, _, name = wanted.rpartition(".")
    __import__(package or name, fromlist=[name])
    for more in FIRST_USE.get(wanted.partition(".")[0], ()):
        __import__(more)


def _loaded(wanted: str) -> bool:
    """Load; False when it cannot be loaded or has started a thread."""
    try:
        _load(wanted)
    except Exception:  # whatever a package does; the kernel that needs it will tell
        return False
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - names are enough


def _asked(channel: socket.socket) -> bool:
    return bool(select.select([channel], [], [], 0)[0])


@dataclass(order=True)
class _Request:
    """A kernel that was asked for: the most urgent comes first."""

    rank: int
    words: dict[str, Any] = field(compare=False)
    files: list[int] = field(compare=False)

    @classmethod
    def received(cls, channel: socket.socket) -> "_Request | None":
        """The next request; None when there will be no more."""
        message, files, _, _ = socket.recv_fds(channel, LARGEST, 3)
        words = json.loads(message) if message else {}
        return cls(words["rank"], words, list(files)) if message else None

    def close(self) -> None:
        """Close its files, which its kernel has or will not need."""
        for file in self.files:
            os.close(file)

    def answered(self, number: int) -> None:
        """Tell who asked the kernel's process number."""
        with contextlib.suppress(OSError):  # who asked may have lost patience
            os.write(self.files[-1], str(number).encode())
        self.close()


def _serve(channel: socket.socket, ahead: list[str]) -> _Request | None:
    """Answer requests; returns in each copy what it is to become, and in the warm process itself None at the end.

    It loads one thing at a time, then looks whether something more urgent has been asked for.
    """
    waiting: list[_Request] = []
    fit = True
    while True:
        missing = waiting[0].words["modules"] if waiting else ahead
        if _asked(channel) or not (waiting or (fit and missing)):
            request = _Request.received(channel)
            if request is None:
                return None
            heapq.heappush(waiting, request)
        elif fit and missing:
            fit = _loaded(missing.pop(0))
        else:
            request = heapq.heappop(waiting)
            gc.freeze()  # copies share what is loaded as long as nothing touches it
            copy = os.fork() if fit else REFUSED
            if not copy:
                for other in waiting:
                    other.close()
                return request
            if fit:
                with contextlib.suppress(OSError):  # it may have ended
                    os.setpgid(copy, copy)
            request.answered(copy)


def _end_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _become_kernel(request: _Request) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(request.files[:2], 1):
        os.dup2(stream, number)
    request.close()
    words = request.words
    os.environ.clear()
    os.environ.update(words["env"], JPY_PARENT_PID=str(os.getppid()))
    parent = f"--IPKernelApp.parent_handle={os.getppid()}"  # its default was read when ipykernel was loaded
    os.chdir(words["folder"])
    time.tzset()
    if "numpy" in sys.modules:  # copies must not share the state of the global stream
        sys.modules["numpy"].random.seed()
    sys.argv = [*words["argv"], parent]
    runpy.run_module(KERNEL, run_name="__main__", alter_sys=True)


def main(number: str, _marker: str, *ahead: str) -> None:
    """Serve, and in each copy become a kernel.

    Parameters
    ----------
    number : str
        File number of this end of the channel.
    _marker : str
        Not read: it stands in the command line, by which the process is found.
    *ahead : str
        What is loaded while nobody asks.
    """
    parent = os.getpid()
    sys.modules[WITHOUT] = None  # type: ignore[assignment]
    for name in KERNELS:
        _load(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, _reap)
    with socket.socket(fileno=int(number)) as channel:
        kernel = _serve(channel, list(ahead))
    if kernel is None:
        os._exit(0)  # at once: there is nothing to tidy up
    del sys.modules[WITHOUT]
    _end_with(parent)
    _become_kernel(kernel)


if __name__ == "__main__":
    main(*sys.argv[1:])
