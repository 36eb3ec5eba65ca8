"""Sources of the report: every entry leads somewhere, and whatever a docstring cites is among them."""

import re

import pytest
import yaml

from attrition import paths

LISTED = yaml.safe_load((paths.NOTEBOOKS / "references.yaml").read_text(encoding="utf-8"))
YEAR = re.compile(r"(?:18|19|20)[0-9]{2}")
DOI = r"10\.\d{4,9}/[\w.()/:;<>-]+"


def cited():
    """Blocks of text under the heading References in the docstrings of the library."""
    for path in sorted((paths.ROOT / "lib").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"References\n\s+-{5,}\n(.*?)(?:\n\s*\n|\"\"\")", text, re.DOTALL):
            yield path.name, " ".join(block.split())


def test_whatever_a_docstring_cites_is_in_the_list():
    blocks = list(cited())
    assert len(blocks) > 20
    for name, block in blocks:
        for year in YEAR.findall(block):
            known = [entry["authors"] for entry in LISTED if year in YEAR.findall(entry["where"])]
            first = [re.split(r" [A-Z]{1,4}\b", authors)[0] for authors in known]
            assert any(surname in block for surname in first), (name, year, block)


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: f"{entry['authors'][:12]} {entry['title'][:20]}")
def test_every_entry_leads_somewhere(entry):
    assert {"authors", "title", "where"} < set(entry) <= {"authors", "title", "where", "doi", "address"}
    assert ("doi" in entry) != ("address" in entry)
    assert re.fullmatch(DOI, entry.get("doi", "10.1000/none"))
    assert re.fullmatch(r"https://[\w./%-]+", entry.get("address", "https://none.org"))


def test_no_entry_stands_twice_and_the_judged_documents_come_first():
    for key in ("title", "doi", "address"):
        values = [entry[key].lower() for entry in LISTED if key in entry]
        assert len(set(values)) == len(values), key
    assert [entry["authors"] for entry in LISTED[:3]] == ["Jayasudhandesigner", "argo3997", "CDISC"]
