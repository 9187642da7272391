"""Every text of docs/sql.md gives the same rows in every engine that is here, and the page is what is tested."""

from functools import cache
from pathlib import Path

import pytest
import sqlglot

from enformer_core.sql.dialects import DIALECTS
from enformer_core.sql.opening import beside, opening
from tests.support import sql_page
from tests.support.sql_engines import HERE, answer, need, plain
from tests.support.sql_questions import QUESTIONS
from tests.support.sql_run import write_own, write_run

pytestmark = pytest.mark.filterwarnings("ignore")  # of engines that are not ours

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"

SHARED = [question for question in QUESTIONS if question.sql]
(RECEIPTS,) = (question for question in QUESTIONS if question.own)

EXPECTED = {
    "The strongest effects in a tissue": (
        8,
        ("chr20:4650000:C:T", "CNhs10624", "CAGE:liver, adult", 4.0),
    ),
    "A locus": (3, ("chr20:4650000:C:T", 4_650_000, "rs2", 4.0, 8)),
    "All tracks of an allele": (6, (2, "DNASE:liver tissue", 1.5)),
    "One track of all alleles": (5, ("chr20", 4_650_000, "C", "T", 4.0)),
    "An rsID": (2, ("chr20:4699605:A:G", "a.vcf", 1, "ok", 2.5)),
    "Each allele by its strongest track of one assay": (4, ("chrX:100:T:TA", 3.0)),
    "Assays compared": (2, ("CAGE", 4, 4.0)),
    "Beside summary statistics": (3, (1e-12, -0.5, "chrX:100:T:TA", 3.0)),
    "The best allele of each credible set": (2, (1, "chr20:4650000:C:T", 0.25, 4.0)),
    "The allele that changes each gene most": (2, ("XIST", "chrX:100:T:TA", -100, 2.0)),
    "Effects of the effect allele": (2, ("rs6052080", "chr20:4699605:A:G", "ENCFF2", 2.5)),
    "What became of the rows": (3, ("ok", 5, 71.4286)),
    "Alleles that were exchanged": (1, ("chr20:4650000:C:T", "C", "T", None)),
    "How large values are": (1, (15, 1.35833, 4.0)),
    "Alleles that the input has more than once": (1, ("chr20:4699605:A:G", 2)),
}
"""How many rows the answer has, and the first."""

OF_RECEIPTS = [("bfloat16", "a GPU", 2, 5), ("float32", "a GPU", 1, 1)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Where a run and the user's tables lie, and what opens them, by engine."""
    folder = tmp_path_factory.mktemp("cookbook")
    tables = write_run(folder / "run")
    own = write_own(folder)

    def opened(engine):
        dialect = DIALECTS[engine]
        said = opening(dialect, str(folder / "run"), tables)
        return [*said, *(beside(dialect, name, str(path)) for name, path in own.items())]

    return folder / "run", opened


@pytest.fixture(scope="module")
def of_duckdb(run):
    """What DuckDB answers to a question: it is always here, and what it says is what all say."""

    @cache
    def rows(title):
        (question,) = (each for each in SHARED if each.title == title)
        sql = sql_page.texts_of(question)["duckdb"]
        return plain(answer("duckdb", run[1]("duckdb"), sql).to_pylist())

    return rows


@pytest.mark.parametrize("question", SHARED, ids=lambda question: question.title)
@pytest.mark.parametrize("engine", HERE)
def test_a_question_has_equal_rows_in_every_engine(engine, question, run, of_duckdb):
    need(engine)
    sql = sql_page.texts_of(question)[engine]
    rows = plain(answer(engine, run[1](engine), sql).to_pylist())
    number, first = EXPECTED[question.title]
    assert rows[0] == first
    assert len(rows) == number
    assert rows == of_duckdb(question.title)


def test_every_question_has_an_expected_answer():
    assert EXPECTED.keys() == {question.title for question in SHARED}


@pytest.mark.parametrize("engine", RECEIPTS.own)
def test_receipts_say_how_shards_were_computed(engine, run):
    need(engine)
    text = RECEIPTS.own[engine].replace("RUN", str(run[0]))
    if engine == "polars":
        names = {}
        exec(text.replace("print(shards)", ""), names)
        found = names["shards"].to_dicts()
    else:
        *before, sql = (part for part in text.split(";") if part.strip())
        found = answer(engine, before, sql).to_pylist()
    assert plain(found) == OF_RECEIPTS


@pytest.mark.parametrize("question", SHARED, ids=lambda question: question.title)
@pytest.mark.parametrize("engine", [engine for engine in DIALECTS if engine not in HERE])
def test_texts_for_services_are_sql(engine, question):
    (parsed,) = sqlglot.parse(sql_page.texts_of(question)[engine], dialect=engine)
    assert isinstance(parsed, sqlglot.exp.Select)


def test_the_page_is_made_of_what_is_tested():
    made = sql_page.page()
    assert PAGE.read_text(encoding="utf-8") == made, (
        "renew it: python -m tests.support.sql_page > docs/sql.md"
    )
