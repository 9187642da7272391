"""Boundaries of a BED file and the controls that are like them, as rows of a plan.

Knows places. Does not know attention.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa

from enformer_core.analyses.insulator_run_type import BOUNDARY, CONTROL, UNMATCHED
from enformer_core.analyses.planned_rows import PlannedPlace
from enformer_core.dataset.schemas import PLACES_SCHEMA
from enformer_core.distinct_names import DistinctNames, placed_names
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import Genes
from enformer_core.genome.regions import PlacedRegion
from enformer_core.insulators.composition import STEP_BP
from enformer_core.insulators.controls import (
    NO_MATCH,
    Matched,
    Matching,
    Positions,
    matched_controls,
)
from enformer_core.models.geometry import Geometry
from enformer_core.variants.table import Status
from enformer_core.words import agreeing

_OnGrid = tuple[str, int]
"""A contig, and a position of the grid."""


@dataclass(frozen=True)
class Boundaries:
    """Boundaries on the genome, each once.

    Attributes:
        names: of those of each contig, no two the same.
        positions: of each contig, in the same order: the middle of each interval.
        repeats: how many were left out, since another lies at the same place.
    """

    names: Mapping[str, list[str]]
    positions: Mapping[str, Positions]
    repeats: int

    @property
    def count(self) -> int:
        """How many there are on all contigs, repeats aside."""
        return sum(map(len, self.names.values()))


def read_boundaries(regions: Sequence[PlacedRegion], geometry: Geometry) -> Boundaries:
    """The middles of intervals; of those on one step of the grid the first.

    Raises:
        InputError: for an interval that is no boundary, but a domain.
    """
    by_place: dict[_OnGrid, str] = {}
    for region in regions:
        place = _middle_of(region, geometry)
        # a region need not have a name, and of two at one place the first gives its own
        by_place.setdefault(place, region.name or "")
    # names are keys of tables, where none may stand twice
    places = [f"{contig}:{position}" for contig, position in by_place]
    given = [name or place for name, place in zip(by_place.values(), places, strict=True)]
    names: dict[str, list[str]] = {}
    positions: dict[str, list[int]] = {}
    for (contig, position), own in zip(by_place, placed_names(given, places), strict=True):
        names.setdefault(contig, []).append(own)
        positions.setdefault(contig, []).append(position)
    arrays = {contig: np.array(found, dtype=np.int64) for contig, found in positions.items()}
    repeats = len(regions) - len(by_place)
    return Boundaries(names, arrays, repeats)


def _middle_of(region: PlacedRegion, geometry: Geometry) -> _OnGrid:
    """A boundary's contig, and the position of the grid that its middle is nearest to.

    Raises:
        InputError: for an interval that is too long to be one.
    """
    length_bp = region.end - region.start
    most_bp = geometry.window_bp // 2
    if length_bp > most_bp:
        raise InputError(
            f"{region.where}: {length_bp:,} bp from {region.start:,} to {region.end:,}; a boundary has at most "
            f"{most_bp:,} bp. Are these domains? Give the places between them."
        )
    middle = (region.start + region.end) // 2
    # composition is known at every step: boundaries and controls lie on one grid, so that they compare
    step = (middle + STEP_BP // 2) // STEP_BP
    return region.contig, step * STEP_BP


def planned_places(
    boundaries: Boundaries,
    genome: Genome,
    genes: Genes | None,
    matching: Matching,
    layers: int,
) -> pa.Table:
    """Boundaries and controls in the order of the genome.

    Args:
        boundaries: on the genome.
        genome: where controls are drawn.
        genes: to whose TSSs distances are alike; None where these do not count.
        matching: how alike they are, and how many.
        layers: of the model that attend.

    Raises:
        InputError: where no boundary has a control.
    """
    # only of contigs with boundaries: elsewhere nothing is drawn
    tss = None
    if genes is not None:
        tss = {contig: genes.tss_sites(contig).positions for contig in boundaries.positions}
    matched = matched_controls(genome, boundaries.positions, tss, matching)
    # a boundary may be called as another's control would be
    taken = DistinctNames(chain.from_iterable(boundaries.names.values()))
    rows: list[PlannedPlace] = []
    for contig, found in matched.items():
        places = _Places(contig, matching.window_bp, layers, taken)
        rows += places.of(boundaries.names[contig], found)
    if all(row["status"] == UNMATCHED for row in rows):
        count = boundaries.count
        none = agreeing(count, "the one boundary has no", f"none of {count:,} boundaries has a")
        raise InputError(
            f"{none} control: no place at least {matching.apart_bp:,} bp from them, with a whole window, is like one "
            f"in G and C{'' if tss is None else ' and distance to genes'}. "
            "Allow less likeness by --gc-within and --tss-within, or nearer places by --apart-bp. "
            f"{_first_reason(rows)}"
        )
    # controls lie anywhere on their contig, and shards are runs of the genome
    ranks = {contig: rank for rank, contig in enumerate(genome.contigs)}
    rows.sort(key=lambda row: (ranks[row["chrom"]], row["position"], row["place"]))
    return pa.Table.from_pylist(rows, schema=PLACES_SCHEMA)


def _first_reason(rows: Sequence[PlannedPlace]) -> str:
    first = rows[0]
    return f"Of {first['place']}: {first.get('reason')}."


@dataclass(frozen=True)
class _Places:
    """Makes the rows of one contig's boundaries.

    Attributes:
        contig: which.
        window_bp: bases around each place.
        layers: of the model that attend.
        taken: names of all boundaries, and of the controls so far.
    """

    contig: str
    window_bp: int
    layers: int
    taken: DistinctNames

    def of(
        self,
        names: Sequence[str],
        matched: Matched,
    ) -> Iterator[PlannedPlace]:
        """Each boundary, and behind it its controls; it is not read where it has none."""
        positions = matched.boundaries.tolist()
        controls = matched.controls.tolist()
        each = zip(names, positions, controls, matched.reasons, strict=True)
        for name, position, drawn, reason in each:
            found = [control for control in drawn if control != NO_MATCH]
            # without a control there is nothing to hold it against
            row = self._row(name, name, BOUNDARY, position)
            yield row if found else {**row, "status": UNMATCHED, "reason": reason}
            for number, control in enumerate(found, 1):
                place = self.taken.take(f"{name}/control {number}")
                yield self._row(place, name, CONTROL, control)

    def _row(
        self,
        place: str,
        boundary: str,
        kind: str,
        position: int,
    ) -> PlannedPlace:
        return PlannedPlace(
            chrom=self.contig,
            place=place,
            boundary=boundary,
            kind=kind,
            position=position,
            # the middle lies before the base `position`
            window_start=position - self.window_bp // 2,
            layers=self.layers,
            status=Status.OK,
            reason=None,
        )
