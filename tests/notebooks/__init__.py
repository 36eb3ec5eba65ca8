"""The cells in which a chapter shows its method in plain libraries, held against this library's numbers.

Cells tagged ``by-hand`` carry the method, cells tagged ``exercise`` the questions to the reader. Both are run here in
one namespace, after the imports of their notebook, at the sizes of the quick profile.
"""

import ast
import json

import notebook_report as report
from attrition import params, paths, simulate
from notebook_report import sources


def tagged(name: str, *tags: str) -> list[str]:
    """Sources of the code cells of a notebook that carry one of the tags, in order."""
    cells = sources.cells((paths.NOTEBOOKS / f"{name}.ipynb").read_bytes())
    return [source for kind, source, own in cells if kind == "code" and set(tags) & set(own)]


def imports(name: str) -> str:
    """All imports of a notebook."""
    cells = sources.cells((paths.NOTEBOOKS / f"{name}.ipynb").read_bytes())
    tree = ast.parse("\n".join(source for kind, source, _ in cells if kind == "code"))
    return "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


def run(name: str, *tags: str, **given: object) -> dict:
    """Run the tagged cells of a notebook on the published trial; returns their namespace and what each last line is.

    The value of a cell's last expression is kept under ``shown``, a list with one entry a cell.
    """
    namespace = {"p": params.load(name, "quick"), "seed": 42, "trial": simulate.published_trial(), **given}
    exec(imports(name), namespace)
    namespace["shown"] = []
    with report.capture() as outputs:
        for source in tagged(name, *tags):
            *body, last = ast.parse(source).body
            value = isinstance(last, ast.Expr)
            exec(compile(ast.Module([*body, *([] if value else [last])], []), name, "exec"), namespace)
            if value:
                namespace["shown"].append(eval(compile(ast.Expression(last.value), name, "eval"), namespace))
    return namespace | {"outputs": outputs}


def sentence(name: str, id: str, **given: object) -> str:
    """What a cell of a notebook says when it is given these names: its finding, or its prose."""
    cells = json.loads((paths.NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    namespace = {"p": params.load(name, "quick")}
    exec(imports(name), namespace)
    namespace |= given
    with report.capture() as outputs:
        exec("".join(next(cell["source"] for cell in cells if cell["id"] == id)), namespace)
    about = outputs[-1]["metadata"]["attrition"]
    return about.get("sentence") or about["markdown"]
