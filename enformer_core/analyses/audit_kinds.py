"""The kinds of alleles of which a run audits some each, and how many alleles its audit may take.

An engine of differences has a way of its own for each kind: another length, letters beyond a contig, letters that
nobody knows. Does not know how alleles are drawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from enformer_core.analyses.cost import Work, audit_operations, total_operations
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.genome.alphabet import N_CODE
from enformer_core.genome.fasta import Genome
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.conventions import AUDITED_AT_LEAST, Conventions
from enformer_core.scoring.windows import window_start
from enformer_core.variants.audit_sample import AuditSample

Mask: TypeAlias = Bool[np.ndarray, " alleles"]

Positions: TypeAlias = Int64[np.ndarray, " alleles"]

MOST_OF_COST = 0.1
"""Part of a run's work that the alleles of each kind may take beside the fraction's."""

_BLOCK = 1 << 12


@dataclass(frozen=True)
class WindowKinds:
    """Tells what lies in windows.

    Attributes:
        genome: whose contigs they lie on.
        window_bp: of each.
    """

    genome: Genome
    window_bp: int
    _unknown: dict[str, tuple[Positions, Positions]] = field(default_factory=dict, compare=False)

    def __call__(self, chrom: pa.ChunkedArray, first: Positions) -> tuple[Mask, Mask]:
        """Which windows reach beyond their contig, and which hold an N, by their contigs and first bases."""
        end = first + self.window_bp
        coded = chrom.combine_chunks().dictionary_encode()
        numbers = np.asarray(coded.indices)
        is_beyond = np.zeros(first.size, dtype=bool)
        has_unknown = np.zeros(first.size, dtype=bool)
        for number, contig in enumerate(coded.dictionary.to_pylist()):
            rows = numbers == number
            is_beyond[rows] = (first[rows] < 0) | (end[rows] > self.genome.contigs[contig])
            begins, ends = self._unknown_runs(contig)
            # The first run that ends behind a window's first base overlaps it where it begins before its end.
            run = np.searchsorted(ends, first[rows], side="right")
            begin = np.append(begins, np.iinfo(np.int64).max)[run]
            has_unknown[rows] = begin < end[rows]
        return is_beyond, has_unknown

    def _unknown_runs(self, contig: str) -> tuple[Positions, Positions]:
        """Where stretches of N begin and end on a contig, in order; looked for once."""
        if contig not in self._unknown:
            self._unknown[contig] = unknown_runs(self.genome.codes(contig))
        return self._unknown[contig]


@dataclass(frozen=True)
class AlleleKinds:
    """Tells the kinds of alleles: by their letters, and by what lies in their windows.

    `mnv` is any change of two bases or more that is neither a plain insertion nor a plain deletion. `contig_end`: the
    window reaches beyond the contig. `unknown_bases`: it holds an N. These two go with any of the others.

    Attributes:
        windows: tells what lies in the alleles' windows.
        conventions: where windows start.
    """

    windows: WindowKinds
    conventions: Conventions

    def __call__(self, alleles: pa.Table) -> Mapping[str, Mask]:
        """Which of some alleles with a place are of each kind."""
        starts = np.asarray(alleles["start"], dtype=np.int64)
        first = window_start(starts, self.conventions)
        is_beyond, has_unknown = self.windows(alleles["chrom"], first)
        kinds = _by_letters(alleles)
        is_snv = kinds.pop("snv")
        # what is common comes last: of few that can be afforded the rare ones are told first
        return {**kinds, "contig_end": is_beyond, "unknown_bases": has_unknown, "snv": is_snv}


def unknown_runs(codes: np.ndarray) -> tuple[Positions, Positions]:
    """First bases of stretches of N, and the ones behind their last: of A N N C N, 1 4 and 3 5.

    Args:
        codes: of a whole contig, of which blocks without an N, nearly all, are only glanced at.
    """
    whole = codes.size // _BLOCK * _BLOCK
    # N is the largest code
    largest = codes[:whole].reshape(-1, _BLOCK).max(axis=1)
    blocks = np.flatnonzero(largest >= N_CODE)
    starts = [*(blocks * _BLOCK).tolist(), whole]
    found = [start + np.flatnonzero(codes[start : start + _BLOCK] == N_CODE) for start in starts]
    places = np.concatenate(found).astype(np.int64)
    is_first = np.diff(places, prepend=-2) > 1
    is_last = np.diff(places, append=np.iinfo(np.int64).max) > 1
    return places[is_first], places[is_last] + 1


def _by_letters(alleles: pa.Table) -> dict[str, Mask]:
    ref, alt = alleles["ref"], alleles["alt"]
    ref_bp = np.asarray(pc.binary_length(ref), dtype=np.int64)
    alt_bp = np.asarray(pc.binary_length(alt), dtype=np.int64)
    # an anchor, the base before, stands in both or in neither
    same_first = pc.equal(pc.utf8_slice_codeunits(ref, 0, 1), pc.utf8_slice_codeunits(alt, 0, 1))
    is_anchored = np.asarray(same_first, dtype=bool)
    is_insertion = (ref_bp == 0) & (alt_bp > 0) | (ref_bp == 1) & (alt_bp > 1) & is_anchored
    is_deletion = (alt_bp == 0) & (ref_bp > 0) | (alt_bp == 1) & (ref_bp > 1) & is_anchored
    is_snv = (ref_bp == 1) & (alt_bp == 1)
    return {
        "insertion": is_insertion,
        "deletion": is_deletion,
        "mnv": ~(is_insertion | is_deletion | is_snv),
        "snv": is_snv,
    }


def audit_sample(
    spec: ScoreSpec,
    seed: str,
    genome: Genome,
    *,
    operations: PassOperations | None,
) -> AuditSample:
    """Which alleles of a run are audited.

    Args:
        spec: how many are, and where windows lie.
        seed: decides.
        genome: the reference.
        operations: of one pass, by which the audit's cost is bounded; None for no bound.
    """
    return AuditSample(
        spec.audit_fraction,
        AUDITED_AT_LEAST,
        seed,
        AlleleKinds(WindowKinds(genome, spec.conventions.geometry.window_bp), spec.conventions),
        None if operations is None else affordable(operations),
    )


def affordable(operations: PassOperations) -> Callable[[int, int], int]:
    """Of how many alleles the audit takes a tenth of a run's work, from its distinct alleles and windows.

    Args:
        operations: of one pass.
    """

    def count(alleles: int, windows: int) -> int:
        work = Work(
            alleles=alleles,
            alts=alleles,
            audited=0,
            windows=windows,
            indels=0,
            towers=float(windows),
            overlapping=False,
        )
        # readings, of strands and shifts, are as many of either
        scoring = total_operations(work, "delta", views=1, operations=operations)
        of_one = audit_operations(1, operations)
        # the audit is part of the work: a tenth of all is a ninth of the rest
        return int(scoring * MOST_OF_COST / (1 - MOST_OF_COST) / of_one)

    return count
