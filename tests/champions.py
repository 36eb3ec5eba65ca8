"""A champion registered as chapter 08 does it, in a store of its own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from attrition import paths, registry, simulate
from attrition.score import Scorer
from notebook_report import results

REFITS = 20
"""Bootstrap refits behind an interval: enough to have one."""


@contextlib.contextmanager
def registered(out: Path) -> Iterator[Scorer]:
    """Train and register logistic regression with `out` as output folder; ends with the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRITION_OUT", str(out))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        trial = simulate.published_trial()
        data = results.publish(paths.raw() / "trial.csv", simulate.csv_text(trial))
        scorer = registry.train("lr", trial, data, REFITS, 42)
        scorer.save(registry.folder())
        assert registry.register(registry.folder())
        yield scorer
