"""Boosted trees of the study: fitted as published, scored fast.

Scoring 50,000 patients takes LightGBM longer than the fit itself. XGBoost walks trees of the same depth three times
faster, so the fitted LightGBM trees are handed to XGBoost's predictor, in its documented JSON form. Nothing is fitted
anew: the scores agree to float32 precision (tested).
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from attrition.models import classifier

Array = np.ndarray
NO_PARENT = 2**31 - 1


def fit_score(model: str, strategy: str, X: Array, y: Array) -> Callable[[Array], Array]:
    """Fit XGBoost or LightGBM with the published settings; gives a function from features to log odds."""
    fitted = classifier(model, strategy).fit(X, y)
    trees = fitted.named_steps["classify"]
    booster = trees.get_booster() if model == "xgb" else as_xgboost(trees.booster_)
    return lambda patients: booster.inplace_predict(patients, predict_type="margin").astype(float)


def parse_lightgbm(text: str) -> list[dict[str, Array]]:
    """Trees of a LightGBM model string: feature, threshold, left, right of the splits; value of the leaves.

    A child below 0 is leaf ``-child - 1``.
    """
    kinds = {"split_feature": int, "threshold": float, "left_child": int, "right_child": int, "leaf_value": float}
    trees: list[dict[str, Array]] = []
    for block in text.split("\nTree=")[1:]:
        lines = dict(line.split("=", 1) for line in block.split("\n\n")[0].splitlines() if "=" in line)
        if int(lines["num_cat"]):
            raise ValueError("trees with categorical splits cannot be converted")
        trees.append({name: np.array(lines.get(name, "").split(), dtype=kind) for name, kind in kinds.items()})
    return trees


def _nodes(tree: dict[str, Array]) -> dict[str, list]:
    n_splits, n = len(tree["threshold"]), len(tree["threshold"]) + len(tree["leaf_value"])
    children = [np.full(n, -1), np.full(n, -1)]
    parents, condition, feature = np.full(n, NO_PARENT), np.zeros(n), np.zeros(n, dtype=int)
    for side, name in zip(children, ("left_child", "right_child"), strict=True):
        side[:n_splits] = np.where(tree[name] >= 0, tree[name], n_splits - 1 - tree[name])
        parents[side[:n_splits]] = np.arange(n_splits)
    above = np.nextafter(tree["threshold"].astype(np.float32), np.float32(np.inf))
    condition[:n_splits], condition[n_splits:] = above, tree["leaf_value"]
    feature[:n_splits] = tree["split_feature"]
    arrays = {"left_children": children[0], "right_children": children[1], "parents": parents}
    arrays |= {"split_conditions": condition, "split_indices": feature}
    empty = {name: [0.0] * n for name in ("base_weights", "sum_hessian", "loss_changes")}
    empty |= {name: [0] * n for name in ("default_left", "split_type")}
    return {name: array.tolist() for name, array in arrays.items()} | empty


@cache
def _template(n_features: int) -> str:
    import xgboost

    X, y = np.eye(4, n_features), np.array([0, 1, 0, 1])
    settings = {"max_depth": 1, "objective": "binary:logitraw", "base_score": 0.0, "nthread": 1}
    return xgboost.train(settings, xgboost.DMatrix(X, y), 1).save_raw("json").decode()


def as_xgboost(booster: Any) -> Any:
    """LightGBM's fitted trees as an XGBoost booster.

    LightGBM goes left at ``x <= t`` and XGBoost at ``x < t``, hence the next larger float32.

    """
    import xgboost

    trees = parse_lightgbm(booster.model_to_string())
    content = json.loads(_template(booster.num_feature()))
    model = content["learner"]["gradient_booster"]["model"]
    first = model["trees"][0]
    converted = []
    for position, tree in enumerate(trees):
        nodes = _nodes(tree)
        shape = first["tree_param"] | {"num_nodes": str(len(nodes["parents"]))}
        converted.append(first | nodes | {"id": position, "tree_param": shape})
    model["trees"], model["tree_info"] = converted, [0] * len(trees)
    model["iteration_indptr"] = list(range(len(trees) + 1))
    model["gbtree_model_param"] |= {"num_trees": str(len(trees))}
    return xgboost.Booster({"nthread": 1}, model_file=bytearray(json.dumps(content), "utf-8"))
