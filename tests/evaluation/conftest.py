"""Facts are tested on the three published models, whatever else the registry holds."""

import pytest

from attrition import models


@pytest.fixture(autouse=True)
def published_models(monkeypatch):
    monkeypatch.setattr(models, "FITTED", models.PUBLISHED)
