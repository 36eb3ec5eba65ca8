"""Serving: real requests to ``mlflow models serve``; no answer and no log repeats a patient."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attrition import paths, registry, score, tracking
from attrition.registry import serving
from tests import champions, services

CANARY = "CANARY-4711"
GOOD = registry.SERVED["example"]


def sent(*changes, **more):
    """Body of a request, one patient a change."""
    return json.dumps({"dataframe_records": [GOOD | change for change in changes or [{}]], **more}).encode()


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    with champions.registered(tmp_path_factory.mktemp("out")) as scorer:
        yield scorer


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    """Address of the served model, and the server's log."""
    port, log = services.free_port(), tmp_path_factory.mktemp("log") / "server.log"
    uri = f"models:/{registry.NAME}@{registry.ALIAS}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local"]
    env = tracking.environment() | {
        "MLFLOW_TRACKING_URI": tracking.store_uri(),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    with services.running(
        [*command, "-h", "127.0.0.1", "-p", port], f"http://127.0.0.1:{port}/ping", log, env, cwd=log.parent
    ):
        yield f"http://127.0.0.1:{port}/invocations", log


def as_patients(*changes):
    return pd.DataFrame([GOOD | change for change in changes or [{}]])


@pytest.mark.parametrize("patients", [as_patients().set_index("patient_id"), as_patients().iloc[:0]])
def test_shifted_rows_and_empty_requests_are_refused(champion, patients):
    model = serving.ScoringModel()
    model.scorer = champion
    with pytest.raises(serving.RefusedRequest, match="refused"):
        model.predict(None, patients)


def test_a_message_cannot_be_decorated_with_the_data():
    error = serving.RefusedRequest("refused: row 1: age: out of range")
    error.message = f"Failed to predict data {CANARY}"
    assert CANARY not in error.serialize_as_json()
    assert error.get_http_status_code() == 400


@pytest.mark.slow
def test_a_good_row_gives_what_the_scorer_gives(server, champion):
    status, answer = services.request(server[0], sent({}, {"age": 61, "adverse_events": 5}))
    assert status == 200
    made = pd.DataFrame(json.loads(answer)["predictions"])
    expected = champion.check_and_score(score.as_text(as_patients({}, {"age": "61", "adverse_events": "5"})))
    assert made.columns.tolist() == list(score.OUTPUT)[:-1]
    assert np.array_equal(made["probability"], expected["probability"])
    assert made["band"].tolist() == expected["band"].tolist()
    assert (made["ci_low"] < made["probability"]).all()
    assert (made["probability"] < made["ci_high"]).all()


@pytest.mark.slow
def test_csv_is_answered_like_json(server):
    body = pd.DataFrame([GOOD]).to_csv(index=False).encode()
    assert services.request(server[0], body, "text/csv") == services.request(server[0], sent())


@pytest.mark.slow
def test_unknown_columns_are_ignored(server):
    plain, more = sent(), sent({"name": CANARY, "birth_date": "1951-03-04"})
    assert services.request(server[0], more) == services.request(server[0], plain)


BAD = {
    "a level that nobody knows": ({"treatment_group": CANARY}, "treatment_group: not one of"),
    "text where a number belongs": ({"age": CANARY}, "age: not a number"),
    "a decimal": ({"age": 61.5}, "age: not written as a whole number"),
    "out of range": ({"adverse_events": 471147}, "adverse_events: outside 0 to 500"),
    "nothing": ({"age": None}, "age: the cell is empty"),
    "a contradiction": ({"last_visit_day": "999"}, "last_visit_day lies within the follow-up"),
    "a list": ({"age": [471147]}, "age: not a number"),
    "a mapping": ({"age": {"value": CANARY}}, "age: not a number"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_answered_with_its_place_and_reason_alone(server, name):
    change, reason = BAD[name]
    status, answer = services.request(server[0], sent({"patient_id": CANARY}, {"patient_id": CANARY} | change))
    told = json.loads(answer)
    assert status == 400
    assert f"row 2: {reason}" in told["message"]
    assert_clean(answer)


@pytest.mark.slow
def test_a_missing_column_is_named(server):
    body = json.dumps({"dataframe_split": {"columns": ["patient_id", "age"], "data": [[CANARY, 61]]}}).encode()
    status, answer = services.request(server[0], body)
    assert status == 400
    assert "treatment_group: the column is missing" in json.loads(answer)["message"]
    assert_clean(answer)


@pytest.mark.slow
def test_a_csv_with_too_many_cells_is_not_shifted(server):
    lines = pd.DataFrame([GOOD]).to_csv(index=False).splitlines()
    status, answer = services.request(server[0], f"{lines[0]}\n{CANARY},{lines[1]}\n".encode(), "text/csv")
    assert status == 400
    assert "more cells than the header" in json.loads(answer)["message"]
    assert_clean(answer)


@pytest.mark.slow
def test_the_log_of_the_server_holds_no_patient(server):
    url, log = server
    for change, _ in BAD.values():
        services.request(url, sent({"patient_id": CANARY} | change))
    services.request(url, b'{"dataframe_records": [' + CANARY.encode())
    assert_clean(log.read_text())


def assert_clean(text):
    """No value that was sent, and no traceback."""
    assert CANARY not in text
    assert "471147" not in text
    assert "999" not in re.sub(r"127\.0\.0\.1:\d+", "", text)  # a port of the client may hold any digits
    assert not re.search(r"Traceback|File \"|site-packages", text)


DOCKERFILE = paths.ROOT / "Dockerfile"


def instructions():
    """Instructions of the Dockerfile as pairs, continued lines joined."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def test_the_image_is_pinned_unprivileged_and_watched():
    found = instructions()
    kinds = [kind for kind, _ in found]
    assert set(kinds) <= {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert all(re.match(r"python:3\.11\.\d+-slim\b", rest) for kind, rest in found if kind == "FROM")
    last = found[len(kinds) - kinds[::-1].index("FROM") :]
    users = [rest for kind, rest in last if kind == "USER"]
    assert users, "the served image must not run as root"
    assert users[-1] not in {"root", "0"}
    assert last.index(("USER", users[-1])) < [kind for kind, _ in last].index("CMD")
    assert kinds.count("HEALTHCHECK") == 1


def test_the_image_installs_from_the_lock_and_pipes_nothing_into_a_shell():
    runs = [rest for kind, rest in instructions() if kind == "RUN"]
    installs = [part for run in runs for part in re.split(r"&&", run) if "pip install" in part]
    assert installs
    assert all("--require-hashes" in part or "--no-deps" in part for part in installs)
    assert not any(re.search(r"curl|wget|\|\s*(ba)?sh\b|sudo", run) for run in runs)
    apt = [run for run in runs if "apt-get install" in run]
    assert all("--no-install-recommends" in run and "rm -rf /var/lib/apt/lists" in run for run in apt)


def test_the_image_copies_only_what_the_build_context_lets_through():
    allowed = {line[1:] for line in (paths.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        word for kind, rest in instructions() if kind == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    ]
    assert set(copied) == allowed
    assert all((paths.ROOT / name).exists() for name in allowed if not name.startswith("data/"))


def test_the_image_starts_the_command_that_is_tested_here():
    words = json.loads(next(rest for kind, rest in instructions() if kind == "CMD"))
    assert words[:3] == ["mlflow", "models", "serve"]
    assert words[words.index("--env-manager") :][:2] == ["--env-manager", "local"]


def test_a_packed_folder_is_a_model_without_any_store(champion, tmp_path):
    import mlflow.pyfunc

    packed = registry.pack(registry.folder(), tmp_path / "model")
    made = mlflow.pyfunc.load_model(str(packed)).predict(as_patients())
    assert (
        made["probability"].tolist() == champion.check_and_score(score.as_text(as_patients()))["probability"].tolist()
    )
