"""Serving: real requests to ``mlflow models serve``; no answer and no log repeats a patient."""

import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attrition import paths, registry, score, tracking
from attrition.registry import app, serving
from notebook_report import errors
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


OWN = [sys.executable, "-m", "attrition.registry.app", "--model", f"{registry.NAME}@{registry.ALIAS}"]
MLFLOW = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{registry.NAME}@{registry.ALIAS}"]
PROGRAMS = {"own": [*OWN, "--host"], "mlflow": [*MLFLOW, "--env-manager", "local", "-h"]}


@contextlib.contextmanager
def served(program, log):
    port = services.free_port()
    env = tracking.environment() | {
        "MLFLOW_TRACKING_URI": tracking.store_uri(),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    words = [*PROGRAMS[program], "127.0.0.1", "--port", port]
    with services.running(words, f"http://127.0.0.1:{port}/ping", log, env, cwd=log.parent):
        yield f"http://127.0.0.1:{port}/invocations", log


@pytest.fixture(scope="module", params=PROGRAMS)
def server(champion, tmp_path_factory, request):
    """Address of the served model, and the server's log."""
    with served(request.param, tmp_path_factory.mktemp("log") / "server.log") as found:
        yield found


@pytest.fixture(scope="module")
def own(champion, tmp_path_factory):
    """The project's own server."""
    with served("own", tmp_path_factory.mktemp("log") / "server.log") as found:
        yield found


@pytest.fixture(scope="module")
def mlflow_server(champion, tmp_path_factory):
    """MLflow's."""
    with served("mlflow", tmp_path_factory.mktemp("log") / "server.log") as found:
        yield found


def as_patients(*changes):
    return pd.DataFrame([GOOD | change for change in changes or [{}]])


@pytest.mark.slow
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
    status, answer = services.request(server[0], sent({}, {"patient_id": "2", "age": 61, "adverse_events": 5}))
    assert status == 200
    made = pd.DataFrame(json.loads(answer)["predictions"])
    expected = champion.check_and_score(score.as_text(as_patients({}, {"age": "61", "adverse_events": "5"})))
    assert made.columns.tolist() == list(score.OUTPUT)[:-1]
    assert np.array_equal(made["probability"], expected["probability"])
    assert made["band"].tolist() == expected["band"].tolist()
    assert (made["ci_low"] < made["probability"]).all()
    assert (made["probability"] < made["ci_high"]).all()


@pytest.mark.slow
def test_csv_is_answered_like_json(mlflow_server):
    body = pd.DataFrame([GOOD]).to_csv(index=False).encode()
    assert services.request(mlflow_server[0], body, "text/csv") == services.request(mlflow_server[0], sent())


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
    "a list": ({"age": [471147]}, "age: not a number|nothing nested"),
    "a mapping": ({"age": {"value": CANARY}}, "age: not a number|nothing nested"),
    "the patient again": ({"patient_id": GOOD["patient_id"]}, "patient_id: the patient stands in an earlier row"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_answered_with_its_place_and_reason_alone(server, name):
    change, reason = BAD[name]
    status, answer = services.request(server[0], sent({}, {"patient_id": CANARY} | change))
    told = json.loads(answer)
    assert status == 400
    assert re.search(rf"row 2: ({reason})" if "|" not in reason else reason, told["message"])
    assert_clean(answer)


@pytest.mark.slow
def test_a_missing_column_is_named(server):
    body = json.dumps({"dataframe_records": [{"patient_id": CANARY, "age": 61}]}).encode()
    status, answer = services.request(server[0], body)
    assert status == 400
    assert "treatment_group: the column is missing" in json.loads(answer)["message"]
    assert_clean(answer)


@pytest.mark.slow
def test_a_csv_with_too_many_cells_is_not_shifted(mlflow_server):
    lines = pd.DataFrame([GOOD]).to_csv(index=False).splitlines()
    status, answer = services.request(mlflow_server[0], f"{lines[0]}\n{CANARY},{lines[1]}\n".encode(), "text/csv")
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


# --- what the project's own server refuses beyond that


@pytest.mark.slow
def test_a_threshold_flags_and_a_wrong_one_is_refused(champion):
    model = serving.ScoringModel()
    model.scorer = champion
    flagged = [model.predict(None, as_patients(), {"threshold": t})["flagged"].item() for t in (0.01, 0.99)]
    assert flagged == ["yes", "no"]
    with pytest.raises(serving.RefusedRequest, match="threshold must be"):
        model.predict(None, as_patients(), {"threshold": 1.5})
    assert "threshold" in registry.signature().params.to_json()


ODD = {
    "no JSON": CANARY.encode(),
    "no UTF-8": sent().replace(b"EXAMPLE", b"\xff"),
    "not a number": sent({"age": float("nan")}),
    "a key twice": sent().replace(b'"age"', b'"age": "99", "age"'),
    "deep": b'{"dataframe_records": ' + b"[" * 100_000,
    "deep and closed": b'{"dataframe_records": [{"a": ' + b"[" * 400 + b"]" * 400 + b"}]}",
    "an unknown key": sent(more=[CANARY]),
    "an unknown parameter": sent(params={"limit": 0.4}),
    "a threshold as text": sent(params={"threshold": CANARY}),
    "a threshold of 1.5": sent(params={"threshold": 1.5}),
    "params that are a list": sent(params=[CANARY]),
    "another form": b'{"instances": [{"patient_id": "' + CANARY.encode() + b'"}]}',
    "a list": b"[1]",
    "nobody": b'{"dataframe_records": []}',
    "an endless number": b'{"dataframe_records": [{"age": ' + b"9" * 5000 + b"}]}",
    "half a letter": sent({"patient_id": "\ud800" + CANARY}),
    "true": sent({"age": True}),
}


def answered(scorer, body):
    try:
        return scorer.answer(*app.read(body))
    except errors.Refusal as error:
        return 400, str(error)


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_an_odd_request_is_refused_without_its_values(champion, name):
    status, told = answered(champion, ODD[name])
    assert status == 400
    assert_clean(told)


@pytest.mark.slow
def test_a_request_may_choose_its_threshold(champion):
    assert [answered(champion, sent(params={"threshold": t}))["flagged"].item() for t in (0.01, 0.99)] == ["yes", "no"]


@pytest.mark.slow
def test_too_many_patients_are_refused(champion):
    many = [{"patient_id": str(i)} for i in range(app.MOST_PATIENTS + 1)]
    assert answered(champion, sent(*many)) == (400, "more than 1,000 patients")


def raw(url, head, body=b"", patience=20):
    """First line of the answer to a request that is written by hand."""
    host, port = re.match(r"http://([\d.]+):(\d+)", url).groups()
    with socket.create_connection((host, int(port)), timeout=patience) as line:
        line.sendall(head.encode() + b"\r\n\r\n" + body)
        return line.recv(4096).decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": "localhost:1"}, 200),
        ({"Content-Type": "text/csv"}, 400),
        ({"Content-Type": "application/vnd.apache.parquet"}, 400),
        ({"Content-Length": str(2**31)}, 400),
        ({"X": "a" * 1_000_000}, 400),
    ],
)
def test_a_head_that_is_not_as_it_should_be_is_refused(own, change, status):
    body = sent()
    heads = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body))} | change
    if "Content-Length" in change:
        body = b" " * (app.MOST_BYTES + 1)
    head = "POST /invocations HTTP/1.1\r\n" + "\r\n".join(f"{name}: {value}" for name, value in heads.items())
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        assert raw(own[0], head, body).startswith(f"HTTP/1.1 {status} ")
    assert services.request(own[0], sent())[0] == 200


@pytest.mark.slow
def test_parameters_of_the_address_are_refused_and_not_logged(own):
    url, log = own
    assert services.request(f"{url}?patient_id={CANARY}", sent())[0] == 400
    assert CANARY not in log.read_text()


@pytest.mark.slow
def test_a_body_that_never_comes_is_given_up(champion, monkeypatch):
    monkeypatch.setattr(app, "SECONDS", 0.05)
    said = []

    async def receive():
        await asyncio.sleep(5)

    async def send(message):
        said.append(message)

    heads = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": heads, "query_string": b""}
    asyncio.run(asyncio.wait_for(app.app(champion)(scope, receive, send), 3))
    assert said[0]["status"] == 408


CELLS = [
    None,
    "",
    0,
    -1,
    61,
    61.5,
    1e300,
    True,
    "61",
    " 61",
    "NA",
    CANARY,
    "\u202e",
    "\0",
    [CANARY],
    {"a": CANARY},
    "9" * 500,
]


def generated(draw):
    """A request that is sound, or broken in one to three ways."""
    patients = [GOOD | {"patient_id": f"{CANARY}-{i}"} for i in range(draw.choice([1, 1, 2, 5]))]
    body = {"dataframe_records": patients}
    for _ in range(draw.randrange(4)):
        patient = draw.choice(patients)
        way = draw.randrange(5)
        if way < 3:
            patient[draw.choice([*GOOD, "name", CANARY])] = draw.choice(CELLS)
        elif way == 3:
            patient.pop(draw.choice([*GOOD]), None)
        else:
            body[draw.choice(["params", "instances", CANARY])] = draw.choice([{}, {"threshold": draw.random()}, *CELLS])
    raw = json.dumps(body).encode()
    for _ in range(draw.choice([0, 0, 0, 1, 3])):
        place = draw.randrange(len(raw))
        raw = raw[:place] + bytes([draw.randrange(256)]) + raw[place + draw.randrange(3) :]
    return raw


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_thousand_generated_requests_are_answered_and_the_log_holds_none_of_them(own):
    import http.client

    url, log = own
    draw, statuses, logged = random.Random(4711), [], log.read_text()
    line = http.client.HTTPConnection(*re.match(r"http://([\d.]+):(\d+)", url).groups(), timeout=30)
    for _ in range(5_000):
        line.request("POST", "/invocations", generated(draw), {"Content-Type": "application/json"})
        answer = line.getresponse()
        text = answer.read().decode()
        statuses.append(answer.status)
        if answer.status != 200:
            assert CANARY not in text
    assert set(statuses) == {200, 400}
    assert min(statuses.count(200), statuses.count(400)) > 500
    assert log.read_text() == logged


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
    bases = [rest.split(" AS ")[0] for kind, rest in found if kind == "FROM"]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim@sha256:[0-9a-f]{64}", bases[0])
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
    assert words[:3] == ["python", *OWN[1:3]]


@pytest.mark.slow
def test_a_packed_folder_is_a_model_without_any_store(champion, tmp_path):
    import mlflow.pyfunc

    packed = registry.pack(registry.folder(), tmp_path / "model")
    made = mlflow.pyfunc.load_model(str(packed)).predict(as_patients())
    assert (
        made["probability"].tolist() == champion.check_and_score(score.as_text(as_patients()))["probability"].tolist()
    )


OFFLINE = re.compile(
    r"NewConnectionError|ConnectTimeout|Failed to fetch|error sending request|Temporary failure in name"
)


def built(folder):
    """Run COPY and RUN of the first stage of the Dockerfile as written, with a folder in place of the root."""
    first = instructions()[1:]
    first = first[: [kind for kind, _ in first].index("FROM")]
    subprocess.run([sys.executable, "-m", "venv", folder / "python"], check=True)
    app_folder, found = folder / "app", {"PATH": f"{folder / 'python' / 'bin'}:/usr/bin:/bin", "HOME": str(folder)}
    found |= {name: value for name, value in os.environ.items() if re.match(r"(?i)(pip|uv|https?|no)_|ssl_cert", name)}
    app_folder.mkdir()
    for kind, rest in first:
        if kind == "COPY":
            *sources, target = rest.split()
            for source in sources:
                place = app_folder / target / (Path(source).name if target.endswith("./") or target == "." else "")
                origin = registry.folder() if source == "data/processed/champion" else paths.ROOT / source
                (shutil.copytree if origin.is_dir() else shutil.copy)(origin, place)
        elif kind == "RUN":
            command = re.sub(r"(?<![\w.])/venv\b", str(folder / "venv"), rest)
            done = subprocess.run(["bash", "-ec", command], cwd=app_folder, env=found, capture_output=True, text=True)
            if done.returncode and OFFLINE.search(done.stderr):
                pytest.skip("no package registry is reachable")
            assert done.returncode == 0, done.stderr[-2000:]
    return app_folder, folder / "venv" / "bin" / "python"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_steps_of_the_image_serve_without_a_container(champion, tmp_path):
    """What the image holds answers as the scorer does, and has neither notebooks nor MLflow."""
    app_folder, python = built(tmp_path)
    for name in ("mlflow", "IPython", "pytest", "dvc"):
        assert subprocess.run([python, "-c", f"import {name}"], capture_output=True).returncode == 1
    words = json.loads(next(rest for kind, rest in instructions() if kind == "CMD"))
    words = [str(python), *(word.replace("/app", str(app_folder)) for word in words[1:-2]), "--host", "127.0.0.1"]
    port, env = services.free_port(), {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": ""}
    with services.running(
        [*words, "--port", port], f"http://127.0.0.1:{port}/ping", tmp_path / "log", env, cwd=tmp_path
    ):
        status, answer = services.request(f"http://127.0.0.1:{port}/invocations", sent())
    assert status == 200
    expected = champion.check_and_score(score.as_text(as_patients()))["probability"].tolist()
    assert [row["probability"] for row in json.loads(answer)["predictions"]] == pytest.approx(expected, abs=1e-12)
