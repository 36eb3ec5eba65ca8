"""Versions of the data: checksums for everybody, pointer files for those who keep the files in DVC.

The run needs neither. Raw data come out the same on every machine; the pointers say which files a state of this
repository was made from, so that ``dvc push`` can keep and ``dvc pull`` can bring back exactly those.
"""

import hashlib
import json
from pathlib import Path

import yaml

from attrition import paths, results
from attrition.digests import file_digest

TRACKED = ("raw", "processed")
CHECKSUMS = "checksums.sha256"


def _files(folder: Path) -> list[Path]:
    inside = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return sorted(inside, key=lambda p: p.relative_to(folder).as_posix())


def checksums(data: Path) -> str:
    """Checksums of the raw data, the same on every machine, as ``sha256sum -c`` reads them in the data folder.

    Parameters
    ----------
    data : pathlib.Path
        Data folder.

    Returns
    -------
    str
        One line a file, sorted by path.
    """
    return "".join(f"{file_digest(p)}  {p.relative_to(data).as_posix()}\n" for p in _files(data / "raw"))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def pointer(folder: Path) -> str:
    """Content of the ``.dvc`` file that ``dvc add`` writes for a folder.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    str
        YAML: DVC's digest of the folder, its size in bytes, its number of files.

    Notes
    -----
    DVC identifies a folder by the MD5 of a JSON list with the MD5 and the relative path of each file.
    """
    files = _files(folder)
    parts = [{"md5": _md5(p.read_bytes()), "relpath": p.relative_to(folder).as_posix()} for p in files]
    about = {
        "md5": _md5(json.dumps(parts, sort_keys=True).encode()) + ".dir",
        "size": sum(p.stat().st_size for p in files),
        "nfiles": len(files),
        "hash": "md5",
        "path": folder.name,
    }
    return yaml.safe_dump({"outs": [about]}, sort_keys=False)


def expected(data: Path) -> dict[Path, str]:
    """What the files that git keeps should hold for the data as they are now: path to content."""
    there = [name for name in TRACKED if _files(data / name)]
    found = {data / f"{name}.dvc": pointer(data / name) for name in there}
    return found | ({data / CHECKSUMS: checksums(data)} if "raw" in there else {})


def changed(data: Path | None = None) -> list[str]:
    """Names of pointers and checksums that do not fit the data."""
    held = expected(data or paths.data())
    return [p.name for p, text in held.items() if not p.exists() or p.read_text(encoding="utf-8") != text]


def write(data: Path | None = None) -> list[str]:
    """Bring pointers and checksums up to date with the data; names of those that changed."""
    place = data or paths.data()
    stale = changed(place)
    for path, text in expected(place).items():
        if path.name in stale:
            results.publish(path, text)
    return stale
