"""What stops a book from being built."""

from attrition import errors


class BuildError(errors.Refusal, ValueError):
    """The report would be wrong or incomplete.

    Parameters
    ----------
    problem : str
        What is wrong, and what to do about it.
    where : str
        Notebook and cell, e.g. ``"05_evaluation, cell 12"``.

    Examples
    --------
    >>> str(BuildError("fig-roc is used twice", "05_evaluation, cell 12"))
    '05_evaluation, cell 12: fig-roc is used twice'
    """

    def __init__(self, problem: str, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where}: {problem}" if where else problem)
