"""The largest value of a column is that of all rows, though no row is read."""

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from enformer_core.dataset.largest_values import largest_value
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.storage.local import LocalStore
from tests.support.toy_runs import begun_toy_run


@pytest.fixture
def run(tmp_path):
    run = begun_toy_run(LocalStore(tmp_path / "toy"))
    run.commit_all()
    return run


@pytest.mark.parametrize("column", ["max_abs_sad", "max_abs_d1"])
def test_it_is_that_of_all_rows(run, column):
    found = [pc.max(table[column]).as_py() for _, table in stored_tables(run.ledger, "scores")]
    expected = max(each for each in found if each is not None)
    assert expected > 0
    assert largest_value(run.ledger, "scores", column) == expected


def test_without_values_it_is_nothing(run, tmp_path):
    assert largest_value(run.ledger, "scores", "no_such_column") == 0
    nothing = begun_toy_run(LocalStore(tmp_path / "none"))
    assert largest_value(nothing.ledger, "scores", "max_abs_sad") == 0


def test_a_lost_file_has_no_say(run, tmp_path):
    whole = largest_value(run.ledger, "scores", "max_abs_sad")
    sizes = {}
    for path in (tmp_path / "toy" / "scores").rglob("*.parquet"):
        largest = pc.max(pq.read_table(path, partitioning=None)["max_abs_sad"]).as_py()
        sizes[path] = largest or 0.0
    largest_file = max(sizes, key=sizes.get)
    assert sizes.pop(largest_file) == whole
    largest_file.unlink()
    assert largest_value(run.ledger, "scores", "max_abs_sad") == max(sizes.values()) < whole
