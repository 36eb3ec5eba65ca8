"""Programs that tests start on loopback, waited for with a limit and always ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 240.0
"""Seconds until a program must answer."""


def free_port() -> int:
    """A port that is free now; skips the test, visibly, where there is no loopback."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return port
    except OSError:
        pytest.skip("the loopback interface is down")


def request(
    url: str, body: bytes | None = None, kind: str = "application/json", timeout: float = 60
) -> tuple[int, str]:
    """Status and text of one request; an error status is an answer as well."""
    asked = urllib.request.Request(url, data=body, headers={"Content-Type": kind} if body is not None else {})
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _wait(process: subprocess.Popen, url: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode}: {log.read_text()[-2000:]}")
        with contextlib.suppress(OSError):
            if request(url, timeout=5)[0] == 200:
                return
        time.sleep(0.3)
    raise TimeoutError(f"no answer from {url}: {log.read_text()[-2000:]}")


@contextlib.contextmanager
def running(
    command: list, url: str, log: Path, env: dict[str, str] | None = None, **options
) -> Iterator[subprocess.Popen]:
    """Run a program until the block ends; its children end with it."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            **options,
        )
        try:
            _wait(process, url, log)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
