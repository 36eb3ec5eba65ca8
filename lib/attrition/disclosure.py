"""What of a report on patients can be handed on: its small cells listed, and a released report without them.

A released report is made from the tables that ``disclosure.yaml`` names and from nothing else: no cell of a notebook,
no sentence, no picture of the ordinary report gets into it. Every table passes through `safe`, and its figures are
drawn from what that gives.
"""

import json
import math
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd

from attrition import settings
from notebook_report import errors, results, text

# Patients in the smallest cell that is shown unless another number is asked for; multiples that counts come as
FEWEST, BASE, WEEK = 8, 5, 7
POOLED = "pooled: fewer than {} patients each"
FOLDER = "release"
RULES = settings.declared(__file__, "disclosure.yaml")
EXACT_DATE = re.compile(r"\b(\d{4}-\d\d)-\d\d\b")
OF = re.compile(r"\b([\d,]+) of [\d,]+")


class Cell(NamedTuple):
    """Where a small count stands: file, table or chapter, row (from 1; 0 is the heading), column or key."""

    file: str
    id: str
    row: int
    column: str


def _few(values: Any, fewest: int) -> Any:
    """Which of some numbers are counts from 1 to one below `fewest`."""
    return (values > 0) & (values < fewest) & (values % 1 == 0)


def _says_few(words: Any, fewest: int) -> bool:
    return any(0 < int(n.replace(",", "")) < fewest for n in OF.findall(str(words)))


def read(path: Path) -> pd.DataFrame:
    """A table as a chapter wrote it: only an empty cell is missing."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def _in_table(path: Path, fewest: int) -> Iterator[Cell]:
    """Counts, words such as "3 of 24", and shares that give back a count of the row's patients."""
    table = read(path)
    size = next((table[name] for name in RULES["sizes"] if name in table), np.nan)
    for name, column in table.items():
        hit = column.map(lambda cell: _says_few(cell, fewest)).astype(bool)
        if pd.api.types.is_numeric_dtype(column) and column.dtype != bool:
            other = name in RULES["not_counts"] or str(name).endswith(("_ci_low", "_ci_high", "%"))
            back = (column * size).round()
            given_away = column.between(0, 1, "neither") & (column * size - back).abs().lt(1e-6) & _few(back, fewest)
            hit |= given_away | (_few(column, fewest) & (not other))
        for row in [0] * _says_few(name, fewest) + list(np.flatnonzero(hit) + 1):
            yield Cell(path.name, path.stem, int(row), str(name))


def _in_results(value: Any, path: Path, keys: tuple[str, ...], fewest: int) -> Iterator[Cell]:
    if isinstance(value, Mapping | list):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            if key not in RULES["no_patients_in"]:
                yield from _in_results(part, path, (*keys, str(key)), fewest)
    elif isinstance(value, int) and not isinstance(value, bool) and _few(value, fewest):
        name = next((key for key in reversed(keys) if not key.isdigit()), "")
        if "days" not in keys and name not in RULES["not_counts"]:
            yield Cell(path.name, path.stem, 0, ".".join(keys))


def listed(out: Path, fewest: int = FEWEST) -> list[Cell]:
    """Every cell of the tables and result files of an output folder that is about fewer than `fewest` patients."""
    tables = [path for path in sorted((out / "tables").glob("*.csv")) if path.stem not in RULES["no_patients"]]
    cells = [cell for path in tables for cell in _in_table(path, fewest)]
    for path in sorted((out / "results").glob("*.json")):
        cells += _in_results(json.loads(path.read_text(encoding="utf-8")), path, (), fewest)
    return cells


def count(n: float, fewest: int = FEWEST) -> int | str:
    """A count as it is released: none below `fewest` but zero, the others in multiples of `BASE`.

    >>> count(0), count(7), count(8), count(83)
    (0, '<8', 10, 85)
    """
    if _few(n, fewest):
        return f"<{fewest}"
    return max(BASE * round(n / BASE), BASE * math.ceil(fewest / BASE)) if n else 0


def _share(values: pd.Series, size: Any) -> pd.Series:
    """Shares in whole per cent, in multiples that are at least `BASE` patients of so many."""
    step = np.ceil(100 * BASE / size) / 100
    return ((values / step).round() * step).round(2)


def _steps(curve: pd.DataFrame, shares: list[str], fewest: int) -> pd.DataFrame:
    """One curve by week, a step only where `fewest` more have gone since the last and as many were still there.

    What is left at the end joins the last step, so that the curve ends where it should.
    """
    last, size = int(curve["day"].max()), curve["at_risk"].iloc[0]
    weeks = np.minimum(np.ceil(curve["day"] / WEEK) * WEEK, last).astype(int)
    weekly, kept, gone = curve.assign(day=weeks).groupby("day", as_index=False).last(), [0], 0
    for at, row in weekly.iterrows():
        if row["events"] - gone >= fewest <= row["at_risk"]:
            kept.append(at)
            gone = row["events"]
    if weekly["events"].iloc[-1] > gone:
        kept = kept[:-1]
    kept = list(dict.fromkeys([*kept, len(weekly) - 1])) if kept and weekly["events"].iloc[0] == 0 else []
    made = weekly.loc[kept]
    return made.assign(**{name: _share(made[name], size) for name in shares})


def _rows(table: pd.DataFrame, rule: Mapping[str, Any], fewest: int) -> pd.DataFrame:
    labels, counts = rule.get("labels", []), [name for name in rule.get("counts", []) if name != "*"]
    if "*" in rule.get("counts", []):
        others = [c for c in table.select_dtypes("integer") if c not in {*labels, *counts, *rule.get("drop", [])}]
        rare = [name for name in others if 0 < table[name].max() < fewest]
        table = table.assign(**({"rare reasons": table[rare].sum(axis=1)} if rare else {}))
        counts += [name for name in others if name not in rare] + ["rare reasons"] * bool(rare)
    hidden = _few(table[counts], fewest).any(axis=1)
    for name in {"events", "n_events"}.intersection(counts[1:]):  # those who stayed are a cell as well
        hidden |= _few(table[counts[0]] - table[name], fewest)
    few = _few(table[counts[0]], fewest) if counts else hidden
    if rule.get("pool") and few.any():
        pooled = {labels[0]: POOLED.format(fewest), **table.loc[few, counts].sum()}
        table = pd.concat([table[~few], pd.DataFrame([pooled])], ignore_index=True)
    elif "shares" in rule or "estimates" in rule:
        table = table[~few]
    made = table[labels].map(lambda cell: EXACT_DATE.sub(r"\1", cell) if isinstance(cell, str) else cell)
    made = made.assign(**{name: table[name].map(lambda n: count(n, fewest)) for name in counts})
    for name in table.columns.intersection(rule.get("shares", [])):
        made[name] = _share(table[name], table[counts[0]]).mask(hidden)
    for name in table.columns.intersection(rule.get("estimates", [])):
        made[name] = table[name].map(lambda value: float(f"{value:.2g}")).mask(hidden)
    return made.dropna(axis=1, how="all").astype(object).fillna("")


def safe(table: pd.DataFrame, rule: Mapping[str, Any], fewest: int = FEWEST) -> pd.DataFrame:
    """What of a table is released by a rule of ``disclosure.yaml``; empty where nothing is."""
    if "steps" not in rule:
        return _rows(table, rule, fewest)
    curves = [_steps(curve, rule["shares"], fewest) for _, curve in table.groupby(rule["steps"], sort=False)]
    return pd.concat(curves, ignore_index=True)[[*rule["steps"], "day", *rule["shares"]]]


def _curves(id: str, table: pd.DataFrame, rule: Mapping[str, Any]) -> str:
    """Curves as they are drawn from what is released of them; empty for another table."""
    import matplotlib.pyplot as plt

    from attrition.plots import incidence, style
    from notebook_report import display

    if "steps" not in rule:
        return ""
    incidence.curves(table, rule["steps"][0], [])
    picture = display.draw(plt.gcf())
    plt.close()
    told = f"{rule['title']}: the numbers of the table below"
    return display.inline(display.themed(picture, style), id, told, "wide")


def _summary(out: Path, fewest: int) -> dict[str, Any]:
    """Facts of the first lines of a released report, each through `count`."""
    real, time = (json.loads((out / "results" / f"{name}.json").read_text(encoding="utf-8"))
                  for name in ("06_real_trial", "07_time_to_dropout"))  # fmt: skip
    asked, flow = real["asked"], real["flow"]
    told = {"title": asked["title"], "horizon": real["horizon"], "day": asked["landmark"]}
    told |= {"n": count(time["n"], fewest), "left": count(flow["discontinued_by_horizon"], fewest)}
    at = real["landmarks"].get(str(asked["landmark"]), {})
    if min(at.get("primary", 0), at.get("at_risk", 0) - at.get("all_cause", 0)) >= fewest:
        told |= {"blinded": len(asked["arms"]) > 1}
        told["auroc"] = asked["auroc"]["all_without_arm" if told["blinded"] else "all"]
    return told


def release(out: Path, fewest: int = FEWEST) -> Path:
    """Make ``release/`` in an output folder anew: a report without small cells and its tables, nothing else."""
    from attrition.plots import style
    from notebook_report import book, checks, display

    target, fresh = out / FOLDER, out / ".state" / FOLDER
    shutil.rmtree(fresh, ignore_errors=True)
    parts, arms = [], read(out / "tables" / "tbl-leavers.csv")
    rare = arms.loc[_few(arms["patients"], fewest), "arm"]
    for id, rule in RULES["released"].items():
        path = out / "tables" / f"{id}.csv"
        table = read(path) if path.exists() else pd.DataFrame()
        if not rule.get("pool"):
            table = table[~table.isin(set(rare)).any(axis=1)]
        table = safe(table, rule, fewest) if len(table) else table
        if len(table):
            results.publish(fresh / "tables" / path.name, results.inert(table).to_csv(index=False, lineterminator="\n"))
            cells = [text.cells(table[name].tolist()) for name in table]
            parts.append((id, rule["title"], _curves(id, table, rule), table.columns, zip(*cells, strict=True)))
    kept = {part[0] for part in parts}
    absent = [path.stem for path in sorted((out / "tables").glob("*.csv")) if path.stem not in kept]
    css, js = book.asset("report.css") + display.palette(style), book.asset("report.js")
    page = Path(__file__).with_suffix(".html.j2").read_text(encoding="utf-8")
    pages = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    html = pages.from_string(page).render(
        _summary(out, fewest), css=css, js=js, csp=checks.policy(css, js), parts=parts, absent=absent, fewest=fewest,
        base=BASE, heading=text.heading, of100=lambda share: f"{100 * share:.0f}",
    )  # fmt: skip
    if problems := checks.problems(html):
        raise errors.BuildError("; ".join(problems[:5]), f"{FOLDER}/report.html")
    results.publish(fresh / "report.html", html)
    if target.exists() and {path.name for path in target.iterdir()} - {"report.html", "tables"}:
        raise errors.BuildError("holds files that no release has made, and stays as it is", f"{target.name}/")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target / "report.html"
