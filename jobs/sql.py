"""`enformer-ray sql`: the text that opens a run in an SQL engine, and a first question; asked here where that runs."""

import json
from dataclasses import dataclass, field
from typing import Literal

from enformer_core.sql.engines import answer
from enformer_core.sql.run_texts import RunTexts, run_texts
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note
from jobs.option_types import Directory

Engine = Literal[
    "duckdb",
    "polars",
    "datafusion",
    "chdb",
    "spark",
    "trino",
    "athena",
    "bigquery",
]
"""Those of `enformer_core.sql.dialects.DIALECTS`, named here so that the help comes without them."""


@dataclass(frozen=True)
class SqlSettings:
    """What `enformer-ray sql` is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run"""

    engine: Engine = field(default="duckdb", kw_only=True)
    """whose text to print; Python of polars, of the others SQL"""

    run: bool = field(default=False, kw_only=True)
    """run the text and print the rows of its question; the first five run here where their package is installed"""

    json: bool = field(default=False, kw_only=True)
    """print one JSON object: engine, language, packages, opening, question, notes; with --run a list of rows"""


def sql(settings: SqlSettings) -> int:
    """Print the text, or run it and print its rows.

    Returns:
        The exit code.

    Raises:
        InputError: where there is no run, or the engine cannot be asked here, with the remedy.
    """
    texts = run_texts(open_ledger(settings.out), settings.engine)
    if settings.run:
        _print_rows(texts, as_json=settings.json)
    elif settings.json:
        print(_json(texts))
    else:
        print(texts.script())
    return exit_codes.DONE


def _json(texts: RunTexts) -> str:
    said = {
        "engine": texts.engine,
        "language": texts.language,
        "packages": texts.dialect.packages,
        "opening": texts.opening,
        "question": texts.question,
        "notes": texts.notes,
    }
    return json.dumps(said, ensure_ascii=False, indent=2)


def _print_rows(texts: RunTexts, *, as_json: bool) -> None:
    import duckdb

    from jobs.result_rows import print_json, print_text

    rows = answer(texts.engine, texts.opening, texts.question)
    with duckdb.connect() as connection:
        relation = connection.from_arrow(rows)
        if as_json:
            print_json(relation)
        else:
            print_text(relation)
    for text in texts.of_run:
        note(text)
