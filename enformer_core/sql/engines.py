"""Engines that run here: a function each, from statements and a question to rows; Spark needs Java beside its package.

An engine is loaded when it is asked. Knows no run and no table.
"""

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.sql.dialects import DIALECTS

_S3_BUCKET = re.compile(r"'s3://([^/']+)/")


def answer(engine: str, statements: Sequence[str], question: str) -> pa.Table:
    """The rows of a question, after these statements, in a session of the engine's own.

    Args:
        engine: one of those in `DIALECTS` that have packages.
        statements: of its SQL, or lines of Python where it speaks that.
        question: in SQL.

    Raises:
        InputError: for an engine that does not run here, or is not installed, or what it says of the text.
    """
    dialect = DIALECTS[engine]
    if engine not in _ENGINES:
        raise InputError(
            f"{dialect.title} is a server of its own: it does not run in this program. Give it the text, without --run."
        )
    for package in dialect.packages:
        try:
            import_module(package)
        except ImportError as error:
            raise InputError(
                f"{dialect.title} is not installed here ({error}): pip install {package}, or leave out --run"
            ) from error
    try:
        return _ENGINES[engine](statements, question)
    # each engine has errors of its own, some of which derive from nothing but Exception
    except Exception as error:
        raise InputError(f"{dialect.title} refused this text: {error}") from error


def _duckdb(statements: Sequence[str], question: str) -> pa.Table:
    duckdb = import_module("duckdb")
    with duckdb.connect() as connection:
        for statement in statements:
            connection.execute(statement)
        return connection.sql(question).to_arrow_table()


def _polars(statements: Sequence[str], question: str) -> pa.Table:
    names: dict[str, Any] = {}
    # the very lines that a user is shown, made by `opening`
    exec("\n".join(statements), names)  # noqa: S102
    return names["ctx"].execute(question, eager=True).to_arrow()


def _datafusion(statements: Sequence[str], question: str) -> pa.Table:
    context = import_module("datafusion").SessionContext()
    # its command line finds buckets by itself, its Python does not
    for bucket in sorted({*_S3_BUCKET.findall(" ".join(statements))}):
        context.register_object_store("s3://", _datafusion_bucket(bucket), bucket)
    for statement in statements:
        context.sql(statement)
    return context.sql(question).to_arrow_table()


def _datafusion_bucket(bucket: str) -> Any:
    """The store of a bucket, with the credentials that all of AWS's clients would find here."""
    # here: the tests' other engines, which this file asks too, live without what it loads
    from enformer_core.storage.open import service_of  # noqa: PLC0415

    session = import_module("botocore.session").get_session()
    found = session.get_credentials()
    keys = found.get_frozen_credentials() if found else None
    endpoint = service_of(f"s3://{bucket}")
    return import_module("datafusion.object_store").AmazonS3(
        bucket,
        region=session.get_config_variable("region") or "us-east-1",
        access_key_id=keys and keys.access_key,
        secret_access_key=keys and keys.secret_key,
        session_token=keys and keys.token,
        endpoint=endpoint,
        allow_http=(endpoint or "").startswith("http://"),
    )


def _chdb(statements: Sequence[str], question: str) -> pa.Table:
    session = import_module("chdb.session").Session()
    try:
        for statement in statements:
            session.query(statement)
        content = session.query(question, "Arrow").bytes()
        return pa.ipc.open_file(content).read_all()
    finally:
        session.close()


def _spark(statements: Sequence[str], question: str) -> pa.Table:
    sql = import_module("pyspark.sql")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    first = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
    first.sparkContext.setLogLevel("OFF")
    session = first.newSession()
    for statement in statements:
        session.sql(statement)
    return session.sql(question).toArrow()


_ENGINES: dict[str, Callable[[Sequence[str], str], pa.Table]] = {
    "duckdb": _duckdb,
    "polars": _polars,
    "datafusion": _datafusion,
    "chdb": _chdb,
    "spark": _spark,
}
