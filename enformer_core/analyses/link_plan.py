"""Which pairs a model can say something of: an element that lies whole in the window around a gene's TSS.

Knows places and windows. Does not know what is computed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from jaxtyping import Int64

from enformer_core.analyses.targets import point_window
from enformer_core.dataset.schemas import LINK_PAIRS_SCHEMA
from enformer_core.errors import InputError, first_few
from enformer_core.links.files import LinkInput
from enformer_core.links.linking import Linking, link_rows
from enformer_core.links.pairs import Pairs, pair_blocks
from enformer_core.models.geometry import Geometry
from enformer_core.variants.table import Status

_ORDER = ("window_start", "gene", "gene_id", "tss", "start", "end")


def planned_pairs(
    files: LinkInput,
    linking: Linking,
    geometry: Geometry,
    contigs: Mapping[str, int],
    groups: Sequence[str],
) -> pa.Table:
    """Pairs as rows of a plan, in the order of the genome and then of windows.

    ABC scores are shares of sums over all elements within `linking.window_bp`, far beyond the window.

    Args:
        files: genes and candidates on the genome.
        linking: how far sums reach, and whether there are activities.
        geometry: of the model.
        contigs: the genome's, in order.
        groups: names of the groups of tracks.

    Raises:
        InputError: where no element lies in any window.
    """
    genes = files.genes.frame
    candidates = files.candidates.frame
    blocks = pair_blocks(genes, candidates, window_bp=linking.window_bp)
    parts = [_in_windows(pairs, genes, candidates, linking, geometry) for pairs in blocks]
    rows = pl.concat(parts) if parts else pl.DataFrame()
    if not rows.height:
        raise InputError(_nothing_in_reach(files, geometry))
    # of a plan all columns are there, whatever was asked for
    _, bins = point_window(0, geometry)
    ranks = {contig: rank for rank, contig in enumerate(contigs)}
    rank = pl.col("chrom").replace_strict(ranks, return_dtype=pl.Int64)
    in_order = rows.sort(rank, *_ORDER)
    columns = {
        **in_order.to_dict(as_series=False),
        "first_bin": [bins.start] * rows.height,
        "end_bin": [bins.stop] * rows.height,
        "groups": [list(groups)] * rows.height,
        "status": [Status.OK] * rows.height,
    }
    nothing = [None] * rows.height
    arrays = [pa.array(columns.get(field.name, nothing), field.type) for field in LINK_PAIRS_SCHEMA]
    return pa.table(arrays, schema=LINK_PAIRS_SCHEMA)


def _in_windows(
    pairs: Pairs,
    genes: pl.DataFrame,
    candidates: pl.DataFrame,
    linking: Linking,
    geometry: Geometry,
) -> pl.DataFrame:
    """The rows of pairs whose element lies in the gene's window, which begins at `window_start`."""
    window_start = _window_starts(genes, geometry)[pairs.gene]
    start = candidates["start"].to_numpy()[pairs.candidate]
    end = candidates["end"].to_numpy()[pairs.candidate]
    is_inside = (start >= window_start) & (end <= window_start + geometry.window_bp)
    rows = link_rows(pairs, genes, candidates, linking)
    rows = rows.with_columns(pl.Series("window_start", window_start))
    return rows.filter(pl.Series(is_inside))


def _window_starts(genes: pl.DataFrame, geometry: Geometry) -> Int64[np.ndarray, " genes"]:
    """First base of the window around each TSS, which is the first base right of its centre."""
    of_base_0, _ = point_window(0, geometry)
    return genes["first_base"].to_numpy() + of_base_0


def _nothing_in_reach(files: LinkInput, geometry: Geometry) -> str:
    names = files.genes.name, files.candidates.table.name
    on = [
        first_few(frame["chrom"].unique(maintain_order=True).to_list())
        for frame in (files.genes.frame, files.candidates.frame)
    ]
    return (
        f"no candidate lies whole in the {geometry.window_bp:,} bp around a TSS, which the model reads: the genes of "
        f"{names[0]} are on {on[0]}, the candidates of {names[1]} on {on[1]}. Are both of the same assembly?"
    )
