"""A run's tables in polars, lazily: what is committed of it, whether it is finished or not.

Only objects that receipts name are read, on a disk or on object storage; there by the program's own client, with its
credentials and retries. Loads no torch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
from fsspec.spec import AbstractFileSystem
from pyarrow.fs import FSSpecHandler, PyFileSystem

from enformer_core.analyses import run_type_of
from enformer_core.api.arguments import path
from enformer_core.api.run_report import RunReport
from enformer_core.dataset.absent_tables import why_absent
from enformer_core.dataset.find_run import find_run
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.progress import RunProgress, run_progress
from enformer_core.dataset.receipts import Receipt, StoredTable
from enformer_core.dataset.run import Run
from enformer_core.dataset.schemas import (
    EFFECTS_SCHEMA,
    PREDICTIONS_SCHEMA,
    gene_effects_schema,
    scores_schema,
)
from enformer_core.dataset.summary_tables import SummaryFile, SummaryReceipt, summary_receipts
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.fenced_files import fenced_files
from enformer_core.storage.open import parse_address


@dataclass(frozen=True, repr=False)
class RunTables:
    """A run as it was when it was opened; shards that are committed later are not in it.

    Attributes:
        location: where it lies.
        ledger: its description, and where its objects are.
        receipts: of the shards that were committed; read once, so that all tables are of the same shards.
        summaries: receipts of the tables beside the run, by name.
    """

    location: str
    ledger: Ledger
    receipts: tuple[Receipt, ...]
    summaries: Mapping[str, SummaryReceipt] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        """What `run.json` holds: the identity (model, tracks, reference, conventions), the plan, the command."""
        return self.ledger.run

    @property
    def status(self) -> RunProgress:
        """How far the run is now, as `enformer-ray status` says; asked anew each time."""
        return run_progress(self.ledger)

    @property
    def scores(self) -> pl.LazyFrame:
        """One row for each ALT of each input record, scored or not; a list over tracks for each statistic.

        Raises:
            InputError: for a run of another kind.
        """
        return self.table("scores")

    @property
    def effects(self) -> pl.LazyFrame:
        """The strongest tracks of each allele, a row for each.

        Raises:
            InputError: for a run of another kind.
        """
        return self.table("effects")

    @property
    def gene_effects(self) -> pl.LazyFrame:
        """One row for each allele and gene in reach; lists over tracks `log2_ratio` and `difference`.

        Raises:
            InputError: for a run without genes.
        """
        return self.table("gene_effects")

    @property
    def predictions(self) -> pl.LazyFrame:
        """One row for each bin of a run over tiles: `chrom`, `start`, `end`, and a list over tracks.

        Raises:
            InputError: for a run of another kind.
        """
        return self.table("predictions")

    @property
    def contributions(self) -> pl.LazyFrame:
        """One row for each target, group of tracks and allele of a run of `attribute`; lists over the window's bases.

        Raises:
            InputError: for a run of another kind.
        """
        return self.table("contributions")

    @property
    def contribution_bins(self) -> pl.LazyFrame:
        """The sums of contributions over each 128 bp.

        Raises:
            InputError: for a run of another kind.
        """
        return self.table("contribution_bins")

    @property
    def attention(self) -> pl.LazyFrame:
        """One row for each target, allele and layer; lists over the window's tokens.

        Raises:
            InputError: for a run without `--attention`.
        """
        return self.table("attention")

    @property
    def links(self) -> pl.LazyFrame:
        """One row for each pair of a gene and an element, and group of tracks.

        Raises:
            InputError: for a run of another kind.
        """
        return self.table("links")

    @property
    def insulation(self) -> pl.LazyFrame:
        """One row for each boundary or control and layer: the statistics `across` and `at`.

        Raises:
            InputError: for a run of another kind.
        """
        return self.table("insulation")

    @property
    def attention_maps(self) -> pl.LazyFrame:
        """One row for each boundary or control; its map as a list of pixels.

        Raises:
            InputError: for a run of another kind.
        """
        return self.table("attention_maps")

    @property
    def tracks(self) -> pl.LazyFrame:
        """One row for each track: `index` (column of the head), `list_position` (from 1), names.

        Raises:
            DatasetError: when the run has none, with the reason.
        """
        if self.ledger.store.get(TRACKS_KEY) is None:
            raise DatasetError(why_absent(self.ledger, "tracks", self.location))
        return self._scan({TRACKS_KEY: None})

    def table(self, name: str) -> pl.LazyFrame:
        """A table of the run, its contig in the column `chrom`, null for rows without a place; `tracks` has none.

        Those beside the run, made of its own later, are among them: `percentiles` and others.

        Raises:
            InputError: for a table that the run does not have, with what makes it.
            DatasetError: for an object that is missing, or not as long as its receipt says.
        """
        if name == "tracks":
            return self.tracks
        run_type = self.ledger.run_type
        if name not in run_type.tables and name not in self.summaries:
            raise InputError(why_absent(self.ledger, name, self.location))
        # the contig is not in the files: receipts say of which one each is
        by_contig: dict[str | None, dict[str, int | None]] = {}
        for chrom, entry in self._files(name):
            sizes = by_contig.setdefault(chrom, {})
            sizes[entry.key] = entry.bytes
        if not by_contig:
            return _with_chrom(self._empty(name).lazy(), None)
        tables = [_with_chrom(self._scan(sizes), contig) for contig, sizes in by_contig.items()]
        return pl.concat(tables)

    def _files(self, name: str) -> Iterator[tuple[str | None, StoredTable | SummaryFile]]:
        """The contig and the file of each shard that has this table."""
        if name in self.summaries:
            yield from ((file.chrom, file) for file in self.summaries[name].files)
        for receipt in self.receipts:
            if name in receipt.tables:
                yield receipt.chrom, receipt.tables[name]

    def _empty(self, name: str) -> pl.DataFrame:
        """A table without rows, of a run of which nothing is committed yet."""
        schemas = {
            "effects": EFFECTS_SCHEMA,
            "predictions": PREDICTIONS_SCHEMA,
        }
        run_type = self.ledger.run_type
        for table in run_type.value_tables:
            has_spread = bool(run_type.spread_columns(table, self.run))
            # of columns of the input that are kept, only files say which are numbers
            is_known = not self.run.identity.get("keep_columns")
            if table.name == "scores" and is_known:
                values = run_type.value_columns(table, self.run)
                schemas["scores"] = scores_schema(values, has_spread=has_spread)
            if table.name == "gene_effects":
                schemas["gene_effects"] = gene_effects_schema(has_spread=has_spread)
        if name not in schemas:
            raise DatasetError(f"{self.location}: no shard with a table {name} is committed yet")
        return _from_arrow(schemas[name].empty_table())

    def _scan(self, sizes: Mapping[str, int | None]) -> pl.LazyFrame:
        """Objects of these bytes by key, None where they are not known, as one table."""
        root = self.ledger.store.location
        objects = fenced_files(root, sizes)
        # asked now: what is gone is told when the table is opened, not in the middle of a query
        try:
            for key in sizes:
                objects.info(key)
        except DatasetError as error:
            raise DatasetError(
                f"{error}. `enformer-ray verify {self.location}` says what else is damaged."
            ) from error
        if parse_address(root) is not None:
            return _scan_objects(objects, list(sizes))
        # A path is a path: no pattern, and a folder `a=b` above the run is no column; receipts say what `chrom` is
        files = [Path(root).resolve() / key for key in sizes]
        return pl.scan_parquet(files, glob=False, hive_partitioning=False)

    def report(self) -> RunReport:
        """The run on one page, as `enformer-ray report` writes it: a notebook shows it, `.save(file)` keeps it.

        Of a run that is not finished the page says so, and has what is committed now.

        Raises:
            DatasetError: for a run that is damaged.
        """
        # what makes pages is loaded by who asks for one
        from enformer_core.report.of_run import page_of_run  # noqa: PLC0415

        return RunReport(self.location, page_of_run(self.ledger, self.location), self.ledger)

    def __repr__(self) -> str:
        progress = self.status
        state = "complete" if progress.finished else "incomplete"
        tables = ", ".join([*self.ledger.run_type.tables, *self.summaries, "tracks"])
        lines = [
            f"RunTables {self.location}: {state}, {progress.rows_done:,} of {progress.rows:,} {progress.unit}",
            f"model {progress.model}; tables: {tables}",
        ]
        if progress.notice is not None:
            lines.append(progress.notice)
        return "\n".join(lines)


def open_run(uri: str | Path) -> RunTables:
    """Open a run of any command that has an `--out`; of one that is not finished, what is committed.

    Args:
        uri: the `--out` of `score`, `tiles`, `attribute`, `links` or `insulators`: a directory, or `s3://bucket/prefix`.

    Raises:
        InputError: when there is no run.
        DatasetError: when it was written by a release that this one does not read, or is damaged.
    """
    name = path("uri", uri)
    store, run = find_run(name)
    ledger = Ledger(store, run, run_type_of(run.typed_identity.kind))
    return RunTables(name, ledger, tuple(ledger.receipts()), summary_receipts(ledger))


def _with_chrom(table: pl.LazyFrame, contig: str | None) -> pl.LazyFrame:
    chrom = pl.lit(contig, dtype=pl.String).alias("chrom")
    return table.select(chrom, pl.all())


def _scan_objects(filesystem: AbstractFileSystem, names: Sequence[str]) -> pl.LazyFrame:
    """Objects, of which the columns that are asked for are read, by the program's own client."""
    handler = FSSpecHandler(filesystem)
    dataset = pads.dataset(
        names,
        format="parquet",
        filesystem=PyFileSystem(handler),
    )
    # with Arrow's own filters, nulls would be compared otherwise than on a disk
    return pl.scan_pyarrow_dataset(dataset, allow_pyarrow_filter=False)


def _from_arrow(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table))
