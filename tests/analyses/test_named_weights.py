"""Weights by the names that a user gives: one, or several with commas between them."""

import hashlib

import pytest

from enformer_core.analyses.named_weights import (
    check_replicates,
    located_weights,
    models_named,
    replicates_sha256,
    weights_named,
)
from enformer_core.errors import InputError


def test_commas_part_names_unless_a_file_has_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert weights_named("a.h5") == ("a.h5",)
    assert weights_named("a.h5, ~/b.h5,hf://owner/c@1") == ("a.h5", "~/b.h5", "hf://owner/c@1")
    (tmp_path / "a.h5,b.h5").touch()
    assert weights_named("a.h5,b.h5") == ("a.h5,b.h5",)
    assert located_weights("a.h5,b.h5") == "a.h5,b.h5"
    assert [models_named(None), models_named("x"), models_named("x,y,z")] == [1, 1, 3]
    # addresses are cut always
    assert weights_named("s3://bucket/a,s3://bucket/b") == ("s3://bucket/a", "s3://bucket/b")
    with pytest.raises(InputError, match="nothing between two commas"):
        weights_named("a.h5,,b.h5")


def test_who_takes_one_refuses_several_by_name():
    with pytest.raises(InputError) as refusal:
        located_weights("a.h5,b.h5,c.h5")
    assert str(refusal.value).startswith("--weights a.h5,b.h5,c.h5: names 3 files")


def test_a_digest_is_of_all_in_order_and_one_is_its_own():
    one, other = "1" * 64, "2" * 64
    assert replicates_sha256([one]) == one
    expected = hashlib.sha256((one + other).encode()).hexdigest()
    assert replicates_sha256([one, other]) == expected
    assert replicates_sha256([other, one]) != expected


def test_a_model_that_counts_twice_is_refused():
    check_replicates(["a", "b"], ["1" * 64, "2" * 64])
    with pytest.raises(InputError, match="a and c hold the same"):
        check_replicates(["a", "b", "c"], ["1" * 64, "2" * 64, "1" * 64])
