"""The law of the simulated trial, trials drawn from it, and the published trial to the last byte."""

from attrition.simulate.draws import patient_ids
from attrition.simulate.law import (
    ARMS,
    GENDERS,
    PUBLISHED_LAW,
    Law,
    adverse_event_rate,
    arm_risk,
    phase_risk,
    probability,
    risk,
    visit_rate,
)
from attrition.simulate.trial import (
    COLUMNS,
    PREVALENCES,
    PUBLISHED_MD5,
    contradictions,
    csv_text,
    draw_arrays,
    draw_chunks,
    draw_patients,
    draw_trial,
    md5,
    published_formula,
    published_trial,
    random_baseline,
)
