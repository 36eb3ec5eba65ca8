"""Studies, one module each, too heavy for a notebook; those with a command leave committed results for the report."""

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrition import paths
from notebook_report import results


def place(name: str) -> Path:
    """Where the results of a named study are kept."""
    return paths.STUDIES / f"{name}.json"


def about(name: str, seed: int, n_trials: int, **sizes: int) -> dict[str, Any]:
    """What the results of every study begin with: day, command, seed and sizes, the second one by its name there."""
    command = f"python -m attrition study {name} --trials {n_trials}"
    command += "".join(f" --every-method {n}" for n in sizes.values())
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return {"date": today, "command": command, "seed": seed, "n_trials": n_trials} | sizes


def write(name: str, found: Mapping[str, Any]) -> None:
    """Put the results of a named study where the report reads them."""
    results.publish(place(name), json.dumps(results.plain(found), sort_keys=True, indent=1) + "\n")


def committed(name: str) -> dict[str, Any]:
    """The committed results of a named study."""
    return json.loads(place(name).read_text(encoding="utf-8"))
