"""From a trained run and someone's own clip to a verdict."""

from msadg.serving.predictor import Predictor
from msadg.serving.verdict import Verdict

__all__ = ["Predictor", "Verdict"]
