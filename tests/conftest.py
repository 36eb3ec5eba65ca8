"""What every test starts from."""

import gc

import pytest

import attrition  # noqa: F401  (it tells what project this is)
from notebook_report import project

gc.disable()  # while modules are imported: of what they leave nothing is garbage, and looking for it takes long


@pytest.fixture(scope="session")
def pilot():
    """The pilot trial, read once; who changes it changes a copy."""
    from attrition import cdisc

    return cdisc.load("pilot")


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch):
    """As outside a notebook: no profile yet, no command of a user's; what a test sets is put back."""
    monkeypatch.setattr(project.current, "profile", None)
    monkeypatch.delenv("ATTRITION_COMMAND", raising=False)


SLOW_EXAMPLES = {"cdisc.load", "claims.load", "running.projection.project", "trials.load"}
"""Examples in docstrings that no decorator can mark."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Files that take longest come first, so that no worker is left alone with one of them at the end."""
    longest: dict = {}
    for item in items:
        if item.name.removeprefix("attrition.") in SLOW_EXAMPLES:
            item.add_marker("slow")
        own = [mark.args[0] for mark in item.iter_markers("timeout")] + [int("slow" in item.keywords)]
        longest[item.path] = max(longest.get(item.path, 0), *own)
    items.sort(key=lambda item: -longest[item.path])


def pytest_collection_finish():
    """What was imported and collected stays; from here on only what tests make is looked through."""
    gc.freeze()
    gc.enable()
