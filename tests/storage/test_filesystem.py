"""What DuckDB reads through: names and ranges of objects, each at the price of one request."""

import io

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import StorageError
from enformer_core.storage.open import open_store, sql_filesystem
from tests.support.proxy import Fault
from tests.support.seaweed import client

ROWS = 1000


def parquet(first, *, filler=0):
    column = pa.array(range(first, first + ROWS), pa.int64())
    noise = pa.array([bytes(filler)] * ROWS, pa.binary())
    out = io.BytesIO()
    pq.write_table(
        pa.table({"x": column, "noise": noise}), out, compression="none", use_dictionary=False
    )
    return out.getvalue()


@pytest.fixture
def place(bucket):
    return f"s3://{bucket}/run"


@pytest.fixture
def ask(place):
    def ask_sql(sql):
        connection = duckdb.connect()
        connection.register_filesystem(sql_filesystem(place))
        return connection.sql(sql.format(place=place)).fetchall()

    return ask_sql


def test_a_path_needs_none(tmp_path):
    assert sql_filesystem(str(tmp_path)) is None


def test_sql_over_partitioned_files(place, ask, proxy):
    store = open_store(place)
    for number in range(3):
        store.put_if_absent(f"scores/chrom=chr{number}/a.parquet", parquet(number * ROWS))
    store.put_if_absent("scores/chrom=chr0/a.json", b"not a table")
    proxy.requests.clear()
    rows = ask(
        "SELECT chrom, count(*), min(x), max(x) FROM read_parquet('{place}/scores/**/*.parquet', "
        "hive_partitioning = true, hive_types = {{'chrom': VARCHAR}}) GROUP BY chrom ORDER BY chrom"
    )
    assert rows == [(f"chr{n}", ROWS, n * ROWS, n * ROWS + ROWS - 1) for n in range(3)]
    assert dict(proxy.requests) == {"GET": 1 + 3, "HEAD": 3}, "a listing; each file once"


def test_a_file_that_is_named_is_not_searched(place, ask, proxy):
    open_store(place).put_if_absent("tracks.parquet", parquet(7))
    proxy.requests.clear()
    assert ask("SELECT min(x) FROM '{place}/tracks.parquet'") == [(7,)]
    assert dict(proxy.requests) == {"GET": 1, "HEAD": 1}
    with pytest.raises(duckdb.Error, match="No files found"):
        ask("SELECT min(x) FROM '{place}/none.parquet'")


def test_of_a_large_file_only_what_is_needed_is_read(place, ask, proxy):
    content = parquet(0, filler=20_000)
    assert len(content) > 20_000_000
    open_store(place).put_if_absent("large.parquet", content)
    proxy.sent_bytes = 0
    assert ask("SELECT sum(x) FROM '{place}/large.parquet'") == [(ROWS * (ROWS - 1) // 2,)]
    assert proxy.sent_bytes < len(content) / 1.5


def test_bad_moments_are_overcome(place, ask, proxy):
    open_store(place).put_if_absent("a/x.parquet", parquet(0))
    proxy.script([Fault.SLOW_DOWN, Fault.NONE, Fault.INTERNAL_ERROR, Fault.NONE, Fault.TRUNCATED])
    assert ask("SELECT count(*) FROM '{place}/a/*.parquet'") == [(ROWS,)]
    assert proxy.injected == 3


def test_what_only_a_person_can_mend_is_said(place, ask, proxy):
    open_store(place).put_if_absent("a/x.parquet", parquet(0))
    proxy.script([Fault.NONE, Fault.NONE, Fault.EXPIRED])
    with pytest.raises((StorageError, duckdb.Error), match="Renew the credentials"):
        ask("SELECT count(*) FROM '{place}/a/*.parquet'")


def test_a_file_that_is_replaced_meanwhile_is_not_mixed(place, bucket, moto_endpoint):
    open_store(place).put_if_absent("x", b"old" * 3_000_000)
    files = sql_filesystem(place)
    with files.open(f"{place}/x") as file:
        assert file.read(3) == b"old"
        client(moto_endpoint).put_object(Bucket=bucket, Key="run/x", Body=b"new" * 3_000_000)
        file.seek(8_000_001)
        with pytest.raises(Exception, match="was replaced while it was read"):
            file.read(3)


def test_files_and_ranges(place):
    content = bytes(range(256)) * 40_000
    open_store(place).put_if_absent("b/x", content)
    open_store(place).put_if_absent("b/empty", b"")
    files = sql_filesystem(place)
    assert files.info(f"{place}/b/x")["size"] == len(content)
    assert files.cat_file(f"{place}/b/x", start=300, end=310) == content[300:310]
    assert files.cat_file(f"{place}/b/empty") == b""
    assert not files.exists(f"{place}/b/none")
    assert files.glob(f"{place}/b/*") == [f"{place[5:]}/b/empty", f"{place[5:]}/b/x"]
