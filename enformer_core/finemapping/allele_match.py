"""Rows of summary statistics beside the alleles of a run: which is which, in which form, and what is left out.

The forms in which a row is looked for are those of `allele_forms`. Where two of contrary sign fit, one rule for the
whole file decides. Does not know scores, nor what is said to a user.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from enformer_core.finemapping.allele_forms import (
    FIRST_TURNED,
    SIGNS,
    allele_forms,
    are_indels,
    are_palindromic,
)
from enformer_core.finemapping.allele_index import AlleleIndex
from enformer_core.finemapping.orientation_report import OrientationReport
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.finemapping.sumstats import Sumstats
from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.genome.fasta import Genome
from enformer_core.variants.arrow import Mask, Numbers
from enformer_core.variants.written_order import says_nothing

Ambiguous = Literal["majority", "keep", "drop"]
"""What becomes of alleles whose strand nothing shows: what the file's other rows are, as written, or left out."""

OfForms = Bool[np.ndarray, "4 rows"]
Kept = Int64[np.ndarray, " kept"]

_FEW = 0.01
"""Part of a file's rows on the other strand up to which it counts as on the genome's strand, as a whole."""


@dataclass(frozen=True)
class AlleleMatch:
    """The usable rows of sumstats beside the alleles of a run.

    Attributes:
        usable: which rows of the sumstats they are.
        rows: themselves.
        chrom: the run's names of their contigs; null for others.
        form: in which each is an allele of the run.
        allele: which one; what stands there of rows that are none, or left out, says nothing.
        is_in_run: whether they are alleles of the run, in any form.
        is_at_place: whether the run has an allele at their place.
        is_open: whether nothing but the rule for the whole file says in which form.
        dropped: which are left out by that, by why they are.
        is_duplicate: whether an earlier row is the same allele.
        kept: the rows that stay, by their place among the usable ones.
    """

    usable: Numbers
    rows: Sumstats
    chrom: pa.Array
    form: Numbers
    allele: Numbers
    is_in_run: Mask
    is_at_place: Mask
    is_open: Mask
    dropped: Mapping[str, Mask]
    is_duplicate: Mask
    kept: Kept

    @staticmethod
    def of(
        sumstats: Sumstats,
        alleles: RunAlleles,
        genome: Genome | None,
        ambiguous: Ambiguous,
    ) -> "AlleleMatch":
        """Look for the usable rows; see `orientation.orient` for the arguments."""
        usable = np.flatnonzero(sumstats.is_usable)
        rows = sumstats.taken(usable)
        chrom = _contigs(rows, alleles)
        index = AlleleIndex.of(alleles)
        forms = [index.found(chrom, form) for form in allele_forms(rows, chrom, genome)]
        found = np.stack(forms)
        is_found = found >= 0
        is_in_run = np.logical_or.reduce(is_found, axis=0)
        # of each row the first form that the run has
        form = is_found.argmax(axis=0)
        doubt = _Doubt.of(rows, is_found, form)
        form = doubt.decided(form, ambiguous)
        dropped = doubt.dropped(ambiguous)
        allele = np.take_along_axis(found, form[None, :], axis=0)[0]
        # forms 0 and 3 of a palindrome are one allele, which is found under both
        stays = is_in_run & ~_any_of(dropped)
        is_first = _firsts(allele, stays)
        return AlleleMatch(
            usable=usable,
            rows=rows,
            chrom=chrom,
            form=form,
            allele=allele,
            is_in_run=is_in_run,
            is_at_place=index.has_place(chrom, rows.pos),
            is_open=doubt.is_open,
            dropped=dropped,
            is_duplicate=stays & ~is_first,
            kept=np.flatnonzero(stays & is_first),
        )

    @property
    def is_dropped(self) -> Mask:
        """Whether rows are left out, for any reason."""
        return _any_of(self.dropped)

    def report(self, sumstats: Sumstats, alleles: RunAlleles) -> OrientationReport:
        """How many rows there are of each kind."""
        of_forms = np.bincount(self.form[self.kept], minlength=len(SIGNS)).tolist()
        as_written, swapped, turned, turned_and_swapped = of_forms
        matched = self.kept.size
        return OrientationReport(
            rows=len(sumstats),
            matched=matched,
            as_written=as_written,
            swapped=swapped,
            turned=turned,
            turned_and_swapped=turned_and_swapped,
            ambiguous_kept=int(self.is_open[self.kept].sum()),
            ambiguous_dropped=int(self.is_dropped.sum()),
            unusable=len(sumstats) - self.usable.size,
            not_in_run=int((~self.is_in_run).sum()),
            other_alleles=int((self.is_at_place & ~self.is_in_run).sum()),
            duplicates=int(self.is_duplicate.sum()),
            alleles=len(alleles),
            not_in_sumstats=len(alleles) - matched,
        )


def _any_of(masks: Mapping[str, Mask]) -> Mask:
    return np.logical_or.reduce([*masks.values()])


def _contigs(
    rows: Sumstats,
    alleles: RunAlleles,
) -> pa.Array:
    """The run's names of the rows' contigs; null for others."""
    coded = rows.chrom.dictionary_encode()
    names = coded.dictionary.to_pylist()
    own = reconcile_contigs(names, dict.fromkeys(pc.unique(alleles.column("chrom")).to_pylist(), 0))
    renamed = pa.array([own.get(name) for name in names], pa.string())
    return renamed.take(coded.indices)


@dataclass(frozen=True)
class _Doubt:
    """Rows of which two forms of contrary sign are alleles of the run, and what the others say of strand and order.

    Attributes:
        is_palindrome: A/T, C/G and their like, in the run.
        is_either_order: indels of which the run has both orders.
        turned_share: of the substitutions that show their strand, the part on the other one; None where there is none.
        is_in_no_order: whether the same show that the written order does not say which allele is REF.
    """

    is_palindrome: Mask
    is_either_order: Mask
    turned_share: float | None
    is_in_no_order: bool

    @staticmethod
    def of(
        rows: Sumstats,
        is_found: OfForms,
        form: Numbers,
    ) -> "_Doubt":
        is_in_run = is_found.any(axis=0)
        is_indel = are_indels(rows)
        is_palindrome = are_palindromic(rows) & ~is_indel & is_in_run
        shows_strand = is_in_run & ~is_indel & ~is_palindrome
        shown = form[shows_strand]
        signs = np.array(SIGNS)[shown]
        return _Doubt(
            is_palindrome,
            is_indel & is_found[0] & is_found[1],
            turned_share=_share(shown >= FIRST_TURNED),
            is_in_no_order=says_nothing(int((signs < 0).sum()), signs.size),
        )

    @property
    def is_open(self) -> Mask:
        return self.is_palindrome | self.is_either_order

    def decided(
        self,
        form: Numbers,
        ambiguous: Ambiguous,
    ) -> Numbers:
        """The forms, of palindromes those of the other strand where the file is on that."""
        is_turned_file = self.turned_share is not None and self.turned_share >= 1 - _FEW
        if ambiguous != "majority" or not is_turned_file:
            return form
        # as written becomes turned and, since it is a palindrome, swapped: 0 is 3, and 1 is 2
        return np.where(self.is_palindrome, 3 - form, form)

    def dropped(
        self,
        ambiguous: Ambiguous,
    ) -> dict[str, Mask]:
        """Which rows of the run's alleles are left out, by why they are."""
        nothing_said = "--ambiguous drop"
        of_strand = "the file's others are of both strands"
        of_order = (
            "others of the file are swapped, so that its order does not say which allele is REF"
        )
        if ambiguous == "drop":
            return {nothing_said: self.is_open}
        is_majority = ambiguous == "majority"
        is_mixed = self.turned_share is not None and _FEW < self.turned_share < 1 - _FEW
        return {
            of_strand: self.is_palindrome & (is_majority and is_mixed),
            of_order: self.is_either_order & (is_majority and self.is_in_no_order),
        }


def _share(is_so: Mask) -> float | None:
    return float(is_so.mean()) if is_so.size else None


def _firsts(
    allele: Numbers,
    stays: Mask,
) -> Mask:
    """Whether each row that stays is the first of its allele."""
    rows = np.flatnonzero(stays)
    _, at = np.unique(allele[rows], return_index=True)
    is_first = np.zeros(stays.size, dtype=bool)
    is_first[rows[at]] = True
    return is_first
