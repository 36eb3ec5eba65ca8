"""What each way of leaking would have been worth: the same model and folds, once honest and once not."""

from attrition.leaks.prices import FEATURES, PROCEDURES, price, price_list, wrong_way
