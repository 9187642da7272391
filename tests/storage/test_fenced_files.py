"""Behind the fence there are some objects of one place, to be read: nothing else, nothing to be written."""

import io
import os
import threading

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from enformer_core.dataset.codec import Footer, to_parquet
from enformer_core.errors import DatasetError
from enformer_core.storage.fenced_files import FENCED, fenced_files
from enformer_core.storage.open import open_store

KEY = "scores/chrom=HLA%2A01%3A01/a.parquet"
CONTENT = to_parquet(pa.table({"x": [1, 2, 3]}), Footer("scores", "0" * 64, None))


@pytest.fixture(params=["disk", "s3"])
def place(request, tmp_path):
    """A place with two objects and a neighbour, on a disk and on object storage."""
    if request.param == "disk":
        name = str(tmp_path / "it's [a] run* of ~ü?")
    else:
        name = f"s3://{request.getfixturevalue('bucket')}/runs/a"
    for key in (KEY, "run.json"):
        open_store(name).put_if_absent(key, CONTENT)
    open_store(name.rpartition("/")[0]).put_if_absent("b.parquet", CONTENT)
    return name


@pytest.fixture
def files(place):
    return fenced_files(place, {KEY: len(CONTENT)})


@pytest.fixture
def ask(files):
    with duckdb.connect() as connection:
        connection.register_filesystem(files)
        connection.execute(f"SET allowed_directories = ['{FENCED}']")
        connection.execute("SET enable_external_access = false")
        yield lambda sql: connection.sql(sql).fetchall()


def test_what_is_listed_is_read(files, ask):
    assert files.info(f"{FENCED}{KEY}")["size"] == len(CONTENT)
    with files.open(KEY) as file:
        assert file.read() == CONTENT
        file.seek(4)
        assert file.read(2) == CONTENT[4:6]
    sql = f"SELECT sum(x), any_value(chrom) FROM read_parquet('{FENCED}{KEY}', hive_partitioning = true)"
    assert ask(sql) == [(6, "HLA*01:01")]
    assert list(files.opened) == [KEY]
    assert files.failure is None


def test_threads_read_one_file_each_at_its_own_place(files):
    """One goes to 4 and stands there while another goes to the end and reads."""
    with files.open(KEY) as file:
        file.seek(4)
        other = threading.Thread(target=lambda: (file.seek(-6, io.SEEK_END), file.read()))
        other.start()
        other.join()
        assert (file.tell(), file.read(2), file.tell()) == (4, CONTENT[4:6], 6)
        assert file.seek(-2, io.SEEK_CUR) == 4
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
    file.close()
    assert file.closed


def test_a_file_of_many_row_groups_is_read_by_many_threads(tmp_path):
    """DuckDB shares the handle: with one place for all, most of these answers were errors."""
    rows = 200_000
    table = pa.table({"x": np.arange(rows), "y": np.random.default_rng(0).random(rows)})
    content = to_parquet(table, Footer("scores", "0" * 64, None))
    open_store(str(tmp_path)).put_if_absent("a.parquet", content)
    for _ in range(3):
        with duckdb.connect(config={"threads": 8}) as connection:
            connection.register_filesystem(fenced_files(str(tmp_path), {"a.parquet": len(content)}))
            sql = f"SELECT sum(x), max(y) FROM read_parquet('{FENCED}a.parquet')"
            assert connection.sql(sql).fetchall() == [
                (rows * (rows - 1) // 2, table["y"].to_numpy().max())
            ]


@pytest.mark.parametrize("key", ["run.json", "../b.parquet", f"{KEY}/../../../run.json", "*", ""])
def test_what_is_not_listed_is_not_there(files, key):
    for call in (files.info, files.open, files.glob):
        with pytest.raises(PermissionError):
            call(f"{FENCED}{key}")
    assert isinstance(files.failure, PermissionError)


@pytest.mark.parametrize("mode", ["wb", "ab", "xb", "r+b"])
def test_nothing_is_written(files, place, mode):
    with pytest.raises(PermissionError, match="a query writes nothing"):
        files.open(KEY, mode)
    assert open_store(place).get(KEY) == CONTENT


def test_sql_cannot_write_over_what_it_reads(files, ask, place):
    sql = f"COPY (SELECT 1) TO '{FENCED}{KEY}' (FORMAT parquet, USE_TMP_FILE false)"
    with pytest.raises(duckdb.Error):
        ask(sql)
    assert isinstance(files.failure, PermissionError)
    assert open_store(place).get(KEY) == CONTENT


def test_an_object_of_another_length_or_none_is_named(place):
    longer = fenced_files(place, {KEY: len(CONTENT) + 1, "none": 5})
    said = f"{KEY}: {len(CONTENT):,} bytes, its receipt says {len(CONTENT) + 1:,} bytes"
    with pytest.raises(DatasetError, match=said):
        longer.open(KEY)
    with pytest.raises(DatasetError, match="none: missing, though a receipt names it"):
        longer.info("none")
    # the first is what a reader is told of
    assert str(longer.failure) == said
    assert fenced_files(place, {KEY: None}).info(KEY)["size"] == len(CONTENT)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0)
    with pytest.raises(DatasetError, match="a: cannot be read: Permission denied"):
        fenced_files(str(tmp_path), {"a": 1}).open("a")
