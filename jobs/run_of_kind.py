"""A run of which one kind of table is needed: all others are refused, by what they are and what makes the right one."""

from contextlib import AbstractContextManager

import polars as pl
import pyarrow as pa

from enformer_core.api.run_tables import RunTables, open_run
from enformer_core.dataset.damage import DamagedRunError
from enformer_core.dataset.damaged_files import naming_damage
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError


def open_run_of(
    name: str,
    table: str,
    maker: str,
) -> RunTables:
    """Open a run that has a table.

    Args:
        name: where the run lies.
        table: that it must have.
        maker: the command whose runs have it, such as `tiles`.

    Raises:
        InputError: where there is no run, and for a run of another kind.
        DatasetError: for a run that is damaged.
    """
    run = open_run(name)
    run_type = run.ledger.run_type
    if table not in run_type.tables:
        raise InputError(
            f"{name}: a run of {run_type.unit} with the tables {', '.join(run_type.tables)}; {table} come from "
            f"`enformer-ray {maker}`"
        )
    return run


def notes_of_state(ledger: Ledger, run: str) -> list[str]:
    """What a picture says of a run that is under way.

    Args:
        ledger: of the run.
        run: as its user gave it.

    Raises:
        DatasetError: for a run that was complete and has lost something since: what is left would be taken for all.
    """
    if ledger.manifest() is None:
        return [f"{run}: is not finished; what is committed of it is drawn"]
    if lost := ledger.lost():
        raise DamagedRunError(lost, run)
    return []


def reading(run: RunTables, table: str) -> AbstractContextManager[None]:
    """Within it rows of a table are collected: of a file that is damaged its name is said.

    Args:
        run: whose.
        table: of it.
    """
    return naming_damage(
        run.ledger, [table], (pl.exceptions.PolarsError, pa.ArrowException, OSError)
    )
