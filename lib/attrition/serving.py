"""The scorer as an MLflow model, loaded from this very code instead of a pickle; served by ``mlflow models serve``."""

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from attrition.score import INPUT, Scorer
from attrition.strict import ContractError


class ScoringModel(PythonModel):
    """Runs the contract on each request; a request with a bad row is refused as a whole, without any value."""

    def load_context(self, context) -> None:
        """Load the scorer that was logged with the model."""
        self.scorer = Scorer.load(context.artifacts["scorer"])

    def predict(self, context, model_input: pd.DataFrame, params: dict | None = None) -> pd.DataFrame:
        """Score patients given as text.

        Raises
        ------
        mlflow.exceptions.MlflowException
            With the rows (counted from 1), columns and rules that are broken.
        """
        text = model_input[[c.name for c in INPUT.columns]].astype("str")
        text = text.mask(text.isin(["", "None", "nan"]) & model_input.isna()).set_axis(range(2, len(text) + 2))
        try:
            scored = self.scorer.check_and_score(text)
        except ContractError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None
        refused = scored[scored["refused"] != ""]
        if len(refused):
            told = "; ".join(f"row {line - 1}: {why}" for line, why in refused["refused"].items())
            raise MlflowException(f"refused: {told}", error_code=INVALID_PARAMETER_VALUE)
        return scored.drop(columns="refused")


set_model(ScoringModel())
