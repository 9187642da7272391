"""Some tiles are predicted again by plain passes, of each kind one where that costs little, and errors are seen."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from enformer_core.analyses.tile_audit import TileAuditor, with_drawn_tiles
from enformer_core.analyses.tiles import Predictor, TileComputation, tiles_of
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import read_regions
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.direct import SequencePredictor
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.tile_prediction import TilePrediction, TilePredictor
from enformer_core.variants.audit_sample import DRAWN_COLUMNS
from tests.support.small_models import small_enformer, write_genome

CPU = torch.device("cpu")

TOY = Geometry(window_bp=44, bin_bp=4, bins=5)  # tiles of 20 bp

pytestmark = pytest.mark.usefixtures("one_thread")


def drawn_tiles(path: Path, bases: int, seed: str = "run") -> pa.Table:
    """Tiles of one contig without an N but for two in the middle, as a plan has them."""
    half = bases // 2
    path.write_text(">c\n" + "A" * half + "NN" + "C" * (bases - half - 2) + "\n")
    genome = Genome(path)
    tiles = tiles_of(genome, read_regions(None, genome), TOY)
    return with_drawn_tiles(tiles, seed, genome, TOY)


def test_of_each_kind_one_is_drawn_where_that_is_a_twentieth_of_the_tiles(tmp_path: Path) -> None:
    tiles = drawn_tiles(tmp_path / "many.fa", 60 * 20)
    audited = tiles.filter(tiles["audited"])
    assert sorted(audited["audit_kinds"].to_pylist()) == ["contig_end", "inner", "unknown_bases"]
    assert any(audited["audit_float64"].to_pylist())
    again = drawn_tiles(tmp_path / "many.fa", 60 * 20)
    assert again.equals(tiles)
    seeds = [drawn_tiles(tmp_path / "many.fa", 60 * 20, f"{at}")["audited"] for at in range(5)]
    assert len({tuple(seed.to_pylist()) for seed in seeds}) > 1


@pytest.mark.parametrize(("tiles", "audited"), [(19, 0), (20, 1), (39, 1), (40, 2)])
def test_few_tiles_have_few_audits_or_none(tmp_path: Path, tiles: int, audited: int) -> None:
    drawn = drawn_tiles(tmp_path / "few.fa", tiles * 20)
    assert drawn.num_rows == tiles
    assert sum(drawn["audited"].to_pylist()) == audited


class Moved(Predictor):
    """Predictions of another, of which some tracks are off by a part."""

    def __init__(self, inner: TilePredictor, tracks: slice, part: float) -> None:
        self.inner, self.tracks, self.part = inner, tracks, part

    def predict(self, contig: str, start: int) -> TilePrediction:
        prediction = self.inner.predict(contig, start).clone()
        prediction[:, self.tracks] *= 1 + self.part
        return prediction


def test_errors_of_stored_predictions_are_seen(tmp_path: Path) -> None:
    model = small_enformer().float()
    genome = Genome(write_genome(tmp_path / "g.fa"))
    network = delta_network(model, "human", None, device=CPU, arithmetic=Arithmetic())
    geometry = network.geometry
    conventions = Conventions(
        geometry=geometry, statistics=("sad",), centre_index=geometry.window_bp // 2 - 1
    )
    auditor = TileAuditor(SequencePredictor(model, "human", None, conventions, CPU), genome)
    tiles = tiles_of(genome, read_regions(None, genome), geometry).slice(0, 2)
    columns = (pa.array([True, True]), pa.array(["inner", None]), pa.array([True, False]))
    for name, column in zip(DRAWN_COLUMNS, columns, strict=True):
        tiles = tiles.append_column(name, column)
    predictor = TilePredictor(network, genome, strands="both")

    def audits(of: Predictor, rows: pa.Table = tiles):
        return TileComputation(of, auditor=auditor).compute(rows, {}).audits

    wide, plain = audits(predictor)
    assert (wide.yardstick, plain.yardstick) == ("float64", "float32")
    assert (wide.kinds, plain.kinds) == (("inner",), ())
    assert wide.variant == f"c:1-{geometry.output_bp}"
    for audit in (wide, plain):
        error = audit.statistics["prediction"]
        assert error.error is not None
        assert 0 <= error.error < 1e-5 * error.norm
        assert not error.exceeded
        assert error.tracks == 5
    for tracks, beyond in [(slice(0, 2), {"norm"}), (slice(0, 3), {"norm", "tracks"})]:
        for audit in audits(Moved(predictor, tracks, 1e-3)):
            error = audit.statistics["prediction"]
            assert set(error.beyond) <= beyond
            assert ("tracks" in error.beyond) == (tracks.stop == 3)
            assert error.exceeded
    assert audits(predictor, tiles.drop_columns(list(DRAWN_COLUMNS))) == ()  # an older plan
    no_numbers = Moved(predictor, slice(0, 1), np.nan)
    assert audits(no_numbers) == ()  # a failed tile has nothing to compare
