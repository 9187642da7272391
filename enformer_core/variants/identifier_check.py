"""Identifiers such as 20:1000001:A:G held against the columns beside them.

Works on columns of records. Identifiers that hold no place, rs1, say nothing.
"""

from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Column, has_match
from enformer_core.variants.formats.identifiers import EMPTY_ALLELE, parts_of, places_of

_REPEAT_BP = 200
"""How far apart two spellings of one insertion or deletion may begin."""

_NOTHING = pa.scalar(None, pa.bool_())

_PREFIX = r"^(?i:chr)?0*"

_DECIMALS = r"\.0+$"
"""What pandas and spreadsheets may put behind a whole number: 7.0."""

_AUTOSOME = "^([1-9]|1[0-9]|2[0-2])$"


def ids_disagree(records: pa.Table, start: Column) -> Column:
    """Whether a record's identifier names another place, or other alleles, than its columns; null where it names none.

    Alleles count as a pair: which of both stands first in an identifier has no rule. Insertions and deletions may be
    written at several places: of them the length counts, and a place further off than repeats reach. Lists, of names or
    of ALTs, are not compared.

    Args:
        records: of text.
        start: 0-based, as read from the records; null where it could not be.
    """
    ids = records["id"]
    if not _may_hold_places(ids):
        return pa.chunked_array([pa.nulls(records.num_rows, pa.bool_())])
    # some name place and alleles, some the place alone
    named = parts_of(ids)
    places = places_of(ids)
    pos_as_text = pc.coalesce(named["pos"], places["pos"])
    pos = pc.cast(pos_as_text, pa.int64())
    chrom = pc.coalesce(named["chrom"], places["chrom"])
    are_bases = _are_single_bases(named, records)
    is_far = _is_far(pos, start, are_bases)
    is_other_contig = _on_another_contig(chrom, records["chrom"])
    has_other_alleles = _has_other_alleles(named, records, are_bases)
    # an identifier without alleles leaves that answer null, and its place alone decides
    differs = reduce(pc.or_kleene, [is_far, is_other_contig, has_other_alleles])
    differs = pc.fill_null(differs, False)
    is_odd = _are_incomparable(records)
    is_comparable = pc.invert(is_odd)
    names_place = pc.is_valid(pos)
    may_differ = pc.and_kleene(names_place, is_comparable)
    return pc.and_kleene(may_differ, differs)


def _may_hold_places(ids: Column) -> bool:
    """Whether any identifier has a sign that stands between contig and position."""
    # in most files none has, and the patterns, which are slow, are not looked for
    has_colon = pc.match_substring(ids, ":")
    has_underscore = pc.match_substring(ids, "_")
    may_be_place = pc.or_(has_colon, has_underscore)
    return bool(pc.any(may_be_place).as_py())


def _are_incomparable(records: pa.Table) -> Column:
    """Lists, and empty alleles: with a base on both sides, as identifiers have it, a variant begins elsewhere."""
    # indel codes of array software, D and I, and missing alleles are no letters that could be compared
    are_codes = [has_match(records[role], "^[0DIRdir.]$") for role in ("ref", "alt")]
    are_odd = [
        *are_codes,
        pc.equal(records["ref"], EMPTY_ALLELE),
        pc.equal(records["alt"], EMPTY_ALLELE),
        pc.match_substring(records["alt"], ","),
        pc.match_substring(records["id"], ";"),
    ]
    is_odd = reduce(pc.or_kleene, are_odd)
    return pc.fill_null(is_odd, False)


def _are_single_bases(named: dict[str, Column], records: pa.Table) -> Column:
    """Whether both alleles are single bases, as the columns and, where it has alleles, the identifier have them."""
    alleles = [records["ref"], records["alt"], named["ref"], named["alt"]]
    are_single = [_is_single_or_null(allele) for allele in alleles]
    return reduce(pc.and_, are_single)


def _is_single_or_null(allele: Column) -> Column:
    letters = pc.utf8_length(allele)
    is_single = pc.equal(letters, 1)
    return pc.fill_null(is_single, True)


def _is_far(pos: Column, start: Column, are_bases: Column) -> Column:
    """Whether the identifier's position, from 1, is further from the record's start than spellings of one variant."""
    written = pc.add(start, 1)
    behind_bp = pc.subtract(pos, written)
    apart_bp = pc.abs(behind_bp)
    # a single base has one place only
    allowed_bp = pc.if_else(are_bases, 0, _REPEAT_BP)
    return pc.greater(apart_bp, allowed_bp)


def _on_another_contig(named: Column, written: Column) -> Column:
    """Null where both are not numbers: X may be written 23, and a number as an accession."""
    named = _bare_contig(named)
    written = _bare_contig(written)
    are_autosomes = pc.and_(_is_autosome(named), _is_autosome(written))
    is_other = pc.not_equal(named, written)
    return pc.if_else(are_autosomes, is_other, _NOTHING)


def _bare_contig(chrom: Column) -> Column:
    """The contig's number: of chr07 and of 7.0 it is 7."""
    without_prefix = pc.replace_substring_regex(chrom, _PREFIX, "")
    return pc.replace_substring_regex(without_prefix, _DECIMALS, "")


def _is_autosome(number: Column) -> Column:
    return pc.match_substring_regex(number, _AUTOSOME)


def _has_other_alleles(
    named: dict[str, Column],
    records: pa.Table,
    are_bases: Column,
) -> Column:
    """Whether the identifier's alleles are other letters or, of insertions and deletions, another number of them."""
    by_letters = _other_letters(named, records)
    by_length = _other_length(named, records)
    return pc.if_else(are_bases, by_letters, by_length)


def _other_letters(named: dict[str, Column], records: pa.Table) -> Column:
    named_ref = pc.ascii_upper(named["ref"])
    named_alt = pc.ascii_upper(named["alt"])
    ref = pc.ascii_upper(records["ref"])
    alt = pc.ascii_upper(records["alt"])
    is_same = _both_equal(named_ref, ref, named_alt, alt)
    is_swapped = _both_equal(named_ref, alt, named_alt, ref)
    is_pair = pc.or_kleene(is_same, is_swapped)
    return pc.invert(is_pair)


def _both_equal(
    first: Column,
    second: Column,
    third: Column,
    fourth: Column,
) -> Column:
    """Whether the first is the second, and the third the fourth; null where that cannot be known."""
    are_first = pc.equal(first, second)
    are_last = pc.equal(third, fourth)
    return pc.and_kleene(are_first, are_last)


def _other_length(named: dict[str, Column], records: pa.Table) -> Column:
    """Whether another number of bases is inserted or deleted: that is the same however the alleles are written."""
    named_bp = _indel_bp(named["ref"], named["alt"])
    written_bp = _indel_bp(records["ref"], records["alt"])
    return pc.not_equal(named_bp, written_bp)


def _indel_bp(ref: Column, alt: Column) -> Column:
    # without a sign, for an identifier may have REF and ALT in either order
    ref_bp = pc.utf8_length(ref)
    alt_bp = pc.utf8_length(alt)
    loss_bp = pc.subtract(ref_bp, alt_bp)
    return pc.abs(loss_bp)
