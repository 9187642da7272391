"""Tiles of real sequence: the whole of what is there, and the published size against its windows one by one."""

import duckdb
import numpy as np
import pytest
import torch

from enformer_core.genome.alphabet import N_CODE, reverse_complement
from enformer_core.models.layers import one_hot
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.precision import Arithmetic, inference_in_true_float32
from enformer_core.scoring.tile_prediction import TilePredictor
from jobs.cli import main
from tests.support.closeness import relative_l2

CPU = torch.device("cpu")
OUTPUT_BP, CROP_BP, WINDOW_BP = 114_688, 40_960, 196_608


def alone(model, genome, start, dtype=torch.float32):
    """The mean of two passes of the whole model, one for each strand."""
    codes = genome.fetch("chr20", start - CROP_BP, start - CROP_BP + WINDOW_BP)
    passes = []
    for read in (codes, reverse_complement(codes)):
        there = next(model.parameters()).device
        sequence = torch.from_numpy(read.copy())[None].to(there)
        with inference_in_true_float32():
            passes.append(model(one_hot(sequence, dtype), "human")[0].double().cpu())
    return ((passes[0] + passes[1].flip(0)) / 2).numpy()


def predictor(model, genome, dtype=torch.float32, device=CPU):
    network = delta_network(
        model, "human", None, device=device, arithmetic=Arithmetic(reference=dtype, delta=dtype)
    )
    return TilePredictor(network, genome, strands="both")


def test_a_tile_of_the_demonstration_is_its_window_predicted_alone(chr20):
    model, start = ModelSource("motif").build(CPU).double(), 10 * OUTPUT_BP
    predicted = predictor(model, chr20, torch.float64).predict("chr20", start).numpy()
    expected = alone(model, chr20, start, torch.float64)
    assert expected.max() > 5  # there are sites
    np.testing.assert_allclose(predicted, expected, rtol=1e-9)


@pytest.mark.full
def test_two_full_size_tiles_are_their_windows_predicted_alone(enformer_there, device, chr20):
    tiles = predictor(enformer_there, chr20, device=device)
    for start in (0, 10 * OUTPUT_BP):  # the first window overhangs the chromosome's start
        predicted = tiles.predict("chr20", start).cpu().numpy()
        expected = alone(enformer_there, chr20, start)
        error = relative_l2(predicted, expected)
        print(f"tile at {start:,}: relative L2 error {error:.1e}")
        assert error < 1e-5


@pytest.mark.full
def test_ten_megabases_have_each_known_base_once(data_dir, chr20, tmp_path):
    fasta, out = data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz", str(tmp_path / "run")
    arguments = [
        "tiles",
        "--genome",
        str(fasta),
        "--model",
        "motif",
        "--regions",
        "chr20:1-10,000,000",
        "--out",
        out,
    ]
    assert main([*arguments, "--ray", "off"]) == 0
    assert main(["verify", out]) == 0
    bins = duckdb.sql(
        f"SELECT start, \"end\" FROM read_parquet('{out}/predictions/**/*.parquet') ORDER BY start"
    )
    starts, ends = (np.array(column) for column in zip(*bins.fetchall(), strict=True))
    covered = np.zeros(10_000_001, dtype=int)
    np.add.at(covered, starts, 1)
    np.add.at(covered, ends, -1)
    covered = np.cumsum(covered)[:-1]
    known = chr20.codes("chr20")[:10_000_000] != N_CODE
    assert (covered[known] == 1).all()
    assert covered.max() == 1
    for start in range(0, covered.size, OUTPUT_BP):  # a tile is predicted whole, or not at all
        assert (covered[start : start + OUTPUT_BP] == known[start : start + OUTPUT_BP].any()).all()
