"""Sentences are tested on the three published models, whatever else the registry holds."""

import pytest

from attrition import models
from attrition.evaluation import appraisal, figure_readings


@pytest.fixture(autouse=True)
def published_models(monkeypatch):
    monkeypatch.setattr(appraisal, "FITTED", models.PUBLISHED)
    monkeypatch.setattr(figure_readings, "FITTED", models.PUBLISHED)
