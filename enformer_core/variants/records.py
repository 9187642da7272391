"""Records as columns of text become alleles: one row for each ALT, and a reason where a record cannot be read.

Knows 1-based positions and commas between ALTs. Does not know files or the genome.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.variants.table import RAW_SCHEMA, Status

_WHOLE_NUMBER = "^[0-9]{1,18}$"  # 19 digits could overflow 64 bits


def to_alleles(records: pa.Table, input_file: str) -> pa.Table:
    """Alleles of RAW_SCHEMA.

    Args:
        records: columns line, fields, wanted (int64) and, as strings or null, chrom, pos (1-based), id, ref, alt.
        input_file: the name the rows carry.
    """
    records = records.combine_chunks()
    pos = pc.if_else(pc.fill_null(pc.match_substring_regex(records["pos"], _WHOLE_NUMBER), False), records["pos"], None)
    reason = _reasons(records, pos)
    record, alt_index, alt = _split_alts(records["alt"].combine_chunks())
    columns = {
        "input_file": pa.repeat(input_file, record.size),
        "input_line": records["line"].take(record),
        "alt_index": pa.array(alt_index, pa.int32()),
        "input_chrom": records["chrom"].take(record),
        "input_ref": records["ref"].take(record),
        "input_alt": alt,
        "id": pc.if_else(_missing(records["id"]), None, records["id"]).take(record),
        "start": pc.subtract(pc.cast(pos, pa.int64()), 1).take(record),
        "status": pc.if_else(pc.is_valid(reason), Status.MALFORMED.value, pa.scalar(None, pa.string())).take(record),
        "reason": reason.take(record),
    }
    return pa.table([columns[name] for name in RAW_SCHEMA.names], schema=RAW_SCHEMA)


def _missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.is_in(column, pa.array(["", "."])), False)


def _missing_or_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.is_null(column), _missing(column))


def _reasons(records: pa.Table, pos: pa.ChunkedArray) -> pa.ChunkedArray:
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
    details = {
        "too few columns": ("too few columns, separated by tabs: ", records["fields"], " of ", records["wanted"]),
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
