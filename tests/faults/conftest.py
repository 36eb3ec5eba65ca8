import tempfile
from pathlib import Path

import pytest

from tests.faults.toy import Toy


@pytest.fixture
def short_folder():
    """A folder with a path short enough for sockets, however deep the tests run."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """One scratch checkout for all tests that leave it as it is."""
    return Toy.make(tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("t"))


@pytest.fixture
def toy(checkout, short_folder):
    """The shared checkout with a TMPDIR of the test's own."""
    return Toy(checkout.folder, short_folder)


@pytest.fixture
def own_toy(tmp_path, short_folder):
    """A checkout that the test may change."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    return Toy.make(folder, short_folder)


@pytest.fixture(scope="session")
def undisturbed(checkout, tmp_path_factory):
    """Output folder of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done = checkout.run("--out", out)
    assert done.returncode == 0, done.stderr
    return out
