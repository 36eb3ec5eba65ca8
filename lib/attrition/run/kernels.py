"""What every kernel of a run gets: an environment and a private folder for its sockets."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrition.run import leftovers

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**26),
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
    "MALLOC_TOP_PAD_": str(2**24),
}
"""Has the C library (glibc) keep the memory of arrays for the next ones.

To give it back and to get it again, page by page, takes a fifth of the time of drawing a million patients.
"""
LONGEST_SOCKET = 70
"""Characters of a folder whose sockets every system accepts (the whole path may have 103 on macOS)."""


@contextmanager
def private_folder(out: Path) -> Iterator[Path]:
    """A folder for the sockets of one kernel, noted in `out` so that a later run can clear it."""
    usual = tempfile.gettempdir()
    short = usual if len(usual) <= LONGEST_SOCKET else "/tmp"
    folder = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX, dir=short))
    try:
        leftovers.note(out, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(chapter: str, out: Path) -> dict[str, str]:
    """Variables of a kernel: output folder, one thread, memory kept, UTC, UTF-8, no window."""
    fixed = {
        "ATTRITION_OUT": str(out),
        "ATTRITION_CHAPTER": chapter,
        "MPLBACKEND": "Agg",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        **dict.fromkeys(THREADS, "1"),
    }
    return {**KEEP_MEMORY, **os.environ, **fixed}
