"""Score new patients: probability, band, action, interval, and what to be careful about.

The contract runs first. A row that breaks it is refused with the reason, the others are scored; a value outside what
the model was trained on is scored and flagged.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attrition import contract, decision, features, models
from attrition.contract import TRIAL, Contract, strict
from attrition.models import saving
from notebook_report import errors, results

CHUNK = 20_000
ROWS_AT_ONCE = 2_000
AGAIN = "patient_id: the patient stands in an earlier row already"
FIRST_LINE = 2  # line of the first patient in a file with a header
FEWEST = 5  # patients at or beyond each end of the training range
INPUT = Contract(
    columns=tuple(c for c in TRIAL.columns if c.name in ("patient_id", *features.RAW_COLUMNS)),
    rules=("last_visit_day lies within the follow-up", "last_visit_day is 0 exactly when there are no visits"),
    unique_patients=False,
)
# Named thresholds: one half (a missed dropout costs as much as a needless contact), and the published document's,
# also by its older name
PRESETS = {"even": 0.5, "published": 0.35, "seed": 0.35}
OUTPUT = ("patient_id", "probability", "ci_low", "ci_high", "band", "action", "flagged", "outside_training", "refused")


class RefusedRows(errors.Refusal, ValueError):
    """A request of which a row breaks the contract."""

    exit_code = errors.CONTRACT


@dataclass(frozen=True)
class Support:
    """What the training patients looked like: a range for each number, a list for each category.

    An end of a range has `FEWEST` patients at or beyond it: a single patient is no support for a prediction, and their
    value must not travel with the model.
    """

    ranges: dict[str, list[float]]
    levels: dict[str, list[str]]

    @classmethod
    def of(cls, trial: pd.DataFrame) -> Self:
        """Support of the training patients."""
        columns = {c.name: c for c in sorted(INPUT.columns, key=lambda c: c.name) if c.name != "patient_id"}
        numbers = [name for name, c in columns.items() if c.kind == contract.COUNT]
        last = min(FEWEST, len(trial)) - 1
        ordered = {name: np.sort(trial[name].to_numpy()) for name in numbers}
        ranges: dict[str, list[float]] = {
            name: [int(cells[last]), int(cells[-1 - last])] for name, cells in ordered.items()
        }
        levels = {name: sorted(trial[name].unique()) for name in columns if name not in ranges}
        return cls(ranges, levels)

    def outside(self, patients: pd.DataFrame) -> pd.Series:
        """Columns in which each patient lies outside, as text; empty where none."""
        told = np.full(len(patients), "", dtype=object)
        beyond: dict[str, pd.Series] = {}
        for name, (low, high) in self.ranges.items():
            beyond |= {f"{name} below {low}": patients[name] < low, f"{name} above {high}": patients[name] > high}
        beyond |= {f"{name} not seen in training": ~patients[name].isin(known) for name, known in self.levels.items()}
        for words, where in beyond.items():
            told[where.to_numpy()] += f"; {words}"
        return pd.Series(told, index=patients.index, dtype="str").str.removeprefix("; ")


@dataclass(frozen=True)
class Ensemble:
    """Logistic regressions refitted on bootstrap samples of the training patients, a row a refit.

    `mean` and `scale` standardise the features of a feature version, shape (n_bootstraps, n_features).
    """

    mean: NDArray
    scale: NDArray
    coefficient: NDArray
    intercept: NDArray
    version: str

    def interval(self, patients: pd.DataFrame, level: float = 0.95) -> NDArray:
        """Percentile interval of each patient's probability over the refitted models, shape (n_patients, 2)."""
        X = features.matrix(patients, self.version).to_numpy()
        slope = self.coefficient / self.scale
        base = self.intercept - (self.mean * slope).sum(1)
        # rows at a time: what is sorted stays in the processor's cache
        starts = range(0, len(X), ROWS_AT_ONCE)
        ordered = (np.sort(X[at : at + ROWS_AT_ONCE] @ slope.T + base, axis=1) for at in starts)
        bounds = [np.quantile(rows, [(1 - level) / 2, (1 + level) / 2], axis=1).T for rows in ordered]
        return 1 / (1 + np.exp(-np.concatenate(bounds)))


@dataclass(frozen=True)
class Scorer:
    """A model (a pipeline or a saved booster) with all that scoring needs.

    Without an ensemble, for models whose refits are not stored, scores have no interval. The card says what the model
    is: name, feature version, patients, events, checksum of the data.
    """

    model: Any
    support: Support
    ensemble: Ensemble | None
    card: dict[str, Any]

    def probability(self, patients: pd.DataFrame) -> NDArray:
        """Predicted probability of dropout, shape (n_patients,), for rows that satisfy the contract."""
        return models.probability(self.model, patients)

    def score(self, patients: pd.DataFrame, threshold: float = PRESETS["published"]) -> pd.DataFrame:
        """Score patients that satisfy the contract.

        Parameters
        ----------
        patients : pandas.DataFrame, shape (n_patients, ...)
            Columns of `INPUT`; others are ignored.
        threshold : float
            Probability from which a patient is flagged.

        Returns
        -------
        pandas.DataFrame
            Columns `OUTPUT`, in the order and with the index of `patients`.
        """
        probability = self.probability(patients)
        band = decision.band_of(probability)
        made = pd.DataFrame({"patient_id": patients["patient_id"], "probability": probability}, index=patients.index)
        interval = self.ensemble.interval(patients) if self.ensemble else np.full((len(patients), 2), np.nan)
        made["ci_low"], made["ci_high"] = interval.T
        made["band"] = pd.array([b["band"] for b in decision.BANDS], dtype="str").take(band)
        made["action"] = pd.array([b["action"] for b in decision.BANDS], dtype="str").take(band)
        made["flagged"] = pd.array(np.where(probability >= threshold, "yes", "no"), dtype="str")
        made["outside_training"] = self.support.outside(patients)
        made["refused"] = ""
        return made[list(OUTPUT)]

    def check_and_score(
        self,
        text: pd.DataFrame,
        threshold: float = PRESETS["published"],
        refused: Mapping[int, str] | None = None,
        file: str = "table",
    ) -> pd.DataFrame:
        """Hold rows of text against the contract, score those that satisfy it, refuse the others with the reason.

        The text is that of `attrition.contract.strict`, whose index gives the lines; lines in `refused` are refused
        already, with their reason. One row a row of the text, in its order. A missing column refuses them all.
        """
        patients, reasons = admit(text, refused, file)
        parts = [self.score(patients, threshold)] if len(patients) else []
        if reasons:
            lost = pd.DataFrame(index=pd.Index(reasons), columns=list(OUTPUT), dtype=object)
            lost["patient_id"], lost["refused"] = text.loc[list(reasons), "patient_id"], pd.Series(reasons)
            parts.append(lost)
        return pd.concat(parts).loc[text.index] if parts else pd.DataFrame(columns=list(OUTPUT))

    def answer(self, text: pd.DataFrame, threshold: float = PRESETS["published"]) -> pd.DataFrame:
        """Score a request as a whole, or refuse it with its rows (from 1), columns and rules, without any value."""
        if not 0 < threshold < 1:
            raise RefusedRows("threshold must be a number between 0 and 1")
        again = text.index[text["patient_id"].duplicated() & text["patient_id"].notna()] if "patient_id" in text else ()
        try:
            scored = self.check_and_score(text, threshold, dict.fromkeys(again, AGAIN))
        except strict.ContractError as error:
            told = [f"{problem.column}: {problem.rule}".removeprefix(": ") for problem in error.problems]
        else:
            refused = scored.loc[scored["refused"] != "", "refused"]
            told = [f"row {line - FIRST_LINE + 1}: {why}" for line, why in refused.items()]
        if told:
            raise RefusedRows("refused: " + "; ".join(told))
        return scored.drop(columns="refused")

    def save(self, folder: Path) -> None:
        """Write the scorer: model, support, ensemble, card. No pickles."""
        for stale in (*folder.glob("model.*"), *folder.glob("ensemble.json")):
            stale.unlink()  # of another model that was saved there
        name, version = self.card["model"], self.card["feature_version"]
        saving.save(name, self.model, version, folder)
        for file, content in (("card.json", self.card), ("support.json", vars(self.support))):
            results.publish(folder / file, json.dumps(content, indent=1, sort_keys=True) + "\n")
        if self.ensemble:
            arrays = {k: getattr(self.ensemble, k).tolist() for k in ("mean", "scale", "coefficient", "intercept")}
            results.publish(folder / "ensemble.json", json.dumps(arrays) + "\n")
        saving.seal(folder)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what `save` wrote, as it wrote it."""
        folder = Path(folder)
        if not (folder / "card.json").exists():
            raise FileNotFoundError(f"{folder.name} holds no saved model (card.json is missing)")
        saving.verify(folder)
        read = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in folder.glob("*.json") if p.stem != "model"}
        arrays = {key: np.array(value) for key, value in read.get("ensemble", {}).items()}
        ensemble = Ensemble(**arrays, version=read["card"]["feature_version"]) if arrays else None
        return cls(saving.load(folder), Support(**read["support"]), ensemble, read["card"])


def as_text(patients: pd.DataFrame) -> pd.DataFrame:
    """Patients from a program as the strict reader would have read them from a file; lines count as in a file.

    Columns outside `INPUT` are dropped unseen. No row is refused, and so are rows with more cells than the header,
    which pandas shifts to the left without a word.

    >>> as_text(pd.DataFrame({"patient_id": ["007"], "age": [61], "name": ["Jane"]})).loc[2].tolist()
    ['007', '61']
    """
    why = "there is no patient in it" if patients.empty else ""
    if not isinstance(patients.index, pd.RangeIndex):
        why = "the rows must be numbered from 0; does a row have more cells than the header?"
    if why:
        raise strict.ContractError("table", [strict.Problem("", why)])
    known = [name for name in INPUT.names if name in patients]
    lines = pd.RangeIndex(FIRST_LINE, FIRST_LINE + len(patients), name="line")
    return pd.DataFrame({name: [_cell(cell) for cell in patients[name]] for name in known}, index=lines, dtype="str")


def _cell(cell: object) -> str | None:
    if isinstance(cell, str):
        return cell or None
    if cell is None or cell is pd.NA or cell != cell:
        return None
    # a whole number beside an empty cell arrives as a float
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def admit(
    text: pd.DataFrame, refused: Mapping[int, str] | None = None, file: str = "table"
) -> tuple[pd.DataFrame, dict[int, str]]:
    """Part rows of text into patients that can be scored, and lines that cannot with the reason, without any value.

    Lines in `refused` are refused already. What is wrong with the table as a whole is raised.
    """
    reasons = dict(refused or {})
    while len(rest := text.loc[~text.index.isin(list(reasons))]):
        try:
            return contract.validate(rest, INPUT, file).set_axis(rest.index), reasons
        except strict.ContractError as error:
            if any(problem.line <= 1 for problem in error.problems):
                raise
            # a row with a bad cell never reaches the rules across columns: the rest is looked at again
            for problem in error.problems:
                told = f"{problem.column}: {problem.rule}".removeprefix(": ")
                reasons[problem.line] = f"{reasons[problem.line]}; {told}" if problem.line in reasons else told
    return pd.DataFrame(columns=INPUT.names), reasons


class Seen:
    """Which patients stood in earlier rows of a file that is read in pieces; eight bytes a patient are kept.

    >>> seen = Seen()
    >>> [seen.again(pd.Series(ids)).tolist() for ids in (["1", "2", "1"], ["3", "2", None])]
    [[False, False, True], [False, True, False]]
    """

    def __init__(self) -> None:
        self._known = np.empty(0, dtype=np.uint64)

    def again(self, ids: pd.Series) -> NDArray:
        """Whether each patient of the next piece stood in an earlier row, of this piece or of one before it."""
        digests = pd.util.hash_array(ids.fillna("").to_numpy(object), categorize=False)
        place = np.minimum(np.searchsorted(self._known, digests), max(len(self._known) - 1, 0))
        before = self._known[place] == digests if len(self._known) else np.zeros(len(ids), dtype=bool)
        # two sorted runs: the stable sort merges them
        self._known = np.sort(np.concatenate([self._known, np.unique(digests)]), kind="stable")
        return (before | ids.duplicated().to_numpy()) & ids.notna().to_numpy()


def file(
    path: Path, scorer: Scorer, threshold: float = PRESETS["published"], chunk: int = CHUNK
) -> Iterator[pd.DataFrame]:
    """Score a file piece by piece, in bounded memory; a patient who stands in an earlier row is refused.

    Unlike a file, a program may ask about one patient several times (`Scorer.check_and_score`): what if? Columns
    outside `INPUT` are dropped unseen.
    """
    seen = Seen()
    for text in strict.read_pieces(path, chunk):
        again = text.index[seen.again(text["patient_id"])] if "patient_id" in text else ()
        yield scorer.check_and_score(text, threshold, dict.fromkeys(again, AGAIN), path.name)


def summary(scored: Mapping[str, int]) -> str:
    """One line on what was scored.

    >>> summary({"rows": 3, "refused": 1, "outside": 0})
    '2 patients scored, 1 row refused (column "refused" says why), 0 outside what the model was trained on'
    """
    rows, refused = scored["rows"], scored["refused"]
    words = "row" if refused == 1 else "rows"
    return (
        f'{rows - refused:,} patients scored, {refused:,} {words} refused (column "refused" says why), '
        f"{scored['outside']:,} outside what the model was trained on"
    )


def late(card: Mapping[str, Any]) -> str:
    """One line on how many of a model's inputs are known too late to act on, for all that it tells.

    >>> late({"feature_version": "v3_causal"})
    '6 of the 9 inputs of the model are known only after the outcome: it cannot warn in time, and is not for care'
    """
    inputs = [features.FEATURES[name].known_at for name in features.VERSIONS[card["feature_version"]]]
    known = f"{inputs.count(features.AFTER_OUTCOME)} of the {len(inputs)} inputs of the model"
    return f"{known} are known only after the outcome: it cannot warn in time, and is not for care"
