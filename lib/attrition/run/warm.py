"""A process that has loaded the heavy packages once and turns a copy of itself into a kernel whenever asked.

Loading numpy, scipy, pandas, scikit-learn and matplotlib takes a notebook two to three seconds of processor time; a
forked copy has them at once. Forking is safe while the process has one thread and nothing but imports behind it, so it
holds no part of this library that looks at its surroundings, it counts its threads before it serves, and on any doubt
it ends: then kernels start the ordinary way. Linux only; macOS does not allow to fork what these packages load.
"""

import contextlib
import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrition.run import kernels, leftovers

KERNEL = "ipykernel_launcher"
PACKAGES = frozenset({"imblearn", "joblib", "lightgbm", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "xgboost"})
"""What may be loaded before a fork: none of them starts a thread, or opens anything, when it is imported."""
ONE_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Keeps the allocator of pyarrow, which pandas loads, from starting a thread."""
POSSIBLE = sys.platform == "linux"
PATIENCE, GOODBYE = 120.0, 1.0
LARGEST = 1 << 20
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Warm:
    """The driver's end: asks for kernels.

    Parameters
    ----------
    channel : socket.socket
        Connected to the warm process.
    """

    def __init__(self, channel: socket.socket):
        self.channel, self.lock = channel, threading.Lock()
        channel.settimeout(PATIENCE)

    def fork(self, argv: Sequence[str], env: Mapping[str, str], folder: Path, streams: Sequence[int]) -> int:
        """Ask for a kernel.

        Parameters
        ----------
        argv : sequence of str
            Command line of the kernel after the interpreter's own words.
        env : mapping
            All of its environment.
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
            When the warm process does not answer; it is not asked again.
        """
        request = json.dumps({"argv": list(argv), "env": dict(env), "folder": str(folder)}).encode()
        with self.lock:
            try:
                socket.send_fds(self.channel, [request], streams)
                answer = self.channel.recv(LARGEST)
                if not answer:
                    raise BrokenPipeError("the warm process has ended")
                return int(answer)
            except OSError:
                self.channel.close()
                raise


@contextlib.contextmanager
def process(modules: Sequence[str], out: Path) -> Iterator[Warm]:
    """A warm process for the time of a run.

    Parameters
    ----------
    modules : sequence of str
        What it loads, see `attrition.run.fingerprint.packages`.
    out : pathlib.Path
        Output folder. As with any kernel, a private folder is noted there whose connection file stands in the command
        line, here unused: so a later run finds what survived of the warm process and of its copies.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, kernels.private_folder(out) as folder:
        with theirs:
            ends = str(theirs.fileno()), str(folder / leftovers.CONNECTION)
            words = ["-Xfrozen_modules=off", "-m", __name__, *ends, *modules]
            started = subprocess.Popen(
                [sys.executable, *words], env={**kernels.environment("", out), **ONE_THREAD},
                pass_fds=[theirs.fileno()], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            yield Warm(ours)
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


def _serve(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Answer requests; returns in each copy what it is to become, and in the warm process itself None at the end."""
    while True:
        message, streams, _, _ = socket.recv_fds(channel, LARGEST, 2)
        if not message:
            return None
        copy = os.fork()
        if not copy:
            return json.loads(message), streams
        with contextlib.suppress(OSError):  # it may have ended
            os.setpgid(copy, copy)
        for stream in streams:
            os.close(stream)
        channel.send(str(copy).encode())


def _end_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _become_kernel(request: dict[str, Any], streams: list[int]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["env"], JPY_PARENT_PID=str(os.getppid()))
    parent = f"--IPKernelApp.parent_handle={os.getppid()}"  # its default was read when ipykernel was loaded
    os.chdir(request["folder"])
    time.tzset()
    if "numpy" in sys.modules:  # copies must not share the state of the global stream
        sys.modules["numpy"].random.seed()
    sys.argv = [*request["argv"], parent]
    runpy.run_module(KERNEL, run_name="__main__", alter_sys=True)


def main(number: str, _marker: str, *modules: str) -> None:
    """Load, serve, and in each copy become a kernel.

    Parameters
    ----------
    number : str
        File number of this end of the channel.
    _marker : str
        Not read: it stands in the command line, by which the process is found.
    *modules : str
        Full names of modules, or of what is taken from a module.
    """
    parent = os.getpid()
    for wanted in ("ipykernel.kernelapp", *modules):
        package, _, name = wanted.rpartition(".")
        __import__(package or name, fromlist=[name])
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - names are enough
        os._exit(1)  # not waiting for those threads
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, _reap)
    gc.collect()
    gc.freeze()  # copies share what is loaded as long as nothing touches it
    with socket.socket(fileno=int(number)) as channel:
        kernel = _serve(channel)
    if kernel is None:
        os._exit(0)  # at once: there is nothing to tidy up
    _end_with(parent)
    _become_kernel(*kernel)


if __name__ == "__main__":
    main(*sys.argv[1:])
