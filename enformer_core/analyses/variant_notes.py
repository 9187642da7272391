"""What `score` and `plan` say of the variants that they have read, in words. Knows counts and flags; reads nothing."""

from collections.abc import Iterator, Mapping, Sequence

from enformer_core.dataset.plan_builder import PlacedAlleles
from enformer_core.variants.columns_taken import ColumnsTaken
from enformer_core.variants.table import Flag, Status
from enformer_core.variants.written_order import says_nothing
from enformer_core.words import agreeing, counted

_TO_BE_SAID = frozenset({Flag.REF_SWAPPED, Flag.STRAND_AMBIGUOUS, Flag.AMBIGUOUS_ORDER})
"""Flags of alleles whose sign or kind hangs on what the input did not say. Others have a message of their own."""


def filter_notes(
    removed: Mapping[str, int],
    unit: str,
) -> Iterator[str]:
    """How many records each filter took out, if any.

    Args:
        removed: records by filter.
        unit: what they are, in the plural.
    """
    if removed:
        counts = ", ".join(f"{count:,} by {name}" for name, count in removed.items())
        yield f"filters took out {unit}: {counts}"


def allele_notes(
    alleles: PlacedAlleles,
    disagreeing: Sequence[int],
    columns: Sequence[ColumnsTaken],
) -> Iterator[str]:
    """What a user should know of the alleles though it stops nothing.

    Args:
        alleles: placed and counted.
        disagreeing: alleles of each batch whose identifier names another place.
        columns: which columns of the files were taken for what.
    """
    if not alleles.by_status.get(Status.OK):
        counts = ", ".join(f"{rows:,} {name}" for name, rows in alleles.by_status.items())
        yield f"no allele of the input can be scored: {counts}"
    flagged = {name: rows for name, rows in alleles.by_flag.items() if name in _TO_BE_SAID}
    if flagged:
        counts = ", ".join(f"{rows:,} {name}" for name, rows in flagged.items())
        yield f"flags of alleles: {counts} (enformer-ray docs variants)"
    # a file of effects names an allele, not the genome's: there a swap is no error
    if Flag.REF_SWAPPED in flagged and all(map(_names_effects, columns)):
        yield _swapped_effects(flagged[Flag.REF_SWAPPED])
    ambiguous = flagged.get(Flag.AMBIGUOUS_ORDER, 0)
    swapped = flagged.get(Flag.REF_SWAPPED, 0)
    if ambiguous and says_nothing(swapped, alleles.by_status.get(Status.OK, 0)):
        yield _in_no_order(ambiguous, swapped)
    if disagreeing:
        yield _disagreeing_ids(sum(disagreeing))
    if unmatched := alleles.by_flag.get(Flag.EFFECT_UNMATCHED):
        yield _unmatched_effects(unmatched)
    if disagreeing_ends := alleles.by_flag.get(Flag.END_DISAGREES):
        yield _disagreeing_ends(disagreeing_ends)


def _alleles_have(number: int) -> str:
    return f"{counted(number, 'alleles')} {agreeing(number, 'has', 'have')}"


def _names_effects(columns: ColumnsTaken) -> bool:
    """Whether a file says which allele an effect is of, and not which is the genome's."""
    return "effect_allele" in columns.columns and "ref" not in columns.columns


def _swapped_effects(alleles: int) -> str:
    return (
        f"{Flag.REF_SWAPPED} is nothing wrong here: of {counted(alleles, 'alleles')} the effect allele is the "
        "genome's. Scores are alt - ref all the same; effect_sign * score is the effect allele's"
    )


def _in_no_order(
    ambiguous: int,
    swapped: int,
) -> str:
    are = agreeing(ambiguous, "is", "are")
    return (
        f"{counted(ambiguous, 'insertions or deletions')} of which the genome fits both alleles {are} scored as "
        f"written, with the effect allele as ALT; {swapped:,} of the input are in the contrary order, so that some may "
        "be scored as their opposite. Give a VCF, or name the column of REF by --columns ref=COLUMN; else "
        f"leave rows with the flag {Flag.AMBIGUOUS_ORDER} out"
    )


def _unmatched_effects(alleles: int) -> str:
    return (
        f"{_alleles_have(alleles)} an effect allele that is neither REF nor ALT: scores are of ALT, "
        f"effect_sign is null, and the flag is {Flag.EFFECT_UNMATCHED}"
    )


def _disagreeing_ends(alleles: int) -> str:
    return (
        f"{_alleles_have(alleles)} an END in INFO that is not the last base of REF; POS, REF and ALT count, and "
        f"the flag is {Flag.END_DISAGREES}"
    )


def _disagreeing_ids(alleles: int) -> str:
    return (
        f"{_alleles_have(alleles)} an identifier that names another place or other alleles than the columns do; "
        f"the columns count unless the identifier alone has the place, and the flag is {Flag.ID_DISAGREES}"
    )
