"""What can be said of alleles without the genome's letters: contig, bounds, symbols, letters, length.

Works on columns. Does not know files or sequence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.variants.normalise import trimmed_bp
from enformer_core.variants.table import Status

_SYMBOLIC = (
    r"^\*$|[<>\[\]]|^\.|\.$"  # VCF 4.3, sections 1.6.1 and 5.4: spanning deletion, <ID>, breakends
)

_LETTERS = "^[ACGT]+$"

_SHOWN = 5

_SHOWN_BP = 20

Decision = tuple[Status, Bool[np.ndarray, " rows"]]


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
        plain: both alleles are single letters of ACGT, and not the same: nothing is wrong with them.
    """

    raw: pa.Table
    chrom: pa.Array
    start: Int64[np.ndarray, " rows"]
    ref: pa.Array
    alt: pa.Array
    length_bp: Int64[np.ndarray, " rows"]
    declared: Bool[np.ndarray, " rows"]
    plain: Bool[np.ndarray, " rows"]

    @staticmethod
    def of(raw: pa.Table, chrom: pa.Array, contigs: Mapping[str, int]) -> "Alleles":
        """Clean letters and look up lengths."""
        ref = pc.ascii_upper(in_full(raw, "input_ref"))
        written = in_full(raw, "input_alt")
        upper = pc.ascii_upper(written)
        bases = pa.array(list("ACGT"))
        plain = bools(
            pc.and_(pc.and_(pc.is_in(ref, bases), pc.is_in(upper, bases)), pc.not_equal(ref, upper))
        )
        alt = _clean_alts(written, upper, ~plain)
        names, lengths = list(contigs), np.array([*contigs.values(), 0])
        declares = in_full(raw, "declares_ref") if "declares_ref" in raw.column_names else None
        return Alleles(
            raw=raw,
            chrom=chrom,
            start=ints(in_full(raw, "start"), -1),
            ref=ref,
            alt=alt,
            length_bp=lengths[ints(pc.index_in(chrom, pa.array(names, pa.string())), len(names))],
            declared=np.ones(raw.num_rows, bool)
            if declares is None
            else np.asarray(pc.fill_null(declares, True)),
            plain=plain,
        )

    def changed(self, start: Int64[np.ndarray, " rows"], ref: pa.Array, alt: pa.Array) -> "Alleles":
        """The same with other letters at other places."""
        return replace(self, start=start, ref=ref, alt=alt)

    @cached_property
    def ref_bp(self) -> Int64[np.ndarray, " rows"]:
        """Length of REF, 0 where it is null."""
        return ints(pc.utf8_length(self.ref), 0)

    @cached_property
    def alt_bp(self) -> Int64[np.ndarray, " rows"]:
        """Length of ALT, 0 where it is null."""
        return ints(pc.utf8_length(self.alt), 0)

    @property
    def effect(self) -> pa.Array:
        """1 where ALT is the effect allele, -1 where REF is, null where none is named."""
        if "effect" in self.raw.column_names:
            return in_full(self.raw, "effect")
        return pa.nulls(self.raw.num_rows, pa.int8())

    def decisions(self, max_allele_bp: int) -> list[Decision]:
        """Statuses that need no sequence, the first that applies first."""
        ref_bp, alt_bp = self.ref_bp, self.alt_bp
        shortest_bp = np.where(self.declared, ref_bp, np.minimum(ref_bp, np.maximum(alt_bp, 1)))
        symbolic = self._of_others(self._symbolic)
        return [
            (Status.UNKNOWN_CONTIG, bools(pc.is_null(self.chrom))),
            (Status.OUT_OF_BOUNDS, (self.start < 0) | (self.start + shortest_bp > self.length_bp)),
            (Status.NO_ALT, bools(pc.is_null(self.alt))),
            (Status.SYMBOLIC, symbolic),
            (Status.BAD_ALLELE, self._of_others(self._bad)),
            (
                Status.TOO_LONG,
                self._too_long(np.maximum(ref_bp, alt_bp) > max_allele_bp, max_allele_bp),
            ),
        ]

    def _of_others(
        self, of_rows: Callable[[Int64[np.ndarray, " some"]], Bool[np.ndarray, " some"]]
    ) -> Bool[np.ndarray, " rows"]:
        """Decide for the rows that are not plain."""
        rows = np.flatnonzero(~self.plain)
        decided = np.zeros(self.plain.size, dtype=bool)
        if rows.size:
            decided[rows] = of_rows(rows)
        return decided

    def _symbolic(self, rows: Int64[np.ndarray, " some"]) -> Bool[np.ndarray, " some"]:
        index = pa.array(rows)
        in_ref = ~self.declared[rows] & matches(self.ref.take(index), _SYMBOLIC)
        return matches(self.alt.take(index), _SYMBOLIC) | in_ref

    def _bad(self, rows: Int64[np.ndarray, " some"]) -> Bool[np.ndarray, " some"]:
        """REF or ALT is no sequence of A, C, G, T, or they are equal."""
        ref, alt = self.ref.take(pa.array(rows)), self.alt.take(pa.array(rows))
        return ~matches(ref, _LETTERS) | ~matches(alt, _LETTERS) | bools(pc.equal(ref, alt))

    def _too_long(
        self, long: Bool[np.ndarray, " rows"], max_allele_bp: int
    ) -> Bool[np.ndarray, " rows"]:
        """What both alleles share does not count."""
        rows = np.flatnonzero(long)
        index = pa.array(rows)
        pairs = zip(
            rows, self.ref.take(index).to_pylist(), self.alt.take(index).to_pylist(), strict=True
        )
        too_long = np.zeros(long.size, dtype=bool)
        too_long[
            [
                row
                for row, ref, alt in pairs
                if not ref or not alt or trimmed_bp(ref, alt) > max_allele_bp
            ]
        ] = True
        return too_long

    def name(self, row: int) -> str:
        """chrom:pos REF>ALT of one row, for a message."""
        ref, alt = self.ref[row].as_py(), self.alt[row].as_py()
        return f"{self.chrom[row].as_py()}:{self.start[row] + 1} {short(ref)}>{short(alt)}"


def _clean_alts(written: pa.Array, upper: pa.Array, unclear: Bool[np.ndarray, " rows"]) -> pa.Array:
    """Upper case, but what is symbolic holds names that depend on case; null where there is none."""
    if not unclear.any():
        return upper
    mask = pa.array(unclear)
    written, cleaned = written.filter(mask), upper.filter(mask)
    cleaned = pc.if_else(pa.array(matches(written, _SYMBOLIC)), written, cleaned)
    return pc.replace_with_mask(upper, mask, pc.if_else(pc.equal(written, "."), None, cleaned))


def contigs_of(
    raw: pa.Table, undecided: Bool[np.ndarray, " rows"], contigs: Mapping[str, int]
) -> pa.Array:
    """The genome's name of each row's contig; null where it has none or the row is decided."""
    written = in_full(raw, "input_chrom")
    if not undecided.all():
        written = pc.if_else(pa.array(undecided), written, None)
    coded = written.dictionary_encode()
    names = coded.dictionary.to_pylist()
    known = reconcile_contigs(names, contigs)
    return pa.array([known.get(name) for name in names], pa.string()).take(coded.indices)


def why_bad(ref: str, alt: str) -> str:
    """The reason that a pair is a bad allele."""
    for name, letters in (("REF", ref), ("ALT", alt)):
        if not letters:
            return f"{name} is empty"
        other = next((letter for letter in letters if letter not in "ACGT"), None)
        if other is not None:
            return f"{name} has {other!r}, which is not A, C, G or T"
    return "ALT is the same as REF"


def short(letters: str) -> str:
    """Letters for a message."""
    return letters if len(letters) <= _SHOWN_BP else f"{letters[:_SHOWN_BP]}… ({len(letters):,} bp)"


def some(names: list[str]) -> str:
    """The first of the names, for a message."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def in_full(table: pa.Table, name: str) -> pa.Array:
    """A column as one array."""
    column = table[name]
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def are(column: pa.Array, text: str) -> Bool[np.ndarray, " rows"]:
    """Where a column of text equals this."""
    return bools(pc.equal(column, text))


def matches(column: pa.Array, pattern: str) -> Bool[np.ndarray, " rows"]:
    """Where the pattern is found."""
    return bools(pc.match_substring_regex(column, pattern))


def bools(column: pa.Array) -> Bool[np.ndarray, " rows"]:
    """As NumPy; null is False."""
    return np.asarray(pc.fill_null(column, False))


def ints(column: pa.Array, null: int) -> Int64[np.ndarray, " rows"]:
    """As NumPy; null is `null`."""
    return np.asarray(pc.cast(pc.fill_null(column, null), pa.int64()))
