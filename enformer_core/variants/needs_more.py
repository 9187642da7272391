"""What is said of a table in which places or alleles are not found: what it lacks, and what helps most first."""

import re

from enformer_core.variants.formats.columns import listed
from enformer_core.variants.formats.headers import cleaned
from enformer_core.variants.formats.odd_lines import BY_COLUMNS
from enformer_core.variants.formats.reader import Columns

_LIKE_PLACES = re.compile(r"chr|pos|start|bp|coord|contig|location", re.IGNORECASE)
_LIKE_ALLELES = re.compile(r"allele|ref|alt|observed|variant_?seq|^a[012x]$", re.IGNORECASE)

_SITES = (
    "give a file with identifiers, places and alleles by --sites, "
    "for example dbSNP's VCF of your assembly or the .bim"
)


_ALLELES_BY_COLUMNS = (
    "If it has both alleles under other names, say which columns they are: --columns ref=…,alt=…"
)


def needs_more(what: str, columns: Columns) -> str:
    """The refusal of a table that names variants, and does not say where they are or what their alleles are.

    Args:
        what: the file and its format.
        columns: that were found.
    """
    there = _places(columns)
    places = f"with places ({there}) but " if there else ""
    text = f"{what}, {places}without {_lacks(columns)}."
    has = f"It has {listed(columns.names)}." if columns.names else ""
    if not has:
        return f"{text} {_sentence(_SITES)}."
    if _seems_to_have_all(columns):
        named = "chrom=…,pos=…,ref=…,alt=…" if not columns.has_place else "ref=…,alt=…"
        return f"{text} {has} If they are among them, say which columns they are: --columns {named}. Else {_SITES}."
    by_columns = _ALLELES_BY_COLUMNS if there else BY_COLUMNS
    return f"{text} {_sentence(_SITES)}. {has} {by_columns}."


def _seems_to_have_all(columns: Columns) -> bool:
    """Whether there are columns, found or only called alike, for what is lacking."""
    # the catalogue has no other allele
    if "risk" in columns.index:
        return False
    if columns.has_place:
        return True
    has_alleles = columns.has_alleles or _any_like(columns, _LIKE_ALLELES)
    return has_alleles and _any_like(columns, _LIKE_PLACES)


def _any_like(columns: Columns, pattern: re.Pattern[str]) -> bool:
    # a column that is found already is not looked for any more
    taken = set(columns.index.values())
    free = [name for at, name in enumerate(columns.names) if at not in taken]
    return any(pattern.search(cleaned(name)) for name in free)


def _places(columns: Columns) -> str:
    """The columns that hold the places, where they are found."""
    if not columns.has_place:
        return ""
    index = columns.index
    at = [index[role] for role in ("locus", "chrom", "pos") if role in index]
    return ", ".join(columns.names[place] for place in at if place < len(columns.names))


def _lacks(columns: Columns) -> str:
    if not columns.has_place:
        return "places" if columns.has_alleles else "places and alleles"
    return "a second allele" if {"effect", "ref"} & columns.index.keys() else "alleles"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
