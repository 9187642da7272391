"""Rows of summary statistics matched with the alleles of a run, and their effects turned to the run's ALT.

    oriented = orient(sumstats, alleles, genome=genome)
    z_of_alt = sumstats.z[oriented.row] * oriented.sign

The forms in which a row is looked for are those of `allele_forms`. What cannot be told is decided by one rule for the
whole file, and everything is counted. Does not know scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int8

from enformer_core.errors import InputError
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
from enformer_core.user_path import one_line
from enformer_core.variants.arrow import Mask, Numbers
from enformer_core.variants.written_order import says_nothing
from enformer_core.words import agreeing, counted

Ambiguous = Literal["majority", "keep", "drop"]
"""What becomes of alleles whose strand nothing shows: what the file's other rows are, as written, or left out."""

Signs = Int8[np.ndarray, " rows"]
OfForms = Bool[np.ndarray, "4 rows"]

_FEW = 0.01
"""Part of a file's rows on the other strand up to which it counts as on the genome's strand, as a whole."""

_NAMED = 3
"""Of rows that are left out, how many are called by name."""

_SCANTY = 0.1
"""Part of the smaller of both sets below which a match is so scanty that something is probably wrong."""


@dataclass(frozen=True)
class Oriented:
    """Which row of the sumstats is which allele of the run, in the order of the sumstats.

    Attributes:
        row: of the sumstats.
        allele: of the run.
        sign: 1 where the effect allele is the run's ALT, -1 where it is REF.
        is_turned: whether the row has the letters of the other strand.
        fate: what became of every row of the sumstats: `scored` of those above, `not_in_run`, `ambiguous` of rows that
            are left out as such, `duplicate`, or the status of a row that is of no use.
        report: the counts.
        notes: what a user should know, in sentences.
    """

    row: Numbers
    allele: Numbers
    sign: Signs
    is_turned: Mask
    fate: pa.Array
    report: OrientationReport
    notes: tuple[str, ...] = ()


def orient(
    sumstats: Sumstats,
    alleles: RunAlleles,
    *,
    genome: Genome | None = None,
    ambiguous: Ambiguous = "majority",
    remedy: str = "; --ambiguous keep takes them as written",
) -> Oriented:
    """Match the usable rows of sumstats with the alleles of a run.

    A/T, C/G and their like are the same alleles on both strands, with the effects exchanged. By `majority` they are
    taken as the file's other substitutions are: where at most 1 % of those are on the other strand, as written; where
    at most 1 % are not, as of the other strand; else they are left out, as by `drop`. By `keep` they are as written.
    An indel of which the run has both orders, and the file declares no REF, is taken as written where at most 1 % of
    the substitutions are swapped: else the written order means nothing, and it is left out, as by `drop`.

    Args:
        sumstats: all rows of a file.
        alleles: of the run.
        genome: of the run, for the normal form of indels; without it they are found as far as trimming goes.
        ambiguous: what becomes of alleles whose strand, or order, nothing shows.
        remedy: what is said to a user where some are left out.

    Raises:
        InputError: when no row is an allele of the run, with what that looks like.
    """
    usable = np.flatnonzero(sumstats.is_usable)
    rows = sumstats.taken(usable)
    chrom = _contigs(rows, alleles)
    index = AlleleIndex.of(alleles)
    forms = [index.found(chrom, form) for form in allele_forms(rows, chrom, genome)]
    found = np.stack(forms)
    is_found = found >= 0
    is_in_run = is_found.any(axis=0)
    # of each row the first form that the run has
    form = is_found.argmax(axis=0)
    at_place = index.has_place(chrom, rows.pos)
    doubt = _Doubt.of(rows, is_found, form)
    form = doubt.decided(form, ambiguous)
    dropped = doubt.dropped(ambiguous)
    is_dropped = np.logical_or.reduce([*dropped.values()])
    allele = np.take_along_axis(found, form[None, :], axis=0)[0]
    # forms 0 and 3 of a palindrome are one allele, which is found under both
    stays = is_in_run & ~is_dropped
    is_first = _firsts(allele, stays)
    kept = np.flatnonzero(stays & is_first)
    of_forms = np.bincount(form[kept], minlength=len(SIGNS)).tolist()
    as_written, swapped, turned, turned_and_swapped = of_forms
    report = OrientationReport(
        rows=len(sumstats),
        matched=kept.size,
        as_written=as_written,
        swapped=swapped,
        turned=turned,
        turned_and_swapped=turned_and_swapped,
        ambiguous_kept=int(doubt.is_open[kept].sum()),
        ambiguous_dropped=int(is_dropped.sum()),
        unusable=len(sumstats) - usable.size,
        not_in_run=int((~is_in_run).sum()),
        other_alleles=int((at_place & ~is_in_run).sum()),
        duplicates=int((stays & ~is_first).sum()),
        alleles=len(alleles),
        not_in_sumstats=len(alleles) - kept.size,
    )
    _check_any(
        sumstats,
        alleles,
        report,
        chrom,
        remedy,
    )
    return Oriented(
        row=usable[kept],
        allele=allele[kept],
        sign=np.array(SIGNS, dtype=np.int8)[form[kept]],
        is_turned=form[kept] >= FIRST_TURNED,
        fate=_fates(
            sumstats,
            usable,
            not_in_run=np.logical_not(is_in_run),
            ambiguous=is_in_run & is_dropped,
            duplicate=stays & ~is_first,
        ),
        report=report,
        notes=_notes(
            sumstats,
            report,
            has_genome=genome is not None,
            rows=rows,
            dropped=dropped,
            remedy=remedy,
        ),
    )


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


def _fates(
    sumstats: Sumstats,
    usable: Numbers,
    **of_usable: Mask,
) -> pa.Array:
    """What became of every row, in words: of usable ones the name of the mask that has them, else `scored`."""
    fates = np.array(sumstats.status.to_pylist(), dtype=object)
    fates[usable] = "scored"
    for name, is_so in of_usable.items():
        fates[usable[is_so]] = name
    return pa.array(fates, pa.string())


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


def _check_any(
    sumstats: Sumstats,
    alleles: RunAlleles,
    report: OrientationReport,
    chrom: pa.Array,
    remedy: str,
) -> None:
    if report.matched:
        return
    said = f"{sumstats.name}: none of its {counted(report.rows, 'rows')} is an allele of {alleles.location}"
    if report.unusable == report.rows:
        raise InputError(f"{said}: {'; '.join(sumstats.notes())}")
    if chrom.null_count == len(chrom):
        theirs = ", ".join(map(str, pc.unique(sumstats.chrom).to_pylist()[:5]))
        own = ", ".join(map(str, pc.unique(alleles.column("chrom")).to_pylist()[:5]))
        raise InputError(f"{said}: it has the contigs {theirs}, the run {own}")
    if report.ambiguous_dropped:
        raise InputError(
            f"{said} once {counted(report.ambiguous_dropped, 'rows')} whose strand or order nothing shows are left "
            f"out{remedy}"
        )
    raise InputError(
        f"{said}, and {report.other_alleles:,} are at a place of the run, with other alleles. Are the positions of "
        "another assembly than the run's genome?"
    )


def _notes(
    sumstats: Sumstats,
    report: OrientationReport,
    *,
    has_genome: bool,
    rows: Sumstats,
    dropped: Mapping[str, Mask],
    remedy: str,
) -> tuple[str, ...]:
    """What a user should know of the match."""
    said = []
    may_match = report.may_match
    if report.matched < _SCANTY * may_match:
        said.append(
            f"only {report.matched:,} of {may_match:,} that could be are the same alleles in both; "
            f"{report.other_alleles:,} rows are at a place of the run with other alleles. Are the positions of "
            "another assembly than the run's genome?"
        )
    for why, is_left_out in dropped.items():
        here = np.flatnonzero(is_left_out)
        if here.size:
            are = agreeing(here.size, "is", "are")
            said.append(
                f"{counted(here.size, 'rows')} whose strand or order nothing shows {are} left out "
                f"({_called(rows, here)}): {why}{remedy}"
            )
    if not has_genome and are_indels(rows).any():
        said.append(
            "the run's genome is not at its place: indels are matched as they are written, trimmed; --genome FILE "
            "names it"
        )
    return tuple(f"{sumstats.name}: {text}" for text in said)


def _called(
    rows: Sumstats,
    chosen: Numbers,
) -> str:
    """The first of some rows by their names, `rs1, rs2 and 5 more`."""
    first = rows.taken(chosen[:_NAMED])
    both = zip(
        first.id.to_pylist(),
        first.chrom.to_pylist(),
        first.pos.tolist(),
        first.other_allele.to_pylist(),
        first.effect_allele.to_pylist(),
        strict=True,
    )
    names = [name or f"{chrom}:{pos}:{other}:{effect}" for name, chrom, pos, other, effect in both]
    more = chosen.size - len(names)
    behind = f" and {more:,} more" if more else ""
    return f"{', '.join(map(one_line, names))}{behind}"
