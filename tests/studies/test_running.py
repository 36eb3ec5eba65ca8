"""The study of running trials: its worlds by theory, and a rerun of its first trials."""

import numpy as np
import pytest

from attrition import seeds
from attrition.running import remaining
from attrition.studies import running


@pytest.mark.parametrize("world", [w for worlds in running.WORLDS.values() for w in worlds])
def test_worlds_have_their_share_that_leaves(world):
    drawn = [running.drawn(world, seeds.stream(3, world, k)) for k in range(60)]
    left = np.mean([(one["cause"] == remaining.LEFT).mean() for one in drawn])
    expected = 0.5 if world == "half leave" else running.LEAVE
    assert left == pytest.approx(expected * (1 - running.COMPETE / 2), abs=0.025)


def test_hazards_have_the_shapes_that_their_worlds_say():
    peak, early, late = (running.hazard(world) for world in ("peak", "early", "late"))
    assert peak[40] / peak[10] == pytest.approx(3)
    assert peak[100] / peak[10] == pytest.approx(0.8)
    assert early[0] > early[100] > early[-1]
    assert late[0] < late[100] < late[-1]
    for rate in (peak, early, late):
        assert -np.expm1(-rate.sum()) == pytest.approx(running.LEAVE)


def test_the_cut_of_a_fraction_knows_no_outcome():
    known = running.drawn("constant", np.random.default_rng(1))
    cut = running.informed(known, 0.4, running.H)
    assert running.informed(known.assign(cause=0, day=np.nan), 0.4, running.H) == cut
    u = np.clip((cut - known["start"]).dt.days + 1, 0, running.H).sum()
    assert u >= 0.4 * running.N * running.H > u - running.N
