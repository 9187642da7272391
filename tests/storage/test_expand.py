"""A name that is there is itself; a pattern or a directory stands for data, and for nothing that lies beside it."""

import pytest

from enformer_core.errors import InputError
from enformer_core.storage.expand import expand_name
from tests.support.seaweed import client

# signs of patterns, blanks, quotes, a dash in front, a percent sign, letters that are no ASCII
ODD_NAMES = [
    "x[1].vcf",
    "x*.vcf",
    "x?.vcf",
    "{a,b}.vcf",
    "a b.vcf",
    'it\'s "x".vcf',
    "-x.vcf",
    "100%25.vcf",
    "chr=20.vcf",
    "año.vcf",
    "~.vcf",
    "a:b.vcf",
]

RUN = b'{"format": 2, "identity_sha256": "00"}'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A directory in which files are made from a list of names, and that is the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(*names, content=b"x"):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path

    return make


def expand(name):
    return expand_name(str(name), suffix=".parquet")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_is_there_is_no_pattern(folder, name):
    here = folder(name, "x1.vcf", "xy.vcf", "a.vcf")
    assert expand(name) == [name]
    assert expand(here / name) == [str(here / name)]
    # nor is a folder of that name, before a pattern
    folder(f"of {name}/b.vcf", "of x1.vcf/c.vcf")
    assert expand(f"of {name}/*.vcf") == [f"of {name}/b.vcf"]


def test_bytes_that_are_no_utf8_are_kept(folder):
    name = b"caf\xe9[1].vcf".decode("utf-8", "surrogateescape")
    folder(name)
    assert expand(name) == [name]


BESIDE = [
    "data/_temporary/0/part-0.parquet",
    "data/.spark/part-1.parquet",
    "data/._part-2.parquet",
    "data/_part-3.parquet",
    "data/.part-4.parquet.crc",
    "data/_SUCCESS",
    "data/_delta_log/checkpoint.parquet",
]
DATA = ["data/chrom=20/part.parquet", "data/chrom=21/part.parquet", "data/whole.parquet"]


def test_a_directory_stands_for_its_data(folder):
    folder(*BESIDE, *DATA)
    assert expand("data") == DATA
    assert expand("data/**/*.parquet") == ["data/_part-3.parquet", *DATA]
    folder("data/_SUCCESS", "data/a.vcf", "data/_b.vcf")
    assert "data/_SUCCESS" not in expand("data/*")
    assert expand("data/*.vcf") == ["data/_b.vcf", "data/a.vcf"], "a file may well begin so"
    assert expand("data/_temp*/*/*.parquet") == ["data/_temporary/0/part-0.parquet"]
    with pytest.raises(InputError, match=r"hidden names .* Give the files by name"):
        expand("data/*/0/*")


def test_a_run_inside_a_directory_of_variants_is_no_input(folder):
    folder(*DATA, "data/out/scores/chrom=20/shard-00000000.parquet", "data/out/tracks.parquet")
    folder("data/out/run.json", content=RUN)
    for name in ("data", "data/**/*.parquet", "d*"):
        assert expand(name) == DATA
    assert "data/out/tracks.parquet" not in expand("data/*/*.parquet")
    with pytest.raises(InputError, match=r"data/out: holds a run of this program"):
        expand("data/out")


def test_another_programs_run_json_hides_nothing(folder):
    folder(*DATA)
    folder("data/run.json", "data/chrom=20/run.json", content=b'{"tool": "another"}')
    assert expand("data") == DATA


def test_names_that_cannot_be_are_left_to_whoever_opens_them(folder):
    folder("x")
    assert expand("x" * 300) == ["x" * 300]
    with pytest.raises(InputError, match="no file matches this pattern"):
        expand("x/y/*.vcf")


def test_on_object_storage_likewise(bucket, moto_endpoint):
    run = ["data/out/run.json", "data/out/scores/chrom=20/shard-00000000.parquet"]
    s3 = client(moto_endpoint)
    for key in [*DATA, *BESIDE, *run, "odd/x[1].vcf", "odd/x1.vcf"]:
        body = RUN if key.endswith("run.json") else b"x"
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    def expanded(key):
        return [name.removeprefix(f"s3://{bucket}/") for name in expand(f"s3://{bucket}/{key}")]

    assert expanded("data") == DATA
    assert expanded("data/**/*.parquet") == ["data/_part-3.parquet", *DATA]
    assert expanded("odd/x[1].vcf") == ["odd/x[1].vcf"]
    with pytest.raises(InputError, match="holds a run of this program"):
        expanded("data/out")
