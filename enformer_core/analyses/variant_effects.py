"""One shard in one process, in three stages: its alleles from the plan, their scores, the commit.

Takes its scorer and ledger as arguments, so it runs wherever they can be had. Does not know workers or retries.
"""

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Float, Float32, Int64

from enformer_core import __version__
from enformer_core.dataset.ledger import Committed, Ledger
from enformer_core.dataset.plan import read_shard
from enformer_core.dataset.schemas import EFFECTS_SCHEMA, scores_schema
from enformer_core.dataset.shard_task import ShardWork, Trial
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.rounding import WHOLE_BITS, round_mantissa
from enformer_core.scoring.statistics import Scores, Statistic
from enformer_core.scoring.windows import Allele
from enformer_core.variants.table import Flag, has_flag


@runtime_checkable
class Scorer(Protocol):
    """Scores the alleles of a window."""

    def score(self, alleles: Sequence[Allele], start: int) -> Sequence[Scores]:
        """Each statistic for each track of each allele; all are on one contig, in the window that begins at `start`."""
        ...


@runtime_checkable
class Audit(Protocol):
    """Holds scores against a yardstick."""

    def compare(self, allele: Allele, start: int, scores: Scores) -> dict[str, Any]:
        """What it found, for the receipt."""
        ...


@dataclass(frozen=True)
class PreparedShard:
    """A shard's rows of the plan."""

    work: ShardWork
    rows: pa.Table


@dataclass(frozen=True)
class ComputedShard:
    """A shard's values, and what its receipt will say of how they came about; no values for a trial.

    `computed` counts the rows for which something was computed.
    """

    prepared: PreparedShard
    table: pa.Table | None
    circumstances: Mapping[str, Any]
    computed: int


class Stopwatch:
    """When a computation began, and how long it took, for a receipt."""

    def __init__(self) -> None:
        self._began_at, self._began = datetime.now(UTC), time.monotonic()

    def read(self) -> dict[str, Any]:
        """Both."""
        return {
            "started_at": self._began_at.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._began, 3),
        }


@dataclass(frozen=True)
class ShardScorer:
    """Scores shards and commits them.

    Attributes:
        scorer: what turns an allele into scores.
        ledger: where they are committed.
        conventions: those the scorer follows.
        tracks: head column of each score.
        top_tracks: how many effects each allele keeps per statistic.
        mantissa_bits: of the stored scores; see `scoring.mantissa`.
        circumstances: hardware and arithmetic, for the receipts.
        audit: scores again those alleles that the plan has drawn for it.
    """

    scorer: Scorer
    ledger: Ledger
    conventions: Conventions
    tracks: Sequence[int]
    top_tracks: int
    mantissa_bits: int = WHOLE_BITS
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    audit: Audit | None = None

    def __call__(self, work: ShardWork) -> Committed | Trial:
        """All three stages, one after another."""
        return self.finish(self.compute(self.prepare(work)))

    def prepare(self, work: ShardWork) -> "PreparedShard":
        """Read the shard's alleles."""
        return PreparedShard(work, read_shard(self.ledger.store, work.shard))

    def compute(self, prepared: "PreparedShard") -> "ComputedShard":
        """Score every allele of a shard that can be scored; all get their row."""
        stopwatch, left_out = Stopwatch(), prepared.work.left_out()
        rows = [None if at in left_out else row for at, row in enumerate(_distinct(prepared.rows))]
        scored: list[Scores | str | None] = []
        audits: list[dict[str, Any]] = []
        for window in _windows(rows):
            results = self._score_window(window)
            scored.extend(results)
            audits.extend(self._audited(window, results))
        for at, reason in left_out.items():
            scored[at] = reason
        table = None if prepared.work.probe else self._table(prepared.rows, scored)
        circumstances = {**stopwatch.read(), **software(), **self.circumstances, "audits": audits}
        return ComputedShard(prepared, table, circumstances, sum(row is not None for row in rows))

    def finish(self, computed: "ComputedShard") -> Committed | Trial:
        """Commit the shard; of a trial nothing is kept."""
        if computed.table is None:
            return Trial(computed.computed)
        prepared = computed.prepared
        committed = self.ledger.commit(
            prepared.work.shard,
            prepared.rows,
            computed.table,
            derived={"effects": self._effects},
            circumstances=computed.circumstances,
        )
        return replace(committed, computed=computed.computed)

    def _score_window(
        self, window: Sequence[Mapping[str, Any] | None]
    ) -> "list[Scores | str | None]":
        """For each row its scores; or why there are none; or None where none are due."""
        rows = [row for row in window if row is not None]
        scores = (
            self.scorer.score([_allele(row) for row in rows], rows[0]["window_start"])
            if rows
            else []
        )
        found = iter(scores)
        return [None if row is None else self._sound(next(found)) for row in window]

    def _sound(self, scores: Scores) -> "Scores | str":
        for name, values in scores.items():
            broken = np.flatnonzero(~np.isfinite(values))
            if broken.size:
                return f"{name} of {broken.size} tracks is not finite, the first {self.tracks[broken[0]]}"
        return scores

    def _audited(
        self, window: Sequence[Mapping[str, Any] | None], results: "Sequence[Scores | str | None]"
    ) -> Iterator[dict[str, Any]]:
        for row, scores in zip(window, results, strict=True):
            if (
                self.audit is not None
                and row is not None
                and row["audited"]
                and isinstance(scores, Mapping)
            ):
                yield self.audit.compare(_allele(row), row["window_start"], scores)

    def _effects(self, scores: pa.Table) -> pa.Table:
        return strongest_effects(
            scores,
            statistics=self.conventions.statistics,
            tracks=self.tracks,
            top_tracks=self.top_tracks,
        )

    def _table(self, alleles: pa.Table, scored: Sequence["Scores | str | None"]) -> pa.Table:
        scored = _copied_to_duplicates(alleles, scored)
        failed = pa.array([isinstance(result, str) for result in scored], pa.bool_())
        reasons = pa.array(
            [result if isinstance(result, str) else None for result in scored], pa.string()
        )
        columns = {
            **_described(alleles, self.conventions.centre_index),
            "status": pc.if_else(failed, "failed", alleles["status"]),
            "reason": pc.coalesce(reasons, alleles["reason"]),
        }
        for name in self.conventions.statistics:
            rows = [
                self._stored(result[name]) if isinstance(result, Mapping) else None
                for result in scored
            ]
            columns |= self._statistic_columns(name, rows)
        schema = scores_schema(self.conventions.statistics)
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def _stored(self, values: Float[np.ndarray, " tracks"]) -> Float32[np.ndarray, " tracks"]:
        return round_mantissa(np.asarray(values, dtype=np.float32), self.mantissa_bits)

    def _statistic_columns(self, name: str, rows: Sequence[Any]) -> dict[str, pa.Array]:
        strongest = [None if row is None else int(np.abs(row).argmax()) for row in rows]
        return {
            name: pa.array(rows, pa.list_(pa.float32())),
            f"max_abs_{name}": pa.array(
                [
                    None if at is None else abs(row[at])
                    for at, row in zip(strongest, rows, strict=True)
                ],
                pa.float32(),
            ),
            f"max_abs_{name}_track": pa.array(
                [None if at is None else self.tracks[at] for at in strongest], pa.int32()
            ),
        }


def _distinct(alleles: pa.Table) -> list[dict[str, Any] | None]:
    """The alleles to score; None where a row is not scored, or repeats the row before it."""
    columns = ["chrom", "start", "ref", "alt", "window_start", "audited", "status", "flags"]
    rows = alleles.select(columns).to_pylist()
    return [
        row if row["status"] == "ok" and "duplicate" not in (row["flags"] or ()) else None
        for row in rows
    ]


def _windows(rows: Sequence[dict[str, Any] | None]) -> list[list[dict[str, Any] | None]]:
    """Cut a shard's rows where the window changes; a row that is not scored stays with those before it."""
    windows: list[list[dict[str, Any] | None]] = []
    start = None
    for row in rows:
        if not windows or (row is not None and start not in (None, row["window_start"])):
            windows.append([])
        windows[-1].append(row)
        start = start if row is None else row["window_start"]
    return windows


def _allele(row: Mapping[str, Any]) -> Allele:
    return Allele(row["chrom"], row["start"], row["ref"], row["alt"])


def _copied_to_duplicates(alleles: pa.Table, scored: Sequence[Any]) -> list[Any]:
    """Give each repeat the result of the row before it; repeats follow their allele in the plan."""
    filled: list[Any] = []
    for flags, result in zip(alleles["flags"].to_pylist(), scored, strict=True):
        filled.append(filled[-1] if "duplicate" in (flags or ()) else result)
    return filled


def _described(alleles: pa.Table, centre_index: int) -> dict[str, Any]:
    """The columns of a scores file that say what was scored, with positions as VCF has them."""
    pos = pc.add(alleles["start"], 1)
    offset_bp = pc.subtract(pc.subtract(alleles["start"], alleles["window_start"]), centre_index)
    return {
        **{name: alleles[name] for name in alleles.column_names},
        "variant_id": _variant_ids(alleles, pos),
        "pos": pos,
        "offset_bp": pc.cast(offset_bp, pa.int32()),
    }


def _variant_ids(alleles: pa.Table, pos: pa.ChunkedArray) -> pa.ChunkedArray:
    """chrom:pos:ref:alt with the genome's contig and alleles, or the input's where the row has no place."""
    parts = [
        pc.coalesce(alleles["chrom"], alleles["input_chrom"]),
        pc.cast(pos, pa.string()),
        pc.coalesce(alleles["ref"], alleles["input_ref"]),
        pc.coalesce(alleles["alt"], alleles["input_alt"]),
    ]
    return pc.binary_join_element_wise(*[pc.fill_null(part, "?") for part in parts], ":")


def software() -> dict[str, str]:
    """Versions that a receipt records."""
    return {
        "enformer_ray": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def hardware(device: torch.device) -> dict[str, Any]:
    """What computed, as its maker calls it, and how many threads it may use."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name()
    return {"device_type": device.type, "device": name, "threads": torch.get_num_threads()}


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def strongest_effects(
    scores: pa.Table, *, statistics: Sequence[Statistic], tracks: Sequence[int], top_tracks: int
) -> pa.Table:
    """The `top_tracks` largest values in size of each allele and statistic, sorted by track and position.

    Args:
        scores: a shard's scores; alleles that were not scored, and repeats of an allele, have no effects.
        statistics: the list columns to read.
        tracks: head column of each list entry.
        top_tracks: how many; ties go to the smaller track index.
    """
    scored = scores.filter(
        pc.and_(pc.equal(scores["status"], "ok"), pc.invert(has_flag(scores, Flag.DUPLICATE)))
    )
    columns = [
        _of_statistic(scored, name, np.asarray(tracks, dtype=np.int64), top_tracks)
        for name in statistics
    ]
    return pa.concat_tables([EFFECTS_SCHEMA.empty_table(), *columns]).sort_by(
        [(name, "ascending") for name in ("track", "pos", "ref", "alt", "statistic", "rank")]
    )


def _of_statistic(
    scored: pa.Table, name: Statistic, tracks: Int64[np.ndarray, " tracks"], top: int
) -> pa.Table:
    values = list_matrix(scored[name], tracks.size)
    top = min(top, tracks.size)
    strongest = np.argsort(-np.abs(values), axis=1, kind="stable")[
        :, :top
    ]  # stable: ties by track index
    allele = np.repeat(np.arange(scored.num_rows), top)
    of_allele = scored.select(["variant_id", "pos", "ref", "alt"]).take(pa.array(allele))
    columns = {
        "track": pa.array(tracks[strongest].ravel(), pa.int32()),
        **{column: of_allele[column] for column in of_allele.column_names},
        "statistic": pa.array([name] * allele.size, pa.string()),
        "value": pa.array(np.take_along_axis(values, strongest, axis=1).ravel(), pa.float32()),
        "rank": pa.array(np.tile(np.arange(1, top + 1), scored.num_rows), pa.int32()),
    }
    return pa.table(columns, schema=EFFECTS_SCHEMA)


def list_matrix(column: pa.ChunkedArray, width: int) -> Float32[np.ndarray, "alleles tracks"]:
    """A list column without nulls, whose lists are all `width` long, as a matrix."""
    return np.asarray(column.combine_chunks().flatten(), dtype=np.float32).reshape(
        len(column), width
    )
