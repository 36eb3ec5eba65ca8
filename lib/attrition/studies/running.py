"""Do projections of a running trial cover, and how often and how late do its limits ring?

Aims: check the projection and the limits of `attrition.running`. Data-generating mechanism: trials of 254 patients who
start within a year, 30 % leave and 3 % have a competing event by day 168, in the worlds of `WORLDS`. Estimands: further
leavers of those enrolled, and of all; whether a trial within its plan ever rings. Methods: those of
`attrition.running`. Performance: share of trials inside the 90 % interval, raw and by randomised PIT, at three
fractions of the patient-days; any-look false alarm, and the day of an alarm where more leave than planned.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed

from attrition import engine, seeds, settings, studies
from attrition.metrics.intervals import Interval, wilson
from attrition.running import limit
from attrition.running.projection import FEWEST, days_in, project, word
from attrition.running.remaining import COMPETED, LEFT, at, informed, quantiles

NAME = "running"
SEED = 261128
N, H, ACCRUAL, LEAVE, COMPETE, SITES = 254, 168, 365, 0.30, 0.03, 20
FRACTIONS = (0.2, 0.4, 0.6)
WORLDS: dict[str, dict[str, str]] = settings.declared(__file__, "running.yaml")
SHAPES = tuple(WORLDS["gate"])
NAMES = {world: name for worlds in WORLDS.values() for world, name in worlds.items()}
BLOCKS = {"peak": ((28, 1), (84, 3), (168, 0.8)), "bath": ((56, 2), (112, 0.5), (168, 2))}
BLOCKS |= {"cliff": ((56, 1), (112, 1), (168, 4))}
GATE = (0.85, 0.95)
MORE = (1.25, 1.5, 2.0)
PLANNED = 1 - (1 - LEAVE) * (1 - COMPETE)
EVERY = 365.25 / 12
FIRST_DAY = pd.Timestamp("2020-01-01")
VISITS = tuple(range(28, H + 1, 28))
LOOKS = np.arange(1, int((ACCRUAL + H) / EVERY) + 1) * EVERY


def hazard(world: str, share: float = LEAVE) -> np.ndarray:
    """Hazard of leaving on days 1 to `H`, scaled to a share that leaves."""
    day = np.arange(1, H + 1)
    if world in ("early", "late"):
        power = {"early": 0.6, "late": 1.8}[world]
        shape = day**power - (day - 1.0) ** power
    else:
        blocks = BLOCKS.get(world, ((H, 1),))
        shape = np.array([times for _, times in blocks])[np.searchsorted([end for end, _ in blocks], day)] * 1.0
    total = share / (1 - share) if world == "frailty" else -np.log1p(-share)
    return shape / shape.sum() * total


def drawn(world: str, rng: np.random.Generator, share: float = LEAVE) -> pd.DataFrame:
    """A trial from a world, as `attrition.running.remaining.course` gives one."""
    share = 0.5 if world == "half leave" else share
    start = np.sort(rng.integers(0, ACCRUAL, N))
    rate = np.tile(hazard(world, share), (N, 1))
    if world == "frailty":
        rate *= rng.standard_exponential((N, 1))
    elif world == "sites":
        rate *= np.exp(0.5 * rng.standard_normal(SITES) - 0.125)[rng.integers(0, SITES, N), None]
    elif world in ("rising", "falling"):
        years = (start[:, None] + np.arange(1, H + 1) - ACCRUAL / 2 - H / 2) / 365.25
        rate *= (1.5 if world == "rising" else 1 / 1.5) ** years
    left = (np.cumsum(rate, axis=1) < rng.standard_exponential((N, 1))).sum(axis=1) + 1
    other = np.ceil(rng.standard_exponential(N) * H / -np.log1p(-COMPETE)).astype(int)
    cause = np.where((left <= H) & (left <= other), LEFT, np.where(other <= H, COMPETED, 0))
    day = np.minimum(left, other)
    if world == "visits":
        day = np.where(cause == LEFT, -(-day // 28) * 28, day)
    frame = pd.DataFrame({"start": FIRST_DAY + pd.to_timedelta(start, unit="D"), "cause": cause})
    return frame.assign(day=np.where(cause > 0, day, np.nan), group=np.where(cause > 0, "left", "ongoing"), arm="all")


def covered(world: str, number: int, seed: int) -> list[dict[str, Any]]:
    """One simulated trial at every fraction: is what came inside, and where in the distribution?"""
    rng = seeds.stream(seed, NAME, world, number)
    known, rows = drawn(world, rng), []
    plan = {"patients": N, "dropout": PLANNED}
    exceeds = bool((known["cause"] > 0).mean() > PLANNED)
    for fraction in FRACTIONS:
        now = at(known, informed(known, fraction, H), H)
        p = project(now, plan, VISITS if world == "visits" else ())
        here = (known["start"] <= now.cut) & known["cause"].eq(LEFT)
        row = {"world": world, "fraction": fraction, "number": number, "p_above": p.p_above, "exceeds": exceeds}
        for name, draws, whole in (
            ("enrolled", p.leaving[0], int(here.sum())),
            ("planned", p.leaving.sum(axis=0), int(known["cause"].eq(LEFT).sum())),
            ("no_drift", p.without_drift[0], int(here.sum())),
        ):
            actual = whole - now.counts["left"]
            low, high = quantiles(draws, (0.05, 0.95))
            u = (draws < actual).mean() + rng.random() * (draws == actual).mean()
            row |= {f"{name}_raw": bool(low <= actual <= high), f"{name}_pit": bool(0.05 < u < 0.95)}
        rows.append(row | {"width": float(high - low)})
    return rows


def _share(values: pd.Series) -> Interval:
    return wilson(float(values.sum()), len(values))


def coverage(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Coverage by world and fraction: raw and by randomised PIT, of the enrolled, the planned and without drift."""
    found = []
    for (world, fraction), own in rows.groupby(["world", "fraction"], sort=False):
        kind = next(kind for kind, worlds in WORLDS.items() if world in worlds)
        parts = {name: _share(own[name]) for name in own if str(name).endswith(("_raw", "_pit"))}
        found.append({"kind": kind, "world": world, "fraction": fraction, "n_trials": len(own), **parts})
    return found


def words(rows: pd.DataFrame) -> dict[str, Any]:
    """How often a trial exceeded its plan, by the word that was said; of the worlds of the gate."""
    own = rows[rows["world"].isin(SHAPES)]
    said = own.groupby(own["p_above"].map(word))["exceeds"]
    table = said.agg(n="size", exceeded="mean")
    return {str(row.Index): {"n": int(row.n), "exceeded": float(row.exceeded)} for row in table.itertuples()}


def seen(world: str, numbers: range, seed: int, share: float = LEAVE, with_b: bool = True) -> pd.DataFrame:
    """Simulated trials at every look: number, day, enrolled, events, expected (of an even plan), p_above."""
    edges, even = np.linspace(0, H, H // 28 + 1), -np.log1p(-PLANNED) / H
    shape, events, spans = (len(numbers), len(LOOKS)), [], []
    enrolled = np.zeros(shape)
    for i, number in enumerate(numbers):
        known = drawn(world, seeds.stream(seed, NAME, "looks", world, f"{share:.4f}", number), share)
        u = np.floor(LOOKS[:, None]) - (known["start"] - FIRST_DAY).dt.days.to_numpy() + 1
        day = known["day"].fillna(np.inf).to_numpy()
        time = np.clip(np.minimum(u, day), 0, H)
        enrolled[i] = (u > 0).sum(axis=1)
        spans.append(days_in(edges, np.zeros_like(time), time).sum(axis=1))
        here, piece = (day <= u) & (day <= H), np.searchsorted(edges, np.minimum(day, H)) - 1
        kinds = [here & known["cause"].eq(cause).to_numpy() for cause in (LEFT, COMPETED)]
        events.append([[(kind & (piece == k)).sum(axis=1) for k in range(len(edges) - 1)] for kind in kinds])
    counted, exposure = np.array(events, float).transpose(1, 0, 3, 2), np.array(spans)
    p = np.zeros(shape)
    for look in range(len(LOOKS)) if with_b else ():
        p[:, look] = limit.above(counted[:, :, look], exposure[:, look], edges, PLANNED)
    frame = {"enrolled": enrolled, "events": counted.sum(axis=(0, 3)), "expected": exposure.sum(axis=2) * even}
    index = pd.MultiIndex.from_product([numbers, LOOKS], names=["number", "day"])
    return pd.DataFrame({k: v.ravel() for k, v in (frame | {"p_above": p}).items()}, index=index).reset_index()


def boundary() -> float:
    """Critical value of rule A of the plan: starts spread evenly, an even hazard."""
    u = np.clip(LOOKS[:, None] - np.linspace(0, ACCRUAL, N), 0, H)
    return limit.critical((1 - (1 - PLANNED) ** (u / H)).sum(axis=1)[(u > 0).sum(axis=1) >= FEWEST])


def first(table: pd.DataFrame, c: float, width: float) -> pd.DataFrame:
    """Day of the first alarm of each trial by each rule; infinite without one."""
    enough, day = _enough(table), table["day"]
    D, n = table["events"].to_numpy(), np.maximum(table["enrolled"].to_numpy(), 1)
    rung = {"A": limit.llr(D, table["expected"].to_numpy()) >= c, "B": table["p_above"] >= limit.SURE}
    rung |= {"gsm.qtl": limit.simple(D, n, PLANNED), "calibrated": limit.simple(D, n, PLANNED, width)}
    days = {name: day.where(enough & rings, np.inf).groupby(table["number"]).min() for name, rings in rung.items()}
    return pd.DataFrame(days)


def _enough(table: pd.DataFrame) -> pd.Series:
    return (table["enrolled"] >= FEWEST) & (table["events"] >= limit.FEWEST_EVENTS)


def alarms(n_null: int, n_trials: int, seed: int) -> dict[str, Any]:
    """False alarms of the rules where the plan is right, and how late they ring where more leave than planned."""
    c, block = boundary(), 250
    cases = [(world, LEAVE, n_trials, True) for world in SHAPES] + [("sites", LEAVE, n_trials, False)]
    cases += [("constant", 1 - (1 - PLANNED * times) / (1 - COMPETE), n_trials, True) for times in MORE]
    cases += [("constant", LEAVE, n_null, False)]
    blocks = [[range(k, min(k + block, n)) for k in range(0, n, block)] for _, _, n, _ in cases]
    tasks = [
        delayed(seen)(w, part, seed, s, b) for (w, s, _, b), own in zip(cases, blocks, strict=True) for part in own
    ]
    found = iter(engine.compute(tasks, "simulated looks"))
    tables = [pd.concat([next(found) for _ in own]) for own in blocks]
    null = tables[-1][_enough(tables[-1])]
    z = (null["events"] / null["enrolled"] - PLANNED) / np.sqrt(PLANNED * (1 - PLANNED) / null["enrolled"])
    width = float(np.quantile(z.groupby(null["number"]).max().reindex(range(n_null), fill_value=-np.inf), 0.95))
    firsts = [first(table, c, width) for table in tables]
    rules, names = ["A", "gsm.qtl", "calibrated"], [*SHAPES, "sites"]
    without = zip([*names, "constant, rule A"], [*firsts[: len(names)], firsts[-1]], strict=True)
    rung = {w: {r: _share(np.isfinite(f[r])) for r in (f if w in SHAPES else rules)} for w, f in without}
    delay = []
    for times, days in zip(MORE, firsts[len(names) : -1], strict=True):
        for rule in days:
            middle = float(days[rule].quantile(0.5, interpolation="higher"))
            row = {"times": times, "rule": rule, "ever": float(np.isfinite(days[rule]).mean())}
            row |= {"while_enrolling": float((days[rule] <= ACCRUAL).mean())}
            delay.append(row | {"median_day": middle if np.isfinite(middle) else None})
    return {"c": c, "width": width, "planned": PLANNED, "false_alarm": rung, "delay": delay, "n_null": n_null}


def run(n_trials: int, n_others: int, seed: int, n_null: int = 4000) -> dict[str, Any]:
    """The study: coverage in every world, alarms, and the first trials for a rerun to be held against."""
    cases = [(w, k) for kind, ws in WORLDS.items() for w in ws for k in range(n_trials if kind == "gate" else n_others)]
    each = engine.compute([delayed(covered)(world, number, seed) for world, number in cases], "simulated trials")
    rows = pd.DataFrame([row for part in each for row in part])
    found = studies.about(NAME, seed, n_trials, n_others=n_others) | {"coverage": coverage(rows), "words": words(rows)}
    found["first"] = rows[rows["number"] < 1].to_dict("records")
    return found | {"limit": alarms(n_null, max(n_trials, 1) * 2, seed)}


def table(found: Mapping[str, Any]) -> pd.DataFrame:
    """Coverage by world and fraction: ``raw`` and ``pit`` of the enrolled, of all planned, and without drift."""
    rows = []
    for row in found["coverage"]:
        own = {name: row[name] for name in ("kind", "world", "fraction", "n_trials")}
        for name, key in (("raw", "enrolled_raw"), ("pit", "enrolled_pit"), ("planned", "planned_pit")):
            own |= {name: row[key]["value"], f"{name}_low": row[key]["ci_low"], f"{name}_high": row[key]["ci_high"]}
        rows.append(own | {"no_drift": row["no_drift_pit"]["value"]})
    return pd.DataFrame(rows)


def judged(worlds: pd.DataFrame) -> dict[str, Any]:
    """Whether the gate holds in its four worlds, where coverage is lowest and highest, and where it is worst of all."""
    gate = worlds[worlds["kind"] == "gate"]
    held = int(gate["pit"].between(*GATE).sum())

    def at_row(rows: pd.DataFrame, highest: bool = False) -> dict[str, Any]:
        row = rows.loc[rows["pit"].idxmax() if highest else rows["pit"].idxmin()]
        return {"words": NAMES[row["world"]], "pit": float(row["pit"]), "fraction": float(row["fraction"])}

    found: dict[str, Any] = {"asked_low": GATE[0], "asked_high": GATE[1], "held": held, "n": len(gate)}
    found |= {"trials": int(gate["n_trials"].min()), "lowest": at_row(gate), "highest": at_row(gate, True)}
    found |= {"worst": at_row(worlds), "held_out": at_row(worlds[worlds["kind"] == "held out"])}
    found["second"] = at_row(worlds[worlds["world"] != worlds.loc[worlds["pit"].idxmin(), "world"]])
    ends = {"low": gate["planned"].min(), "high": gate["planned"].max(), "worst": worlds["planned"].min()}
    found["planned"] = {name: float(value) for name, value in ends.items()}
    return found | {"verdict": "supported" if held == len(gate) else "not supported"}


def numbers(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the chapter stores: coverage of the gate and under stress, of worlds held out, false alarms and delays."""
    stored: dict[str, Any] = {"coverage": {}, "held_out": {}}
    for row in table(found).to_dict("records"):
        part = stored["held_out" if row["kind"] == "held out" else "coverage"].setdefault(row["world"], {})
        part[f"{row['fraction']:g}"] = {name: row[name] for name in row if name not in ("kind", "world", "fraction")}
    return stored | {"qtl": found["limit"] | {"half_more": rung(found)}, "words_held": found["words"]}


def rung(found: Mapping[str, Any]) -> dict[str, Any]:
    """False alarms of the two rules, and how often and when rule B rings where half as many again leave."""
    alarm = found["limit"]["false_alarm"]
    of_b = [alarm[world]["B"]["value"] for world in SHAPES]
    late = {row["rule"]: row for row in found["limit"]["delay"] if row["times"] == MORE[1]}
    told = {"n_null": found["limit"]["n_null"], "a": alarm["constant, rule A"]["A"]["value"]}
    told |= {"b_low": min(of_b), "b_high": max(of_b), "sites": alarm["sites"]["A"]["value"]}
    told["early"] = alarm["early"]["A"]["value"]
    for name, rule in (("b", "B"), ("simple", "gsm.qtl"), ("calibrated", "calibrated")):
        told |= {f"{name}_ever": late[rule]["ever"], f"{name}_enrolling": late[rule]["while_enrolling"]}
    return told | {"b_day": late["B"]["median_day"]}


def words_held(found: Mapping[str, Any]) -> dict[str, Any]:
    """How often a trial exceeded its plan by the word that was said, under names for a sentence."""
    names = {"will exceed the plan": "will", "probably exceeds": "probably", "probably within": "probably_not"}
    names["within the plan"] = "not"
    return {f"said_{name}": found["words"].get(word, {"exceeded": 0.0}) for word, name in names.items()}
