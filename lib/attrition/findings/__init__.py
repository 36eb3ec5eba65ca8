"""The front page in words: sentences whose wording is chosen by the numbers they state."""

from attrition.findings.wording import (
    USE_WORDS,
    Finding,
    Row,
    by_id,
    claimed_effect,
    effect_words,
    engineering_finding,
    honest_words,
    leak_finding,
    ledger_finding,
    measured_effect,
    models_finding,
    pilot_finding,
    relation,
    split_finding,
    worth_finding,
)

__all__ = [
    "USE_WORDS",
    "Finding",
    "Row",
    "by_id",
    "claimed_effect",
    "effect_words",
    "engineering_finding",
    "honest_words",
    "leak_finding",
    "ledger_finding",
    "measured_effect",
    "models_finding",
    "pilot_finding",
    "relation",
    "split_finding",
    "worth_finding",
]
