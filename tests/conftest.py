"""What every test starts from."""

import pytest

from attrition import paths


@pytest.fixture(autouse=True)
def no_notebook(monkeypatch):
    """As outside a notebook: no profile yet, no command of a user's; what a test sets is put back."""
    monkeypatch.setattr(paths, "profile", None)
    monkeypatch.delenv("ATTRITION_COMMAND", raising=False)
