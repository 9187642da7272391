"""`motif_core`, a demonstration: the model `motif`, which here looks for the cores of the motifs only.

`motif` knows each factor's site at its full length, and misses the many sites of the genome that differ from it at an
end. This one finds them: GATA1's consensus is WGATAR (Evans et al. 1988; Merika and Orkin 1993), which in `motif` is
AGATAAGR. Sites of so few letters are frequent, in any DNA: one of WGATAR in 512 bp by chance.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from enformer_core.models.motif_spec import MOTIFS, NOTICE, Motif, motif_tracks
from enformer_core.models.motif_spec import SPEC as FULL_LENGTH
from enformer_core.models.spec import Demonstration

if TYPE_CHECKING:
    from enformer_core.models.enformer import Enformer

_CORES = {
    "GATA1": "WGATAR",
    "AP-1": "TGASTCA",
    "SPI1": "GAGGAA",
    "CEBP": "TTGCGCAA",
}
"""Of the factors whose core is shorter than what `motif` reads; the others keep theirs."""

CORE_MOTIFS = tuple(Motif(motif.name, _CORES.get(motif.name, motif.consensus)) for motif in MOTIFS)


def _model() -> "Enformer":
    from enformer_core.models.motif import motif_model  # noqa: PLC0415 - loads torch

    return motif_model(CORE_MOTIFS)


SPEC = replace(
    FULL_LENGTH,
    name="motif_core",
    demonstration=Demonstration(
        make=_model,
        tracks=motif_tracks,
        notice=NOTICE,
        weights_sha256="235079c6a5bc835b8a4253f92c0209a4f8c7f72f7047f71ebea960b13bece86b",
    ),
)
