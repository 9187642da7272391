"""Tables beside a finished run: made of its own tables later, by a command of their own.

    RUN/percentiles/chrom=chr20/shard-00000042.parquet   a file for each shard, its rows those of the shard's scores
    RUN/summaries/percentiles/begun.json                 what the table is made of, its identity: put first
    RUN/summaries/percentiles/receipt.json               the same, and every file with its digests: put last

Only the receipt counts: without it nothing reads the table, and the command that makes it goes on. So a table beside a
run is like the run itself: created once, never changed, and whole or not there. Knows what lies there. Does not know
how such tables are made (`enformer_core.summaries`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from enformer_core.dataset.codec import JsonObject, canonical_json, decode
from enformer_core.dataset.damage import Problem
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import (
    SUMMARIES,
    summary_begun_key,
    summary_of_key,
    summary_receipt_key,
    table_key,
)
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.receipts import Receipt
from enformer_core.errors import DatasetError


@dataclass(frozen=True)
class SummaryFile:
    """The part of a table beside a run that was made of one shard.

    Attributes:
        shard: of the run.
        chrom: its contig; None for rows without a place.
        key: its name in the run's directory.
        bytes: its size.
        rows: how many it holds.
        sha256: digest of the object.
        source: digest of the values that it was made of, as the shard's receipt has it.
    """

    shard: int
    chrom: str | None
    key: str
    bytes: int
    rows: int
    sha256: str
    source: str


@dataclass(frozen=True)
class SummaryBegun:
    """What a table beside a run is made of.

    Attributes:
        kind: what it is, `percentiles`; its columns have the meanings of this name.
        identity: everything that decides its values, the run's digest among it.
    """

    kind: str
    identity: JsonObject

    @property
    def digest(self) -> str:
        """What names the table in its files: equal for equal identities."""
        return sha256(canonical_json([self.kind, self.identity]))


@dataclass(frozen=True)
class SummaryReceipt:
    """The object that makes a table beside a run count as there.

    Attributes:
        name: of the table, also its folder.
        begun: what it is made of.
        source: the run's table whose rows it has.
        rows: how many, over all files.
        files: one for each shard, in order.
        created_at: when the receipt was put.
        created_by: by which release.
    """

    name: str
    begun: SummaryBegun
    source: str
    rows: int
    files: tuple[SummaryFile, ...]
    created_at: datetime
    created_by: str

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file by key, in the order of shards."""
        return {file.key: file.bytes for file in self.files}


def file_identity(begun: SummaryBegun, source: str) -> str:
    """What a file's footer says that it is of: the table, and the very values of the shard that it was made of.

    Args:
        begun: what the table is made of.
        source: digest of the shard's values.
    """
    return sha256(canonical_json([begun.digest, source]))


def summary_names(ledger: Ledger) -> dict[str, bool]:
    """Tables that were begun beside a run, and whether each is there."""
    keys = set(ledger.store.keys(f"{SUMMARIES}/"))
    names = sorted({name for key in keys if (name := summary_of_key(key)) is not None})
    return {name: summary_receipt_key(name) in keys for name in names}


def summary_begun(ledger: Ledger, name: str) -> SummaryBegun | None:
    """What a table beside a run is made of, whether it is finished or not; None where none was begun.

    Raises:
        DatasetError: where what says so is damaged.
    """
    key = summary_begun_key(name)
    content = ledger.store.get(key)
    return None if content is None else decode(content, SummaryBegun, key)


def summary_receipt(ledger: Ledger, name: str) -> SummaryReceipt | None:
    """The receipt of a table beside a run; None where there is none.

    Raises:
        DatasetError: where it is damaged, or came here from another run.
    """
    key = summary_receipt_key(name)
    content = ledger.store.get(key)
    if content is None:
        return None
    receipt = decode(content, SummaryReceipt, key)
    run = receipt.begun.identity.get("run")
    if (receipt.name, run) != (name, ledger.run.digest):
        raise DatasetError(
            f"{key}: of the table {receipt.name} of run {run}, expected {name} of {ledger.run.digest}. "
            f"Remove the folder {SUMMARIES}/{name}, and make the table again."
        )
    return receipt


def summary_receipts(ledger: Ledger) -> dict[str, SummaryReceipt]:
    """The tables that are there beside a run, by name.

    Raises:
        DatasetError: for a receipt that is damaged, or came here from another run.
    """
    found = {}
    for name, is_there in summary_names(ledger).items():
        receipt = summary_receipt(ledger, name) if is_there else None
        if receipt is not None:
            found[name] = receipt
    return found


def unfinished_summaries(ledger: Ledger) -> list[str]:
    """Names of tables that were begun beside a run, and that no receipt vouches for yet."""
    return [name for name, is_there in summary_names(ledger).items() if not is_there]


def problems_of_summaries(ledger: Ledger, receipts: Sequence[Receipt]) -> Iterator[Problem]:
    """Hold every file of every table beside a run against the table's receipt, and against what it was made of.

    Each problem names what a repair moves away, so that the table's own command makes it again.

    Args:
        ledger: of the run.
        receipts: of its shards, as far as they are sound.
    """
    for name, is_there in summary_names(ledger).items():
        if is_there:
            yield from _problems_of(ledger, name, receipts)


def _problems_of(ledger: Ledger, name: str, receipts: Sequence[Receipt]) -> Iterator[Problem]:
    key = summary_receipt_key(name)
    try:
        receipt = summary_receipt(ledger, name)
    except DatasetError as error:
        yield Problem(f"{error}".rstrip("."), (key,), reopens=False)
        return
    assert receipt is not None, "it is listed"
    # what is wrong with shards that have no sound receipt is told of the run itself
    sources = {
        found.shard: (found.chrom, found.tables[receipt.source].content_digest)
        for found in receipts
    }
    files = {file.shard: file for file in receipt.files}
    absent = sorted(sources.keys() - files.keys())
    if absent:
        yield Problem(f"{key}: names no file for shard {absent[0]}", (key,), reopens=False)
    for file in receipt.files:
        text = _wrong_with(ledger, receipt, file, sources)
        if text is not None:
            yield Problem(f"{file.key}: {text}", (key, file.key), reopens=False)


def _wrong_with(
    ledger: Ledger,
    receipt: SummaryReceipt,
    file: SummaryFile,
    sources: Mapping[int, tuple[str | None, str]],
) -> str | None:
    """What is wrong with a file, in words; None where nothing is."""
    planned = table_key(receipt.name, file.chrom, file.shard)
    if file.key != planned:
        return f"its receipt means {planned}"
    source = sources.get(file.shard)
    if source is not None and source != (file.chrom, file.source):
        return (
            f"made of other {receipt.source} than shard {file.shard} has now; make the table again"
        )
    content = ledger.store.get(planned)
    if content is None:
        return "missing, though its receipt names it"
    digest = sha256(content)
    if digest != file.sha256:
        return f"sha256 is {digest}, its receipt says {file.sha256}"
    return None
