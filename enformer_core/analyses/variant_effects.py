"""Effects of variants: for each allele, alt − ref over every track, and the strongest tracks of each.

The value table `scores` has one row for each ALT of each input record, scored or not. `effects` is
derived from the scores as stored. torch is imported by workers only, when they load the model.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from enformer_core.analyses.audit_kinds import audit_sample
from enformer_core.analyses.base import (
    Analysis,
    DraftInput,
    Loader,
    WorkerResources,
)
from enformer_core.analyses.cost_notes import cost_notes
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.analyses.reusable_runs import ReusableRun
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.variant_input import ReadAlleles, ShowProgress, VariantInput
from enformer_core.analyses.variant_run_type import VariantEffectsType
from enformer_core.dataset.codec import JsonObject, as_json_object, convert
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan_builder import DraftPlan, PlacedAlleles
from enformer_core.dataset.receipts import Manifest
from enformer_core.dataset.run import Identity
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.genome.regions import regions_digest
from enformer_core.models.spec import PassOperations
from enformer_core.scoring.conventions import (
    FLOAT32,
    WITHOUT_KERNELS,
    Conventions,
    Engine,
    Policy,
)
from enformer_core.variants.columns_taken import ColumnsTaken
from enformer_core.variants.filters import Filters
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.input_files import InputDigest, input_digests
from enformer_core.variants.shown_names import shown_name
from enformer_core.variants.table import MEANINGS, Status

if TYPE_CHECKING:
    from enformer_core.analyses.allele_scoring import AlleleScoring


@dataclass(frozen=True)
class FilterIdentity:
    """Which records have rows. Regions count by the bases that they come to."""

    regions_sha256: str | None
    min_maf: float | None
    max_maf: float | None
    only_pass: bool
    max_indel_bp: int | None
    sample: int | None
    sample_seed: int


@dataclass(frozen=True, kw_only=True)
class VariantEffectsIdentity(Identity):
    """Everything that decides the values of a scoring run."""

    engine: Engine
    precision: Policy | None
    audit_fraction: float
    conventions: dict[str, object]
    mantissa_bits: int
    top_tracks: int
    max_allele_bp: int
    input: list[InputDigest]
    sites: list[InputDigest] | None
    allow_swapped: bool
    filters: FilterIdentity
    columns: dict[str, str] | UnsetType = UNSET
    """Columns that the user named; no field where none was, as in runs of earlier releases."""
    keep_columns: tuple[str, ...] | UnsetType = UNSET
    """Columns of the input that are kept in `scores`; likewise no field where none is."""


@dataclass(frozen=True)
class VariantEffects(Analysis):
    """A scoring run as it was asked for.

    Attributes:
        inputs: model, tracks and genome.
        spec: how alleles are scored.
        variants: which alleles.
        progress: shows how far planning has come.
        warn: told what a user should know though it stops nothing.
        operations: of one pass, of which the cost is told; None where nobody asks.
        reuse: other runs, of which alleles are copied that these have scored.
    """

    run_type = VariantEffectsType()

    inputs: ModelInputs
    spec: ScoreSpec
    variants: VariantInput
    progress: ShowProgress
    warn: Callable[[str], None]
    operations: PassOperations | None = None
    reuse: tuple[ReusableRun, ...] = ()

    @property
    def loader(self) -> Loader:
        """What workers are sent: names and the resolved settings."""
        return VariantEffectsLoader(self.inputs, self.spec, self.reuse)

    @contextmanager
    def read_input(self) -> Iterator[DraftInput]:
        """Read, check and harmonise the alleles."""
        self.inputs.check_weights()
        with self.variants.read(progress=self.progress, warn=self.warn) as read:
            yield _AlleleDraft(self, read)

    def identity(
        self,
        contigs: Iterable[str],
        rows: int,
    ) -> VariantEffectsIdentity:
        """Everything that decides the values of this run."""
        spec = self.spec
        variants = self.variants
        return VariantEffectsIdentity(
            kind=self.run_type.name,
            model=self.inputs.model_identity,
            tracks=self.inputs.tracks_identity,
            reference=self.inputs.reference_identity(contigs),
            shard_size=variants.shard_rows(rows),
            engine=spec.engine,
            # plain passes know one arithmetic: a policy that they do not read must not tell runs apart
            precision=spec.precision if spec.engine == "delta" else None,
            audit_fraction=spec.audit_fraction,
            conventions=spec.conventions.record(),
            mantissa_bits=spec.mantissa_bits,
            top_tracks=spec.top_tracks,
            max_allele_bp=variants.max_allele_bp,
            input=variants.digests(),
            sites=None if variants.sites is None else input_digests([variants.sites]),
            allow_swapped=variants.allow_swapped,
            filters=filter_identity(variants.filters, variants.sample),
            columns=column_identity(variants.given),
            keep_columns=variants.keep or UNSET,
        )

    def report(self, manifest: Manifest) -> Sequence[str]:
        """What `fast` came to where the hardware is not quick at 16 bits, and GPUs that did without kernels."""
        # what was asked for and not got is said; the manifest has it of every shard
        notes = [*kernel_notes(manifest.arithmetic), *_indel_notes(self.spec.conventions)]
        is_fast = self.spec.engine == "delta" and self.spec.precision == "fast"
        # a demonstration, which needs no weights, is in float32 everywhere
        is_expected = is_fast and self.inputs.weights is not None
        if not is_expected or not any(each.startswith(FLOAT32) for each in manifest.arithmetic):
            return notes
        reason = "hardware multiplies 16-bit numbers no faster"
        # a run may have been computed on several kinds of machines
        if len(manifest.arithmetic) > 1:
            return [*notes, f"note: fast came to float32 on some of the machines, whose {reason}"]
        return [*notes, f"note: fast came to float32: the {reason}"]

    def columns_taken(self, draft_input: DraftInput) -> tuple[JsonObject, ...]:
        """Of each file, or of files that say it alike, which columns were taken for place and alleles, and why."""
        assert isinstance(draft_input, _AlleleDraft)
        return tuple(as_json_object(taken) for taken in draft_input.columns)

    def columns_in_words(
        self,
        taken: Sequence[JsonObject],
    ) -> Sequence[str]:
        """The same in one line each, of files in which something had to be found out."""
        files = [convert(each, ColumnsTaken, RUN_KEY) for each in taken]
        return [str(each) for each in files if each.basis != "format" or each.notes]

    query_of_unscored = "SELECT input_file, input_line, id, status, reason FROM scores WHERE status <> 'ok' LIMIT 10"

    def example_of_nothing(self, ledger: Ledger) -> Sequence[str]:
        """The first allele, and why it has no scores."""
        # the first shard's alone: a run without values may have thousands
        _, rows = next(stored_tables(ledger, "scores"), (None, None))
        return [] if rows is None else [_why_unscored(rows.slice(0, 1).to_pylist()[0])]

    def example_query(self) -> str:
        """The strongest effects, with what people call their variants and tracks."""
        statistic, *others = self.spec.conventions.statistics
        if not self.spec.top_tracks:  # then no effects are kept, of which `top` is made
            columns = f"variant_id, max_abs_{statistic}"
            return f"FROM scores SELECT {columns} WHERE status = 'ok' ORDER BY 2 DESC LIMIT 10"
        # values of two statistics have no common scale
        where = f"WHERE statistic = '{statistic}' " if others else ""
        return f"FROM top {where}LIMIT 10"


@dataclass(frozen=True)
class _AlleleDraft:
    """Alleles that were read, ready to be planned."""

    analysis: VariantEffects
    read: ReadAlleles

    @property
    def alleles(self) -> PlacedAlleles:
        return self.read.alleles

    @property
    def filtered(self) -> Mapping[str, int]:
        return self.read.removed

    @property
    def columns(self) -> Sequence[ColumnsTaken]:
        return self.read.columns

    @property
    def rows(self) -> int:
        return self.alleles.alleles

    @property
    def contigs(self) -> Sequence[str]:
        # alleles without a place are planned too, so that their rows can say why
        return [name for name in self.alleles.by_contig if name is not None]

    @property
    def records(self) -> int:
        return self.alleles.records

    def draft(self, seed: str) -> DraftPlan:
        analysis = self.analysis
        draft = analysis.variants.draft(
            self.alleles,
            analysis.spec.conventions,
            audit=audit_sample(
                analysis.spec,
                seed,
                analysis.variants.genome,
                operations=analysis.operations,
            ),
            numbers=self.read.numbers,
        )
        # only now are windows and shards known, of which the cost follows
        if analysis.operations is not None:
            notes = cost_notes(draft.parts, analysis.spec, analysis.operations)
            # which alleles are copied is known when their shard is computed
            for line in notes.lines("at most " if analysis.reuse else ""):
                analysis.warn(line)
        return draft


def _indel_notes(conventions: Conventions) -> list[str]:
    """What is to be known of indels where bins are smaller than the tokens, in which pooling feels each base."""
    geometry = conventions.geometry
    if conventions.indel_rule != "left-fixed" or geometry.bin_bp >= geometry.token_bp:
        return []
    return [
        f"note: with bins of {geometry.bin_bp} bp the signs of insertions and deletions, where there are some, depend "
        "on the rule, which is left-fixed here; --indel-rule stitched or compensated keep both flanks in place"
    ]


def _why_unscored(row: Mapping[str, object]) -> str:
    """One row of `scores` without values, in words."""
    where = f"{shown_name(str(row['input_file']))} line {row['input_line']}"
    called = row["id"] or row["variant_id"]
    name = f" ({called})" if called else ""
    status = Status(str(row["status"]))
    reason = row["reason"] or MEANINGS[status]
    return f"for example {where}{name}: {status}: {reason}"


def column_identity(given: GivenColumns) -> dict[str, str] | UnsetType:
    """Columns by role, as given; none where nothing was."""
    effect = {} if given.effect_allele is None else {"effect_allele": given.effect_allele}
    return {**given.roles, **effect} or UNSET


def filter_identity(filters: Filters, sample: int | None) -> FilterIdentity:
    """What an identity says of filters and a sample."""
    return FilterIdentity(
        regions_sha256=None if filters.regions is None else regions_digest(filters.regions),
        min_maf=filters.min_maf,
        max_maf=filters.max_maf,
        only_pass=filters.only_pass,
        max_indel_bp=filters.max_indel_bp,
        sample=sample,
        sample_seed=filters.seed,
    )


@dataclass(frozen=True)
class VariantEffectsLoader:
    """Loads the model in a worker, and the engine that the run names."""

    inputs: ModelInputs
    spec: ScoreSpec
    reuse: tuple[ReusableRun, ...] = ()

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "AlleleScoring":
        """The engine, and plain scoring beside it for the audit."""
        # here, so that whoever only plans or reads runs needs no torch
        from enformer_core.analyses.engines import load_scoring  # noqa: PLC0415

        models = self.inputs.load_all(resources, planned_contigs)
        scoring = load_scoring(models, self.spec, self.inputs.tracks, resources)
        if not self.reuse:
            return scoring
        from enformer_core.analyses.reuse import Reuse  # noqa: PLC0415 - most runs reuse nothing

        statistics = self.spec.conventions.statistics
        has_spread = len(models) > 1
        return replace(scoring, reuse=Reuse(self.reuse, statistics, has_spread))


def kernel_notes(arithmetic: Iterable[str]) -> Iterator[str]:
    """What there is to say of GPUs that did without kernels, from what receipts call their arithmetic."""
    for each in arithmetic:
        _, without, why = each.partition(WITHOUT_KERNELS)
        if without:
            yield f"note: a GPU computed without kernels ({why}): slower, and the same otherwise"
