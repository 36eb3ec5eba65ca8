"""Checksums: what identifies a data file, a notebook, a state of the library."""

import hashlib
from pathlib import Path


def digest(*parts: str | bytes) -> str:
    """SHA-256 of the parts, each preceded by its length.

    Parameters
    ----------
    *parts : str or bytes
        Text counts as UTF-8.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> digest("ab", "c") == digest("a", "bc")
    False
    """
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(f"{len(raw)}:".encode() + raw)
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
