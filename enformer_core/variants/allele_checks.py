"""What can be said of alleles without the genome's letters: contig, bounds, symbols, letters, length.

Works on columns. Does not know files or sequence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.variants.arrow import (
    Mask,
    Numbers,
    bools,
    in_full,
    ints,
    matches,
)
from enformer_core.variants.normalise import trimmed_bp
from enformer_core.variants.table import Status

# VCF 4.3, sections 1.6.1 and 5.4: spanning deletion, <ID>, breakends; a bracket alone is of a list in another language
_SYMBOLIC = r"^\*$|[<>]|[\[\]][^\[\],'\"]+:[0-9]+[\[\]]|^\.|\.$"

_LETTERS = "^[ACGT]+$"

# Compared by look-up, not by a regular expression: nearly all alleles of nearly all files are single bases.
_BASES = pa.array(list("ACGT"))

_SHOWN_BP = 20

_OF_LISTS = "[](){}'\""

Decision = tuple[Status, Mask]
"""A status, and the rows to which it applies."""


@dataclass(frozen=True)
class Alleles:
    """Columns of alleles; `chrom` is the genome's name or null, `ref` and `alt` are as in PLACED_SCHEMA.

    Attributes:
        raw: as read.
        chrom: the genome's name of the contig.
        start: 0-based; -1 where it could not be read.
        ref: in upper case.
        alt: in upper case, but symbolic ones; null where there is none.
        length_bp: of the contig, 0 where unknown.
        declared: whether the input says which allele is REF.
        is_snv: both alleles are single letters of ACGT, and not the same: nothing is wrong with them.
        is_deletion: the longer allele is the genome's, whichever is written first: the other came as `-`.
    """

    raw: pa.Table
    chrom: pa.Array
    start: Numbers
    ref: pa.Array
    alt: pa.Array
    length_bp: Numbers
    declared: Mask
    is_snv: Mask
    is_deletion: Mask

    @staticmethod
    def of(
        raw: pa.Table,
        chrom: pa.Array,
        contigs: Mapping[str, int],
    ) -> "Alleles":
        """Clean the letters of a table as read, and look up the lengths of its contigs.

        Args:
            raw: alleles of RAW_SCHEMA.
            chrom: from `contigs_of`.
            contigs: the genome's, with their lengths in bp.
        """
        ref = pc.ascii_upper(in_full(raw, "input_ref"))
        written_alt = in_full(raw, "input_alt")
        upper_alt = pc.ascii_upper(written_alt)
        is_snv = _are_snvs(ref, upper_alt)
        return Alleles(
            raw=raw,
            chrom=chrom,
            start=ints(in_full(raw, "start"), -1),
            ref=ref,
            alt=_clean_alts(written_alt, upper_alt, ~is_snv),
            length_bp=_lengths_bp(chrom, contigs),
            declared=_declare_ref(raw),
            is_snv=is_snv,
            is_deletion=np.zeros(raw.num_rows, dtype=bool),
        )

    def changed(
        self,
        start: Numbers,
        ref: pa.Array,
        alt: pa.Array,
    ) -> "Alleles":
        """The same with other letters at other places."""
        return replace(self, start=start, ref=ref, alt=alt)

    @cached_property
    def ref_bp(self) -> Numbers:
        """Length of REF, 0 where it is null."""
        return ints(pc.utf8_length(self.ref), 0)

    @cached_property
    def alt_bp(self) -> Numbers:
        """Length of ALT, 0 where it is null."""
        return ints(pc.utf8_length(self.alt), 0)

    @property
    def effect(self) -> pa.Array:
        """1 where ALT is the effect allele, -1 where REF is, null where none is named."""
        if "effect" in self.raw.column_names:
            return in_full(self.raw, "effect")
        return pa.nulls(self.raw.num_rows, pa.int8())

    def is_marked(self, name: str) -> Mask:
        """A column of truth values as read; False where the table has no such column."""
        if name in self.raw.column_names:
            return bools(in_full(self.raw, name))
        return np.zeros(self.raw.num_rows, dtype=bool)

    def decisions(self, max_allele_bp: int) -> list[Decision]:
        """Statuses that need no sequence, the first that applies first.

        Args:
            max_allele_bp: longest REF or ALT that is scored, without what both share.
        """
        end = self.start + self.least_bp()
        # at the contig's end an allele that may be ALT must not be taken for one that leaves it
        leaves_contig = (self.start < 0) | (end > self.length_bp)
        return [
            (Status.UNKNOWN_CONTIG, bools(pc.is_null(self.chrom))),
            (Status.OUT_OF_BOUNDS, leaves_contig),
            (Status.NO_ALT, bools(pc.is_null(self.alt))),
            (Status.SYMBOLIC, self._unless_snv(self._is_symbolic)),
            (Status.BAD_ALLELE, self._unless_snv(self._is_bad)),
            (Status.TOO_LONG, self._is_too_long(max_allele_bp)),
        ]

    def chosen(self, rows: Numbers) -> "Alleles":
        """Some of the alleles alone, each with all that is known of it."""
        index = pa.array(rows)
        return Alleles(
            raw=self.raw.take(index),
            chrom=self.chrom.take(index),
            start=self.start[rows],
            ref=self.ref.take(index),
            alt=self.alt.take(index),
            length_bp=self.length_bp[rows],
            declared=self.declared[rows],
            is_snv=self.is_snv[rows],
            is_deletion=self.is_deletion[rows],
        )

    def least_bp(self) -> Numbers:
        """Bases of the genome that the allele takes at least: of REF, or of the shorter where either may be REF."""
        alt_bp = np.maximum(self.alt_bp, 1)
        shorter_bp = np.minimum(self.ref_bp, alt_bp)
        return np.where(self.declared, self.ref_bp, shorter_bp)

    def _unless_snv(self, decide: Callable[[Numbers], Mask]) -> Mask:
        """Decide for these rows alone: regular expressions over all the SNVs of a file would cost most of the time."""
        rows = np.flatnonzero(~self.is_snv)
        decided = np.zeros(self.is_snv.size, dtype=bool)
        if rows.size:
            decided[rows] = decide(rows)
        return decided

    def _is_symbolic(self, rows: Numbers) -> Mask:
        index = pa.array(rows)
        in_alt = symbolic(self.alt.take(index))
        # where the order is open, either column may hold the symbol; in a declared REF it is a bad allele
        in_ref = symbolic(self.ref.take(index))
        return in_alt | (in_ref & ~self.declared[rows])

    def _is_bad(self, rows: Numbers) -> Mask:
        """REF or ALT is no sequence of A, C, G, T, or they are equal."""
        index = pa.array(rows)
        ref = self.ref.take(index)
        alt = self.alt.take(index)
        are_sequences = matches(ref, _LETTERS) & matches(alt, _LETTERS)
        are_equal = bools(pc.equal(ref, alt))
        return ~are_sequences | are_equal

    def _is_too_long(self, max_allele_bp: int) -> Mask:
        """What both alleles share does not count."""
        too_long = np.maximum(self.ref_bp, self.alt_bp) > max_allele_bp
        # one after another: few alleles are so long
        for row in np.flatnonzero(too_long):
            ref = self.ref[row].as_py()
            alt = self.alt[row].as_py()
            if ref and alt:
                too_long[row] = trimmed_bp(ref, alt) > max_allele_bp
        return too_long

    def name(self, row: int) -> str:
        """chrom:pos REF>ALT of one row, for a message; pos counts from 1."""
        ref = short(self.ref[row].as_py())
        alt = short(self.alt[row].as_py())
        return f"{self.chrom[row].as_py()}:{self.start[row] + 1} {ref}>{alt}"


def _are_snvs(ref: pa.Array, alt: pa.Array) -> Mask:
    is_ref_base = pc.is_in(ref, _BASES)
    is_alt_base = pc.is_in(alt, _BASES)
    are_bases = pc.and_(is_ref_base, is_alt_base)
    differ = pc.not_equal(ref, alt)
    return bools(pc.and_(are_bases, differ))


def _lengths_bp(chrom: pa.Array, contigs: Mapping[str, int]) -> Numbers:
    names = pa.array(list(contigs), pa.string())
    lengths = np.array([*contigs.values(), 0])
    # the place of the 0
    unknown = len(contigs)
    place = ints(pc.index_in(chrom, names), unknown)
    return lengths[place]


def _declare_ref(raw: pa.Table) -> Mask:
    # tables that are made by hand, not read, have no such column, and are as VCF
    if "declares_ref" not in raw.column_names:
        return np.ones(raw.num_rows, dtype=bool)
    declares = in_full(raw, "declares_ref")
    return np.asarray(pc.fill_null(declares, True))


def _clean_alts(
    written: pa.Array,
    upper: pa.Array,
    unclear: Mask,
) -> pa.Array:
    """Upper case, but what is symbolic holds names that depend on case; null where there is none."""
    if not unclear.any():
        return upper
    mask = pa.array(unclear)
    written = written.filter(mask)
    is_symbolic = pa.array(symbolic(written))
    clean = pc.if_else(is_symbolic, written, upper.filter(mask))
    # VCF's missing value; ALT is there, and says that there is none
    is_absent = pc.equal(written, ".")
    clean_or_null = pc.if_else(is_absent, None, clean)
    return pc.replace_with_mask(upper, mask, clean_or_null)


def symbolic(alleles: pa.Array) -> Mask:
    """Whether each allele is a symbol, a breakend, or begins or ends in a dot; null is not."""
    return matches(alleles, _SYMBOLIC)


def contigs_of(
    raw: pa.Table,
    undecided: Mask,
    contigs: Mapping[str, int],
) -> pa.Array:
    """The genome's name of each row's contig; null where it has none or the row is decided."""
    written = in_full(raw, "input_chrom")
    if not undecided.all():
        written = pc.if_else(pa.array(undecided), written, None)
    # names are few, rows are many
    coded = written.dictionary_encode()
    names = coded.dictionary.to_pylist()
    known = reconcile_contigs(names, contigs)
    in_genome = [known.get(name) for name in names]
    ours = pa.array(in_genome, pa.string())
    return ours.take(coded.indices)


def why_bad(ref: str, alt: str) -> str:
    """The reason that a pair is a bad allele."""
    for name, letters in (("REF", ref), ("ALT", alt)):
        if not letters:
            return f"{name} is empty"
        strange = [letter for letter in letters if letter not in "ACGT"]
        # of a list in another language the bracket or quote says most
        of_lists = [letter for letter in strange if letter in _OF_LISTS]
        worst_first = [*of_lists, *strange]
        if worst_first:
            return f"{name} has {worst_first[0]!r}, which is not A, C, G or T"
    return "ALT is the same as REF"


def short(letters: str) -> str:
    """Letters for a message: of a long allele the beginning and its length."""
    if len(letters) <= _SHOWN_BP:
        return letters
    return f"{letters[:_SHOWN_BP]}… ({len(letters):,} bp)"
