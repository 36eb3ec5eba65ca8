"""One notebook through Papermill, in a kernel of this very interpreter.

Kernels talk over local sockets in a private folder instead of TCP ports: nobody else on a shared machine can reach
them, and a machine without any network can run them.
"""

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
import yaml
from jupyter_client import AsyncKernelManager
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from notebook_report import errors, project, state

ENGINE = "notebook_report"
WITHHELD = "message withheld: it could hold private data"
VARIABLES = yaml.safe_load(Path(__file__).with_name("kernel.yaml").read_text(encoding="utf-8"))
# Seconds for a kernel to end: one in fifteen hangs there (two of ipykernel's threads), with all of its work done
SHUTDOWN = 1.0
LONGEST_SOCKET = 70  # characters of a folder whose sockets every system accepts (the whole path may have 103 on macOS)


@dataclass(eq=False)
class NotebookError(errors.Refusal):
    """A cell failed (its number counts from 1; 0 when it is not known), or the notebook's process did.

    `line` is the error, without values that could be private, and `path` the executed notebook up to the failure.
    """

    chapter: str
    line: str
    cell: int = 0
    path: Path | None = None
    exit_code: int = errors.NOTEBOOK

    def __str__(self) -> str:
        place = f"{self.chapter}, code cell {self.cell}" if self.cell else self.chapter
        return f"{place}: {self.line}" + (f"\n  executed so far: {self.path}" if self.path else "")


@contextlib.contextmanager
def private_folder(out: Path) -> Iterator[Path]:
    """A folder for the sockets of one kernel, noted in `out` so that a later run can clear it."""
    usual = tempfile.gettempdir()
    short = usual if len(usual) <= LONGEST_SOCKET else "/tmp"
    with tempfile.TemporaryDirectory(prefix=state.PREFIX, dir=short, ignore_cleanup_errors=True) as folder:
        state.note(out, Path(folder))
        yield Path(folder)


def environment(chapter: str, out: Path) -> dict[str, str]:
    """Variables of a kernel: output folder, one thread, memory kept, UTC, UTF-8, no window."""
    own = {project.current.variable("OUT"): str(out), project.current.variable("CHAPTER"): chapter}
    return {**VARIABLES["usual"], **os.environ, **project.current.environment(), **own, **VARIABLES["fixed"]}


class KernelEngine(Engine):
    """Papermill engine with kernels on local sockets and an environment of their own."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, env=None, log=None, out=None, start_timeout=120, **_):
        """Run the cells; called by Papermill. What a kernel says outside its cells goes to `log`."""
        with private_folder(out) as folder, log.open("wb") as stream:
            connection = str(folder / state.CONNECTION)
            settings = Config({"KernelManager": {"connection_file": connection, "shutdown_wait_time": SHUTDOWN}})
            if sys.platform != "win32":
                settings.KernelManager.transport = "ipc"
            manager = AsyncKernelManager(kernel_name=kernel_name, config=settings)
            client = PapermillNotebookClient(nb_man, km=manager, startup_timeout=start_timeout, timeout=None)
            own = {**env, "IPYTHONDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder)}
            client.execute(env=own, stdout=stream, stderr=stream, cleanup_kc=True)


papermill_engines.register(ENGINE, KernelEngine)


def _told(error: PapermillExecutionError, private: bool) -> tuple[str, int]:
    """What to say of a failed cell, and the exit code."""
    ours, number = errors.shown_as(error.traceback), re.match(r"\[Errno (\d+)\]", error.evalue)
    line = f"{error.ename} ({WITHHELD})" if private and not ours else f"{error.ename}: {error.evalue.strip()}"
    full = number and int(number[1]) in errors.FULL
    return line, ours.exit_code if ours else errors.OUTPUT if full else errors.NOTEBOOK


def _withhold(path: Path) -> None:
    """Take out of an executed notebook what no cell chose to show: warnings, and errors that are not ours."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "papermill-error" not in str(cell)]
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if output.output_type == "error" and not errors.shown_as(output.traceback):
            output.evalue, output.traceback = "withheld", []
        elif output.output_type == "stream" and output.name == "stderr":
            output.text = "withheld\n"
    nbformat.write(notebook, path)


def _placeless(path: Path, *places: Path) -> None:
    """Leave the names alone of folders of this machine: a notebook is handed on."""
    text = path.read_text(encoding="utf-8")
    for place in places:
        text = text.replace(json.dumps(str(place), ensure_ascii=False)[1:-1], place.name)
    path.write_text(text, encoding="utf-8")


def run_notebook(notebook: Path, target: Path, parameters: dict[str, Any], out: Path, private: bool) -> Path:
    """Execute a notebook with values for its cell tagged ``parameters``, and publish it at `target` by rename.

    With `private`, messages that could hold private data are withheld, with warnings and the kernel's log. When a cell
    fails, what was executed stands beside `target` as ``*.failed.ipynb``.
    """
    partial, failed = (target.with_name(f"{target.stem}.{word}.ipynb") for word in ("partial", "failed"))
    failed.unlink(missing_ok=True)
    try:
        try:
            _execute(notebook, partial, parameters, out, private)
        finally:
            if partial.exists():
                _placeless(partial, out, project.current.root)
        if private:
            _withhold(partial)
        return partial.replace(target)
    except PapermillExecutionError as error:
        if private:
            _withhold(partial)
        cell = max(error.exec_count - 1, 1)  # Papermill's injected parameters are a cell of their own
        line, code = _told(error, private)
        raise NotebookError(notebook.stem, line, cell, partial.replace(failed), code) from None
    except RuntimeError:  # what nbclient and jupyter_client say of a kernel that has ended
        line = "its process was ended from outside, most likely for want of memory; --jobs 1 needs the least"
        raise NotebookError(notebook.stem, line) from None
    finally:
        partial.unlink(missing_ok=True)


def _execute(notebook: Path, partial: Path, parameters: dict[str, Any], out: Path, private: bool) -> None:
    logs = out / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        *(str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, partial)),
        **{"parameters": parameters, "engine_name": ENGINE, "kernel_name": "python3"},
        **{"progress_bar": False, "request_save_on_cell_execute": False, "out": out},
        env=environment(notebook.stem, out),
        log=Path(os.devnull) if private else logs / f"{notebook.stem}.log",
    )
