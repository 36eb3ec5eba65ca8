"""Fuzzed files and tables: each is refused with a clean message, or read exactly as an independent reading has it."""

import csv
import io
import random
import re
import tomllib
import unicodedata

import pandas as pd
import pytest
import yaml

from attrition import contract, paths, simulate
from attrition.contract import strict
from attrition.trials import flat, mapping
from notebook_report.errors import Refusal

EXAMPLE = paths.ROOT / "data" / "example_trial"
PUBLISHED = simulate.published_trial().head(25).astype("str")
COLUMNS = {column.name: column for column in contract.TRIAL.columns}
CANARIES = ["Zebulon Quackenbush", "1931-07-19", "zq@example.org"]
ALPHABET = ['"', '""', ",", ";", "\n", "\r", "\r\n", "\t", " ", "\0", "é", "\ufeff", "a", "7", "-", ".", "'", "=", "NA"]
CELLS = [
    *("", "0", "1", "2", "007", "19", "61", "110", "111", "1.9", "1,9", "-1", "+1", "1e3", "inf", "nan", "NA", "None"),
    *(
        " 5",
        "5 ",
        "٣",
        "1_0",
        "0x1",
        "9" * 30,
        "true",
        "Male",
        "male",
        "Placebo",
        "Phase I",
        "=1+1",
        "<b>",
        "a\nb",
        '"',
    ),
    *CANARIES,
]


# --- independent readings


def cells_of(text):
    """Records of a CSV text after RFC 4180, read letter by letter; None where a quote is out of place."""
    records, record, cell, i, quoted, was_quoted = [], [], "", 0, False, False
    while i < len(text):
        letter = text[i]
        if quoted:
            if letter == '"' and text[i + 1 : i + 2] == '"':
                cell, i = cell + '"', i + 1
            elif letter == '"':
                quoted = False
            else:
                cell += letter
        elif letter == '"' and not cell and not was_quoted:
            quoted = was_quoted = True
        elif letter == ",":
            record, cell, was_quoted = [*record, cell], "", False
        elif letter in "\r\n":
            i += text[i : i + 2] == "\r\n"
            records.append([*record, cell] if record or cell or was_quoted else [])
            record, cell, was_quoted = [], "", False
        elif was_quoted:
            return None
        else:
            cell += letter
        i += 1
    if quoted:
        return None
    return [*records, [*record, cell]] if record or cell or was_quoted else records


def table_of(content):
    """Header and rows of bytes that are a sound table, else None."""
    if b"\0" in content or not content.strip() or content[:4] == b"PK\x03\x04" or content[:2] == b"\x1f\x8b":
        return None
    try:
        records = cells_of(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None
    while records and not records[-1]:
        records.pop()
    if not records or len(records) < 2 or len({len(record) for record in records}) > 1 or not records[0]:
        return None
    header = records[0]
    again = sum(name in {row[i] for row in records[1:]} for i, name in enumerate(header))
    if again > len(header) / 2:  # the first line looks like the rows below it
        return None
    first = [row[0] for row in records[1:]]
    if len(header) > 1 and header[0] == "" and all(first) and len(set(first)) == len(first):  # names of rows
        records = [record[1:] for record in records]
        header = records[0]
    return (header, records[1:]) if all(h.strip() for h in header) and len(set(header)) == len(header) else None


def sound(header, rows):
    """Whether a table keeps the contract of the trial, by rules written down again here."""
    if set(COLUMNS) - set(header):
        return False
    seen, ok = set(), True
    for row in (dict(zip(header, row, strict=True)) for row in rows):
        for name, column in COLUMNS.items():
            cell = row[name]
            if column.kind == contract.COUNT:
                ok &= bool(re.fullmatch("[0-9]{1,15}", cell)) and column.low <= int(cell) <= column.high
            else:
                ok &= cell in column.levels if column.levels else cell != ""
        if not ok or row["patient_id"] in seen:
            return False
        seen.add(row["patient_id"])
        n = {name: int(row[name]) for name, column in COLUMNS.items() if column.kind == contract.COUNT}
        left, day = n["dropout"], n["dropout_day"]
        ok &= (left == 0) == (day == 0) and n["early_dropout"] + n["late_dropout"] == left
        ok &= (not n["early_dropout"] or day < 90) and (not n["late_dropout"] or day >= 90)
        ok &= (not n["dropout_30_days"] or 1 <= day <= 30) and day <= n["days_in_trial"]
        ok &= n["last_visit_day"] <= n["days_in_trial"] and (n["visits_completed"] == 0) == (n["last_visit_day"] == 0)
    return ok


# --- fuzzed inputs


def damaged(rng, content):
    """Bytes with a few changes: letters put in, taken out, doubled, swapped, cut off, or other encodings."""
    content = bytearray(content)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        at, kind = rng.randrange(len(content) + 1), rng.randrange(6)
        if kind == 0:
            content[at:at] = rng.choice(ALPHABET).encode()
        elif kind == 1:
            del content[at : at + rng.choice([1, 1, 5, 60])]
        elif kind == 2:
            content[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 3:
            content[at:at] = content[at : at + rng.randrange(80)]
        elif kind == 4 and rng.random() < 0.2:
            content = content[:at]
        elif kind == 5 and rng.random() < 0.1:
            content = bytearray(bytes(content).decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-le"])))
    return bytes(content)


def a_small_file(rng):
    if rng.random() < 0.3:
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(40))).encode()
    names = rng.sample(["id", "arm", "age", "note", "x y", CANARIES[0]], rng.randrange(1, 5))
    rows = [[rng.choice(CELLS) for _ in names] for _ in range(rng.randrange(4))]
    text = io.StringIO()
    csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"])).writerows([names, *rows])
    return damaged(rng, text.getvalue().encode())


def clean(refusal, hidden=()):
    """A refusal's message: it begins with the file, has a rule, and shows nothing that is to be hidden."""
    message = str(refusal)
    assert re.match(r"(fuzz\.\w+(, line \d+)?|patients\.csv): ", message) or message.startswith("["), message
    assert "Traceback" not in message
    for value in [*CANARIES, *hidden]:
        assert value not in message, message


def check_bytes(rng):
    content = a_small_file(rng)
    expected = table_of(content)
    try:
        table = strict.parse(content, "fuzz.csv")
    except Refusal as refusal:
        clean(refusal)
        numbered = expected and any(re.fullmatch(r"[+-]?\d+([.,]\d*)?", name) for name in expected[0])
        separated = expected and len(expected[0]) == 1 and re.search(r"[;\t|]", expected[0][0])
        assert not expected or numbered or separated, content
    else:
        assert expected, content
        assert list(table.columns) == expected[0]
        read, wanted, text = table.fillna("").to_numpy().tolist(), expected[1], content.decode("utf-8-sig")
        if re.match(r'("[^"]*",)*"[^"]*"[\r\n]', text):  # R quotes every name, and leaves its NA bare
            pairs = (zip(*rows, strict=True) for rows in zip(wanted, read, strict=True))
            wanted = [["" if (one, got) == ("NA", "") else one for one, got in row] for row in pairs]
        assert read == wanted, content
        assert list(csv.reader(io.StringIO(text, newline="")))[1][: len(expected[0])]


def check_table(rng):
    table = PUBLISHED.head(rng.randrange(1, 25)).astype(object).copy()
    for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
        column = rng.choice(list(COLUMNS))
        table.loc[rng.randrange(len(table)), column] = rng.choice(CELLS + [str(rng.randrange(200))] * 15)
    if rng.random() < 0.1:
        table = table.drop(columns=rng.choice(list(COLUMNS)))
    if rng.random() < 0.3:
        table.insert(rng.randrange(5), "name", CANARIES[0])
    content = table.to_csv(index=False).encode()
    content = damaged(rng, content) if rng.random() < 0.3 else content
    expected = table_of(content)
    try:
        trial = contract.validate(strict.parse(content, "fuzz.csv"), file="fuzz.csv")
    except Refusal as refusal:
        clean(refusal)
        assert not (expected and sound(*expected)), content
    else:
        assert expected, content
        assert sound(*expected), content
        for name, column in COLUMNS.items():
            cells = [row[expected[0].index(name)] for row in expected[1]]
            assert trial[name].tolist() == ([int(c) for c in cells] if column.kind == contract.COUNT else cells)


PLAN = (EXAMPLE / "trial-mapping.toml").read_bytes().replace(b"name = ", b"name = ", 1)


def seen(value):
    """What a plain reader has, without what nobody sees: the library's own rule is not used."""
    if isinstance(value, dict):
        return {seen(key): seen(one) for key, one in value.items()}
    if isinstance(value, list):
        return [seen(one) for one in value]
    if not isinstance(value, str):
        return value
    return unicodedata.normalize("NFC", "".join(c for c in value if unicodedata.category(c) != "Cf"))


def check_mapping(rng, folder):
    """Fuzzed mappings: what is read is what a plain TOML or YAML reader has."""
    ending = rng.choice([".toml", ".yaml"])
    content = PLAN if ending == ".toml" else yaml.safe_dump(tomllib.loads(PLAN.decode())).encode()
    path = folder / f"fuzz{ending}"
    path.write_bytes(damaged(rng, content))
    try:
        read = mapping.read(path)
    except Refusal as refusal:
        clean(refusal)
        return
    text = path.read_text(encoding="utf-8")
    plain = seen(tomllib.loads(text) if ending == ".toml" else yaml.safe_load(text))
    for key in ("id", "event_day", "reason", "event", "arm", "site"):
        assert getattr(read, key) == plain["columns"].get(key)
    assert read.horizon == plain["design"]["horizon"]
    assert list(read.landmarks) == sorted(set(plain["design"].get("landmarks", ())))
    reasons = plain.get("reasons", {})
    assert list(read.completed) == reasons.get("completed", [])
    assert {k: list(v) for k, v in read.groups.items()} == reasons.get("groups", {})


FLAT = """[columns]
id = "id"
event_day = "day"
event = "left"
arm = "arm"
[design]
horizon = 100
[baseline]
numbers = ["age"]
"""


def check_flat(rng, folder):
    """Fuzzed flat tables behind a mapping."""
    plan, path = folder / "fuzz-flat.toml", folder / "patients.csv"
    plan.write_text(FLAT)
    n = rng.randrange(10, 16)
    made = {
        "id": [f"{i:03d}" for i in range(n)],
        "name": [CANARIES[0]] * n,
        "arm": ["NA", "None"] * (n // 2) + ["NA"] * (n % 2),
    }
    made |= {"day": [str(rng.randrange(1, 150)) for _ in range(n)], "left": ["1", "0"] * (n // 2) + ["0"] * (n % 2)}
    table = pd.DataFrame(made | {"age": [str(rng.randrange(20, 90)) for _ in range(n)]}, dtype=object)
    for _ in range(rng.choice([0, 1, 1, 2])):
        table.loc[rng.randrange(n), rng.choice(["id", "arm", "day", "left", "age"])] = rng.choice(CELLS)
    path.write_text(table.to_csv(index=False))
    try:
        patients = flat.patients(path, mapping.read(plan))
    except Refusal as refusal:
        clean(refusal)
        return
    written = table.to_dict("list")
    assert patients["id"].tolist() == written["id"]
    assert patients["arm"].tolist() == written["arm"]
    assert len(set(written["id"])) == n
    assert "" not in written["id"] + written["arm"]
    assert all(float(day) >= 1 and float(day) % 1 == 0 for day in written["day"])
    ages = [float(age) if age else None for age in written["age"]]
    assert [None if value != value else value for value in patients["age"]] == ages
    told = {"0": None, "1": "left the trial", "true": "left the trial", "2": "competing event"}
    reasons = [None if reason != reason else reason for reason in patients["reason"]]
    assert reasons == [told[cell.lower()] for cell in written["left"]]
    assert "name" not in patients


def fuzz(n_bytes, n_tables, n_mappings, n_flat, folder, seed):
    rng = random.Random(seed)
    for check, n in ((check_bytes, n_bytes), (check_table, n_tables)):
        for _ in range(n):
            check(rng)
    for check, n in ((check_mapping, n_mappings), (check_flat, n_flat)):
        for _ in range(n):
            check(rng, folder)


def test_the_independent_reading_agrees_with_the_csv_module_on_sound_files():
    rng = random.Random(1)
    for _ in range(300):
        rows = [[rng.choice(CELLS) for _ in range(3)] for _ in range(3)]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        assert cells_of(text.getvalue()) == rows == list(csv.reader(io.StringIO(text.getvalue(), newline="")))


@pytest.mark.slow
def test_a_few_fuzzed_inputs_are_refused_cleanly_or_read_correctly(tmp_path):
    fuzz(300, 60, 60, 40, tmp_path, seed=7)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_fuzzed_inputs_are_refused_cleanly_or_read_correctly(tmp_path):
    fuzz(7300, 500, 1600, 600, tmp_path, seed=20261123)
