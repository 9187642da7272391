"""How fast the run was and with which arithmetic, as its receipts say."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from enformer_core.dataset.receipts import Receipt
from enformer_core.report.asked import Asked, in_one_line
from enformer_core.report.content import (
    STATUS,
    Block,
    Column,
    Figure,
    Figures,
    Form,
    Prose,
    Section,
    Source,
    Table,
)
from enformer_core.report.labels import label_of
from enformer_core.report.receipt_source import receipts_source

_KEYS = (
    *("device_type", "device", "cpu_features", "threads", "engine", "arithmetic"),
    *("enformer_ray", "torch", "python"),
)


def _selected(key: str) -> str:
    # receipts of earlier releases say nothing of them
    if key == "cpu_features":
        return "coalesce(array_to_string(provenance.cpu_features, ' '), '') AS cpu_features"
    return f"provenance.{key} AS {key}"


_SQL = f"""
SELECT {", ".join(map(_selected, _KEYS))},
       count(*) AS shards, sum(rows) AS count, sum(provenance.seconds) AS seconds,
       sum(rows) / nullif(sum(provenance.seconds), 0) AS rows_per_s
FROM RECEIPTS GROUP BY ALL ORDER BY {", ".join(_KEYS)}
"""  # noqa: S608 - of no text from outside
"""What the table of machines is; computed here of the receipts that are read anyway."""

_FORMS: dict[str, Form] = {
    "threads": "count",
    "shards": "count",
    "count": "count",
    "seconds": "seconds",
}


def work_section(asked: Asked) -> Section:
    """Rates and times, and a row for each kind of worker."""
    return Section("work", "Speed and arithmetic", list(_blocks(asked)))


def _blocks(asked: Asked) -> Iterator[Block]:
    progress = asked.progress
    yield Figures(
        [
            Figure(
                f"{progress.unit} a second", progress.rows_per_s, STATUS, ("rows_per_s",), "number"
            ),
            Figure("GPU time", progress.gpu_hours, STATUS, ("gpu_hours",), "hours"),
            Figure("CPU-core time", progress.cpu_hours, STATUS, ("cpu_hours",), "hours"),
            Figure("shards done", progress.shards_done, STATUS, ("shards_done",)),
            Figure("shards planned", progress.shards, STATUS, ("shards",)),
            Figure("last commit", progress.last_commit, STATUS, ("last_commit",), "time"),
        ]
    )
    yield Prose(
        f"{progress.unit.capitalize()} a second: from the first shard's start to the last commit, without pauses "
        "between two commands, over all workers together.",
        "note",
    )
    if asked.receipts:
        yield _by_worker(asked.receipts, receipts_source(asked.location, in_one_line(_SQL)))


def _by_worker(receipts: Sequence[Receipt], source: Source) -> Table:
    sums: dict[tuple[object, ...], list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for receipt in receipts:
        provenance = receipt.provenance
        of_kind = sums[tuple(_value(getattr(provenance, key)) for key in _KEYS)]
        of_kind[0] += 1
        of_kind[1] += receipt.rows
        of_kind[2] += provenance.seconds
    rows: list[tuple[Any, ...]] = [
        (*kind, int(shards), int(count), seconds, count / seconds if seconds else None)
        for kind, (shards, count, seconds) in sums.items()
    ]
    names = (*_KEYS, "shards", "count", "seconds", "rows_per_s")
    columns = [Column(name, label_of(name), _FORMS.get(name, "text")) for name in names]
    columns[-1] = Column("rows_per_s", label_of("rows_per_s"), "number")
    return Table(
        "By worker: each kind of machine, engine and arithmetic that computed",
        columns,
        sorted(rows, key=_order),
        source,
        (
            "rows/s of work: rows by the seconds that workers of this kind spent on them, one worker's rate",
        ),
    )


def _value(of_provenance: object) -> object:
    return " ".join(of_provenance) if isinstance(of_provenance, tuple) else of_provenance


def _order(row: Sequence[Any]) -> tuple[tuple[bool, Any], ...]:
    """As DuckDB orders: what is absent comes last."""
    return tuple((value is None, "" if value is None else value) for value in row[: len(_KEYS)])
