"""What records say of each of their ALTs: place in the record, effect allele, frequency, FILTER.

Knows commas between ALTs, and INFO as far as it holds frequencies. Does not know positions.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Numbers, equal, has_match, is_one_of

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"

_PLUS = pa.scalar(1, pa.int8())
_MINUS = pa.scalar(-1, pa.int8())
_NO_SIGN = pa.scalar(None, pa.int8())
_NEITHER = pa.scalar(0, pa.int8())

_NO_ALLELE = ("", ".", "?", "0", "NA", "N/A", "#NA", "NAN", "NULL", "NONE")
"""What stands, in upper case, for an effect allele that is not known."""

Column: TypeAlias = pa.ChunkedArray
"""One value for each record of a table."""


@dataclass(frozen=True)
class Alts:
    """The ALTs of records, one row each: A and C,G are three rows with the records 0, 1, 1 and the indices 1, 1, 2.

    Attributes:
        record: row of the record.
        index: the ALT's place in its record, from 1.
        alt: as written; a null ALT stays one null row.
        one_each: whether every record has one ALT.
    """

    record: Numbers
    index: Numbers
    alt: pa.Array
    one_each: bool

    @staticmethod
    def of(alt: pa.Array) -> "Alts":
        """Split the ALTs of records, as written, at their commas."""
        has_lists = pc.any(pc.match_substring(alt, ","))
        # most blocks have no such record, and keep their columns without a copy
        if not has_lists.as_py():
            records = np.arange(len(alt))
            return Alts(records, np.ones_like(records), alt, one_each=True)
        return Alts._split(alt)

    @staticmethod
    def _split(alt: pa.Array) -> "Alts":
        """One row for each ALT: of A and C,G the counts are 1, 2, the first rows 0, 1, and the indices 1, 1, 2."""
        # split into lists, a null would be no row at all: it is split as "", which is one, and made null again
        filled = pc.fill_null(alt, "")
        lists = pc.split_pattern(filled, ",")
        counts = np.asarray(pc.list_value_length(lists))
        records = np.arange(len(alt))
        record = np.repeat(records, counts)
        firsts = np.cumsum(counts) - counts
        first_of_record = np.repeat(firsts, counts)
        place = np.arange(record.size) - first_of_record
        is_null = pc.is_null(alt).take(pa.array(record))
        parts = pc.list_flatten(lists)
        one_row_each = pc.if_else(is_null, None, parts)
        return Alts(record, place + 1, one_row_each, one_each=False)

    def of_record(self, column: Any) -> Any:
        """A column of the records, as one of the ALTs."""
        if self.one_each:
            return column
        return column.take(pa.array(self.record))


def effect_signs(
    records: pa.Table,
    alts: Alts,
    *,
    declares_ref: bool,
) -> pa.Array:
    """1 where the row's ALT is the effect allele, -1 where its REF is, 0 where another is named, null where none is.

    Where REF is not declared and no column names it, ALT is the effect allele.
    """
    size = alts.record.size
    if "effect" not in records.column_names:
        # of REF and ALT nothing says whose effect is measured; of a pair of alleles ALT stands for the effect's
        sign = _NO_SIGN if declares_ref else _PLUS
        return pa.repeat(sign, size)
    # letters count in either case: studies write their effect alleles in small ones, too
    effect = _taken(records["effect"], alts)
    named = pc.ascii_upper(effect)
    alt = pc.ascii_upper(alts.alt)
    ref = pc.ascii_upper(_taken(records["ref"], alts))
    is_alt = equal(named, alt)
    is_ref = equal(named, ref)
    # ALT first: where both are the same letter, a bad allele, the sign is that of ALT
    named_or_empty = pc.fill_null(named, "")
    is_none = is_one_of(named_or_empty, *_NO_ALLELE)
    unless_ref = pc.if_else(is_none, _NO_SIGN, _NEITHER)
    unless_alt = pc.if_else(is_ref, _MINUS, unless_ref)
    return pc.if_else(is_alt, _PLUS, unless_alt)


def _taken(column: Column, alts: Alts) -> pa.Array:
    return alts.of_record(column).combine_chunks()


def passed_filters(records: pa.Table) -> Column:
    """Whether FILTER is PASS, `.` or empty; null where the records have no such column."""
    if "filter" not in records.column_names:
        unknown = pa.nulls(records.num_rows, pa.bool_())
        return pa.chunked_array([unknown])
    return is_one_of(records["filter"], "PASS", ".", "")


def frequencies(records: pa.Table, alts: Alts) -> pa.Array:
    """Frequency of each ALT: the file's column, else INFO's AF, MAF, or AC / AN; null where there is none.

    Null, too, where neither column was asked of the reader.
    """
    if "frequency" in records.column_names:
        return _numbers_of_alts(records["frequency"], alts)
    if "info" not in records.column_names:
        return pa.nulls(alts.record.size, pa.float64())
    info = records["info"]
    # a pattern over INFO is slow: the further keys are looked for only where one before left gaps
    frequency = _info_numbers(info, "AF", alts)
    if frequency.null_count:
        minor = _info_numbers(info, "MAF", alts)
        frequency = pc.coalesce(frequency, minor)
    if frequency.null_count:
        counted = _counted_frequency(info, alts)
        frequency = pc.coalesce(frequency, counted)
    return frequency


def _counted_frequency(info: Column, alts: Alts) -> pa.Array:
    """AC / AN of each ALT; null where one of both is not there."""
    count = _info_numbers(info, "AC", alts)
    total = _info_numbers(info, "AN", alts)
    # AN is 0 where no sample has a genotype: no frequency, rather than 0 / 0
    no_genotypes = pc.equal(total, 0.0)
    positive_total = pc.if_else(no_genotypes, None, total)
    return pc.divide(count, positive_total)


def _info_numbers(info: Column, key: str, alts: Alts) -> pa.Array:
    """Each ALT's number of a key of INFO, such as AF=0.1,0.2;AN=8; null where the key is not there."""
    # from the line's begin or a `;`, or AF would be found in MAF
    parts = pc.extract_regex(info, rf"(?:^|;){key}=(?P<value>[^;]*)")
    values = pc.struct_field(parts, "value")
    return _numbers_of_alts(values, alts)


def _numbers_of_alts(text: Column, alts: Alts) -> pa.Array:
    """The number that belongs to each ALT: of a list its own, of a single one that.

    Of "0.1,0.2" the second ALT has 0.2; of "0.4" every ALT has 0.4; of "0.1,0.2" a third ALT has none.
    """
    filled = pc.fill_null(text, "")
    lists = pc.split_pattern(filled, ",").combine_chunks()
    counts = np.asarray(pc.list_value_length(lists), dtype=np.int64)
    firsts = np.cumsum(counts) - counts
    count = counts[alts.record]
    first = firsts[alts.record]
    # a column of a table has one frequency, whatever the number of ALTs
    own = np.where(count == 1, 0, alts.index - 1)
    is_absent = own >= count
    place_or_null = pa.array(first + own, mask=is_absent)
    all_cells = pc.list_flatten(lists)
    cells = all_cells.take(place_or_null)
    # a cell that is no number, such as ".", says that there is none
    is_number = has_match(cells, _NUMBER)
    numbers = pc.if_else(is_number, cells, None)
    return pc.cast(numbers, pa.float64())
