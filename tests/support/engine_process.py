"""Engines that live in an environment of their own (`make engines`), each asked through one process that stays.

chDB brings pandas, and Spark half a gigabyte and a Java machine: neither belongs beside what users install. Run by
the other environment's Python, this module answers lines of JSON by Arrow streams. A process has the keys of the tests'
object storage and no address of it: that is for the texts to say.

    -> {"statements": [...], "question": "SELECT ..."}
    <- 8 bytes, the length; then a stream of Arrow; of an error, nothing in it but the words in the schema's metadata
"""

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pyarrow as pa

from enformer_core.errors import InputError
from enformer_core.sql.engines import answer

PYTHON = Path(__file__).parents[2] / ".venv-engines" / "bin" / "python"

# A Java machine that lives for a minute gains nothing from its second compiler.
_JAVA = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}

_S3A = ("hadoop-aws", "aws-java-sdk-bundle")
"""Spark's client of S3, which its own package has not: jars that another package brings."""

# They are of Hadoop 3.3, which reads no units and has other names; Spark's own settings are for 3.5.
_OF_OLDER_S3A = {
    "threads.keepalivetime": "60",
    "connection.establish.timeout": "5000",
    "connection.timeout": "200000",
    "multipart.purge.age": "86400",
    "aws.credentials.provider": "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
}

_LENGTH_BYTES = 8
_ERROR = b"error"


def ask(engine: str, statements: list[str], question: str) -> pa.Table:
    """The rows of a question, from the engine in the other environment.

    Raises:
        InputError: what the engine says of the text.
    """
    process = _process(engine)
    request = json.dumps({"statements": list(statements), "question": question})
    process.stdin.write(f"{request}\n".encode())
    process.stdin.flush()
    length = int.from_bytes(process.stdout.read(_LENGTH_BYTES), "big")
    table = pa.ipc.open_stream(process.stdout.read(length)).read_all()
    metadata = table.schema.metadata or {}
    if _ERROR in metadata:
        raise InputError(metadata[_ERROR].decode())
    return table


def run(script: str) -> str:
    """What a script prints that the other environment's Python runs."""
    command = [str(PYTHON), "-c", script]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@cache
def _process(engine: str) -> subprocess.Popen:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**own, **_JAVA, **_keys(), "PYTHONPATH": str(Path(__file__).parents[2])}
    if engine == "spark":
        environment["PYSPARK_SUBMIT_ARGS"] = _with_s3a()
    command = [str(PYTHON), "-m", "tests.support.engine_process", engine]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    atexit.register(_end, process)
    return process


def _keys() -> dict[str, str]:
    # here: the other environment, which runs this file too, has no botocore
    from tests.support.seaweed import credentials  # noqa: PLC0415

    keys = credentials("")
    del keys["AWS_ENDPOINT_URL"]
    nowhere = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    return keys | nowhere


def _with_s3a() -> str:
    """Options of Spark by which it reads `s3a://`."""
    folders = PYTHON.parents[1].glob("lib/python*/site-packages/sagemaker_pyspark/jars")
    jars = [jar for folder in folders for name in _S3A for jar in folder.glob(f"{name}-*.jar")]
    options = [
        f"--conf spark.hadoop.fs.s3a.{name}={value}" for name, value in _OF_OLDER_S3A.items()
    ]
    return " ".join(
        ["--driver-class-path", os.pathsep.join(map(str, jars)), *options, "pyspark-shell"]
    )


def _end(process: subprocess.Popen) -> None:
    # it ends when its standard input does
    process.communicate()


def _serve(engine: str) -> None:
    # engines print to standard output what is no answer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if engine == "duckdb":
        _bring_extensions()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        content = _packed(_answered(engine, request["statements"], request["question"]))
        answers.write(len(content).to_bytes(_LENGTH_BYTES, "big"))
        answers.write(content)
        answers.flush()


def _bring_extensions() -> None:
    """What `INSTALL` would fetch is there already, from packages."""
    extensions = import_module("duckdb_extensions")
    for name in ("httpfs", "aws"):
        extensions.import_extension(name)


def _answered(engine: str, statements: list[str], question: str) -> pa.Table:
    try:
        return answer(engine, statements, question)
    except InputError as error:
        return pa.table({}).replace_schema_metadata({_ERROR: str(error).encode()})


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


if __name__ == "__main__":
    _serve(sys.argv[1])
