import pytest

from tests.faults.toy import Toy


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """One scratch checkout for all tests that leave it as it is."""
    return Toy.make(tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("t"))


@pytest.fixture
def toy(checkout, tmp_path):
    """The shared checkout with a TMPDIR of the test's own."""
    temporary = tmp_path / "t"
    temporary.mkdir()
    return Toy(checkout.folder, temporary)


@pytest.fixture
def own_toy(tmp_path):
    """A checkout that the test may change."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    return Toy.make(folder, tmp_path / "t")


@pytest.fixture(scope="session")
def undisturbed(checkout, tmp_path_factory):
    """Output folder of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done = checkout.run("--out", out)
    assert done.returncode == 0, done.stderr
    return out
