"""One notebook through Papermill, in a kernel of this very interpreter.

Kernels talk over local sockets in a private folder instead of TCP ports: nobody else on a shared machine can reach
them, and a machine without any network can run them.
"""

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
OUR_ERRORS = (
    "CdiscError",
    "ContractError",
    "ParamsError",
    "MissingResult",
    "LeakError",
    "ClaimError",
    "OutcomeError",
    "MappingError",
)


@dataclass(eq=False)
class NotebookError(Exception):
    """A cell failed.

    Parameters
    ----------
    chapter : str
    cell : int
        Number of the failing code cell, counted from 1.
    line : str
        Its error as one line; values are withheld where they could be a patient's.
    path : pathlib.Path
        The executed notebook up to the failure.
    kind : str
        Name of the error's class.
    """

    chapter: str
    cell: int
    line: str
    path: Path
    kind: str

    def __str__(self) -> str:
        return f"{self.chapter}, code cell {self.cell}: {self.line}\n  executed so far: {self.path}"


class KernelEngine(Engine):
    """Papermill engine with kernels on local sockets and an environment of their own."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, env=None, log=None, start_timeout=60, **_):
        """Run the cells; called by Papermill. What a kernel says outside its cells goes to `log`."""
        folder = tempfile.mkdtemp(prefix="attr-")
        settings = Config({"KernelManager": {"connection_file": f"{folder}/k.json"}})
        if sys.platform != "win32":
            settings.KernelManager.transport = "ipc"
        client = PapermillNotebookClient(
            nb_man, config=settings, kernel_name=kernel_name, startup_timeout=start_timeout, timeout=None
        )
        try:
            with log.open("wb") as stream:
                own = {**env, "IPYTHONDIR": folder, "JUPYTER_RUNTIME_DIR": folder}
                client.execute(env=own, stdout=stream, stderr=stream)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


papermill_engines.register("attrition", KernelEngine)


def kernel_environment(chapter: str, out: Path) -> dict[str, str]:
    """Variables of a kernel: output folder, one thread, UTC, UTF-8, no window."""
    fixed = {
        "ATTRITION_OUT": str(out),
        "ATTRITION_CHAPTER": chapter,
        "MPLBACKEND": "Agg",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        **dict.fromkeys(THREADS, "1"),
    }
    return {**os.environ, **fixed}


def _line(error: PapermillExecutionError, private: bool) -> str:
    if private and error.ename not in OUR_ERRORS:
        return f"{error.ename} (message withheld: it could hold a patient's data)"
    return f"{error.ename}: {error.evalue.strip()}"


def _withhold(path: Path) -> None:
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename not in OUR_ERRORS:
                output.evalue, output.traceback = "withheld", []
        if "papermill-error" in str(cell.get("id", "")) or "papermill-error" in cell.metadata.get("tags", []):
            cell.source = "withheld"
    nbformat.write(notebook, path)


def run_notebook(notebook: Path, target: Path, parameters: dict[str, Any], out: Path, private: bool = False) -> Path:
    """Execute one notebook and publish it by rename.

    Parameters
    ----------
    notebook : pathlib.Path
    target : pathlib.Path
        Place of the executed notebook; only a complete one ever stands there.
    parameters : dict
        Values for the cell tagged ``parameters``.
    out : pathlib.Path
        Output folder.
    private : bool
        Withhold messages that could hold a patient's data.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    NotebookError
        When a cell fails; what was executed stands beside `target` as ``*.failed.ipynb``.
    """
    partial = target.with_name(f"{target.stem}.partial.ipynb")
    failed = target.with_name(f"{target.stem}.failed.ipynb")
    failed.unlink(missing_ok=True)
    logs = out / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            notebook,
            partial,
            parameters=parameters,
            engine_name="attrition",
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            env=kernel_environment(notebook.stem, out),
            log=logs / f"{notebook.stem}.log",
        )
    except PapermillExecutionError as error:
        if private:
            _withhold(partial)
        partial.replace(failed)
        kind = "OSError: disk full" if "No space left" in str(error.evalue) else error.ename
        cell = max(error.exec_count - 1, 1)  # Papermill's injected parameters are a cell of their own
        raise NotebookError(notebook.stem, cell, _line(error, private), failed, kind) from None
    partial.replace(target)
    return target
