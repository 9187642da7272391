"""Starts of records that have an end too: how they count, the end and the length of REF show, record by record.

Works on columns. Does not know the genome.
"""

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Column, equal, has_match, sentence
from enformer_core.variants.formats.identifiers import EMPTY_ALLELE

_END = r"(?:^|;)END=(?P<end>[0-9]+)(?:;|$)"

_ALL_LETTERS = r"^[A-Za-z,]+$"

_NO_TEXT = pa.scalar(None, pa.string())


def starts_by_end(
    records: pa.Table,
    start: Column,
    end: Column,
    *,
    one_based: bool | None,
    declares_ref: bool,
) -> tuple[Column, Column]:
    """0-based start of each record, and a reason where its end does not belong to its start and REF.

    Of AT, the third and fourth base, start and end are 3, 4 counted from 1, where the end is the last base, and 2, 4
    counted from 0, where it is the base behind. Of an insertion, REF `-`, both are the base before it (ANNOVAR, and
    from 0 likewise), or they are the two bases around it, in either order (MAF, VEP): the smaller is where it begins.

    Args:
        records: with ref, alt and end as written.
        start: as numbers, null where it is none.
        end: likewise.
        one_based: how starts count; None where the end alone shows it.
        declares_ref: whether `ref` is REF; else an empty allele is the one that the genome lacks.
    """
    end = pc.cast(end, pa.int64())
    from_one, from_zero = _counts(start, end, records["ref"], one_based)
    # of a pair of alleles the genome may have either: the one that fits the end is taken
    if not declares_ref:
        is_empty = _is_empty(records["ref"])
        neither = pc.invert(pc.or_(from_one, from_zero))
        alt_from_one, alt_from_zero = _counts(start, end, records["alt"], one_based)
        by_alt = pc.or_(is_empty, neither)
        from_one = pc.if_else(by_alt, alt_from_one, from_one)
        from_zero = pc.if_else(by_alt, alt_from_zero, from_zero)
    # True is 1: what counts from 1 begins one base before its number
    one_if_from_one = pc.cast(from_one, pa.int64())
    begin = pc.subtract(start, one_if_from_one)
    fits = pc.or_(from_one, from_zero)
    if declares_ref:
        is_insertion = _is_empty(records["ref"])
        are_neighbours = _are_neighbours(start, end, one_based)
        fits = pc.if_else(is_insertion, are_neighbours, fits)
        # an insertion begins behind the base before it, in whichever order both are written
        smaller = pc.min_element_wise(start, end)
        begin = pc.if_else(is_insertion, smaller, begin)
    reason = pc.if_else(fits, None, _reason(records, one_based))
    return begin, reason


def contradicted_by_last(records: pa.Table, start: Column, *, declares_ref: bool) -> Column:
    """A reason where an end shows that a position, which should count from 1, counts from 0; else null.

    Any other end says nothing: it may be a gene's, and is one where the start beside it is not the position.

    Args:
        records: with ref, alt and last as written, and first where the file has it.
        start: the positions as numbers, null where they are none.
        declares_ref: whether `ref` is REF; else either allele may be.
    """
    last = _numbers(records["last"])
    from_one, from_zero = _counts(start, last, records["ref"], None)
    # of a pair either may be REF: it must fit from 0 by one of them, and from 1 by neither
    if not declares_ref:
        alt_from_one, alt_from_zero = _counts(start, last, records["alt"], None)
        either_from_one = pc.or_(from_one, alt_from_one)
        either_from_zero = pc.or_(from_zero, alt_from_zero)
        from_zero = pc.and_(either_from_zero, pc.invert(either_from_one))
    if "first" in records.column_names:
        first = _numbers(records["first"])
        is_start = pc.equal(first, start)
        from_zero = pc.and_(from_zero, pc.fill_null(is_start, False))
    written = pc.fill_null(records["last"], "")
    said = sentence(
        "END ",
        written,
        " is POS + length of REF, as where positions count from 0: say by --columns which is start and which is end",
    )
    return pc.if_else(from_zero, said, _NO_TEXT)


def contradicted_by_bed_start(records: pa.Table, start: Column) -> Column:
    """A reason where UCSC's start shows that a position is the end of a REF of several letters; else null.

    Of one letter, the base's number and BED's end are the same. Any other start says nothing: it may be a gene's.

    Args:
        records: with ref as written, and bed_start.
        start: the positions as numbers, null where they are none.
    """
    ref_bp = pc.cast(pc.utf8_length(records["ref"]), pa.int64())
    spanned = pc.subtract(start, _numbers(records["bed_start"]))
    is_long = pc.greater(ref_bp, 1)
    is_end = pc.and_(equal(spanned, ref_bp), is_long)
    said = sentence(
        "POS is chromStart ",
        pc.fill_null(records["bed_start"], ""),
        " + length of REF, as the end is: say by --columns which is start and which is end",
    )
    return pc.if_else(is_end, said, pa.scalar(None, pa.string()))


def ends_disagree(records: pa.Table, start: Column) -> Column:
    """Whether the END of a record's INFO is not the last base of REF; null where there is none, or it says the length.

    Of a symbolic ALT, and of a site without one, END is how long it is, and nothing can contradict it.

    Args:
        records: with ref and alt as written; with info_end, the text of INFO, where one in the table may have an END.
        start: 0-based, null where it could not be read.
    """
    if "info_end" not in records.column_names:
        return pa.chunked_array([pa.nulls(records.num_rows, pa.bool_())])
    parts = pc.extract_regex(records["info_end"], _END)
    end = _numbers(pc.struct_field(parts, "end"))
    ref_bp = pc.cast(pc.utf8_length(records["ref"]), pa.int64())
    # REF at base 5 of two letters ends at base 6: 0-based it begins at 4
    last_from_one = pc.add(start, ref_bp)
    is_other = pc.not_equal(end, last_from_one)
    has_letters = has_match(records["alt"], _ALL_LETTERS)
    return pc.and_(is_other, has_letters)


def _numbers(written: Column) -> Column:
    # no more digits than 64 bits hold
    is_number = has_match(written, "^[0-9]{1,18}$")
    digits = pc.if_else(is_number, written, _NO_TEXT)
    return pc.cast(digits, pa.int64())


def _counts(
    start: Column,
    end: Column,
    allele: Column,
    one_based: bool | None,
) -> tuple[Column, Column]:
    """Whether the start counts from 1, and whether from 0, if the genome has this allele."""
    allele_bp = pc.cast(pc.utf8_length(allele), pa.int64())
    behind = pc.add(start, allele_bp)
    last = pc.subtract(behind, 1)
    # how far the last base, were the start counted from 1, lies behind the end as written
    beyond = pc.subtract(last, end)
    from_one = equal(beyond, 0)
    from_zero = equal(beyond, -1)
    if one_based is None:
        return from_one, from_zero
    # the file has said how it counts: that the other count would fit is chance
    never = pc.and_(from_one, False)
    if one_based:
        return from_one, never
    return never, from_zero


def _are_neighbours(start: Column, end: Column, one_based: bool | None) -> Column:
    apart = pc.abs(pc.subtract(start, end))
    # the two bases around it are how formats that count from 1 write an insertion
    most = 0 if one_based is False else 1
    are_near = pc.less_equal(apart, most)
    return pc.fill_null(are_near, False)


def _is_empty(allele: Column) -> Column:
    return equal(allele, EMPTY_ALLELE)


def _reason(records: pa.Table, one_based: bool | None) -> Column:
    expected = {
        None: " is neither START + length of REF nor one less",
        True: " is not POS + length of REF - 1",
        False: " is not START + length of REF",
    }
    # a missing end would make the whole sentence null, and the record pass
    written = pc.fill_null(records["end"], "")
    return sentence("END ", written, expected[one_based])
