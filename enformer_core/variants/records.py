"""Records as columns of text become alleles: one row for each ALT, and a reason where a record cannot be read.

Knows 1-based positions and commas between ALTs. Does not know files or the genome.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.variants.details import effect_of_alts, frequency_of_alts, passed
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
        offsets = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        letters = np.frombuffer(chunk.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        if letters.min() < ord("0") or letters.max() > ord("9"):
            return False
    return True


def _counted_from_one(records: pa.Table, start: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Whether each start counts from 1, as its end and the length of REF show, and a reason where neither fits."""
    end = pc.cast(_whole_numbers(records["end"]), pa.int64())
    extra = pc.subtract(pc.subtract(pc.add(start, pc.cast(pc.utf8_length(records["ref"]), pa.int64())), end), 1)
    from_one = pc.fill_null(pc.equal(extra, 0), False)
    from_zero = pc.fill_null(pc.equal(extra, -1), False)
    reason = _joined("END ", pc.fill_null(records["end"], ""), " is neither START + length of REF nor one less")
    return from_one, pc.if_else(pc.or_(from_one, from_zero), None, reason)


def _missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.is_in(column, pa.array(["", ".", "NA", "#NA"])), False)


def _missing_or_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.is_null(column), pc.fill_null(pc.is_in(column, pa.array(["", "."])), False))


def _reasons(records: pa.Table, pos: pa.ChunkedArray, reading: Reading) -> pa.ChunkedArray:
    """Why a record cannot be read; null where it can. The first reason in this order counts."""
    text = pa.string()
    unreadable = {
        "a header line among the records": pc.fill_null(pc.starts_with(records["chrom"], "#"), False),
        "too few columns": pc.less(records["fields"], records["wanted"]),
        **{f"{name.upper()} is missing": _missing_or_null(records[name]) for name in ("chrom", "pos", "ref")},
        "POS is not a whole number": pc.is_null(pos),
    }
    if not any(pc.any(rows).as_py() for rows in unreadable.values()):
        return pa.chunked_array([pa.nulls(records.num_rows, text)])
    separators = {"tab": ", separated by tabs: ", "comma": ", separated by commas: ", "space": ": "}
    few = ("too few columns" + separators[reading.separator], records["fields"], " of ", records["wanted"])
    details = {
        "too few columns": few,
        "POS is not a whole number": ("POS is not a whole number: '", records["pos"], "'", ""),
    }
    reasons = [_joined(*details[reason]) if reason in details else reason for reason in unreadable]
    return pc.case_when(pc.make_struct(*unreadable.values()), *reasons, pa.scalar(None, text))


def _joined(*parts: Any) -> pa.ChunkedArray:
    texts = [part if isinstance(part, str) else pc.cast(part, pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, "")


def _split_alts(alt: pa.Array) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"], pa.Array]:
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
