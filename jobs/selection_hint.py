"""What a selection of tracks came to, where its text may have found more than was meant. Does not know pictures."""

import re
from collections.abc import Iterator

from enformer_core.models.tracks.selector import selection_in_words
from enformer_core.models.tracks.table import Tracks


def selection_hint(
    found: Tracks,
    selector: str | None,
    option: str = "--tracks ",
) -> Iterator[str]:
    """Which tracks a selector found, where they are more than its terms: a text is looked for in descriptions.

    Args:
        found: by the selector.
        selector: as its user gave it; None for all.
        option: before the selector.
    """
    terms = [] if selector is None else selector.split(",")
    if len(found) > len(terms) and any(_is_text(term.strip()) for term in terms):
        yield f"{option}{selector}: {selection_in_words(found)}"


def _is_text(term: str) -> bool:
    """Whether a term is no column, range of columns or assay: what these find is plain."""
    return not re.fullmatch(r"\d+(\s*-\s*\d+)?|assay=.*", term, re.IGNORECASE)
