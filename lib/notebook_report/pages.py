"""The report's own pages, ``notebooks/pages/NAME.md``: text over the results of all chapters, every number traced.

A page is Jinja over Markdown. ``results`` holds the chapters' result files by name (also ``claims``) and ``params`` the
sections of the parameters. Whatever a filter writes becomes a link to the entry of that number under "Check one
number"; a number that was computed in the page has no key and is refused, so what a page states is in a result file.

    {{ show("fig-roc", title) }}     a figure or table of a chapter, here instead of there; with a title of its own
    {{ bar([[n, words, tone], ...]) }}  counts as the parts of one bar
    [@efron1997; @holm1979]          references of ``notebooks/references.yaml``: surname and year of the first author
    ::: name ... :::                 a block with a class of its own
"""

import json
import numbers
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import yaml

from notebook_report import project, said, text
from notebook_report.errors import BuildError

FRONT = "front"  # the page that a report on a reader's own data has as well; the others are about all chapters
WORDS = ("listed", "markdown")  # filters that write words, which nobody traces
MARK = re.compile(r"\x02(\d+)\x03")
FENCE = re.compile(r"(?m)^::: *([a-z ]*)$")
CITED = re.compile(r"\[((?:@\w+(?:; )?)+)\]")
YEAR = re.compile(r"\b(?:18|19|20)\d\d\b")


Node, Items, Real, Whole = (
    type(name, (base,), {"key": "", "__doc__": "A part of the results that knows its key."})
    for name, base in {"Node": dict, "Items": list, "Real": float, "Whole": int}.items()
)


def traced(value: Any, key: str) -> Any:
    """Results whose numbers, lists and mappings know where they stand.

    >>> traced({"auroc": {"all": 0.5}}, "06_real_trial: ")["auroc"]["all"].key
    '06_real_trial: auroc.all'
    """
    made: Any
    if isinstance(value, Mapping):
        inner = key if key.endswith(": ") or not key else f"{key}."
        made = Node({name: traced(part, f"{inner}{name}") for name, part in value.items()})
    elif isinstance(value, list | tuple):
        made = Items(traced(part, f"{key}.{position}") for position, part in enumerate(value))
    elif isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    else:
        made = Whole(value) if isinstance(value, numbers.Integral) else Real(value)
    made.key = key
    return made


def of100(value: Any) -> str:
    """A share, or an AUROC, as times out of a hundred, with its interval.

    >>> of100({"value": 0.516, "ci_low": 0.4, "ci_high": 0.62})
    '52 (40 to 62)'
    """
    if isinstance(value, Mapping):
        return text.with_ends(value, of100)
    return text.number(f"{100 * value:.0f}")


def key_of(reference: Mapping[str, str]) -> str:
    """Key of a reference: surname and year.

    >>> key_of({"authors": "Böhning D, Lindsay BG", "where": "Annals 1988;40:641"})
    'bohning1988'
    """
    names = reference["authors"].split(",")[0].split()
    surname = "".join(names[:-1] if len(names) > 1 and names[-1].isupper() else names)
    plain = unicodedata.normalize("NFKD", surname.replace("ø", "o")).encode("ascii", "ignore").decode().lower()
    year = YEAR.search(reference["where"])
    return re.sub(r"\W", "", plain) + (year[0] if year else "")


def references() -> dict[str, dict[str, str]]:
    """Sources by key; the file may be missing. An entry without DOI and address is refused, as is a key used twice."""
    file = project.notebooks() / "references.yaml"
    known: dict[str, dict[str, str]] = {}
    for entry in yaml.load(file.read_text(encoding="utf-8"), text.Loader) if file.exists() else ():
        key = key_of(entry)
        if key in known or not (entry.get("doi") or entry.get("address")):
            raise BuildError(f"{key}: {'used twice' if key in known else 'neither DOI nor address'}", file.name)
        known[key] = entry
    return known


class Number(NamedTuple):
    """A number as a page writes it: where it is explained, words, key, value."""

    id: str
    shown: str
    key: str
    value: Any


class Block(NamedTuple):
    """A piece of a page: Markdown, a part by its kind, or the begin or end of a block with a class."""

    kind: str
    content: Any


class Pages:
    """The pages of a report: filled, cut into blocks, with what they show, cite and count."""

    def __init__(self, chapters: Iterable[str], folder: Path, params: Mapping[str, Any]) -> None:
        chapters = list(chapters)
        self.parts: list[Block] = []
        self.numbers: dict[tuple[str, str], Number] = {}
        self.cited: list[str] = []
        self.references = references()
        found = _results([*chapters, "claims"], folder)
        self.context = {"results": found, "params": traced(dict(params), "params.yaml: ")}
        self.context |= {"show": self._show, "bar": self._bar, "block": self._fence}
        self.environment = jinja2.Environment(undefined=jinja2.StrictUndefined, finalize=self._final, trim_blocks=True)
        for name, write in {**said.FILTERS, "of100": of100}.items():
            self.environment.filters[name] = write if name in WORDS else self._linked(write)
        whole = set(chapters) >= {chapter.name for chapter in project.current.chapters}
        files = sorted((project.notebooks() / "pages").glob("*.md" if whole else f"{FRONT}.md"))
        self.blocks = {file.stem: self._page(file) for file in files}

    @property
    def shown(self) -> list[str]:
        """Ids of the figures and tables that stand on a page, in order."""
        return [part.content["id"] for part in self.parts if part.kind == "shown"]

    def _linked(self, write: Callable[..., str]) -> Callable[..., str]:
        def written(value: Any, *options: Any) -> str:
            if isinstance(value, jinja2.Undefined):
                str(value)  # says what is missing
            words, key = write(value, *options), getattr(value, "key", None)
            if key is None:
                raise ValueError(f"{words} is computed in the page, so nobody can check it; store it in a result file")
            known = self.numbers.setdefault((key, words), Number(f"n-{len(self.numbers) + 1}", words, key, value))
            return said.Said(f"[{words}](#{known.id})")

        return written

    @staticmethod
    def _final(value: Any) -> Any:
        if isinstance(value, numbers.Number) and not isinstance(value, bool):
            raise ValueError(f"{value} without saying how it is written; see `notebook_report.said`")
        return value if isinstance(value, said.Said | jinja2.Undefined) else text.escape(str(value))

    def _part(self, kind: str, **content: Any) -> said.Said:
        self.parts.append(Block(kind, content))
        return said.Said(f"\n\n\x02{len(self.parts) - 1}\x03\n\n")

    def _show(self, id: str, title: str = "") -> said.Said:
        return self._part("shown", id=id, title=" ".join(title.split()))

    def _fence(self, name: str) -> said.Said:
        return self._part("begin" if name else "end", name=name)

    def _bar(self, parts: Iterable[Any]) -> said.Said:
        linked = self._linked(str)
        return self._part("bar", parts=[(n, linked(n), words, tone) for n, words, tone in parts if n])

    def _cite(self, match: re.Match[str]) -> str:
        links = []
        for key in re.findall(r"\w+", match[1]):
            if key not in self.references:
                raise BuildError(f"nothing in references.yaml is called {key!r}")
            if key not in self.cited:
                self.cited.append(key)
            links.append(f"[{self.cited.index(key) + 1}](#ref-{key})")
        return rf"\[{', '.join(links)}\]"

    def _page(self, file: Path) -> list[Block]:
        try:
            source = FENCE.sub(r'{{ block("\1") }}', file.read_text(encoding="utf-8"))
            filled = self.environment.from_string(source).render(self.context)
            filled = CITED.sub(self._cite, filled)
        except (jinja2.TemplateError, ValueError, TypeError, KeyError, BuildError) as error:
            raise BuildError(f"{error}", f"pages/{file.name}") from error
        return list(self._cut(filled))

    def _cut(self, filled: str) -> Iterable[Block]:
        for piece in re.split(r"(\x02\d+\x03)", filled):
            if (mark := MARK.fullmatch(piece)) or piece.strip():
                yield self.parts[int(mark[1])] if mark else Block("markdown", piece.strip())


def _results(chapters: Iterable[str], folder: Path) -> dict[str, Any]:
    files = [file for name in chapters if (file := folder / f"{name}.json").exists()]
    return {file.stem: traced(json.loads(file.read_bytes()), f"{file.stem}: ") for file in files}


def printed(number: Number) -> str:
    """Value of a number at full precision, with the limits of its interval.

    >>> printed(Number("n-1", "0.7", "a: b", {"value": 0.66950191, "ci_low": 0.5, "ci_high": 0.75}))
    '0.66950191 (0.5 to 0.75)'
    """
    value = number.value
    if isinstance(value, Mapping):
        return text.with_ends(value, lambda one: text.number(str(one)))
    return text.number(", ".join(map(str, value)) if isinstance(value, list) else str(value))
