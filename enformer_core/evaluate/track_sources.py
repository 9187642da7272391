"""Regions with predicted and measured tracks: of a published set, of tiles that a model predicts, of a run of tiles.

Each comes as it is read or predicted; one is in memory at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64, UInt8

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import ChosenTracks
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.evaluate.measured_bigwigs import BigwigTracks
from enformer_core.evaluate.published_set import PublishedSet, SetPlace, SetSequence
from enformer_core.evaluate.track_region import TrackRegion
from enformer_core.genome.alphabet import N_CODE
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry

Columns = tuple[int, ...]

Predict = Callable[[UInt8[np.ndarray, " window"]], Float32[np.ndarray, "bins tracks"]]

_LEAST_ALIKE = 0.99
"""Part of a sequence's known bases that the genome must have too: other assemblies agree in a quarter."""

PREDICTIONS = "predictions"


def regions_of_set(
    published: PublishedSet,
    geometry: Geometry,
    predict: Predict,
    columns: Columns,
    genome: Genome | None = None,
) -> Iterator[TrackRegion]:
    """Predict each sequence of a split.

    The middles of the model's bins and of the set's are the same base; of both the bins that both have are judged.

    Args:
        published: the set.
        geometry: of the model.
        predict: all bins of a window, of the tracks in `columns`.
        columns: of the set's targets.
        genome: from which windows are read that are longer than the set's sequences; None reads the set's.

    Raises:
        InputError: for sizes that do not fit, and a genome that has other letters.
    """
    check_fit(published, geometry, has_genome=genome is not None)
    places = list(columns)
    bins = min(published.bins, geometry.bins)
    own = _middle_of(published.bins, bins)
    theirs = _middle_of(geometry.bins, bins)
    every = np.arange(bins)
    for sequence in published.sequences():
        place = sequence.place
        contig = place.contig if genome is None else _contig_of(place, genome)
        if genome is None:
            codes = _middle_codes(sequence.codes, geometry.window_bp)
        else:
            codes = _genome_codes(sequence, contig, genome, geometry, published)
        yield TrackRegion(
            contig=contig,
            start=place.start + own.start * published.bin_bp,
            bin_bp=published.bin_bp,
            size=bins,
            bins=every,
            predicted=predict(codes)[theirs],
            measured=sequence.targets[own][:, places],
        )


def check_fit(published: PublishedSet, geometry: Geometry, *, has_genome: bool) -> None:
    """Refuse a model that predicts other bins than the set has, before anything is computed.

    Raises:
        InputError: naming both sizes.
    """
    if published.bin_bp != geometry.bin_bp:
        raise InputError(
            f"{published.folder}: has bins of {published.bin_bp} bp, the model predicts bins of {geometry.bin_bp}"
        )
    if (published.bins - geometry.bins) % 2:
        raise InputError(
            f"{published.folder}: has {published.bins:,} bins, the model predicts {geometry.bins:,}: their middles are "
            "half a bin apart"
        )
    if published.sequence_bp < geometry.window_bp and not has_genome:
        raise InputError(
            f"{published.folder}: has sequences of {published.sequence_bp:,} bp, the model reads "
            f"{geometry.window_bp:,}. Give the genome too, by --genome."
        )


def _middle_of(bins: int, taken: int) -> slice:
    first = (bins - taken) // 2
    return slice(first, first + taken)


def _middle_codes(
    codes: UInt8[np.ndarray, " bases"], window_bp: int
) -> UInt8[np.ndarray, " window"]:
    return codes[_middle_of(codes.size, window_bp)]


def _contig_of(place: SetPlace, genome: Genome) -> str:
    found = reconcile_contigs([place.contig], dict(genome.contigs)).get(place.contig)
    if found is None:
        raise InputError(f"{genome.called}: has no contig {place.contig}, which the set has")
    return found


def _genome_codes(
    sequence: SetSequence,
    contig: str,
    genome: Genome,
    geometry: Geometry,
    published: PublishedSet,
) -> UInt8[np.ndarray, " window"]:
    """The model's window of the genome, whose middle is that of the targets; the set's letters must be there."""
    middle = (sequence.place.start + sequence.place.end) // 2
    beside_bp = published.sequence_bp // 2
    letters = genome.fetch(contig, middle - beside_bp, middle - beside_bp + published.sequence_bp)
    is_known = (letters != N_CODE) & (sequence.codes != N_CODE)
    alike = int((letters == sequence.codes)[is_known].sum())
    if alike < _LEAST_ALIKE * is_known.sum():
        where = f"{contig}:{sequence.place.start}-{sequence.place.end}"
        raise InputError(
            f"{genome.called}: of the {int(is_known.sum()):,} known bases at {where} it has {alike:,} as "
            f"{published.folder} has them. Give the assembly that the set was made of."
        )
    start = middle - geometry.window_bp // 2
    return genome.fetch(contig, start, start + geometry.window_bp)


def regions_of_tiles(
    tiles: Iterable[Mapping[str, Any]],
    genome: Genome,
    geometry: Geometry,
    predict: Predict,
    measured: BigwigTracks,
) -> Iterator[TrackRegion]:
    """Predict tiles of the genome.

    Args:
        tiles: rows of a plan of tiles, those without a known base left out.
        genome: that they lie on.
        geometry: of the model.
        predict: all bins of a window.
        measured: the same tracks.
    """
    for tile in tiles:
        runs = zip(tile["first_bins"], tile["end_bins"], strict=True)
        bins = np.concatenate([np.arange(first, end) for first, end in runs])
        window_start = tile["start"] - geometry.crop_bp
        codes = genome.fetch(tile["chrom"], window_start, window_start + geometry.window_bp)
        predicted = predict(codes)[bins]
        place = _Tile(tile["chrom"], tile["start"], tile["end"], geometry)
        yield place.region(bins, predicted, measured)


def regions_of_run(
    ledger: Ledger,
    chosen: ChosenTracks,
    geometry: Geometry,
    lengths: Mapping[str, int],
    measured: BigwigTracks,
) -> Iterator[TrackRegion]:
    """The predicted bins of a run, tile by tile; those that failed are left out.

    Args:
        ledger: of a run over tiles.
        chosen: its tracks that were measured.
        geometry: of its model.
        lengths: of the genome's contigs.
        measured: the same tracks.
    """
    for contig, stored in stored_tables(ledger, PREDICTIONS):
        rows = stored.filter(pc.is_valid(stored["values"]))
        if contig is None or not rows.num_rows:
            continue
        starts = np.asarray(rows["start"], dtype=np.int64)
        tile = starts // geometry.output_bp
        for number in np.unique(tile):
            of_tile = np.flatnonzero(tile == number)
            start = int(number) * geometry.output_bp
            predicted = chosen.values(rows["values"].take(pa.array(of_tile)))
            bins = (starts[of_tile] - start) // geometry.bin_bp
            place = _Tile(contig, start, lengths[contig], geometry)
            yield place.region(bins, predicted, measured)


@dataclass(frozen=True)
class _Tile:
    """Where bins lie; the last one ends where the contig does.

    Attributes:
        contig: the genome's own name.
        start: first base of bin 0.
        end: no base is predicted from here on.
        geometry: of the model.
    """

    contig: str
    start: int
    end: int
    geometry: Geometry

    def region(
        self,
        bins: Int64[np.ndarray, " bins"],
        predicted: Float32[np.ndarray, "bins tracks"],
        measured: BigwigTracks,
    ) -> TrackRegion:
        """Some of the tile's bins with their measurements."""
        starts = self.start + bins * self.geometry.bin_bp
        ends = np.minimum(starts + self.geometry.bin_bp, self.end)
        return TrackRegion(
            contig=self.contig,
            start=self.start,
            bin_bp=self.geometry.bin_bp,
            size=self.geometry.bins,
            bins=bins,
            predicted=predicted,
            measured=measured.means(self.contig, starts, ends),
        )
