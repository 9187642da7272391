"""Records as columns of text become alleles: one row for each ALT, and a reason where a record cannot be read.

Knows 1-based positions and commas between ALTs. Does not know files or the genome.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.variants.table import RAW_SCHEMA, Status

_WHOLE_NUMBER = "^[0-9]{1,18}$"  # 19 digits could overflow 64 bits

_WHOLE_FLOAT = r"^([0-9]{1,18})\.0+$"  # how table programs write positions of a column with gaps


@dataclass(frozen=True)
class Reading:
    """How a format's records are understood.

    Attributes:
        declares_ref: whether `ref` is the genome's allele by the format's own rule; else `alt` is the effect allele.
        one_based: whether positions count from 1; None where `end` shows it, record by record.
        separator: between columns, for a message.
    """

    declares_ref: bool = True
    one_based: bool | None = True
    separator: str = "tab"


def to_alleles(records: pa.Table, input_file: str, reading: Reading | None = None) -> pa.Table:
    """Alleles of RAW_SCHEMA.

    Args:
        records: columns line, fields, wanted (int64) and, as strings or null, chrom, pos, id, ref, alt; and any of end,
            effect, frequency, filter, info; status and reason where a record is decided already; alt_offset.
        input_file: the name the rows carry.
        reading: how they are understood; by default as VCF.
    """
    reading = reading or Reading()
    records = records.combine_chunks()
    numbers = _whole_numbers(records["pos"])
    reason = _reasons(records, numbers, reading)
    status = pc.if_else(pc.is_valid(reason), Status.MALFORMED.value, pa.scalar(None, pa.string()))
    start = pc.cast(numbers, pa.int64())
    if reading.one_based is None:
        one_based, no_fit = _counted_from_one(records, start)
        reason = pc.coalesce(reason, no_fit)
        status = pc.coalesce(status, pc.if_else(pc.is_valid(no_fit), Status.MALFORMED.value, None))
        start = pc.subtract(start, pc.cast(one_based, pa.int64()))
    elif reading.one_based:
        start = pc.subtract(start, 1)
    if "status" in records.column_names:
        reason = pc.if_else(pc.is_valid(records["status"]), records["reason"], reason)
        status = pc.coalesce(records["status"], status)
    record, alt_index, alt = _split_alts(records["alt"].combine_chunks())
    take = _Taker(record, records.num_rows)
    columns = {
        "input_file": pa.repeat(input_file, record.size),
        "input_line": take(records["line"]),
        "alt_index": pa.array(alt_index + _offset(records, record), pa.int32()),
        "input_chrom": take(records["chrom"]),
        "input_ref": take(records["ref"]),
        "input_alt": alt,
        "id": take(pc.if_else(_missing(records["id"]), None, records["id"])),
        "start": take(start),
        "status": take(status),
        "reason": take(reason),
        "declares_ref": pa.repeat(reading.declares_ref, record.size),
        "effect": effect_of_alts(records, record, alt, declares_ref=reading.declares_ref),
        "frequency": frequency_of_alts(records, record, alt_index),
        "passed": take(passed(records)),
    }
    return pa.table([columns[name] for name in RAW_SCHEMA.names], schema=RAW_SCHEMA)


def _offset(records: pa.Table, record: Int64[np.ndarray, " rows"]) -> Any:
    """Where a record was looked up at several sites: ALTs of those before."""
    if "alt_offset" not in records.column_names:
        return 0
    return np.asarray(records["alt_offset"], dtype=np.int64)[record]


class _Taker:
    """Gives every ALT its record's value; where each record has one ALT there is nothing to do."""

    def __init__(self, record: Int64[np.ndarray, " rows"], records: int) -> None:
        self._rows = None if record.size == records else pa.array(record)

    def __call__(self, column: Any) -> Any:
        return column if self._rows is None else column.take(self._rows)


def _whole_numbers(pos: pa.ChunkedArray) -> pa.ChunkedArray:
    """Null where it is none; 2301324.0 is one."""
    if _all_digits(pos):
        return pos
    whole = pc.fill_null(pc.match_substring_regex(pos, _WHOLE_NUMBER), False)
    if pc.all(whole).as_py():
        return pos
    plain = pc.if_else(whole, pos, None)
    floats = pc.fill_null(pc.match_substring_regex(pos, _WHOLE_FLOAT), False)
    if not pc.any(floats).as_py():
        return plain
    return pc.if_else(floats, pc.replace_substring_regex(pos, _WHOLE_FLOAT, r"\1"), plain)


def _all_digits(texts: pa.ChunkedArray) -> bool:
    """Whether there is no null and no empty text, nothing but digits, and no more than 18 of them: without a regex."""
    if texts.null_count or not len(texts):
        return False
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    if not 0 < lengths["min"] <= lengths["max"] <= 18:
        return False
    for chunk in filter(len, texts.chunks):
        offsets = np.frombuffer(chunk.buffers()[1], np.int32)[
            chunk.offset : chunk.offset + len(chunk) + 1
        ]
        letters = np.frombuffer(chunk.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        if letters.min() < ord("0") or letters.max() > ord("9"):
            return False
    return True


def _counted_from_one(
    records: pa.Table, start: pa.ChunkedArray
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Whether each start counts from 1, as its end and the length of REF show, and a reason where neither fits."""
    end = pc.cast(_whole_numbers(records["end"]), pa.int64())
    extra = pc.subtract(
        pc.subtract(pc.add(start, pc.cast(pc.utf8_length(records["ref"]), pa.int64())), end), 1
    )
    from_one = pc.fill_null(pc.equal(extra, 0), False)
    from_zero = pc.fill_null(pc.equal(extra, -1), False)
    reason = _joined(
        "END ", pc.fill_null(records["end"], ""), " is neither START + length of REF nor one less"
    )
    return from_one, pc.if_else(pc.or_(from_one, from_zero), None, reason)


def _missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.is_in(column, pa.array(["", ".", "NA", "#NA"])), False)


def _missing_or_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.is_null(column), pc.fill_null(pc.is_in(column, pa.array(["", "."])), False))


def _reasons(records: pa.Table, pos: pa.ChunkedArray, reading: Reading) -> pa.ChunkedArray:
    """Why a record cannot be read; null where it can. The first reason in this order counts."""
    text = pa.string()
    unreadable = {
        "a header line among the records": pc.fill_null(
            pc.starts_with(records["chrom"], "#"), False
        ),
        "too few columns": pc.less(records["fields"], records["wanted"]),
        **{
            f"{name.upper()} is missing": _missing_or_null(records[name])
            for name in ("chrom", "pos", "ref")
        },
        "POS is not a whole number": pc.is_null(pos),
    }
    if not any(pc.any(rows).as_py() for rows in unreadable.values()):
        return pa.chunked_array([pa.nulls(records.num_rows, text)])
    separators = {"tab": ", separated by tabs: ", "comma": ", separated by commas: ", "space": ": "}
    few = (
        "too few columns" + separators[reading.separator],
        records["fields"],
        " of ",
        records["wanted"],
    )
    details = {
        "too few columns": few,
        "POS is not a whole number": ("POS is not a whole number: '", records["pos"], "'", ""),
    }
    reasons = [_joined(*details[reason]) if reason in details else reason for reason in unreadable]
    return pc.case_when(pc.make_struct(*unreadable.values()), *reasons, pa.scalar(None, text))


def _joined(*parts: Any) -> pa.ChunkedArray:
    texts = [part if isinstance(part, str) else pc.cast(part, pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, "")


def _split_alts(
    alt: pa.Array,
) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"], pa.Array]:
    """Row of the record, 1-based index of the ALT, and the ALT itself; a null ALT stays one null row."""
    rows = np.arange(len(alt))
    if not pc.any(pc.match_substring(alt, ",")).as_py():
        return rows, np.ones_like(rows), alt
    lists = pc.split_pattern(pc.fill_null(alt, ""), ",")
    counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    record = np.repeat(rows, counts)
    first = np.cumsum(counts) - counts
    alt_index = np.arange(record.size) - np.repeat(first, counts) + 1
    is_null = alt.is_null().to_numpy(zero_copy_only=False)[record]
    return record, alt_index, pc.if_else(is_null, None, pc.list_flatten(lists))


_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def effect_of_alts(
    records: pa.Table, record: Int64[np.ndarray, " rows"], alt: pa.Array, *, declares_ref: bool
) -> pa.Array:
    """1 where the row's ALT is the effect allele, -1 where its REF is, null where none or another is named.

    Args:
        records: with the column effect where the file has one.
        record: row of `records` of each ALT.
        alt: of each row.
        declares_ref: if not, ALT is the effect allele by the format's rule.
    """
    if not declares_ref:
        return pa.repeat(pa.scalar(1, pa.int8()), record.size)
    if "effect" not in records.column_names:
        return pa.nulls(record.size, pa.int8())
    named = pc.ascii_upper(records["effect"].take(pa.array(record)))
    is_alt = pc.equal(named, pc.ascii_upper(alt))
    is_ref = pc.equal(named, pc.ascii_upper(records["ref"].take(pa.array(record))))
    conditions = pc.make_struct(pc.fill_null(is_alt, False), pc.fill_null(is_ref, False))
    sign = pc.case_when(
        conditions, pa.scalar(1, pa.int8()), pa.scalar(-1, pa.int8()), pa.scalar(None, pa.int8())
    )
    return sign.combine_chunks() if isinstance(sign, pa.ChunkedArray) else sign


def passed(records: pa.Table) -> pa.ChunkedArray:
    """Whether FILTER is PASS or `.`; null where the records have no such column."""
    if "filter" not in records.column_names:
        return pa.chunked_array([pa.nulls(records.num_rows, pa.bool_())])
    return pc.is_in(records["filter"], pa.array(["PASS", ".", ""]))


def frequency_of_alts(
    records: pa.Table, record: Int64[np.ndarray, " rows"], alt_index: Int64[np.ndarray, " rows"]
) -> pa.Array:
    """Frequency of each ALT: the file's column, else INFO's AF, MAF, or AC / AN; null where there is none.

    Args:
        records: with the columns frequency or info where the file has them and they were asked for.
        record: row of `records` of each ALT.
        alt_index: the ALT's place in its record, from 1.
    """
    if "frequency" in records.column_names:
        return _numbers_of_alts(records["frequency"], record, alt_index)
    if "info" not in records.column_names:
        return pa.nulls(record.size, pa.float64())
    info = records["info"]
    found = _numbers_of_alts(_info(info, "AF"), record, alt_index)
    if found.null_count:
        found = pc.coalesce(found, _numbers_of_alts(_info(info, "MAF"), record, alt_index))
    if found.null_count:
        count = _numbers_of_alts(_info(info, "AC"), record, alt_index)
        total = _numbers_of_alts(_info(info, "AN"), record, alt_index)
        total = pc.if_else(pc.equal(total, 0.0), None, total)
        found = pc.coalesce(found, pc.divide(count, total))
    return found


def _info(info: pa.ChunkedArray, key: str) -> pa.ChunkedArray:
    """The value of a key of INFO."""
    return pc.struct_field(pc.extract_regex(info, rf"(?:^|;){key}=(?P<value>[^;]*)"), "value")


def _numbers_of_alts(
    text: pa.ChunkedArray, record: Int64[np.ndarray, " rows"], alt_index: Int64[np.ndarray, " rows"]
) -> pa.Array:
    """The number that belongs to each ALT: of a list its own, of a single one that."""
    lists = pc.split_pattern(pc.fill_null(text, ""), ",")
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    counts = np.asarray(pc.list_value_length(lists), dtype=np.int64)
    firsts = (np.cumsum(counts) - counts)[record]
    own = np.where(counts[record] == 1, 0, alt_index - 1)
    index = pa.array(firsts + own, mask=own >= counts[record])
    cells = pc.list_flatten(lists).take(index)
    plain = pc.if_else(pc.fill_null(pc.match_substring_regex(cells, _NUMBER), False), cells, None)
    return pc.cast(plain, pa.float64())
