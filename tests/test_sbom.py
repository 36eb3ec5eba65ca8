"""What is shipped: its lock, its bill of materials, its licences, and the actions of CI."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml

from attrition import environment, paths, registry, simulate
from benchmarks import sbom
from notebook_report import results

FULL = paths.ROOT / "requirements.lock"
ENTRY = re.compile(r"^([A-Za-z0-9._-]+==\S+)(?: ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.M)
of_the_image = pytest.mark.skipif(
    (sys.platform, sys.version_info[:2]) != ("linux", (3, 11)), reason="the image is Linux with Python 3.11"
)
NOT_SERVING = {"jupyter", "papermill", "pytest", "dvc", "mlflow", "matplotlib", "notebook", "nbconvert", "distributed"}


def locked(path):
    """Package with version to its hashes."""
    return {name: set(re.findall("[0-9a-f]{64}", hashes)) for name, hashes in ENTRY.findall(path.read_text())}


def test_the_lock_of_the_image_is_a_part_of_the_whole_with_the_same_hashes():
    part, whole = locked(sbom.LOCK), locked(FULL)
    assert len(part) == len(re.findall("^[a-z]", sbom.LOCK.read_text(), re.M)) > 30
    assert {name: hashes for name, hashes in part.items() if whole.get(name) != hashes} == {}
    assert not NOT_SERVING & environment.pins(sbom.LOCK).keys()


@of_the_image
def test_bill_and_list_are_up_to_date(capsys):
    assert sbom.main(["--check"]) == 0, capsys.readouterr().out


@of_the_image
def test_the_bill_names_every_package_once_with_a_licence_and_what_it_needs():
    bill = json.loads(sbom.BILL.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    told = {one["name"]: one["version"] for one in bill["components"]}
    assert told == environment.pins(sbom.LOCK)
    refs = [one["bom-ref"] for one in bill["components"]] + [bill["metadata"]["component"]["bom-ref"]]
    assert len(refs) == len(set(refs))
    assert sorted(one["ref"] for one in bill["dependencies"]) == sorted(refs)
    assert {needed for one in bill["dependencies"] for needed in one["dependsOn"]} < set(refs)
    for one in bill["components"]:
        ((kind, stated),) = one["licenses"][0].items()
        assert one["purl"] == one["bom-ref"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert re.fullmatch(r"[A-Za-z0-9. ()+-]+", stated["id"] if kind == "license" else stated)
        assert not re.search(r"A?GPL", str(stated)), one["name"]


ALONE = """
import sys
from importlib import metadata

known, allowed = metadata.packages_distributions(), set(sys.argv[2:])


class Only:
    def find_spec(self, name, path=None, target=None):
        given = {one.lower().replace("_", "-") for one in known.get(name.partition(".")[0], ())}
        if given and not given & allowed:
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Only())
import json
from attrition import registry
from attrition.registry import app
import lightgbm, xgboost

scorer = registry.load(sys.argv[1])
print(scorer.answer(*app.read(json.dumps({"dataframe_records": [registry.SERVED["example"]]}).encode())).size)
print("mlflow" in sys.modules)
"""


@pytest.mark.slow
@of_the_image
def test_the_server_answers_with_the_packages_of_its_lock_alone(tmp_path):
    trial = simulate.published_trial()
    data = results.publish(tmp_path / "trial.csv", simulate.csv_text(trial))
    registry.train("lr", trial, data, 5, 42).save(tmp_path / "champion")
    words = [sys.executable, "-c", ALONE, str(tmp_path / "champion"), "attrition", *environment.pins(sbom.LOCK)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout.split() == ["8", "False"], done.stderr


def test_a_package_without_a_licence_is_told():
    silent = SimpleNamespace(name="silent", metadata={}, files=[])
    with pytest.raises(SystemExit, match="silent: no licence that is known"):
        sbom.licence(silent)


def steps():
    for path in (paths.ROOT / ".github" / "workflows").glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            yield from job["steps"]


def test_actions_are_pinned_by_commit_and_leave_no_credentials():
    used = [step for step in steps() if "uses" in step]
    assert len(used) >= 6
    for step in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
