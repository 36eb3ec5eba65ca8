"""A scratch checkout: the real library and the real command, with a study of three small chapters."""

import atexit
import functools
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from attrition import paths
from tests.run.conftest import write_notebook

CHAPTERS = {
    "01_alpha": [
        "import pandas as pd\nfrom attrition import paths; from notebook_report import results",
        "table = pd.DataFrame({'patient_id': ['007', '008'], 'weight': [61.5, 70.25]})",
        "results.write_parquet(paths.processed() / 'alpha.parquet', table)\nresults.write_table('tbl-alpha', table)",
        'results.write("01_alpha", {"value": seed})',
    ],
    "02_beta": [
        "import notebook_report as report; from notebook_report import results",
        "twice = 2 * results.read('01_alpha')['value']",
        "report.say('Twice the seed is {{ twice }}.')",
        "report.finding('finding-twice', 'Doubling doubles.', 'supported', ['fig-cloud'])",
        'results.write("02_beta", {"twice": twice})',
    ],
    "03_gamma": [
        "import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd\n"
        "import notebook_report as report; from notebook_report import results",
        "x = np.arange(12.0)\nfig, ax = plt.subplots(figsize=(4, 2))\nax.plot(x, x**2, rasterized=True)",
        "report.figure(ax, id='fig-cloud', caption='Squares.', alt='A curve that rises ever faster.',\n"
        "              data=pd.DataFrame({'x': x, 'square': x**2}))",
        'results.write("03_gamma", {"profile": profile})',
    ],
}
PLAN = """CHAPTERS = (
    Chapter("01_alpha", own={own}),
    Chapter("02_beta", needs=("01_alpha",), own={own}),
    Chapter("03_gamma"),
)
"""
RANGES = "chapters: {01_alpha: {}, 02_beta: {}, 03_gamma: {}}\n"


def _replace(path, pattern, text):
    source = path.read_text(encoding="utf-8")
    changed, n = re.subn(pattern, lambda _: text, source, count=1, flags=re.S | re.M)
    assert n == 1, f"{path.name} is written differently now"
    path.write_text(changed, encoding="utf-8")


def digests(folder, *names):
    """Checksum of every file below `folder`, or below its sub-folders or files `names`; hidden ones left out."""
    places = [folder / name for name in names] or [folder]
    files = [p for place in places for p in ([place] if place.is_file() else place.rglob("*"))]
    plain = (p for p in files if p.is_file() and not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(plain)}


@functools.cache
def snapshot():
    """The checkout as it is when the first test asks: all scratch checkouts are then alike to the byte."""
    place = Path(tempfile.mkdtemp(prefix="snapshot-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    shutil.copytree(paths.ROOT / "lib", place / "lib", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("requirements.lock", "claims.yaml", "run_all.sh"):
        shutil.copy(paths.ROOT / name, place / name)
    return place


PUBLISHED = ("report.html", "results", "tables", "data")


@dataclass
class Toy:
    """A checkout in `folder`; `temporary` is the TMPDIR of its runs."""

    folder: Path
    temporary: Path
    extra: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder, temporary, on_trial=False):
        library = folder / "lib" / "attrition"
        shutil.copytree(snapshot(), folder, dirs_exist_ok=True)
        _replace(
            library / "project.py",
            r"^STUDY = \(.*?^CHAPTERS = .*?\n",
            PLAN.format(own=('("trial", "pilot")' if on_trial else None)),
        )
        _replace(library / "ranges.yaml", r"^chapters:\n.*", RANGES)
        (folder / "params.yaml").write_text(
            "seed: 42\n01_alpha: {}\n02_beta: {}\n03_gamma: {}\nprofiles: {quick: {}}\n"
        )
        (folder / "notebooks").mkdir()
        toy = cls(folder, temporary)
        for name, cells in CHAPTERS.items():
            toy.write(name, *cells)
        temporary.mkdir(parents=True, exist_ok=True)
        return toy

    def write(self, name, *cells, **more):
        write_notebook(self.folder / "notebooks" / f"{name}.ipynb", *cells, **more)

    def env(self, **changes):
        own = {
            "PYTHONPATH": str(self.folder / "lib"),
            "TMPDIR": str(self.temporary),
            "VIRTUAL_ENV": sys.prefix,
            "PYTHONUTF8": "1",
        }
        found = {**os.environ, **own, **self.extra, **changes}
        for name in ("ATTRITION_OUT", "ATTRITION_CHAPTER"):
            found.pop(name, None)
        return {name: value for name, value in found.items() if value is not None}

    def command(self, *words):
        return [sys.executable, "-m", "attrition.run", *map(str, words)]

    def start(self, *words, prefix=(), **changes):
        """A run in the background, a process group of its own."""
        return subprocess.Popen(
            [*prefix, *self.command(*words)], cwd=self.folder, env=self.env(**changes), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def run(self, *words, prefix=(), **changes):
        """A run to its end; no traceback ever, and no message twice."""
        process = self.start(*words, prefix=prefix, **changes)
        said, told = process.communicate(timeout=240)
        return checked(subprocess.CompletedProcess(process.args, process.returncode, said, told))

    def kernels(self):
        """Processes whose connection file lies in this toy's TMPDIR."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            if process.info["status"] != psutil.STATUS_ZOMBIE and str(self.temporary) in " ".join(
                process.info["cmdline"] or ()
            ):
                found.append(process)
        return found

    def litter(self):
        """What a run left in its TMPDIR."""
        return sorted(p.name for p in self.temporary.iterdir())


def checked(done):
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == len(set(lines)), done.stderr
    assert done.returncode == 0 or "run_all.sh: " in done.stderr, done.stderr
    return done


def ends_cleanly_on_ctrl_c(toy, process):
    """Interrupt a run: exit code 130, one line, no process, no folder."""
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told == "run_all.sh: interrupted; finished chapters stay, the rest is redone next time\n"
    assert toy.kernels() == []
    assert toy.litter() == []
