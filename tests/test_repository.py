"""The lists of packages agree, the script is short, the notebooks are clean."""

import ast
import json
import re
import subprocess
import tomllib

import pytest
import yaml

import attrition
from attrition import environment, paths
from notebook_report import driver, sources

LIBRARY = paths.ROOT / "lib" / "attrition"

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements):
    return {environment.normal(re.split(r"[\s;<>=\[]", line)[0]) for line in requirements}


def locked():
    lines = paths.LOCK.read_text(encoding="utf-8").splitlines()
    return {environment.normal(m[1]) for m in map(environment.PIN.match, lines) if m}


def test_environment_yml_points_to_the_lock_and_to_the_same_python():
    conda = yaml.safe_load((paths.ROOT / "environment.yml").read_text(encoding="utf-8"))
    version = (paths.ROOT / ".python-version").read_text(encoding="utf-8").strip()
    assert f"python={version}" in conda["dependencies"]
    pip = next(item["pip"] for item in conda["dependencies"] if isinstance(item, dict))
    assert pip == ["--require-hashes", "-r requirements.lock"]


def test_every_package_that_the_project_names_is_locked(project):
    wanted = names(project["dependencies"]) | names(project["optional-dependencies"]["dev"])
    assert wanted <= locked()


def test_the_users_packages_are_there(project):
    fixed = (
        "jupyter papermill nbconvert pandas seaborn matplotlib scikit-learn xgboost lightgbm imbalanced-learn mlflow"
    )
    assert {*fixed.split(), "imbalanced-learn", "mlflow"} <= names(project["dependencies"])


PROGRAMS = {"jupyter", "setuptools", "uv"}
"""What is declared to be run, not to be imported."""


@pytest.mark.slow
def test_every_declared_package_is_imported(project):
    texts = [path.read_text(encoding="utf-8") for path in (paths.ROOT / "lib").rglob("*.py")]
    for path in paths.NOTEBOOKS.glob("*.ipynb"):
        texts += [text for kind, text, _ in sources.cells(path.read_bytes()) if kind == "code"]
    taken = set().union(*(sources.imports(text)[1] for text in texts))
    used = {
        driver.CALLED.get(module, environment.normal(module)) for module in (name.partition(".")[0] for name in taken)
    }
    declared = {name.removesuffix("-cpu") for name in names(project["dependencies"])}
    assert declared - used == PROGRAMS


def test_the_lock_is_hashed_and_names_no_registry():
    text = paths.LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    blocks = re.split(r"(?m)^(?=\S)", text)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


def test_python_versions_agree(project):
    assert project["requires-python"] == ">=3.11.5,<3.14"
    assert environment.interpreter_problem((3, 11, 4))
    assert not environment.interpreter_problem((3, 11, 5))
    assert not environment.interpreter_problem((3, 13, 9))
    assert environment.interpreter_problem((3, 14, 0))


def test_run_all_is_short_and_parses():
    script = paths.ROOT / "run_all.sh"
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    newer = r"declare -A|mapfile|readarray|\$\{[a-z]+\^|\$\{[a-z]+,|&>>|\|&|\[\[ -v "
    assert not re.search(newer, script.read_text(encoding="utf-8")), "not in macOS's bash 3.2"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_committed_without_outputs_and_without_machinery(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    prose = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    text = "\n".join("".join(cell["source"]) for cell in code)
    defined = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert not defined, "a notebook that defines functions is asking for a new home for them"
    assert "filterwarnings" not in text
    assert "sys.path" not in text
    titles = [line for cell in prose for line in "".join(cell["source"]).splitlines() if line.startswith("# ")]
    assert len(titles) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_parameter_cells_hold_only_what_the_run_fills_in(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assigned = {node.targets[0].id for node in ast.parse("".join(tagged[0]["source"])).body}
    assert {"profile", "seed"} <= assigned <= {"profile", "seed", "trial"}


def rooms():
    """Modules and packages of the library in the order in which its docstring lists them."""
    listed = re.findall(r"(?m)^    ([a-z, ]+?)  ", attrition.__doc__)
    return [name for line in listed for name in line.split(", ")]


def imported_rooms(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "attrition":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("attrition."):
            yield node.module.split(".")[1]


def test_the_library_has_the_rooms_that_its_docstring_lists():
    found = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(rooms()) == sorted(found - {"__init__", "__main__"})


@pytest.mark.parametrize("room", rooms())
def test_no_room_imports_from_one_that_is_listed_after_it(room):
    place, order = LIBRARY / room, rooms()
    paths_ = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    for path in paths_:
        late = set(imported_rooms(path)) & set(order[order.index(room) + 1 :])
        assert not late, f"{path.relative_to(LIBRARY)} imports {', '.join(sorted(late))}"


@pytest.mark.slow
def test_the_walks_through_the_code_name_what_is_there():
    text = (paths.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    walks = text.partition("## Three walks through the code")[2].partition("\n## ")[0]
    assert len(re.findall(r"(?m)^\d+\. ", walks)) == 30
    known = set()
    for path in LIBRARY.parent.rglob("*.py"):
        module = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
        words = re.findall(r"\w+", path.read_text(encoding="utf-8"))
        known |= {f".{module}", *(f".{module.removesuffix('.__init__')}.{word}" for word in words)}
        known.add(f".{module.removesuffix('.__init__')}")
    named = re.findall(r"`((?:[a-z_]+\.)+[A-Za-z_]+)(?=[`(])", walks)
    files = (".py", ".json", ".html", ".yaml", ".md")
    lost = [name for name in named if not name.endswith(files) and not any(k.endswith(f".{name}") for k in known)]
    assert not lost
    assert len(named) > 30
