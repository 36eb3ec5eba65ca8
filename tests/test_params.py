"""Unknown keys are errors."""

import pytest
import yaml

from attrition import params, paths


@pytest.fixture
def edited(tmp_path):
    """Write ``params.yaml`` with changes, return its path."""

    def write(change):
        content = yaml.safe_load(paths.PARAMS.read_text(encoding="utf-8"))
        change(content)
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def test_both_profiles_resolve():
    full, quick = params.read("full"), params.read("quick")
    assert full["08_monitoring"].null_batches > quick["08_monitoring"].null_batches
    assert full["seed"] == quick["seed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(sed=1), "unknown key 'sed'; did you mean 'seed'"),
        (lambda c: c["08_monitoring"].update(null_batch=1), "unknown key 'null_batch'; did you mean 'null_batches'"),
        (lambda c: c["profiles"]["quick"].update({"08_monitorin": {}}), "did you mean '08_monitoring'"),
        (lambda c: c["08_monitoring"].pop("permutations"), "08_monitoring: key 'permutations' is missing"),
        (lambda c: c["08_monitoring"].update(permutations="many"), "08_monitoring.permutations: expected int, found"),
        (lambda c: c.update(seed=True), "seed: expected int"),
    ],
)
def test_what_the_study_does_not_know_is_refused(edited, change, message):
    with pytest.raises(params.ParamsError, match=message):
        params.read("quick", edited(change))


def test_an_unknown_profile_is_refused():
    with pytest.raises(params.ParamsError, match="did you mean 'quick'"):
        params.read("quik")
