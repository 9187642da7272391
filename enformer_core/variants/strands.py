"""Alleles that a file gives on the minus strand, by its column STRAND, turned to the genome's.

Works on columns of records. Does not know the genome.
"""

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Column, has_match, sentence
from enformer_core.variants.records import with_columns, with_fault

_MINUS = r"^\s*(?i:-|\x{2212}|-1|-1\.0+|\(-\)|m|r|minus|neg|negative|rev|reverse)\s*$"

_SEQUENCE = "^[ACGTNacgtn]+$"

# what has no letters looks the same on either strand
_MAY_STAY = r"^([-.*0]|[IiDd]|<.*>|)$"

_COMPLEMENT = str.maketrans("ACGTNacgtn", "TGCANtgcan")

_NO_TEXT = pa.scalar(None, pa.string())


def on_the_plus_strand(records: pa.Table, *, declares_ref: bool) -> pa.Table:
    """The records with a column minus_strand, true where the file says so; there alleles are turned.

    Not where the file declares which allele is REF: that is the genome's, which has one strand, and a strand beside
    it is often a gene's. Then the rows are only marked.

    Args:
        records: of text, with or without a column strand.
        declares_ref: whether `ref` is REF.
    """
    if "strand" not in records.column_names:
        return records
    is_minus = has_match(records["strand"], _MINUS)
    records = records.append_column("minus_strand", is_minus)
    if declares_ref or not pc.any(is_minus).as_py():
        return records
    for role in ("ref", "alt", "effect"):
        if role in records.column_names:
            records = _turned(records, role, is_minus)
    return records


def _turned(records: pa.Table, role: str, is_minus: Column) -> pa.Table:
    """The records with this column's sequences complemented and turned round; what cannot be turned is a fault."""
    written = records[role]
    is_letters = has_match(written, _SEQUENCE)
    is_sequence = pc.and_(is_minus, is_letters)
    sequences = pc.if_else(is_sequence, written, _NO_TEXT)
    other_strand = reverse_complements(sequences)
    turned = pc.coalesce(other_strand, written)
    stays = pc.match_substring_regex(written, _MAY_STAY)
    may_stay = pc.fill_null(stays, True)
    is_fine = pc.or_(is_sequence, may_stay)
    is_odd = pc.and_not(is_minus, is_fine)
    reason = sentence(
        "on the minus strand, and '", written, "' cannot be turned to the plus strand"
    )
    fault = pc.if_else(is_odd, reason, _NO_TEXT)
    replaced = with_columns(records, {role: turned})
    return with_fault(replaced, fault)


def reverse_complements(sequences: Column) -> Column:
    """Sequences as the other strand reads them; null stays null."""
    # alleles are of few kinds: each is turned once
    coded = sequences.dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    texts = coded.dictionary.to_pylist()
    turned = [text.translate(_COMPLEMENT)[::-1] for text in texts]
    of_kinds = pa.array(turned, pa.string())
    return of_kinds.take(coded.indices)
