"""Which colour each credible set has: a few have one of their own, all others share one, and the legend says so."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

_OWN = 6
"""Colours that are told apart; the theme's last one, grey, is of all others."""

_COLUMN = "set_colour"


@dataclass(frozen=True)
class SetColours:
    """Names of colours by credible set.

    Attributes:
        names: of all that there are, in the order of the theme's.
        own: sets that have a colour to themselves.
        others: what the rest is called; None where there is none.
        note: what is to be said; None where each has its own.
    """

    names: Sequence[str]
    own: Sequence[str]
    others: str | None
    note: str | None

    def of(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table with a column `set_colour`: of each row with a `credible_set` the name of its colour."""
        own = pl.col("credible_set").is_in(list(self.own))
        is_member = pl.col("credible_set").is_not_null()
        rest = pl.when(is_member).then(pl.lit(self.others, pl.String))
        return table.with_columns(pl.when(own).then("credible_set").otherwise(rest).alias(_COLUMN))


def set_colours(table: pl.DataFrame, by: str | None = None) -> SetColours:
    """Colours of the credible sets of a table.

    Args:
        table: with `credible_set`, null where a row is in none.
        by: column of probabilities: of many sets those with the most probable members have colours of their own.
            Without it the first.
    """
    sets = numbered(table)
    if len(sets) <= _OWN + 1:
        return SetColours(sets, sets, None, None)
    likely = sets
    if by is not None:
        best = table.drop_nulls("credible_set").group_by("credible_set").agg(pl.col(by).max())
        size = dict(best.iter_rows())
        likely = sorted(sets, key=lambda each: -size[each])
    own = [each for each in sets if each in likely[:_OWN]]
    others = f"{len(sets) - _OWN} others"
    note = f"{len(sets)} credible sets: the {_OWN} of the most probable variants have a colour each, all others grey"
    return SetColours([*own, others], own, others, note)


def numbered(table: pl.DataFrame) -> list[str]:
    """Names of the credible sets of a table, numbers in their order, before all words."""
    return sorted(set(table["credible_set"].drop_nulls().to_list()), key=_number)


def _number(name: str) -> tuple[float, str]:
    number = float(name) if name.isdecimal() else float("inf")
    return number, name
