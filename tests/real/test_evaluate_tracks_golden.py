"""`evaluate tracks` of Borzoi's small trained model on its own sequences comes to what `hound_eval` prints."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from jobs.cli import main
from tests.support.published_sets import write_set

pytestmark = pytest.mark.usefixtures("one_thread")

WINDOW_BP, BINS = 131_072, 2_048


@pytest.fixture(scope="module")
def place(golden_dir: Path) -> Path:
    return golden_dir / "borzoi"


@pytest.fixture(scope="module")
def golden(place: Path) -> dict[str, np.ndarray]:
    with np.load(place / "tiny_golden.npz") as arrays:
        return {name: arrays[name] for name in arrays if name.startswith("acc_")}


@pytest.fixture
def judged(place: Path, tmp_path: Path, capsys):
    """The mean over all tracks, as values are, and the figures of each track."""

    def call(folder: Path, split: str):
        tiny = place / "tiny"
        parquet = tmp_path / "tracks.parquet"
        words = [
            *("evaluate", "tracks", folder, "--split", split, "--json", "--parquet", parquet),
            *("--model", "borzoi", "--params", tiny / "params.json"),
            *("--weights", tiny / "model.h5", "--targets", tiny / "targets.txt"),
        ]
        assert main([str(word) for word in words]) == 0
        answer = json.loads(capsys.readouterr().out)
        return answer, pl.read_parquet(parquet)

    return call


def test_the_test_sequences_come_to_what_hound_eval_prints(place, golden, judged):
    answer, tracks = judged(place / "tiny", "test")
    assert (answer["regions"], answer["bins"], answer["tracks"]) == (10, 20_480, 74)
    assert answer["missing"] == 0
    np.testing.assert_allclose(tracks["pearson"], golden["acc_test_pearsonr"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(tracks["r2"], golden["acc_test_r2"], rtol=2e-5, atol=2e-5)
    mean = answer["means"][0]
    assert (mean["over"], mean["scale"], mean["assay"]) == ("bins", "raw", "all")
    assert f"{mean['pearson']:.5f}" == "0.40851"
    assert f"{mean['r2']:.5f}" == "-0.09307"
    assert (tracks["pearson_low"] <= tracks["pearson"]).all()
    assert (tracks["pearson"] <= tracks["pearson_high"]).all()


@pytest.mark.full
def test_the_first_training_sequences_do_too(place, golden, judged, tmp_path):
    with np.load(place / "tiny_train12.npz") as arrays:
        given = dict(arrays)
    packed = given["sequence_2bit"].reshape(12, -1, 1)
    # four bases a byte, the first in the highest bits
    codes = (packed >> np.array([6, 4, 2, 0]) & 3).reshape(12, WINDOW_BP)
    starts = given["start"].tolist()
    places = list(zip(given["chrom"].tolist(), starts, given["end"].tolist(), strict=True))
    folder = write_set(
        tmp_path / "set", list(codes), list(given["targets"]), places, bin_bp=32, split="train"
    )
    answer, tracks = judged(folder, "train")
    assert answer["bins"] == 12 * BINS
    np.testing.assert_allclose(tracks["pearson"], golden["acc_train12_pearsonr"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(tracks["r2"], golden["acc_train12_r2"], rtol=2e-5, atol=2e-5)
    mean = golden["acc_train12_pearsonr"].mean()
    assert answer["means"][0]["pearson"] == pytest.approx(mean, abs=2e-5)


def test_strands_are_averaged_only_where_their_pairs_are_known(place, capsys):
    tiny = place / "tiny"
    words = ["evaluate", "tracks", tiny, "--model", "borzoi", "--strands", "both"]
    words += ["--params", tiny / "params.json", "--weights", tiny / "model.h5"]
    assert main([str(word) for word in words]) == 2
    assert "tracks of borzoi may be of one strand" in " ".join(capsys.readouterr().err.split())
