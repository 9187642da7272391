"""Some bins of one stretch of the genome, with what a model predicts of them and what was measured.

The piece that is drawn for intervals. Knows arrays. Does not know models or files.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64


@dataclass(frozen=True)
class TrackRegion:
    """Predicted and measured tracks of a region; bins whose measurement is not finite are missing.

    Attributes:
        contig: the genome's own name.
        start: first base of bin 0; it may lie before the contig's own.
        bin_bp: bases of a bin.
        size: bins of the whole region, whether they are judged or not.
        bins: number of each bin that is judged, ascending from the region's first.
        predicted: finite.
        measured: of the same tracks.
    """

    contig: str
    start: int
    bin_bp: int
    size: int
    bins: Int64[np.ndarray, " bins"]
    predicted: Float[np.ndarray, "bins tracks"]
    measured: Float[np.ndarray, "bins tracks"]
