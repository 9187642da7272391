"""Alleles harmonised with a genome: contig, status, orientation, normal form, and the sign of the effect allele.

Which of both alleles is REF, the genome decides. Works on columns. Does not know files; `allele_checks` decides what
can be said without the genome's letters, `assembly_check` whether a file was made for this genome at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.genome.fasta import Genome
from enformer_core.genome.reference_match import by_contig
from enformer_core.variants.allele_checks import (
    Alleles,
    Decision,
    contigs_of,
)
from enformer_core.variants.arrow import Mask, Numbers, bools, in_full
from enformer_core.variants.empty_alleles import with_anchors
from enformer_core.variants.formats.reader import kept_role
from enformer_core.variants.kept_columns import kept_of
from enformer_core.variants.lookup import has_letters
from enformer_core.variants.normalise import normalise
from enformer_core.variants.reasons import reasons_of
from enformer_core.variants.table import PLACED_SCHEMA, Flag, Status

_PALINDROMES = pa.array(["AT", "TA", "CG", "GC"])

_NO_SIGN = pa.scalar(None, pa.int8())

_MINUS = pa.scalar(-1, pa.int8())

_Why = Callable[[Status, Numbers, Alleles], pa.Array]

_WITHOUT_PLACE = pa.array([Status.UNKNOWN_CONTIG.value, Status.OUT_OF_BOUNDS.value])


@dataclass(frozen=True)
class Orientation:
    """Which of both alleles the genome has, of the rows that can be looked up; False elsewhere.

    Attributes:
        ref_fits: the genome has REF.
        swapped: it has ALT and not REF.
        ambiguous: it has both, and the input does not say which is REF.
        palindromic: a pair that looks the same on the other strand, likewise.
        looks_swapped: the genome has all of ALT, and not REF, which was declared: no proof, but worth saying.
    """

    ref_fits: Mask
    swapped: Mask
    ambiguous: Mask
    palindromic: Mask
    looks_swapped: Mask

    @staticmethod
    def of(
        alleles: Alleles,
        open_rows: Mask,
        genome: Genome,
        *,
        allow_swapped: bool,
    ) -> "Orientation":
        """Look the alleles up in the genome.

        Args:
            alleles: of a table.
            open_rows: those that have a place and letters.
            genome: contigs are read one after another.
            allow_swapped: whether REF and ALT may change places too where the input declares them.
        """
        # ALT is looked up only where REF does not settle it: of most files nearly nowhere
        is_shorter_ref = alleles.is_deletion & (alleles.ref_bp < alleles.alt_bp)
        may_fit = open_rows & ~is_shorter_ref
        ref_fits = has_letters(alleles, alleles.ref, may_fit, genome)
        undeclared = open_rows & ~alleles.declared
        # of an indel both may fit: where the genome has TT, so do T and TT; an SNV's ALT cannot, once REF does
        of_two_lengths = alleles.ref_bp != alleles.alt_bp
        indels = undeclared & ~alleles.is_deletion & ref_fits & of_two_lengths
        unsettled = open_rows & ~ref_fits
        alt_fits = has_letters(alleles, alleles.alt, unsettled | indels, genome)
        is_order_open = ~alleles.declared | allow_swapped
        may_swap = ~ref_fits & is_order_open
        # the short ALT of a deletion is there by chance often enough to prove nothing
        is_shorter_alt = alleles.alt_bp < alleles.ref_bp
        only_alt_fits = alt_fits & ~ref_fits
        return Orientation(
            ref_fits=ref_fits,
            swapped=alt_fits & may_swap,
            ambiguous=indels & alt_fits,
            palindromic=_are_palindromic(alleles, undeclared),
            looks_swapped=only_alt_fits & ~may_swap & ~is_shorter_alt,
        )

    @property
    def fits(self) -> Mask:
        """Rows of which the genome has the allele that is REF, as written or swapped."""
        return self.ref_fits | self.swapped


def _are_palindromic(alleles: Alleles, undeclared: Mask) -> Mask:
    rows = undeclared & (alleles.ref_bp == 1) & (alleles.alt_bp == 1)
    if not rows.any():
        return rows
    pairs = pc.binary_join_element_wise(alleles.ref, alleles.alt, "")
    return rows & bools(pc.is_in(pairs, _PALINDROMES))


def harmonise_alleles(
    raw: pa.Table,
    genome: Genome,
    *,
    max_allele_bp: int,
    allow_swapped: bool = False,
) -> pa.Table:
    """Set contig, status, flags and, of alleles that are scored, the normal form; `ref` is what the genome has.

    The first that applies, of: what the reader decided, unknown_contig, out_of_bounds, no_alt, symbolic, bad_allele,
    too_long, ref_mismatch, ok. So a symbolic allele keeps its place. Letters count in either case. Where
    the genome has ALT and not REF they change places (`ref_swapped`), if the input does not declare which is which, or
    by `allow_swapped`; where it has neither it is a ref_mismatch. A file of another genome is full of those:
    `assembly_check` refuses it before.

    Args:
        raw: alleles as `Source.batches` gives them, any part of a file.
        genome: contigs are read one after another.
        max_allele_bp: longest REF or ALT that is scored, without what both share.
        allow_swapped: whether that may happen too where the input declares REF.

    Returns:
        The same rows in the same order, of PLACED_SCHEMA, and the columns that are kept.
    """
    undecided = bools(pc.is_null(in_full(raw, "status")))
    chrom = contigs_of(raw, undecided, genome.contigs)
    as_written = Alleles.of(raw, chrom, genome.contigs)
    alleles = with_anchors(as_written, genome)
    decisions = alleles.decisions(max_allele_bp)
    is_decided = np.any([rows for _, rows in decisions], axis=0)
    open_rows = undecided & ~is_decided
    orientation = Orientation.of(alleles, open_rows, genome, allow_swapped=allow_swapped)
    scored = open_rows & orientation.fits
    decisions.append((Status.REF_MISMATCH, open_rows & ~scored))
    decided = _Decided(decisions, undecided)

    def why(status: Status, rows: Numbers, those: Alleles) -> pa.Array:
        return reasons_of(
            status,
            those,
            genome,
            max_allele_bp=max_allele_bp,
            allow_swapped=allow_swapped,
            looks_swapped=orientation.looks_swapped[rows],
        )

    # before alleles are turned and trimmed, so that a reason shows REF and ALT as they came
    reasons = decided.reasons(alleles, why)
    oriented = _oriented(alleles, orientation)
    final = _in_normal_form(oriented, scored, genome)
    return _harmonised_table(final, decided, reasons, orientation)


@dataclass(frozen=True)
class _Decided:
    """What became of each row, by the first decision that applies.

    Attributes:
        decisions: statuses and their rows, in order.
        undecided: rows of which the reader decided nothing.
    """

    decisions: list[Decision]
    undecided: Mask

    @cached_property
    def choice(self) -> Numbers:
        """Of each row the number of its decision; one more than the last where none applies."""
        masks = [rows for _, rows in self.decisions]
        numbers = list(range(len(masks)))
        return np.select(masks, numbers, default=len(masks))

    def status(self) -> pa.Array:
        """Of each row the status, ok where nothing applies."""
        names = [status.value for status, _ in self.decisions]
        names.append(Status.OK.value)
        return pa.array(names).take(pa.array(self.choice))

    def reasons(self, alleles: Alleles, why: _Why) -> pa.Array:
        """The reader's reasons, and why each other row that is not scored is not.

        Args:
            alleles: all.
            why: told a status, its rows, and the alleles in these; gives a text for each.
        """
        reasons = in_full(alleles.raw, "reason")
        is_found_wrong = self.undecided & (self.choice < len(self.decisions))
        # of most batches a handful, and only those are looked at
        rows_found = np.flatnonzero(is_found_wrong)
        numbers = self.choice[rows_found]
        for number, (status, _) in enumerate(self.decisions):
            rows = rows_found[numbers == number]
            if rows.size:
                mask = np.zeros(self.choice.size, dtype=bool)
                mask[rows] = True
                texts = why(status, rows, alleles.chosen(rows))
                reasons = pc.replace_with_mask(reasons, pa.array(mask), texts)
        return reasons


def _oriented(alleles: Alleles, orientation: Orientation) -> Alleles:
    """The alleles with REF and ALT exchanged where the genome has ALT."""
    if not orientation.swapped.any():
        return alleles
    mask = pa.array(orientation.swapped)
    ref = pc.if_else(mask, alleles.alt, alleles.ref)
    alt = pc.if_else(mask, alleles.ref, alleles.alt)
    return alleles.changed(alleles.start, ref, alt)


def _in_normal_form(
    alleles: Alleles,
    scored: Mask,
    genome: Genome,
) -> Alleles:
    """The alleles, those that are scored trimmed and left-aligned, contig by contig."""
    # single bases are in their normal form
    is_snv = (alleles.ref_bp == 1) & (alleles.alt_bp == 1)
    rows = np.flatnonzero(scored & ~is_snv)
    if not rows.size:
        return alleles
    start = alleles.start.copy()
    new_rows = []
    new_refs = []
    new_alts = []
    # contigs are large and mapped: each is opened once, whatever the order of the rows
    chrom = alleles.chrom.take(pa.array(rows))
    for contig, among in by_contig(chrom):
        here = rows[among]
        index = pa.array(here)
        ref = alleles.ref.take(index)
        alt = alleles.alt.take(index)
        form = normalise(start[here], ref, alt, genome.codes(contig))
        start[here] = form.start
        new_rows.append(here)
        new_refs.append(form.ref)
        new_alts.append(form.alt)
    # each row takes its letters from itself, or from the new ones, which are put behind all: of 4 rows of which 2 and 0
    # have new letters, from 5, 1, 4, 3
    source = np.arange(scored.size)
    changed_rows = np.concatenate(new_rows)
    source[changed_rows] = scored.size + np.arange(rows.size)
    index = pa.array(source)
    all_refs = pa.concat_arrays([alleles.ref, *new_refs])
    all_alts = pa.concat_arrays([alleles.alt, *new_alts])
    return alleles.changed(start, all_refs.take(index), all_alts.take(index))


def _harmonised_table(
    alleles: Alleles,
    decided: _Decided,
    reasons: pa.Array,
    orientation: Orientation,
) -> pa.Table:
    raw = alleles.raw
    undecided = decided.undecided
    status = pc.coalesce(in_full(raw, "status"), decided.status())
    is_without_place = bools(pc.is_in(status, _WITHOUT_PLACE))
    start = in_full(raw, "start")
    # a row without a position stays null, though the columns in NumPy have -1 there
    has_start = pc.is_valid(start)
    is_readable = pa.array(undecided)
    has_place = pa.array(undecided & ~is_without_place)
    both = [name for name in PLACED_SCHEMA.names if name in raw.column_names]
    as_read = {name: raw[name] for name in both}
    columns = {
        **as_read,
        "start": pc.if_else(has_start, pa.array(alleles.start), start),
        "status": status,
        "reason": reasons,
        "chrom": pc.if_else(has_place, alleles.chrom, None),
        "ref": pc.if_else(is_readable, alleles.ref, None),
        "alt": pc.if_else(is_readable, alleles.alt, None),
        "flags": _flags(alleles, orientation),
        "effect_sign": _effect_sign(alleles, orientation),
    }
    placed = pa.table(columns, schema=PLACED_SCHEMA)
    for name in kept_of(raw):
        role = kept_role(name)
        placed = placed.append_column(role, raw[role])
    return placed


def _flags(alleles: Alleles, orientation: Orientation) -> pa.Array:
    """A list for each row, of the flags in the order below.

    Of two rows, without a flag and with the first and third: is_set is [[F, F, F], [T, F, T]], number is [0, 2] and
    offsets are [0, 0, 2].
    """
    columns = {
        Flag.REF_SWAPPED: orientation.swapped,
        Flag.STRAND_AMBIGUOUS: orientation.palindromic,
        Flag.AMBIGUOUS_ORDER: orientation.ambiguous,
        Flag.ID_DISAGREES: alleles.is_marked("id_disagrees"),
        Flag.MINUS_STRAND: alleles.is_marked("minus_strand"),
        Flag.END_DISAGREES: alleles.is_marked("end_disagrees"),
        Flag.EFFECT_UNMATCHED: _names_neither(alleles) & orientation.fits,
    }
    number = np.zeros(0, dtype=np.int64)
    offsets = np.zeros(orientation.swapped.size + 1, dtype=np.int32)
    # of most batches none is set
    if any(rows.any() for rows in columns.values()):
        masks = list(columns.values())
        is_set = np.stack(masks, axis=1)
        number = np.nonzero(is_set)[1]
        flags_of_each = is_set.sum(axis=1)
        np.cumsum(flags_of_each, out=offsets[1:])
    names = pa.array([flag.value for flag in columns])
    flags = names.take(pa.array(number))
    return pa.ListArray.from_arrays(pa.array(offsets), flags)


def _names_neither(alleles: Alleles) -> Mask:
    """Rows with an effect allele that is neither of their two."""
    # null where no effect allele is named, which is no mismatch
    is_neither = pc.equal(alleles.effect, 0)
    return bools(pc.fill_null(is_neither, False))


def _effect_sign(alleles: Alleles, orientation: Orientation) -> pa.Array:
    """1 or -1 as the effect allele is `alt` or `ref`; where none is named, -1 if the alleles changed places.

    Where neither of both is the effect allele there is no sign: a swap says nothing of an effect that is of another.
    """
    swapped = orientation.swapped
    turn = np.where(swapped, -1, 1).astype(np.int8)
    named = pc.multiply(alleles.effect, pa.array(turn))
    # without an effect allele a swap still turns the score: the input's ALT is the genome's REF now
    unnamed = pc.if_else(pa.array(swapped), _MINUS, _NO_SIGN)
    sign = pc.cast(pc.coalesce(named, unnamed), pa.int8())
    has_sign = orientation.fits & ~_names_neither(alleles)
    return pc.if_else(pa.array(has_sign), sign, _NO_SIGN)
