"""What a user of an engine is given of a run: the text that opens it, a first question, and what is worth knowing."""

from collections.abc import Iterator
from dataclasses import dataclass

from enformer_core.dataset.ledger import Ledger
from enformer_core.sql.dialects import DIALECTS, Dialect
from enformer_core.sql.opening import RunTable, opening, run_address, service_words, tables_of
from enformer_core.storage.open import service_of
from enformer_core.words import counted

OWN_FOLDER = "A table is a folder to it: copy tracks.parquet into the folder of its own named below, beside the run."
"""Of engines that open no single file."""

_FIRST = """\
SELECT e.chrom, e.variant_id, t.identifier, t.description, e.value
FROM effects AS e JOIN tracks AS t ON e.track = t.index
WHERE e.statistic = '{statistic}'
ORDER BY abs(e.value) DESC, e.variant_id, e.track
LIMIT 20"""

_COUNT = "SELECT count(*) AS number_of_rows FROM {table}"
"""Of other kinds of runs: each has its own columns, and all have rows."""


@dataclass(frozen=True)
class RunTexts:
    """A run in an engine's words.

    Attributes:
        engine: its name, one of `DIALECTS`.
        opening: statements, or lines of Python.
        question: the first question, in SQL.
        of_run: what is to be known of this run in this engine, in sentences.
    """

    engine: str
    opening: tuple[str, ...]
    question: str
    of_run: tuple[str, ...]

    @property
    def dialect(self) -> Dialect:
        """What the engine calls things, and how it spells them."""
        return DIALECTS[self.engine]

    @property
    def notes(self) -> tuple[str, ...]:
        """The same, and what is to be known of the engine with any run."""
        return (*self.of_run, *self.dialect.notes)

    @property
    def language(self) -> str:
        """In which a run is opened: `python` or `sql`."""
        return "python" if self.dialect.speaks_python else "sql"

    def script(self) -> str:
        """All of it as one text that the engine takes, notes as remarks."""
        remark = "#" if self.dialect.speaks_python else "--"
        notes = [f"{remark} {note}" for note in self.notes]
        return "\n".join([*notes, as_script(self.dialect, self.opening, self.question)])


def as_script(dialect: Dialect, statements: tuple[str, ...], question: str) -> str:
    """Statements and a question as one text."""
    end = "" if dialect.speaks_python else ";"
    asked = dialect.ask.format(sql=question)
    return "\n".join(f"{each}{end}" for each in (*statements, asked))


def run_texts(ledger: Ledger, engine: str) -> RunTexts:
    """The texts of a run for an engine.

    Args:
        ledger: of the run.
        engine: one of `DIALECTS`.

    Raises:
        InputError: for a run whose place, or whose columns, no engine could be told.
    """
    dialect = DIALECTS[engine]
    address = run_address(ledger.store.location)
    tables = tables_of(ledger)
    service = service_of(address)
    said = opening(dialect, address, tables, service)
    notes = tuple(_notes(ledger, dialect, address, tables, service))
    return RunTexts(engine, tuple(said), _first_question(ledger), notes)


def _first_question(ledger: Ledger) -> str:
    run_type = ledger.run_type
    if "effects" not in run_type.tables:
        return _COUNT.format(table=run_type.tables[0])
    (scores, *_) = run_type.value_tables
    statistic = run_type.value_columns(scores, ledger.run)[0]
    return _FIRST.format(statistic=statistic)


def _notes(
    ledger: Ledger,
    dialect: Dialect,
    address: str,
    tables: list[RunTable],
    service: str | None,
) -> Iterator[str]:
    shards = ledger.run.plan.shards
    committed = len(ledger.committed())
    if committed < shards:
        yield (
            f"The run is not complete: {committed:,} of {counted(shards, 'shards')} committed. Ask for this text again "
            "when it is: a table of which nothing is committed is empty here."
        )
    if not dialect.packages:
        yield f"This text for {dialect.title} has been read by a parser of its SQL, and has not been run by us."
    elif "://" in address and service is None:
        yield "These words for AWS itself have not been run by us, those for other services of S3 have."
    is_plain = address.isascii() and "%" not in address
    if "://" in address and dialect.wants_plain_keys and not is_plain:
        yield (
            f"{dialect.title} may not find keys with '%' or letters beyond ASCII on object storage: copy the run there "
            "under a plain name."
        )
    if service is not None and dialect.note_service is not None:
        yield dialect.note_service.format(**service_words(dialect, service))
    is_there = address.startswith(f"{dialect.scheme}://")
    if dialect.wants is not None and not is_there:
        yield (
            f"{dialect.title} reads runs on {dialect.wants}: copy the run there first, and put its place below."
        )
    if "own_folder" in dialect.whole and any(table.file for table in tables):
        yield OWN_FOLDER
