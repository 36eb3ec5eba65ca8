"""Notebooks as JupyterLab saves them under ``./run_all.sh lab``: their sources, never what they showed."""

from pathlib import PurePosixPath
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from notebook_report import project

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def strip(model: dict[str, Any], path: str, **_: Any) -> None:
    """Take out of a chapter that is about to be saved what a run leaves in it, and what the editor notes of itself.

    >>> cell = {"cell_type": "code", "metadata": {"tags": ["a"], "trusted": True}, "outputs": [1], "execution_count": 3}
    >>> strip({"type": "notebook", "content": {"metadata": {}, "cells": [cell]}}, "notebooks/02_eda.ipynb")
    >>> cell
    {'cell_type': 'code', 'metadata': {'tags': ['a']}, 'outputs': [], 'execution_count': None}
    """
    if model["type"] != "notebook" or PurePosixPath(path).parent.name != project.notebooks().name:
        return
    model["content"]["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in model["content"]["cells"]:
        cell["metadata"] = {"tags": tags} if (tags := cell["metadata"].get("tags")) else {}
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)


class Sources(AsyncLargeFileManager):
    """Contents manager that saves a chapter without outputs: it differs from the committed one by its text alone."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_pre_save_hook(strip)
