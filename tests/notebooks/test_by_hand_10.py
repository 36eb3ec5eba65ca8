"""What chapter 10 does by hand against the library: the prior, completers gained, and the identity of net benefit."""

import types

import numpy as np
import pandas as pd
import pytest

import notebook_report as report
from attrition import params
from attrition.worth import analysis, model, strategies
from tests.notebooks import cells


@pytest.fixture(scope="module")
def by_hand(pilot):
    p = params.load("10_worth", "quick")
    given = {"np": np, "pd": pd, "report": report, "strategies": strategies, "model": model, "study": pilot, "p": p}
    return cells.run("10", "hand", found=types.SimpleNamespace(main=28), **given)


def test_the_prior_by_hand_is_the_librarys(by_hand):
    prior = model.prior()
    assert by_hand["mean"] == pytest.approx(prior["mean"])
    assert by_hand["sd"] == pytest.approx(prior["sd"])
    assert "0.905 (0.70 to 1.17)" in by_hand["said"]


def test_completers_gained_by_hand_are_the_librarys(by_hand):
    own = by_hand["own"]
    everybody = strategies.Strategy("everybody", np.zeros((len(own.ids), 1)))
    found = analysis.at_ratio(own, everybody, by_hand["H"], by_hand["p"].delta)
    assert by_hand["more"] == pytest.approx(found["completers"], abs=1e-9)


def test_worth_is_net_benefit(by_hand):
    assert by_hand["by_counts"] == pytest.approx(by_hand["by_curve"], abs=1e-9)
