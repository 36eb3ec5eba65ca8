"""Chapter 08: every turn of its sentences."""

from tests.words import turns

CHAMPION = {
    **{"label": "Logistic regression", "metric": "Brier score", "value": 0.2104, "behind": 0.0, "margin": 0.002},
    **{"second": "XGBoost", "lead": 0.041},
}
CASES = {
    "champion_chosen": [
        (
            CHAMPION,
            "Logistic regression is the champion: its Brier score of 0.210 is the best, 0.041 better than that of "
            "XGBoost.",
        ),
        (
            CHAMPION | {"behind": 0.0012},
            "Logistic regression is the champion: its Brier score of 0.210 is 0.0012 from the best, within the margin "
            "of 0.002 for which the simpler model is kept.",
        ),
        (
            CHAMPION | {"second": None},
            "Logistic regression is the champion as the only candidate (Brier score 0.210).",
        ),
    ],
}
test_words = turns.over(CASES)
