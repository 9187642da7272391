"""Which columns of a variant file hold the contig, position, alleles and identifier, found by their names.

Knows names only: not how a file is read.
"""

from collections.abc import Mapping, Sequence

from enformer_core.errors import InputError

REQUIRED = ("chrom", "pos", "ref", "alt")

VCF_COLUMNS: Mapping[str, int] = {"chrom": 0, "pos": 1, "id": 2, "ref": 3, "alt": 4}
"""The order that the VCF specification (section 1.4) fixes."""

_SYNONYMS = {
    "chrom": ("chrom", "chr", "chromosome"),
    "pos": ("pos", "position"),
    "ref": ("ref",),
    "alt": ("alt",),
    "id": ("id", "rsid", "snp"),
}


def find_columns(names: Sequence[str], where: str) -> dict[str, int] | None:
    """Index of each of chrom, pos, ref, alt and, if there is one, id.

    Args:
        names: names of the columns, in any case; a leading `#` does not count.
        where: the file, for the message.

    Returns:
        None when a required column has no name that is known.

    Raises:
        InputError: when two columns could be meant.
    """
    plain = [name.strip().lower().removeprefix("#") for name in names]
    found: dict[str, int] = {}
    for column, synonyms in _SYNONYMS.items():
        matches = [index for index, name in enumerate(plain) if name in synonyms]
        if len(matches) > 1 and column in REQUIRED:
            both = " and ".join(repr(names[index]) for index in matches)
            raise InputError(f"{where}: columns {both} could both be {column}. Rename or drop one.")
        if matches:
            found[column] = min(matches, key=lambda index: synonyms.index(plain[index]))
        elif column in REQUIRED:
            return None
    return found


def listed(names: Sequence[str]) -> str:
    """The first of the names, for a message."""
    shown = ", ".join(repr(name[:40]) for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
