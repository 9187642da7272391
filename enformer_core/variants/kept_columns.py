"""Columns of the input that are kept beside its alleles, as they were written: `--keep-columns BETA,SE`.

In tables of records, alleles and plans they stand under roles of their own, `keep:BETA`, as text. Knows columns of
tables and keys of INFO. Does not know what they mean.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError, nearest
from enformer_core.variants.alts import Alts
from enformer_core.variants.arrow import Column, has_match, is_one_of
from enformer_core.variants.formats.compression import HEAD_BYTES, whole_lines
from enformer_core.variants.formats.reader import RecordStream, kept_name, kept_role

OPTION = "--keep-columns"

_MISSING = ("", ".", "NA", "#NA", "N/A", "NaN", "nan", "null", "NULL")
"""What tables write where there is nothing."""

# no 007 and no number of 16 digits: as float64 neither would be what was written
_NUMBER = r"^[+-]?(0|[1-9][0-9]{0,14})?(\.[0-9]*)?([eE][+-]?[0-9]{1,4})?$"
# digits of which one is not 0, and an exponent of three figures or more
_TINY = r"^[^eE]*[1-9][^eE]*[eE]-[0-9]{3,4}$"
_DIGIT = "^[^eE]*[0-9]"

_INFO = re.compile(rb"##INFO=<ID=(?P<key>[^,>]+)(?:,Number=(?P<number>[^,>]+))?")
_FOR_EACH_ALT = "A"
_NO_TEXT = pa.scalar(None, pa.string())


@runtime_checkable
class KeepingReader(RecordStream, Protocol):
    """A reader whose further columns can be kept."""

    def keeping(self, places: Mapping[str, int]) -> RecordStream:
        """The same reader with further roles, which `blocks` takes.

        Args:
            places: 0-based index of each one's column.
        """
        ...


@dataclass(frozen=True)
class KeptColumns:
    """What is kept of one file.

    Attributes:
        names: all that are kept of any file of a run, in order; of what this file has not, its rows have null.
        cells: those that are columns of this file, and which.
        keys: those that are keys of its INFO.
        for_each_alt: keys with a value for each ALT.
    """

    names: tuple[str, ...] = ()
    cells: Mapping[str, int] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    for_each_alt: frozenset[str] = frozenset()

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that are to be read for it."""
        of_keys = ("info",) if self.keys else ()
        return (*map(kept_role, self.cells), *of_keys)

    def with_keys(self, records: pa.Table, *, has_info: bool) -> pa.Table:
        """The records with their keys of INFO as columns.

        Args:
            records: with INFO, where a key is kept.
            has_info: whether somebody else needs INFO, too.
        """
        if not self.keys:
            return records
        info = records["info"]
        for key in self.keys:
            records = records.append_column(kept_role(key), _value_of(info, key))
        return records if has_info else records.drop_columns(["info"])

    def beside(self, raw: pa.Table, records: pa.Table, alts: Alts) -> pa.Table:
        """Alleles with a column for each name.

        Args:
            raw: alleles of these records.
            records: as read.
            alts: which allele is of which record.
        """
        for name in self.names:
            role = kept_role(name)
            if role in records.column_names:
                written = records[role]
                is_list = name in self.for_each_alt
                cells = _of_alts(written, alts) if is_list else alts.of_record(written)
                values = pc.if_else(is_one_of(cells, *_MISSING), _NO_TEXT, cells)
            else:
                values = pa.nulls(raw.num_rows, pa.string())
            raw = raw.append_column(pa.field(role, pa.string()), values)
        return raw


NOTHING_KEPT = KeptColumns()


def parse_kept(names: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    """The names as given.

    Args:
        names: from the command line.
        taken: names of the run's own columns.

    Raises:
        InputError: for a name that is given twice, or that SQL could not tell from a column of the run's own.
    """
    own = {name.lower(): name for name in taken}
    seen: dict[str, str] = {}
    for name in names:
        # SQL does not tell `beta` from `BETA`
        folded = name.lower()
        if folded in own:
            raise InputError(
                f"{OPTION} {name}: the table scores has a column {own[folded]} of its own. Leave it out, or give the "
                "column another name in the input."
            )
        if folded in seen:
            raise InputError(
                f"{OPTION}: {seen[folded]} and {name} are one name in SQL. Leave out one of them."
            )
        seen[folded] = name
    return tuple(names)


def find_kept(
    reader: RecordStream,
    path: Path,
    names: Sequence[str],
) -> tuple[RecordStream, KeptColumns]:
    """Which of the names a file has, and its reader that reads them.

    Args:
        reader: of the file.
        path: the file.
        names: all that are kept.

    Raises:
        InputError: for a format of which nothing can be kept, or a name that two columns have.
    """
    if not names:
        return reader, NOTHING_KEPT
    columns = reader.header.columns
    # cells that are columns come first: then what INFO has
    cells = _cells(columns.names, path, names)
    has_info = "info" in columns.index
    if not isinstance(reader, KeepingReader):
        raise InputError(
            f"{path}: {OPTION} keeps columns of text and Parquet and keys of a VCF's INFO, and this is "
            f"{reader.header.format}. Convert it: bcftools view -Oz -o {path.stem}.vcf.gz {path.name}"
        )
    declared = _declared_keys(path) if has_info else {}
    others = [name for name in names if name not in cells]
    # a VCF that declares nothing may have any key
    keys = [name for name in others if has_info and (name in declared or not declared)]
    kept = KeptColumns(
        tuple(names),
        cells,
        tuple(keys),
        frozenset(key for key in keys if declared.get(key) == _FOR_EACH_ALT),
    )
    places = {kept_role(name): at for name, at in cells.items()}
    return reader.keeping(places), kept


def check_found(
    names: Sequence[str],
    files: Sequence[tuple[RecordStream, Path, KeptColumns]],
) -> None:
    """Refuse a name that no file has.

    Args:
        names: that are kept.
        files: reader, path and what is kept of each.

    Raises:
        InputError: with the nearest names.
    """
    found = {name for _, _, kept in files for name in (*kept.cells, *kept.keys)}
    for name in names:
        if name not in found:
            known = dict.fromkeys(
                each for reader, path, _ in files for each in _names_in(reader, path)
            )
            # as bcftools calls keys of INFO
            meant = name.removeprefix("INFO/")
            near = (
                f"; did you mean {meant}?"
                if meant in known and meant != name
                else nearest(name, known)
            )
            raise InputError(f"{OPTION} {name}: no file of the input has such a column{near}")


def _names_in(reader: RecordStream, path: Path) -> list[str]:
    """Names of the columns that a file has, and of the keys that its INFO declares."""
    columns = reader.header.columns
    declared = _declared_keys(path) if "info" in columns.index else {}
    return [*map(_cleaned, columns.names), *declared]


def are_numbers(column: Column) -> bool:
    """Whether every value that is not null is a number, and one that float64 has as it was written."""
    is_number = has_match(column, _NUMBER)
    has_digit = has_match(column, _DIGIT)
    is_fine = pc.or_(pc.and_(is_number, has_digit), pc.is_null(column))
    return bool(pc.all(is_fine).as_py() is not False)


def are_lost(column: Column) -> int:
    """How many values of text are numbers above 0 in size that float64 has as 0, such as a P of 1e-400."""
    tiny = column.filter(has_match(column, _TINY)).drop_null()
    numbers = [float(text) for text in tiny.to_pylist()]
    return sum(number == 0 for number in numbers)


def kept_of(table: pa.Table) -> list[str]:
    """Names of the kept columns of a table of alleles or of a plan."""
    names = map(kept_name, table.column_names)
    return [name for name in names if name is not None]


def with_numbers(table: pa.Table, names: Collection[str]) -> pa.Table:
    """The table with these kept columns, all of whose values are numbers, as float64."""
    for name in names:
        role = kept_role(name)
        at = table.schema.get_field_index(role)
        # Arrow reads no sign before a positive number
        digits = pc.utf8_ltrim(table[role], "+")
        table = table.set_column(at, role, pc.cast(digits, pa.float64()))
    return table


def _cells(
    header: Sequence[str],
    path: Path,
    names: Sequence[str],
) -> dict[str, int]:
    cleaned = [_cleaned(name) for name in header]
    for name in names:
        if cleaned.count(name) > 1:
            raise InputError(
                f"{path}: {cleaned.count(name)} columns are called {name}. Give each a name of its own."
            )
    return {name: cleaned.index(name) for name in names if name in cleaned}


def _cleaned(name: str) -> str:
    return name.strip().strip('"').removeprefix("#")


def _declared_keys(path: Path) -> dict[str, str | None]:
    """Keys that a VCF's header declares for INFO, and their numbers of values."""
    found: dict[str, str | None] = {}
    for block in whole_lines(path, block_bytes=HEAD_BYTES):
        for line in block.splitlines():
            if not line.startswith(b"##"):
                return found
            declared = _INFO.match(line)
            if declared is not None:
                number = declared["number"]
                key = declared["key"].decode("utf-8", "backslashreplace")
                found[key] = None if number is None else number.decode("utf-8", "replace")
    return found


def _value_of(info: Column, key: str) -> Column:
    """What stands behind `KEY=` in each INFO, `true` for a key alone, null where it is not."""
    # the whole key, or AF would be found in MAF and in AF_EAS
    pattern = rf"(?:^|;){re.escape(key)}(?P<rest>=[^;]*)?(?:;|$)"
    rest = pc.struct_field(pc.extract_regex(info, pattern), "rest")
    is_flag = pc.equal(rest, "")
    return pc.if_else(is_flag, "true", pc.utf8_slice_codeunits(rest, 1))


def _of_alts(written: Column, alts: Alts) -> pa.Array:
    """Of a list with a value for each ALT each allele's own; a single value is that of all.

    Of "0.1,0.2" the second ALT has 0.2; of "0.4" every ALT has 0.4; of "0.1,0.2" a third ALT has none.
    """
    filled = pc.fill_null(written, "")
    lists = pa.chunked_array(pc.split_pattern(filled, ",")).combine_chunks()
    counts = np.asarray(pc.list_value_length(lists), dtype=np.int64)
    firsts = np.cumsum(counts) - counts
    count = counts[alts.record]
    own = np.where(count == 1, 0, alts.index - 1)
    place = pa.array(firsts[alts.record] + own, mask=own >= count)
    return pc.list_flatten(lists).take(place)
