"""Saturation mutagenesis of one region, as arrays: every other base at every base.

The alleles are those of `enformer-ray score --mutagenesis`. Does not know models: `Scorer.mutagenesis` has them scored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float32

from enformer_core.api.arguments import selector
from enformer_core.api.frames import in_pandas, track_line
from enformer_core.models.tracks.table import Tracks
from enformer_core.scoring.statistics import Statistic
from enformer_core.scoring.windows import Allele
from enformer_core.words import counted

BASES = "ACGT"

_SHOWN_CHANGES = 5


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Mutations:
    """What every change of single bases does.

    Attributes:
        contig: the genome's name of it.
        start: first base that is changed, 0-based.
        letters: of the genome, from there on.
        tracks: of the last axis, in their order.
        statistics: for each a number per base, new base in the order A, C, G, T, and track: alt − ref. 0 for the
            genome's own base, which changes nothing; nan where the genome has N.
        notice: what a demonstration model says of all its outputs, else None.
    """

    contig: str
    start: int
    letters: str
    tracks: Tracks
    statistics: Mapping[Statistic, Float32[np.ndarray, "bases 4 tracks"]]
    notice: str | None = None

    @property
    def end(self) -> int:
        """0-based position of the base behind the last: bases [start, end) are changed."""
        return self.start + len(self.letters)

    def to_polars(self) -> pl.DataFrame:
        """A row for each change: `variant_id`, `pos` from 1, `ref`, `alt`; of each statistic a list over tracks."""
        alleles = changes(self.contig, self.start, self.letters)
        at, base = _places(alleles, self.start)
        # from 1, as in VCF and in the tables of a run
        names = [f"{each.contig}:{each.start + 1}:{each.ref}:{each.alt}" for each in alleles]
        columns: dict[str, Any] = {
            "variant_id": names,
            "pos": [each.start + 1 for each in alleles],
            "ref": [each.ref for each in alleles],
            "alt": [each.alt for each in alleles],
        }
        for name, values in self.statistics.items():
            of_changes = values[at, base].tolist()
            columns[name] = pl.Series(of_changes, dtype=pl.List(pl.Float32))
        return pl.DataFrame(columns)

    def to_pandas(self) -> Any:
        """The table of `to_polars` as a pandas.DataFrame.

        Raises:
            InputError: where pandas is not installed.
        """
        return in_pandas(self.to_polars())

    def plot(
        self,
        *,
        track: str | int | None = None,
        statistic: str | None = None,
    ) -> Any:
        """What every change does in one track, as a chart of Altair, which notebooks show.

        Args:
            track: as `Scorer` takes tracks; by default the one that changes most.
            statistic: which; by default the first.

        Raises:
            InputError: for several tracks or none, and a statistic that was not computed.
        """
        # Altair takes most of a second, which only pictures need
        from enformer_core.api.plots import mutations_picture  # noqa: PLC0415
        from enformer_core.pictures.notebook import notebook_chart  # noqa: PLC0415

        picture = mutations_picture(self, track=selector(track), statistic=statistic)
        return notebook_chart(picture)

    def __repr__(self) -> str:
        name, values = next(iter(self.statistics.items()))
        sizes = np.nan_to_num(np.abs(values))
        # of equal sizes the first base, the first letter and the smaller track
        order = np.argsort(-sizes, axis=None, kind="stable")
        strongest = order[:_SHOWN_CHANGES]
        lines = [
            f"Mutations of {self.contig}, bases {self.start:,} to {self.end:,} from 0: "
            f"{counted(len(self.letters), 'bases')} × 4 × {counted(len(self.tracks), 'tracks')}",
            f"{name:>12}  change, track",
        ]
        for flat in strongest.tolist():
            at, base, track = np.unravel_index(flat, values.shape)
            pos = self.start + at + 1
            change = f"{pos:,} {self.letters[at]}>{BASES[base]}"
            shown = track_line(self.tracks.rows[track])
            lines.append(f"{values[at, base, track]:>12.5g}  {change}, {shown}")
        if self.notice is not None:
            lines.append(self.notice)
        return "\n".join(lines)


def changes(contig: str, start: int, letters: str) -> list[Allele]:
    """Every other base at every base that is known, base by base.

    Args:
        contig: the genome's name of it.
        start: where the letters begin, 0-based.
        letters: of the genome, in upper case.
    """
    return [
        Allele(contig, start + at, ref, alt)
        for at, ref in enumerate(letters)
        if ref in BASES
        for alt in BASES
        if alt != ref
    ]


def laid_out(
    letters: str,
    start: int,
    alleles: Sequence[Allele],
    scores: Sequence[Mapping[Statistic, Float32[np.ndarray, " tracks"]]],
) -> dict[Statistic, Float32[np.ndarray, "bases 4 tracks"]]:
    """Scores of `changes` as arrays.

    Args:
        letters: of the genome.
        start: where they begin.
        alleles: all changes of them.
        scores: of each.
    """
    at, base = _places(alleles, start)
    known = np.array([letter in BASES for letter in letters])
    arrays = {}
    for name in scores[0]:
        values = np.stack([each[name] for each in scores])
        # what is not filled below is the genome's own base, or N
        array = np.zeros((len(letters), len(BASES), values.shape[1]), dtype=np.float32)
        array[~known] = np.nan
        array[at, base] = values
        arrays[name] = array
    return arrays


def _places(alleles: Sequence[Allele], start: int) -> tuple[list[int], list[int]]:
    """Base and letter of each change, on the first two axes: of A>G at the second base 1 and 2."""
    at = [allele.start - start for allele in alleles]
    base = [BASES.index(allele.alt) for allele in alleles]
    return at, base
