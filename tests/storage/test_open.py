"""Patterns and directories on object storage mean what they mean on disk."""

import glob

import pytest

from enformer_core.errors import InputError
from enformer_core.storage.open import STORES, expand_name, open_store, parse_address, read_bytes, sql_filesystem
from tests.support.seaweed import client

KEYS = [
    "a/chr1.vcf",
    "a/chr10.vcf",
    "a/chr2.vcf.gz",
    "a/b/chr3.vcf",
    "a/b/c/part.parquet",
    "a/x.parquet",
    "top.vcf",
]

PATTERNS = [
    "a/*.vcf",
    "a/chr?.vcf",
    "a/chr[12]*",
    "a/**/*.parquet",
    "*/*/chr3.vcf",
    "*.vcf",
    "**/*.vcf",
    "a/b/c/*",
]


@pytest.fixture
def names(bucket, moto_endpoint, proxy):
    for key in KEYS:
        client(moto_endpoint).put_object(Bucket=bucket, Key=key, Body=b"x")
    return lambda key: [
        one.removeprefix(f"s3://{bucket}/") for one in matching(f"s3://{bucket}/{key}")
    ]


def matching(name):
    return expand_name(name, suffix=".parquet")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_as_it_does_on_disk(names, tmp_path, pattern):
    for key in KEYS:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text("x")
    expected = sorted(glob.glob(pattern, root_dir=tmp_path, recursive=True))  # noqa: PTH207
    assert expected
    assert names(pattern) == expected


@pytest.mark.parametrize("key", ["a", "a/"])
def test_a_directory_means_the_parquet_below_it(names, key):
    assert names(key) == ["a/b/c/part.parquet", "a/x.parquet"]


def test_an_object_is_itself_and_nothing_is_listed(names, proxy):
    assert names("a/chr1.vcf") == ["a/chr1.vcf"]
    assert not proxy.requests["GET"]


def test_what_is_not_there(names, bucket):
    assert names("a/none.vcf") == ["a/none.vcf"], "opening it will say so"
    with pytest.raises(InputError, match="no object matches this pattern"):
        matching(f"s3://{bucket}/a/*.bed")


def test_a_name_with_the_signs_of_a_pattern_is_found(names, bucket, moto_endpoint):
    client(moto_endpoint).put_object(Bucket=bucket, Key="a/odd[1].vcf", Body=b"x")
    assert names("a/odd[1].vcf") == ["a/odd[1].vcf"]
