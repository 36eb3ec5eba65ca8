"""Checklists: complete, linked or openly not done."""

import json
import re
from pathlib import Path

import pytest

from attrition import paths
from attrition.evaluation import checklist

TRIPOD = (
    "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15 16 17 "
    "18a 18b 18c 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c"
)
PROBAST = "1.1 1.2 2.1 2.2 2.3 3.1 3.2 3.3 3.4 3.5 3.6 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9"


def test_all_items_of_tripod_ai_are_there_in_order():
    assert [entry["item"] for entry in checklist.items("tripod_ai")] == TRIPOD.split()


def test_all_items_of_probast_are_there_and_those_that_ai_adds():
    found = [entry["item"] for entry in checklist.items("probast_ai")]
    assert found[:20] == PROBAST.split()
    assert all(item.startswith("+AI") for item in found[20:])


def _ids_of_the_book():
    found = {f"ch-{path.name[:2]}" for path in paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")}
    for path in paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            found |= set(re.findall(r"id=\"((?:fig|tbl|finding)-[a-z0-9-]+)\"", "".join(cell["source"])))
    return found


@pytest.mark.parametrize("name", checklist.NAMES)
def test_every_link_leads_somewhere(name):
    anchors = {anchor for entry in checklist.items(name) for anchor in entry.get("anchors", ())}
    assert anchors <= _ids_of_the_book()


@pytest.mark.parametrize("name", checklist.NAMES)
def test_every_item_has_a_link_or_a_reason(name):
    for entry in checklist.items(name):
        told = {"reason"} if entry["state"] == "not done" else {"shows", "anchors"}
        assert set(entry) == {"item", "topic", "state"} | told
        assert entry["state"] in checklist.STATES
        assert all(str(value).strip(" []") for value in entry.values())


@pytest.mark.parametrize("name", checklist.NAMES)
def test_what_is_not_done_is_visible(name):
    lines = checklist.markdown(name).splitlines()[2:]
    for entry, line in zip(checklist.items(name), lines, strict=True):
        assert ("**not done:**" in line) == (entry["state"] == "not done")
        assert ("](#" in line) == (entry["state"] != "not done")
    assert Path(checklist.__file__).with_name("checklist.yaml").exists()
