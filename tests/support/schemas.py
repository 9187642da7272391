"""The schemas of all tables of runs, by name."""

from collections.abc import Sequence

import pyarrow as pa

from enformer_core.analyses.link_spec import SCORE_COLUMNS, columns_of
from enformer_core.dataset import schemas
from enformer_core.models.tracks.table import TRACKS_SCHEMA
from enformer_core.summaries.write import ALLELE_COLUMNS


def schemas_by_table(statistics: Sequence[str]) -> dict[str, pa.Schema]:
    """Those of runs with everything that can be asked for, and these statistics."""
    return {
        "scores": schemas.scores_schema(list(statistics)),
        "effects": schemas.EFFECTS_SCHEMA,
        "gene_effects": schemas.gene_effects_schema(),
        "predictions": schemas.PREDICTIONS_SCHEMA,
        "contributions": schemas.contributions_schema(hypothetical=True),
        "contribution_bins": schemas.CONTRIBUTION_BINS_SCHEMA,
        "attention": schemas.ATTENTION_SCHEMA,
        "links": schemas.links_schema(columns_of(tuple(SCORE_COLUMNS))),
        "insulation": schemas.INSULATION_SCHEMA,
        "attention_maps": schemas.ATTENTION_MAPS_SCHEMA,
        "tracks": TRACKS_SCHEMA,
        "pca": _beside_scores(pc1=pa.float32(), pc2=pa.float32()),
    }


def _beside_scores(**columns: pa.DataType) -> pa.Schema:
    """A table beside a run: what names its alleles, as in `scores`, and columns of its own."""
    scores = schemas.scores_schema([])
    names = [*ALLELE_COLUMNS, *schemas.KEY_COLUMNS, "status"]
    return pa.schema([*map(scores.field, names), *columns.items()])
