"""Rows of summary statistics matched with the alleles of a run, and their effects turned to the run's ALT.

    oriented = orient(sumstats, alleles, genome=genome)
    z_of_alt = sumstats.z[oriented.row] * oriented.sign

The forms in which a row is looked for are those of `allele_forms`. What cannot be told is decided by one rule for the
whole file, and everything is counted. Does not know scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int8

from enformer_core.errors import InputError
from enformer_core.finemapping.allele_forms import FIRST_TURNED, SIGNS, are_indels
from enformer_core.finemapping.allele_match import AlleleMatch, Ambiguous
from enformer_core.finemapping.orientation_report import OrientationReport
from enformer_core.finemapping.run_alleles import RunAlleles
from enformer_core.finemapping.sumstats import Sumstats
from enformer_core.genome.fasta import Genome
from enformer_core.user_path import one_line
from enformer_core.variants.arrow import Mask, Numbers
from enformer_core.words import agreeing, counted

Signs = Int8[np.ndarray, " rows"]

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
    match = AlleleMatch.of(sumstats, alleles, genome, ambiguous)
    report = match.report(sumstats, alleles)
    _check_any(
        sumstats,
        alleles,
        report,
        match.chrom,
        remedy,
    )
    return Oriented(
        row=match.usable[match.kept],
        allele=match.allele[match.kept],
        sign=np.array(SIGNS, dtype=np.int8)[match.form[match.kept]],
        is_turned=match.form[match.kept] >= FIRST_TURNED,
        fate=_fates(
            sumstats,
            match.usable,
            not_in_run=np.logical_not(match.is_in_run),
            ambiguous=match.is_in_run & match.is_dropped,
            duplicate=match.is_duplicate,
        ),
        report=report,
        notes=_notes(
            sumstats,
            report,
            has_genome=genome is not None,
            rows=match.rows,
            dropped=match.dropped,
            remedy=remedy,
        ),
    )


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
