"""Versions of data and results for DVC: checksums, pointers, and the pipeline with its lock; made without DVC.

Raw data come out the same on every machine; the pointers say which files a state of this repository was made from, so
that ``dvc push`` can keep and ``dvc pull`` can bring back exactly those. A full run leaves all of it true.
"""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from attrition import paths
from notebook_report import project
from notebook_report.sources import file_digest

TRACKED = ("raw", "processed")
CHECKSUMS = "checksums.sha256"
MADE = ("__pycache__", ".egg-info")
HEAD = "# Written by a full ./run_all.sh, or python -m attrition versions.\n"
PLOTS = {"fig-roc": ("false_positive_rate", "recall"), "fig-calibration": ("predicted", "observed")}


def _files(folder: Path) -> list[Path]:
    """Files below a folder, without those that `.dvcignore` names."""
    inside = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    kept = (p for p in inside if not any(part.endswith(MADE) for part in p.relative_to(folder).parts))
    return sorted(kept, key=lambda p: p.relative_to(folder).as_posix())


def checksums(data: Path) -> str:
    """Checksums of the raw data, the same on every machine, as ``sha256sum -c`` reads them in the data folder."""
    return "".join(f"{file_digest(p)}  {p.relative_to(data).as_posix()}\n" for p in _files(data / "raw"))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _entry(path: Path, name: str) -> dict[str, Any]:
    """What DVC notes of a file or folder: digest, size in bytes, and of a folder the number of files.

    DVC identifies a folder by the MD5 of a JSON list with the MD5 and the relative path of each file.
    """
    if path.is_file():
        return {"path": name, "hash": "md5", "md5": _md5(path.read_bytes()), "size": path.stat().st_size}
    files = _files(path)
    parts = [{"md5": _md5(p.read_bytes()), "relpath": p.relative_to(path).as_posix()} for p in files]
    digest = _md5(json.dumps(parts, sort_keys=True).encode()) + ".dir"
    size = sum(p.stat().st_size for p in files)
    return {"md5": digest, "size": size, "nfiles": len(files), "hash": "md5", "path": name}


def pointers(data: Path) -> dict[Path, str]:
    """What the files that git keeps should hold for the data as they are now: path to content."""
    there = {name: {"outs": [_entry(data / name, name)]} for name in TRACKED if _files(data / name)}
    found = {data / f"{name}.dvc": yaml.safe_dump(outs, sort_keys=False) for name, outs in there.items()}
    return found | ({data / CHECKSUMS: checksums(data)} if "raw" in there else {})


def _result(chapter: str) -> str:
    return f"reports/results/{chapter}.json"


def pipeline(root: Path) -> dict[Path, str]:
    """``dvc.yaml`` and ``dvc.lock`` of the plan and the files as they are: a stage a chapter; path to content.

    The lock says of each stage what ``dvc repro`` would note after running it; without all results there is none.
    """
    stages: dict[str, Any] = {}
    for chapter in project.current.chapters:
        name, made = chapter.name, {_result(chapter.name): {"cache": False, "persist": True}}
        patterns = ["lib", "params.yaml", "requirements.lock", f"notebooks/{name}.ipynb"]
        patterns += [f"notebooks/captions/{name}.yaml", f"notebooks/words/{name}.md", *chapter.reads]
        found = (path.relative_to(root).as_posix() for pattern in patterns for path in sorted(root.glob(pattern)))
        deps = [*found, *map(_result, chapter.needs)]
        stages[name] = {"cmd": f"./run_all.sh --only {name}", "deps": deps, "outs": [made]}
    metrics = [_result(name) for name in stages]
    if not all((root / path).exists() for path in metrics):
        return {}
    entry = functools.cache(lambda name: _entry(root / name, name))
    deps_of = {name: {"deps": [*map(entry, stage["deps"])]} for name, stage in stages.items()}
    noted = {name: stages[name] | deps | {"outs": [entry(_result(name))]} for name, deps in deps_of.items()}
    plots = [{f"reports/tables/{id}.csv": {"x": x, "y": y}} for id, (x, y) in PLOTS.items()]
    plan = {"stages": stages, "params": ["params.yaml"], "metrics": metrics, "plots": plots}
    contents = {"dvc.yaml": plan, "dvc.lock": {"schema": "2.0", "stages": noted}}
    # by way of JSON nothing is shared, so that there are no anchors, which DVC's own files do not have
    apart = {name: json.loads(json.dumps(content)) for name, content in contents.items()}
    return {root / name: HEAD + yaml.safe_dump(content, sort_keys=False) for name, content in apart.items()}


def everything() -> dict[Path, str]:
    """What a full run leaves true: pointers, checksums, pipeline and lock; path to content."""
    return pointers(paths.data()) | pipeline(paths.ROOT)
