"""What names mean; patterns and directories on object storage mean what they mean on disk."""

import glob

import pytest

from enformer_core.errors import InputError, StorageError
from enformer_core.storage.expand import expand_name
from enformer_core.storage.open import (
    local_path,
    open_store,
    parse_address,
    read_bytes,
)
from tests.support.proxy import Fault
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
    s3 = client(moto_endpoint)
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
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


def test_names_on_disk_are_expanded_likewise(tmp_path):
    for key in [*KEYS, "a/odd[1].vcf"]:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text("x")

    def expand(name):
        return [path.removeprefix(f"{tmp_path}/") for path in matching(f"{tmp_path}/{name}")]

    assert expand("a/chr?.vcf") == ["a/chr1.vcf"]
    assert expand("a") == ["a/b/c/part.parquet", "a/x.parquet"]
    assert expand("a/b*") == ["a/b/c/part.parquet"], "a pattern that stands for a directory"
    assert expand("a/odd[1].vcf") == ["a/odd[1].vcf"]
    assert expand("none.vcf") == ["none.vcf"]
    with pytest.raises(InputError, match=r"\*.bed: no file matches this pattern"):
        expand("a/*.bed")


def test_only_what_may_match_is_listed(names, proxy):
    assert names("a/b/c*/part.*") == ["a/b/c/part.parquet"]
    assert proxy.requests["GET"] == 1
    assert "prefix=a%2Fb%2F&" in proxy.last_path


def test_small_things_are_read_wherever_they_are(bucket, proxy, tmp_path):
    open_store(f"s3://{bucket}/tables").put_if_absent("targets.txt", b"index\n")
    (tmp_path / "targets.txt").write_bytes(b"on disk")
    proxy.script([Fault.SLOW_DOWN, Fault.TRUNCATED])
    assert read_bytes(f"s3://{bucket}/tables/targets.txt") == b"index\n"
    assert proxy.injected == 2
    assert read_bytes(str(tmp_path / "targets.txt")) == b"on disk"
    assert read_bytes((tmp_path / "targets.txt").as_uri()) == b"on disk"
    with pytest.raises(FileNotFoundError, match="there is no such object"):
        read_bytes(f"s3://{bucket}/tables/none.txt")
    with pytest.raises(OSError, match="addresses of this kind are not known, only s3://, file://"):
        read_bytes("odd://bucket/x")
    proxy.script([Fault.EXPIRED])
    with pytest.raises(StorageError, match="Renew the credentials"):
        read_bytes(f"s3://{bucket}/tables/targets.txt")


def test_an_address_is_written_as_it_was_read():
    assert str(parse_address("s3://bucket/a/b/")) == "s3://bucket/a/b"
    assert str(parse_address("s3://bucket/a").with_key("c")) == "s3://bucket/c"


ADDRESSES = ["https://x.org/a.fa", "http://x.org/a.fa", "gs://b/a", "az://b/a", "ftp://x.org/a"]


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses_that_nothing_reads_are_named_wherever_they_stand(name):
    scheme = name.partition("://")[0]
    for use in (local_path, open_store, matching):
        with pytest.raises(InputError, match="this kind of storage is not known") as refusal:
            use(name)
        assert str(refusal.value).startswith(f"{name}: ")
        assert "s3://bucket" in str(refusal.value)
        assert ("download it first" in str(refusal.value)) == (scheme != "az")
    assert local_path(name, also=[scheme]) == name


@pytest.mark.parametrize("name", ["s3:/bucket/x", "s3:bucket/x", "https:/x.org/a", "gs:/b/a"])
def test_an_address_with_a_slash_too_few_makes_no_directory(name):
    for use in (local_path, open_store, matching, read_bytes):
        with pytest.raises(InputError, match=r"Write (s3://bucket/x|https://x|gs://b)") as refusal:
            use(name)
        assert f"./{name}" in str(refusal.value)


@pytest.mark.parametrize("name", ["chr20:1-5", "C:/x", "a:b", "HLA*01:01", "x/s3:/y", "./s3:/y"])
def test_other_names_with_a_colon_are_paths(name):
    assert parse_address(name) is None
    assert local_path(name) == name


def test_a_tilde_is_the_home_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.vcf").write_bytes(b"x")
    assert local_path("~/x.vcf") == str(tmp_path / "x.vcf")
    assert matching("~/*.vcf") == [str(tmp_path / "x.vcf")]
    assert read_bytes("~/x.vcf") == b"x"
    assert open_store("~/run").location == str(tmp_path / "run")
    assert local_path("a~/x") == "a~/x"
    with pytest.raises(InputError, match=r"~nobody-here/x: .* Give the whole path"):
        local_path("~nobody-here/x")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "x.vcf").write_bytes(b"y")
    assert local_path("~/x.vcf") == "~/x.vcf", "a path is a path"
