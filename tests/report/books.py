"""Small executed notebooks, made in the process by the real display helpers, and pages over their results."""

import shutil
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbformat import v4

import notebook_report as report
from attrition import paths
from notebook_report import book, project

HOSTILE = "<img src=x onerror=\"window.hit='yes'\"><script>window.hit='yes'</script>"

FRONT = [
    """# Can we tell early who will leave a trial? A synthetic report for tests

A synthetic report for tests. It asks one question, of simulated patients, and answers it with the
numbers of its own chapters. Nothing here is a result.

*Reads* nothing. *Writes* nothing.""",
    "## What was claimed",
    """```python
verdicts = list(words.VERDICTS)
results.write("00_findings", {"n": 54})
claims = pd.DataFrame({
    "id": [f"C{i:02d}" for i in range(1, 55)],
    "claim": [f"Claim number {i} about the area under the curve of some model" for i in range(1, 54)] + [HOSTILE],
    "published": ["0.643"] * 54,
    "found": ["0.61 (0.57 to 0.65)"] * 54,
    "verdict": [verdicts[i % 6] for i in range(54)],
    "evidence": ["fig-roc tbl-models"] * 54,
})
report.ledger(claims, notes="Rules are written in `claims.yaml` before the run.")
```""",
    """```python
report.callout("caution", "No model here is **fit for use** on patients. See {{ where }}.", where="chapter 5")
```""",
]

ABLATION = [
    """# What is each group of features worth?

The question, then the answer. Reads nothing, writes nothing.""",
    """## Estimand

The expected paired difference $\\Delta = \\mathrm{AUC}_{v3} - \\mathrm{AUC}_{v1}$, with

$$
\\mathrm{AUC} = P(s_1 > s_0) + \\tfrac{1}{2} P(s_1 = s_0).
$$

| margin | where from |
|-------:|------------|
| 0.02 | agreed before the run, as in [the evaluation](05_evaluation.ipynb) |
""",
    "PARAMETERS",
    "The forest plot shows the four versions with their intervals, as [](#fig-forest) draws them.",
    """```python
versions = ["v1 counts", "v2 rates", "v2 interactions", "v3 causal"]
effects = pd.DataFrame({"version": versions, "auroc": [0.57, 0.62, 0.62, 0.65]})
effects = effects.assign(ci_low=effects.auroc - 0.02, ci_high=effects.auroc + 0.02)
fig, ax = plt.subplots(figsize=(5.5, 2.4))
ax.errorbar(effects.auroc, range(4), xerr=0.02, fmt="o", color=colour("lr"), label="Logistic regression")
ax.axvline(0.5, color=colour("chance"), ls="--", label="Chance")
ax.set(yticks=range(4), yticklabels=versions, xlabel="AUROC (95 % interval)", title="Don't read < as &")
ax.legend(loc="upper left")
report.figure(
    ax, id="fig-forest", data=effects,
    caption="AUROC of each feature version with its 95 % interval; the same folds throughout.",
    alt="Four dots with horizontal bars rise from 0.57 for counts to 0.65 for the causal version.",
)
```""",
    """```python
report.say("Domain encodings add {{ d | f3 }} to the AUROC ([](#fig-forest)), for {{ n | whole }} patients.", n=1000,
           d={"value": 0.031, "ci_low": -0.004, "ci_high": 0.066})
report.finding(
    id="finding-encodings", verdict="direction only", evidence=["fig-forest"],
    sentence="Domain encodings raise the AUROC by 0.031 (−0.004 to 0.066), a direction but no more.",
)
```""",
    "## Limits\n\nOne law, one size.",
]

EVALUATION = [
    "# How good are the probabilities?\n\nThree models on the same folds.",
    """```python
x = np.linspace(0, 1, 60)
fig, ax = plt.subplots(figsize=(5.5, 3.6))
for name, power in (("lr", 0.6), ("xgb", 0.7), ("lgbm", 0.68)):
    ax.plot(x, x**power, color=colour(name), label=name)
    ax.fill_between(x, x**power - 0.04, x**power + 0.04, color=colour(name), alpha=0.15, lw=0)
ax.plot(x, x, color=colour("chance"), ls=":", label="chance")
ax.set(xlabel="False-positive rate", ylabel="True-positive rate")
ax.legend(loc="lower right")
report.figure(
    ax, id="fig-roc", caption="ROC curves with pointwise 95 % bands.",
    alt="Three curves lie close together, well above the diagonal of chance.",
    data=pd.DataFrame({"false_positive_rate": x, "lr": x**0.6}),
)
```""",
    "The models in [](#tbl-models) are hard to tell apart.",
    """```python
models = pd.DataFrame({
    "model": ["Logistic regression", "XGBoost", "LightGBM", "Oracle", "Chance"],
    "n": [1000] * 5, "events": [411] * 5,
    "auroc": [0.643, 0.604, 0.618, 0.671, 0.5],
    "interval": ["0.61 to 0.68", "0.57 to 0.64", "0.58 to 0.65", "0.64 to 0.70", "–"],
    "brier_score": [0.221, 0.242, 0.236, 0.214, 0.242],
    "calibration_slope": [0.94, 0.41, 0.47, 1.0, np.nan],
    "net_benefit": [0.112, 0.084, 0.09, 0.125, -0.02],
})
report.table(
    models, id="tbl-models", caption="Discrimination, calibration and net benefit.",
    labels={"auroc": "AUROC", "interval": "95 % interval", "net_benefit": "net benefit at 0.35 (per patient)"},
    notes="Intervals by DeLong's method; net benefit at threshold $p_t = 0.35$.",
)
```""",
    """```python
rng = np.random.default_rng(0)
fig, ax = plt.subplots(figsize=(5.5, 3.2))
ax.scatter(rng.normal(size=3000), rng.normal(size=3000), s=5, alpha=0.5, lw=0, color=colour("lr"), rasterized=True)
ax.set(xlabel="Linear predictor", ylabel="Residual", title=HOSTILE[:20])
report.figure(
    ax, id="fig-cloud", caption="Three thousand residuals.",
    alt="A round cloud of points without any trend.",
)
```""",
    """```python
report.table(
    pd.DataFrame({HOSTILE: [HOSTILE, "plain"], "value": [1.0, -2.0]}), id="tbl-hostile",
    caption="Hostile text " + HOSTILE, notes="Note " + HOSTILE,
)
report.say("A site is called {{ name }}.", name=HOSTILE)
report.callout("note", "A box about {{ name }}.", name=HOSTILE)
report.callout("note", "Another box of its kind.")
report.finding("finding-hostile", "Said of " + HOSTILE, "exploratory", ["tbl-hostile"])
report.finding(
    id="finding-trees", verdict="not supported", evidence=["tbl-models", "fig-roc"],
    sentence="Trees are worse than logistic regression by 0.039 (0.012 to 0.066), so they do not win.",
)
```""",
    """```python
strategies = ["none", "class weights, as published", "SMOTE inside the folds only"]
report.table(
    pd.DataFrame({
        "model": np.repeat(["Logistic regression", "XGBoost"], 3), "strategy": strategies * 2,
        **{name: ["0.758 (0.756 to 0.760)"] * 6 for name in ("auroc", "recall", "precision", "brier_score")},
    }), id="tbl-strategies", caption="Two columns name a row.",
)
report.table(
    pd.DataFrame({"band": list("abcdefghij"), "cost": ["$300", "", "−$20", "–", "$1,200", "$45", *["$2,000"] * 4]}),
    id="tbl-bands", caption="Money, and none.",
)
```""",
    """```python
report.table(
    pd.DataFrame({"replicate": range(900), "gain": np.arange(900) / 7}), id="tbl-draws",
    caption="Each of nine hundred draws.",
)
gains = [words.interval_text(dict(value=i * 5 % 12 / 8 - 0.5, ci_low=-1.0, ci_high=2.0)) for i in range(12)]
report.table(pd.DataFrame({"day": range(12), "gain": gains}), id="tbl-days", caption="Gains by day.")
```""",
    """```python
results.write("05_evaluation", {
    "auroc": {"lr": {"value": 0.643, "ci_low": 0.6100001, "ci_high": 0.68}, "chance": 0.5},
    "n": 1000, "draws": [0.142857142857143, 2.0], "slope": -0.41, "word": "LightGBM", "counts": {"left": 411, "in": 0},
})
```""",
    "## Limits\n\nNone of this is real.\n\n## Next\n\nNothing.",
]
CHAPTERS = {"03_feature_ablation": ABLATION, "05_evaluation": EVALUATION, "00_findings": FRONT}
"""In the order of the report: the chapter on all others comes last."""

FRONT_PAGE = """{% set found = results["05_evaluation"] %}
{% set study = "00_findings" in results %}
# No. With {{ found.n | whole }} patients a model points right {{ found.auroc.lr.value | of100 }} times in a hundred

::: lead
The AUROC is {{ found.auroc.lr | f2 }} [@ada1843].
:::

::: two
::: hero
{{ show("fig-roc", "Better than chance, and no more") }}
:::
::: act
## What to do

Nothing. Of the patients {{ found.counts.left | whole }} left.
:::
:::

{{ bar([[found.counts.left, "left", "bad"], [found.counts["in"], "are in", "good"]]) }}

::: two even
::: left
{% if study %}{{ show("fig-forest", "Domain encodings add little") }}{% endif %}

:::
::: sure
## How sure is this?

Not at all.
:::
:::

## Where to look

See [a number](#check){% if study %}, [the study](#study) and [the claims](#tbl-ledger){% endif %}.
"""
STUDY_PAGE = """{% set found = results["05_evaluation"] %}
## Limits

Seed {{ params.seed | whole }}; {{ found.slope | signed1 }} for {{ found.word }};
{{ found.auroc.lr | f2 }} again [@bob2001; @ada1843].

{{ show("tbl-models") }}

## What follows

As [](#fig-roc) and [](#fig-forest) show, {{ found.draws[0] | f3 }} and {{ found.auroc.chance | f1 }}.
"""
PAGES = {"front": FRONT_PAGE, "study": STUDY_PAGE}
REFERENCES = """
- {authors: "Ada L", title: "Notes <b>", where: "Memoirs 1843;3:666", doi: "10.1000/1"}
- {authors: "Bob C, Eve D", title: "Never cited", where: "Journal 1999;1:1", address: "https://example.org/eve"}
- {authors: "Bob C", title: "Cited later", where: "Journal 2001;1:1", address: "https://example.org/bob"}
"""
CAPTIONS = """tbl-draws:
  only: file
"""


def run(source: str, where: dict[str, Any]) -> list[Any]:
    """Outputs of a code cell, as a notebook would keep them."""
    with report.capture() as outputs:
        try:
            exec(source, where)
        except Exception as error:
            lines = traceback.format_exc().splitlines()
            told = {"ename": type(error).__name__, "evalue": str(error), "traceback": lines}
            outputs.append({"output_type": "error", **told})
    return [nbformat.from_dict(output) for output in outputs]


def namespace() -> dict[str, Any]:
    """Names that the code cells use."""
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd

    from attrition.plots.rows import colour
    from notebook_report import results
    from notebook_report import text as words

    known = {"report": report, "plt": plt, "np": np, "pd": pd, "colour": colour, "words": words, "HOSTILE": HOSTILE}
    return {**known, "results": results}


def notebook(name: str, cells: list[str]) -> Any:
    """Executed notebook of a list of Markdown texts and fenced code cells."""
    made, names = [], namespace()
    for number, text in enumerate(cells, start=1):
        id = f"ch{name[:2]}-{number:02d}"
        if text == "PARAMETERS":
            made.append(v4.new_code_cell('profile = "full"\nseed = 42', id=id, metadata={"tags": ["parameters"]}))
        elif text.startswith("```python"):
            source = text.removeprefix("```python\n").removesuffix("\n```")
            made.append(v4.new_code_cell(source, id=id, outputs=run(source, names)))
        else:
            made.append(v4.new_markdown_cell(text, id=id))
    return v4.new_notebook(cells=made)


def write(folder: Path, chapters: dict[str, list[str]] = CHAPTERS) -> Path:
    """Write executed notebooks into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, cells in chapters.items():
        nbformat.write(notebook(name, cells), folder / f"{name}.ipynb")
    return folder


def chapters(folder: Path) -> list[Path]:
    """Executed notebooks of a folder, as the plan would name them."""
    return sorted(folder.glob("*.ipynb"))


@contextmanager
def pages(folder: Path, pages: Mapping[str, str] = PAGES, captions: str = CAPTIONS) -> Iterator[None]:
    """A project of the small book's chapters, with pages, references and captions of its own in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in {"references.yaml": REFERENCES, "captions/05_evaluation.yaml": captions}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copy(paths.NOTEBOOKS / "columns.yaml", folder)
    (folder / "pages").mkdir()
    for name, text in pages.items():
        (folder / "pages" / f"{name}.md").write_text(text, encoding="utf-8")
    own = tuple(chapter for chapter in project.current.chapters if chapter.name in CHAPTERS)
    with mock.patch.multiple(project.current, notebooks=str(folder), chapters=own):
        yield


def _pages(folder: Path) -> Mapping[str, str]:
    return PAGES if (folder / "05_evaluation.ipynb").exists() else {}


def compose(folder: Path, **options: Any) -> str:
    """HTML of the book of a folder's executed notebooks under the small pages."""
    with pages(folder.parent / "notebooks", _pages(folder)):
        return book.compose(chapters(folder), **options)


def build(folder: Path, out: Path, **options: Any) -> Path:
    """Report of a folder's executed notebooks under the small pages."""
    with pages(folder.parent / "notebooks", _pages(folder)):
        return book.build(chapters(folder), out, **options)
