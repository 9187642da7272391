"""A run of which one kind of table is needed: all others are refused, by what they are and what makes the right one."""

from enformer_core.api.run_tables import RunTables, open_run
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
