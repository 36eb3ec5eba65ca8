"""The scorer as an MLflow model, loaded from this very code instead of a pickle; served by ``mlflow models serve``."""

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from attrition.score import PRESETS, Scorer, as_text
from notebook_report import errors


class RefusedRequest(MlflowException):
    """A request that the contract refuses; answered with status 400.

    The scoring server puts the patients it was sent in front of an exception's message. This message stays as it is.
    """

    def __init__(self, told: str):
        self._told = told
        super().__init__(told, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        """Rows, columns and rules that are broken, without any value."""
        return self._told

    @message.setter
    def message(self, _: str) -> None:
        """Leave the message alone."""


class ScoringModel(PythonModel):
    """Runs the contract on each request; a request with a bad row is refused as a whole, without any value."""

    def load_context(self, context) -> None:
        """Load the scorer that was logged with the model."""
        self.scorer = Scorer.load(context.artifacts["scorer"])

    def predict(self, context, model_input: pd.DataFrame, params: dict | None = None) -> pd.DataFrame:
        """Score patients.

        Parameters
        ----------
        context : mlflow.pyfunc.PythonModelContext
        model_input : pandas.DataFrame
            One row a patient, text or whole numbers; columns outside the contract are dropped unseen.
        params : dict, optional
            ``threshold``, the probability from which a patient is flagged.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        RefusedRequest
            With the rows (counted from 1), columns and rules that are broken.
        """
        try:
            return self.scorer.answer(as_text(model_input), (params or {}).get("threshold", PRESETS["published"]))
        except errors.Refusal as error:
            raise RefusedRequest(str(error)) from None


set_model(ScoringModel())
