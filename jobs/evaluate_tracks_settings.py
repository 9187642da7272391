"""The settings of `enformer-ray evaluate tracks`; what reads files is not loaded for them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from enformer_core.scoring.conventions import Strands
from jobs.gene_settings import GeneSettings
from jobs.model_settings import MODELS_HELP
from jobs.option_types import (
    File,
    ModelName,
    OptionalDirectory,
    OptionalFile,
    OptionalWrittenFile,
    OptionalWrittenStream,
    Place,
    Selection,
    Words,
    listed_under,
)
from jobs.settings import Device

_MEASURED = Group.create_ordered("Measured tracks")
_PREDICTED = Group.create_ordered("Predictions")
_GENES = Group.create_ordered("Genes")
_ANSWER = Group.create_ordered("Intervals and output")


@dataclass(frozen=True)
@listed_under(_MEASURED)
class _MeasuredFiles:
    """The positional argument; a base of its own, since positional fields come before all others."""

    measured: File
    """directory of a published set (with statistics.json and tfrecords), or a table of bigWigs: columns track, path"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_MEASURED)
class _MeasuredSettings:
    """What of the measurements is judged."""

    split: str = "test"
    """which sequences of a published set: test, valid, train, fold3, as its sequences.bed calls them"""

    gaps: Literal["missing", "zero"] = "missing"
    """what a base is that a bigWig has no value of: missing, left out of its bin's mean and counted; or zero"""

    regions: Place = None
    """where to predict and judge, beside bigWigs: BED file, chr20, or chr20:1-5000000 (default the whole genome)"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_PREDICTED)
class _PredictedSettings:
    """What predicts: a model now, or a run of `tiles` before."""

    run: OptionalDirectory = None
    """directory or s3://bucket/prefix of a run of `tiles`, beside bigWigs; else a model predicts"""

    model: Annotated[ModelName | None, Parameter(help=MODELS_HELP)] = None

    weights: OptionalFile = None
    """weights of the model: .safetensors, .bin, TensorFlow checkpoint, Keras .h5 or hf://owner/name"""

    params: OptionalFile = None
    """sizes of a model of Borzoi's family: the params.json that it was trained by (default Borzoi's published ones)"""

    head: str = "human"
    """output head of the model: human or mouse"""

    tracks: Selection = None
    """tracks of a published set that are judged: 4828, 10-20, assay=CAGE (default all)"""

    targets: OptionalFile = None
    """published table of the head's tracks, for names, assays and pairs of strands"""

    genome: OptionalFile = None
    """reference genome: to predict beside bigWigs, or windows longer than a set's sequences; else the run's"""

    strands: Strands = "forward"
    """the forward strand alone, as Basenji's and Borzoi's own programs judge; or the mean of both"""

    device: Device = "auto"
    """where the model runs; auto takes a GPU where there is one"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_GENES)
class _GenesToo(GeneSettings):
    """Genes, over whose bins tracks are summed and judged too."""

    genes: OptionalFile = None
    """GTF, GFF3 or BED of genes: sums over their bins are judged too, across genes and across tracks"""

    gene_types: Words = ()
    """only genes of these types, as protein_coding"""

    gene_list: OptionalFile = None
    """only genes that this file names, one a line, by identifier or name"""

    tss_bins: int | None = None
    """bins that are summed around each TSS of a gene (default 3)"""

    exon_tracks: Selection = None
    """tracks that are summed over the bins of a gene's exons instead, chosen as by --tracks"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_ANSWER)
class _AnswerSettings:
    """What is drawn anew, and what is written."""

    bootstrap: int = 1_000
    """how many draws of regions the 95 % intervals are of; 0 for none"""

    seed: int = 0
    """which draws they are: the same seed draws the same"""

    json: bool = False
    """print one JSON object instead of text"""

    output: OptionalWrittenStream = None
    """write the answer to this file, which appears when it is whole; - for standard output"""

    parquet: OptionalWrittenFile = None
    """write a row for each track to this Parquet file"""


@dataclass(frozen=True, kw_only=True)
class EvaluateTracksSettings(
    _AnswerSettings, _GenesToo, _PredictedSettings, _MeasuredSettings, _MeasuredFiles
):
    """What `enformer-ray evaluate tracks` is asked for."""
