"""What a killed run leaves behind: kernels, their private folders, half-written files. The next run clears it.

A run notes each folder that it makes for a kernel; whoever holds the output folder's lock next may take what is noted
there for dead. Nothing is found by pattern outside the output folder, so no other run is ever touched.
"""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

PREFIX = "attr-"
HALF_WRITTEN = re.compile(r"\..+\.\w+\.[a-z0-9_]{8}")
"""Temporary names of `attrition.results.publish`."""
CONNECTION = "k.json"


def _register(out: Path) -> Path:
    return out / ".state" / "kernels"


def note(out: Path, folder: Path) -> None:
    """Remember the private folder of a kernel."""
    register = _register(out)
    register.parent.mkdir(parents=True, exist_ok=True)
    with register.open("a", encoding="utf-8") as file:
        file.write(f"{folder}\n")


def noted(out: Path) -> list[Path]:
    """Folders of kernels that were noted and not yet cleared."""
    register = _register(out)
    if not register.exists():
        return []
    lines = register.read_text(encoding="utf-8", errors="replace").splitlines()
    return [Path(line) for line in lines if Path(line).name.startswith(PREFIX)]


def end_kernels(folders: Iterable[Path]) -> None:
    """End the kernels that were started on a connection file in one of the folders."""
    connections = {str(folder / CONNECTION) for folder in folders}
    if not connections:
        return
    import psutil

    psutil.process_iter.cache_clear()  # its cache refuses to end a process whose number another one had before
    found = [p for p in psutil.process_iter(["cmdline"]) if connections.intersection(p.info["cmdline"] or ())]
    for process in found:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(found, timeout=3)


def sweep(out: Path, written: Iterable[Path] = ()) -> None:
    """Clear what a killed run left; call it with the output folder's lock held.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.
    written : iterable of pathlib.Path
        Further folders that the run writes to.
    """
    folders = [folder for folder in noted(out) if folder.exists()]
    end_kernels(folders)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    _register(out).unlink(missing_ok=True)
    for place in [out, *(out / name for name in ("results", "tables", ".state", "executed")), *written]:
        _clear_half_written(place)


def _clear_half_written(place: Path) -> None:
    for path in place.glob("*") if place.is_dir() else ():
        partial = place.name == "executed" and path.name.endswith(".partial.ipynb")
        if path.is_file() and (partial or HALF_WRITTEN.fullmatch(path.name)):
            path.unlink(missing_ok=True)
