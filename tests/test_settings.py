"""The one validator of settings: every shape says where, what is allowed, and what was probably meant."""

import math

import pytest

from attrition import settings
from attrition.settings import ANY, TEXT, Keys, Kind, Number, Rising, problems, whole

EVEN = Kind("an even number", lambda value: isinstance(value, int) and value % 2 == 0)


@pytest.mark.parametrize(
    ("value", "shape", "told"),
    [
        ("a", TEXT, []),
        (" ", TEXT, ["f: k must be text, found ' '"]),
        (7, TEXT, ["f: k must be text (put it in quotes), found 7"]),
        (3, EVEN, ["f: k must be an even number, found 3"]),
        (1, Number(), []),
        (-1.5, Number(), []),
        (math.nan, Number(), ["f: k must be a number, found nan"]),
        (math.inf, Number(), ["f: k must be a number, found inf"]),
        (True, Number(), ["f: k must be a number, found True"]),
        (1.0, Number(whole=True), ["f: k must be a whole number, found 1.0"]),
        (2, whole(2, 4000), []),
        (4000, whole(2, 4000), []),
        (1, whole(2, 4000), ["f: k must be a whole number from 2 to 4,000, found 1"]),
        (4001, whole(2, 4000), ["f: k must be a whole number from 2 to 4,000, found 4001"]),
        ("lower", ("higher", "lower"), []),
        ("lowr", ("higher", "lower"), ["f: unknown k 'lowr'; did you mean 'lower'?"]),
        ([2, 4], [EVEN], []),
        ([2, 3, 5], [EVEN], ["f: k 2 must be an even number, found 3", "f: k 3 must be an even number, found 5"]),
        ([], [EVEN], ["f: k must be a list that is not empty, found []"]),
        ({"a": 2}, [EVEN], ["f: k must be a list that is not empty, found {'a': 2}"]),
        ({"a": 3}, {ANY: EVEN}, ["f: k a must be an even number, found 3"]),
        ([3], {ANY: EVEN}, ["f: k must be a mapping that is not empty, found [3]"]),
        ([1, 2, 3], Rising(whole(1, 9)), []),
        ([1, 3, 2], Rising(whole(1, 9)), ["f: k: each number must be larger than the one before it, found [1, 3, 2]"]),
        ([1, 1], Rising(whole(1, 9)), ["f: k: each number must be larger than the one before it, found [1, 1]"]),
        (["1", 1], Rising(whole(1, 9)), ["f: k 1 must be a whole number from 1 to 9, found '1'"]),
    ],
)
def test_each_shape_says_what_is_wrong(value, shape, told):
    assert list(problems(value, shape, "f: ", "k")) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"name": "a"}, []),
        ({"name": "a", "size": {"n": 2}}, []),
        ({}, ["f: 'name' is missing"]),
        ({"name": "", "nam": "a"}, ["f: unknown key 'nam'; did you mean 'name'?", "f: 'name' is missing"]),
        ({"name": "a", "size": {}}, ["f: size: 'n' is missing"]),
        ({"name": "a", "size": {"n": 3}}, ["f: size: n must be an even number, found 3"]),
        ({"name": "a", "size": 2}, ["f: size: must be keys with values, found 2"]),
        ({"name": "a", "odd": None}, ["f: odd must be an even number, found None"]),
        ("name", ["f: must be keys with values, found 'name'"]),
    ],
)
def test_keys_are_known_and_there(value, told):
    shape = Keys({"name": TEXT}, {"size": Keys({"n": EVEN}), "odd": EVEN})
    assert list(problems(value, shape, "f: ")) == told


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("s.yaml", "a: 1\nb: 2\na: 3\n", "s.yaml, line 3: key 'a' stands twice"),
        ("s.yaml", "a: [1\n", "s.yaml, line 2: "),
        ("s.yaml", "a: {b: 1, b: 2}\n", "s.yaml, line 1: key 'b' stands twice"),
        ("s.yaml", "a: 1\n'a': 2\n", "s.yaml, line 2: key 'a' stands twice"),
        ("s.yaml", "a: 1\nb: 0144\n", "s.yaml, line 2: 0144 would be read in another base than ten"),
        ("s.yaml", "b: -0o17\nc: 0x1F\n", "s.yaml, line 2: 0x1F would be read"),
        ("s.yaml", "b: [1, 1:40]\n", "s.yaml, line 1: 1:40 would be read"),
        ("s.yaml", "b: 1:40.5\n", "s.yaml, line 1: 1:40.5 would be read"),
        ("s.yaml", "a: &x 1\nb: 2\n", "s.yaml, line 1: anchors (&) and aliases (*) are not read"),
        ("s.yaml", "a: 1\nb: *x\n", "s.yaml, line 2: anchors (&) and aliases (*) are not read"),
        ("s.yaml", "a: 1\nb: " + "[" * 30 + "]" * 30, "s.yaml, line 2: nested more than 20 levels deep"),
        ("s.yaml", "a: " + "[" * 5000 + "]" * 5000, "s.yaml, line 1: nested more than 20 levels deep"),
        ("s.yaml", "a: 2024-13-45\n", "s.yaml: a date or a number that cannot be one"),
        ("s.yaml", "a: " + "9" * 5000 + "\n", "s.yaml: a date or a number that cannot be one"),
        ("s.yaml", "a: 1\n---\nb: 2\n", "s.yaml, line 2: "),
        ("s.toml", "a = 0144\n", "s.toml: no valid TOML: "),
        ("s.toml", "a = 1\nb = 0o144\n", "s.toml, line 2: 0o144 is to another base than ten"),
        ("s.toml", "a = [1, 0x1F]\n", "s.toml, line 1: 0x1F is to another base than ten"),
        ("s.toml", "a = 1\nb = " + "[" * 5000 + "]" * 5000, "s.toml, line 2: nested more than 20 levels deep"),
        ("s.toml", "a = " + "{b = " * 3000 + "1" + "}" * 3000, "s.toml, line 1: nested more than 20 levels deep"),
        ("s.toml", "[a]\n[a]\n", "s.toml: no valid TOML: "),
        ("s.yaml", "- a\n", "s.yaml: the top level must be keys with values"),
        ("s.toml", "a = 1\na = 2\n", "s.toml: no valid TOML: "),
        ("s.yaml", b"\xff\xfe", "s.yaml: cannot be read; it must be YAML or TOML in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"^s\.") as refused:
        settings.read(path, ValueError, settings.StrictLoader)
    assert str(refused.value).startswith(told)


def test_a_file_is_read_whatever_it_is_written_in(tmp_path):
    for name, content in (("s.yaml", "a: {b: [1, x]}\n"), ("s.toml", 'a = {b = [1, "x"]}\n')):
        (tmp_path / name).write_text("\ufeff" + content, encoding="utf-8")
        assert settings.read(tmp_path / name, ValueError) == {"a": {"b": [1, "x"]}}
    (tmp_path / "empty.yaml").write_text("# nothing\n", encoding="utf-8")
    assert settings.read(tmp_path / "empty.yaml", ValueError) == {}


def test_all_that_is_wrong_is_refused_at_once():
    with pytest.raises(ValueError, match=r"^a\nb$"):
        settings.refuse(iter(["a", "b"]), ValueError)
    settings.refuse(iter([]), ValueError)
