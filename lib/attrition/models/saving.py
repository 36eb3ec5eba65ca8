"""Fitted models on disk without pickles: skops with a constant allow-list, boosters in their own format.

A pickle runs whatever it contains when it is opened. A skops file is opened against the list of types that was reviewed
when its model was declared (`attrition.models.MODELS`); anything else in the file is refused.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from attrition.features import FeatureVersion
from attrition.models import MODELS
from notebook_report import errors, results
from notebook_report.sources import file_digest


class UnsafeModel(errors.Refusal, ValueError):
    """A model file holds types that nobody has reviewed."""

    exit_code = errors.USAGE


class Booster:
    """A booster in its own format behind the feature version it was fitted on."""

    def __init__(self, kind: str, booster: Any, version: str):
        self.kind, self.booster, self.version = kind, booster, version

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, shape (n_patients, 2), from raw contract columns."""
        matrix = FeatureVersion(self.version).fit(X).transform(X)
        if self.kind == "xgb":
            import xgboost

            event = self.booster.predict(xgboost.DMatrix(matrix))
        else:
            event = self.booster.predict(matrix.to_numpy(), num_threads=1)
        return np.column_stack([1 - event, event])


def save(model: str, fitted: Pipeline, version: str, folder: Path) -> None:
    """Save a fitted pipeline of `attrition.models`."""
    results.publish(folder / "format.json", json.dumps({"model": model, "version": version}, sort_keys=True) + "\n")
    last = fitted[-1]
    if model == "xgb":
        results.publish(folder / "model.json", bytes(last.get_booster().save_raw("json")))
    elif model == "lgbm":
        results.publish(folder / "model.txt", last.booster_.model_to_string())
    else:
        import skops.io

        results.publish(folder / "model.skops", _steady(skops.io.dumps(fitted)))


MANIFEST = "manifest.json"
LANDMARK = "landmark.json"  # in the folder of a model of a trial of one's own, see `attrition.own`


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.iterdir()) if path.name != MANIFEST and not path.name.startswith("."))
    return {path.name: file_digest(path) if path.is_file() else "a folder" for path in files}


def seal(folder: Path) -> None:
    """Leave a manifest of the files of a saved model: their checksums."""
    results.publish(folder / MANIFEST, json.dumps(_digests(folder), indent=1) + "\n")


def verify(folder: Path) -> None:
    """Refuse a saved model of which a file is not as it was saved, before any of them is read."""
    try:
        sealed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        changed = sorted({name for name, _ in {*sealed.items()} ^ {*_digests(folder).items()}})
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        changed = [MANIFEST]
    if changed:
        raise UnsafeModel(f"{folder.name}: not as it was saved ({', '.join(changed[:5])}); have it made again")


ADDRESS = re.compile(r'(?P<before>"__id__": |"file": ")(?P<address>[0-9]+)')


def _steady(content: bytes) -> bytes:
    """The same model as the same bytes: addresses in memory are numbered, the time of packing is left out."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    schema = parts.pop("schema.json").decode()
    number: dict[str, str] = {}
    for found in ADDRESS.finditer(schema):
        number.setdefault(found["address"], str(len(number) + 1))
    parts = {number[Path(name).stem] + Path(name).suffix: part for name, part in parts.items()}
    parts["schema.json"] = ADDRESS.sub(lambda found: found["before"] + number[found["address"]], schema).encode()
    packed_again = io.BytesIO()
    with zipfile.ZipFile(packed_again, "w") as packed:
        for name in sorted(parts):
            packed.writestr(zipfile.ZipInfo(name), parts[name])
    return packed_again.getvalue()


def load(folder: Path) -> Pipeline | Booster:
    """Load what `save` wrote."""
    known = json.loads((folder / "format.json").read_text(encoding="utf-8"))
    model, version = known["model"], known["version"]
    if model == "xgb":
        import xgboost

        return Booster(model, xgboost.Booster(params={"nthread": 1}, model_file=folder / "model.json"), version)
    if model == "lgbm":
        import lightgbm

        return Booster(model, lightgbm.Booster(model_file=folder / "model.txt"), version)
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.load(folder / "model.skops", trusted=list(MODELS[model].trusted))
    except UntrustedTypesFoundException:
        raise UnsafeModel(f"{folder.name}/model.skops holds types that are not on the reviewed list") from None
