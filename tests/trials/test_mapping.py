"""The mapping: what it may say, and how it is refused."""

import datetime
import tomllib

import pytest
import yaml

from attrition import settings
from attrition.trials import mapping
from attrition.trials.mapping import MappingError

SMALLEST = {"columns": {"id": "pid", "event_day": "day", "event": "left"}, "design": {"horizon": 100}}


def written(tmp_path, content, name="m.yaml"):
    path = tmp_path / name
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def refused(tmp_path, **changes):
    with pytest.raises(MappingError) as error:
        mapping.read(written(tmp_path, SMALLEST | changes))
    return str(error.value)


def test_the_template_is_a_valid_mapping(tmp_path):
    path = tmp_path / "trial-mapping.toml"
    path.write_text(mapping.TEMPLATE, encoding="utf-8")
    read = mapping.read(path)
    assert read.horizon == 168
    assert read.reference == "Placebo"
    assert read.groups["adverse event"] == ("adverse event",)
    assert read.table == tmp_path / "patients.csv"


def test_the_template_explains_every_key():
    text = mapping.TEMPLATE
    for name, shape in (mapping.SHAPE.needed | mapping.SHAPE.optional).items():
        if not isinstance(shape, settings.Keys):
            assert f"\n{name} =" in text
            continue
        assert f"[{name}]" in text
        for key in (*shape.needed, *shape.optional):
            assert f"\n{key} =" in text or f"# {key} =" in text or f"[{name}.{key}]" in text, key


def uncommented(but=()):
    """The template with every key that is commented out, except those of `but`."""
    lines = mapping.TEMPLATE.split("\n\n", 1)[1].splitlines()
    lines = [line.removeprefix("# ") for line in lines]
    return "\n".join(line for line in lines if not line.startswith(tuple(f"{key} =" for key in but)))


def test_every_commented_key_of_the_template_is_valid(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(uncommented(["all_are", "study", "epochs", "treatment", "ignore", "partial", "proportions"]))
    read = mapping.for_table(mapping.read(path))
    assert read.events.known_day == "reported_day"
    assert (read.competing_event, read.treatment_day, read.start_date) == ("died", "stopped_day", "first_dose")
    assert (read.visits, read.strata, read.known_on_day_1) == ((14, 28, 56, 84), ("region",), ("age",))
    assert read.data_cut == datetime.date(2013, 6, 1)
    assert read.plan["dropout"] == 0.2
    assert set(read.plan) == {*mapping.SHAPE.optional["plan"].optional} - {"proportions"}


FOLDER = {
    "name": "study",
    "design": {"study": "T", "epochs": ["TREATMENT"], "estimand": "treatment", "data_cut": "2013-06-01"},
    "reasons": {"competing": ["TRANSPLANT"], "groups": {"lack of efficacy": ["LACK OF EFFICACY"]}},
    "disposition": {"study": ["* | STUDY PARTICIPATION | * | *"], "treatment": ["STUDY TREATMENT"], "ignore": ["X"]}
    | {"partial": "middle"},
    "adverse_events": {"known": "next visit"},
    "baseline": {"known_on_day_1": ["age"]},
    "plan": {"horizon": 168, "dropout": [[28, 0.05], [168, 0.2]]},
}


def test_a_mapping_of_a_folder_says_what_it_wants_and_nothing_else(tmp_path):
    read = mapping.for_folder(mapping.read(written(tmp_path, FOLDER)))
    assert (read.study, read.epochs, read.estimand, read.adverse_events_known) == (
        "T",
        ("TREATMENT",),
        "treatment",
        "next visit",
    )
    assert (read.study_records, read.treatment_records) == (("* | STUDY PARTICIPATION | * | *",), ("STUDY TREATMENT",))
    assert (read.ignored_records, read.horizon, read.data_cut) == (("X",), 168, datetime.date(2013, 6, 1))
    nothing = mapping.for_folder(mapping.read({"title": "T"}))
    assert (nothing.horizon, nothing.id, nothing.plan, nothing.missing) == (None, None, {}, ("",))


def test_a_mapping_of_the_other_kind_is_refused_when_it_is_used(tmp_path):
    with pytest.raises(MappingError, match=r"m\.yaml: \[schedule\]: about the columns of a flat table"):
        mapping.for_folder(mapping.read(written(tmp_path, FOLDER | {"schedule": {"visits": [28]}})))
    with pytest.raises(MappingError, match=r"m\.yaml: \[columns\]: about the columns"):
        mapping.for_folder(mapping.read(written(tmp_path, SMALLEST)))
    with pytest.raises(MappingError, match=r"m\.yaml: \[columns\] is missing"):
        mapping.for_table(mapping.read(written(tmp_path, FOLDER)))
    of_folders = {"disposition": ("study", "treatment", "ignore", "partial"), "design": ("study", "epochs")}
    for section, keys in of_folders.items():
        for key in keys:
            content = {section: {**SMALLEST.get(section, {}), key: FOLDER[section][key]}}
            assert f"[{section}] {key} is about a folder of CDISC files" in refused(tmp_path, **content)


BROKEN = [
    ({"design": {"horizn": 3}}, "unknown key 'horizn'; did you mean 'horizon'?"),
    ({"design": {"estimand": "treatmnt"}}, "unknown estimand 'treatmnt'; did you mean 'treatment'?"),
    ({"design": {"data_cut": "1.6.2013"}}, "data_cut must be a date, YYYY-MM-DD"),
    ({"design": {"data_cut": "2013-02-30"}}, "data_cut must be a date"),
    ({"design": {"data_cut": 20130601}}, "data_cut must be a date"),
    ({"design": {"horizon": 100}, "plan": {"horizon": 168}}, "[plan] horizon is another day than that of [design]"),
    ({"design": {"landmarks": [200]}, "plan": {"horizon": 168}}, "landmarks must lie before the horizon"),
    ({"disposition": {"study": ["A | B"]}}, "'A | B' must be a DSSCAT, or a cell DSCAT | DSSCAT | EPOCH | DSDECOD"),
    ({"disposition": {"studies": ["A"]}}, "unknown key 'studies'; did you mean 'study'?"),
    ({"adverse_events": {"known": "never"}}, "unknown known 'never'"),
    ({"schedule": {"visits": [28, 14]}}, "each number must be larger than the one before it"),
    ({"plan": {"dropout": 20}}, "dropout must be a share from 0 to 0.99, or a list of [day, share] that rises"),
    ({"plan": {"dropout": [[28, 0.2], [168, 0.1]]}}, "dropout must be a share"),
    ({"plan": {"dropout": [[168, 0.2], [28, 0.3]]}}, "dropout must be a share"),
    ({"plan": {"dropout": [[0, 0.2]]}}, "dropout must be a share"),
    ({"plan": {"dropout": [28, 0.2]}}, "dropout must be a share"),
    ({"plan": {"sd": 0}}, "sd must be a number above 0"),
    ({"plan": {"proportions": [0.2]}}, "proportions must be two shares"),
    ({"plan": {"effect": 1, "proportions": [0.2, 0.3]}}, "[plan] needs one of effect and proportions, not both"),
    ({"plan": {"patient": 300}}, "unknown key 'patient'; did you mean 'patients'?"),
    ({"baseline": {"numbers": ["age"], "known_on_day_1": ["bmi"]}}, "'bmi' is no column of numbers, categories or st"),
    ({"baseline": {"numbers": ["age"], "strata": ["age"]}}, "the column 'age' has two roles"),
]


@pytest.mark.parametrize(("content", "said"), BROKEN)
def test_what_a_mapping_of_a_folder_cannot_mean_is_refused(tmp_path, content, said):
    with pytest.raises(MappingError) as error:
        mapping.read(written(tmp_path, content))
    assert said in str(error.value)


def test_toml_and_yaml_say_the_same(tmp_path):
    toml = tmp_path / "m.toml"
    toml.write_text(mapping.TEMPLATE, encoding="utf-8")
    same = written(tmp_path, tomllib.loads(mapping.TEMPLATE))
    a, b = mapping.read(toml), mapping.read(same)
    assert {k: v for k, v in vars(a).items() if k != "path"} == {k: v for k, v in vars(b).items() if k != "path"}


def test_the_smallest_mapping(tmp_path):
    read = mapping.read(written(tmp_path, SMALLEST))
    assert (read.arm, read.site, read.landmarks, read.events) == (None, None, (), None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colums": {}}, "unknown key 'colums'; did you mean 'columns'?"),  # codespell:ignore colums
        ({"design": {"horizon": 100, "landmark": [28]}}, "[design] unknown key 'landmark'; did you mean 'landmarks'?"),
        ({"design": {}}, "[design] 'horizon' is missing"),
        ({"design": {"horizon": "168"}}, "[design] horizon must be a whole number from 1 to 36,500, found '168'"),
        ({"design": {"horizon": True}}, "[design] horizon must be a whole number"),
        ({"design": {"horizon": 100, "landmarks": [28, 100]}}, "landmarks must lie before the horizon"),
        ({"columns": {"id": "pid", "event_day": "day"}}, "needs one of reason and event"),
        (
            {"columns": {"id": "pid", "event_day": "day", "reason": "why", "competing": "died"}},
            "needs the column event",
        ),
        ({"columns": {**SMALLEST["columns"], "treatment_reason": "why"}}, "treatment_reason needs treatment_day"),
        (
            {"columns": {"id": 7, "event_day": "day", "event": "left"}},
            "[columns] id must be text (put it in quotes), found 7",
        ),
        ({"columns": {"id": "pid", "event_day": "pid", "event": "left"}}, "the column 'pid' has two roles"),
        ({"baseline": {"numbers": "age"}}, "[baseline] numbers must be a list of texts"),
        ({"reasons": {"completed": ["done"]}}, "[reasons] needs the column reason"),
        ({"schedule": {"visits": [28]}}, "[schedule] needs [events]"),
        ({"events": {"table": "e.csv", "id": "pid", "day": "day"}}, "[events] needs one of kind and all_are"),
        (
            {"events": {"table": "e.csv", "id": "pid", "day": "day", "all_are": "AE"}},
            "[events] unknown all_are 'AE'; known: adverse event, visit",
        ),
        ({"columns": ["id"]}, "[columns] must be keys with values"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, changes, said):
    message = refused(tmp_path, **changes)
    assert message.startswith("m.yaml: refused, ")
    assert said in message


def test_everything_wrong_is_said_at_once(tmp_path):
    message = refused(tmp_path, colums={}, design={"horizn": 3}, name=7)  # codespell:ignore colums
    assert "3 problem(s)" in message
    assert message.count("\n") == 3


def test_a_term_in_two_groups_and_completion_left_out_are_refused(tmp_path):
    columns = {"id": "pid", "event_day": "day", "reason": "why"}
    twice = {"completed": ["done"], "competing": ["death"], "groups": {"adverse event": ["death"]}}
    assert "the term 'death' stands in two places" in refused(tmp_path, columns=columns, reasons=twice)
    without = {"competing": ["death"]}
    assert "completed is missing" in refused(tmp_path, columns=columns, reasons=without)


@pytest.mark.parametrize("name", ["completed", "ongoing", "none", "primary", "Censored", " all_cause", "n", ""])
def test_names_that_the_report_uses_are_no_reason_groups(tmp_path, name):
    columns = {"id": "pid", "event_day": "day", "reason": "why"}
    reasons = {"completed": ["done"], "groups": {name: ["ae"], "fine": ["tired"]}}
    message = refused(tmp_path, columns=columns, reasons=reasons)
    assert "1 problem(s)" in message
    assert f"[reasons.groups] the name {name!r} is taken by the report" in message


def test_groups_that_look_alike_and_a_competing_group_are_refused(tmp_path):
    columns = {"id": "pid", "event_day": "day", "reason": "why"}
    alike = {"completed": ["done"], "groups": {"adverse event": ["ae"], "Adverse  event": ["tired"]}}
    assert refused(tmp_path, columns=columns, reasons=alike).count("differs from another one only in case") == 2
    competing = {"completed": ["done"], "groups": {"Competing": ["death"]}}
    assert "competing events have a key of their own" in refused(tmp_path, columns=columns, reasons=competing)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.toml", "a = ", "no valid TOML"),
        ("m.yaml", "a: [", "m.yaml, line 1: expected"),
        ("m.yaml", "", "the mapping is empty"),
        ("m.json", "{}", "a mapping ends in"),
        ("m.toml", b"\xff\xfe", "UTF-8"),
    ],
)
def test_files_that_are_no_mapping(tmp_path, name, text, said):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(MappingError, match=said):
        mapping.read(tmp_path / name)


def test_a_mapping_that_is_not_there(tmp_path):
    with pytest.raises(MappingError, match="no such mapping") as error:
        mapping.read(tmp_path / "nowhere.toml")
    assert error.value.exit_code == 2


def test_what_a_mapping_names_is_in_composed_form():
    said = {"columns": {"id": "pid", "event_day": "day", "reason": "why"}, "reasons": {"completed": ["termine\u0301"]}}
    assert mapping.read(said | {"design": {"horizon": 9}}).completed == ("termin\u00e9",)
