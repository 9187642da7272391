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
    may_be_place = pc.or_(pc.match_substring(ids, ":"), pc.match_substring(ids, "_"))
    # of most files no identifier is such, and no pattern is looked for
    if not pc.any(may_be_place).as_py():
        return pa.chunked_array([pa.nulls(records.num_rows, pa.bool_())])
    parts = parts_of(ids)
    places = places_of(ids)
    pos = pc.cast(pc.coalesce(parts["pos"], places["pos"]), pa.int64())
    chrom = pc.coalesce(parts["chrom"], places["chrom"])
    are_bases = _are_single_bases(parts, records)
    apart_bp = pc.abs(pc.subtract(pos, pc.add(start, 1)))
    is_elsewhere = pc.greater(apart_bp, pc.if_else(are_bases, 0, _REPEAT_BP))
    is_elsewhere = pc.or_kleene(is_elsewhere, _on_another_contig(chrom, records["chrom"]))
    other_alleles = pc.if_else(
        are_bases, _other_letters(parts, records), _other_length(parts, records)
    )
    is_other = pc.or_kleene(is_elsewhere, other_alleles)
    may_differ = pc.and_kleene(pc.is_valid(pos), pc.invert(_are_incomparable(records)))
    return pc.and_kleene(may_differ, pc.fill_null(is_other, False))


def _are_incomparable(records: pa.Table) -> Column:
    """Lists, and empty alleles: with a base on both sides, as identifiers have it, a variant begins elsewhere."""
    are_codes = [has_match(records[role], "^[0DIRdir.]$") for role in ("ref", "alt")]
    are_odd = [
        *are_codes,
        pc.equal(records["ref"], EMPTY_ALLELE),
        pc.equal(records["alt"], EMPTY_ALLELE),
        pc.match_substring(records["alt"], ","),
        pc.match_substring(records["id"], ";"),
    ]
    return pc.fill_null(reduce(pc.or_kleene, are_odd), False)


def _are_single_bases(parts: dict[str, Column], records: pa.Table) -> Column:
    """Whether both alleles are single bases, as the columns and, where it has alleles, the identifier have them."""
    alleles = [records["ref"], records["alt"], parts["ref"], parts["alt"]]
    single = [pc.fill_null(pc.equal(pc.utf8_length(allele), 1), True) for allele in alleles]
    return reduce(pc.and_, single)


def _on_another_contig(named: Column, written: Column) -> Column:
    """Null where both are not numbers: X may be written 23, and a number as an accession."""
    pair = [pc.replace_substring_regex(chrom, _PREFIX, "") for chrom in (named, written)]
    pair = [pc.replace_substring_regex(chrom, r"\.0+$", "") for chrom in pair]
    are_autosomes = pc.and_(*[pc.match_substring_regex(c, "^([1-9]|1[0-9]|2[0-2])$") for c in pair])
    return pc.if_else(are_autosomes, pc.not_equal(*pair), _NOTHING)


def _other_letters(parts: dict[str, Column], records: pa.Table) -> Column:
    named = [pc.ascii_upper(parts[role]) for role in ("ref", "alt")]
    written = [pc.ascii_upper(records[role]) for role in ("ref", "alt")]
    as_named = pc.and_kleene(pc.equal(named[0], written[0]), pc.equal(named[1], written[1]))
    turned = pc.and_kleene(pc.equal(named[0], written[1]), pc.equal(named[1], written[0]))
    return pc.invert(pc.or_kleene(as_named, turned))


def _other_length(parts: dict[str, Column], records: pa.Table) -> Column:
    """Whether another number of bases is inserted or deleted: that is the same however the alleles are written."""
    return pc.not_equal(
        _indel_bp(parts["ref"], parts["alt"]), _indel_bp(records["ref"], records["alt"])
    )


def _indel_bp(ref: Column, alt: Column) -> Column:
    return pc.abs(pc.subtract(pc.utf8_length(ref), pc.utf8_length(alt)))
