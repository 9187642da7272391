"""What is known of the demonstration `motif` without building it: words, sizes, tracks; `motif` makes the weights."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from enformer_core.models.enformer_spec import EnformerConfig, enformer_network
from enformer_core.models.spec import Demonstration, ModelSpec, Operations
from enformer_core.models.tracks.table import Tracks, described_track
from enformer_core.models.weights.huggingface import ENFORMER_NAMES
from enformer_core.models.weights.mappings import WeightsMappings

if TYPE_CHECKING:
    from enformer_core.models.enformer import Enformer

IUPAC = {
    "A": "A",
    "C": "C",
    "G": "G",
    "T": "T",
    "R": "AG",
    "Y": "CT",
    "S": "CG",
    "W": "AT",
    "K": "GT",
    "M": "AC",
}
"""The letters that a letter of a consensus stands for."""
_COMPLEMENT = str.maketrans("ACGTRYSWKM", "TGCAYRSWMK")


@dataclass(frozen=True)
class Motif:
    """A transcription factor and its consensus in IUPAC letters, 15 at most."""

    name: str
    consensus: str

    @property
    def reverse_complement(self) -> str:
        """The consensus as it reads on the other strand."""
        return self.consensus.translate(_COMPLEMENT)[::-1]

    @property
    def palindromic(self) -> bool:
        """Whether every site is a site on both strands; such a site still counts once."""
        return self.consensus == self.reverse_complement


MOTIFS = (
    Motif("CTCF", "CCASYAGRKGGC"),
    Motif("GATA1", "AGATAAGR"),
    Motif("AP-1", "RTGASTCAY"),
    Motif("SPI1", "AGAGGAAGT"),
    Motif("CEBP", "RTTGCGCAAY"),
    Motif("HNF4A", "CAAAGTCCA"),
)


@dataclass(frozen=True)
class Expression:
    """A track that gathers sites: of which motifs, and the exponent α by which contact falls with distance."""

    name: str
    motifs: tuple[str, ...]
    decay: float


EXPRESSIONS = (
    Expression("blood", ("GATA1", "AP-1", "SPI1"), 1.0),
    Expression("liver", ("CEBP", "HNF4A"), 0.75),
)

NOTICE = (
    "DEMONSTRATION MODEL: weights set by hand from textbook motifs, not trained on data. "
    "Its scores show how this program works and say nothing about gene regulation."
)
"""What every output of the demonstrations says."""

MASKS = 12
"""Central masks of 2^1 − 1 … 2^12 − 1 tokens cover all distances."""

TOKEN_CHANNELS = 12
"""The 6 counts, the constant with both signs, 2 that attention gathers into, 2 empty ones."""

TRACKS = len(MOTIFS) + len(EXPRESSIONS)


def motif_config() -> EnformerConfig:
    """A narrow Enformer over the published window: 13 channels in the stem, 8 in the tower, one layer of two heads."""
    return EnformerConfig(
        stem_channels=2 * len(MOTIFS) + 1,
        tower_channels=(8, 8, 8, 8, 8, TOKEN_CHANNELS),
        layers=1,
        heads=len(EXPRESSIONS),
        key_channels=4,
        positional_features=6 * MASKS,
        output_tracks={"human": TRACKS, "mouse": TRACKS},
    )


def motif_tracks(head: str) -> Tracks:
    """Names of the tracks; both heads have the same."""
    names = [
        (
            f"motif-{motif.name}",
            f"DEMO:{motif.name} motif occupancy (not a trained model)",
        )
        for motif in MOTIFS
    ]
    names += [
        (
            f"expression-{expression.name}",
            f"DEMO:{expression.name} expression, {'+'.join(expression.motifs)} (not a trained model)",
        )
        for expression in EXPRESSIONS
    ]
    rows = tuple(
        described_track(index, identifier, description)
        for index, (identifier, description) in enumerate(names)
    )
    return Tracks(head, TRACKS, rows)


def _model() -> "Enformer":
    from enformer_core.models.motif import motif_model  # noqa: PLC0415 - loads torch

    return motif_model()


SPEC = ModelSpec(
    name="motif",
    config=motif_config(),
    network=enformer_network,
    worker_memory_bytes=1_000_000_000,
    weights=WeightsMappings(names=ENFORMER_NAMES),
    demonstration=Demonstration(
        make=_model,
        tracks=motif_tracks,
        notice=NOTICE,
        weights_sha256="1c3111aae61cc75f831065b00773a9f1fb3fcdc9e4fb2414e216d6581aaa5b1e",
    ),
    operations=Operations(tower=608_452_608, trunk=177_142_656, track=43_008),
)
