"""What a record says beside its alleles: which of them is the effect allele, how frequent it is, whether it passed.

Works on columns of text. Does not know files or the genome.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

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
    sign = pc.case_when(conditions, pa.scalar(1, pa.int8()), pa.scalar(-1, pa.int8()), pa.scalar(None, pa.int8()))
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
