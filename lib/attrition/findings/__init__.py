"""The front page in words: sentences whose wording is chosen by the numbers they state."""

from attrition.findings.wording import (
    effect_words,
    engineering_finding,
    leak_finding,
    ledger_finding,
    models_finding,
    pilot_finding,
    split_finding,
)
