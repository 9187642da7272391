"""Keys that stand more than once are found wherever they stand, and nothing else is."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.dataset import repeated_keys as module
from enformer_core.dataset.repeated_keys import repeated_keys

NAMES = ("input_file", "input_line", "alt_index")

KEYS = st.tuples(st.sampled_from(["a.vcf", "b.vcf"]), st.integers(1, 6), st.integers(0, 1))


def part(keys, *, coded=False):
    files = pa.array([key[0] for key in keys], pa.string())
    columns = [
        files.dictionary_encode() if coded else files,
        *(pa.array(c, pa.int64()) for c in lists(keys)),
    ]
    return pa.table(columns, names=list(NAMES)).append_column("other", pa.array(range(len(keys))))


def lists(keys):
    return [key[1] for key in keys], [key[2] for key in keys]


def found(parts):
    return [
        tuple(key.values())
        for key in repeated_keys(parts, NAMES, sum(table.num_rows for table in parts))
    ]


@given(keys=st.lists(KEYS, max_size=30), cut=st.integers(0, 30), coded=st.booleans())
def test_the_repeated_keys_are_those_counted_by_hand(keys, cut, coded):
    parts = [part(keys[:cut], coded=coded), part(keys[cut:], coded=coded)]
    assert found(parts) == sorted({key for key in keys if keys.count(key) > 1})


def test_digests_that_agree_by_chance_accuse_no_key(monkeypatch):
    class Colliding(module.pl.DataFrame):
        def hash_rows(self):
            return module.pl.Series([7] * self.height, dtype=module.pl.UInt64)

    monkeypatch.setattr(
        module, "_keys", lambda table, names: Colliding(module.pl.from_arrow(table.select(names)))
    )
    assert found([part([("a.vcf", 1, 0), ("a.vcf", 2, 0)])]) == []
    assert found([part([("a.vcf", 1, 0), ("a.vcf", 1, 0)])]) == [("a.vcf", 1, 0)]


@pytest.mark.parametrize("keys", [[], [("a.vcf", 1, 0)]])
def test_none_or_one_row_cannot_repeat(keys):
    assert found([part(keys)]) == []
