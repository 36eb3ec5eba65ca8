"""Order of the chapters."""

import pytest

from notebook_report import project


def test_every_chapter_has_a_notebook_and_every_notebook_is_a_chapter():
    on_disk = {path.stem for path in project.notebooks().glob("*.ipynb")}
    assert on_disk == {chapter.name for chapter in project.current.chapters}


def test_needs_come_first():
    seen = set()
    for chapter in project.in_order(project.current.chapters):
        assert seen.issuperset(chapter.needs)
        seen.add(chapter.name)
    assert project.in_order(project.current.chapters)[-1].name == "00_findings"


@pytest.mark.parametrize(
    "name", ["03", "03_feature_ablation", "feature_ablation", "notebooks/03_feature_ablation.ipynb"]
)
def test_a_chapter_is_found_by_any_of_its_names(name):
    assert project.find(name).name == "03_feature_ablation"


def test_a_misspelt_chapter_is_refused_with_a_suggestion():
    with pytest.raises(project.UnknownChapter, match="did you mean 'modelling'"):
        project.find("modeling")


def test_dependants_follow_the_arrows():
    names = [c.name for c in project.dependants(project.find("04"))]
    assert names[0] == "04_modelling"
    assert "05_evaluation" in names
    assert names[-1] == "00_findings"
    assert "06_real_trial" not in names


def test_the_longest_way_starts_first():
    seconds = {c.name: 1.0 for c in project.current.chapters}
    way = project.longest_way(project.current.chapters, seconds)
    assert way["00_findings"] == 1.0
    assert way["01_generation"] == 5.0
    assert way["01_generation"] > way["06_real_trial"] > way["07_time_to_dropout"]


def test_what_chapters_need_comes_along_and_a_readers_own_data_have_theirs():
    assert [c.name for c in project.with_needs([project.find("10")])] == ["06_real_trial", "10_worth"]
    assert [c.name for c in project.with_needs([project.find("07")])] == ["07_time_to_dropout"]
    own = ["06_real_trial", "07_time_to_dropout", "09_running_trial", "10_worth"]
    assert [c.name for c in project.on_own_data()] == own
