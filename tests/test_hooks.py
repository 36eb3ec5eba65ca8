"""Every pre-commit hook passes on the whole repository, and uses programs of the locked packages alone."""

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from attrition import paths

CONFIG = yaml.safe_load((paths.ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
HOOKS = {hook["id"]: hook for repository in CONFIG["repos"] for hook in repository["hooks"]}
ENDINGS = {"python": {".py"}, "jupyter": {".ipynb"}, "shell": {".sh"}}
BINARY = {".png", ".parquet", ".xpt", ".webp"}
SKIP = {".git", ".venv", "__pycache__", ".hypothesis", ".pytest_cache", ".ruff_cache", "raw", "processed", "mlruns"}


def tracked():
    """Files of the repository, without git where there is none."""
    if (paths.ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files"], cwd=paths.ROOT, capture_output=True, text=True, check=True).stdout
        return [Path(line) for line in listed.splitlines()]
    found = (path.relative_to(paths.ROOT) for path in paths.ROOT.rglob("*") if path.is_file())
    return [path for path in found if not SKIP & set(path.parts)]


def given(hook, files):
    """The files that pre-commit would hand to a hook."""
    kinds = hook.get("types_or") or hook.get("types", ["text"])
    if kinds == ["text"]:
        wanted = [path for path in files if path.suffix not in BINARY]
    else:
        wanted = [path for path in files if path.suffix in set().union(*(ENDINGS[kind] for kind in kinds))]
    leave = re.compile(hook["exclude"]) if "exclude" in hook else None
    return [str(path) for path in wanted if not (leave and leave.search(path.as_posix()))]


def run(hook, files, cwd=paths.ROOT):
    program, *words = shlex.split(hook["entry"])
    found = sys.executable if program == "python" else shutil.which(program, path=search_path())
    assert found, f"{program} is not in this environment"
    names = given(hook, files) if hook.get("pass_filenames", True) else []
    assert names or not hook.get("pass_filenames", True)
    return subprocess.run([found, *words, *names], cwd=cwd, capture_output=True, text=True, check=False)


def search_path():
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HOOKS if name != "notebooks"])
def test_the_hook_passes_on_the_whole_repository(name):
    done = run(HOOKS[name], tracked())
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hook_for_notebooks_runs_tests_that_are_there():
    program, *words = shlex.split(HOOKS["notebooks"]["entry"])
    assert [program, *words[:2]] == ["python", "-m", "pytest"]
    assert (paths.ROOT / words[-1]).exists()


def test_no_hook_downloads_anything():
    assert {repository["repo"] for repository in CONFIG["repos"]} == {"local"}
    assert {hook["language"] for hook in HOOKS.values()} == {"system"}
    programs = {shlex.split(hook["entry"])[0] for hook in HOOKS.values()} - {"python", "bash"}
    entries = {point.name for point in importlib.metadata.entry_points(group="console_scripts")}
    assert programs <= entries | {"ruff"}  # ruff is a program of its package, not an entry point


WRONG = {
    "ruff-check": ("wrong.py", "import os\n"),
    "ruff-format": ("wrong.py", "x = {  'a':1 }\n"),
    "nbstripout": (
        "wrong.ipynb",
        '{"cells": [], "metadata": {"papermill": {"duration": 1.5}}, "nbformat": 4, "nbformat_minor": 5}\n',
    ),
    "codespell": ("wrong.md", "The two arms are seperate.\n"),  # codespell:ignore seperate
    "shell": ("wrong.sh", "if true; then\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_the_hook_finds_what_it_is_there_for(name, tmp_path):
    file, text = WRONG[name]
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert run(HOOKS[name], [Path(file)], cwd=tmp_path).returncode != 0


WORKFLOW = (paths.ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_the_workflow_does_what_the_script_of_ci_does():
    script = (paths.ROOT / ".ci" / "run").read_text(encoding="utf-8")
    steps = [step["run"] for step in yaml.safe_load(WORKFLOW)["jobs"]["everything"]["steps"] if "run" in step]
    assert "bash .ci/run" in steps
    packages = re.compile(r"--no-install-recommends ([a-z0-9 -]+)")
    assert packages.search("\n".join(steps))[1].split() == packages.search(script)[1].split()


def test_the_workflow_tests_every_python_that_the_package_admits():
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first, end = (int(minor) for minor in re.findall(r"[>=<]3\.(\d+)", project["requires-python"]))
    named = [(paths.ROOT / ".python-version").read_text().strip()]
    named += yaml.safe_load(WORKFLOW)["jobs"]["newer"]["strategy"]["matrix"]["python"]
    assert named == [f"3.{minor}" for minor in range(first, end)]


def test_actions_are_pinned_by_commit():
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert len(used) >= 7
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)
