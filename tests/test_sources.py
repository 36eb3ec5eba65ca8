"""Code is followed through its imports."""

import json
from types import SimpleNamespace

import pytest

from notebook_report import sources
from notebook_report.errors import BuildError


def test_modules_are_followed_through_their_imports():
    reached = sources.modules("from attrition import tracking")
    assert {"attrition.tracking", "notebook_report.results", "attrition.paths"} <= set(reached)
    assert "notebook_report.driver" not in reached


NESTED = """
class A:
    def f(self):
        try:
            import attrition.paths
        except* ImportError:
            from attrition import seeds
        else:
            with open("x"):
                from attrition import features
        finally:
            import notebook_report.errors
match 1:
    case 1:
        while False:
            from attrition.cdisc import readers
if False:
    pass
elif True:
    async def g():
        for x in []:
            from attrition.metrics import ranks
"""


def test_imports_are_found_at_any_depth():
    wanted = {"attrition", "attrition.cdisc", "attrition.metrics", "notebook_report", "notebook_report.errors"}
    wanted |= {f"attrition.{name}" for name in ("paths", "seeds", "features", "cdisc.readers", "metrics.ranks")}
    assert sources.imports(NESTED)[0] == wanted
    later = "try:\n    import numpy\nexcept ImportError: pass\nimport scipy.stats as s\ndef f(): import mlflow"
    assert sources.imports(later)[1] == {"mlflow", "numpy", "scipy.stats"}


def test_a_cell_that_is_no_python_is_named(tmp_path):
    texts = ["x = 1", "%matplotlib inline\ny = 2\n    y = 3"]
    cells = [{"cell_type": "code", "source": [text], "metadata": {}} for text in texts]
    notebook = tmp_path / "03_mine.ipynb"
    notebook.write_text(json.dumps({"cells": cells}))
    with pytest.raises(BuildError, match=r"^03_mine, code cell 2, line 3: this is not Python \(unexpected indent\)"):
        sources.reached(SimpleNamespace(notebook=notebook))
