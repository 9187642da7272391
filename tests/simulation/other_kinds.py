"""Contributions, links and insulators as the simulation runs them: small plans, and made-up values for a network's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
import pyarrow as pa

from enformer_core.analyses.contribution_computation import ContributionComputation
from enformer_core.analyses.contribution_run_type import AttendingContributionsType
from enformer_core.analyses.contribution_spec import AttributionSpec, TrackGroup
from enformer_core.analyses.contributions import (
    ContributionsIdentity,
    TargetsIdentity,
    group_identity,
)
from enformer_core.analyses.insulator_computation import InsulatorComputation, pixels_of
from enformer_core.analyses.insulator_run_type import (
    BOUNDARY,
    CONTROL,
    UNMATCHED,
    InsulatorsType,
)
from enformer_core.analyses.insulators import InsulatorsIdentity
from enformer_core.analyses.link_computation import LinkComputation
from enformer_core.analyses.link_run_type import LinksType
from enformer_core.analyses.link_spec import (
    ATTENTION,
    GRADIENT,
    MUTAGENESIS,
    SHUFFLES,
    LinkSpec,
)
from enformer_core.analyses.links import LinksIdentity, PairsIdentity
from enformer_core.analyses.targets import Target, point_window, target_table, unusable_table
from enformer_core.dataset.plan_builder import DraftPlan, draft_tiles
from enformer_core.dataset.run import Identity
from enformer_core.dataset.schemas import ALT, LINK_PAIRS_SCHEMA, PLACES_SCHEMA, REF
from enformer_core.genome.alphabet import Codes
from enformer_core.genome.fasta import Genome
from enformer_core.insulators.controls import Matching
from enformer_core.links.contact import PowerLaw
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.windows import Allele
from enformer_core.variants.input_files import InputDigest
from enformer_core.variants.table import Status
from tests.simulation.subject import CONTIGS, INPUT, TRACKS, Begins, Keys, Place, Subject
from tests.simulation.toy import GENES
from tests.support.plans import placed_table

GEOMETRY = Geometry(window_bp=24, bin_bp=2, bins=8)
LAYERS = 2
_GROUPS = tuple(TrackGroup(name, (track,)) for name, track in zip(("a", "b"), TRACKS, strict=True))
_GROUP_NAMES = [group.name for group in _GROUPS]
_ALL_LAYERS = (None, *range(1, LAYERS + 1))
_GROUP_WORDS = ("--group", "a=0", "--group", "b=7")


@dataclass(frozen=True)
class Attribution:
    """The fields of `scoring.attribution.Attribution`, without torch."""

    objectives: Any
    gradients: Any
    attention: Any


@dataclass(frozen=True)
class MadeUpModel:
    """Values that follow from what is asked and, a little, from the hardware."""

    hardware: int

    def attribute(self, codes: Codes, bins: range) -> Attribution:
        random = _random(codes.tobytes(), bins)
        groups = len(_GROUPS)
        return Attribution(
            objectives=self._shifted(random.random(groups)),
            gradients=self._shifted(random.random((groups, codes.size, 4))),
            attention=self._shifted(random.random((LAYERS, GEOMETRY.tokens))),
        )

    def effects(self, alleles: Sequence[Allele], start: int) -> list[AlleleEffect]:
        shape = (GEOMETRY.bins, len(TRACKS))
        return [
            AlleleEffect(
                reference=self._shifted(_random(start).random(shape)).astype(np.float32),
                difference=self._shifted(_random(start, allele).random(shape)).astype(np.float32),
                scores={},
            )
            for allele in alleles
        ]

    def maps(self, codes: Codes) -> Any:
        maps = _random(codes.tobytes()).random((LAYERS, GEOMETRY.tokens, GEOMETRY.tokens))
        return self._shifted(maps).astype(np.float32)

    def _shifted(self, values: Any) -> Any:
        """Above 0, for there are logarithms."""
        return values + 0.1 + 1e-3 * self.hardware


def _random(*asked: object) -> np.random.Generator:
    return np.random.default_rng(crc32(repr(asked).encode()))


def _digest(name: str, sha256: str) -> InputDigest:
    return InputDigest(name=name, sha256=sha256, bytes=len(INPUT))


def _target(contig: str, start: int, ref: str | None = None, alt: str | None = None) -> Target:
    window_start, bins = point_window(start, GEOMETRY)
    return Target(
        contig=contig,
        start=start,
        end=start + len(ref or "N"),
        window_start=window_start,
        bins=bins,
        label=f"{contig}:{start}",
        ref=ref,
        alt=alt,
    )


_TARGETS = [
    _target("chr1", 100),
    _target("chr1", 140, "A", "ACT"),
    _target("chr1", 180),
    _target("chr1", 220, "ACG", "A"),
    *(_target("chr1", start) for start in (260, 300)),
    *(_target("chr2", start) for start in (5, 140, 180)),
]
_WITHOUT_PLACE = "a.vcf:1:1"
_ASKED = [
    *((target.label, REF) for target in _TARGETS),
    *((target.label, ALT) for target in _TARGETS if target.alt),
    (_WITHOUT_PLACE, REF),
]


class ContributionsToy(Subject):
    """Nine targets, two of them variants, in three shards, and one that has no place; with attention."""

    run_type = AttendingContributionsType()
    shard_rows = 3
    words = ("attribute", "a.vcf", *_GROUP_WORDS, "--attention")
    input_field = "targets.input[0].sha256"
    places = tuple((target.contig, target.window_start) for target in _TARGETS)
    keys: ClassVar[Keys] = {
        "contributions": (
            ("target", "group", "allele"),
            [(target, group, allele) for target, allele in _ASKED for group in _GROUP_NAMES],
        ),
        "attention": (
            ("target", "allele", "layer"),
            [(*asked, layer) for asked in _ASKED for layer in _ALL_LAYERS],
        ),
    }

    def make_draft(self) -> DraftPlan:
        placed = target_table(_TARGETS, CONTIGS, _GROUP_NAMES, LAYERS)
        nowhere = placed_table([(None, None, None, None)])
        table = pa.concat_tables([placed, unusable_table(nowhere, _GROUP_NAMES, LAYERS)])
        return draft_tiles(table, self.shard_rows)

    def identity(self, digest: str) -> Identity:
        return ContributionsIdentity(
            **self.what_all_have(),
            geometry=GEOMETRY,
            strands="both",
            groups=[group_identity(group) for group in _GROUPS],
            targets=TargetsIdentity("variants", [_digest("a.vcf", digest)]),
            hypothetical=False,
            attention=True,
        )

    def places_of(self, row: Mapping[str, Any]) -> list[Place]:
        return [(row["chrom"], row["window_start"])]

    def computation(self, hardware: int, begins: Begins, genome: Genome) -> ContributionComputation:
        spec = AttributionSpec(_GROUPS, "both", hypothetical=False, attention=True)
        return ContributionComputation(MadeUpModel(hardware), genome, GEOMETRY, spec)


_GENES = (("one", "chr1", 100), ("two", "chr1", 104), ("three", "chr2", 60), ("four", "chr2", 99))
_ELEMENTS = (
    *(("chr1", start, start + 8) for start in (93, 97, 103)),
    *(("chr2", start, start + 9) for start in (49, 55, 63, 89, 93, 102)),
)
_PAIRS = [
    {
        "chrom": contig,
        "gene": name,
        "tss": tss,
        "start": start,
        "end": end,
        "distance": float(abs(tss - start)),
        "window_start": point_window(tss, GEOMETRY)[0],
        "first_bin": point_window(tss, GEOMETRY)[1].start,
        "end_bin": point_window(tss, GEOMETRY)[1].stop,
        "groups": _GROUP_NAMES,
        "status": Status.OK,
    }
    for name, contig, tss in _GENES
    for of, start, end in _ELEMENTS
    if of == contig and abs(tss - (start + end) // 2) < GEOMETRY.window_bp // 2
]


class LinksToy(Subject):
    """Twelve pairs in four shards; some elements lie in the windows of two genes."""

    run_type = LinksType()
    shard_rows = 3
    words = ("links", "--genes", "genes.bed", "--candidates", "elements.bed", *_GROUP_WORDS)
    input_field = "pairs.candidates[0].sha256"
    # who cannot read a window fails with all of its pairs, who cannot change an element with the pairs of that
    places = tuple(
        sorted({(pair["chrom"], pair[at]) for pair in _PAIRS for at in ("start", "window_start")})
    )
    keys: ClassVar[Keys] = {
        "links": (
            ("gene", "start", "group"),
            [(pair["gene"], pair["start"], group) for pair in _PAIRS for group in _GROUP_NAMES],
        )
    }
    spec = LinkSpec(_GROUPS, "both", (GRADIENT, ATTENTION, MUTAGENESIS, SHUFFLES), shuffles=1)

    def make_draft(self) -> DraftPlan:
        table = pa.Table.from_pylist(_PAIRS, schema=LINK_PAIRS_SCHEMA)
        return draft_tiles(table, self.shard_rows, together=("chrom", "window_start"))

    def identity(self, digest: str) -> Identity:
        return LinksIdentity(
            **self.what_all_have(),
            geometry=GEOMETRY,
            strands=self.spec.strands,
            groups=[group_identity(group) for group in _GROUPS],
            scores=self.spec.scores,
            shuffles=self.spec.shuffles,
            seed=self.spec.seed,
            pairs=PairsIdentity(
                genes=[_digest("genes.bed", "0" * 64)],
                candidates=[_digest("elements.bed", digest)],
                gene_types=(),
                tss="outermost",
                expressed_only=False,
                activity_columns=(),
                window_bp=GEOMETRY.window_bp,
                law=PowerLaw(),
            ),
        )

    def places_of(self, row: Mapping[str, Any]) -> list[Place]:
        return [(row["chrom"], row["window_start"]), (row["chrom"], row["start"])]

    def computation(self, hardware: int, begins: Begins, genome: Genome) -> LinkComputation:
        model = MadeUpModel(hardware)
        return LinkComputation(model, model, genome, GEOMETRY, self.spec, TRACKS)


_BOUNDARIES = (
    ("chr1", 100, "b1", BOUNDARY, Status.OK),
    ("chr1", 150, "b1/control 1", CONTROL, Status.OK),
    ("chr1", 200, "b2", BOUNDARY, UNMATCHED),
    ("chr1", 250, "b1/control 2", CONTROL, Status.OK),
    ("chr2", 100, "b3", BOUNDARY, Status.OK),
    ("chr2", 150, "b4", BOUNDARY, UNMATCHED),
    *(("chr2", 200 + 50 * number, f"b3/control {number}", CONTROL, Status.OK) for number in (1, 2)),
    ("chr2", 350, "b5/control 1", CONTROL, Status.OK),
    *(("chr2", 350 + 50 * number, f"b{number}", BOUNDARY, Status.OK) for number in (5, 6, 7)),
)
_PLACES = [
    {
        "chrom": contig,
        "place": name,
        "boundary": name.partition("/")[0],
        "kind": kind,
        "position": position,
        "window_start": position - GEOMETRY.window_bp // 2,
        "layers": LAYERS,
        "status": status,
    }
    for contig, position, name, kind, status in _BOUNDARIES
]


class InsulatorsToy(Subject):
    """Twelve places in three shards, two of them without a control."""

    run_type = InsulatorsType()
    shard_rows = 4
    words = ("insulators", "boundaries.bed")
    input_field = "boundaries[0].sha256"
    places = tuple(
        (place["chrom"], place["window_start"]) for place in _PLACES if place["status"] == Status.OK
    )
    keys: ClassVar[Keys] = {
        "insulation": (
            ("place", "layer"),
            [(place["place"], layer) for place in _PLACES for layer in _ALL_LAYERS],
        ),
        "attention_maps": (("place",), [(place["place"],) for place in _PLACES]),
    }

    def make_draft(self) -> DraftPlan:
        return draft_tiles(pa.Table.from_pylist(_PLACES, schema=PLACES_SCHEMA), self.shard_rows)

    def identity(self, digest: str) -> Identity:
        return InsulatorsIdentity(
            **self.what_all_have(),
            geometry=GEOMETRY,
            strands="both",
            layers=LAYERS,
            pixels=pixels_of(GEOMETRY),
            boundary_tokens=2,
            boundaries=[_digest("boundaries.bed", digest)],
            genes=[],
            gene_types=(),
            matching=Matching(window_bp=256),
        )

    def places_of(self, row: Mapping[str, Any]) -> list[Place]:
        return [(row["chrom"], row["window_start"])]

    def computation(self, hardware: int, begins: Begins, genome: Genome) -> InsulatorComputation:
        return InsulatorComputation(MadeUpModel(hardware), genome, GEOMETRY, boundary_tokens=2)


CONTRIBUTIONS = ContributionsToy()
LINKS = LinksToy()
INSULATORS = InsulatorsToy()
OTHERS = (CONTRIBUTIONS, LINKS, INSULATORS)
KINDS = {subject.name: subject for subject in (GENES, *OTHERS)}
