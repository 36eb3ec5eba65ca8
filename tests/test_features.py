import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from attrition import features, simulate


@pytest.fixture(scope="module")
def trial():
    return simulate.published_trial()


def test_v3_equals_the_published_definitions_row_by_row(trial):
    found = features.matrix(trial, "v3_causal")
    for i in (0, 1, 17, 999):
        row = trial.iloc[i]
        visit_rate = row.visits_completed / (row.days_in_trial / 30 + 1)
        rate = row.adverse_events / (row.days_in_trial + 1)
        by_hand = [
            row.age,
            row.days_in_trial,
            visit_rate,
            rate,
            row.days_in_trial - row.last_visit_day,
            rate * (1 - visit_rate),
            row.age / 85 * rate,
            {"Phase I": 0.2, "Phase II": 0.5, "Phase III": 0.8}[row.trial_phase],
            {"Active": 0.1, "Control": 0.3, "Placebo": 0.4}[row.treatment_group],
        ]
        assert found.iloc[i].to_numpy() == pytest.approx(by_hand, abs=1e-15)


def test_versions_and_groups_are_the_published_ones():
    v = features.VERSIONS
    assert v["v1_counts"] == ("age", "days_in_trial", "visits_completed", "adverse_events")
    assert v["v2_interactions"] == (*v["v2_rates"], "burden", "age_adverse_risk")
    assert v["v3_causal"] == (*v["v2_interactions"], "trial_phase_risk", "treatment_risk")
    assert set(features.GROUPS["domain"]) == {"trial_phase_risk", "treatment_risk"}
    assert features.without("v3_causal", "burden") == tuple(f for f in v["v3_causal"] if f != "burden")


def test_every_feature_declares_when_it_is_known():
    assert {f.known_at for f in features.FEATURES.values()} <= set(features.KNOWN_AT)
    assert set(features.table()["feature"]) == set(features.FEATURES)


def test_what_is_known_at_enrolment_ignores_follow_up(trial):
    later = trial.assign(days_in_trial=1, visits_completed=0, last_visit_day=0, adverse_events=0)
    for feature in features.FEATURES.values():
        unchanged = np.array_equal(feature.compute(trial), feature.compute(later))
        assert unchanged == (feature.known_at == features.AT_ENROLMENT), feature.name


@pytest.mark.parametrize("version", list(features.VERSIONS))
def test_the_outcome_is_never_read(trial, version):
    blind = trial.drop(columns=["dropout", "dropout_day", "early_dropout", "late_dropout", "dropout_30_days"])
    pd.testing.assert_frame_equal(features.matrix(blind, version), features.matrix(trial, version))


def test_transformer_works_in_a_pipeline_and_keeps_names(trial):
    step = features.FeatureVersion("v2_rates")
    model = make_pipeline(step, StandardScaler(), LogisticRegression()).set_output(transform="pandas")
    model.fit(trial, trial["dropout"])
    assert list(model[:-1].get_feature_names_out()) == list(features.VERSIONS["v2_rates"])
    assert list(model[:-1].transform(trial.head(3)).columns) == list(features.VERSIONS["v2_rates"])
    assert clone(step).get_params() == {"version": "v2_rates"}


def test_index_and_order_of_rows_are_kept(trial):
    shuffled = trial.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        features.matrix(shuffled, "v3_causal"), features.matrix(trial, "v3_causal").loc[shuffled.index]
    )


def test_unknown_version_and_missing_column_are_named(trial):
    with pytest.raises(KeyError, match="v4"):
        features.matrix(trial, "v4")
    with pytest.raises(KeyError, match="last_visit_day"):
        features.matrix(trial.drop(columns="last_visit_day"), "v1_counts")
