import hashlib
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from enformer_core.errors import InputError, StorageError
from enformer_core.storage.open import local_path
from tests.support.proxy import Fault
from tests.support.seaweed import client

CONTENT = bytes(range(256)) * 40_000  # 10 MB


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("ENFORMER_RAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def local_copy(name, **how):
    return Path(local_path(name, **how))


@pytest.fixture
def genome(moto_endpoint, bucket):
    client(moto_endpoint).put_object(Bucket=bucket, Key="data/hg38.fa.gz", Body=CONTENT)
    return f"s3://{bucket}/data/hg38.fa.gz"


def test_a_copy_keeps_the_name_and_is_made_once(genome, proxy):
    path = local_copy(genome)
    assert (path.name, path.read_bytes()) == ("hg38.fa.gz", CONTENT)
    (path.parent / "hg38.fa.gz.fai").write_text("index")
    assert local_copy(genome) == path
    assert (proxy.requests["GET"], proxy.requests["HEAD"]) == (1, 2)


@pytest.mark.parametrize("name", ["x.fa", "/data/x.fa", "hf://owner/name@revision"])
def test_what_is_in_no_store_is_its_own_copy(name):
    assert local_path(name, also=("hf",)) == name


def test_another_version_is_another_copy(genome, moto_endpoint, bucket):
    first = local_copy(genome)
    client(moto_endpoint).put_object(Bucket=bucket, Key="data/hg38.fa.gz", Body=CONTENT[::-1])
    assert local_copy(genome).read_bytes() == CONTENT[::-1]
    assert first.read_bytes() == CONTENT


def test_the_digest_is_checked_also_for_a_copy_made_before(genome):
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert local_copy(genome, sha256=digest.upper()) == local_copy(genome, sha256=digest)
    with pytest.raises(InputError, match=rf"its sha256 is {digest}, expected 00"):
        local_copy(genome, sha256="00")


def test_what_is_not_there(bucket, genome):
    with pytest.raises(InputError, match="there is no such object"):
        local_copy(f"s3://{bucket}/data/hg39.fa.gz")
    with pytest.raises(InputError, match="is a bucket"):
        local_copy(f"s3://{bucket}")


def test_of_many_workers_one_downloads(genome, proxy):
    with ThreadPoolExecutor(8) as threads:
        paths = set(threads.map(lambda _: local_copy(genome), range(8)))
    assert len(paths) == 1
    assert proxy.requests["GET"] == 1


def test_of_many_processes_one_downloads(genome, proxy):
    program = f"from enformer_core.storage.open import local_path; print(local_path({genome!r}))"
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    paths = {process.communicate()[0].strip() for process in running}
    assert len(paths) == 1
    assert Path(paths.pop()).read_bytes() == CONTENT
    assert proxy.requests["GET"] == 1


def test_a_download_that_breaks_off_goes_on_where_it_was(genome, proxy, clock):
    proxy.script([Fault.NONE, Fault.TRUNCATED, Fault.SLOW_DOWN, Fault.TRUNCATED, Fault.RESET])
    path = local_copy(genome, clock=clock)
    assert path.read_bytes() == CONTENT
    assert proxy.requests["GET"] == 5
    assert proxy.sent_bytes < 1.1 * len(CONTENT), "what had come was not sent again"
    assert [left.name for left in path.parent.iterdir() if left.name != path.name] == [".sha256"]


def test_a_damaged_download_begins_again(bucket, moto_endpoint, proxy, clock):
    # The checksum that the service keeps tells; most clients have it kept.
    client(moto_endpoint).put_object(
        Bucket=bucket, Key="w", Body=CONTENT, ChecksumAlgorithm="SHA256"
    )
    proxy.script([Fault.NONE, Fault.DAMAGED])
    assert local_copy(f"s3://{bucket}/w", clock=clock).read_bytes() == CONTENT
    assert proxy.requests["GET"] == 2


def test_an_object_that_is_replaced_meanwhile_is_not_mixed(
    genome, proxy, moto_endpoint, bucket, clock
):
    def replace_it(seconds):
        client(moto_endpoint).put_object(
            Bucket=bucket, Key="data/hg38.fa.gz", Body=b"new" * 5_000_000
        )

    clock.sleep = replace_it
    proxy.script([Fault.NONE, Fault.TRUNCATED, Fault.SLOW_DOWN])
    with pytest.raises(InputError, match="was replaced while it was read"):
        local_copy(genome, clock=clock)


def test_a_disk_that_is_too_small_is_said_before(genome, proxy, monkeypatch):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 10**7, 10**7)
    )
    with pytest.raises(
        StorageError, match=r"10,240,000 bytes do not fit.*10,000,000 free.*ENFORMER_RAY_CACHE"
    ):
        local_copy(genome)
    assert proxy.requests["GET"] == 0


def test_a_disk_that_fills_up_leaves_no_half_copy(genome, monkeypatch, cache):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        StorageError, match=r"no copy can be made at .*No space left on device.*ENFORMER_RAY_CACHE"
    ):
        local_copy(genome)
    assert [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_copy_cut_short_is_made_again(genome):
    path = local_copy(genome)
    path.write_bytes(CONTENT[:1000])
    assert local_copy(genome).read_bytes() == CONTENT


def test_what_a_killed_download_left_is_removed(genome):
    path = local_copy(genome)
    left = path.with_name(f".{platform.node()}-99999999.unfinished")
    left.write_bytes(b"half")
    path.unlink()
    assert local_copy(genome) == path
    assert not left.exists()
