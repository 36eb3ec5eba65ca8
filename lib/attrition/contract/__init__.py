"""What a trial's table must hold, checked before anything else sees it."""

from attrition.contract.schema import (
    BASELINE,
    COUNT,
    MOST_DIGITS,
    NOT_A_COUNT,
    RULES,
    TRIAL,
    Column,
    Contract,
    Reading,
    dictionary,
    examine,
    read_trial,
    validate,
)
from attrition.contract.strict import (
    ContractError,
    Problem,
    parse,
    read_strict,
)

__all__ = [
    "BASELINE",
    "COUNT",
    "MOST_DIGITS",
    "NOT_A_COUNT",
    "RULES",
    "TRIAL",
    "Column",
    "Contract",
    "ContractError",
    "Problem",
    "Reading",
    "dictionary",
    "examine",
    "parse",
    "read_strict",
    "read_trial",
    "validate",
]
