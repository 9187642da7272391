"""Records as columns of text become alleles: one row for each ALT, and a reason where a record cannot be read.

Here positions turn from those of the file to 0-based ones, for every format, and nowhere else on the way in. Knows
1-based positions and commas between ALTs. Does not know files or the genome.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Numbers, is_one_of
from enformer_core.variants.formats.reader import Separator
from enformer_core.variants.table import RAW_SCHEMA, Status

_WHOLE_NUMBER = "^[0-9]{1,18}$"  # 19 digits could overflow 64 bits
_MOST_DIGITS = 18

_WHOLE_FLOAT = r"^([0-9]{1,18})\.0+$"  # how table programs write positions of a column with gaps

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"

_SEPARATED_BY: dict[Separator, str] = {
    "tab": ", separated by tabs",
    "comma": ", separated by commas",
    "space": "",
}

_NO_TEXT = pa.scalar(None, pa.string())

_PLUS = pa.scalar(1, pa.int8())
_MINUS = pa.scalar(-1, pa.int8())
_NO_SIGN = pa.scalar(None, pa.int8())

Column: TypeAlias = pa.ChunkedArray
"""Of records; one value each."""


@dataclass(frozen=True)
class ParseRules:
    """How a format's records are understood.

    Attributes:
        declares_ref: whether `ref` is the genome's allele by the format's own rule; else `alt` is the effect allele.
        one_based: whether positions count from 1; None where `end` shows it, record by record.
        separator: between columns, for a message.
    """

    declares_ref: bool = True
    one_based: bool | None = True
    separator: Separator = "tab"


def to_alleles(
    records: pa.Table,
    input_file: str,
    rules: ParseRules | None = None,
) -> pa.Table:
    """Alleles of RAW_SCHEMA.

    Args:
        records: as a `RecordReader` gives them, with any of the roles end, effect, frequency, filter and info; and
            from a look-up by identifier (`rsids`) status and reason, where a record is decided already, and alt_offset.
        input_file: the name the rows carry.
        rules: how they are understood; by default as VCF.
    """
    rules = rules or ParseRules()
    records = records.combine_chunks()  # one chunk a column, so that each becomes one array
    start, reason = _starts(records, rules)
    status, reason = _statuses(records, reason)
    alts = _Alts.of(records["alt"].combine_chunks())
    alt_index = alts.index + _alt_offset(records, alts)
    columns = {
        "input_file": pa.repeat(input_file, alts.record.size),
        "input_line": alts.of_record(records["line"]),
        "alt_index": pa.array(alt_index, pa.int32()),
        "input_chrom": alts.of_record(records["chrom"]),
        "input_ref": alts.of_record(records["ref"]),
        "input_alt": alts.alt,
        "id": alts.of_record(_identifiers(records)),
        "start": alts.of_record(start),
        "status": alts.of_record(status),
        "reason": alts.of_record(reason),
        "declares_ref": pa.repeat(rules.declares_ref, alts.record.size),
        "effect": _effect(records, alts, declares_ref=rules.declares_ref),
        "frequency": _frequency(records, alts),
        "passed": alts.of_record(_passed(records)),
    }
    in_order = [columns[name] for name in RAW_SCHEMA.names]
    return pa.table(in_order, schema=RAW_SCHEMA)


def _statuses(records: pa.Table, reason: Column) -> tuple[Column, Column]:
    """Status of each record, null while nothing is decided, and its reason; what a look-up decided comes first."""
    is_malformed = pc.is_valid(reason)
    status = pc.if_else(is_malformed, Status.MALFORMED.value, _NO_TEXT)
    if "status" in records.column_names:
        # a record that the look-up did not find has no position either: not found says more
        decided = records["status"]
        reason = pc.if_else(pc.is_valid(decided), records["reason"], reason)
        status = pc.coalesce(decided, status)
    return status, reason


def _identifiers(records: pa.Table) -> Column:
    written = records["id"]
    is_placeholder = is_one_of(written, "", ".", "NA", "#NA")
    return pc.if_else(is_placeholder, None, written)


def _starts(records: pa.Table, rules: ParseRules) -> tuple[Column, Column]:
    """0-based start of each record, null where it cannot be read, and why the record cannot be read, else null."""
    pos = _whole_numbers(records["pos"])
    reason = _reasons(records, pos, rules.separator)
    start = pc.cast(pos, pa.int64())
    if rules.one_based is None:
        from_one, no_fit = _counted_from_one(records, start)
        one_or_zero = pc.cast(from_one, pa.int64())
        return pc.subtract(start, one_or_zero), pc.coalesce(reason, no_fit)
    if rules.one_based:
        start = pc.subtract(start, 1)
    return start, reason


def _whole_numbers(pos: Column) -> Column:
    """The texts that are whole numbers, null elsewhere; 2301324.0 is one."""
    if _all_digits(pos):
        return pos
    # from here on for odd columns only
    is_whole = _is_match(pos, _WHOLE_NUMBER)
    if pc.all(is_whole).as_py():
        return pos
    whole = pc.if_else(is_whole, pos, None)
    is_float = _is_match(pos, _WHOLE_FLOAT)
    if not pc.any(is_float).as_py():
        return whole
    without_zeros = pc.replace_substring_regex(pos, _WHOLE_FLOAT, r"\1")
    return pc.if_else(is_float, without_zeros, whole)


def _is_match(texts: Any, pattern: str) -> Any:
    """Whether the pattern is in each text; null has none."""
    return pc.fill_null(pc.match_substring_regex(texts, pattern), False)


def _all_digits(texts: Column) -> bool:
    """Whether there is no null and no empty text, nothing but digits, and no more than 18 of them.

    Looks at the column's bytes: a regex over the positions of a large file would cost more than reading it.
    """
    if texts.null_count or not len(texts):
        return False
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    if not 0 < lengths["min"] <= lengths["max"] <= _MOST_DIGITS:
        return False
    return all(_are_digits(chunk) for chunk in texts.chunks if len(chunk))


def _are_digits(texts: pa.Array) -> bool:
    _, offsets_buffer, letters_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)
    begin = offsets[texts.offset]  # the array may be a slice of its buffers
    end = offsets[texts.offset + len(texts)]
    letters = np.frombuffer(letters_buffer, np.uint8)[begin:end]
    return bool(letters.min() >= ord("0") and letters.max() <= ord("9"))


def _counted_from_one(
    records: pa.Table,
    start: pa.ChunkedArray,
) -> tuple[Column, Column]:
    """Whether each start counts from 1, as its end and the length of REF show, and a reason where neither fits.

    Of AT, the third and fourth base, start and end are 3, 4 counted from 1, where the end is the last base, and 2, 4
    counted from 0, where it is the base behind: start + length - 1 - end is 0 or -1.
    """
    written_end = records["end"]
    end = pc.cast(_whole_numbers(written_end), pa.int64())
    ref_bp = pc.cast(pc.utf8_length(records["ref"]), pa.int64())
    last = pc.subtract(pc.add(start, ref_bp), 1)
    beyond = pc.subtract(last, end)
    from_one = pc.fill_null(pc.equal(beyond, 0), False)
    from_zero = pc.fill_null(pc.equal(beyond, -1), False)
    reason = _sentence(
        "END ",
        pc.fill_null(written_end, ""),
        " is neither START + length of REF nor one less",
    )
    fits = pc.or_(from_one, from_zero)
    return from_one, pc.if_else(fits, None, reason)


@dataclass(frozen=True)
class _Fault:
    """A reason for which records cannot be read.

    Attributes:
        rows: whether each record has it.
        reason: what is said of it, a text or a column of them; made only if some record of the batch has a fault.
    """

    rows: Column
    reason: Callable[[], Any]


def _reasons(
    records: pa.Table,
    pos: Column,
    separator: Separator,
) -> Column:
    """Why a record cannot be read; null where it can. The first reason in this order counts."""
    # a short line lacks what comes behind its end: that it is short is the better reason, so it stands first
    faults = [
        _is_header_line(records),
        _has_too_few_fields(records, separator),
        _is_missing(records, "chrom"),
        _is_missing(records, "pos"),
        _is_missing(records, "ref"),
        _has_no_number(records, pos),
    ]
    if not any(pc.any(fault.rows).as_py() for fault in faults):
        return _nulls(records, pa.string())
    conditions = pc.make_struct(*[fault.rows for fault in faults])
    reasons = [fault.reason() for fault in faults]
    return pc.case_when(conditions, *reasons, _NO_TEXT)


def _nulls(records: pa.Table, of_type: pa.DataType) -> Column:
    return pa.chunked_array([pa.nulls(records.num_rows, of_type)])


def _is_header_line(records: pa.Table) -> _Fault:
    rows = pc.fill_null(pc.starts_with(records["chrom"], "#"), False)
    return _Fault(rows, lambda: "a header line among the records")


def _has_too_few_fields(records: pa.Table, separator: Separator) -> _Fault:
    fields = records["fields"]
    needed = records["needed_fields"]
    beginning = f"too few columns{_SEPARATED_BY[separator]}: "
    return _Fault(
        pc.less(fields, needed),
        lambda: _sentence(beginning, fields, " of ", needed),
    )


def _is_missing(records: pa.Table, role: str) -> _Fault:
    column = records[role]
    is_empty = is_one_of(column, "", ".")
    return _Fault(
        pc.or_(pc.is_null(column), is_empty),
        lambda: f"{role.upper()} is missing",
    )


def _has_no_number(records: pa.Table, pos: Column) -> _Fault:
    written = records["pos"]
    return _Fault(
        pc.is_null(pos),
        lambda: _sentence("POS is not a whole number: '", written, "'", ""),
    )


def _sentence(*parts: Any) -> Column:
    """Texts and columns joined to one text for each row; null where a column is null."""
    separator = ""
    texts = [part if isinstance(part, str) else pc.cast(part, pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, separator)


@dataclass(frozen=True)
class _Alts:
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
    def of(alt: pa.Array) -> "_Alts":
        records = np.arange(len(alt))
        # most blocks have no such record, and keep their columns without a copy
        if not pc.any(pc.match_substring(alt, ",")).as_py():
            return _Alts(records, np.ones_like(records), alt, one_each=True)
        lists = pc.split_pattern(pc.fill_null(alt, ""), ",")
        counts = np.asarray(pc.list_value_length(lists))
        record = np.repeat(records, counts)
        firsts = np.cumsum(counts) - counts
        index = np.arange(record.size) - np.repeat(firsts, counts) + 1
        # split into lists, a null would be no row at all: it is split as "", which is one, and made null again
        is_null = pc.is_null(alt).take(pa.array(record))
        one_row_each = pc.if_else(is_null, None, pc.list_flatten(lists))
        return _Alts(record, index, one_row_each, one_each=False)

    def of_record(self, column: Any) -> Any:
        """A column of the records, as one of the ALTs."""
        if self.one_each:
            return column
        return column.take(pa.array(self.record))


def _alt_offset(records: pa.Table, alts: _Alts) -> Numbers | int:
    """ALTs of the same input record that stand before: more than 0 where it was looked up at several sites."""
    if "alt_offset" not in records.column_names:
        return 0
    offsets = np.asarray(records["alt_offset"], dtype=np.int64)
    return offsets[alts.record]


def _effect(
    records: pa.Table,
    alts: _Alts,
    *,
    declares_ref: bool,
) -> pa.Array:
    """1 where the row's ALT is the effect allele, -1 where its REF is, null where none or another is named.

    Where REF is not declared, ALT is the effect allele by the format's rule.
    """
    size = alts.record.size
    if not declares_ref:
        return pa.repeat(_PLUS, size)
    if "effect" not in records.column_names:
        return pa.nulls(size, pa.int8())
    named = pc.ascii_upper(_taken(records["effect"], alts))
    alt = pc.ascii_upper(alts.alt)
    ref = pc.ascii_upper(_taken(records["ref"], alts))
    is_alt = pc.fill_null(pc.equal(named, alt), False)
    is_ref = pc.fill_null(pc.equal(named, ref), False)
    unless_alt = pc.if_else(is_ref, _MINUS, _NO_SIGN)
    return pc.if_else(is_alt, _PLUS, unless_alt)


def _taken(column: Column, alts: _Alts) -> pa.Array:
    return alts.of_record(column).combine_chunks()


def _passed(records: pa.Table) -> Column:
    """Whether FILTER is PASS or `.`; null where the records have no such column."""
    if "filter" not in records.column_names:
        return _nulls(records, pa.bool_())
    return is_one_of(records["filter"], "PASS", ".", "")


def _frequency(records: pa.Table, alts: _Alts) -> pa.Array:
    """Frequency of each ALT: the file's column, else INFO's AF, MAF, or AC / AN; null where there is none.

    Null, too, where neither column was asked of the reader.
    """
    if "frequency" in records.column_names:
        return _numbers_of_alts(records["frequency"], alts)
    if "info" not in records.column_names:
        return pa.nulls(alts.record.size, pa.float64())
    info = records["info"]
    frequency = _info_numbers(info, "AF", alts)
    if frequency.null_count:
        minor = _info_numbers(info, "MAF", alts)
        frequency = pc.coalesce(frequency, minor)
    if frequency.null_count:
        count = _info_numbers(info, "AC", alts)
        total = _info_numbers(info, "AN", alts)  # 0 where no sample has a genotype
        positive_total = pc.if_else(pc.equal(total, 0.0), None, total)
        frequency = pc.coalesce(frequency, pc.divide(count, positive_total))
    return frequency


def _info_numbers(info: Column, key: str, alts: _Alts) -> pa.Array:
    """Each ALT's number of a key of INFO, such as AF=0.1,0.2;AN=8; null where the key is not there."""
    parts = pc.extract_regex(info, rf"(?:^|;){key}=(?P<value>[^;]*)")
    return _numbers_of_alts(pc.struct_field(parts, "value"), alts)


def _numbers_of_alts(text: Column, alts: _Alts) -> pa.Array:
    """The number that belongs to each ALT: of a list its own, of a single one that.

    Of "0.1,0.2" the second ALT has 0.2; of "0.4" every ALT has 0.4; of "0.1,0.2" a third ALT has none.
    """
    lists = pc.split_pattern(pc.fill_null(text, ""), ",").combine_chunks()
    counts = np.asarray(pc.list_value_length(lists), dtype=np.int64)
    firsts = np.cumsum(counts) - counts
    count = counts[alts.record]
    own = np.where(count == 1, 0, alts.index - 1)
    place = firsts[alts.record] + own
    cells = pc.list_flatten(lists).take(pa.array(place, mask=own >= count))
    numbers = pc.if_else(_is_match(cells, _NUMBER), cells, None)
    return pc.cast(numbers, pa.float64())
