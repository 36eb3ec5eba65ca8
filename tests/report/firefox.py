"""Debian's Firefox, driven by its own protocol: playwright's cannot be, and Debian has no geckodriver."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
SETTINGS = """user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
"""
"""Nothing is asked of the network: there is no such proxy."""


class Firefox:
    """A browser that opens pages and runs scripts in them."""

    def __init__(self, port: int, patience: float = 60) -> None:
        until = time.monotonic() + patience
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        self.asked = 0
        self._read()
        self.ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})

    def _read(self) -> Any:
        length = b""
        while (byte := self.socket.recv(1)) != b":":
            length += byte
        told = b""
        while len(told) < int(length):
            told += self.socket.recv(int(length) - len(told))
        return json.loads(told)

    def ask(self, command: str, options: dict[str, Any]) -> Any:
        """Give a command and its answer."""
        self.asked += 1
        message = json.dumps([0, self.asked, command, options]).encode()
        self.socket.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, answer = self._read()
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return answer

    def open(self, address: str, width: int, height: int) -> None:
        """Open a page in a window whose inside has that size."""
        self.ask("WebDriver:SetWindowRect", {"width": width, "height": height})
        inner = self.run("[innerWidth, innerHeight]")
        self.ask("WebDriver:SetWindowRect", {"width": 2 * width - inner[0], "height": 2 * height - inner[1]})
        self.ask("WebDriver:Navigate", {"url": address})

    def run(self, expression: str) -> Any:
        """Value of an expression in the page."""
        return self.ask("WebDriver:ExecuteScript", {"script": f"return {expression}", "args": []})["value"]


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A headless browser with a profile of its own in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "user.js").write_text(f'{SETTINGS}user_pref("marionette.port", {port});\n', encoding="utf-8")
    command = [str(PROGRAM), "--headless", "--marionette", "--no-remote", "--profile", str(folder), "about:blank"]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "MOZ_HEADLESS": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        browser = Firefox(port)
        yield browser
        browser.ask("Marionette:Quit", {"flags": ["eForceQuit"]})
        browser.socket.close()
    finally:
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
