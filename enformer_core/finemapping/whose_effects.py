"""Whose effects a table's are: what the names of its columns say of it. Does not know rows."""

from enformer_core.variants.formats.column_search import HARMONISED
from enformer_core.variants.formats.headers import cleaned
from enformer_core.variants.source import Source


def is_harmonised(source: Source) -> bool:
    """Whether the effect allele is of the GWAS Catalog's harmonisation, beside the author's own."""
    at = source.columns.index.get("alt")
    names = source.columns.names
    return at is not None and at < len(names) and cleaned(names[at]).startswith(HARMONISED)


def assumed_effects(source: Source) -> str:
    """Which allele effects are taken for, where no name of a column says it; else nothing."""
    columns = source.columns
    if columns.basis != "assumed":
        return ""
    name = columns.names[columns.index["alt"]].strip()
    return (
        f"those of {name}, which its name alone does not say; --effect-allele COLUMN says otherwise"
    )
