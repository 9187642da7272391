"""Whether the order in which a file writes two alleles says which of them is the genome's.

Where a file declares no REF, its substitutions show it: of those the genome has one letter. Insertions and deletions
in repeats may fit in either order, and are what the others are.
"""

MOST_SWAPPED = 0.01
"""Part of a file's substitutions whose effect allele may be the genome's, and the written order still count."""


def says_nothing(
    swapped: int,
    substitutions: int,
) -> bool:
    """Whether so many swapped ones of a file's substitutions show that its order means nothing."""
    return swapped > MOST_SWAPPED * substitutions
