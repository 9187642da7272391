"""Which of a run's groups a picture shows: the one that was asked for, or the first, which is said."""

import polars as pl

from enformer_core.errors import InputError, first_few, nearest


def rows_of_group(
    rows: pl.DataFrame, asked: str | None, run: str
) -> tuple[pl.DataFrame, list[str]]:
    """The rows of one group, and what is to be said of the others.

    Args:
        rows: with a column `group`.
        asked: the group's name; None for the first.
        run: where they are from, for messages.

    Raises:
        InputError: where there is no such group, with those that there are.
    """
    groups = rows["group"].unique(maintain_order=True).to_list()
    chosen = asked or groups[0]
    if chosen not in groups:
        raise InputError(f"--group {chosen}: {run} has no such group{nearest(chosen, groups)}")
    others = [group for group in groups if group != chosen]
    notes = []
    if asked is None and others:
        notes.append(f"group {chosen}; --group chooses another: {first_few(others)}")
    return rows.filter(pl.col("group") == chosen), notes
