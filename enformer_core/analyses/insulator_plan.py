"""Boundaries of a BED file and the controls that are like them, as rows of a plan.

Knows places. Does not know attention.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.analyses.insulator_run_type import BOUNDARY, CONTROL, UNMATCHED
from enformer_core.dataset.schemas import PLACES_SCHEMA
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


@dataclass(frozen=True)
class Boundaries:
    """Boundaries on the genome, each once.

    Attributes:
        names: of those of each contig.
        positions: of each contig, in the same order: the middle of each interval.
        repeats: how many were left out, since another lies at the same place.
    """

    names: Mapping[str, list[str]]
    positions: Mapping[str, Positions]
    repeats: int

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.names.values()))


def read_boundaries(regions: Sequence[PlacedRegion], geometry: Geometry) -> Boundaries:
    """The middles of intervals; of those on one step of the grid the first.

    Raises:
        InputError: for an interval that is no boundary, but a domain.
    """
    by_place: dict[tuple[str, int], str] = {}
    for region in regions:
        length_bp = region.end - region.start
        if length_bp > geometry.window_bp // 2:
            raise InputError(
                f"{region.where}: {length_bp:,} bp from {region.start:,} to {region.end:,}; a boundary has at most "
                f"{geometry.window_bp // 2:,} bp. Are these domains? Give the places between them."
            )
        middle = (region.start + region.end) // 2
        on_grid = (middle + STEP_BP // 2) // STEP_BP * STEP_BP
        by_place.setdefault((region.contig, on_grid), region.name or "")
    names: dict[str, list[str]] = {}
    positions: dict[str, list[int]] = {}
    counts = Counter(by_place.values())
    for (contig, position), name in by_place.items():
        place = f"{contig}:{position}"
        own = name if name and counts[name] == 1 else f"{name}@{place}" if name else place
        names.setdefault(contig, []).append(own)
        positions.setdefault(contig, []).append(position)
    arrays = {contig: np.array(found, dtype=np.int64) for contig, found in positions.items()}
    return Boundaries(names, arrays, len(regions) - len(by_place))


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
    tss = None
    if genes is not None:
        tss = {contig: genes.tss_sites(contig).positions for contig in boundaries.positions}
    matched = matched_controls(genome, boundaries.positions, tss, matching)
    rows = [
        row
        for contig, found in matched.items()
        for row in _places(contig, boundaries.names[contig], found)
    ]
    if all(row["status"] == UNMATCHED for row in rows):
        raise InputError(
            f"none of the {boundaries.count:,} boundaries has a control: no place at least {matching.apart_bp:,} bp "
            f"from them, with a whole window, is like one in G and C{'' if tss is None else ' and distance to genes'}. "
            "Allow less likeness by --gc-within and --tss-within, or nearer places by --apart-bp."
        )
    ranks = {contig: rank for rank, contig in enumerate(genome.contigs)}
    rows.sort(key=lambda row: (ranks[row["chrom"]], row["position"], row["place"]))
    for row in rows:
        row["window_start"] = row["position"] - matching.window_bp // 2
        row["layers"] = layers
    return pa.Table.from_pylist(rows, schema=PLACES_SCHEMA)


def _places(contig: str, names: Sequence[str], matched: Matched) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, position, controls in zip(
        names, matched.boundaries.tolist(), matched.controls.tolist(), strict=True
    ):
        found = [control for control in controls if control != NO_MATCH]
        shared = {"chrom": contig, "boundary": name, "status": Status.OK}
        own_status = Status.OK if found else UNMATCHED
        rows.append(
            {**shared, "place": name, "kind": BOUNDARY, "position": position, "status": own_status}
        )
        for number, control in enumerate(found, 1):
            place = f"{name}/control {number}"
            rows.append({**shared, "place": place, "kind": CONTROL, "position": control})
    return rows
