"""How several regions stand in one text. Loads nothing, so that the command line can ask."""

import re

_OPEN_NUMBER = re.compile(r"[:–-]\s*\d{1,3}(?:,\d{3})*$")
_NEXT_DIGITS = re.compile(r"\s*\d{3}(?:\s*[–-]\s*\d+)?\s*$")


def split_regions(text: str) -> list[str]:
    """Split at commas, but not within a number: `chr1:1-5,chr2` are two regions, `chr20:4,600,000-4,796,608` is one.

    A comma stands within a number where the number has begun with one to three digits, and three digits follow.
    """
    regions: list[str] = []
    for piece in text.split(","):
        if regions and _OPEN_NUMBER.search(regions[-1]) and _NEXT_DIGITS.match(piece):
            regions[-1] += f",{piece}"
        else:
            regions.append(piece)
    return [region.strip() for region in regions if region.strip()]
