"""Why a run has no table of a name, and what brings it: said once for all who read runs."""

from enformer_core.dataset.damage import repair_advice
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.summary_tables import summary_names
from enformer_core.words import counted

SUMMARY_MAKERS = {
    "pca": "pca apply {run} --pca FILE",
    "percentiles": "percentiles {run} --null NULL",
    "track_groups": "summarise {run} --by assay,biosample",
}
"""Of tables beside runs, by the name that they usually have, the command that makes one."""


def why_absent(ledger: Ledger, table: str, location: str) -> str:
    """Why there is no such table, and the remedy.

    Args:
        ledger: of the run, which has no rows of this table.
        table: its name; `tracks` is the table of the whole run.
        location: of the run, as its user gave it.
    """
    tables = [*ledger.run_type.tables, "tracks"]
    beside = summary_names(ledger)
    if table in SUMMARY_MAKERS or table in beside:
        return _why_no_summary(table, location, is_begun=table in beside)
    if table not in tables:
        known = ", ".join(tables[:-1])
        others = [name for name, is_there in beside.items() if is_there]
        also = f", and beside it {', '.join(others)}" if others else ""
        return f"{location}: a run of {ledger.run_type.unit} has no table {table}, but {known} and tracks{also}"
    if table == "tracks":
        return _why_no_tracks(ledger, location)
    shards = ledger.run.plan.shards
    # a manifest is put only when all receipts are there: somebody took them since
    if ledger.manifest() is not None:
        text = f"{location}: of {counted(shards, 'shards')} none has its receipt any more, though the run was complete"
        return f"{text}. {repair_advice(location)}"
    return (
        f"{location}: there are no {table} yet: of {counted(shards, 'shards')} none is committed. Run its own command "
        f"again to continue it; `enformer-ray status {location}` says how far it is."
    )


def _why_no_summary(table: str, location: str, *, is_begun: bool) -> str:
    maker = SUMMARY_MAKERS.get(table)
    command = "its command" if maker is None else f"`enformer-ray {maker.format(run=location)}`"
    if is_begun:
        return f"{location}: the table {table} is not complete: give {command} again, it goes on"
    return f"{location}: there is no table {table} yet; {command} makes it, of a finished run"


def _why_no_tracks(ledger: Ledger, location: str) -> str:
    # tracks are put before the plan, and so before anything is committed
    is_closed = ledger.manifest() is not None
    if is_closed or ledger.committed():
        remedy = repair_advice(location) if is_closed else "Run its own command again: it puts it."
        return f"{location}: {TRACKS_KEY} is missing, the table of the run's tracks. {remedy}"
    return (
        f"{location}: {TRACKS_KEY} is missing: the run was stopped before it was planned. "
        "Run its own command again."
    )
