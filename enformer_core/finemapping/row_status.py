"""What a row of summary statistics is good for, and why it is not used, in words."""

from collections.abc import Mapping
from enum import StrEnum


class RowStatus(StrEnum):
    """What a row of sumstats is good for; the first that applies."""

    MALFORMED = "malformed"
    """The record cannot be read, or its identifier is not among the sites."""
    SEVERAL_ALTS = "several_alts"
    """It lists several ALTs, and has one effect."""
    BAD_ALLELE = "bad_allele"
    """An allele is no sequence of A, C, G and T, or both are the same."""
    EFFECT_UNMATCHED = "effect_unmatched"
    """The effect allele is neither of both."""
    BAD_SE = "bad_se"
    """The standard error is 0 or below."""
    NO_Z = "no_z"
    """What z is made of is missing or no number, or z is beyond ±1,000,000."""
    DUPLICATE = "duplicate"
    """An earlier usable row has the same place and alleles, of substitutions in whichever order."""
    OK = "ok"


MEANINGS: Mapping[RowStatus, str] = {
    RowStatus.MALFORMED: "no record that can be read, or no place",
    RowStatus.SEVERAL_ALTS: "several ALTs for one effect",
    RowStatus.BAD_ALLELE: "alleles that are not two sequences of A, C, G and T",
    RowStatus.EFFECT_UNMATCHED: "an effect allele that is neither of both",
    RowStatus.BAD_SE: "a standard error of 0 or below",
    RowStatus.NO_Z: "no finite z within ±1,000,000, nor what it is made of",
    RowStatus.DUPLICATE: "place and alleles of an earlier row",
}
"""Why rows are not used, in words."""
