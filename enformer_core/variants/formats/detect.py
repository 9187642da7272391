"""Which format a variant file is in, by its content alone: the readers are asked in turn."""

from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.variants.formats.bcf import BcfReader
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.formats.parquet import ParquetReader
from enformer_core.variants.formats.reader import RecordReader
from enformer_core.variants.formats.text import TextReader

# Text comes last: it takes whatever is text, and refuses all else with a reason.
READERS: tuple[type[RecordReader], ...] = (
    ParquetReader,
    BcfReader,
    TextReader,
)
"""Record formats in the order in which they are asked. A new one stands before text."""


def open_reader(
    path: Path,
    given: str | None = None,
    columns: GivenColumns = NOTHING_GIVEN,
) -> RecordReader:
    """The reader of this file; only the file's beginning is read.

    Args:
        path: the file.
        given: the address that it is a copy of, whose folders may say something of its rows.
        columns: those that the user named, for formats that have names of columns.

    Raises:
        InputError: when the file is of no known format, or cannot be read.
    """
    try:
        for reader in READERS:
            if reader is ParquetReader:
                opened: RecordReader | None = ParquetReader.sniff(path, columns, address=given)
            elif columns:
                opened = reader.sniff(path, columns)
            else:
                opened = reader.sniff(path)
            if opened is not None:
                return opened
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    raise InputError(f"{path}: not a variant file of any known format")
