"""What chapter 02 says of the balance of the two groups follows the numbers."""

from tests.words import turns

CASES = {
    turns.inline("02_eda", "ch02-07"): [
        (
            {"unlike": {"names": "age, arm", "smallest": 0.1, "largest": 0.495}},
            "Those who left and those who stayed differ by 0.1 standard deviations or more in age, arm; the largest "
            "SMD is 0.49. An SMD says that groups differ, not that the column could be used: what is counted over the "
            "follow-up is known only when it ends.",
        ),
        (
            {"unlike": {"names": "", "smallest": 0.1, "largest": 0.02}},
            "Those who left and those who stayed differ in nothing by 0.1 or more (largest: 0.02).",
        ),
    ],
}
test_words = turns.over(CASES)
