"""Checksums: what identifies a data file, a notebook, a state of the library."""

from attrition.sources import digest, file_digest

__all__ = ["digest", "file_digest"]
