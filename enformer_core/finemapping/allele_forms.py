"""The ways in which two alleles of a study can be one allele of a run: in both orders, on either strand.

A study says of each row which allele the effect is of, seldom which the genome has, and sometimes neither strand. Of
other allele O and effect allele E, with o and e on the other strand:

    form       REF/ALT   sign of ALT's effect
    0          O/E        1   as written
    1          E/O       -1   swapped
    2          o/e        1   on the other strand
    3          e/o       -1   both

Single bases need no genome for it. Longer alleles are trimmed, and where the genome is at hand left-aligned as those of
a run are; an indel is looked for on the strand that the file says only.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.finemapping.sumstats import Sumstats
from enformer_core.genome.fasta import Genome
from enformer_core.genome.reference_match import by_contig, genome_has
from enformer_core.variants.allele_keys import trimmed
from enformer_core.variants.arrow import Mask, Numbers
from enformer_core.variants.normalise import normalise
from enformer_core.variants.strands import reverse_complements

Chosen = Int64[np.ndarray, " chosen"]
"""Numbers of some rows."""

SIGNS = (1, -1, 1, -1)
"""Of each form, what an effect of the effect allele is multiplied by to be one of ALT."""

FIRST_TURNED = 2
"""The first of the forms that are of the other strand."""


@dataclass(frozen=True)
class AlleleForm:
    """All rows of a study, read in one of the four ways.

    Attributes:
        pos: counts from 1, of the normal form.
        ref: letters.
        alt: letters.
        is_possible: whether each row can be read so.
    """

    pos: Numbers
    ref: pa.Array
    alt: pa.Array
    is_possible: Mask


def allele_forms(
    sumstats: Sumstats,
    chrom: pa.Array,
    genome: Genome | None,
) -> Iterator[AlleleForm]:
    """The four forms of usable rows, in the order above.

    Args:
        sumstats: rows whose alleles are letters.
        chrom: the genome's names of their contigs; null for none of its own.
        genome: for the normal form of indels; without it they are trimmed as they are written.
    """
    other = sumstats.other_allele
    effect = sumstats.effect_allele
    is_indel = _bp(other) != _bp(effect)
    may_be = np.ones(is_indel.size, dtype=bool)
    may_swap = may_be
    if sumstats.effect_is_ref is not None:
        # where REF is declared an insertion is no deletion; of single bases the letters tell
        may_be = ~is_indel | ~sumstats.effect_is_ref
        may_swap = ~is_indel | sumstats.effect_is_ref
    places = _Places(chrom, sumstats.pos, genome)
    yield places.form(other, effect, may_be)
    yield places.form(effect, other, may_swap)
    turned_other = reverse_complements(other)
    turned_effect = reverse_complements(effect)
    yield places.form(turned_other, turned_effect, ~is_indel)
    yield places.form(turned_effect, turned_other, ~is_indel)


def are_palindromic(sumstats: Sumstats) -> Mask:
    """Whether the other strand has the same two alleles, exchanged: A/T, C/G, AC/GT."""
    turned = reverse_complements(sumstats.other_allele)
    return np.asarray(pc.equal(turned, sumstats.effect_allele), dtype=bool)


def are_indels(sumstats: Sumstats) -> Mask:
    """Whether both alleles are of two lengths."""
    return _bp(sumstats.other_allele) != _bp(sumstats.effect_allele)


def _bp(letters: pa.Array) -> Numbers:
    return np.asarray(pc.binary_length(letters), dtype=np.int64)


@dataclass(frozen=True)
class _Places:
    """Where rows are, and the genome that has letters there.

    Attributes:
        chrom: the genome's names of contigs; null for none of its own.
        pos: counts from 1, as written.
        genome: None where it is not at hand.
    """

    chrom: pa.Array
    pos: Numbers
    genome: Genome | None

    def form(
        self,
        ref: pa.Array,
        alt: pa.Array,
        may_be: Mask,
    ) -> AlleleForm:
        """Alleles in their normal form; where the genome has other letters than REF, a long allele has none.

        Args:
            ref: of each row.
            alt: likewise.
            may_be: rows that may be read so.
        """
        may_be = may_be & np.asarray(pc.is_valid(self.chrom), dtype=bool)
        # single bases are in their normal form
        is_long = (_bp(ref) > 1) | (_bp(alt) > 1)
        rows = np.flatnonzero(is_long & may_be)
        if self.genome is not None and rows.size:
            taken = pa.array(rows)
            fits = genome_has(
                self.genome, self.chrom.take(taken), self.pos[rows] - 1, ref.take(taken)
            )
            rows = rows[fits]
        if not rows.size:
            return AlleleForm(
                self.pos,
                ref,
                alt,
                may_be & ~is_long,
            )
        pos, new_ref, new_alt = self._normal(rows, ref, alt)
        is_new = np.zeros(may_be.size, dtype=bool)
        is_new[rows] = True
        mask = pa.array(is_new)
        return AlleleForm(
            pos,
            pc.replace_with_mask(ref, mask, new_ref),
            pc.replace_with_mask(alt, mask, new_alt),
            may_be & (is_new | ~is_long),
        )

    def _normal(
        self, rows: Chosen, ref: pa.Array, alt: pa.Array
    ) -> tuple[Numbers, pa.Array, pa.Array]:
        """Places of all rows, and the new letters of these."""
        taken = pa.array(rows)
        letters = (ref.take(taken), alt.take(taken))
        of_rows = self.pos[rows]
        if self.genome is None:
            new_pos, new_ref, new_alt = _trimmed(of_rows, *letters)
        else:
            chrom = self.chrom.take(taken)
            new_pos, new_ref, new_alt = _left_aligned(
                chrom,
                of_rows,
                *letters,
                self.genome,
            )
        moved = self.pos.copy()
        moved[rows] = new_pos
        return moved, new_ref, new_alt


def _trimmed(
    pos: Numbers,
    ref: pa.Array,
    alt: pa.Array,
) -> tuple[Numbers, pa.Array, pa.Array]:
    """Without the bases that both share; of most files few rows come here."""
    each = zip(
        pos.tolist(),
        ref.to_pylist(),
        alt.to_pylist(),
        strict=True,
    )
    forms = [trimmed(at, one, other) for at, one, other in each]
    positions, refs, alts = zip(*forms, strict=True)
    return np.array(positions), pa.array(refs), pa.array(alts)


def _left_aligned(
    chrom: pa.Array,
    pos: Numbers,
    ref: pa.Array,
    alt: pa.Array,
    genome: Genome,
) -> tuple[Numbers, pa.Array, pa.Array]:
    """Normal forms, contig by contig, in the order of the rows."""
    order = []
    positions = []
    refs = []
    alts = []
    for contig, rows in by_contig(chrom):
        taken = pa.array(rows)
        form = normalise(
            pos[rows] - 1,
            ref.take(taken),
            alt.take(taken),
            genome.codes(contig),
        )
        order.append(rows)
        positions.append(form.start + 1)
        refs.append(form.ref)
        alts.append(form.alt)
    # rows 0, 2 on chr1 and 1 on chr2 stand as 0, 2, 1: their places in that order are 0, 2, 1
    back = np.argsort(np.concatenate(order))
    taken = pa.array(back)
    in_order = np.concatenate(positions)[back]
    return in_order, pa.concat_arrays(refs).take(taken), pa.concat_arrays(alts).take(taken)
