"""Identifiers that hold a place, or a place and alleles: 1:55516888:G:GA, NC_000020.11:1000000:A:G, 20:1000001.

Knows what they look like, and takes them apart in columns. Does not know files.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Column, equal

_CONTIG = r"(?P<chrom>(?:[cC][hH][rR])?[A-Za-z0-9.]+(?:_[A-Za-z0-9]+\.[0-9]+)?)"

_ALLELE = r"(?:[A-Za-z*]+|<[^<>]+>)"

NAMED_ALLELES = (
    rf"^{_CONTIG}[:_-](?P<pos>[0-9]{{1,17}})[:_-]"
    rf"(?P<ref>{_ALLELE})[:_/>-](?P<alt>{_ALLELE})(?:_(?i:b|hg|grch)(?:18|19|3[678]))?$"
)
"""Names such as 1:55516888:G:GA, 1-55516888-G-GA and chr1_55516888_G_GA_b38; positions count from 1."""

_CHROMOSOME = (
    r"(?P<chrom>(?:[cC][hH][rR])[A-Za-z0-9.]+|[0-9]{1,2}[LR]?|[XYM]|XY|MT|N[CTW]_[0-9]+\.[0-9]+)"
)

NAMED_PLACE = rf"^{_CHROMOSOME}[:_](?P<pos>[0-9]{{1,17}})(?:[:_/-].*)?$"
"""Names such as 20:1000001, whatever stands behind; positions count from 1. AX-11086525 is none."""

SPDI = (
    r"^(?P<chrom>(?:N[CGTW]_|AC_|CM|CP|GL|KI)[0-9]+\.[0-9]+):(?P<pos>[0-9]{1,17}):"
    r"(?P<ref>[A-Za-z]*):(?P<alt>[A-Za-z]*)$"
)
"""NCBI's sequence, position from 0, deletion, insertion: NC_000020.11:1000000:A:G. An empty part is an empty allele."""

HGVS = (
    r"^(?P<chrom>(?:[cC][hH][rR])?[A-Za-z0-9]+|N[CTW]_[0-9]+\.[0-9]+):(?:[gm]\.)?(?P<pos>[0-9]{1,17})"
    r"(?P<ref>[ACGTacgt]+)>(?P<alt>[ACGTacgt]+)$"
)
"""HGVS's substitutions, NC_000020.11:g.1000001T>G, and the same with a chromosome's name; positions count from 1."""

EMPTY_ALLELE = "-"


def holds_alleles(name: str) -> bool:
    """Whether an identifier holds place and alleles."""
    patterns = (SPDI, NAMED_ALLELES, HGVS)
    return any(re.match(pattern, name) for pattern in patterns)


def holds_place(name: str) -> bool:
    """Whether an identifier holds a place."""
    return re.match(NAMED_PLACE, name) is not None


def parts_of(ids: Column) -> dict[str, Column]:
    """chrom, pos (from 1), ref and alt of identifiers; null where they hold none."""
    named = pc.extract_regex(ids, NAMED_ALLELES)
    hgvs = pc.extract_regex(ids, HGVS)
    parts = {}
    for role in ("chrom", "pos", "ref", "alt"):
        of_name = pc.struct_field(named, role)
        of_hgvs = pc.struct_field(hgvs, role)
        parts[role] = pc.coalesce(of_name, of_hgvs)
    # the only form that counts from 0: where it fits, it counts, whatever else would fit too
    spdi = pc.extract_regex(ids, SPDI)
    is_spdi = pc.is_valid(spdi)
    if not pc.any(is_spdi).as_py():
        return parts
    written = _counted_from_one(spdi)
    return {role: pc.if_else(is_spdi, written[role], parts[role]) for role in parts}


def _counted_from_one(spdi: Column) -> dict[str, Column]:
    from_zero = pc.cast(pc.struct_field(spdi, "pos"), pa.int64())
    from_one = pc.add(from_zero, 1)
    return {
        "chrom": pc.struct_field(spdi, "chrom"),
        "pos": pc.cast(from_one, pa.string()),
        "ref": _or_empty(pc.struct_field(spdi, "ref")),
        "alt": _or_empty(pc.struct_field(spdi, "alt")),
    }


def places_of(ids: Column) -> dict[str, Column]:
    """chrom and pos (from 1) of identifiers; null where they hold none."""
    named = pc.extract_regex(ids, NAMED_PLACE)
    return {role: pc.struct_field(named, role) for role in ("chrom", "pos")}


def _or_empty(allele: Column) -> Column:
    is_empty = equal(allele, "")
    return pc.if_else(is_empty, EMPTY_ALLELE, allele)
