"""How each format calls the parameters of one model: what a model's spec says of its files of weights."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from enformer_core.models.weights.keras import KerasOrder
from enformer_core.models.weights.keras_classes import KerasClasses
from enformer_core.models.weights.names import NameTable
from enformer_core.models.weights.tensorflow.sonnet import SonnetTree


class Format(StrEnum):
    """The formats of weights that are read, as messages call them."""

    HUGGING_FACE = "Hugging Face"
    SONNET = "TensorFlow checkpoint (Sonnet)"
    KERAS = "Keras HDF5"


@dataclass(frozen=True)
class WeightsMappings:
    """What a model's parameters are called in each format.

    Attributes:
        names: in `.safetensors` and PyTorch files, of which every model may have some; and in what is written.
        sonnet: in a TensorFlow checkpoint; None where the model has none.
        keras: in a Keras file; None likewise.
    """

    names: NameTable = field(default_factory=NameTable)
    sonnet: SonnetTree | None = None
    keras: KerasOrder | KerasClasses | None = None

    def mark(self, file_format: Format) -> re.Pattern[str] | None:
        """What only this model's names in a format begin with; None where they tell nothing."""
        match file_format:
            case Format.HUGGING_FACE:
                return self.names.mark
            case Format.SONNET:
                return self.sonnet.mark if self.sonnet else None
            case Format.KERAS:
                return self.keras.mark if self.keras else None

    def lacks(self, file_format: Format) -> re.Pattern[str] | None:
        """What none of this model's names in a format begins with, though others of its mark do; None for nothing."""
        match file_format:
            case Format.HUGGING_FACE:
                return self.names.lacks
            case Format.SONNET:
                return None
            case Format.KERAS:
                return self.keras.lacks if self.keras else None
