"""Saturation mutagenesis as a source of variants: every other base at every base of some regions, and deletions.

The records are made a block at a time, like those that a file's reader finds, and go the way of all others from there;
nothing is written down in between. A record's line is the number of its base, counted from 1 over the regions in their
order, so that it names the same change whatever else is asked for. Does not know files, models or scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import LETTER_OF_CODE, N_CODE
from enformer_core.genome.fasta import Genome
from enformer_core.genome.region_list import Bases, RegionList
from enformer_core.variants.arrow import Numbers
from enformer_core.variants.formats.reader import (
    VCF_COLUMNS,
    Columns,
    Header,
    Roles,
    whole_records,
)
from enformer_core.variants.parse import ParseRules
from enformer_core.variants.records import with_columns
from enformer_core.variants.source import Source
from enformer_core.words import counted

BLOCK_BASES = 1 << 16
"""Bases that are turned into records at once: three times as many alleles, as many as a batch of a file has."""

_BLOCK_LETTERS = 1 << 21
"""Letters of deleted stretches that are held at once."""

_BASES = LETTER_OF_CODE[:N_CODE].decode()

_LETTERS = pa.array(list(_BASES))

_OTHERS = pa.array([",".join(_BASES.replace(base, "")) for base in _BASES])
"""The ALTs of each base: of A they are C,G,T."""

_ASCII = np.frombuffer(LETTER_OF_CODE, np.uint8)

_ROLES = ("chrom", "pos", "id", "ref", "alt")

_COLUMNS = Columns({role: VCF_COLUMNS[role] for role in _ROLES})

Letters: TypeAlias = UInt8[np.ndarray, "rows letters"]


@dataclass
class Substitutions:
    """Every other base at every base of some regions: a `RecordStream` of one record a base, with three ALTs.

    Attributes:
        regions: which bases.
        genome: that they are of.
        unknown: bases that have no record, since the genome has N there; counted while blocks are read, from the first.
    """

    regions: RegionList
    genome: Genome
    unknown: int = field(default=0, init=False)

    @property
    def header(self) -> Header:
        """Columns as in a VCF: REF is the genome's by construction."""
        return Header("saturation mutagenesis", _COLUMNS)

    def blocks(self, roles: Roles = ()) -> Iterator[pa.Table]:
        """All records, base by base; there are no further roles."""
        del roles
        self.unknown = 0
        for bases in self.regions.blocks(BLOCK_BASES):
            one_a_row = self.regions.codes(bases, self.genome)
            codes = one_a_row[:, 0]
            known = np.flatnonzero(codes != N_CODE)
            self.unknown += codes.size - known.size
            code = pa.array(codes[known])
            yield _records(
                self.regions,
                bases.only(known),
                # as text, records count from 1
                pos=bases.start[known] + 1,
                ref=_LETTERS.take(code),
                alt=_OTHERS.take(code),
            )

    def sample(self, roles: Roles = (), *, probes: int) -> Iterator[pa.Table]:
        """Nothing: what is made from the genome need not be held against it."""
        del roles, probes
        return iter(())


@dataclass
class Deletions:
    """Every stretch of some length within a region removed: a `RecordStream` of one record a stretch.

    Written as in a VCF, with the base before the stretch; where there is none, or it is N, with the base behind. The
    record's line is that of the stretch's first base. In a repeat several come to one change, as `normalise` finds.

    Attributes:
        regions: where; stretches that would leave their region are none.
        genome: that they are of.
        deleted_bp: length of a stretch.
        unknown: stretches that have no record, since they hold N; counted while blocks are read, from the first.
    """

    regions: RegionList
    genome: Genome
    deleted_bp: int
    unknown: int = field(default=0, init=False)

    @property
    def header(self) -> Header:
        """Columns as in a VCF: REF is the genome's by construction."""
        return Header(f"deletions of {self.deleted_bp} bp", _COLUMNS)

    def blocks(self, roles: Roles = ()) -> Iterator[pa.Table]:
        """All records, stretch by stretch; there are no further roles."""
        del roles
        self.unknown = 0
        for bases in self.regions.blocks(self.block_rows):
            stretch_end = bases.start + self.deleted_bp
            region_end = self.regions.end[bases.region]
            inside = np.flatnonzero(stretch_end <= region_end)
            yield self._of_stretches(bases.only(inside))

    @property
    def block_rows(self) -> int:
        """Stretches at once: fewer where they are long."""
        within_memory = _BLOCK_LETTERS // self.deleted_bp
        at_most = min(within_memory, BLOCK_BASES)
        return max(at_most, 1)

    def sample(self, roles: Roles = (), *, probes: int) -> Iterator[pa.Table]:
        """Nothing: what is made from the genome need not be held against it."""
        del roles, probes
        return iter(())

    def _of_stretches(self, first: Bases) -> pa.Table:
        """The records of stretches that begin at these bases."""
        # of the stretch GA in C GA T:  C G A T, whose REF is CGA and ALT C, or without the C before it GAT and T
        letters = self.regions.codes(first, self.genome, before=1, behind=self.deleted_bp)
        is_known = letters != N_CODE
        has_before = is_known[:, 0]
        has_behind = is_known[:, -1]
        whole = is_known[:, 1:-1].all(axis=1)
        usable = np.flatnonzero(whole & (has_before | has_behind))
        self.unknown += whole.size - usable.size
        letters = letters[usable]
        before = has_before[usable]
        start = first.start[usable]
        anchor = np.where(before, letters[:, 0], letters[:, -1])
        with_before = letters[:, :-1]
        with_behind = letters[:, 1:]
        ref = np.where(before[:, None], with_before, with_behind)
        # counted from 1, the base before has the number that the stretch's first has counted from 0
        pos = np.where(before, start, start + 1)
        return _records(
            self.regions,
            first.only(usable),
            pos=pos,
            ref=_texts(ref),
            alt=_LETTERS.take(pa.array(anchor)),
        )


def _records(
    regions: RegionList,
    bases: Bases,
    *,
    pos: Numbers,
    ref: pa.Array,
    alt: pa.Array,
) -> pa.Table:
    """Records as every reader gives them; `pos` counts from 1."""
    rows = bases.number.size
    contigs = pa.array(regions.contigs, pa.string())
    contig = pa.array(bases.contig)
    region = pa.array(bases.region)
    cells = {
        "chrom": contigs.take(contig),
        "pos": pa.array(pos).cast(pa.string()),
        "id": regions.name.take(region),
        "ref": ref,
        "alt": alt,
        # a region's name, chr20:101-200, must not be taken for the identifier of a variant at 101
        "id_disagrees": pa.nulls(rows, pa.bool_()),
    }
    records = whole_records(cells, rows=rows, first_line=1)
    # bases that are N have numbers too, so that lines are not what was counted here
    lines = pa.array(bases.number + 1)
    return with_columns(records, {"line": lines})


def _texts(codes: Letters) -> pa.Array:
    """Rows of base codes as text: [[0, 1], [3, 3]] as AC and TT."""
    rows, letters = codes.shape
    # all are as long: of two of 2 letters the offsets are 0 2 4
    offsets = np.arange(0, rows * letters + 1, letters, dtype=np.int32)
    ascii_letters = _ASCII[codes].tobytes()
    # no row is
    is_null = None
    buffers = [
        is_null,
        pa.py_buffer(offsets),
        pa.py_buffer(ascii_letters),
    ]
    return pa.Array.from_buffers(pa.string(), rows, buffers)


@dataclass(frozen=True)
class Target:
    """Regions that are mutated, by the name that their rows carry.

    Attributes:
        name: `chr20:101-200`, or the name of a file.
        regions: where.
    """

    name: str
    regions: RegionList


def mutated(
    targets: Sequence[Target],
    genome: Genome,
    *,
    deletions_bp: int | None,
) -> list[Source]:
    """The sources of all changes: of each target its substitutions and, where they are asked for, its deletions.

    Args:
        targets: where.
        genome: that they are of.
        deletions_bp: length of the stretches that are removed; None for none.

    Raises:
        InputError: when no region is as long as a stretch.
    """
    sources = []
    for target in targets:
        substitutions = Substitutions(target.regions, genome)
        sources.append(_source(substitutions_name(target.name), substitutions, BLOCK_BASES))
    if deletions_bp is None:
        return sources
    longest_bp = max((target.regions.longest_bp for target in targets), default=0)
    if longest_bp < deletions_bp:
        raise InputError(
            f"--deletions {deletions_bp}: the longest region has {counted(longest_bp, 'bases')}, and a stretch that "
            "is removed lies within its region. Give longer regions, or remove fewer bases."
        )
    for target in targets:
        deletions = Deletions(target.regions, genome, deletions_bp)
        name = deletions_name(target.name, deletions_bp)
        sources.append(_source(name, deletions, deletions.block_rows))
    return sources


def substitutions_name(target: str) -> str:
    """What the substitutions of a target carry as `input_file`."""
    return f"mutagenesis:{target}"


def deletions_name(target: str, deleted_bp: int) -> str:
    """What the deletions of a target carry as `input_file`."""
    return f"deletions-{deleted_bp}:{target}"


def unknown_bases(sources: Sequence[Source]) -> int:
    """Bases and stretches that have no record, since the genome has N there; known when all sources were read."""
    readers = [source.reader for source in sources]
    # files may stand beside them, which have none
    made = [reader for reader in readers if isinstance(reader, Substitutions | Deletions)]
    return sum(reader.unknown for reader in made)


def _source(name: str, reader: Substitutions | Deletions, batch_rows: int) -> Source:
    return Source(Path(name), name, reader, reader.header, ParseRules(), batch_rows=batch_rows)
