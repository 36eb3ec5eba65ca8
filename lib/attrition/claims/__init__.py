"""The claim ledger: every published figure, the rule that settles it, a measurement and a verdict."""

from attrition.claims.ledger import (
    count_verdicts,
    evaluate,
    evaluate_one,
    look_up,
    read_chapters,
    reader,
    references,
    verdict_of,
    write,
)
from attrition.claims.schema import PREVALENCES, LedgerError, load, section
