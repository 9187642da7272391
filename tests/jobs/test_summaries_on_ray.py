"""Nulls and tables beside a run, made on a real Ray: the bytes that one process makes, also when a worker is killed."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.ray_backend import ray_pool
from enformer_core.dataset.summary_tables import summary_receipts
from enformer_core.models.tracks.table import described_track
from enformer_core.summaries import write_summary
from jobs.cli import main
from jobs.spread import SpreadSettings, spread_of
from tests.summaries.test_robust_pca import heavy_tailed
from tests.support import toys
from tests.support.summaries import Times, finished_toy_run, given_run

ROOT = Path(__file__).parents[2]
ON_RAY = ("--ray", "local", "--processes", "2")


@pytest.fixture(scope="module", autouse=True)
def _ray():
    """Ray is started once; commands find it running and leave it so."""
    with pytest.MonkeyPatch.context() as patch:
        # workers find what tests give them, and no token is written into the home directory
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        with ray_pool(toys.squares, workers=1, address="local", cpus_per_worker=1):
            yield


def named_run(place):
    tracks = [described_track(index, None, f"{name}:liver") for index, name in NAMES.items()]
    return given_run(place, heavy_tailed(30, 3), shard_size=8, tracks=tracks)


NAMES = {0: "CAGE", 5: "DNASE", 7: "CAGE"}


def made(place, *options):
    """Everything that can be made of a run, as bytes and digests."""
    run = named_run(place)
    null = place.parent / f"{place.name}.parquet"
    pca = place.parent / f"{place.name}.safetensors"
    assert main(["calibrate", str(place), "--out", str(null), *options]) == 0
    assert main(["percentiles", str(place), "--null", str(null), *options]) == 0
    assert main(["summarise", str(place), "--by", "assay", *options]) == 0
    assert main(["pca", "fit", str(place), "--out", str(pca), "--components", "2"]) == 0
    assert main(["pca", "apply", str(place), "--pca", str(pca), *options]) == 0
    tables = {
        name: [file.sha256 for file in receipt.files]
        for name, receipt in summary_receipts(run.ledger).items()
    }
    return null.read_bytes(), tables


def test_all_commands_make_the_same_bytes(tmp_path, capsys):
    here = made(tmp_path / "here")
    assert sorted(here[1]) == ["pca", "percentiles", "track_groups"]
    assert made(tmp_path / "ray", *ON_RAY) == here
    assert "starting Ray on this machine" in capsys.readouterr().err


@dataclass(frozen=True)
class KilledOnce(Times):
    """Kills the first process that makes something."""

    marker: str = ""

    def __call__(self, scores):
        if not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(scores)


def test_a_worker_that_is_killed_is_told_and_its_shard_is_made_again(tmp_path, capsys):
    run = finished_toy_run(tmp_path / "run")
    killed = KilledOnce(2.0, str(tmp_path / "marker"))
    spread = spread_of(SpreadSettings(ray="local", processes=1), memory_bytes=2**20)
    write_summary(run.ledger, "doubled", {}, killed, columns=["max_abs_sad"], spread=spread)
    assert "was lost" in capsys.readouterr().err
    assert [file.shard for file in summary_receipts(run.ledger)["doubled"].files] == [*range(5)]
