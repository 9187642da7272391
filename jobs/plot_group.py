"""Which of a run's groups a picture shows: the one that was asked for, or the first, which is said."""

import polars as pl

from enformer_core.errors import InputError, first_few, nearest


def rows_of_group(
    rows: pl.DataFrame,
    asked: str | None,
    run: str,
    *,
    option: str = "--group",
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """The rows of one group, and what is to be said of the others, in the picture and to whoever asks.

    Args:
        rows: with a column `group`.
        asked: the group's name; None for the first.
        run: where they are from, for messages.
        option: that chooses a group.

    Raises:
        InputError: where there is no such group, with those that there are.
    """
    groups = rows["group"].unique(maintain_order=True).to_list()
    chosen = asked or groups[0]
    if chosen not in groups:
        raise InputError(f"{option} {chosen}: {run} has no such group{nearest(chosen, groups)}")
    others = [group for group in groups if group != chosen]
    notes = []
    hints = []
    if asked is None and others:
        notes.append(f"of {len(groups)} groups of tracks {chosen} is drawn")
        hints.append(f"{option} chooses another group: {first_few(others)}")
    return rows.filter(pl.col("group") == chosen), notes, hints
