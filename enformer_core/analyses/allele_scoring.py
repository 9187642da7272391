"""Alleles of shards scored: what is due in which window, what came of each, and the tables that say so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.analyses.base import ComputedRows, RowCount
from enformer_core.analyses.copied_alleles import (
    AlleleSource,
    CopiedAllele,
    reused_rows,
    with_repeats,
)
from enformer_core.analyses.gene_run_type import GENE_EFFECTS
from enformer_core.analyses.gene_table import GeneTable
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.strongest_effects import strongest_effects
from enformer_core.analyses.value_columns import list_column, value_columns
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.receipts import AuditedAllele, Provenance
from enformer_core.dataset.schemas import scores_schema, spread_of
from enformer_core.dataset.shard_task import LeftOut
from enformer_core.scoring.beyond_range import BeyondRange
from enformer_core.scoring.gene_effect import ScoredAllele
from enformer_core.scoring.replicates import ReplicateScorer
from enformer_core.scoring.statistics import AlleleScores, why_unsound
from enformer_core.scoring.windows import Allele
from enformer_core.variants.audit_sample import DRAWN_COLUMNS, Drawn, drawn_of
from enformer_core.variants.formats.reader import kept_role
from enformer_core.variants.kept_columns import kept_of
from enformer_core.variants.table import Flag, Status

_SCORED_COLUMNS = [
    "chrom",
    "start",
    "ref",
    "alt",
    "window_start",
    "status",
    "flags",
]


@runtime_checkable
class Scorer(Protocol):
    """Scores the alleles of a window."""

    def score(
        self,
        alleles: Sequence[Allele],
        start: int,
    ) -> Sequence[AlleleScores]:
        """Each statistic for each track of each allele.

        Args:
            alleles: on one contig.
            start: first base of the window that they are scored in.
        """
        ...


@runtime_checkable
class Auditor(Protocol):
    """Holds scores against those of two plain passes."""

    def compare(
        self,
        allele: Allele,
        start: int,
        scores: AlleleScores,
        drawn: Drawn,
    ) -> AuditedAllele:
        """What the comparison showed, for the receipt."""
        ...


class _Unscored(Enum):
    """An allele of which no scores are due: its status says why, or a trial leaves it out."""

    NOT_DUE = "not due"


@dataclass(frozen=True)
class _Failure:
    """Scores were due, and there are none."""

    reason: str


Outcome = ScoredAllele | _Failure | _Unscored
"""What came of one planned allele."""


@dataclass(frozen=True)
class AlleleScoring:
    """Scores the alleles of shards.

    Attributes:
        scorer: what turns an allele into scores.
        spec: the settings that it follows.
        tracks: head column of each value.
        origin: software, hardware and arithmetic.
        auditor: scores again those alleles that the plan has drawn for it.
        genes: what scores alleles together with their genes; None where the run has none.
        reuse: other runs, of which alleles are copied that these have scored; None without any.
        rows_through: alleles of the shard that is being computed which are scored and audited.
        beyond: alleles of the shard that left the range of float16; None where that is not in use.
        replicates: the scorer, where it has several, whose spread is kept; None of one model alone.
    """

    scorer: Scorer
    spec: ScoreSpec
    tracks: Sequence[int]
    origin: Provenance
    auditor: Auditor | None = None
    genes: GeneTable | None = None
    reuse: AlleleSource | None = None
    rows_through: RowCount = field(default_factory=RowCount, compare=False)
    beyond: BeyondRange | None = field(default=None, compare=False)
    replicates: ReplicateScorer | None = None

    @property
    def provenance(self) -> Provenance:
        """Software, hardware and arithmetic; that of alleles of the shard which were scored again, too."""
        beyond = self.beyond
        if beyond is None or not beyond.alleles:
            return self.origin
        return replace(
            self.origin, arithmetic=f"{self.origin.arithmetic}, beyond its range {beyond.format}"
        )

    def compute(
        self,
        rows: pa.Table,
        left_out: LeftOut,
    ) -> ComputedRows:
        """Score every allele that can be scored; all get their row of `scores`."""
        distinct = enumerate(_distinct_alleles(rows))
        due = [None if at in left_out else allele for at, allele in distinct]
        copied = self._copied(rows, due)
        due = [None if at in copied else allele for at, allele in enumerate(due)]
        outcomes: list[Outcome] = []
        audits: list[AuditedAllele] = []
        self.rows_through.rows = 0
        if self.beyond is not None:
            self.beyond.alleles = 0
        for window in _windows(due):
            of_window = self._score_window(window)
            outcomes.extend(of_window)
            audits.extend(self._audited(window, of_window))
            self.rows_through.rows = len(outcomes)
        # whoever asks between two shards is told of no rows, rather than of the last shard's
        self.rows_through.rows = 0
        # after the windows, so that a row that fails with a reason is not overwritten by "not due"
        for at, reason in left_out.items():
            outcomes[at] = _Unscored.NOT_DUE if reason is None else _Failure(reason)
        for at, each in copied.items():
            outcomes[at] = ScoredAllele(each.scores, spread=each.spread)
        of_all = _copied_to_duplicates(rows, outcomes)
        tables = {"scores": self._scores(rows, of_all)}
        if self.genes is not None:
            tables[GENE_EFFECTS] = self._gene_effects(self.genes, rows, of_all)
        statistics = self.spec.conventions.statistics
        return ComputedRows(
            tables=tables,
            computed=sum(allele is not None for allele in due),
            audits=tuple(audits),
            reused=reused_rows(
                with_repeats(copied, rows),
                tables["scores"],
                [*statistics, *map(spread_of, statistics if self.replicates else ())],
            ),
        )

    def _copied(
        self, rows: pa.Table, due: Sequence["_DueAllele | None"]
    ) -> Mapping[int, CopiedAllele]:
        """Of the rows that are due, those that another run has scored."""
        if self.reuse is None:
            return {}
        wanted = [at for at, allele in enumerate(due) if allele is not None]
        return self.reuse.find(rows, wanted)

    def derive(self, stored: Tables) -> Tables:
        """The strongest tracks of each allele."""
        effects = strongest_effects(
            stored["scores"],
            statistics=self.spec.conventions.statistics,
            tracks=self.tracks,
            top_tracks=self.spec.top_tracks,
        )
        return {"effects": effects}

    def _score_window(
        self,
        window: Sequence["_DueAllele | None"],
    ) -> list[Outcome]:
        """What came of the rows of one window, of which some are not due."""
        due = [row for row in window if row is not None]
        # a window may hold nothing but rows that repeat others or cannot be scored
        if not due:
            return [_Unscored.NOT_DUE] * len(window)
        alleles = [row.allele for row in due]
        # rows were cut where the window changes: the first one's is everybody's
        start = due[0].window_start
        scored = iter(self._scored(alleles, start))
        outcomes: list[Outcome] = []
        for row in window:
            # the engine was asked of those that are due, in their order
            outcome = _Unscored.NOT_DUE if row is None else self._sound(next(scored))
            outcomes.append(outcome)
        return outcomes

    def _scored(
        self,
        alleles: Sequence[Allele],
        start: int,
    ) -> Sequence[ScoredAllele]:
        if self.genes is not None:
            scorer = self.genes.scorer
            return scorer.score_with_genes(alleles, start)
        if self.replicates is not None:
            return self.replicates.score_with_spread(alleles, start)
        of_alleles = self.scorer.score(alleles, start)
        return [ScoredAllele(scores) for scores in of_alleles]

    def _sound(self, scored: ScoredAllele) -> Outcome:
        """What was scored, unless some of it is not finite."""
        of_genes = [gene.values for gene in scored.genes]
        for values in (scored.scores, *of_genes):
            why = why_unsound(values, self.tracks)
            # the whole allele fails: a row without values beside one with some would contradict it
            if why is not None:
                return _Failure(why)
        return scored

    def _audited(
        self, window: Sequence["_DueAllele | None"], outcomes: Sequence[Outcome]
    ) -> Iterator[AuditedAllele]:
        # plain passes are the yardstick: where they are the engine, nothing is left to compare
        if self.auditor is None:
            return
        for row, outcome in zip(window, outcomes, strict=True):
            if row is None or row.drawn is None:
                continue
            # of a failed allele there is nothing to compare
            if isinstance(outcome, ScoredAllele):
                yield self.auditor.compare(row.allele, row.window_start, outcome.scores, row.drawn)

    def _scores(
        self,
        alleles: pa.Table,
        outcomes: Sequence[Outcome],
    ) -> pa.Table:
        """A row for each planned allele, whether it has values or not."""
        conventions = self.spec.conventions
        why = [_failure_of(outcome) for outcome in outcomes]
        reasons = pa.array(why, pa.string())
        # a row fails exactly where there is a reason; planned statuses stay as they are
        is_failed = pc.is_valid(reasons)
        columns: dict[str, object] = {
            **_described(alleles, conventions.centre_index),
            "status": pc.if_else(is_failed, Status.FAILED, alleles["status"]),
            "reason": pc.coalesce(reasons, alleles["reason"]),
        }
        bits = self.spec.mantissa_bits
        found = [outcome if isinstance(outcome, ScoredAllele) else None for outcome in outcomes]
        for name in conventions.statistics:
            values = [None if each is None else each.scores[name] for each in found]
            columns |= value_columns(name, values, self.tracks, bits)
            if self.replicates is not None:
                spread = [None if each is None else each.spread[name] for each in found]
                columns[spread_of(name)] = list_column(spread, bits)
        kept = kept_of(alleles)
        columns |= {name: alleles[kept_role(name)] for name in kept}
        fields = [pa.field(name, alleles[kept_role(name)].type) for name in kept]
        schema = scores_schema(
            conventions.statistics, fields, has_spread=self.replicates is not None
        )
        # what a plan has beyond the schema is for planning alone
        in_order = [columns[name] for name in schema.names]
        return pa.table(in_order, schema=schema)

    def _gene_effects(
        self,
        genes: GeneTable,
        alleles: pa.Table,
        outcomes: Sequence[Outcome],
    ) -> pa.Table:
        centre_index = self.spec.conventions.centre_index
        described = pa.table(_described(alleles, centre_index))
        # None, not no genes: rows of what was not scored have their genes, without values
        effects = [
            outcome.genes if isinstance(outcome, ScoredAllele) else None for outcome in outcomes
        ]
        return genes.table(
            described,
            effects,
            self.tracks,
            self.spec.mantissa_bits,
        )


def _failure_of(outcome: Outcome) -> str | None:
    return outcome.reason if isinstance(outcome, _Failure) else None


@dataclass(frozen=True)
class _DueAllele:
    """A planned allele that is to be scored."""

    allele: Allele
    window_start: int
    drawn: Drawn | None


def _distinct_alleles(rows: pa.Table) -> list[_DueAllele | None]:
    """The alleles to score; None where a row is not scored, or repeats the row before it."""
    due: list[_DueAllele | None] = []
    # a plan of an earlier release says who is audited, and nothing more of it
    names = [*_SCORED_COLUMNS, *(name for name in DRAWN_COLUMNS if name in rows.column_names)]
    columns = rows.select(names)
    for row in columns.to_pylist():
        is_repeat = Flag.DUPLICATE in (row["flags"] or ())
        # a repeat takes over what its allele comes to: `_copied_to_duplicates`
        if row["status"] != Status.OK or is_repeat:
            due.append(None)
            continue
        allele = Allele(row["chrom"], row["start"], row["ref"], row["alt"])
        due.append(_DueAllele(allele, row["window_start"], drawn_of(row)))
    return due


def _windows(rows: Sequence[_DueAllele | None]) -> list[list[_DueAllele | None]]:
    """Cut rows where the window changes; a row that is not scored stays with those before it.

    Window starts 10, 10, none, 20, none come to [10, 10, none] and [20, none].
    """
    windows: list[list[_DueAllele | None]] = []
    start = None
    for row in rows:
        begins_another = row is not None and start not in (None, row.window_start)
        if not windows or begins_another:
            windows.append([])
        windows[-1].append(row)
        if row is not None:
            start = row.window_start
    return windows


def _copied_to_duplicates(
    alleles: pa.Table,
    outcomes: Sequence[Outcome],
) -> list[Outcome]:
    """Give each repeat the outcome of the row before it; repeats follow their allele in the plan."""
    filled: list[Outcome] = []
    flags = alleles["flags"].to_pylist()
    for of_row, outcome in zip(flags, outcomes, strict=True):
        is_repeat = Flag.DUPLICATE in (of_row or ())
        filled.append(filled[-1] if is_repeat else outcome)
    return filled


def _described(
    alleles: pa.Table,
    centre_index: int,
) -> dict[str, pa.ChunkedArray]:
    """The columns of `scores` that say what was scored; positions leave as VCF has them, 1-based."""
    pos = pc.add(alleles["start"], 1)
    place_in_window = pc.subtract(alleles["start"], alleles["window_start"])
    offset_bp = pc.subtract(place_in_window, centre_index)
    return {
        **{name: alleles[name] for name in alleles.column_names},
        "variant_id": _variant_ids(alleles, pos),
        "pos": pos,
        "offset_bp": pc.cast(offset_bp, pa.int32()),
    }


def _variant_ids(
    alleles: pa.Table,
    pos: pa.ChunkedArray,
) -> pa.ChunkedArray:
    """chrom:pos:ref:alt as the genome has them, or as the input has where a row has no place."""
    parts = [
        pc.coalesce(alleles["chrom"], alleles["input_chrom"]),
        pc.cast(pos, pa.string()),
        pc.coalesce(alleles["ref"], alleles["input_ref"]),
        pc.coalesce(alleles["alt"], alleles["input_alt"]),
    ]
    # some rows have neither: a name of theirs must not be null for that
    known = [pc.fill_null(part, "?") for part in parts]
    return pc.binary_join_element_wise(*known, ":")
