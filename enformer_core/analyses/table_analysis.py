"""Runs whose whole plan is one table in memory: tiles, targets, pairs and places.

Each row costs seconds to minutes, so that there are thousands of rows and not millions: nothing is sorted on disk, as
alleles are. Does not know what a row is.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, TypedDict

import pyarrow as pa

from enformer_core.analyses.base import Analysis, DraftInput
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.dataset.plan_builder import DraftPlan, draft_tiles
from enformer_core.dataset.run import (
    Identity,
    ModelIdentity,
    ReferenceIdentity,
    TracksIdentity,
)
from enformer_core.dataset.sharding import default_shard_size
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands


@dataclass(frozen=True, kw_only=True)
class TableIdentity(Identity):
    """What decides the values of all these runs; each kind adds what it alone is asked.

    Attributes:
        geometry: of the model's windows.
        strands: which are averaged.
    """

    geometry: Geometry
    strands: Strands


class SharedIdentity(TypedDict):
    """Those fields of a `TableIdentity` that follow from the inputs alone, by name."""

    kind: str
    model: ModelIdentity
    tracks: TracksIdentity
    reference: ReferenceIdentity
    shard_size: int
    geometry: Geometry


@dataclass(frozen=True)
class TableDraft:
    """Rows in the order of the genome, ready to be planned: a `DraftInput`.

    Attributes:
        table: the rows; `chrom` is null where one has no place.
        shard_rows: how many a shard has, give or take.
        records: input records that they come from, where rows are not records themselves.
        filtered: records that the user's filters took out, by filter.
        together: columns in which rows agree that cost less in one shard.
        together_rows: most rows of a shard that keeps such rows together; None for half as many more as `shard_rows`.
    """

    table: pa.Table
    shard_rows: int
    records: int | None = None
    filtered: Mapping[str, int] = field(default_factory=dict)
    together: tuple[str, ...] = ()
    together_rows: int | None = None

    @property
    def rows(self) -> int:
        """How many rows the plan will have: tiles, targets, pairs or places."""
        return self.table.num_rows

    @property
    def contigs(self) -> Sequence[str]:
        """Contigs on which some rows lie, in order."""
        contigs = self.table["chrom"].unique().to_pylist()
        # what has no place is planned too, so that its row can say why
        return [contig for contig in contigs if contig is not None]

    def draft(self, seed: str) -> DraftPlan:
        """Cut the rows into shards, in memory; nothing is left to chance, so that `seed` is not read."""
        # what is drawn by chance is drawn by now, by a seed that the user sets
        del seed
        return draft_tiles(
            self.table,
            self.shard_rows,
            together=self.together,
            together_rows=self.together_rows,
        )


@dataclass(frozen=True, kw_only=True)
class TableAnalysis(Analysis):
    """A run as it was asked for, of which all rows are planned in memory.

    Attributes:
        inputs: model, tracks and genome.
        geometry: of the model's windows.
        shard_size: rows of a shard; None for a size that follows from their number.
    """

    most_rows: ClassVar[int]
    """Rows of a shard at most, where nobody says how many."""

    inputs: ModelInputs
    geometry: Geometry
    shard_size: int | None

    @abstractmethod
    def drafted(self) -> TableDraft:
        """Read what is to be planned, and put it in order.

        Raises:
            InputError: when the input cannot be used.
        """

    @contextmanager
    def read_input(self) -> Iterator[DraftInput]:
        """Read what is to be planned, once it is known that the weights fit."""
        # weights that do not fit are refused once and here, not by every worker anew
        self.inputs.check_weights()
        yield self.drafted()

    def shard_rows(self, rows: int) -> int:
        """How many rows a shard has: by default some 64 shards a run, of `most_rows` each or fewer."""
        # one row may cost minutes: of a few dozen each can have a worker of its own
        by_default = default_shard_size(rows, least=1, most=self.most_rows)
        return self.shard_size or by_default

    def shared_identity(
        self,
        contigs: Iterable[str],
        rows: int,
    ) -> SharedIdentity:
        """What an identity says alike of every kind of run.

        Args:
            contigs: those whose letters are part of it.
            rows: how many are planned.
        """
        return SharedIdentity(
            kind=self.run_type.name,
            model=self.inputs.model_identity,
            tracks=self.inputs.tracks_identity,
            reference=self.inputs.reference_identity(contigs),
            shard_size=self.shard_rows(rows),
            geometry=self.geometry,
        )
