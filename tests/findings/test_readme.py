"""Pages of the repository that repeat results are as the committed results have them."""

import contextlib
import io
import re

import pytest

from attrition import __main__ as command
from attrition import paths
from attrition.findings import readme


@pytest.mark.parametrize("name", readme.GENERATED)
def test_the_page_is_as_the_committed_results_and_notebooks_have_it(name):
    path, _ = readme.GENERATED[name]
    assert path.read_text(encoding="utf-8") == readme.page(name), "run: python -m attrition readme"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the README whose findings were edited by hand."""
    path, make = readme.GENERATED["findings"]
    copy = tmp_path / "README.md"
    copy.write_text(path.read_text(encoding="utf-8").replace("- **", "- I think: **", 1), encoding="utf-8")
    monkeypatch.setattr(readme, "GENERATED", {"findings": (copy, make)})
    return copy


def test_an_edited_page_is_told_and_mended_and_the_rest_is_left_alone(copied, capsys):
    assert command.main(["readme", "--check"]) == 1
    assert "I think" in copied.read_text(encoding="utf-8")
    assert command.main(["readme"]) == 0
    assert command.main(["readme", "--check"]) == 0
    before, _, rest = (paths.ROOT / "README.md").read_text(encoding="utf-8").partition("<!-- findings: ")
    after = rest.partition("<!-- end of findings -->")[2]
    assert copied.read_text(encoding="utf-8").startswith(before)
    assert copied.read_text(encoding="utf-8").endswith(after)
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("findings: not as in reports/results")
    assert told[1:] == ["findings: brought up to date", "all up to date"]


def test_a_page_without_its_comments_is_refused(copied):
    copied.write_text("# Attrition\n", encoding="utf-8")
    with pytest.raises(ValueError, match="one pair of comments"):
        readme.page("findings")


def test_findings_turn_with_the_results(monkeypatch):
    before = readme.findings()
    monkeypatch.setattr(readme.paragraphs, "front_page", lambda *given: [])
    assert readme.findings() == ""
    assert [line.startswith("- **") and len(line.split()) < 50 for line in before.splitlines()] == [True] * 6


def test_readme_is_short_and_its_links_lead_somewhere():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    first = text.partition("## What came out")[0]
    assert len(first.split()) <= 250
    assert first.count("```") == 2
    for page in ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (paths.ROOT / "docs").glob("*.md"))):
        place = paths.ROOT / page
        for target in re.findall(r"\]\(([^)#\s]+)", place.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (place.parent / target).exists(), f"{page}: {target}"


def test_the_library_alone_does_what_the_readme_prints():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    lines, printed = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL).groups()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(lines, "README.md", "exec"), {})
    assert said.getvalue() == printed
    assert len([line for line in lines.splitlines() if line and "import" not in line]) <= 5
