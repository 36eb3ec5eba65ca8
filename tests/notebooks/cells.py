"""Cells of a notebook by the beginning of their id, run in one namespace."""

import json

from attrition import paths
from notebook_report import display as report


def sources(number, *beginnings):
    """Sources of the code cells whose id, after the chapter, is one of these or continues with a dash, by id."""
    path = next(paths.ROOT.glob(f"notebooks/{number}_*.ipynb"))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = {cell["id"].partition("-")[2]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}
    chosen = tuple(f"{beginning}-" for beginning in beginnings)
    return {name: source for name, source in code.items() if f"{name}-".startswith(chosen)}


def run(number, *beginnings, **namespace):
    """The namespace that these cells leave behind, with what they said under ``said``."""
    with report.capture() as outputs:
        for name, source in sources(number, *beginnings).items():
            exec(compile(source, f"ch{number}-{name}", "exec"), namespace)
    return namespace | {"said": "\n".join(output["data"]["text/plain"] for output in outputs)}
