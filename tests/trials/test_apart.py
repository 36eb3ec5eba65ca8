"""Two studies whose folders have one name keep their results apart."""

import pandas as pd
import pytest

from attrition import trials
from attrition.trials.mapping import MappingError
from tests.cdisc import folders


def study(place, name="T1"):
    """A folder called ``sdtm`` of a study."""
    folder = place / "sdtm"
    folder.mkdir(parents=True)
    rows = [
        folders.record(p, folders.LEFT if i < 4 else "COMPLETED", 40 if i < 4 else 180)
        for i, p in enumerate(folders.ids(12))
    ]
    return folders.sdtm(folder, rows, STUDYID=name)


def named(folder):
    return trials.named([str(folder)])


def test_another_study_of_the_same_name_is_refused(tmp_path):
    out = tmp_path / "trial-sdtm"
    trials.register(named(study(tmp_path / "a")), out)
    before = trials.registered(out)
    other = study(tmp_path / "b", "T2")
    with pytest.raises(MappingError, match=r"sdtm: trial-sdtm holds the results of another study .* --out"):
        trials.register(named(other), out)
    assert trials.registered(out) == before
    trials.register(named(other), tmp_path / "elsewhere")


def test_a_later_delivery_of_a_study_is_the_same_study(tmp_path):
    out = tmp_path / "trial-sdtm"
    first = study(tmp_path / "a")
    trials.register(named(first), out)
    later = study(tmp_path / "b")
    dm = pd.read_csv(later / "dm.csv", dtype="str")
    dm.assign(AGE="61").to_csv(later / "dm.csv", index=False)
    trials.register(named(later), out)
    assert trials.registered(out)[0].place == str(later.resolve())
    dm.assign(STUDYID="T2").to_csv(later / "dm.csv", index=False)
    trials.register(named(later), out)


TABLE = '[columns]\nid = "id"\nevent_day = "day"\nevent = "left"\n[design]\nhorizon = 100\n'


@pytest.mark.parametrize(("last", "refused"), [("1,1", False), ("2,1", True)])
def test_tables_of_one_name_are_told_apart_by_their_content(tmp_path, last, refused):
    rows = [f"{i},{30 + i},{i % 2}" for i in range(12)]
    for place, end in (("a", "12,1,1"), ("b", f"12,{last}")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "t.csv").write_text("\n".join(["id,day,left", *rows, end]))
        (tmp_path / place / "t.toml").write_text(TABLE)
    trials.register(named(tmp_path / "a" / "t.csv"), tmp_path / "out")
    if refused:
        with pytest.raises(MappingError, match="another study"):
            trials.register(named(tmp_path / "b" / "t.csv"), tmp_path / "out")
    else:
        trials.register(named(tmp_path / "b" / "t.csv"), tmp_path / "out")
