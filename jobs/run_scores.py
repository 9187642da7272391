"""One number for each allele of a run, by an SQL expression over its tables, behind the fence of `query`.

Knows SQL. Does not know what the numbers are held against.
"""

# ruff: noqa: S608 - the SQL is its user's own, and the fence around the run is what holds it

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import polars as pl

from enformer_core.dataset.joined_scores import rows_of_scores
from enformer_core.errors import InputError, first_few
from enformer_core.evaluate.run_rows import RUN_COLUMNS
from jobs.query import FencedRun, fenced_run

_QUERY = re.compile(r"\s*(SELECT|FROM|WITH)\b", re.IGNORECASE)

_NUMBERS = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)")

_OF_SLIPS = (duckdb.ParserException, duckdb.BinderException)

_WANTED = "wanted_places"


@dataclass(frozen=True)
class RunScores:
    """A run that can be asked for the numbers of its alleles.

    Attributes:
        run: behind its fence.
        name: as its user gave it.
        expression: SQL of the number.
    """

    run: FencedRun
    name: str
    expression: str

    def contigs(self) -> list[str]:
        """Names of the contigs on which it has alleles."""
        sql = "SELECT DISTINCT chrom FROM scores WHERE chrom IS NOT NULL ORDER BY chrom"
        return [name for (name,) in self.run.connection.execute(sql).fetchall()]

    def any_allele(self) -> str | None:
        """An allele that it has, for messages; None where it has none."""
        sql = "SELECT variant_id FROM scores WHERE variant_id IS NOT NULL LIMIT 1"
        found = self.run.connection.execute(sql).fetchone()
        return None if found is None else str(found[0])

    def of_file(self, name: str) -> pl.DataFrame:
        """Alleles of one of its input files: RUN_COLUMNS, and `line`."""
        return self._rows("scores.input_file = $1 AND scores.alt_index = 1", [name])

    def at(self, places: pl.DataFrame) -> pl.DataFrame:
        """Alleles at some places, each `chrom` and `pos`: RUN_COLUMNS, and `line`."""
        self.run.connection.register(_WANTED, places.to_arrow())
        return self._rows(f"(scores.chrom, scores.pos) IN (SELECT (chrom, pos) FROM {_WANTED})", [])

    def _rows(self, where: str, values: Sequence[str]) -> pl.DataFrame:
        columns = [f"scores.{name}" for name in RUN_COLUMNS if name != "score"]
        listed = ", ".join(["scores.input_line AS line", *columns])
        # the expression ends with its line, in which it may have a remark
        if self._is_query:
            chosen = f"""
                WITH own_scores AS ({self.expression}
                )
                SELECT {listed}, CAST(own_scores.{_quoted(self._own_column())} AS DOUBLE) AS score
                FROM scores LEFT JOIN own_scores ON own_scores.variant_id = scores.variant_id"""
        else:
            chosen = f"""
                SELECT {listed}, CAST(({self.expression}
                ) AS DOUBLE) AS score
                FROM {self._rows_of_run}"""
        sql = f"{chosen} WHERE {where} ORDER BY scores.input_line, scores.alt_index"
        answer = self.run.connection.sql(sql, params=list(values))
        return pl.DataFrame(pl.from_arrow(answer.to_arrow_table()))

    @property
    def _is_query(self) -> bool:
        return _QUERY.match(self.expression) is not None

    @property
    def _rows_of_run(self) -> str:
        """The table `scores`, and those beside the run that the expression names, row by row."""
        return rows_of_scores(self.run.ledger, self.expression)

    def check(self) -> None:
        """Look at the expression before anything is read.

        Raises:
            InputError: for one that is none, or no number of a row.
        """
        if self._is_query:
            self._check_alone()
            self._check_once(self._own_column())
            return
        # beside another column, or what is the maximum of all rows would pass
        sql = f"SELECT scores.variant_id, ({self.expression}\n) AS score FROM {self._rows_of_run}"
        columns = self._described(sql)
        if not self.expression.strip() or len(columns) != 2:
            raise InputError(f"--score '{self._shown}': is no expression of one number")
        _, (_, kind, *_) = columns
        self._check_number(kind)

    def _check_alone(self) -> None:
        try:
            statements = duckdb.extract_statements(self.expression)
        except duckdb.Error:  # whoever describes it will say why
            return
        if len(statements) > 1:
            raise InputError(
                f"--score {self._shown}: is {len(statements)} statements, and one query gives the scores. Give one "
                "SELECT, without a semicolon"
            )

    def _own_column(self) -> str:
        """The column of a query that holds the number: `score`, or the one beside `variant_id`.

        Raises:
            InputError: where it cannot be told.
        """
        kinds = {name: kind for name, kind, *_ in self._described(self.expression)}
        others = [name for name in kinds if name != "variant_id"]
        named = [name for name in others if name.lower() == "score"] or others
        if "variant_id" not in kinds or len(named) != 1:
            raise InputError(
                f"--score {self._shown}: gives {first_few(list(kinds))}; a query must give variant_id and one number, "
                "score, as 'SELECT variant_id, max(share) AS score FROM top GROUP BY variant_id'"
            )
        self._check_number(kinds[named[0]])
        return named[0]

    def _check_once(self, column: str) -> None:
        sql = f"""
            SELECT variant_id, count(*) FROM ({self.expression}
            ) WHERE variant_id IS NOT NULL GROUP BY variant_id HAVING count(*) > 1
            ORDER BY variant_id LIMIT 1"""
        several = self.run.connection.execute(sql).fetchone()
        if several is not None:
            raise InputError(
                f"--score {self._shown}: gives {several[0]} {several[1]} rows, and a variant has one score. Put them "
                f"together: SELECT variant_id, max({column}) AS score … GROUP BY variant_id"
            )

    def _described(self, sql: str) -> list[tuple[str, ...]]:
        try:
            return self.run.connection.execute(f"DESCRIBE {sql}").fetchall()
        except _OF_SLIPS as error:
            said = str(error).partition("\n\n")[0]
            raise InputError(
                f"--score {self._shown}: {said}\nIt is SQL over a row of the table scores of {self.name} "
                f"(enformer-ray query {self.name} 'DESCRIBE scores')"
            ) from error

    def _check_number(self, kind: str) -> None:
        if kind.endswith("[]"):
            raise InputError(
                f"--score {self._shown}: is a list over tracks. Make a number of it: list_avg({self._shown}), "
                f"list_max({self._shown}), {self._shown}[1]"
            )
        if not _NUMBERS.fullmatch(kind):
            raise InputError(f"--score {self._shown}: is {kind}, no number")

    @property
    def _shown(self) -> str:
        return " ".join(self.expression.split())


@contextmanager
def run_scores(run: str, expression: str) -> Iterator[RunScores]:
    """Open a run to be asked while the block lasts.

    Args:
        run: as its user gave it.
        expression: SQL.

    Raises:
        InputError: where it is no run of `score`, or the SQL cannot be meant.
    """
    with fenced_run(run, question="") as fenced:
        run_type = fenced.ledger.run_type
        if "scores" not in run_type.tables:
            raise InputError(
                f"--run {run}: is a run of {run_type.unit} with {first_few(run_type.tables)}; variants are judged by "
                "a run of `score`"
            )
        found = RunScores(fenced, run, expression)
        found.check()
        yield found


def _quoted(name: str) -> str:
    quoted = name.replace('"', '""')
    return f'"{quoted}"'
