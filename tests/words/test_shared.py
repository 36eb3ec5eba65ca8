"""What more than one chapter says follows the numbers."""

import pytest

from notebook_report.said import said

REST = (
    ": in simulated trials of 229 patients with these predictions, the true risk being known, they held all true "
    "differences at once in a share of {}. The models are held fixed in this: bands and coverage speak of other "
    "patients, not of models developed again."
)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.949, 0.951, "as they should, as far as 100 trials can tell"),
        (0.95, 0.95, "as they should, as far as 100 trials can tell"),
        (0.8, 0.949, "less than they should"),
        (0.951, 0.99, "more than they should"),
    ],
)
def test_the_bands_cover_as_their_interval_says(low, high, words):
    held = {"value": 0.9, "ci_low": low, "ci_high": high}
    made = said("bands_cover", {"held": held, "n_trials": 100, "n_patients": 229, "risk": "known"})
    assert made == f"The bands cover {words}" + REST.format(f"0.900 ({low:.3f} to {high:.3f})")


def test_nothing_is_said_of_bands_that_are_not_there():
    assert said("bands_cover", {"held": None}) == ""
