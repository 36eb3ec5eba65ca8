"""What is shipped in the image, and under which licences: a bill of materials and a list.

    python benchmarks/sbom.py            writes docs/sbom.cdx.json (CycloneDX 1.6) and docs/licences.md
    python benchmarks/sbom.py --check    exit code 1 and a line when one of them is stale

Packages and versions are those of requirements-serving.lock as it applies on Linux with Python 3.11, the image's;
licences and dependencies are what the packages say of themselves, in the environment that runs this script.
"""

import argparse
import json
import re
import sys
import uuid
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from attrition import __version__, environment
from notebook_report import results
from notebook_report.sources import file_digest

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-serving.lock"
BILL, LIST = ROOT / "docs" / "sbom.cdx.json", ROOT / "docs" / "licences.md"
IDENTIFIER = re.compile(r"[A-Za-z0-9.+-]+")
SIGNS = {"Permission is hereby granted, free of charge": "MIT", "Neither the name of": "BSD-3-Clause"}
"""Words by which a licence is known."""
HEAD = """\
# Licences of what the image holds

Written by `python benchmarks/sbom.py` from `requirements-serving.lock`; a test says when it is stale. The same, for \
programs, with what depends on what: [sbom.cdx.json](sbom.cdx.json). Not in it: the base \
image, Debian's `libgomp1`, and what wheels bundle, which their own licence files name.

| package | version | licence |
|---|---|---|
"""


def licence(package: metadata.Distribution) -> str:
    """SPDX expression: as the package states it, else by the words of its licence file."""
    stated = package.metadata.get("License-Expression") or package.metadata.get("License") or ""
    if package.metadata.get("License-Expression") or IDENTIFIER.fullmatch(stated):
        return stated
    texts = (" ".join(file.read_text().split()) for file in package.files or () if "LICENSE" in file.name)
    found = {text.index(sign): name for text in texts for sign, name in SIGNS.items() if sign in text}
    if not found:
        raise SystemExit(f"{package.name}: no licence that is known; read its files, and extend this script")
    return found[min(found)]


def packages() -> list[dict]:
    """Name, version, licence and the shipped packages that each needs, in order of names."""
    shipped = environment.pins(LOCK)
    found = []
    for name, version in sorted(shipped.items()):
        here = metadata.distribution(name)
        if here.version != version:
            raise SystemExit(f"{name} is {here.version} here and {version} in the lock")
        asked = [Requirement(line) for line in here.requires or ()]
        needs = {environment.normal(r.name) for r in asked if not r.marker or r.marker.evaluate({"extra": ""})}
        told = {"name": name, "version": version, "licence": licence(here)}
        found.append(told | {"needs": sorted(needs & {*shipped})})
    return found


def bill(found: list[dict]) -> str:
    """The bill of materials as JSON; the same packages give the same bytes."""
    ref = {one["name"]: f"pkg:pypi/{one['name']}@{one['version']}" for one in found}
    own = f"pkg:generic/attrition@{__version__}"
    components = [
        {"type": "library", "bom-ref": ref[one["name"]], "name": one["name"], "version": one["version"],
         "purl": ref[one["name"]], "licenses": [_stated(one["licence"])]}
        for one in found
    ]  # fmt: skip
    depends = [{"ref": ref[one["name"]], "dependsOn": [ref[name] for name in one["needs"]]} for one in found]
    needed = {name for one in found for name in one["needs"]}
    direct = [ref[one["name"]] for one in found if one["name"] not in needed]
    project = {"type": "application", "bom-ref": own, "name": "attrition", "version": __version__}
    content = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, file_digest(LOCK))}",
        "version": 1,
        "metadata": {"component": project | {"licenses": [{"license": {"id": "MIT"}}]}},
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": direct}, *depends],
    }
    return json.dumps(content, indent=1) + "\n"


def _stated(licence: str) -> dict:
    if re.search(r" (AND|OR|WITH) ", licence):
        return {"expression": licence}
    return {"license": {"name" if " " in licence else "id": licence}}


def main(argv: list[str] | None = None) -> int:
    """Write both files, or only tell which is stale."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only tell; exit code 1 when a file is stale")
    args = parser.parse_args(argv)
    found = packages()
    rows = "".join(f"| {one['name']} | {one['version']} | {one['licence']} |\n" for one in found)
    stale = results.renew({BILL: bill(found), LIST: HEAD + rows}, args.check)
    print("\n".join(f"{name}: {'stale' if args.check else 'written'}" for name in stale) or "up to date")
    return int(args.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
