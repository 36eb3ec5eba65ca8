"""How models look in every figure, taken from where each is declared (`attrition.models.MODELS`)."""

from typing import Any

from attrition.models import FITTED, IN_TEXT, MODELS
from attrition.plots import style

LABELS = IN_TEXT | {"oracle": "oracle", "null": "null"}
ORDER = ("oracle", *FITTED, "null")
MARKER = dict(zip(FITTED, style.MARKERS, strict=False))


def colour(name: str) -> str:
    """Colour of a model by its name; other names as in `attrition.plots.style.colour`.

    Examples
    --------
    >>> colour("lr") == colour("blue")
    True
    """
    return style.colour(MODELS[name].hue if name in MODELS else name)


def line(model: str) -> dict[str, Any]:
    """Colour and dash of a model's line."""
    known = model in ORDER
    return {
        "color": colour(model) if known else colour("blue"),
        "linestyle": style.DASHES[ORDER.index(model) % len(style.DASHES) if known else 0],
    }
