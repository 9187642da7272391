"""Every allele gets its contig on the genome, a status and its normal form; which of two is REF, the genome decides.

Works on columns. Does not know files; `alleles` decides what can be said without the genome's letters.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import decode
from enformer_core.genome.fasta import Genome
from enformer_core.genome.reference_match import by_contig, genome_has
from enformer_core.variants.allele_checks import (
    Alleles,
    are,
    bools,
    contigs_of,
    in_full,
    short,
    some,
    why_bad,
)
from enformer_core.variants.normalise import normalise
from enformer_core.variants.table import PLACED_SCHEMA, Flag, Status

_PALINDROMES = ("AT", "TA", "CG", "GC")


@dataclass(frozen=True)
class Order:
    """Which of both alleles the genome has, of the rows that can be looked up; False elsewhere.

    Attributes:
        ref_fits: the genome has REF.
        swapped: it has ALT and not REF.
        ambiguous: it has both, and the input does not say which is REF.
        strand: a pair that looks the same on the other strand, likewise.
        looks_swapped: the genome has all of ALT, and not REF, which was declared: no proof, but worth saying.
    """

    ref_fits: Bool[np.ndarray, " rows"]
    swapped: Bool[np.ndarray, " rows"]
    ambiguous: Bool[np.ndarray, " rows"]
    strand: Bool[np.ndarray, " rows"]
    looks_swapped: Bool[np.ndarray, " rows"]

    @staticmethod
    def of(
        alleles: Alleles,
        open_rows: Bool[np.ndarray, " rows"],
        genome: Genome,
        *,
        allow_swapped: bool,
    ) -> "Order":
        """Look the alleles up."""
        ref_fits = has_letters(alleles, alleles.ref, open_rows, genome)
        free = open_rows & ~alleles.declared
        longer = free & ref_fits & (alleles.ref_bp != alleles.alt_bp)
        alt_fits = has_letters(alleles, alleles.alt, (open_rows & ~ref_fits) | longer, genome)
        may_swap = ~ref_fits & (~alleles.declared | allow_swapped)
        strand = free & (alleles.ref_bp == 1) & (alleles.alt_bp == 1)
        if strand.any():
            pairs = pc.binary_join_element_wise(alleles.ref, alleles.alt, "")
            strand &= bools(pc.is_in(pairs, pa.array(_PALINDROMES)))
        looks_swapped = alt_fits & ~ref_fits & ~may_swap & (alleles.alt_bp >= alleles.ref_bp)
        return Order(ref_fits, alt_fits & may_swap, longer & alt_fits, strand, looks_swapped)


def has_letters(
    alleles: Alleles, letters: pa.Array, rows: Bool[np.ndarray, " rows"], genome: Genome
) -> Bool[np.ndarray, " rows"]:
    """Whether the genome has these letters, of the chosen rows; False elsewhere."""
    found = np.zeros(rows.size, dtype=bool)
    if rows.any():
        mask = pa.array(rows)
        found[rows] = genome_has(
            genome, alleles.chrom.filter(mask), alleles.start[rows], letters.filter(mask)
        )
    return found


def place_alleles(
    raw: pa.Table,
    genome: Genome,
    *,
    max_allele_bp: int,
    allow_swapped: bool = False,
    refuse_wrong_genome: bool = True,
) -> pa.Table:
    """Set contig, status, flags and, of alleles that are scored, the normal form; `ref` is what the genome has.

    The first that applies, of: what the reader decided, unknown_contig, out_of_bounds, no_alt, symbolic, bad_allele,
    too_long, ref_mismatch, ok. So a symbolic allele keeps its place. Letters count in either case. Where
    the genome has ALT and not REF they change places (`ref_swapped`), if the input does not declare which is which, or
    by `allow_swapped`; where it has neither it is a ref_mismatch.

    Args:
        raw: alleles as `sources.Source.batches` gives them, any part of a file.
        genome: contigs are read one after another.
        max_allele_bp: longest REF or ALT that is scored, without what both share.
        allow_swapped: whether that may happen too where the input declares REF.
        refuse_wrong_genome: whether to stop where `raw` holds nothing that fits; for whole files only. For batches, see
            `assembly.check_assembly`.

    Returns:
        The same rows in the same order, of PLACED_SCHEMA.

    Raises:
        InputError: when an input file shares no contig with the genome, or not one of its REFs agrees with it.
    """
    undecided = bools(pc.is_null(in_full(raw, "status")))
    chrom = contigs_of(raw, undecided, genome.contigs)
    if refuse_wrong_genome:
        _refuse_strange_contigs(raw, undecided, chrom, genome)
    alleles = Alleles.of(raw, chrom, genome.contigs)
    decisions = alleles.decisions(max_allele_bp)
    open_rows = undecided & ~np.any([rows for _, rows in decisions], axis=0)
    order = Order.of(alleles, open_rows, genome, allow_swapped=allow_swapped)
    if refuse_wrong_genome:
        _refuse_wrong_genome(alleles, open_rows, order, genome)
    scored = open_rows & (order.ref_fits | order.swapped)
    final = _normal(alleles, order, scored, genome)
    return _placed(
        final, undecided, [*decisions, (Status.REF_MISMATCH, open_rows & ~scored)], order
    )


def _normal(
    alleles: Alleles, order: Order, scored: Bool[np.ndarray, " rows"], genome: Genome
) -> Alleles:
    """The alleles in the genome's order, those that are scored in their normal form."""
    ref, alt = alleles.ref, alleles.alt
    if order.swapped.any():
        mask = pa.array(order.swapped)
        ref, alt = pc.if_else(mask, alt, ref), pc.if_else(mask, ref, alt)
    rows = np.flatnonzero(scored & ((alleles.ref_bp > 1) | (alleles.alt_bp > 1)))
    if not rows.size:
        return alleles.changed(alleles.start, ref, alt)
    start = alleles.start.copy()
    new_ref, new_alt = [], []
    picked = []
    for contig, among in by_contig(alleles.chrom.take(pa.array(rows))):
        here = rows[among]
        form = normalise(
            start[here], ref.take(pa.array(here)), alt.take(pa.array(here)), genome.codes(contig)
        )
        start[here] = form.start
        picked.append(here)
        new_ref.append(form.ref)
        new_alt.append(form.alt)
    source = np.arange(scored.size)
    source[np.concatenate(picked)] = scored.size + np.arange(rows.size)
    index = pa.array(source)
    return alleles.changed(
        start,
        pa.concat_arrays([ref, *new_ref]).take(index),
        pa.concat_arrays([alt, *new_alt]).take(index),
    )


def _placed(
    alleles: Alleles,
    undecided: Bool[np.ndarray, " rows"],
    decisions: list[tuple[Status, Bool[np.ndarray, " rows"]]],
    order: Order,
) -> pa.Table:
    names = pa.array([status.value for status, _ in decisions] + [Status.OK.value])
    choice = np.select([rows for _, rows in decisions], list(range(len(decisions))), len(decisions))
    status = pc.coalesce(in_full(alleles.raw, "status"), names.take(pa.array(choice)))
    has_place = ~bools(
        pc.is_in(status, pa.array([Status.UNKNOWN_CONTIG.value, Status.OUT_OF_BOUNDS.value]))
    )
    bad = undecided & are(status, Status.BAD_ALLELE.value)
    kept = {
        name: alleles.raw[name] for name in PLACED_SCHEMA.names if name in alleles.raw.column_names
    }
    given = in_full(alleles.raw, "start")
    columns = {
        **kept,
        "start": pc.if_else(pc.is_valid(given), pa.array(alleles.start), given),
        "status": status,
        "reason": _with_swapped(_with_bad_alleles(alleles, bad), order),
        "chrom": pc.if_else(pa.array(undecided & has_place), alleles.chrom, None),
        "ref": pc.if_else(pa.array(undecided), alleles.ref, None),
        "alt": pc.if_else(pa.array(undecided), alleles.alt, None),
        "flags": _flags(order),
        "effect_sign": _effect_sign(alleles, order),
    }
    return pa.table(columns, schema=PLACED_SCHEMA)


def _flags(order: Order) -> pa.Array:
    """A list for each row, of the flags in the order below."""
    columns = {
        Flag.REF_SWAPPED: order.swapped,
        Flag.STRAND_AMBIGUOUS: order.strand,
        Flag.AMBIGUOUS_ORDER: order.ambiguous,
    }
    rows = order.ref_fits.size
    which, offsets = np.zeros(0, dtype=np.int64), np.zeros(rows + 1, dtype=np.int32)
    if any(is_set.any() for is_set in columns.values()):
        set_flags = np.stack(list(columns.values()), axis=1)
        which = np.nonzero(set_flags)[1]
        np.cumsum(set_flags.sum(axis=1), out=offsets[1:])
    names = pa.array([flag.value for flag in columns])
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(which)))


def _effect_sign(alleles: Alleles, order: Order) -> pa.Array:
    """1 or -1 as the effect allele is `alt` or `ref`; where none is named, -1 if the alleles changed places."""
    known = order.ref_fits | order.swapped
    turned = pa.array(np.where(order.swapped, -1, 1).astype(np.int8))
    effect = alleles.effect
    unnamed = pc.if_else(
        pa.array(order.swapped), pa.scalar(-1, pa.int8()), pa.scalar(None, pa.int8())
    )
    sign = pc.coalesce(pc.multiply(effect, turned), unnamed)
    return pc.if_else(pa.array(known), pc.cast(sign, pa.int8()), pa.scalar(None, pa.int8()))


def _with_bad_alleles(alleles: Alleles, bad: Bool[np.ndarray, " rows"]) -> pa.Array:
    """The reader's reasons, and why each bad allele is one."""
    reasons = in_full(alleles.raw, "reason")
    if not bad.any():
        return reasons
    mask = pa.array(bad)
    pairs = zip(
        alleles.ref.filter(mask).to_pylist(), alleles.alt.filter(mask).to_pylist(), strict=True
    )
    return pc.replace_with_mask(reasons, mask, pa.array([why_bad(ref, alt) for ref, alt in pairs]))


def _with_swapped(reasons: pa.Array, order: Order) -> pa.Array:
    """Reasons, and what mismatches look like."""
    if not order.looks_swapped.any():
        return reasons
    return pc.if_else(
        pa.array(order.looks_swapped),
        "the genome has ALT here, not REF: see --allow-swapped",
        reasons,
    )


def _refuse_strange_contigs(
    raw: pa.Table, undecided: Bool[np.ndarray, " rows"], chrom: pa.Array, genome: Genome
) -> None:
    known = bools(pc.is_valid(chrom))
    for file, rows in _by_file(raw, undecided):
        if not known[rows].any():
            theirs = pc.unique(in_full(raw, "input_chrom").filter(pa.array(rows))).to_pylist()
            raise InputError(
                f"{file}: shares no contig with {genome.path.name}. It has {some(theirs)}; the genome has "
                f"{some(list(genome.contigs))}. Give the genome it was made for, or rename its contigs."
            )


def _refuse_wrong_genome(
    alleles: Alleles, checked: Bool[np.ndarray, " rows"], order: Order, genome: Genome
) -> None:
    for file, rows in _by_file(alleles.raw, checked):
        declared = rows & alleles.declared
        fits = order.ref_fits | (order.swapped & ~declared)
        if not fits[rows].any():
            first = int(np.flatnonzero(rows)[0])
            start, ref_bp = int(alleles.start[first]), int(alleles.ref_bp[first])
            there = decode(genome.fetch(alleles.chrom[first].as_py(), start, start + ref_bp))
            total = int(rows.sum())
            raise InputError(
                f"{file}: 0 of {total:,} REF alleles agree with {genome.path.name}, for example {alleles.name(first)}: "
                f"the reference has {short(there)} here. "
                "Was this file made for this assembly, with REF and ALT in this order?"
            )


def _by_file(
    raw: pa.Table, rows: Bool[np.ndarray, " rows"]
) -> list[tuple[str, Bool[np.ndarray, " rows"]]]:
    """Those of the rows that belong to each input file; files without any are left out."""
    files = pc.unique(raw["input_file"].filter(pa.array(rows))).to_pylist()
    if len(files) == 1:
        return [(files[0], rows)]
    return [(file, rows & are(in_full(raw, "input_file"), file)) for file in files]
