"""Some tiles are predicted a second time, plainly, and the two compared.

Knows predictions. Does not know how they are computed the first time. Which tiles are drawn is known without torch.
"""

import time
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Float32

from enformer_core.analyses.audit_kinds import Mask, WindowKinds
from enformer_core.analyses.model_inputs import LoadedModel
from enformer_core.analyses.planned_rows import PlannedTile
from enformer_core.dataset.receipts import AuditedAllele, StatisticError
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Conventions, Strands
from enformer_core.variants.audit_sample import AuditSample, Drawn

if TYPE_CHECKING:
    from enformer_core.scoring.direct import SequencePredictor

TOLERANCE = 1e-4
"""Error of a tile's predictions, as a part of them: a hundred times what two ways of summing in float32 come to."""

PREDICTION = "prediction"
"""What receipts call the one value that a tile has."""

_FRACTION = 0.001
_TILES_OF_ONE = 20
"""One tile of so many is a tenth of the work where its passes are in float64, which takes twice as long."""


def with_drawn_tiles(tiles: pa.Table, seed: str, genome: Genome, geometry: Geometry) -> pa.Table:
    """Tiles with the columns of a plan that say which are audited: by chance, and one of each kind.

    A run of fewer tiles than `_TILES_OF_ONE` has none: it would be most of its work.

    Args:
        tiles: of TILES_SCHEMA.
        seed: decides.
        genome: the contigs.
        geometry: the model's.
    """
    windows = WindowKinds(genome, geometry.window_bp)

    def kinds_of(rows: pa.Table) -> dict[str, Mask]:
        first = np.asarray(rows["start"], dtype=np.int64) - geometry.crop_bp
        is_beyond, has_unknown = windows(rows["chrom"], first)
        is_inner = ~(is_beyond | has_unknown)
        return {"contig_end": is_beyond, "unknown_bases": has_unknown, "inner": is_inner}

    def affordable(tiles: int, windows: int) -> int:
        del windows
        return tiles // _TILES_OF_ONE

    is_any = tiles.num_rows >= _TILES_OF_ONE
    sample = AuditSample(_FRACTION if is_any else 0.0, 1, seed, kinds_of, affordable)
    # a tile has no letters; by its place alone it is told from the others
    nothing = pa.nulls(tiles.num_rows, pa.string())
    placed = tiles.append_column("ref", nothing).append_column("alt", nothing)
    choice = sample.choose([placed], lambda starts: starts)
    described = sample.described(placed, sample.drawn(placed, choice), choice)
    return described.drop_columns(["ref", "alt"])


@dataclass(frozen=True)
class TileAuditor:
    """Compares a tile's predictions, as they are stored, with those of plain passes of its window.

    Attributes:
        predictor: the yardstick, whose passes take any number format.
        genome: what is predicted.
    """

    predictor: "SequencePredictor"
    genome: Genome

    def compare(
        self, tile: PlannedTile, stored: Float32[np.ndarray, "bins tracks"], drawn: Drawn
    ) -> AuditedAllele:
        """The error of the bins that are asked for, for a receipt.

        Beyond its bound is a tile of which all predictions together, or those of more than half of the tracks,
        are off by more than `TOLERANCE` of themselves.
        """
        began_s = time.monotonic()
        plain = self._plain(tile, drawn)
        runs = zip(tile["first_bins"], tile["end_bins"], strict=True)
        truth = np.concatenate([plain[first:end] for first, end in runs])
        return AuditedAllele(
            variant=f"{tile['chrom']}:{tile['start'] + 1}-{tile['end']}",
            statistics={PREDICTION: _error(stored.astype(np.float64), truth)},
            kinds=drawn.kinds,
            yardstick="float64" if drawn.in_float64 else "float32",
            seconds=round(time.monotonic() - began_s, 3),
        )

    def _plain(self, tile: PlannedTile, drawn: Drawn) -> Float[np.ndarray, "bins tracks"]:
        import torch  # noqa: PLC0415 - whoever only plans needs none

        from enformer_core.scoring.windows import Window, reference_sequence  # noqa: PLC0415

        dtype = torch.float64 if drawn.in_float64 else torch.float32
        predictor = replace(self.predictor, dtype=dtype)
        geometry = predictor.model.geometry
        window = Window(tile["start"] - geometry.crop_bp)
        prediction = predictor.averaged(
            window,
            lambda moved: reference_sequence(self.genome, tile["chrom"], moved, geometry.window_bp),
        )
        return prediction.cpu().numpy()


def tile_auditor(model: LoadedModel, strands: Strands) -> TileAuditor:
    """The auditor of a model that is loaded, by the same strands as the predictions."""
    from enformer_core.scoring.direct import SequencePredictor  # noqa: PLC0415

    geometry = model.network.geometry
    # of these, plain passes of a window read the strands alone
    conventions = Conventions(
        geometry=geometry,
        statistics=("sad",),
        centre_index=geometry.window_bp // 2 - 1,
        strands=strands,
    )
    predictor = SequencePredictor(
        model.network,
        model.head,
        model.tracks,
        conventions,
        model.device,
        strand_pairs=model.strand_pairs,
    )
    return TileAuditor(predictor, model.genome)


def _error(
    answer: Float[np.ndarray, "bins tracks"], truth: Float[np.ndarray, "bins tracks"]
) -> StatisticError:
    norm = float(np.linalg.norm(truth))
    error = float(np.linalg.norm(answer - truth))
    bound = TOLERANCE * norm
    sizes = np.linalg.norm(truth, axis=0)
    of_tracks = np.linalg.norm(answer - truth, axis=0)
    is_there = sizes > 0
    parts = of_tracks[is_there] / sizes[is_there]
    middle = float(np.median(parts)) if parts.size else None
    beyond = {
        "norm": not error <= bound,  # NaN exceeds any bound
        "tracks": np.count_nonzero(~(parts <= TOLERANCE)) > parts.size / 2,
    }
    return StatisticError(
        error=error if isfinite(error) else None,
        norm=norm,
        bound=bound,
        exceeded=any(beyond.values()),
        tracks=parts.size,
        median_track_error=middle if middle is not None and isfinite(middle) else None,
        beyond=tuple(name for name, is_beyond in beyond.items() if is_beyond),
        tolerance=TOLERANCE,
    )
