"""Records whose place, or place and alleles, stand in one column: an identifier, or Hail's locus and alleles.

Works on columns of records. Does not know the formats of files, nor the genome.
"""

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Column, equal, has_match, sentence
from enformer_core.variants.formats.identifiers import EMPTY_ALLELE, parts_of, places_of
from enformer_core.variants.identifier_check import ids_disagree
from enformer_core.variants.records import with_columns, with_fault

_LOCUS = r"^(?P<chrom>.+):(?P<pos>[0-9]+)$"

_LIST = r"""^\[?\s*["']?[A-Za-z<>*.]+["']?(\s*,\s*["']?[A-Za-z<>*.:0-9\[\]]+["']?)+\s*\]?$"""
"""["T","G"], as Hail writes it; ['T', 'G'], as pandas does; T,G, of a list in Parquet."""

_ENDS = ("end", "first", "last", "bed_start")
_LIST_SIGNS = r"""^\[|\]$|["'\s]"""

_REF_AND_ALTS = r"^(?P<ref>[^,]*),(?P<alt>.*)$"

_RISK_ALLELE = r"-(?P<allele>[ACGTacgt]+)\s*$"

_NO_TEXT = pa.scalar(None, pa.string())


def with_named_alleles(records: pa.Table, *, pos_from: int | None) -> pa.Table:
    """Place and alleles out of identifiers; what a column of its own says of ALT is which allele is the effect's.

    Args:
        records: of text; other columns of place and alleles are only held against the identifiers.
        pos_from: what a column of positions counts from, 0 or 1; None where that is not known.
    """
    parts = parts_of(records["id"])
    # before its columns are replaced: they are what the identifier is held against
    records = _without_own_places(records, pos_from)
    if "effect" not in records.column_names:
        # A1 or effect_allele beside such an identifier says nothing of REF any more, but still whose the effect is
        records = records.append_column("effect", records["alt"])
    is_insertion = equal(parts["ref"], EMPTY_ALLELE)
    if pc.any(is_insertion).as_py():
        records = _with_interval(records, parts, is_insertion)
        parts["pos"] = records["pos"]
    return with_columns(records, parts)


def _without_own_places(records: pa.Table, pos_from: int | None) -> pa.Table:
    """The records, with what their other columns of place and alleles say against the identifiers."""
    disagrees = _contradicted(records, pos_from)
    records = records.append_column("id_disagrees", disagrees)
    # an end of its own belongs to the place that is given up
    ends = [name for name in _ENDS if name in records.column_names]
    return records.drop_columns(ends)


def _contradicted(records: pa.Table, pos_from: int | None) -> Column:
    pos = records["pos"]
    # no more digits than 64 bits hold
    is_number = has_match(pos, "^[0-9]{1,18}$")
    digits = pc.if_else(is_number, pos, _NO_TEXT)
    start = pc.cast(digits, pa.int64())
    if pos_from is None:
        unknown = pa.scalar(None, pa.int64())
        start = pc.if_else(is_number, unknown, start)
    from_zero = pc.subtract(start, pos_from or 0)
    return ids_disagree(records, from_zero)


def with_named_places(records: pa.Table, *, pos_from: int | None) -> pa.Table:
    """Places out of identifiers, beside columns of alleles; one that holds none is a fault."""
    records = _without_own_places(records, pos_from)
    places = places_of(records["id"])
    has_place = pc.is_valid(places["pos"])
    written = pc.fill_null(records["id"], "")
    reason = sentence("the identifier '", written, "' holds no place")
    fault = pc.if_else(has_place, _NO_TEXT, reason)
    placed = with_columns(records, places)
    return with_fault(placed, fault)


def with_locus(records: pa.Table) -> pa.Table:
    """Contig and position out of a locus, REF and ALT out of a list of alleles, where the records have them."""
    if "locus" in records.column_names:
        places = pc.extract_regex(records["locus"], _LOCUS)
        named = {role: pc.struct_field(places, role) for role in ("chrom", "pos")}
        placed = with_columns(records, named)
        records = placed.drop_columns(["locus"])
    if "alleles" in records.column_names:
        records = _with_listed_alleles(records)
    return records


def _with_listed_alleles(records: pa.Table) -> pa.Table:
    written = records["alleles"]
    is_list = has_match(written, _LIST)
    # ["T","G","C"] becomes T,G,C: REF is what stands before the first comma
    bare = pc.replace_substring_regex(written, _LIST_SIGNS, "")
    both = pc.extract_regex(bare, _REF_AND_ALTS)
    named = {}
    for role in ("ref", "alt"):
        allele = pc.struct_field(both, role)
        named[role] = pc.if_else(is_list, allele, _NO_TEXT)
    shown = pc.fill_null(written, "")
    reason = sentence("alleles '", shown, "' are no list of REF and ALT")
    fault = pc.if_else(is_list, _NO_TEXT, reason)
    replaced = with_columns(records, named)
    checked = with_fault(replaced, fault)
    return checked.drop_columns(["alleles"])


def _with_interval(
    records: pa.Table,
    parts: dict[str, Column],
    is_insertion: Column,
) -> pa.Table:
    """Positions with ends, so that an insertion says between which bases: of one, both are the base before it."""
    pos = pc.cast(parts["pos"], pa.int64())
    ref_bp = pc.cast(pc.utf8_length(parts["ref"]), pa.int64())
    behind = pc.add(pos, ref_bp)
    last = pc.subtract(behind, 1)
    before = pc.subtract(pos, 1)
    pos = pc.if_else(is_insertion, before, pos)
    end = pc.if_else(is_insertion, before, last)
    # as text, which is what a reader gives and the following steps read
    pos_as_text = pc.cast(pos, pa.string())
    end_as_text = pc.cast(end, pa.string())
    records = with_columns(records, {"pos": pos_as_text})
    return records.append_column("end", end_as_text)


def with_effect(records: pa.Table) -> pa.Table:
    """Where the file has identifiers with a risk allele, rs1-A: the allele as the column effect."""
    if "risk" not in records.column_names or "effect" in records.column_names:
        return records
    parts = pc.extract_regex(records["risk"], _RISK_ALLELE)
    allele = pc.struct_field(parts, "allele")  # null where it is unknown, rs1-?
    return records.append_column("effect", allele)
