"""Scores as Ensembl VEP's plugin Enformer reads them: one ALT a record, and in INFO `SAD=…;SAR=…`, a value a track.

The plugin takes what stands behind the letters `SAD`, and the field after that for SAR, whatever it is called: both
must stand in this order and before all else, but for principal components, which it gives out as the text before SAD.
Source: Ensembl/VEP_plugins, Enformer.pm. SAR of the published files is the sum over bins of log2(1 + alt) −
log2(1 + ref), here `log_sad`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import (
    ChosenTracks,
    check_scores,
    few_or_chosen,
    scored_once,
    track_name,
)
from enformer_core.errors import InputError
from enformer_core.export.beside_fields import component_fields
from enformer_core.export.run_input import contig_lengths
from enformer_core.export.sites import write_sites
from enformer_core.export.text_file import is_packed
from enformer_core.export.vcf_fields import SOURCE, InfoField, Texts
from enformer_core.export.vcf_file import unheard
from enformer_core.export.vcf_text import in_quotes
from enformer_core.export.whole_file import STDOUT

_STATISTICS = {"SAD": "sad", "SAR": "log_sad"}


@dataclass(frozen=True)
class _TrackValues:
    """The values of all chosen tracks, in the order of their numbers.

    Attributes:
        chosen: which tracks.
    """

    chosen: ChosenTracks

    @property
    def fields(self) -> Sequence[InfoField]:
        """SAD and SAR; a value for each track, which `Number` cannot say."""
        order = f"one value for each of {len(self.chosen):,} tracks, in the order of the lines ##{SOURCE}-track"
        return (
            InfoField("SAD", "Float", f"Sum over bins of alt - ref: {order}", number="."),
            InfoField(
                "SAR",
                "Float",
                f"Sum over bins of log2(1 + alt) - log2(1 + ref): {order}",
                number=".",
            ),
        )

    def texts(self, scores: pa.Table) -> Mapping[str, Texts]:
        """All values of each row, which all have some."""
        return {key: self._joined(scores[name]) for key, name in _STATISTICS.items()}

    def _joined(self, lists: pa.ChunkedArray) -> Sequence[str]:
        in_text = self.chosen.values(lists).astype(str).tolist()
        return [",".join(of_row) for of_row in in_text]


def export_vep(
    ledger: Ledger,
    path: Path,
    *,
    genome: str | None = None,
    tracks: str | None = None,
    warn: Callable[[str], object] = unheard,
) -> int:
    """Write a record for each allele that is scored, once, sorted as the genome is.

    Args:
        ledger: of a run that scored variants with `sad` and `log_sad`.
        path: of the file, packed: the plugin asks its index.
        genome: as `export_vcf` has it.
        tracks: a selector of the tracks that are written; all of a run that has few by default.
        warn: told what a user should know though it stops nothing.

    Returns:
        How many alleles there are.

    Raises:
        InputError: for a run without these statistics, or of many tracks of which none are chosen, or a file that is
            not packed or cannot be written.
        DatasetError: for an object that is missing or damaged.
    """
    statistics = check_scores(ledger)
    missing = [name for name in _STATISTICS.values() if name not in statistics]
    if missing:
        raise InputError(
            f"{ledger.store.location}: has no {' and no '.join(missing)}, which the plugin reads as SAD and SAR; score "
            "with --statistics sad,log_sad"
        )
    if path != STDOUT and not is_packed(path):
        raise InputError(
            f"{path}: the plugin reads a packed file with an index; give a name that ends in .vcf.gz"
        )
    chosen = few_or_chosen(ledger, tracks, "as many values of SAD and of SAR for each allele")
    named = [
        f"##{SOURCE}-track=<ID={track.index},Name={in_quotes(track_name(track))}>"
        for track in chosen.tracks.rows
    ]
    return write_sites(
        ledger,
        path,
        # the plugin gives out what stands before SAD as the text of components
        [*component_fields(ledger, ""), _TrackValues(chosen)],
        contig_lengths(ledger, genome),
        warn,
        wanted=scored_once,
        further=named,
    )


def vep_caution(ledger: Ledger) -> str:
    """What the plugin does with a record of several ALTs, whatever file it reads."""
    del ledger
    return "VEP's plugin gives every ALT of a record the values of one: split records before, bcftools norm -m-any"
