"""Whatever `attrition.params` lets pass, every chapter runs with: at the lowest numbers, and well beyond the usual."""

import pytest
import yaml

from attrition import params, paths, settings
from notebook_report import display as report
from notebook_report import project
from tests.run.test_cells import code_of

NAMED = {"imbalance_rates", "batch_sizes", "landmark", "landmarks", "champion"}
"""Numbers that stand for themselves: see `params.Section.relations`."""


def lowest(value, limit, place):
    return type(value)(limit.low + place * (1 if isinstance(value, int) else 0.01))


def more(value, limit, place):
    if limit == settings.Number(0.01, 0.99) and not place:
        return limit.high
    return type(value)(min(1.5 * value, limit.high))


def moved(value, shape, how, place=0):
    """A number moved, or all numbers of a list or mapping."""
    if isinstance(shape, dict):
        return {key: moved(item, shape[settings.ANY], how, number) for number, (key, item) in enumerate(value.items())}
    if isinstance(shape, settings.Keys):
        return {key: moved(item, shape.needed[key], how) for key, item in value.items()}
    if isinstance(shape, list):
        return [moved(item, shape[0], how) for item in value]
    if isinstance(shape, settings.Rising):
        return sorted(how(item, shape.item, number) for number, item in enumerate(value))
    return how(value, shape, place)


def perturbed(how):
    """All sections of the quick profile with every number moved."""
    content = {"seed": 42}
    for section, keys in params.SHAPES.items():
        values = params.as_dict(params.load(section, "quick"))
        content[section] = {
            key: value if key in NAMED else moved(value, keys.needed[key], how) for key, value in values.items()
        }
    ablation, modelling = content["03_feature_ablation"], content["04_modelling"]
    ablation["n_patients"] = max(ablation["n_patients"], 2 * ablation["n_test"])
    modelling["imbalance_trials"]["lr"] = max(modelling["imbalance_trials"]["lr"], 2)
    return content | {"profiles": {"quick": {}}}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", [lowest, more])
def test_every_chapter_runs_with_whatever_passes(how, tmp_path, monkeypatch):
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(perturbed(how)), encoding="utf-8")
    monkeypatch.setattr(paths, "PARAMS", file)
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path / "out"))
    for chapter in project.in_order(project.current.chapters):
        source = "\n".join(code_of(paths.NOTEBOOKS / f"{chapter.name}.ipynb").values())
        with report.capture() as shown:
            exec(compile(source.replace('profile = "full"', 'profile = "quick"'), chapter.name, "exec"), {})
        assert len(shown) > 5
