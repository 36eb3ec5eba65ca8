"""What the front page and the README state: the facts of every sentence, the tables, and where they are written.

Facts are numbers and grades, taken from ledger rows (`attrition.claims.evaluate`) and chapters' results; nothing
is computed here that a chapter has not stored. The sentences are blocks of ``notebooks/words/00_findings.md``.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrition import claims, params, paths
from attrition.cdisc.trial import Trial
from attrition.claims.rules import worst
from attrition.metrics.intervals import CHANCE, grade, of_row
from notebook_report import sources
from notebook_report.said import said

Row = Mapping[str, Any]
Facts = dict[str, Any]
HOLDS = ("reproduced", "supported")


def by_id(rows: Sequence[Row]) -> dict[str, Row]:
    """Ledger rows by claim."""
    return {row["id"]: row for row in rows}


def _counts(rows: Sequence[Row]) -> Facts:
    counts = claims.count_verdicts(rows)
    return {"n": len(rows), "counts": counts, "holding": sum(counts[verdict] for verdict in HOLDS)}


def _interval(part: Row, shift: float = 0.0) -> Facts:
    """The measured number of a statement with its interval, moved by `shift`; None where it has no ends."""
    names = {"value": "measured", "ci_low": "ci_low", "ci_high": "ci_high"}
    return {name: None if part[key] is None else part[key] + shift for name, key in names.items()}


def _effect(row: Row) -> Row:
    return next(part for part in row["statements"] if part["rule"] == "direction_and_half")


def better_than_chance(at: Row, model: str) -> bool:
    """Whether a model ranks better than chance at a landmark: the permutation test of chapter 06, adjusted.

    >>> better_than_chance({"permutation_p": {"all": {"raw": 0.02, "holm": 0.06}}}, "all")
    False
    """
    return at["permutation_p"][model]["holm"] <= CHANCE


def of_trial(trial: Trial, numbers: Facts, day: int | None) -> Facts:
    """What the first page asks of a trial: the models at a landmark, which beat chance, and the dearest mistake.

    The numbers are the results of chapter 06; the landmark is None where too few leave to fit anything.
    """
    at = numbers["landmarks"].get(str(day), {})
    leaks = [{"name": name.replace("_", " "), **leak} for name, leak in numbers["leaks"].items()]
    found: Facts = {"title": trial.definitions.title, "arms": list(trial.arms), "landmark": day}
    found["auroc"] = {name: area for name in STRATEGIES.values() if (area := at.get("auroc", {}).get(name))}
    found["better"] = {name: better_than_chance(at, name) for name in at.get("permutation_p", {})}
    return found | {"leak": max(leaks, key=lambda leak: leak["difference"], default=None)}


def of_ledger(rows: Sequence[Row]) -> Facts:
    """How many published claims hold; *supported* when more than half do, *direction only* when a quarter do."""
    first = [row for row in rows if not row.get("entered")]
    all_, before = _counts(rows), _counts(first)
    share = all_["holding"] / len(rows)
    verdict = "supported" if share > 0.5 else "direction only" if share >= 0.25 else "not supported"
    found = {"verdict": verdict, "evidence": ["tbl-ledger", "tbl-arithmetic"], **all_}
    found |= {"statements": sum(len(row["statements"]) for row in rows), "holding_first": before["holding"]}
    found |= {"n_first": len(first), "n_late": len(rows) - len(first)}
    return found | {"impossible_first": before["counts"]["impossible"]}


def of_engineering(rows: Sequence[Row]) -> Facts:
    """What all engineered features, and the most advertised one, are worth; the verdict is that of the weakest part."""
    whole, burden, rank = (by_id(rows)[key] for key in ("C28", "C29", "C31"))
    part, other, place = _effect(whole), _effect(burden), rank["statements"][0]
    beside = whole["beside"] and whole["beside"]["verdicts"][whole["statements"].index(part)]
    return {
        "verdict": worst([part["verdict"], other["verdict"], rank["verdict"]]),
        "evidence": list(dict.fromkeys([*whole["evidence"], *burden["evidence"]])),
        **{"claimed": part["published"], "found": _interval(part), "margin": part["margin"]},
        **{"effect": part["verdict"], "elsewhere": beside},
        **{"burden_claimed": other["published"], "burden": _interval(other), "burden_margin": burden["margin"]},
        **{"place": place["place"], "n": len(place["values"])},
    }


def of_models(rows: Sequence[Row], lr: Row, oracle: float) -> Facts:
    """Which model is best, whether the published order holds, and how close the best comes to what is attainable."""
    row = by_id(rows)["C12"]
    part = row["statements"][0]
    lgbm, xgb, second = (
        {key: one["value"] if value is None else value for key, value in one.items()}
        for one in map(_interval, (*part["leads"], part["steps"][1]))
    )
    return {
        "verdict": row["verdict"],
        "evidence": list(row["evidence"]),
        **{"lgbm": lgbm, "xgb": xgb, "second": second, "step": part["steps"][1]["published"], "margin": row["margin"]},
        **{"lr": lr, "oracle": oracle, "share": (lr["value"] - 0.5) / (oracle - 0.5)},
    }


def of_pilot(rows: Sequence[Row], known: Facts, verdict: str) -> Facts:
    """What can be predicted at one landmark day of the real trial, with and without the treatment arm."""
    row, tested = by_id(rows)["C53"], by_id(rows)["C54"]
    auroc = known["auroc"]
    attempts = [{"label": part["label"], "claimed": 0.5 + part["published"]} for part in row["statements"]]
    attempts[0]["label"] = "logistic regression"
    for attempt, part in zip(attempts[1:], row["statements"][1:], strict=True):
        attempt["found"] = _interval(part, 0.5)
    found = {key: known[key] for key in ("day", "at_risk", "events", "p", "better", "blinded_better")}
    found |= {"verdict": verdict, "evidence": list(row["evidence"])}
    found |= {"found": auroc["all"], "blinded": auroc["all_without_arm"], "arm": auroc["arm_only"]}
    found |= {"attempts": attempts, "attempt_verdict": row["verdict"]}
    return found | {"tested": [0.5 + part["published"] for part in tested["statements"]]}


def of_worth(known: Facts, decision: Row) -> Facts:
    """Whether acting on predictions pays: in the real trial, and in the simulated one if they came in time."""
    simulated = ["fig-decision-gains", "tbl-decisions"]
    return {
        "verdict": known["use"],
        "evidence": simulated if known["use"] == "not testable" else ["fig-landmark-decisions", *simulated],
        **{key: known[key] for key in ("use", "full", "arm", "blinded")},
        "simulated": {key: value for key, value in decision.items() if key != "conclusions"},
    }


def of_leaks(leaks: Mapping[str, Row], smallest: float) -> Facts:
    """The leak that gains most on the real trial; its verdict is that of the gain, by the smallest difference."""
    name = max(sorted(leaks), key=lambda key: leaks[key]["difference"])
    price = of_row(leaks[name], "difference")
    found = {"verdict": grade(price, smallest).verdict, "evidence": ["fig-leaks"], "n": len(leaks), "price": price}
    found |= {"harmful": sum(leak["ci_low"] > 0 for leak in leaks.values()), "name": name.replace("_", " ")}
    return found | {key: leaks[name][key] for key in ("honest", "leaky")}


def facts(rows: Sequence[Row], found: Row, p: params.Section) -> Facts:
    """What the answer, the abstract, the lesson and the notes on the ledger state.

    `rows` are those of `attrition.claims.evaluate`, `found` has each chapter's results by its name.
    """
    real, generated = found["06_real_trial"], found["01_generation"]
    at, decided, conclusions = real["landmarks"][str(p.landmark)], real["decisions"], real["conclusions"]
    later = {day: real["landmarks"][str(day)] for day in sorted(p.landmarks)}
    gain = at.get("difference", {}).get("all_less_arm_only")
    largest = max(real["leaks"].values(), key=lambda leak: leak["difference"])
    whole = _effect(by_id(rows)["C28"])
    none = {"n": 0, "low": None, "high": None}
    return {
        **{key: value for key, value in of_ledger(rows).items() if key not in ("verdict", "evidence")},
        **{"day": p.landmark, "at_risk": at["at_risk"], "events": at["primary"], "auroc": at["auroc"]},
        "p": at["permutation_p"]["all"]["holm"],
        "better": better_than_chance(at, "all"),
        "blinded_better": better_than_chance(at, "all_without_arm"),
        "days_known": [day for day, one in later.items() if better_than_chance(one, "all")],
        "days_blinded": [day for day, one in later.items() if better_than_chance(one, "all_without_arm")],
        **{"use": conclusions["use"], "pays": conclusions["use"] == "supported"},
        "adds": conclusions["finding-real-arm"] in ("supported", "direction only"),
        **{key: none | decided.get(name, {}) for key, name in STRATEGIES.items()},
        "arm_is_better": bool(gain and gain["ci_high"] < 0),
        **{"honest": largest["honest"], "leaky": largest["leaky"]},
        "patients": generated["published"]["n_patients"],
        "replicates": found["03_feature_ablation"]["paired"]["default"]["burden"]["n_replicates"],
        "flow": real["flow"],
        **{"claimed": whole["published"], "gain": _interval(whole)},
        "ceiling": generated["oracle"]["default"]["auroc"]["value"],
        "most_events": max(one["primary"] for one in later.values()),
        **_on_the_ledger(rows),
        **_public_attempt(rows, real),
    }


# What patients are contacted by, and its name in the results of chapter 06
STRATEGIES = {"full": "all", "arm": "arm_only", "blinded": "all_without_arm"}


def _on_the_ledger(rows: Sequence[Row]) -> Facts:
    """How much a single split says, which verdicts depend on the event rate, and which are open."""
    compared = [row for row in rows if row["beside"]]
    split, first, second = (by_id(rows)[key]["statements"][0] for key in ("C42", "C01", "C10"))
    noise = {"spread": split["measured"], "claimed": split["published"]}
    noise |= {"one": first["published"], "other": second["published"]}
    noise["ratio"] = abs(noise["one"] - noise["other"]) / (2**0.5 * noise["spread"])
    found: Facts = {"noise": noise, "n_simulated": len(compared)}
    found["differ"] = [row["id"] for row in compared if row["beside"]["verdict"] != row["verdict"]]
    return found | {"open": [row["id"] for row in rows if row["verdict"] == "not settled"]}


def _public_attempt(rows: Sequence[Row], real: Row) -> Facts:
    """How far the public attempt on the pilot lies above the landmark models, and what its leak is worth."""
    alike, tested = (by_id(rows)[key]["statements"] for key in ("C53", "C54"))
    published = [0.5 + part["published"] for part in (*alike, *tested)]
    landmarks = {day: at["primary"] for day, at in real["landmarks"].items() if day != "0"}
    return {
        **{"lowest": min(published), "highest": max(published)},
        "excess": {part["label"]: part["published"] - part["measured"] for part in alike},
        "most_events_day": max(landmarks, key=lambda day: landmarks[day]),
        "price": of_row(real["leaks"]["whole_follow_up_counts"], "difference"),
    }


def of_running(run: Row) -> Facts:
    """Whether the number of leavers can be told while a trial runs: the pilot put back, and the gate in simulation."""
    end, past, gate = run["projection"]["planned"], run["backtest"], run["gate"]
    found = {"verdict": gate["verdict"], "evidence": ["fig-past", "fig-running-coverage"], "day": run["as_at"]}
    found |= {"gone": run["gone"], "begun": run["states"]["enrolled"], "came": run["came"]}
    found |= {"expected": end["gone"], "planned": end["n"], "cuts": past["cuts"], "inside": past["inside"]}
    return found | {"least": gate["lowest"]["pit"], "most": gate["highest"]["pit"], "trials": gate["trials"]}


def front_page(known: Facts, rows: Sequence[Row], found: Row, p: params.Section) -> dict[str, Facts]:
    """Facts of the front page's findings by id, in order, each with its ``verdict`` and ``evidence``.

    They are made from `facts`, the rows of `attrition.claims.evaluate`, and each chapter's results by its name.
    """
    real = found["06_real_trial"]
    lr, oracle = found["03_feature_ablation"]["models"]["default"]["lr"], known["ceiling"]
    return {
        "finding-ledger": of_ledger(rows),
        "finding-engineering": of_engineering(rows),
        "finding-models": of_models(rows, lr, oracle),
        "finding-pilot": of_pilot(rows, known, real["conclusions"]["finding-real-honest"]),
        "finding-number": of_running(found["09_running_trial"]),
        "finding-worth": of_worth(known, found["05_evaluation"]["decision"]),
        "finding-leaks": of_leaks(real["leaks"], p.smallest_difference_pilot),
    }


def flow(found: Row, landmarks: Sequence[int] = (28, 56, 84)) -> list[Facts]:
    """Participant flow of both trials: study, step, its n patients and the events among them.

    The results are those of chapters 01, 04 and 06; `landmarks` are the days at which patients still in the real trial
    are counted.
    """
    drawn, sizes = found["01_generation"]["published"], found["04_modelling"]["published_split"]["sizes"]
    real, at = found["06_real_trial"]["flow"], found["06_real_trial"]["landmarks"]
    simulated = [{"step": "drawn", "n": drawn["n_patients"], "events": drawn["n_dropouts"]}]
    for part in ("train", "test"):
        stayed, left = sizes[f"{part}_0"], sizes[f"{part}_1"]
        simulated.append({"step": part, "n": stayed + left, "events": left})
    pilot: list[Facts] = [{"step": "screened", "n": real["screened"], "events": real["screen_failures"]}]
    competing = real["deaths"] + real["sponsor"]
    pilot += [{"step": "randomised", "n": real["randomised"], "events": real["primary"], "competing": competing}]
    for day, own in ((day, at[str(day)]) for day in landmarks):
        pilot.append({"step": "landmark", "day": day, "n": own["at_risk"], "events": own["primary"]})
    columns = {"Simulated trial": simulated, "CDISC pilot": pilot}
    return [{"study": study, "day": None} | step for study, steps in columns.items() for step in steps]


COMMITTED = paths.ROOT / "reports" / "results"


def _judged() -> tuple[list[Facts], Facts, params.Section]:
    """The ledger's rows, the chapters' committed results and the parameters of the front page."""
    files = sorted(COMMITTED.glob("[0-9]*.json"))
    chapters = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    return claims.evaluate(claims.load(), chapters), chapters, params.load("00_findings")


def answer() -> str:
    """The answer of the whole report in one paragraph, as chapter 00 gives it."""
    return said("answer", facts(*_judged()))


def listed_findings() -> str:
    """The front page's findings as a Markdown list, a line each: verdict, claim, number, notebook of the evidence."""
    made_in = {identifier: chapter for chapter, identifiers in sources.shown().items() for identifier in identifiers}
    lines = []
    judged = _judged()
    for identifier, one in front_page(facts(*judged), *judged).items():
        first, told = one["evidence"][0], said(identifier.replace("finding-", "readme_"), one)
        lines.append(f"- **{one['verdict'].capitalize()}:** {told} ([{first}](notebooks/{made_in[first]}.ipynb))")
    return "\n".join(lines)


def listed_figures() -> str:
    """Every figure and table by the notebook that makes it, as a Markdown table."""
    rows = ["| notebook | figures | tables |", "|---|---|---|"]
    for chapter, identifiers in sources.shown().items():
        cells = [", ".join(f"`{name}`" for name in identifiers if name.startswith(kind)) for kind in ("fig", "tbl")]
        rows.append(f"| [{chapter}](../notebooks/{chapter}.ipynb) | {' | '.join(cells)} |")
    return "\n".join(rows)


# What is generated on a page, between ``<!-- NAME: ... -->`` and ``<!-- end of NAME -->``, and how.
GENERATED: dict[Path, dict[str, Callable[[], str]]] = {
    paths.ROOT / "README.md": {"answer": answer, "findings": listed_findings},
    paths.ROOT / "docs" / "figures.md": {"figures": listed_figures},
}


def pages() -> dict[Path, str]:
    """The pages of `GENERATED` with their generated parts as the committed results and notebooks have them."""
    found = {path: path.read_text(encoding="utf-8") for path in GENERATED}
    for path, name, make in ((path, *part) for path, parts in GENERATED.items() for part in parts.items()):
        parts = re.split(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", found[path], flags=re.DOTALL)
        if len(parts) != 4:
            raise ValueError(f"{path.name}: one pair of comments for {name!r} is needed")
        before, start, end, after = parts
        found[path] = f"{before}{start}{make()}\n{end}{after}"
    return found
