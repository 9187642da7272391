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
    return _as_plan(_in_order(rows, contigs), geometry, groups)


def _in_order(
    rows: pl.DataFrame,
    contigs: Mapping[str, int],
) -> pl.DataFrame:
    """Rows contig after contig, and of each those of one window together."""
    # the genome's order, which need not be that of the names
    ranks = {contig: rank for rank, contig in enumerate(contigs)}
    chrom = pl.col("chrom")
    rank = chrom.replace_strict(ranks, return_dtype=pl.Int64)
    return rows.sort(rank, *_ORDER)


def _as_plan(
    rows: pl.DataFrame,
    geometry: Geometry,
    groups: Sequence[str],
) -> pa.Table:
    """Rows of pairs as the plan's table: the bins of their TSS, the run's groups, and null where files say nothing."""
    count = rows.height
    # every window is centred on its TSS, so that all have the same bins there
    _, bins = point_window(0, geometry)
    columns = {
        **rows.to_dict(as_series=False),
        "first_bin": [bins.start] * count,
        "end_bin": [bins.stop] * count,
        "groups": [list(groups)] * count,
        "status": [Status.OK] * count,
    }
    # of a plan all columns are there, whatever was asked for
    nothing = [None] * count
    arrays = []
    for field in LINK_PAIRS_SCHEMA:
        values = columns.get(field.name, nothing)
        arrays.append(pa.array(values, field.type))
    return pa.table(arrays, schema=LINK_PAIRS_SCHEMA)


def _in_windows(
    pairs: Pairs,
    genes: pl.DataFrame,
    candidates: pl.DataFrame,
    linking: Linking,
    geometry: Geometry,
) -> pl.DataFrame:
    """The rows of pairs whose element lies in the gene's window, which begins at `window_start`."""
    window_starts = _window_starts(genes, geometry)
    window_start = window_starts[pairs.gene]
    window_end = window_start + geometry.window_bp
    starts = candidates["start"].to_numpy()
    ends = candidates["end"].to_numpy()
    begins_inside = starts[pairs.candidate] >= window_start
    ends_inside = ends[pairs.candidate] <= window_end
    # first the rows of all pairs: ABC scores are shares of what lies beyond the window, too
    rows = link_rows(pairs, genes, candidates, linking)
    rows = rows.with_columns(pl.Series("window_start", window_start))
    return rows.filter(pl.Series(begins_inside & ends_inside))


def _window_starts(
    genes: pl.DataFrame,
    geometry: Geometry,
) -> Int64[np.ndarray, " genes"]:
    """First base of the window around each TSS, which is the first base right of its centre."""
    # every window lies alike around its TSS, so that one base tells of all
    of_base_0, _ = point_window(0, geometry)
    first_bases = genes["first_base"].to_numpy()
    return first_bases + of_base_0


def _nothing_in_reach(files: LinkInput, geometry: Geometry) -> str:
    genes = files.genes.name
    candidates = files.candidates.table.name
    genes_on = _contigs_of(files.genes.frame)
    candidates_on = _contigs_of(files.candidates.frame)
    return (
        f"no candidate lies whole in the {geometry.window_bp:,} bp around a TSS, which the model reads: the genes of "
        f"{genes} are on {genes_on}, the candidates of {candidates} on {candidates_on}. Are both of the same assembly?"
    )


def _contigs_of(frame: pl.DataFrame) -> str:
    contigs = frame["chrom"].unique(maintain_order=True)
    return first_few(contigs.to_list())
