"""The errors of `lensmodel`, one tree. A message says what was given, what was expected and what to do."""

from data.errors import LensVetError


class ModelError(LensVetError):
    """A model is not known, or its card is not as it should be."""


class UnreadError(ModelError):
    """Some cutouts could not be read; what could be is scored."""


class WeightsError(ModelError):
    """A weight file is damaged, holds more than tensors, or fits no architecture that we know."""


class ExplanationError(LensVetError):
    """A method cannot explain what it was asked to."""


class EvaluationError(LensVetError):
    """A campaign lacks the truth that a model is to be measured against."""


class TrainingError(LensVetError):
    """A network cannot learn from what it was given."""
