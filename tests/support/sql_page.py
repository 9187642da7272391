"""docs/sql.md, made of the table of engines and of the questions: `python -m tests.support.sql_page > docs/sql.md`."""

# ruff: noqa: E501 - lines of the page
from collections.abc import Collection, Iterator

from enformer_core.dataset import schemas
from enformer_core.models.tracks.table import TRACKS_SCHEMA
from enformer_core.sql.dialects import DIALECTS, Dialect
from enformer_core.sql.opening import RunTable, beside, opening
from enformer_core.sql.run_texts import OWN_FOLDER, as_script
from enformer_core.sql.words import in_words
from tests.support.sql_engines import HERE
from tests.support.sql_questions import QUESTIONS, Question

RUN = "/data/RUN"
OWN = "/data/{name}.parquet"

TABLES = [
    RunTable("scores", schemas.scores_schema(["sad"])),
    RunTable("effects", schemas.EFFECTS_SCHEMA),
    RunTable("tracks", TRACKS_SCHEMA, "tracks.parquet"),
]

INTRO = """\
# SQL: a run in other engines, and a cookbook

A run is Parquet in folders `chrom=…`, and any SQL engine reads it as it stands. `enformer-ray query RUN SQL` asks it by DuckDB, with no set-up, names of
tracks and a fence around the run; `--attach NAME=FILE` sets tables of yours beside it. For everything else there is the text that opens it:

```sh notrun
enformer-ray sql scores                                # DuckDB's
enformer-ray sql s3://BUCKET/runs/first --engine spark
enformer-ray sql scores --engine polars --run          # run it here, where the package is installed
```

The text is of this very run: its columns, its place, and of a run under way an empty table for what has no file yet. Each engine has a trap of its own
that it goes around: most make numbers of `chrom` where all contigs are numbers, and then fail at `X`; one takes the type from the first folder, two leave
`HLA%2A01` as it is or do not find it. `query`, [python](python.md) and these texts agree on contigs as text. Rows without a place lie in the folder
`chrom=__unplaced__`, which these texts give as it is called; in `query` and Python their `chrom` is null. [Every column of every table](tables.md).

A run on `s3://` is read by the engine's own client, with the keys that the usual AWS environment has. Where the run was found at another service than AWS
(`AWS_ENDPOINT_URL`, or the endpoint of a profile), the text names it, without a password; DataFusion is told it by the environment. Tests run these texts of
DuckDB, Polars, DataFusion, chDB and Spark on a service of S3 of their own, with equal rows; AWS itself has not been asked by us.

By `--json` the same comes in parts: `opening` is a list of statements, for engines that take them one at a time, `question` a first one, `notes` what stands as remarks in the text.

Columns kept by `--keep-columns` have the letters of the input. DuckDB and Spark do not tell `af` from `AF`; DataFusion makes small letters of both, Polars tells them apart: write
`"AF"`, in quotes. A name with a dot stands in quotes everywhere: `"P.VALUE"` (Spark, Athena and BigQuery quote by backticks).

Below, a text is given once for all engines that take it as it is. Those of DuckDB, Polars, DataFusion, chDB and Spark are run by tests and give equal
rows (chDB and Spark where they are installed). **Those of Trino, Athena and BigQuery have been read by a parser of their SQL, and have not been run by us.**
"""


def page() -> str:
    """The whole page."""
    parts = [INTRO, *_words(), "## Opening a run\n", *map(_opening, DIALECTS), *_cookbook()]
    return "\n".join(parts)


def _words() -> Iterator[str]:
    yield "## Lists in each engine\n"
    yield "| engine | an item, from 1 | largest size | has a word | a row for each item |"
    yield "|---|---|---|---|---|"
    for dialect in DIALECTS.values():
        asked = [
            in_words(text, dialect)
            for text in (
                "{element sad|2}",
                "{largest sad}",
                "{contains flags|'duplicate'}",
                "{unnest sad|pos|scores}",
            )
        ]
        cells = ["in Python, below" if text is None else f"`{text}`" for text in asked]
        yield f"| {' | '.join([dialect.title, *cells])} |"
    yield ""


def _opening(engine: str) -> str:
    dialect = DIALECTS[engine]
    address = RUN if dialect.wants is None else f"{dialect.scheme}://BUCKET/RUN"
    said = as_script(
        dialect, tuple(opening(dialect, address, TABLES)), "SELECT count(*) AS n FROM scores"
    )
    notes = [*dialect.notes, *([OWN_FOLDER] if "own_folder" in dialect.whole else [])]
    return "\n".join([f"### {dialect.title}\n", f"{' '.join(notes)}\n", _block(engine, said)])


def _cookbook() -> Iterator[str]:
    yield "## Cookbook\n"
    yield (
        'Questions are asked once a run is open; Polars takes them within `ctx.execute("""…""", eager=True)`. `gwas` and `credible` '
        "are Parquet files of yours with the columns that are named, opened so:\n"
    )
    opened = {}
    for engine, dialect in DIALECTS.items():
        if dialect.packages:
            opened[engine] = beside(dialect, "gwas", OWN.format(name="gwas"))
    yield from _grouped({engine: _ended(DIALECTS[engine], text) for engine, text in opened.items()})
    for question in QUESTIONS:
        yield f"### {question.title}\n"
        yield f"{question.why}\n"
        yield from _grouped(texts_of(question))


def texts_of(question: Question) -> dict[str, str]:
    """A question's text by engine, without those that have none."""
    if question.own:
        return question.own
    texts = {engine: in_words(question.sql, dialect) for engine, dialect in DIALECTS.items()}
    return {engine: text for engine, text in texts.items() if text is not None}


def _ended(dialect: Dialect, statement: str) -> str:
    return statement if dialect.speaks_python else f"{statement};"


def _grouped(texts: dict[str, str]) -> Iterator[str]:
    """Each text once, below the engines that take it; alone where all do."""
    engines: dict[str, list[str]] = {}
    for engine, text in texts.items():
        engines.setdefault(text, []).append(engine)
    for text, same in engines.items():
        dialects = [DIALECTS[engine] for engine in same]
        if len(same) < len(DIALECTS):
            yield f"{', '.join(dialect.title for dialect in dialects)}:\n"
        is_python = "\nimport " in text or text.startswith("ctx.")
        language = "python" if is_python else "sql"
        yield _fenced(language, text, same)


def _block(engine: str, text: str) -> str:
    return _fenced("python" if DIALECTS[engine].speaks_python else "sql", text, [engine])


def _fenced(language: str, text: str, engines: Collection[str]) -> str:
    """The block, with the mark of what no test runs: services that are not here."""
    mark = "" if set(engines) & set(HERE) else " notrun"
    return f"```{language}{mark}\n{text}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
