"""What a trial's table must hold, checked before anything else sees it."""

from attrition.contract.schema import BASELINE, COUNT, RULES, TRIAL, Contract, dictionary, examine, read_trial, validate
from attrition.contract.strict import ContractError, parse, read_strict
