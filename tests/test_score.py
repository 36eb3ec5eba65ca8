"""Scoring: what is saved is what was fitted, what cannot be scored is refused row by row."""

import json
import stat
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from attrition import __main__ as command
from attrition import features, models, paths, registry, score, seeds, simulate
from attrition.contract import strict
from attrition.models import saving
from notebook_report import results

COLUMNS = [c.name for c in score.INPUT.columns]


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial()


@pytest.fixture(scope="module")
def data(trial, tmp_path_factory):
    return results.publish(tmp_path_factory.mktemp("data") / "trial.csv", simulate.csv_text(trial))


@pytest.fixture(scope="module")
def scorer(trial, data):
    return registry.train("lr", trial, data, 30, 42)


@pytest.fixture(scope="module")
def saved(scorer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("champion")
    scorer.save(folder)
    return folder


@pytest.fixture
def patients(trial, tmp_path):
    """Write a CSV of patients with changes to single cells: ``{(row, column): text}``."""

    def write(n=5, changes=()):
        text = trial[COLUMNS].head(n).astype("str")
        for (row, column), cell in dict(changes).items():
            text.loc[row, column] = cell
        path = tmp_path / "patients.csv"
        text.to_csv(path, index=False)
        return path

    return write


@pytest.mark.parametrize("model", models.MODELS)
def test_a_saved_model_predicts_the_same_bits(model, trial, tmp_path):
    fitted = models.pipeline(model, strategy="none").fit(trial, trial["dropout"])
    saving.save(model, fitted, "v3_causal", tmp_path)
    again = saving.load(tmp_path)
    expected, found = models.probability(fitted, trial), models.probability(again, trial)
    assert np.array_equal(expected.astype(np.float32), found.astype(np.float32))
    if model not in ("xgb", "lgbm"):  # boosters predict in single precision
        assert np.array_equal(expected, found)
    assert not list(tmp_path.glob("*.pkl"))


def test_a_model_file_with_a_type_nobody_reviewed_is_refused(trial, tmp_path):
    from sklearn.preprocessing import FunctionTransformer

    fitted = models.pipeline("lr", strategy="none").fit(trial, trial["dropout"])
    fitted.steps.insert(1, ("smuggled", FunctionTransformer(pd.DataFrame.copy)))
    saving.save("lr", fitted, "v3_causal", tmp_path)
    with pytest.raises(saving.UnsafeModel, match="reviewed list"):
        saving.load(tmp_path)


def test_a_scorer_survives_the_disk(scorer, saved, trial):
    again = score.Scorer.load(saved)
    pd.testing.assert_frame_equal(scorer.score(trial), again.score(trial), check_exact=True)


def test_a_model_takes_nothing_from_the_one_that_was_saved_there_before(scorer, trial, data, tmp_path):
    scorer.save(tmp_path)
    registry.train("lgbm", trial, data, 0, 42).save(tmp_path)
    again = score.Scorer.load(tmp_path)
    assert again.ensemble is None
    assert sorted(p.name for p in tmp_path.glob("model.*")) == ["model.txt"]


def test_bands_and_flags_follow_the_probability(scorer, trial):
    made = scorer.score(trial, threshold=0.5)
    assert ((made["probability"] >= 0.5) == (made["flagged"] == "yes")).all()
    assert made.loc[made["probability"] >= 0.75, "band"].eq("critical").all()
    assert made.loc[made["probability"] < 0.35, "action"].eq("automated message").all()


@pytest.mark.slow
def test_intervals_are_quantiles_of_scikit_learns_refits(trial, scorer):
    """The batched refits equal scikit-learn's on the same bootstrap samples."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = seeds.stream(42, "champion", "bootstrap")
    counts = rng.multinomial(len(trial), np.full(len(trial), 1 / len(trial)), 30)
    X, y = features.matrix(trial, "v3_causal").to_numpy(), trial["dropout"].to_numpy()
    refits = []
    for count in counts:
        rows = np.repeat(np.arange(len(trial)), count)
        refit = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10, max_iter=1000)).fit(X[rows], y[rows])
        refits.append(refit.predict_proba(X[:20])[:, 1])
    expected = np.quantile(refits, [0.025, 0.975], axis=0).T
    found = scorer.ensemble.interval(trial.head(20))
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_values_outside_training_are_flagged_not_refused(scorer, patients):
    text = strict.read_strict(patients(changes={(0, "age"): "99"}))
    made = scorer.check_and_score(text)
    assert made["outside_training"].iloc[0] == "age above 84"
    assert (made["refused"] == "").all()


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("age", "61.5", "age: not written as a whole number"),
        ("age", "", "age: the cell is empty"),
        ("treatment_group", "Secret", "treatment_group: not one of"),
        ("adverse_events", "-1", "adverse_events: a negative number"),
        ("last_visit_day", "3000", "last_visit_day lies within the follow-up"),
    ],
)
def test_a_bad_row_is_refused_with_the_reason_and_the_others_are_scored(scorer, patients, column, cell, reason):
    made = scorer.check_and_score(strict.read_strict(patients(changes={(2, column): cell})))
    assert len(made) == 5
    assert reason in made["refused"].iloc[2]
    assert pd.isna(made["probability"].iloc[2])
    assert made["probability"].drop(made.index[2]).notna().all()
    assert not cell or cell not in made["refused"].iloc[2]


@pytest.mark.slow
def test_pieces_give_the_same_scores_as_the_whole(scorer, patients):
    path = patients(n=23, changes={(20, "age"): "x"})
    whole = pd.concat(score.file(path, scorer, chunk=1000))
    pieces = pd.concat(score.file(path, scorer, chunk=4))
    pd.testing.assert_frame_equal(whole, pieces, check_dtype=False)


@pytest.mark.parametrize("chunk", [3, 1000])
def test_a_patient_twice_in_a_file_is_scored_once_whatever_the_piece(scorer, patients, chunk):
    first = {(row, "patient_id"): f"P-{row}" for row in range(10)}
    path = patients(n=10, changes=first | {(2, "patient_id"): "P-1", (8, "patient_id"): "P-0", (0, "age"): "x"})
    made = pd.concat(score.file(path, scorer, chunk=chunk)).reset_index(drop=True)
    again = "patient_id: the patient stands in an earlier row already"
    assert made.loc[[2, 8], "refused"].tolist() == [again, again]
    assert made.loc[[2, 8], "probability"].isna().all()
    assert made.drop(index=[0, 2, 8])["refused"].eq("").all()


def test_a_program_may_ask_about_a_patient_several_times(scorer, patients):
    text = strict.read_strict(patients(changes={(row, "patient_id"): "P-1" for row in range(5)}))
    assert scorer.check_and_score(text)["refused"].eq("").all()


def test_a_missing_column_is_told_with_the_file(saved, patients, capsys):
    path = patients()
    pd.read_csv(path).drop(columns="age").to_csv(path, index=False)
    assert command.main(["score", str(path), "--model", str(saved)]) == 3
    assert "patients.csv: refused, 1 problem\n  line 1, column age: the column is missing" in capsys.readouterr().err


def test_a_problem_in_a_later_piece_names_its_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 6 + "1,2,3\n")
    with pytest.raises(strict.ContractError, match="line 8"):
        list(strict.read_pieces(path, 4))


def test_quoted_line_breaks_do_not_tear_a_piece(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"x\ny"\n2,z\n3,"p\n\nq"\n')
    assert pd.concat(strict.read_pieces(path, 1))["a"].tolist() == strict.read_strict(path)["a"].tolist()


@pytest.mark.parametrize("text", ["a,b\r1,2\r3,4\r", "a,b\r1,2\n3,4\n", '"a\nb",c\n1,2\n3,4\n', "a,b\r\n1,2\r\n3,4"])
def test_no_row_is_lost_whatever_ends_a_line(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert [piece.iloc[:, 0].tolist() for piece in strict.read_pieces(path, 5)] == [["1", "3"]]


def test_the_command_writes_scores_and_says_what_it_did(saved, patients, tmp_path, capsys):
    path = patients(n=10, changes={(3, "age"): "x"})
    assert command.main(["score", str(path), "--model", str(saved)]) == 3
    out = capsys.readouterr().out
    assert "9 patients scored, 1 row refused" in out
    written = pd.read_csv(tmp_path / "patients.scored.csv", dtype=str)
    assert written["patient_id"].tolist()[0] == "P-0001"
    assert written["probability"].notna().sum() == 9


def test_scores_are_for_nobody_elses_eyes(saved, patients, tmp_path):
    assert command.main(["score", str(patients(n=3)), "--model", str(saved)]) == 0
    assert stat.S_IMODE((tmp_path / "patients.scored.csv").stat().st_mode) == 0o600


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--model", "nowhere"], 2, "no model 'nowhere'"),
        (["--threshold", "35"], 2, "a number between 0 and 1, or one of even, published"),
    ],
)
def test_the_command_refuses_what_it_does_not_know(saved, patients, words, code, told, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("ATTRITION_OUT", str(tmp_path))
    arguments = ["score", str(patients()), *(["--model", str(saved)] if "--model" not in words else []), *words]
    assert command.main(arguments) == code
    assert told in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_matter_of_usage(saved, tmp_path, capsys):
    assert command.main(["score", str(tmp_path / "nowhere.csv"), "--model", str(saved)]) == 2
    assert capsys.readouterr().err == "nowhere.csv: there is no such file\n"


def test_a_file_that_is_no_table_is_refused_and_nothing_is_written(saved, tmp_path, capsys):
    path = tmp_path / "patients.csv"
    path.write_text("patient_id;age\n1;2\n")
    assert command.main(["score", str(path), "--model", str(saved)]) == 3
    assert "semicolons" in capsys.readouterr().err
    assert not (tmp_path / "patients.scored.csv").exists()


def test_scores_appear_when_all_are_there_or_not_at_all(saved, patients, tmp_path, monkeypatch):
    target = tmp_path / "scored.csv"
    words = ["score", str(patients()), "--model", str(saved), "--out", str(target)]
    assert command.main(words) == 0
    before = target.read_bytes()

    def torn(path, scorer, *_):
        yield next(whole(path, scorer))
        assert target.read_bytes() == before
        raise OSError(28, "No space left on device")

    whole = score.file
    monkeypatch.setattr(score, "file", torn)
    assert command.main(words) == 6
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_champion_rule_prefers_the_simpler_model_within_the_margin():
    rule = {"among": ["lr", "xgb"], "metric": "auroc", "better": "higher", "margin": 0.01}
    assert registry.choose({"lr": {"auroc": {"value": 0.69}}, "xgb": {"auroc": {"value": 0.695}}}, rule) == "lr"
    assert registry.choose({"lr": {"auroc": {"value": 0.60}}, "xgb": {"auroc": {"value": 0.695}}}, rule) == "xgb"


def test_the_card_leads_to_the_data(saved, data):
    from notebook_report.sources import file_digest

    card = json.loads((saved / "card.json").read_text())
    assert card["data_sha256"] == file_digest(data)


def test_patients_from_a_program_are_read_as_a_file_would_be(scorer):
    text = score.as_text(pd.DataFrame({"age": [61.0, None], "patient_id": ["007", ""], "name": ["Jane", "Joe"]}))
    assert text.columns.tolist() == ["patient_id", "age"]
    assert text["age"].tolist()[0] == "61"
    assert text.isna().sum().tolist() == [1, 1]
    with pytest.raises(strict.ContractError, match="treatment_group"):
        scorer.check_and_score(text)


def test_scores_are_written_alike_with_and_without_refused_rows(saved, patients, tmp_path):
    lines = []
    for changes in ({}, {(3, "age"): "x"}):
        command.main(["score", str(patients(n=5, changes=changes)), "--model", str(saved)])
        lines.append((tmp_path / "patients.scored.csv").read_text().splitlines()[1])
    assert lines[0] == lines[1]


@pytest.mark.slow
def test_the_benchmark_reports_rate_and_memory():
    words = [sys.executable, paths.ROOT / "benchmarks" / "scoring.py", "60000"]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert told["patients"] == 60_000
    assert told["rows_a_second"] > 0
    assert told["peak_mib"] < 1024
