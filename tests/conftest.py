"""What every test starts from."""

import pytest

import attrition  # noqa: F401  (it tells what project this is)
from notebook_report import project


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


def pytest_collection_modifyitems(items):
    """Files that take longest come first, so that no worker is left alone with one of them at the end."""
    longest: dict = {}
    for item in items:
        own = [mark.args[0] for mark in item.iter_markers("timeout")] + [int("slow" in item.keywords)]
        longest[item.path] = max(longest.get(item.path, 0), *own)
    items.sort(key=lambda item: -longest[item.path])
