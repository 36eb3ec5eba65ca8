"""Words the report uses for verdicts and boxes, each with a mark that does not rely on colour."""

VERDICTS = {
    "reproduced": ("good", "="),
    "supported": ("good", "✓"),
    "direction only": ("half", "◐"),
    "not supported": ("bad", "✗"),
    "impossible": ("bad", "⊘"),
    "not testable": ("open", "?"),
    "not settled": ("open", "±"),
    "exploratory": ("open", "~"),
}
"""Verdict to its tone and its mark. The first seven have a rule in ``claims.yaml``; *exploratory* has none."""

LETTERS = {
    "reproduced": "R",
    "supported": "S",
    "direction only": "D",
    "not supported": "N",
    "impossible": "I",
    "not testable": "T",
    "not settled": "U",
    "exploratory": "E",
}
"""One letter a verdict, for the cells of the ledger strip."""

CALLOUTS = {"caution": "What not to conclude", "note": "Note", "method": "How this is judged"}
"""Kinds of boxes and their default titles."""


def verdict(word: str) -> str:
    """Check a verdict.

    Raises
    ------
    ValueError
        For a word that is not a verdict of this report.

    Examples
    --------
    >>> verdict("not supported")
    'not supported'
    """
    if word not in VERDICTS:
        raise ValueError(f"{word!r} is not a verdict; known: {', '.join(VERDICTS)}")
    return word
