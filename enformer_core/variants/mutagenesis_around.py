"""The regions around variants that are to be mutated: each record's REF, and so many bases on either side.

Works on batches of alleles that were found in the genome. Does not know files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.genome.region_list import RegionList
from enformer_core.variants.arrow import in_full, ints
from enformer_core.variants.hashing import scored_rows
from enformer_core.variants.table import PLACED_SCHEMA

_KEPT = ("chrom", "start", "ref", "alt", "id")

_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Surroundings:
    """Regions around the records of a file.

    Attributes:
        regions: one for each record of which an allele fits the genome, in the file's order.
        left_out: records of which none does.
    """

    regions: RegionList
    left_out: int


def surroundings(
    batches: Iterable[pa.Table],
    contigs: Mapping[str, int],
    *,
    flank_bp: int,
) -> Surroundings:
    """Regions around records: the bases of REF and those beside it, cut at the contig's ends.

    A record with several ALTs is one region, around the first that fits the genome, in its normal form.

    Args:
        batches: alleles of PLACED_SCHEMA, whole records.
        contigs: the genome's, with their lengths in bp.
        flank_bp: bases on either side; 0 for REF alone.
    """
    # one row for each record, and no more of it than regions need: all of a file's are held
    schema = pa.schema([PLACED_SCHEMA.field(name) for name in _KEPT])
    kept = [schema.empty_table()]
    records = 0
    for placed in batches:
        firsts = _record_firsts(placed)
        records += firsts.size
        fitting = _first_that_fits(placed, firsts)
        kept.append(fitting.select(_KEPT))
    chosen = pa.concat_tables(kept)
    regions = _around(chosen, contigs, flank_bp)
    return Surroundings(regions, left_out=records - chosen.num_rows)


def _around(
    chosen: pa.Table,
    contigs: Mapping[str, int],
    flank_bp: int,
) -> RegionList:
    # what fits the genome has a contig, a start and letters: no null is filled here
    names = pa.array(list(contigs), pa.string())
    lengths_bp = np.fromiter(contigs.values(), np.int64)
    index = pc.index_in(in_full(chosen, "chrom"), names)
    contig = ints(index, 0)
    start = ints(in_full(chosen, "start"), 0)
    ref_bp = pc.utf8_length(in_full(chosen, "ref"))
    end = start + ints(ref_bp, 0)
    return RegionList(
        contigs=tuple(contigs),
        contig=contig,
        start=np.maximum(start - flank_bp, 0),
        end=np.minimum(end + flank_bp, lengths_bp[contig]),
        name=pc.coalesce(in_full(chosen, "id"), _spelled(chosen)),
    )


def _record_firsts(placed: pa.Table) -> np.ndarray:
    # a malformed record has no number of an ALT, and is one row
    alt_index = ints(in_full(placed, "alt_index"), 1)
    return np.flatnonzero(alt_index == 1)


def _first_that_fits(placed: pa.Table, firsts: np.ndarray) -> pa.Table:
    """Of each record the first row that fits the genome; none of records without one."""
    if not firsts.size:
        return placed
    # Records of rows 0 1 2 | 3, of which 1 and 2 fit: the least of each record's rows that fit are 1 and none.
    rows = np.arange(placed.num_rows)
    fitting = np.where(scored_rows(placed), rows, _NONE)
    least = np.minimum.reduceat(fitting, firsts)
    has_one = least != _NONE
    return placed.take(pa.array(least[has_one]))


def _spelled(placed: pa.Table) -> pa.Array:
    """chrom:pos:ref:alt of each row, with the position from 1."""
    pos = pc.add(in_full(placed, "start"), 1)
    parts = [
        in_full(placed, "chrom"),
        pc.cast(pos, pa.string()),
        in_full(placed, "ref"),
        in_full(placed, "alt"),
    ]
    return pc.binary_join_element_wise(*parts, ":")
