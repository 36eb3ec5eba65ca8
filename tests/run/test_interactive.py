"""Notebooks in JupyterLab: the right kernel, a place of their own to write to, and words where an input is missing."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from nbclient import NotebookClient

from attrition import params, paths
from attrition.run import TrialCommand
from notebook_report import lab as editor
from notebook_report import project, results, sources

READERS = ["00_findings", "02_eda", "03_feature_ablation", "04_modelling", "05_evaluation", "08_monitoring"]
KERNEL = "from jupyter_client import KernelManager; print(KernelManager(kernel_name='python3').format_kernel_cmd()[0])"


@pytest.mark.parametrize("name", READERS)
def test_a_notebook_alone_says_which_chapter_makes_what_is_missing(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    cells = json.loads((paths.NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    with pytest.raises(results.MissingResult, match=r"is not there yet: chapter (\w+) makes it") as refusal:
        exec(compile(code, name, "exec"), {})
    advice, chapter = str(refusal.value).split("; run ")[1].split(" --only ")
    assert advice == f"./run_all.sh --out {tmp_path}"
    assert project.find(chapter) in project.with_needs([project.find(name)])


def test_the_advice_is_for_the_report_at_hand(monkeypatch):
    monkeypatch.setenv("ATTRITION_OUT", str(paths.ROOT / "reports" / "quick"))
    with pytest.raises(results.MissingResult, match=r"run \./run_all\.sh --quick --only 04_modelling"):
        results.needed("04_modelling", paths.ROOT / "no such file")


@pytest.fixture
def lab(monkeypatch):
    """Environment that ``./run_all.sh lab`` starts JupyterLab in."""
    given = {}
    monkeypatch.setenv("ATTRITION_OUT", "")  # put back afterwards: the command sets it
    monkeypatch.delenv("ATTRITION_OUT")
    monkeypatch.setenv("ATTRITION_COMMAND", "")
    monkeypatch.setattr("subprocess.call", lambda words, env: given.update(env, words=words) or 0)
    assert TrialCommand().main(["lab"]) == 0
    return given


def variables(lab):
    return {name: value for name, value in lab.items() if name != "words"}


def test_a_notebook_opened_by_hand_has_the_quick_profile():
    for chapter in project.current.chapters:
        tagged = [source for _, source, tags in sources.cells(chapter.notebook.read_bytes()) if "parameters" in tags]
        assert [source.splitlines()[0] for source in tagged] == ['profile = "quick"']


def test_lab_saves_what_was_written_and_not_what_was_shown(lab, tmp_path):
    """Opened, run and saved, a chapter has the committed bytes; other notebooks keep their outputs."""
    assert "--ServerApp.contents_manager_class=notebook_report.lab.Sources" in lab["words"]
    for name in ("notebooks", "own"):
        (tmp_path / name).mkdir()
        shutil.copy(project.current.chapters[1].notebook, tmp_path / name / "02.ipynb")
    committed = project.current.chapters[1].notebook.read_bytes()
    manager = editor.Sources(root_dir=str(tmp_path))

    async def opened_run_and_saved(path):
        model = await manager.get(path)
        model["content"]["metadata"]["language_info"] |= {"version": "3.11", "codemirror_mode": {"name": "ipython"}}
        for count, cell in enumerate(c for c in model["content"]["cells"] if c["cell_type"] == "code"):
            cell["metadata"]["execution"] = {"iopub.status.busy": "now"}
            cell |= {"execution_count": count, "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]}
        await manager.save(model, path)
        return (tmp_path / path).read_bytes()

    with ThreadPoolExecutor(1) as other:  # a thread of its own: a browser's test may have left its loop in this one
        ours, own = other.map(asyncio.run, map(opened_run_and_saved, ("notebooks/02.ipynb", "own/02.ipynb")))
    assert ours == committed
    assert b'"stdout"' in own


def test_the_committed_report_is_out_of_reach_in_lab(lab):
    assert lab["ATTRITION_OUT"] == str(paths.ROOT / "reports" / "quick")
    assert lab["ATTRITION_COMMAND"] == "./run_all.sh --quick"


@pytest.mark.slow
def test_lab_takes_the_kernel_of_its_own_environment(lab, tmp_path):
    rogue = tmp_path / ".local" / "share" / "jupyter" / "kernels" / "python3"
    rogue.mkdir(parents=True)
    spec = {"argv": ["/elsewhere/python", "-m", "ipykernel_launcher"], "display_name": "Python 3", "language": "python"}
    (rogue / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    def kernel(environment):
        run = subprocess.run(
            [sys.executable, "-c", KERNEL], env=environment, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    home = {"HOME": str(tmp_path), "JUPYTER_PREFER_ENV_PATH": "0"}
    assert kernel(os.environ | home) == "/elsewhere/python"  # what the user's own kernel would do
    assert kernel(home | variables(lab) | {"HOME": str(tmp_path)}) == sys.executable


@pytest.fixture
def profile(monkeypatch, tmp_path):
    """Loads parameters of a profile, as a notebook's first cell does; results go to a folder of their own."""
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    return lambda name: params.load("02_eda", name)


def test_results_of_another_profile_are_refused(profile):
    profile("quick")
    results.write("02_eda", {"n": 1})
    assert results.read("02_eda") == {"n": 1}
    profile("full")
    with pytest.raises(results.OtherProfile, match=r'made with the profile "quick", and this chapter runs with "full"'):
        results.read("02_eda")
    with pytest.raises(results.OtherProfile):
        results.needed("02_eda", paths.out() / "results" / "02_eda.json")
    results.write("02_eda", {"n": 2})
    assert results.read("02_eda") == {"n": 2}


def test_small_sizes_never_write_over_the_committed_report(profile, monkeypatch, tmp_path):
    monkeypatch.setattr(project.current, "root", tmp_path)
    monkeypatch.delenv("ATTRITION_OUT")
    profile("quick")
    with pytest.raises(results.OtherProfile, match="open notebooks with"):
        results.write("02_eda", {"n": 1})
    assert not (tmp_path / "reports" / "results" / "02_eda.json").exists()
    profile("full")
    results.write("02_eda", {"n": 1})
    assert (tmp_path / "reports" / "results" / "02_eda.json").exists()


COMMITTED = ("lib", "notebooks", "data/example_trial", "reports/studies", "params.yaml", "claims.yaml", ".gitignore")
COMMITTED += ("requirements.lock", "benchmarks/cost.csv")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The study as a user has it: one commit, and what a quick run of chapters 01 and 04 made."""
    folder = tmp_path_factory.mktemp("lab") / "study"
    for name in COMMITTED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (paths.ROOT / name).is_dir():
            shutil.copytree(
                paths.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(paths.ROOT / name, folder / name)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "As published"]):
        git(folder, *words)
    for chapter in ("01", "04"):
        run = [sys.executable, "-m", "attrition.run", "--quick", "--only", chapter]
        done = subprocess.run(run, cwd=folder, env=of(folder), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def git(folder, *words):
    """What git says about a folder, whatever the user's own settings are."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "core.hooksPath=/dev/null")
    return subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def of(folder):
    """Environment in which the library is that of a checkout."""
    taken = {name: value for name, value in os.environ.items() if not name.startswith("ATTRITION_")}
    return taken | {"PYTHONPATH": str(folder / "lib"), "JUPYTER_PREFER_ENV_PATH": "1"}


class Opened:
    """A notebook in a kernel of its own: run top to bottom, or changed in one place and run from there on."""

    def __init__(self, client):
        self.client, self.cells = client, client.nb.cells

    def run(self, first=0):
        """What the cells show, one text an output; a warning or an error is none of it."""
        shown = []
        for place, cell in list(enumerate(self.cells))[first:]:
            if cell.cell_type == "code":
                outputs = self.client.execute_cell(cell, place).outputs
                printed = [output for output in outputs if output.output_type == "stream"]  # in pieces, by chance
                assert all(output.name == "stdout" for output in printed), printed
                shown.append("".join(output.text for output in printed))
                for output in outputs:
                    data = output.get("data", {})
                    shown.append(str(data.get("text/markdown") or data.get("text/plain") or ""))
        return [text for text in shown if text]

    def add(self, after, source):
        """Add a cell below the one that holds `after`; returns its place."""
        place = next(i for i, cell in enumerate(self.cells) if cell.cell_type == "code" and after in cell.source)
        self.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
        return place + 1


@contextlib.contextmanager
def opened(checkout, name, out="quick"):
    """A notebook as JupyterLab opens it under ``./run_all.sh lab``."""
    notebook = nbformat.read(checkout / "notebooks" / f"{name}.ipynb", as_version=4)
    where = {"metadata": {"path": str(checkout / "notebooks")}}
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where)
    lab = {"ATTRITION_OUT": str(checkout / "reports" / out), "ATTRITION_COMMAND": "./run_all.sh --quick"}
    with client.setup_kernel(env=of(checkout) | lab):
        yield Opened(client)


ADDED = 'features.VERSIONS["v4_lean"] = ("age", "adverse_event_rate", "trial_phase_risk")'
OWN = """example = paths.ROOT / "data" / "example_trial"
table = pd.read_csv(example / "patients.csv", dtype={"patient_id": str})  # 007 is no number
study = trials.load(table, mapping=example / "trial-mapping.toml")"""
CHANGES = {
    "a landmark": ("01_generation", "params.load(", "p = p.but(landmark_days=[45])", ["day 45"]),
    "a threshold": ("05_evaluation", "params.load(", "p = p.but(decision_threshold=0.4)", ["threshold 0.4"]),
    "a landmark of the real trial": (
        "06_real_trial", "trials.load(", "study = study.but(landmarks=(28, 42))", ["day 28, day 42 (", "| Day 42: "]
    ),
    "a feature version": ("03_feature_ablation", "params.load(", ADDED, ["v4_lean"]),
    "a data frame": ("06_real_trial", "trials.load(", OWN, ["one table with a row a patient"]),
}  # fmt: skip


DRAWN = {"03_feature_ablation": {"fig-models": "v4_lean", "fig-ablation": "v4_lean against v3"}}
"""Data behind figures in which a change of `CHANGES` must show."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("change", CHANGES)
def test_a_chapter_runs_twice_takes_a_users_change_and_leaves_the_checkout_clean(change, checkout):
    name, after, source, told = CHANGES[change]
    with opened(checkout, name) as notebook:
        first = notebook.run()
        assert notebook.run() == first
        shown = "\n".join(notebook.run(notebook.add(after, source)))
    assert all(text not in "\n".join(first) and text in shown for text in told)
    assert git(checkout, "status", "--porcelain") == ""
    for id, words in DRAWN.get(name, {}).items():
        assert words in (checkout / "reports" / "quick" / "tables" / f"{id}.csv").read_text(encoding="utf-8")


A_MODEL = """
from sklearn.naive_bayes import GaussianNB
from attrition import models

def bayes(seed, weighted, **settings):
    return GaussianNB(**{"priors": [0.5, 0.5] if weighted else None} | settings)

models.add("bayes", models.Model("Naive Bayes", bayes, True, {"var_smoothing": [1e-9, 1e-3]}, "purple"))
"""


COMPARED = {
    "04_modelling": ["fig-folds", "tbl-models", "tbl-tuned", "tbl-chosen"],
}
"""Figures and tables in which every model stands."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_model_added_in_a_cell_is_compared_tabled_and_drawn(checkout):
    out = checkout / "reports" / "trial-model"
    shutil.copytree(checkout / "reports" / "quick", out)
    for name, identifiers in COMPARED.items():
        with opened(checkout, name, out.name) as notebook:
            notebook.add("profile = ", A_MODEL)
            notebook.run()
        for identifier in identifiers:
            assert "bayes" in (out / "tables" / f"{identifier}.csv").read_text(encoding="utf-8").lower(), identifier
    assert git(checkout, "status", "--porcelain") == ""
