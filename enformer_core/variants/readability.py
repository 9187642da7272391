"""Whether the records of a file can be read: of a file that is something else, no row may pass for an answer.

A few bad lines of many are rows with the status malformed, which are counted; a file that yields nothing else, or a
large part of one, stops the run with three of its lines. Does not know why a record cannot be read.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError
from enformer_core.variants.arrow import equal
from enformer_core.variants.columns_taken import columns_taken
from enformer_core.variants.formats.compression import whole_lines
from enformer_core.variants.formats.text import TextReader
from enformer_core.variants.source import QUOTED, Source
from enformer_core.variants.table import Status
from enformer_core.words import counted

MOST_MALFORMED = 0.5
"""Part of a file's records at which it is not read on: more are not the odd bad line."""

FEW = 20
"""Of fewer records only a file without a readable one is refused."""

_EXAMPLES = 3
_SHOWN_LETTERS = 60


@dataclass(frozen=True)
class _Example:
    """A record that cannot be read: its line, the reason, and the cells that were found."""

    line: int
    reason: str
    cells: str


@dataclass
class _Readability:
    """How many records of a file came, and how many of them cannot be read."""

    records: int = 0
    malformed: int = 0
    examples: list[_Example] = field(default_factory=list)

    def add(self, raw: pa.Table) -> None:
        """Count a table of RAW_SCHEMA, whole records."""
        is_first = pc.equal(pc.fill_null(raw["alt_index"], 1), 1)
        is_malformed = equal(raw["status"], Status.MALFORMED.value)
        # the sum of no rows is null
        self.records += pc.sum(is_first).as_py() or 0
        if not pc.any(is_malformed).as_py():
            return
        unreadable = np.asarray(pc.and_(is_first, is_malformed))
        rows = np.flatnonzero(unreadable)
        self.malformed += rows.size
        wanted = raw.take(pa.array(rows[: _EXAMPLES - len(self.examples)]))
        self.examples += map(_example, wanted.to_pylist())

    @property
    def is_hopeless(self) -> bool:
        """Whether so many records came, and none could be read, that the rest need not be waited for."""
        return self.malformed == self.records >= FEW

    @property
    def is_refused(self) -> bool:
        """Whether the file is none that can be used as it is."""
        if not self.malformed:
            return False
        is_large_part = self.malformed >= MOST_MALFORMED * self.records
        return self.malformed == self.records or (self.records >= FEW and is_large_part)


def _example(row: dict[str, object]) -> _Example:
    names = ("input_chrom", "id", "input_ref", "input_alt")
    cells = ", ".join(repr(row[name]) for name in names if row[name] is not None)
    return _Example(int(str(row["input_line"])), str(row["reason"]), cells)


def readable_batches(
    source: Source,
    batches: Iterable[pa.Table],
    *,
    allow_malformed: bool,
    warn: Callable[[str], None],
) -> Iterator[pa.Table]:
    """The same batches, whose records are counted on their way.

    Args:
        source: the file.
        batches: its alleles of RAW_SCHEMA.
        allow_malformed: go on however many records cannot be read.
        warn: told of records that cannot be read where the run goes on.

    Raises:
        InputError: where none can be read, or half or less of 20 and more, with three of them and the remedy.
    """
    readability = _Readability()
    for raw in batches:
        readability.add(raw)
        # of a file of hundreds of gigabytes the first batch tells as much as the last
        if readability.is_hopeless and not allow_malformed:
            break
        yield raw
    if readability.is_refused and not allow_malformed:
        raise InputError(_refusal(source, readability))
    if readability.malformed:
        warn(_note(source, readability))


def _refusal(source: Source, readability: _Readability) -> str:
    texts = _texts(source, readability.examples)
    lines = [
        f"  line {example.line:,}: {_shown(texts[example.line])}: {example.reason}"
        for example in readability.examples
    ]
    hint = f"{QUOTED} " if all(text.startswith('"') for text in texts.values()) else ""
    counts = f"{readability.malformed:,} of {readability.records:,}"
    if readability.is_hopeless:
        counts = f"none of the first {readability.records:,}"
        verb = "can be read"
    else:
        verb = "cannot be read"
    return "\n".join(
        [
            f"{source.called}: {source.format}, of whose records {counts} {verb}, for example",
            *lines,
            f"{hint}{_other_columns(source)}Is it the file that is meant, and whole? --allow-malformed goes on in any "
            "case; records that cannot be read become rows with the status malformed.",
        ]
    )


def _other_columns(source: Source) -> str:
    """Of a table, which columns were taken: another may be the one that can be read, as PositionVCF beside Start."""
    if not source.header.is_table or not source.columns.names:
        return ""
    [taken] = columns_taken([source])
    others = "where others are meant, say which: --columns chrom=…,pos=…,ref=…,alt=…"
    return f"Taken were {taken.pairs}; {others}. "


def _note(source: Source, readability: _Readability) -> str:
    example = readability.examples[0]
    return (
        f"{source.shown}: {readability.malformed:,} of {counted(readability.records, 'records')} cannot be read: "
        f"status malformed, for example line {example.line:,}: {example.reason}"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}…")


def _texts(source: Source, examples: list[_Example]) -> dict[int, str]:
    """What stands on the lines of these records; of formats without lines, their cells."""
    texts = {example.line: example.cells for example in examples}
    if not isinstance(source.reader, TextReader):
        return texts
    # the file is read once more up to the last of them, and nothing of it after that
    number = 0
    for block in whole_lines(source.path):
        lines = block.count(b"\n")
        wanted = [line for line in texts if number < line <= number + lines]
        if wanted:
            of_block = block.split(b"\n")
            for line in wanted:
                texts[line] = of_block[line - number - 1].decode("utf-8", "backslashreplace")
        number += lines
        if number >= max(texts):
            break
    return texts
