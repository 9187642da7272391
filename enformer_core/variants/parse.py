"""Records as columns of text become alleles: one row for each ALT, and a reason where a record cannot be read.

Here positions turn from those of the file to 0-based ones, for every format, and nowhere else on the way in. Does
not know files or the genome.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.alts import Alts, Column, effect_signs, frequencies, passed_filters
from enformer_core.variants.arrow import Numbers, equal, has_match, is_one_of, sentence
from enformer_core.variants.formats.identifiers import EMPTY_ALLELE
from enformer_core.variants.formats.reader import Separator
from enformer_core.variants.identifier_check import ids_disagree
from enformer_core.variants.intervals import (
    contradicted_by_bed_start,
    contradicted_by_last,
    ends_disagree,
    starts_by_end,
)
from enformer_core.variants.kept_columns import NOTHING_KEPT, KeptColumns
from enformer_core.variants.table import RAW_SCHEMA, Status

# 19 digits could overflow 64 bits
_WHOLE_NUMBER = "^[0-9]{1,18}$"
_MOST_DIGITS = 18

# how table programs write positions of a column with gaps
_WHOLE_FLOAT = r"^([0-9]{1,18})\.0+$"

_EMPTY_MEMBER = r"^\s*,|,\s*,|,\s*$"

_SEPARATED_BY: dict[Separator, str] = {
    "tab": ", separated by tabs",
    "comma": ", separated by commas",
    "space": "",
}

_NO_TEXT = pa.scalar(None, pa.string())


@dataclass(frozen=True)
class ParseRules:
    """How a format's records are understood.

    Attributes:
        declares_ref: whether `ref` is the genome's allele by the format's own rule; else `alt` is the effect allele.
        one_based: whether positions count from 1; None where `end` shows it, record by record.
        separator: between columns, for a message.
        dash_is_empty: whether `-` is an empty allele; in a VCF it is none.
        kept: columns that are kept beside the alleles.
    """

    declares_ref: bool = True
    one_based: bool | None = True
    separator: Separator = "tab"
    dash_is_empty: bool = False
    kept: KeptColumns = NOTHING_KEPT


def to_alleles(
    records: pa.Table,
    input_file: str,
    rules: ParseRules | None = None,
) -> pa.Table:
    """Alleles of RAW_SCHEMA, and a column of text for each that is kept.

    Args:
        records: as a `RecordStream` gives them, with any of the roles end, effect, frequency, filter, info and
            info_end; and from a look-up by identifier (`rsids`) status and reason, where a record is decided already,
            and alt_offset.
        input_file: the name the rows carry.
        rules: how they are understood; by default as VCF.
    """
    rules = rules or ParseRules()
    # one chunk a column, so that each becomes one array
    records = records.combine_chunks()
    start, reason = _starts(records, rules)
    status, reason = _statuses(records, reason)
    alts = Alts.of(records["alt"].combine_chunks())
    of_records = {
        "input_line": records["line"],
        "input_chrom": records["chrom"],
        "input_ref": records["ref"],
        "id": _identifiers(records),
        "start": start,
        "status": status,
        "reason": reason,
        "passed": passed_filters(records),
        "id_disagrees": _disagreements(records, start),
        "minus_strand": _minus_strand(records),
        "end_disagrees": ends_disagree(records, start),
    }
    alt_index = alts.index + _alt_offset(records, alts)
    rows = alts.record.size
    of_alts = {
        "alt_index": pa.array(alt_index, pa.int32()),
        "input_alt": alts.alt,
        "effect": effect_signs(records, alts, declares_ref=rules.declares_ref),
        "frequency": frequencies(records, alts),
        "input_file": pa.repeat(input_file, rows),
        "declares_ref": pa.repeat(rules.declares_ref, rows),
        "dash_is_empty": pa.repeat(rules.dash_is_empty, rows),
    }
    columns = {name: alts.of_record(column) for name, column in of_records.items()}
    columns |= of_alts
    in_order = [columns[name] for name in RAW_SCHEMA.names]
    raw = pa.table(in_order, schema=RAW_SCHEMA)
    return rules.kept.beside(raw, records, alts)


def _disagreements(records: pa.Table, start: Column) -> Column:
    # of records whose place is their identifier's, this was found before
    if "id_disagrees" in records.column_names:
        return records["id_disagrees"]
    return ids_disagree(records, start)


def _minus_strand(records: pa.Table) -> Column:
    if "minus_strand" in records.column_names:
        return records["minus_strand"]
    unknown = pa.nulls(records.num_rows, pa.bool_())
    return pa.chunked_array([unknown])


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
    if "end" in records.column_names:
        start, no_fit = starts_by_end(
            records,
            start,
            _whole_numbers(records["end"]),
            one_based=rules.one_based,
            declares_ref=rules.declares_ref,
        )
        return start, pc.coalesce(reason, no_fit)
    if "last" in records.column_names:
        contradicted = contradicted_by_last(records, start, declares_ref=rules.declares_ref)
        reason = pc.coalesce(reason, contradicted)
    if "bed_start" in records.column_names:
        contradicted = contradicted_by_bed_start(records, start)
        reason = pc.coalesce(reason, contradicted)
    if rules.declares_ref and rules.dash_is_empty:
        unplaced = _between_which_bases(records)
        reason = pc.coalesce(reason, unplaced)
    if rules.one_based:
        start = pc.subtract(start, 1)
    return start, reason


def _between_which_bases(records: pa.Table) -> Column:
    """A reason where REF is empty: a position is that of a base, and an insertion lies between two."""
    is_insertion = equal(records["ref"], EMPTY_ALLELE)
    return pc.if_else(
        is_insertion,
        "REF is '-', an insertion, and no START and END say between which bases",
        _NO_TEXT,
    )


def _whole_numbers(pos: Column) -> Column:
    """The texts that are whole numbers, null elsewhere; 2301324.0 is one."""
    if _all_digits(pos):
        return pos
    # from here on for odd columns only
    is_whole = has_match(pos, _WHOLE_NUMBER)
    if pc.all(is_whole).as_py():
        return pos
    digits = pc.if_else(is_whole, pos, None)
    is_float = has_match(pos, _WHOLE_FLOAT)
    if not pc.any(is_float).as_py():
        return digits
    without_zeros = pc.replace_substring_regex(pos, _WHOLE_FLOAT, r"\1")
    return pc.if_else(is_float, without_zeros, digits)


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
    # the array may be a slice of its buffers
    first = texts.offset
    begin = offsets[first]
    end = offsets[first + len(texts)]
    # least and largest byte settle it for all letters at once
    all_letters = np.frombuffer(letters_buffer, np.uint8)
    letters = all_letters[begin:end]
    least = letters.min()
    largest = letters.max()
    return bool(least >= ord("0") and largest <= ord("9"))


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
        _is_quoted(records),
        _has_fault(records),
        _is_missing(records, "chrom"),
        _is_missing(records, "pos"),
        _is_missing(records, "ref"),
        _has_no_number(records, pos),
        _has_gap(records),
    ]
    # of most batches none has any, and no sentence is put together
    if not any(pc.any(fault.rows).as_py() for fault in faults):
        none = pa.nulls(records.num_rows, pa.string())
        return pa.chunked_array([none])
    conditions = pc.make_struct(*[fault.rows for fault in faults])
    reasons = [fault.reason() for fault in faults]
    return pc.case_when(conditions, *reasons, _NO_TEXT)


def _is_header_line(records: pa.Table) -> _Fault:
    # files put together by cat have the header of each
    rows = pc.fill_null(pc.starts_with(records["chrom"], "#"), False)
    return _Fault(rows, lambda: "a header line among the records")


def _has_too_few_fields(records: pa.Table, separator: Separator) -> _Fault:
    fields = records["fields"]
    needed = records["needed_fields"]
    # that tabs are expected is what people who wrote spaces need to hear
    beginning = f"too few columns{_SEPARATED_BY[separator]}: "
    return _Fault(
        pc.less(fields, needed),
        lambda: sentence(beginning, fields, " of ", needed),
    )


def _is_quoted(records: pa.Table) -> _Fault:
    # of a VCF that went through a spreadsheet; of a table quotes are taken off
    rows = pc.fill_null(pc.starts_with(records["chrom"], '"'), False)
    return _Fault(rows, lambda: "the line is quoted, as spreadsheets write lines")


def _has_fault(records: pa.Table) -> _Fault:
    """What the reader found; it says it itself."""
    if "fault" not in records.column_names:
        no_row = np.zeros(records.num_rows, dtype=bool)
        return _Fault(pa.chunked_array([no_row]), lambda: _NO_TEXT)
    found = records["fault"]
    return _Fault(pc.is_valid(found), lambda: found)


def _is_missing(records: pa.Table, role: str) -> _Fault:
    column = records[role]
    is_null = pc.is_null(column)
    is_empty = is_one_of(column, "", ".")
    return _Fault(
        pc.or_(is_null, is_empty),
        lambda: f"{role.upper()} is missing",
    )


def _has_no_number(records: pa.Table, pos: Column) -> _Fault:
    written = records["pos"]
    return _Fault(
        pc.is_null(pos),
        lambda: sentence("POS is not a whole number: '", written, "'", ""),
    )


def _has_gap(records: pa.Table) -> _Fault:
    """Whether a list of ALTs has an empty member: a letter is lost, and which of them it was cannot be known."""
    has_lists = pc.any(pc.match_substring(records["alt"], ","))
    if not has_lists.as_py():
        none = pa.chunked_array([np.zeros(records.num_rows, dtype=bool)])
        return _Fault(none, lambda: _NO_TEXT)
    return _Fault(
        has_match(records["alt"], _EMPTY_MEMBER),
        lambda: sentence("ALT has an empty allele in its list: '", records["alt"], "'"),
    )


def _alt_offset(records: pa.Table, alts: Alts) -> Numbers | int:
    """ALTs of the same input record that stand before: more than 0 where it was looked up at several sites."""
    if "alt_offset" not in records.column_names:
        return 0
    offsets = np.asarray(records["alt_offset"], dtype=np.int64)
    return offsets[alts.record]
