"""Every format gives the trial that CSV gives; what is cut short, unsound or of another kind is refused."""

import gzip
import io
import json
import zipfile

import pandas as pd
import pyreadstat
import pytest

from attrition import cdisc
from attrition.cdisc import files
from attrition.cdisc.sources import CdiscError, Source, open_source
from attrition.contract.strict import ContractError

from . import folders

LEFT = {2: 40, 5: 90, 6: 20}
"""Patients who leave, and their days."""


def tables():
    """DM, DS and AE of twelve patients as text and numbers, an arm called NA among them."""
    dispositions = [
        folders.record(patient, folders.LEFT if i in LEFT else folders.COMPLETED, LEFT.get(i, 180))
        for i, patient in enumerate(folders.ids(12), 1)
    ]
    dm = pd.DataFrame({"STUDYID": "T1", "USUBJID": folders.ids(12), "SITEID": "01", "ARM": ["NA", "B"] * 6})
    ae = pd.DataFrame({"USUBJID": folders.ids(12), "AESEQ": 1.0, "AEDECOD": "Ache", "AEDTC": "2020-01-20"})
    dm = dm.assign(RFSTDTC="2020-01-01", AGE=[50.0 + i for i in range(12)])
    ds = pd.DataFrame(dispositions)[["USUBJID", "DSCAT", "DSDECOD", "DSSTDTC"]]
    return {"dm": dm, "ds": ds, "ae": ae}


def dataset_json(name, frame, **changes):
    """A data set of Dataset-JSON 1.1 as an object."""
    kinds = ["double" if pd.api.types.is_numeric_dtype(frame[c]) else "string" for c in frame]
    columns = [{"itemOID": f"IT.{c}", "name": c, "label": c, "dataType": k} for c, k in zip(frame, kinds, strict=True)]
    head = {"datasetJSONVersion": "1.1.0", "itemGroupOID": f"IG.{name}", "name": name, "records": len(frame)}
    rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return head | {"columns": columns} | changes | {"rows": rows}


def lines_of(dataset):
    """Lines of a data set as ndjson."""
    return [{key: value for key, value in dataset.items() if key != "rows"}, *dataset["rows"]]


def nested_json(name, frame):
    """The same in the shape of version 1.0."""
    flat = dataset_json(name, frame)
    items = [{"OID": c["itemOID"], "name": c["name"], "label": "", "type": c["dataType"]} for c in flat["columns"]]
    group = {"records": flat["records"], "name": name, "label": "", "items": items, "itemData": flat["rows"]}
    return {"fileOID": "x", "clinicalData": {"studyOID": "x", "itemGroupData": {f"IG.{name}": group}}}


def objects(frame):
    """Text as the writers of statistics packages want it."""
    return frame.astype({c: object for c in frame if pd.api.types.is_string_dtype(frame[c])})


def partitioned(frame, path):
    """A folder of parts, by arm, one of them without arm in its content."""
    for arm, part in frame.groupby("ARM") if "ARM" in frame else [("", frame)]:
        place = path / f"ARM={arm}" if arm else path
        place.mkdir(parents=True)
        part.drop(columns="ARM", errors="ignore").to_parquet(place / "part-0.parquet")
        (place / "_SUCCESS").touch()


def r_csv(frame, path):
    """As R's write.csv has it: row names, quoted text, bare NA."""
    cells = frame.map(lambda cell: f'"{cell}"' if isinstance(cell, str) else "NA" if cell != cell else f"{cell:g}")
    lines = [",".join(['""', *(f'"{c}"' for c in frame)])]
    lines += [f'"{i}",' + ",".join(row) for i, row in enumerate(cells.to_numpy().tolist(), 1)]
    path.write_text("\n".join(lines) + "\n")


WRITERS = {
    "dm.csv": lambda f, p: f.to_csv(p, index=False),
    "dm.csv.gz": lambda f, p: f.to_csv(p, index=False),
    "R/dm.csv": r_csv,
    "dm.json": lambda f, p: p.write_text(json.dumps(dataset_json(p.stem, f))),
    "1.0/dm.json": lambda f, p: p.write_text(json.dumps(nested_json(p.stem, f))),
    "dm.ndjson": lambda f, p: p.write_text("\n".join(map(json.dumps, lines_of(dataset_json(p.stem, f))))),
    "dm.parquet": lambda f, p: f.to_parquet(p),
    "index/dm.parquet": lambda f, p: f.set_index("USUBJID").to_parquet(p),
    "parts/dm.parquet": partitioned,
    "categories/dm.parquet": lambda f, p: f.astype(dict.fromkeys(f.select_dtypes("str"), "category")).to_parquet(p),
    "5/dm.xpt": lambda f, p: pyreadstat.write_xport(objects(f), str(p), file_format_version=5, table_name=p.stem),
    "8/DM.XPT": lambda f, p: pyreadstat.write_xport(objects(f), str(p), file_format_version=8, table_name=p.stem),
    "dm.dta": lambda f, p: pyreadstat.write_dta(objects(f), str(p)),
    "dm.sav": lambda f, p: pyreadstat.write_sav(objects(f), str(p)),
    "dm.zsav": lambda f, p: pyreadstat.write_sav(objects(f), str(p), compress=True),
}


def written(kind, folder, changes=lambda name, frame: frame):
    """The twelve patients in one format."""
    folder.mkdir(exist_ok=True)
    for name, frame in tables().items():
        file = kind.rpartition("/")[2].replace("dm", name).replace("DM", name.upper())
        WRITERS[kind](changes(name, frame), folder / file)
    return folder


def archive(folder, path, inside=""):
    """A zip of a folder."""
    with zipfile.ZipFile(path, "w") as made:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                made.write(file, inside + str(file.relative_to(folder)))
    return path


def same(trial):
    patients = trial.patients
    assert patients["id"].tolist() == folders.ids(12)
    assert patients["arm"].tolist() == ["NA", "B"] * 6
    assert patients["age"].tolist() == [50.0 + i for i in range(12)]
    assert patients.loc[patients["event_group"].ne("none"), "event_day"].tolist() == list(LEFT.values())
    assert len(trial.events) == 12
    assert trial.flow["primary"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_trial(tmp_path, kind, zipped):
    folder = written(kind, tmp_path / "t")
    same(cdisc.load(archive(folder, tmp_path / "t.zip", "study/data/") if zipped else folder))


@pytest.mark.slow
def test_row_names_and_na_of_r_are_told(tmp_path):
    def gap(name, frame):
        return frame.assign(AGE=frame["AGE"].mask(frame.index == 3)) if name == "dm" else frame

    trial = cdisc.load(written("R/dm.csv", tmp_path / "t", gap))
    assert trial.patients["age"].isna().tolist() == [i == 3 for i in range(12)]
    assert trial.patients["arm"].eq("NA").sum() == 6
    assert "dm.csv: NA is missing, as R writes it." in trial.notes
    assert any("row names" in note for note in trial.notes)


@pytest.mark.parametrize("spelling", ["NA", ".", "NULL", "nan"])
@pytest.mark.parametrize("column", ["AGE", "RFSTDTC"])
def test_a_spelling_of_missing_is_named_and_accepted_by_a_key(tmp_path, column, spelling):
    def gap(name, frame):
        cells = frame[column].astype(object).mask(frame.index == 3, spelling) if name == "dm" else None
        return frame.assign(**{column: cells}) if name == "dm" else frame

    folder = written("dm.csv", tmp_path / "t", gap)
    with pytest.raises(ContractError, match="line 5, column ") as refused:
        cdisc.load(folder)
    assert f'accept it with missing = ["", "{spelling}"] in the mapping' in str(refused.value)
    source = open_source(folder, ("", spelling))
    assert source.read("dm", [column])[column].isna().tolist() == [i == 3 for i in range(12)]


@pytest.mark.slow
def test_labels_of_a_statistics_package_are_what_its_codes_mean(tmp_path):
    folder = written("dm.csv", tmp_path / "t")
    dm = tables()["dm"]
    (folder / "dm.csv").unlink()
    coded = objects(dm.assign(ARM=dm["ARM"].eq("B").astype(float)))
    labels = {"ARM": {0.0: "NA", 1.0: "B"}, "AGE": {50.0: "fifty"}}
    pyreadstat.write_sav(coded, str(folder / "dm.sav"), variable_value_labels=labels)
    same(cdisc.load(folder))


@pytest.mark.parametrize("version", [5, 8])
@pytest.mark.parametrize("lost", [1, 37, 80, 160, 400])
def test_a_transport_file_that_was_cut_short_is_refused(tmp_path, version, lost):
    frame = pd.DataFrame({"USUBJID": [f"P-{i:03d}" for i in range(60)], "AESEQ": 1.0, "AEDECOD": "Ache and more of i"})
    path = tmp_path / "ae.xpt"
    pyreadstat.write_xport(objects(frame), str(path), file_format_version=version, table_name="AE")
    assert len(files.table(path, ["USUBJID"])) == 60
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(ContractError, match=r"ae\.xpt: refused, 1 problem\n  file: the file was cut short"):
        files.table(path, ["USUBJID"])


DM = tables()["dm"]
OBJECT = dataset_json("dm", DM)
BROKEN = {
    "records": (json.dumps(OBJECT | {"records": 13}), "cut short: 12 rows of 13"),
    "ragged": (json.dumps(OBJECT | {"rows": [*OBJECT["rows"][:-1], ["T1"]]}), "row 12: must be a list of 6 cells"),
    "nested": (json.dumps(OBJECT | {"rows": [[{}] * 6] * 12}), "must be a list of 6 cells"),
    "other": ('{"name": "DM"}', "this is no CDISC Dataset-JSON"),
    "half": (json.dumps(OBJECT)[:-40], "this is no json file that can be read"),
    "list": ("[1, 2]", "this is no json file that can be read"),
    "deep": ("[" * 100_000, "this is no json file that can be read"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_json_is_refused(tmp_path, kind):
    folder = written("dm.csv", tmp_path / "t")
    (folder / "dm.csv").unlink()
    content, told = BROKEN[kind]
    (folder / "dm.json").write_text(content)
    with pytest.raises((ContractError, CdiscError), match=told):
        cdisc.load(folder)


@pytest.mark.parametrize("kind", ["dm.xpt", "dm.parquet", "dm.csv.gz", "dm.dta", "dm.sav", "dm.sas7bdat", "dm.ndjson"])
def test_noise_is_refused_by_its_name(tmp_path, kind):
    folder = written("dm.csv", tmp_path / "t")
    (folder / "dm.csv").unlink()
    (folder / kind).write_bytes(b"Zebulon Quackenbush" * 20)
    with pytest.raises((ContractError, CdiscError), match=rf"^{kind}: ") as refused:
        cdisc.load(folder)
    assert "Zebulon" not in str(refused.value)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 10_000)
    folder = written("dm.csv", tmp_path / "t")
    bomb = gzip.compress(b"USUBJID,AEDECOD\n" + b"0" * 100_000)
    (folder / "ae.csv").unlink()
    (folder / "ae.csv.gz").write_bytes(bomb)
    with pytest.raises(ContractError, match=r"ae\.csv\.gz: .*\n  file: more than 0 GB once it is unpacked"):
        cdisc.load(folder)
    (folder / "ae.csv").write_bytes(b"0" * 100_000)
    with pytest.raises(CdiscError, match="more than 10,000 files or 0 GB in one archive"):
        open_source(archive(folder, tmp_path / "t.zip"))


@pytest.mark.parametrize("name", ["../dm.csv", "/etc/dm.csv", "a/../../dm.csv", "..\\dm.csv"])
def test_a_path_that_leads_out_of_an_archive_is_refused(tmp_path, name):
    archive(written("dm.csv", tmp_path / "t"), tmp_path / "t.zip")
    with zipfile.ZipFile(tmp_path / "t.zip", "a") as made:
        made.writestr(name, "USUBJID\n1\n")
    with pytest.raises(CdiscError, match="leads out of it"):
        open_source(tmp_path / "t.zip")


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "t.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(CdiscError, match="no zip archive that can be read"):
        open_source(tmp_path / "t.zip")
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as made:
        made.writestr("readme.txt", "")
    with pytest.raises(CdiscError, match=r"found no data files; .*1 \.txt \(needs saving as CSV UTF-8 with commas\)"):
        open_source(tmp_path / "e.zip")


def test_a_folder_without_a_trial_says_what_lies_there_and_no_name(tmp_path):
    for name in (
        "Quackenbush.rds",
        "DM.RData",
        "ae.xlsx",
        "ds.xlsx",
        "Zebulon.pdf",
        "zebulon.csv",
        "vs.csv",
        "adsl2.xpt",
    ):
        (tmp_path / name).touch()
    (tmp_path / "Zeb").mkdir()
    with pytest.raises(CdiscError) as refused:
        open_source(tmp_path)
    said = str(refused.value)
    assert "found vs, 2 other data files; needs DM and DS" in said
    assert '1 .rds (needs the R package haven: write_xpt(x, "dm.xpt")' in said
    assert "2 .xlsx (needs saving each sheet as CSV UTF-8)" in said
    assert said.endswith("1 folder (give the one that holds the files); 1 of another kind")
    assert "eb" not in said.replace(tmp_path.name, "")


def test_files_on_disk_are_known_for_their_checksums(tmp_path):
    folder = written("parts/dm.parquet", tmp_path / "t")
    assert [path.name for path in Source("t", folder).paths] == ["part-0.parquet"] * 4
    assert open_source(archive(folder, tmp_path / "t.zip")).paths == [tmp_path / "t.zip"]


def test_text_in_another_encoding_is_read(tmp_path):
    frame = objects(DM.assign(ARM=["Zürich", "B"] * 6))
    pyreadstat.write_xport(frame, str(tmp_path / "dm.xpt"), file_format_version=5, table_name="DM")
    content = (tmp_path / "dm.xpt").read_bytes().replace("ü".encode(), b"\xfc ")
    (tmp_path / "dm.xpt").write_bytes(content)
    assert files.table(tmp_path / "dm.xpt", ["ARM"])["ARM"][0].startswith("Zü")


def test_the_content_of_an_archive_is_read_in_memory(tmp_path, monkeypatch):
    path = archive(written("5/dm.xpt", tmp_path / "t"), tmp_path / "t.zip")
    monkeypatch.setattr("tempfile.mkdtemp", lambda *a, **k: pytest.fail("unpacked to disk"))
    assert isinstance(files._handle(open_source(path).files["dm"]), io.BytesIO)
