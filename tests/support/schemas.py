"""The schemas of all tables of runs, by name."""

from collections.abc import Sequence

import pyarrow as pa

from enformer_core.analyses.link_spec import SCORE_COLUMNS, columns_of
from enformer_core.dataset import schemas
from enformer_core.models.tracks.table import TRACKS_SCHEMA
from enformer_core.summaries.groups import group_columns
from enformer_core.summaries.percentiles import percentile_columns

GROUPED_BY = ("identifier", "description", "assay", "target", "biosample")
"""All columns of tracks by which they can be grouped."""


def schemas_by_table(statistics: Sequence[str]) -> dict[str, pa.Schema]:
    """Those of runs with everything that can be asked for, and these statistics."""
    return {
        "scores": schemas.scores_schema(list(statistics), has_spread=True),
        "effects": schemas.EFFECTS_SCHEMA,
        "gene_effects": schemas.gene_effects_schema(has_spread=True),
        "predictions": schemas.PREDICTIONS_SCHEMA,
        "contributions": schemas.contributions_schema(hypothetical=True),
        "contribution_bins": schemas.CONTRIBUTION_BINS_SCHEMA,
        "attention": schemas.ATTENTION_SCHEMA,
        "links": schemas.links_schema(columns_of(tuple(SCORE_COLUMNS))),
        "insulation": schemas.INSULATION_SCHEMA,
        "attention_maps": schemas.ATTENTION_MAPS_SCHEMA,
        "percentiles": schemas.summary_schema(
            [column for name in statistics for column in percentile_columns(name)]
        ),
        "track_groups": schemas.summary_schema(group_columns(GROUPED_BY)),
        "tracks": TRACKS_SCHEMA,
        "pca": schemas.summary_schema([("pc1", pa.float32()), ("pc2", pa.float32())]),
    }
