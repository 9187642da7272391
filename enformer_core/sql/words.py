"""Questions in an engine's own words: SQL that is the same everywhere, but for what is done with lists.

in_words("SELECT {element sad|1} FROM scores", DIALECTS["spark"])    # SELECT get(sad, 1 - 1) FROM scores
"""

import re

from enformer_core.sql.dialects import Dialect

_PLACE = re.compile(r"\{(?P<what>element|largest|contains|unnest) (?P<words>[^{}]*)\}")

_NAMES = {
    "element": ("list", "at"),
    "largest": ("list",),
    "contains": ("list", "text"),
    "unnest": ("list", "columns", "table"),
}
"""What stands in each place, in this order, parted by `|`."""


def in_words(sql: str, dialect: Dialect) -> str | None:
    """A question with `{element LIST|AT}` and the like in the engine's words; None where it has none for one.

    Args:
        sql: the question.
        dialect: of the engine.
    """
    wanted = {found["what"] for found in _PLACE.finditer(sql)}
    if any(getattr(dialect, what) is None for what in wanted):
        return None

    def written(found: re.Match[str]) -> str:
        template: str = getattr(dialect, found["what"])
        words = found["words"].split("|")
        return template.format(**dict(zip(_NAMES[found["what"]], words, strict=True)))

    return _PLACE.sub(written, sql)
