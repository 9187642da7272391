"""What befalls a run: full disks, revoked credentials, bad workers, signals. It ends as promised, says what to do, and
the same command brings it to the very table of an undisturbed run."""

import errno
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch.overrides import TorchFunctionMode

import cluster.scheduler
import enformer_core.storage.local
from enformer_core.analyses.allele_scoring import AlleleScoring
from enformer_core.analyses.base import ShardWorker
from enformer_core.storage.local import LocalStore
from enformer_core.storage.open import open_store
from jobs.cli import main
from tests.support.genomes import OTHER
from tests.support.planted import SAID
from tests.support.proxy import Fault, FaultProxy
from tests.support.runs import content_digests
from tests.support.vcf import write_vcf

ROOT = Path(__file__).parents[2]
PLANTED = Path(__file__).parents[1] / "support" / "planted.py"
SHARDS = 7
CONTINUES = "run the same command again"
WITHIN_S = 30


@pytest.fixture(scope="module")
def command(tmp_path_factory, letters, genome):
    """The command without its output: thirteen SNVs in seven shards on two contigs."""
    places = [
        *(("chr1", at) for at in range(500, 1300, 100)),
        *(("chr2", at) for at in range(500, 1000, 100)),
    ]
    refs = {(chrom, at): letters[chrom][at] for chrom, at in places}
    records = [(chrom, at + 1, ref, OTHER[ref]) for (chrom, at), ref in refs.items()]
    vcf = write_vcf(tmp_path_factory.mktemp("input") / "some.vcf", records)
    return [
        *(
            "score",
            str(vcf),
            "--genome",
            str(genome),
            "--model",
            "motif",
            "--shard-size",
            "2",
            "--tracks",
            "0,1",
        ),
        *("--strands", "forward", "--audit-fraction", "0", "--ray", "off"),
    ]


@pytest.fixture(scope="module")
def undisturbed(command, tmp_path_factory):
    """Content digests of an undisturbed run."""
    out = str(tmp_path_factory.mktemp("undisturbed") / "run")
    assert main([*command, "--out", out]) == 0
    found = content_digests(out)
    assert len(found) == 2 * SHARDS
    return found


@pytest.fixture
def score(command, capsys):
    """Give the command in this process; gives its exit code and what it said to people."""

    def call(out, *more):
        code = main([*command, "--out", str(out), *more])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.fixture
def start(command):
    """Give the command in a process of its own, with workers that are slow or faulty; ended with the test."""
    started = []

    def call(out, *more, slow_s=0.4, marker="-"):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "PYTHONPATH": str(ROOT),
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "OMP_NUM_THREADS": "1",
        }
        driver = subprocess.Popen(
            [sys.executable, PLANTED, str(slow_s), marker, *command, "--out", str(out), *more],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(driver)
        return driver

    yield call
    for driver in started:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
        driver.stderr.close()


def receipts(out):
    """Contents of the receipts by name; nothing where there are none yet."""
    return {path.name: path.read_bytes() for path in sorted((Path(out) / "commits").glob("*.json"))}


def await_receipts(out, count, driver):
    """Wait until so many shards are committed."""
    end_s = time.monotonic() + 120
    while len(receipts(out)) < count:
        assert driver.poll() is None, driver.stderr.read()
        assert time.monotonic() < end_s, f"{len(receipts(out))} of {count} shards"
        time.sleep(0.02)


def assert_completed(score, run, out, undisturbed, *, had=None):
    """The same command completes the run; what was committed stays as it was."""
    code, told = score(out)
    assert code == 0, told
    assert content_digests(out) == undisturbed
    after = receipts(out)
    assert (had or {}).items() <= after.items()
    assert not (Path(out) / ".unfinished").exists()
    assert run("verify", out)[0] == 0


# Storage.


class FailingSystem:
    """In the place of `os` for the local store: the n-th object and all later ones cannot be brought to the disk."""

    def __init__(self, number, after):
        self._number, self._left = number, after

    def __getattr__(self, name):
        return getattr(os, name)

    def fsync(self, descriptor):
        self._left -= 1
        if self._left < 0:
            raise OSError(self._number, os.strerror(self._number))
        os.fsync(descriptor)


def test_a_disk_that_is_full_in_the_middle(score, run, tmp_path, undisturbed, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(enformer_core.storage.local, "os", FailingSystem(errno.ENOSPC, after=35))
        code, told = score(tmp_path / "run")
    assert code == 5, told
    assert (
        "No space left on device. Free some space and run the same command again; what is committed stays."
        in told
    )
    assert str(tmp_path / "run") in told
    assert "Traceback" not in told
    had = receipts(tmp_path / "run")
    assert 0 < len(had) < SHARDS
    assert run("status", tmp_path / "run")[0] == 5
    assert run("verify", tmp_path / "run")[0] == 5
    assert_completed(score, run, tmp_path / "run", undisturbed, had=had)


@pytest.mark.parametrize(
    ("first", "number", "says"),
    [
        (
            "run.json",
            errno.EROFS,
            "Read-only file system. Mount it writable and run the same command again",
        ),
        (
            "plan/part-00000.parquet",
            errno.ENOSPC,
            "No space left on device. Free some space and run the same command",
        ),
    ],
    ids=["read-only", "full"],
)
def test_a_disk_that_fails_before_anything_is_computed(
    score, run, tmp_path, undisturbed, monkeypatch, first, number, says
):
    create, out, full = LocalStore._create, tmp_path / "run", []

    def refuse(self, place, content):
        if full or place == out / first:
            full.append(place)
            raise OSError(number, os.strerror(number))
        return create(self, place, content)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "_create", refuse)
        patch.setattr(
            ShardWorker, "compute", lambda self, prepared: pytest.fail("nothing may be computed")
        )
        code, told = score(out)
    assert code == 5, told
    assert f"{out / first}: cannot be written: {says}" in told
    if number == errno.ENOSPC:
        assert_completed(score, run, out, undisturbed)


@pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="no file system that nobody can write to"
)
def test_a_place_that_nobody_can_write_to_is_refused_at_once(score, monkeypatch):
    monkeypatch.setattr(
        ShardWorker, "compute", lambda self, prepared: pytest.fail("nothing may be computed")
    )
    code, told = score("/proc/self/run")
    assert code == 2
    assert "/proc/self/run: cannot be written" in told
    assert "Choose another --out" in told


def test_a_file_system_that_is_read_only_is_refused_at_once(score, tmp_path, monkeypatch):
    def refuse(self, *arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    code, told = score(tmp_path / "run")
    assert code == 2
    assert (
        f"{tmp_path / 'run'}: cannot be written: Read-only file system. Choose another --out."
        in told
    )


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.FORBIDDEN, "Allow this user s3:GetObject, s3:PutObject and s3:ListBucket there"),
        pytest.param(Fault.EXPIRED, "Renew the credentials", marks=pytest.mark.full),
        pytest.param(Fault.FULL, "The storage is full: free some space", marks=pytest.mark.full),
    ],
    ids=["revoked", "expired", "full"],
)
def test_a_bucket_that_refuses_in_the_middle(
    score, moto_endpoint, bucket, use_endpoint, undisturbed, fault, says
):
    requests, out = itertools.count(), f"s3://{bucket}/run"
    with FaultProxy(
        moto_endpoint, rates={fault: 1.0}, only=lambda method, path: next(requests) >= 25
    ) as proxy:
        use_endpoint(proxy.endpoint)
        code, told = score(out)
        assert proxy.faults[fault] > 0
    assert code == 5, told
    assert says in told
    assert f"{out}/" in told
    assert "Traceback" not in told
    use_endpoint(moto_endpoint)
    had = {key: open_store(out).get(key) for key in open_store(out).keys("commits/")}
    assert 0 < len(had) < SHARDS
    assert score(out)[0] == 0
    assert content_digests(out) == undisturbed
    assert all(open_store(out).get(key) == content for key, content in had.items())


# Workers.


def test_when_everything_fails_nothing_is_marked_as_failed(
    score, run, tmp_path, undisturbed, monkeypatch
):
    def fail(self, prepared):
        raise RuntimeError(SAID)

    with monkeypatch.context() as patch:
        patch.setattr(cluster.scheduler.ExponentialBackoff, "seconds", lambda self, failures: 0.01)
        patch.setattr(ShardWorker, "compute", fail)
        code, told = score(tmp_path / "run")
    assert code == 5, told
    assert SAID in told
    assert CONTINUES in told
    assert receipts(tmp_path / "run") == {}
    assert not (tmp_path / "run" / "scores").exists()
    assert_completed(score, run, tmp_path / "run", undisturbed)


@pytest.mark.full
def test_one_of_two_workers_fails_at_everything(start, tmp_path, undisturbed, run):
    marker, out = tmp_path / "marker", tmp_path / "run"
    driver = start(out, "--ray", "local", "--workers", "2", slow_s=0.2, marker=str(marker))
    _, told = driver.communicate(timeout=180)
    assert driver.returncode == 0, told
    assert marker.exists()
    assert SAID in told
    assert content_digests(out) == undisturbed
    assert run("verify", out)[0] == 0


def test_an_allele_that_breaks_its_shard_is_a_row_with_a_reason_and_the_exit_code_stays(
    score, run, rows, tmp_path, monkeypatch
):
    compute, first_pos = AlleleScoring._score_window, 901

    def poisoned(self, window):
        if any(
            row is not None and (row.allele.contig, row.allele.start) == ("chr1", first_pos - 1)
            for row in window
        ):
            raise ValueError("planted: this allele breaks the model")
        return compute(self, window)

    with monkeypatch.context() as patch:
        patch.setattr(cluster.scheduler.ExponentialBackoff, "seconds", lambda self, failures: 0.01)
        patch.setattr(AlleleScoring, "_score_window", poisoned)
        code, told = score(tmp_path / "run")
    assert code == 3, told
    assert "1 failed, 12 ok" in told
    failed = rows(
        tmp_path / "run", "FROM scores SELECT variant_id, status, reason WHERE sad IS NULL"
    )
    assert [(row["status"], row["reason"]) for row in failed] == [
        ("failed", "ValueError: planted: this allele breaks the model")
    ]
    assert failed[0]["variant_id"].startswith(f"chr1:{first_pos}:")
    assert score(tmp_path / "run")[0] == 3
    assert run("status", tmp_path / "run")[0] == 3
    assert run("verify", tmp_path / "run")[0] == 3


def test_the_only_allele_that_is_left_of_a_run_is_a_row_with_a_reason_too(
    score, run, tmp_path, monkeypatch
):
    """Nothing else is left that would show whether workers compute; a row of a committed shard shows it."""
    out = tmp_path / "run"
    assert score(out)[0] == 0
    (out / "manifest.json").unlink()
    for path in out.rglob("*00000006*"):
        path.unlink()
    compute = AlleleScoring._score_window

    def poisoned(self, window):
        if any(
            row is not None and (row.allele.contig, row.allele.start) == ("chr2", 900)
            for row in window
        ):
            raise ValueError("planted: this allele breaks the model")
        return compute(self, window)

    monkeypatch.setattr(
        cluster.scheduler.ExponentialBackoff, "seconds", lambda self, failures: 0.01
    )
    monkeypatch.setattr(AlleleScoring, "_score_window", poisoned)
    code, told = score(out)
    assert code == 3, told
    assert "1 failed, 12 ok" in told
    assert run("verify", out)[0] == 3


# Being told to stop, and not being told.


@pytest.mark.parametrize(
    ("ray", "number", "whole_group", "code"),
    [
        pytest.param(("--ray", "off"), signal.SIGTERM, False, 143, id="SIGTERM"),
        pytest.param(
            *(
                ("--ray", "local", "--workers", "1"),
                signal.SIGINT,
                True,
                130,
            ),  # as a terminal's Ctrl-C reaches all
            id="Ctrl-C with a worker",
            marks=pytest.mark.full,
        ),
    ],
)
def test_told_to_stop_it_says_how_to_go_on(
    start, score, run, capsys, tmp_path, undisturbed, ray, number, whole_group, code
):
    out = tmp_path / "run"
    driver = start(out, *ray)
    await_receipts(out, 2, driver)
    began_s = time.monotonic()
    (os.killpg if whole_group else os.kill)(driver.pid, number)
    _, told = driver.communicate(timeout=2 * WITHIN_S)
    assert time.monotonic() - began_s < WITHIN_S
    assert driver.returncode == code, told
    had = receipts(out)
    assert (
        f"stopped by {number.name}: {len(had)} of {SHARDS} shards are committed. Continue with:"
        in told
    )
    assert 2 <= len(had) < SHARDS
    printed = shlex.split(told.split("Continue with:\n")[1].split("\n")[0])
    assert printed[0] == "enformer-ray"
    assert printed[-len(ray) :] == [*ray]
    capsys.readouterr()
    if "local" not in ray:
        assert main(printed[1:]) == 0
    assert_completed(score, run, out, undisturbed, had=had)


def test_killed_without_a_word_it_is_continued(start, score, run, tmp_path, undisturbed):
    out = tmp_path / "run"
    driver = start(out)
    await_receipts(out, 3, driver)
    driver.kill()
    driver.wait()
    had = receipts(out)
    assert 3 <= len(had) < SHARDS
    assert not (out / "manifest.json").exists()
    assert run("status", out)[0] == 5
    assert_completed(score, run, out, undisturbed, had=had)


class Products(TorchFunctionMode):
    """Counts what no forward pass can do without."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += getattr(function, "__name__", "") in {
            "matmul",
            "mm",
            "bmm",
            "addmm",
            "baddbmm",
            "conv1d",
            "linear",
        }
        return function(*args, **(kwargs or {}))


def test_what_is_done_is_not_computed_again(score, run, tmp_path, undisturbed, monkeypatch):
    out, computed, compute = tmp_path / "run", [], ShardWorker.compute
    monkeypatch.setattr(
        ShardWorker,
        "compute",
        lambda self, prepared: (
            computed.append(prepared.task.shard.number) or compute(self, prepared)
        ),
    )
    with Products() as first:
        assert score(out)[0] == 0
    assert first.count > SHARDS
    assert computed == [*range(SHARDS)]

    with Products() as again:
        code, told = score(out)
    assert (code, again.count) == (0, 0)
    assert told.startswith("already complete")

    (out / "manifest.json").unlink()
    (out / "commits" / "shard-00000004.json").unlink()
    assert_completed(score, run, out, undisturbed)
    assert computed == [*range(SHARDS), 4]


def test_two_drivers_on_one_output(start, run, tmp_path, undisturbed):
    out = tmp_path / "run"
    drivers = [start(out, slow_s=0.5) for _ in range(2)]
    told = [driver.communicate(timeout=180)[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], told
    assert content_digests(out) == undisturbed
    assert len(receipts(out)) == SHARDS
    found = [
        int(count)
        for text in told
        for count in re.findall(r"(\d+) objects? w(?:as|ere) there already", text)
    ]
    assert sum(found) > 0, f"they never met: {told}"
    assert not (out / ".unfinished").exists()
    code, text, _ = run("verify", out)
    assert (code, text.startswith("verified: 13 alleles")) == (0, True)
