"""What an engine in float16 says of alleles that left the format's range. Loads no torch."""

from dataclasses import dataclass


@dataclass
class BeyondRange:
    """Alleles that were scored again.

    Attributes:
        format: number format of their differences then.
        alleles: how many, since somebody set it to 0.
    """

    format: str
    alleles: int = 0
