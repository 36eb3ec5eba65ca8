"""The champion: chosen by a stated rule, saved without pickles, registered, and traceable to its data.

The scorer on disk is complete without MLflow. The registry adds what a group needs: which model is in use
(``trial-dropout@champion``), what it was made from (checksum of the data, digest of the sources, feature version) and
how it performed.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attrition import features, models, paths, score, seeds, settings, tracking
from attrition.models import batched, saving
from notebook_report import results
from notebook_report.sources import digest, file_digest

NAME = "trial-dropout"
ALIAS = "champion"
CHAPTER = "08_monitoring"
VERSION = "v3_causal"
STRATEGY = "none"
# The packages that scoring imports, directly (see `requirements`), and an invented patient to show how it is asked
SERVED = settings.declared(__file__, "served.yaml")


def folder() -> Path:
    """Where the champion's scorer lies on disk."""
    return paths.processed() / "champion"


def choose(performance: Mapping[str, Mapping[str, Any]], rule: Mapping[str, Any]) -> str:
    """Name of the champion.

    Parameters
    ----------
    performance : mapping
        Model to metric to ``{"value", "ci_low", "ci_high"}``.
    rule : mapping
        ``among`` (candidates, simplest first), ``metric``, ``better`` (``"higher"`` or ``"lower"``), and ``margin``: a
        simpler model within `margin` of the best one is preferred.

    Examples
    --------
    >>> figures = {"lr": {"brier_score": {"value": 0.210}}, "xgb": {"brier_score": {"value": 0.209}}}
    >>> choose(figures, {"among": ["lr", "xgb"], "metric": "brier_score", "better": "lower", "margin": 0.002})
    'lr'
    """
    sign = 1 if rule["better"] == "higher" else -1
    value = {name: sign * performance[name][rule["metric"]]["value"] for name in rule["among"]}
    best = max(value.values())
    return next(name for name in rule["among"] if value[name] >= best - rule["margin"])


def refits(trial: pd.DataFrame, n_bootstraps: int, seed: int) -> score.Ensemble:
    """Logistic regressions on bootstrap samples of the patients, standardised within each sample."""
    X, y = features.matrix(trial, VERSION).to_numpy(), trial["dropout"].to_numpy(float)
    rng = seeds.stream(seed, "champion", "bootstrap")
    counts = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), n_bootstraps).astype(float)
    mean, scale = batched.standardiser(X, counts)
    fit = batched.fit_logistic((X[None] - mean[:, None]) / scale[:, None], np.broadcast_to(y, counts.shape), counts)
    return score.Ensemble(mean, scale, fit.coef, fit.intercept, VERSION)


def train(model: str, trial: pd.DataFrame, data: Path, n_bootstraps: int, seed: int) -> score.Scorer:
    """Fit the champion on all patients and gather what scoring needs.

    Parameters
    ----------
    model : str
        Key of `attrition.models.MODELS`.
    trial : pandas.DataFrame
        Satisfies the contract.
    data : pathlib.Path
        File that `trial` was read from; its checksum is kept.
    n_bootstraps : int
        Refits for the intervals (logistic regression only).
    seed : int
    """
    fitted = models.pipeline(model, VERSION, STRATEGY, seed).fit(trial, trial["dropout"])
    card: dict[str, Any] = {"model": model, "feature_version": VERSION, "imbalance_strategy": STRATEGY, "seed": seed}
    card |= {"n_patients": len(trial), "n_dropouts": int(trial["dropout"].sum())}
    card |= {"data": data.name, "data_sha256": file_digest(data)}
    card["known_at"] = "after the follow-up: rates are taken over a patient's whole time in the trial"
    ensemble = refits(trial, n_bootstraps, seed) if model == "lr" else None
    return score.Scorer(fitted, score.Support.of(trial), ensemble, card)


def predictions_file() -> Path:
    """Where the champion's predictions of its own trial lie, for a later load to be held against."""
    return paths.processed() / "champion_predictions.parquet"


def keep_predictions(scorer: score.Scorer, trial: pd.DataFrame) -> Path:
    """Write the predictions that a later load must reproduce to the bit; see `predictions_file`."""
    predictions = {"patient_id": trial["patient_id"], "probability": scorer.probability(trial)}
    return results.write_parquet(predictions_file(), pd.DataFrame(predictions))


def _card(saved: Path) -> dict[str, Any]:
    return json.loads((saved / "card.json").read_text(encoding="utf-8"))


def _digest(saved: Path) -> str:
    files = sorted(path for path in saved.iterdir() if path.is_file())
    return digest(*(part for path in files for part in (path.name, path.read_bytes())))


def traces(saved: Path) -> dict[str, str]:
    """Tags that lead from a model to what it was made from.

    ``data``, ``data_sha256`` (equal to the file's ``sha256sum``), ``feature_version``, ``code_sha256``,
    ``scorer_sha256`` and ``identity``, which is the same exactly when scorer, code and packages are.
    """
    card, scorer_digest = _card(saved), _digest(saved)
    known = {key: str(card[key]) for key in ("model", "data", "data_sha256", "feature_version")}
    code = code_digest()
    identity = digest(scorer_digest, code, *requirements())
    return known | {"code_sha256": code, "scorer_sha256": scorer_digest, "identity": identity}


def chosen() -> str:
    """Which of the candidates the champion is."""
    return str(_card(folder())["model"])


def register(
    saved: Path, run_id: str | None = None, alias: str = ALIAS, metrics: Mapping[str, float] | None = None
) -> str | None:
    """Log a scorer as a model, register it and point the alias to it; an unchanged one keeps its version.

    Parameters
    ----------
    saved : pathlib.Path
        Folder that a scorer was saved to, and nothing else.
    run_id : str, optional
        Tracked run of the candidate that was chosen; one of its own by default.
    alias : str
    metrics : mapping of str to float, optional
        Of a new version, to be logged with its run.

    Returns
    -------
    str or None
        Version, or None when the store failed (a `tracking.TrackingWarning` says why).
    """
    try:
        client, tags = tracking.client(), traces(saved)
        known, ours = client.search_model_versions(f"name = '{NAME}'"), tags["identity"]
        same = [int(v.version) for v in known if v.tags.get("identity") == ours and v.status == "READY"]
        version = str(max(same)) if same else _new_version(client, saved, tags, run_id, alias, metrics or {})
        client.set_registered_model_alias(NAME, alias, version)
        return version
    except Exception as error:  # any store, any failure: the report must not be lost
        tracking.warn_of("the champion was not registered", error)
        return None


def _new_version(
    client: Any, saved: Path, tags: dict[str, str], run_id: str | None, alias: str, metrics: Mapping[str, float]
) -> str:
    experiment = tracking.experiment(client, tracking.SIMULATED)
    run_id = run_id or client.create_run(experiment, run_name=alias, tags={"chapter": CHAPTER}).info.run_id
    tracking.annotate(client, run_id, _card(saved), metrics, tags)
    logged = client.create_logged_model(experiment, "scorer", run_id, tags, model_type="scorer")
    with tempfile.TemporaryDirectory() as place:
        client.log_model_artifacts(logged.model_id, str(pack(saved, Path(place) / "scorer")))
    client.finalize_logged_model(logged.model_id, "READY")
    client.set_terminated(run_id)
    if not client.search_registered_models(f"name = '{NAME}'"):
        client.create_registered_model(NAME, description="Probability that a patient leaves the trial.")
    made = client.create_model_version(NAME, logged.artifact_location, run_id, tags=tags, model_id=logged.model_id)
    return str(made.version)


def pack(saved: Path, target: Path) -> Path:
    """Write a saved scorer to a new folder as an MLflow model: code instead of a pickle, signature, pinned packages."""
    import mlflow.pyfunc

    made_of: dict[str, Any] = {"artifacts": {"scorer": str(saved)}, "pip_requirements": requirements()}
    made_of |= {"signature": signature(), "input_example": pd.DataFrame([SERVED["example"]])}
    mlflow.pyfunc.save_model(target, python_model=str(Path(__file__).with_name("serving.py")), **made_of)
    return target


def signature() -> Any:
    """Names and kinds of what the model takes and gives.

    Every column is text, so that the contract sees what was sent and nothing is coerced; none is marked as required,
    because MLflow's own message about a missing one repeats the patients it was sent.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    numbers = ("probability", "ci_low", "ci_high")
    given: list[Any] = [ColSpec(DataType.string, name, required=False) for name in score.INPUT.names]
    kinds = {name: DataType.double if name in numbers else DataType.string for name in score.OUTPUT[:-1]}
    made: list[Any] = [ColSpec(kind, name, required=False) for name, kind in kinds.items()]
    params = ParamSchema([ParamSpec("threshold", DataType.double, score.PRESETS["published"])])
    return ModelSignature(inputs=Schema(given), outputs=Schema(made), params=params)


def requirements() -> list[str]:
    """Pinned packages that scoring needs, as locked."""
    from attrition.environment import pins

    locked = pins()
    return [f"{name}=={locked[name]}" for name in SERVED["packages"] if name in locked]


def code_digest() -> str:
    """Digest of the library modules that training and scoring reach, to tell which code made a model."""
    from notebook_report.sources import modules

    reached = modules("import attrition.registry, attrition.registry.serving")
    return digest(*(f"{name}={made}" for name, made in reached.items()))


# What MLflow answers when a name or alias is not registered, or could not be one
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def load(model: str = f"{NAME}@{ALIAS}") -> score.Scorer:
    """Load a scorer, by folder or by registered name.

    Parameters
    ----------
    model : str
        A folder with ``card.json``, or ``name@alias`` (``trial-dropout@champion``).

    Raises
    ------
    FileNotFoundError
        With what to run.
    """
    if (Path(model) / "card.json").exists():
        return score.Scorer.load(model)
    name, _, alias = model.removeprefix("models:/").partition("@")
    with tempfile.TemporaryDirectory() as place:
        try:
            folder, sealed = _fetched(name, alias or ALIAS, place)
        except Exception as error:  # a store fails with what its database or server raises
            why = f"the store of tracked runs cannot be read ({type(error).__name__}); MLFLOW_TRACKING_URI names it"
            if getattr(error, "error_code", None) in UNKNOWN:
                how = f"{paths.command()} registers {model}"
                why = f"neither a folder with card.json nor a registered name@alias; {how}"
            raise FileNotFoundError(f"no model {model!r}: {why}") from None
        if _digest(folder) != sealed:
            raise saving.UnsafeModel(f"{model}: its files are not those that were registered; register it again")
        return score.Scorer.load(folder)


def _fetched(name: str, alias: str, place: str) -> tuple[Path, str | None]:
    """Files of a registered scorer, and their digest as the store has it."""
    client = tracking.client()
    import mlflow.artifacts

    found = client.get_model_version_by_alias(name, alias)
    uri, store = client.get_model_version_download_uri(name, found.version), tracking.store_uri()
    local = mlflow.artifacts.download_artifacts(uri, dst_path=place, tracking_uri=store, registry_uri=store)
    return next(Path(local).rglob("card.json")).parent, found.tags.get("scorer_sha256")
