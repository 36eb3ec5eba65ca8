"""The champion: chosen by a stated rule, saved without pickles, registered, and traceable to its data.

The scorer on disk is complete without MLflow. The registry adds what a group needs: which model is in use
(``trial-dropout@champion``), what it was made from (checksum of the data, digest of the sources, feature version) and
how it performed.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attrition import batched, features, models, paths, score, seeds, tracking
from attrition.digests import digest, file_digest

NAME = "trial-dropout"
ALIAS = "champion"
VERSION = "v3_causal"
STRATEGY = "none"


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

    Returns
    -------
    str

    Examples
    --------
    >>> figures = {"lr": {"brier": {"value": 0.210}}, "xgb": {"brier": {"value": 0.209}}}
    >>> choose(figures, {"among": ["lr", "xgb"], "metric": "brier", "better": "lower", "margin": 0.002})
    'lr'
    """
    sign = 1 if rule["better"] == "higher" else -1
    value = {name: sign * performance[name][rule["metric"]]["value"] for name in rule["among"]}
    best = max(value.values())
    return next(name for name in rule["among"] if value[name] >= best - rule["margin"])


def refits(trial: pd.DataFrame, n_bootstraps: int, seed: int) -> score.Ensemble:
    """Logistic regressions on bootstrap samples of the patients, standardised within each sample.

    Parameters
    ----------
    trial : pandas.DataFrame, shape (n_patients, ...)
    n_bootstraps : int
    seed : int

    Returns
    -------
    attrition.score.Ensemble
    """
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

    Returns
    -------
    attrition.score.Scorer
    """
    fitted = models.pipeline(model, VERSION, STRATEGY, seed).fit(trial, trial["dropout"])
    card = {
        "model": model,
        "feature_version": VERSION,
        "imbalance_strategy": STRATEGY,
        "n_patients": len(trial),
        "n_dropouts": int(trial["dropout"].sum()),
        "data": data.name,
        "data_sha256": file_digest(data),
        "seed": seed,
        "known_at": "after the follow-up: rates are taken over a patient's whole time in the trial",
    }
    ensemble = refits(trial, n_bootstraps, seed) if model == "lr" else None
    return score.Scorer(fitted, score.Support.of(trial), ensemble, card)


def reference_predictions(scorer: score.Scorer, trial: pd.DataFrame) -> pd.DataFrame:
    """Predictions kept beside the model, so that a later load can be held against them exactly."""
    return pd.DataFrame({"patient_id": trial["patient_id"], "probability": scorer.probability(trial)})


def register(scorer: score.Scorer, saved: Path, metrics: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
    """Log the scorer as a model, register it and point the alias to it.

    Parameters
    ----------
    scorer : attrition.score.Scorer
    saved : pathlib.Path
        Folder that it was saved to.
    metrics : mapping
        Performance, nested.
    tags : mapping
        Further tags of the model version.

    Returns
    -------
    str or None
        Version, or None when the store failed (a `tracking.TrackingWarning` says why).
    """
    try:
        return _register(scorer, saved, metrics, tags)
    except Exception as error:  # any store, any failure: the report must not be lost
        told = f"the champion was not registered: {type(error).__name__}"
        warnings.warn(told, tracking.TrackingWarning, stacklevel=2)
        return None


def _register(scorer: score.Scorer, saved: Path, metrics: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    client = tracking.client()
    import mlflow

    mlflow.set_tracking_uri(tracking.store_uri())
    mlflow.set_registry_uri(tracking.store_uri())
    experiment = tracking.experiment(client, "simulated trial")
    run = client.create_run(experiment, run_name="champion", tags={"chapter": "08_monitoring"})
    tracking.log_numbers(client, run.info.run_id, scorer.card, metrics)
    with mlflow.start_run(run_id=run.info.run_id):
        logged = mlflow.pyfunc.log_model(
            name="scorer",
            python_model=str(Path(__file__).with_name("serving.py")),
            artifacts={"scorer": str(saved)},
            signature=signature(),
            pip_requirements=requirements(),
            registered_model_name=NAME,
        )
    version = str(logged.registered_model_version)
    for key, value in (scorer.card | dict(tags)).items():
        client.set_model_version_tag(NAME, version, key, str(value))
    client.set_registered_model_alias(NAME, ALIAS, version)
    return version


def signature() -> Any:
    """Signature of the scorer: text columns in, so that the contract sees what was sent and nothing is coerced."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    ids = [ColSpec(DataType.string, c.name) for c in score.INPUT.columns]
    return ModelSignature(inputs=Schema(ids))


def requirements() -> list[str]:
    """Pinned packages that scoring needs, as locked."""
    from attrition.run.environment import pins

    locked = pins()
    wanted = ("numpy", "pandas", "scikit-learn", "scipy", "skops", "pandera", "mlflow", "xgboost-cpu", "lightgbm")
    return [f"{name}=={locked[name]}" for name in wanted if name in locked]


def sources_digest() -> str:
    """Digest of the library's code, to tell which code made a model."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return digest(*(part for path in files for part in (path.name, path.read_bytes())))


def find(model: str) -> Path:
    """Folder of a scorer, by path or by registered name (``trial-dropout@champion``).

    Raises
    ------
    FileNotFoundError
        With what to run.
    """
    place = Path(model)
    if (place / "card.json").exists():
        return place
    name, _, alias = model.partition("@")
    try:
        client = tracking.client()
        import mlflow

        version = client.get_model_version_by_alias(name, alias or ALIAS)
        mlflow.set_tracking_uri(tracking.store_uri())
        local = mlflow.artifacts.download_artifacts(f"models:/{name}/{version.version}")
    except Exception as error:
        raise FileNotFoundError(
            f"no model {model!r}: neither a folder with card.json nor a registered name@alias "
            f"({type(error).__name__}); ./run_all.sh registers {NAME}@{ALIAS}"
        ) from None
    return next(Path(local).rglob("card.json")).parent
