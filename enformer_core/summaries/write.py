"""Make a table beside a finished run, shard by shard, here or elsewhere; begun once, it is continued.

    write_summary(ledger, name, identity, summarise, columns=["status", "sad"])

Of each shard the columns that are named are read from its `scores` and given to `summarise`, which returns a table of
as many rows: those columns stand in the new table behind the allele's. Memory is that of a shard for each worker.
What is put, and in which order, says `dataset.summary_tables`. Does not know what a summary computes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa

from enformer_core.dataset.codec import (
    Footer,
    as_json_object,
    from_parquet,
    readable_json,
    to_parquet,
)
from enformer_core.dataset.damage import repair_advice
from enformer_core.dataset.differences import difference_lines
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.finished import check_finished
from enformer_core.dataset.keys import SUMMARIES, summary_begun_key, summary_receipt_key, table_key
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.receipts import Receipt, StoredTable
from enformer_core.dataset.schemas import SUMMARY_COLUMNS
from enformer_core.dataset.summary_tables import (
    SummaryBegun,
    SummaryFile,
    SummaryReceipt,
    file_identity,
    summary_begun,
    summary_receipt,
)
from enformer_core.errors import DatasetError, InputError
from enformer_core.summaries.work import Spread, Work, one_by_one
from enformer_core.version import __version__

Summarise = Callable[[pa.Table], pa.Table]
"""From rows of a shard, in the columns that were named, the new columns: as many rows, in their order.

Or any number of rows for each: then a column `row` says which of the given rows, from 0, each is of.
"""

Report = Callable[[int, int], None]
"""Told of shards that are done: how many, and of how many."""

ROW = "row"
"""The column that says of which row each is, where rows are made several or none of one."""

_NAME = "letters, digits and _ alone, small, the first a letter"

_TAKEN = frozenset(
    {
        *("commits", "damaged", "lookup", "plan", "receipts", SUMMARIES, "tracks"),
        *("long", "top", "top_genes"),
        *("scores", "effects", "gene_effects", "predictions"),
    }
)
"""Names that a run has for other things: its folders, the views of queries, its own tables."""


def write_summary(
    ledger: Ledger,
    name: str,
    identity: Mapping[str, Any],
    summarise: Summarise,
    *,
    columns: Sequence[str],
    kind: str | None = None,
    source: str = "scores",
    spread: Spread = one_by_one,
    report: Report | None = None,
) -> SummaryReceipt:
    """Make a table beside a finished run, or what is missing of it; where it is there, nothing is done.

    Args:
        ledger: of the run.
        name: of the table, and of its folder.
        identity: everything beside the run that decides the values, as JSON: settings, digests of files that are
            read, the version of the arithmetic. Not what decides nothing, such as `spread`.
        summarise: makes the new columns of a shard. Workers elsewhere are sent it once.
        columns: of `source` that it is given.
        kind: what the table is, if it may be called otherwise: its columns have the meanings of this name.
        source: the run's table whose rows the new table has.
        spread: where shards are worked, and how many at once; one after another here by default.
        report: told when a shard is done.

    Returns:
        The table's receipt as it stands.

    Raises:
        InputError: for a name that is taken; where a table of this name is made of something else, with both sides.
        IncompleteRunError: for a run that is not finished.
        DatasetError: for a run without such a table, or objects that are damaged.
    """
    _check_name(ledger, name)
    check_finished(ledger, f"make {name} of it")
    begun = SummaryBegun(kind or name, {**as_json_object(identity), "run": ledger.run.digest})
    _claim(ledger, name, begun)
    there = summary_receipt(ledger, name)
    if there is not None:
        return there
    maker = _ShardMaker(ledger, name, begun, source, tuple(columns), summarise)
    in_order = _files(maker, list(ledger.receipts()), spread, report)
    receipt = SummaryReceipt(
        name=name,
        begun=begun,
        source=source,
        rows=sum(file.rows for file in in_order),
        files=in_order,
        created_at=datetime.now(UTC).replace(microsecond=0),
        created_by=f"enformer-ray {__version__}",
    )
    ledger.store.put_if_absent(summary_receipt_key(name), readable_json(receipt))
    # another command's, where that was first: its files are these
    return summary_receipt(ledger, name) or receipt


def _files(
    maker: "_ShardMaker",
    receipts: Sequence[Receipt],
    spread: Spread,
    report: Report | None,
) -> tuple[SummaryFile, ...]:
    """The file of each shard, in the order of shards, whichever is made first."""
    files: dict[int, SummaryFile] = {}
    with closing(spread(maker, receipts)) as made:
        for number, file in made:
            files[number] = file
            if report is not None:
                report(len(files), len(receipts))
    return tuple(files[number] for number in range(len(receipts)))


@dataclass(frozen=True)
class Recipe:
    """What a table beside a run is made of, whatever it is called and wherever it is made.

    Attributes:
        kind: what the table is, and its name unless it is given another one.
        identity: everything beside the run that decides the values.
        summarise: makes the new columns of a shard.
        columns: of `scores` that it is given.
    """

    kind: str
    identity: Mapping[str, Any]
    summarise: Summarise
    columns: Sequence[str]

    def write(
        self,
        ledger: Ledger,
        name: str | None = None,
        *,
        spread: Spread = one_by_one,
        report: Report | None = None,
    ) -> SummaryReceipt:
        """Make the table, or what is missing of it; see `write_summary`."""
        return write_summary(
            ledger,
            name or self.kind,
            self.identity,
            self.summarise,
            columns=self.columns,
            kind=self.kind,
            spread=spread,
            report=report,
        )


_WORDS_OF_SQL = frozenset(
    {
        *("all", "and", "any", "as", "asc", "between", "by", "case", "cast", "column", "create"),
        *("cross", "current", "default", "delete", "desc", "distinct", "drop", "else", "end"),
        *("except", "exists", "false", "fetch", "for", "from", "full", "grant", "group", "groups"),
        *("having", "in", "inner", "insert", "intersect", "into", "is", "join", "left", "like"),
        *("limit", "natural", "not", "null", "offset", "on", "only", "or", "order", "outer"),
        *("over", "partition", "primary", "range", "references", "right", "row", "rows", "select"),
        *("set", "some", "table", "then", "to", "true", "union", "unique", "update", "user"),
        *("using", "values", "when", "where", "window", "with"),
    }
)
"""Names by which no engine, or not every one, would find a table."""


def _check_name(ledger: Ledger, name: str) -> None:
    if name in _WORDS_OF_SQL:
        raise InputError(
            f"a table cannot be called {name}: it is a word of SQL. Give another name."
        )
    if not _is_plain(name):
        raise InputError(f"a table cannot be called {name!r}: {_NAME}. Give another name.")
    if name in _TAKEN or name in ledger.run_type.tables:
        raise InputError(
            f"a table cannot be called {name}: a run has it already. Give another name."
        )


def _is_plain(name: str) -> bool:
    # it names a folder, a key, and a view of SQL
    letters = name.replace("_", "")
    return name.isascii() and name[:1].isalpha() and name.islower() and letters.isalnum()


def _claim(ledger: Ledger, name: str, begun: SummaryBegun) -> None:
    """Put what the table is made of, or find the same there."""
    store = ledger.store
    if store.put_if_absent(summary_begun_key(name), readable_json(begun)):
        return
    there = summary_begun(ledger, name)
    assert there is not None, "it was there a moment ago"
    if there.digest == begun.digest:
        return
    was, now = [{"table": each.kind, **each.identity} for each in (there, begun)]
    differing = "\n".join(difference_lines(was, now, {}, {}))
    raise InputError(
        f"{store.location}: has a table {name} already that is made of something else; these fields differ:\n"
        f"{differing}\nGive this one another name by --name, or remove the folders {name} and {SUMMARIES}/{name} of "
        "the run first."
    )


@dataclass(frozen=True)
class _Fetched:
    """What there is of a shard before anything is made.

    Attributes:
        receipt: of the shard.
        there: the new table's object, of a command that died or of another one that makes the same table.
        source: the object that it is made of; None where it is made already, or where there is none.
    """

    receipt: Receipt
    there: bytes | None
    source: bytes | None = None


@dataclass(frozen=True)
class _Made:
    """The new table's object, which may lie in the store already."""

    receipt: Receipt
    content: bytes
    is_there: bool


@dataclass(frozen=True)
class _ShardMaker(Work[Receipt, SummaryFile]):
    """Makes and puts the file of one shard, or finds it there."""

    ledger: Ledger
    table: str
    begun: SummaryBegun
    source: str
    columns: tuple[str, ...]
    summarise: Summarise

    def name(self, item: Receipt) -> str:
        """The shard, by its number."""
        return f"shard {item.shard}"

    def prepare(self, item: Receipt) -> _Fetched:
        """Read what is there, or what it is made of."""
        there = self.ledger.store.get(self._key(item))
        if there is not None:
            return _Fetched(item, there)
        return _Fetched(item, None, self.ledger.store.get(self._source(item).key))

    def compute(self, prepared: _Fetched) -> _Made:
        """Make the new table of what was read."""
        receipt = prepared.receipt
        if prepared.there is not None:
            return _Made(receipt, prepared.there, is_there=True)
        rows = self._rows(self._source(receipt), prepared.source)
        content = to_parquet(rows, self._footer(receipt))
        return _Made(receipt, content, is_there=False)

    def finish(self, computed: _Made) -> SummaryFile:
        """Put it, unless another was first."""
        receipt = computed.receipt
        content = computed.content
        key = self._key(receipt)
        if not computed.is_there and not self.ledger.store.put_if_absent(key, content):
            content = self.ledger.store.get(key) or b""
        # pages are not read for that
        rows, found = from_parquet(content, key, columns=["status"])
        if found != self._footer(receipt):
            raise DatasetError(
                f"{key}: was made of another table {self.source}, or for another {self.table}. Remove the folder "
                f"{self.table} of the run, and give the same command again."
            )
        return SummaryFile(
            shard=receipt.shard,
            chrom=receipt.chrom,
            key=key,
            bytes=len(content),
            rows=rows.num_rows,
            sha256=sha256(content),
            source=self._source(receipt).content_digest,
        )

    def _key(self, receipt: Receipt) -> str:
        return table_key(self.table, receipt.chrom, receipt.shard)

    def _source(self, receipt: Receipt) -> StoredTable:
        source = receipt.tables.get(self.source)
        if source is None:
            raise DatasetError(f"shard {receipt.shard}: its receipt names no table {self.source}")
        return source

    def _footer(self, receipt: Receipt) -> Footer:
        identity = file_identity(self.begun, self._source(receipt).content_digest)
        return Footer(self.begun.kind, identity, self.ledger.run.notice, receipt.shard)

    def _rows(self, source: StoredTable, content: bytes | None) -> pa.Table:
        """The new table's rows of a shard: what names the alleles, then what `summarise` makes."""
        # what is made of damage would look sound
        if content is None or sha256(content) != source.sha256:
            raise DatasetError(
                f"{source.key}: is not what its receipt names. {repair_advice(self.ledger.store.location)}"
            )
        wanted = dict.fromkeys([*self._names_of_rows, *self.columns])
        rows, _ = from_parquet(content, source.key, columns=list(wanted))
        made = self.summarise(rows.select(list(self.columns)))
        named = rows.select(self._names_of_rows)
        if ROW in made.column_names:
            named = named.take(made[ROW])
            made = made.drop_columns([ROW])
        if made.num_rows != named.num_rows:
            raise ValueError(f"{self.table}: {made.num_rows} rows made of {rows.num_rows}")
        for field, column in zip(made.schema, made.columns, strict=True):
            named = named.append_column(field, column)
        return named

    @cached_property
    def _names_of_rows(self) -> list[str]:
        keys: tuple[str, ...] = ()
        for table in self.ledger.run_type.value_tables:
            if table.name == self.source:
                keys = table.key_columns
        return list(dict.fromkeys([*SUMMARY_COLUMNS, *keys]))
