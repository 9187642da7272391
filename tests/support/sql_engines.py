"""SQL engines that can be asked here, each skipped where it is not installed."""

import os
import shutil
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pytest

from enformer_core.sql import engines
from enformer_core.sql.dialects import DIALECTS
from tests.support import engine_process

HERE = tuple(name for name, dialect in DIALECTS.items() if dialect.packages)

ALWAYS = ("duckdb", "polars", "datafusion")
"""Those that the tests' own environment has; the others have one of theirs."""


def need(engine: str) -> None:
    """Skip the test where this engine does not run; on CI, where all of them must, it fails."""
    if engine in ALWAYS:
        return
    need_engines_environment()
    if engine == "spark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")


def need_engines_environment() -> None:
    """Skip the test where the environment of other engines and readers was not made; on CI it fails."""
    if engine_process.PYTHON.exists():
        return
    reason = f"{engine_process.PYTHON} is not there: make engines"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def answer(engine: str, statements: Sequence[str], question: str) -> pa.Table:
    """The rows of a question, wherever the engine lives."""
    ask = engines.answer if engine in ALWAYS else engine_process.ask
    return ask(engine, statements, question)


ALONE_ON_S3 = ("polars", "datafusion")
"""Those whose own packages read object storage; others' extensions and jars are in the engines' environment."""


def need_for_s3(engine: str) -> None:
    """The same as `need`, of an engine that reads object storage."""
    if engine not in ALONE_ON_S3:
        need_engines_environment()
    need(engine)


def answer_from_s3(engine: str, statements: Sequence[str], question: str) -> pa.Table:
    """The same as `answer`, of a run on object storage whose address the text alone names."""
    if engine not in ALONE_ON_S3:
        return engine_process.ask(engine, statements, question)
    with pytest.MonkeyPatch.context() as patch:
        # in Python its context is told the service, in no text
        if engine != "datafusion":
            patch.delenv("AWS_ENDPOINT_URL")
        return engines.answer(engine, statements, question)


def plain(rows: list[dict]) -> list[tuple]:
    """Rows as they can be compared: floats in the digits that 32 bits have."""
    return [tuple(map(_plain, row.values())) for row in rows]


def _plain(value):
    # Polars answers a division by a whole number with a decimal
    return float(f"{value:.6g}") if isinstance(value, float | Decimal) else value
