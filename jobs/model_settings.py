"""What predicts, as commands ask for it: a model, its weights, its head and their tracks; and what imports weights."""

from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter

from enformer_core.errors import InputError
from enformer_core.models import BUILTIN_MODELS
from jobs.help_headings import MODEL
from jobs.option_types import (
    File,
    ModelName,
    OptionalFile,
    Selection,
    WrittenFile,
    listed_under,
)

MODELS_HELP = ", ".join(f"{name} ({summary})" for name, summary in BUILTIN_MODELS.items())
REPLICATES_HELP = (
    "weights of the model: .safetensors, .bin, TensorFlow checkpoint, Keras .h5 or hf://owner/name; of several "
    "replicates a.h5,b.h5 the mean is scored, with its spread (enformer-ray docs weights)"
)


@dataclass(frozen=True, kw_only=True)
@listed_under(MODEL)
class _NamedModel:
    """Which model predicts; a base of its own, whose field comes before those of its files."""

    model: Annotated[ModelName, Parameter(help=MODELS_HELP)]


@dataclass(frozen=True, kw_only=True)
@listed_under(MODEL)
class _MaybeNamedModel:
    """Which model is asked, where one is."""

    model: Annotated[ModelName | None, Parameter(help=MODELS_HELP)] = None


@dataclass(frozen=True, kw_only=True)
@listed_under(MODEL)
class _ModelFiles:
    """A model's weights and sizes, and which of its tracks."""

    weights: OptionalFile = None
    """weights of the model: .safetensors, .bin, TensorFlow checkpoint, Keras .h5 or hf://owner/name"""

    params: OptionalFile = None
    """sizes of a model of Borzoi's family: the params.json that it was trained by (default Borzoi's published ones)"""

    head: str = "human"
    """output head of the model: human or mouse"""

    tracks: Selection = None
    """tracks to compute: 4828, 10-20, assay=CAGE, or text in the description (default all)"""

    targets: OptionalFile = None
    """published table of the head's tracks, for names and selection"""


# A dataclass takes the fields of its last base first: so the name precedes all others.
@dataclass(frozen=True, kw_only=True)
class ModelSettings(_ModelFiles, _NamedModel):
    """What predicts, and which of its tracks."""


@dataclass(frozen=True, kw_only=True)
class MaybeModelSettings(_ModelFiles, _MaybeNamedModel):
    """What predicts, where a model is asked."""


# Without `kw_only` for the class: its first two fields are positional.
@dataclass(frozen=True)
class ImportSettings:
    """What `enformer-ray weights import` is asked for."""

    source: File
    """published weights, in any form that --weights takes (enformer-ray docs weights)"""

    out: WrittenFile
    """the .safetensors file to write; its directory must be there"""

    model: ModelName | None = field(default=None, kw_only=True)
    """which model they are for (default: told by the content)"""

    params: OptionalFile = field(default=None, kw_only=True)
    """sizes of a model of Borzoi's family, as for `score`"""

    list_tensors: Annotated[bool, Parameter(name="--list")] = field(default=False, kw_only=True)
    """name every tensor before the summary, theirs -> ours"""

    json: bool = field(default=False, kw_only=True)
    """print JSON instead of text, with every tensor named"""

    def __post_init__(self) -> None:
        if self.list_tensors and self.json:
            raise InputError("--list and --json: choose one; the JSON names every tensor too")
