"""A scorer as an HTTP server without MLflow: ``python -m attrition.registry.app`` (what `Dockerfile` runs).

It takes the JSON that ``mlflow models serve`` takes for records, and is stricter: what it does not know is refused,
sizes and times have limits, the Host header must be a name it was given, and neither an answer nor the log repeats what
was sent.
"""

import argparse
import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pandas as pd
import uvicorn
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from attrition import registry, score
from notebook_report import errors

MOST_BYTES, MOST_PATIENTS, SECONDS = 2**20, 1_000, 30.0
OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
LIMITS: Any = {"http": "h11", "limit_concurrency": 32, "timeout_keep_alive": 5, "h11_max_incomplete_event_size": 2**14}
BODY = 'the body must be {"dataframe_records": [a mapping a patient], "params": {"threshold": 0.35}}, params if need be'


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise score.RefusedRows("a key stands twice in a mapping")
    return dict(pairs)


def read(body: bytes) -> tuple[pd.DataFrame, float]:
    """Patients as text and the threshold of a request."""
    try:
        sent = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=int)  # int refuses NaN
        patients, params = sent.pop("dataframe_records"), {"threshold": score.PRESETS["published"]}
        params |= sent.pop("params", {})
        cells = [cell for patient in patients for cell in patient.values()]
        nested = any(isinstance(cell, list | dict | bool) for cell in cells)
        if sent or nested or len(params) > 1 or type(params["threshold"]) is not float:
            raise score.RefusedRows(f"{BODY}; nothing else, and nothing nested deeper")
        if len(patients) > MOST_PATIENTS:
            raise score.RefusedRows(f"more than {MOST_PATIENTS:,} patients")
        return score.as_text(pd.DataFrame(patients)), params["threshold"]
    except errors.Refusal:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        raise score.RefusedRows(BODY) from None


async def _body(request: Request) -> bytes:
    if request.query_params or request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise score.RefusedRows("the content must be application/json, and the address without parameters")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise score.RefusedRows(f"more than {MOST_BYTES:,} bytes")
    return bytes(body)


def app(scorer: score.Scorer, hosts: Iterable[str] = ()) -> Starlette:
    """The application: it answers requests to this machine by name, or to `hosts`."""
    made = Starlette()
    made.add_middleware(TrustedHostMiddleware, allowed_hosts=[*OWN_NAMES, *hosts], www_redirect=False)
    made.add_route("/ping", lambda _: JSONResponse({}))

    async def invocations(request: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(SECONDS):
                body = await _body(request)
                scored = await asyncio.to_thread(lambda: scorer.answer(*read(body)))
                found = scored.astype(object).where(scored.notna(), None)
                return JSONResponse({"predictions": found.to_dict("records")})
        except errors.Refusal as error:
            status, told = 400, str(error)
        except (TimeoutError, ClientDisconnect):
            status, told = 408, f"not all was there after {SECONDS:.0f} seconds"
        except Exception as error:  # its words may hold a patient's value, also in the log
            status, told = 500, f"this is a fault of the program: {type(error).__name__}"
        return JSONResponse({"message": told}, status)

    made.add_route("/invocations", invocations, methods=["POST"])
    return made


def main() -> None:
    """Serve a scorer until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m attrition.registry.app")
    usual = f"{registry.NAME}@{registry.ALIAS}"
    parser.add_argument("--model", default=usual, help="registered name@alias, or a folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--name", action="append", default=[], help="a name by which others ask for this server (Host)")
    args = parser.parse_args()
    try:
        served = app(registry.load(args.model), args.name)
    except (errors.Refusal, FileNotFoundError) as error:
        parser.error(str(error))
    # no access log: an address may hold anything
    uvicorn.run(served, host=args.host, port=args.port, log_level="warning", access_log=False, **LIMITS)


if __name__ == "__main__":
    main()
