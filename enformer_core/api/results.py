"""What a `Scorer` gives back: the effect of a variant, the prediction of a region or a sequence.

Values are NumPy arrays of predicted counts per bin, one row for each bin and one column for each track, averaged over
strands and shifts. Positions are 0-based and half-open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from enformer_core.api.arguments import TrackChoice, optional_number, selector
from enformer_core.api.frames import in_pandas, per_bin, per_track, track_line
from enformer_core.dataset.largest_values import NO_EFFECT
from enformer_core.models.tracks.table import Tracks
from enformer_core.scoring.statistics import Statistic
from enformer_core.scoring.windows import Allele
from enformer_core.words import counted

_SHOWN_TRACKS = 5


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PredictedBins:
    """Where predicted bins lie, and for which tracks.

    Attributes:
        contig: the genome's name of it; None where a bare sequence was predicted.
        start: first base of the first bin, on the contig or in the sequence; negative near a contig's start.
        bin_bp: bases of a bin.
        tracks: of the columns, in their order.
        notice: what a demonstration model says of all its outputs, else None.
        contig_bp: bases of the contig, beyond which the model is given none; None where that is not known.
    """

    contig: str | None
    start: int
    bin_bp: int
    tracks: Tracks
    notice: str | None = None
    contig_bp: int | None = None

    @property
    def bins(self) -> int:
        """How many bins the prediction has, each of `bin_bp` bases."""
        raise NotImplementedError

    @property
    def end(self) -> int:
        """0-based position of the base behind the last bin: bins cover [start, end)."""
        return self.start + self.bins * self.bin_bp

    @property
    def bin_starts(self) -> Int64[np.ndarray, " bins"]:
        """0-based position of the first base of each bin."""
        return self.start + self.bin_bp * np.arange(self.bins)

    def _text(
        self,
        heading: str,
        name: str,
        values: Float32[np.ndarray, " tracks"],
    ) -> str:
        """What and where it is, and the tracks whose values are largest in size."""
        # what rounding may have left beside the largest is nothing, as in `effects`
        shown = np.where(np.abs(values) < NO_EFFECT * np.abs(values).max(), 0, values)
        # of equal sizes the smaller track first
        order = np.argsort(-np.abs(shown), kind="stable")
        strongest = order[:_SHOWN_TRACKS]
        more = len(values) - len(strongest)
        place = f"{self.contig or 'sequence'}, bases {self.start:,} to {self.end:,} from 0"
        lines = [
            heading,
            f"{place}: {counted(self.bins, 'bins')} of {self.bin_bp} bp × {counted(len(self.tracks), 'tracks')}",
            f"{name:>12}  track",
            *(f"{shown[at]:>12.5g}  {track_line(self.tracks.rows[at])}" for at in strongest),
        ]
        if more:
            lines.append(f"{'':>12}  … and {more:,} more")
        # last, where it is seen in a notebook
        if self.notice is not None:
            lines.append(self.notice)
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class VariantEffect(PredictedBins):
    """What a model predicts of one allele.

    The bins are those that statistics read: all of the window, unless `central_bins` or `centre_mask_bp` chose.

    Attributes:
        given: the variant as it was named.
        allele: as it was scored: on the genome's own contig, trimmed and left-aligned, `start` 0-based.
        ref: prediction with the reference allele, in counts per bin.
        difference: alt − ref, as the engine carries it: more exact than the difference of two rounded predictions.
        statistics: one number per track for each statistic: what `enformer-ray score` stores, before mantissas are cut.
    """

    given: str
    allele: Allele
    ref: Float32[np.ndarray, "bins tracks"]
    difference: Float32[np.ndarray, "bins tracks"]
    statistics: Mapping[Statistic, Float32[np.ndarray, " tracks"]]

    @property
    def bins(self) -> int:
        """How many bins both predictions have: the first axis of `ref`."""
        return len(self.ref)

    @cached_property
    def alt(self) -> Float32[np.ndarray, "bins tracks"]:
        """Prediction with the alternate allele, in counts per bin: `ref` + `difference`."""
        return self.ref + self.difference

    @property
    def variant_id(self) -> str:
        """chrom:pos:ref:alt as it was scored, pos from 1; the key of `enformer-ray score`."""
        allele = self.allele
        return f"{allele.contig}:{allele.start + 1}:{allele.ref}:{allele.alt}"

    def to_polars(self) -> pl.DataFrame:
        """A row for each track: `variant_id`, `track` (column of the head), its names, and each statistic."""
        frame = per_track(self.tracks, self.statistics)
        return frame.select(pl.lit(self.variant_id).alias("variant_id"), pl.all())

    def to_pandas(self) -> Any:
        """The table of `to_polars` as a pandas.DataFrame.

        Raises:
            InputError: where pandas is not installed.
        """
        return in_pandas(self.to_polars())

    def plot(
        self,
        *,
        tracks: TrackChoice = None,
        flank_bp: int | None = None,
    ) -> Any:
        """Both alleles' predictions along the genome and their difference, as a chart of Altair, which notebooks show.

        Args:
            tracks: at most six, as `Scorer` takes them; by default the three that change most.
            flank_bp: how far to either side of the variant; by default all bins.

        Raises:
            InputError: for more tracks, none of the effect's, and a flank without a bin.
        """
        # Altair takes most of a second, which only pictures need
        from enformer_core.api.plots import effect_picture  # noqa: PLC0415
        from enformer_core.pictures.notebook import notebook_chart  # noqa: PLC0415

        flank = optional_number("flank_bp", flank_bp)
        return notebook_chart(effect_picture(self, tracks=selector(tracks), flank_bp=flank))

    def __repr__(self) -> str:
        name, values = next(iter(self.statistics.items()))
        return self._text(f"VariantEffect {self.variant_id}", name, values)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Prediction(PredictedBins):
    """What a model predicts of one window.

    Attributes:
        values: in counts per bin.
    """

    values: Float32[np.ndarray, "bins tracks"]

    @property
    def bins(self) -> int:
        """How many bins the prediction has: the first axis of `values`."""
        return len(self.values)

    def to_polars(self) -> pl.DataFrame:
        """A row for each bin: `chrom`, `start`, `end` (as in BED), and a column for each track.

        The latter are named by the tracks' identifiers; by their columns of the head, where one is missing or repeats.
        """
        return per_bin(self.contig, self.start, self.bin_bp, self.tracks, self.values)

    def to_pandas(self) -> Any:
        """The table of `to_polars` as a pandas.DataFrame.

        Raises:
            InputError: where pandas is not installed.
        """
        return in_pandas(self.to_polars())

    def plot(self, *, tracks: TrackChoice = None) -> Any:
        """The prediction along the genome, a row for each track, as a chart of Altair, which notebooks show.

        Args:
            tracks: at most six, as `Scorer` takes them; by default the three with the largest means.

        Raises:
            InputError: for more tracks, and none of the prediction's.
        """
        from enformer_core.api.plots import prediction_picture  # noqa: PLC0415 - as above
        from enformer_core.pictures.notebook import notebook_chart  # noqa: PLC0415

        return notebook_chart(prediction_picture(self, tracks=selector(tracks)))

    def __repr__(self) -> str:
        return self._text("Prediction", "mean", self.values.mean(axis=0))
