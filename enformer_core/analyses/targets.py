"""Targets of attribution: which bases, in which window, and over which of its bins predictions are averaged.

Knows intervals and alleles that were read. Does not know models beyond their geometry, nor what is computed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from enformer_core.analyses.planned_rows import PlacedTarget, UnplacedTarget
from enformer_core.dataset.schemas import ALT, REF, TARGETS_SCHEMA
from enformer_core.distinct_names import placed_names
from enformer_core.errors import InputError
from enformer_core.genome.genes import Gene
from enformer_core.genome.regions import PlacedRegion
from enformer_core.models.geometry import Geometry
from enformer_core.variants.table import Flag, Status

POINT_TOKENS = 3
"""Tokens that are averaged where a target is one base or a variant: bins 447, 448 and 449 of 896, as in the article."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target on the genome.

    Attributes:
        contig: the genome's own name.
        start: its first base.
        end: the base behind its last.
        window_start: first base of the window; negative near a contig's start.
        bins: of the window, over which predictions are averaged.
        label: what tables call it; made unique over a run.
        name: as the input has it.
        strand: `+` or `-`, where it has one.
        ref: of a variant, the genome's allele.
        alt: of a variant, the other.
    """

    contig: str
    start: int
    end: int
    window_start: int
    bins: range
    label: str
    name: str | None = None
    strand: str | None = None
    ref: str | None = None
    alt: str | None = None

    @property
    def place(self) -> str:
        """Where it lies, counted from 1 with both ends, as people write regions."""
        return f"{self.contig}:{self.start + 1}-{self.end}"


def interval_window(
    start: int,
    end: int,
    geometry: Geometry,
) -> tuple[int, range]:
    """First base of an interval's window, and its bins, which begin where the interval does.

    As many bins as cover the interval stand in the middle: of an odd number the middle one is the bin right of the
    window's centre.
    """
    # 384 bp at base 4,699,477 are 3 bins, 447 … 449 of 896. Bin 447 begins 40,960 + 447 · 128 = 98,176 bp behind the
    # window's first base, which so is 4,601,301.
    length_bp = end - start
    count = -(-length_bp // geometry.bin_bp)
    first = geometry.bins // 2 - count // 2
    window_start = start - geometry.crop_bp - first * geometry.bin_bp
    return window_start, range(first, first + count)


def point_window(
    position: int,
    geometry: Geometry,
) -> tuple[int, range]:
    """First base of the window whose centre is a base, and the bins around that: what is asked of a TSS."""
    window_start, own = interval_window(position, position + 1, geometry)
    return window_start, _point_bins(own.start, geometry)


def _point_bins(middle: int, geometry: Geometry) -> range:
    """A bin and those beside it, as many as three tokens have, and one more where that is even."""
    # around 448: 447, 448 and 449. Of tokens of four bins, around 1,024: 1,018 … 1,030
    beside = POINT_TOKENS * geometry.bins_per_token // 2
    return range(middle - beside, middle + beside + 1)


def interval_target(region: PlacedRegion, geometry: Geometry) -> Target:
    """The target that an interval is.

    Raises:
        InputError: for one that is longer than what a window predicts.
    """
    start, end = region.start, region.end
    # its bins would not all be predicted
    if end - start > geometry.output_bp:
        raise InputError(
            f"{region.where}: {end - start:,} bp from {start:,} to {end:,}; a window predicts "
            f"{geometry.output_bp:,} bp. Give shorter intervals, such as a promoter's."
        )
    window_start, bins = interval_window(start, end, geometry)
    # BED writes a full stop where there is nothing to say
    name = None if region.name in (None, "", ".") else region.name
    return Target(
        contig=region.contig,
        start=start,
        end=end,
        window_start=window_start,
        bins=bins,
        label=name or f"{region.contig}:{start + 1}-{end}",
        name=name,
        strand=region.strand,
    )


def gene_targets(
    genes: Iterable[Gene],
    geometry: Geometry,
) -> list[Target]:
    """Targets of genes: one for each TSS, but one for those within a token of another.

    The window is centred on the first base that is transcribed, which of a minus gene is the last on the genome.
    """
    targets = []
    for gene in genes:
        for sites in _lying_together(gene, geometry.token_bp):
            window_start, bins = point_window(sites[0], geometry)
            targets.append(
                Target(
                    contig=gene.chrom,
                    start=min(sites),
                    end=max(sites) + 1,  # one target for all TSSs of the group
                    window_start=window_start,
                    bins=bins,
                    label=gene.name,
                    name=gene.id,
                    strand=gene.strand,
                )
            )
    return targets


def _lying_together(
    gene: Gene,
    token_bp: int,
) -> list[list[int]]:
    """A gene's TSSs in the order of transcription, in groups that lie within a token of their first.

    Tokens of 128 bp, a plus gene with TSSs at 100, 200, 227 and 228: [100, 200, 227], [228]. On the minus strand:
    [228, 227, 200], [100].
    """
    groups: list[list[int]] = []
    for site in sorted(gene.tss, reverse=gene.strand == "-"):
        if groups and abs(site - groups[-1][0]) < token_bp:
            groups[-1].append(site)
        else:
            groups.append([site])
    return groups


def allele_targets(
    alleles: pa.Table,
    geometry: Geometry,
) -> tuple[list[Target], pa.Table]:
    """Targets of the alleles that can be read, each once, and the rows of the others.

    The window is that of `score` by default: the variant's first base is the last left of the centre.

    Args:
        alleles: of a plan, sorted, repeats flagged.
        geometry: the model's.
    """
    targets = []
    unusable = []
    middle = geometry.bins // 2
    for number, row in enumerate(alleles.to_pylist()):
        if row["status"] != Status.OK:
            unusable.append(number)
            continue
        # attributed where it stands first
        if Flag.DUPLICATE in (row["flags"] or ()):
            continue
        start = row["start"]
        targets.append(
            Target(
                contig=row["chrom"],
                start=start,
                end=start + len(row["ref"]),
                window_start=start - geometry.window_bp // 2 + 1,
                bins=_point_bins(middle, geometry),
                label=f"{row['chrom']}:{start + 1}:{row['ref']}:{row['alt']}",
                name=row["id"],
                ref=row["ref"],
                alt=row["alt"],
            )
        )
    return targets, alleles.take(pa.array(unusable, pa.int64()))


def distinct(targets: Iterable[Target]) -> list[Target]:
    """Targets without repeats, under names that no two share: the place is added where one would be another's."""
    # the same bins of the same window are one question, whatever the columns beside it
    by_question: dict[object, Target] = {}
    for target in targets:
        question = (
            *(target.contig, target.window_start, target.bins),
            *(target.label, target.ref, target.alt),
        )
        by_question.setdefault(question, target)
    kept = list(by_question.values())
    labels = placed_names(
        [target.label for target in kept],
        [target.place for target in kept],
    )
    return [replace(target, label=label) for target, label in zip(kept, labels, strict=True)]


def target_table(
    targets: Sequence[Target],
    contigs: Mapping[str, int],
    groups: Sequence[str],
    layers: int,
) -> pa.Table:
    """Targets as rows of a plan, in the order of the genome.

    Args:
        targets: with names that no two share.
        contigs: the genome's, in order.
        groups: names of the groups of tracks.
        layers: whose attention is read.
    """
    # the genome's order, which need not be that of the names; of one place the names decide, not the input's order
    ranks = {contig: rank for rank, contig in enumerate(contigs)}
    in_order = sorted(
        targets,
        key=lambda target: (ranks[target.contig], target.start, target.label),
    )
    rows = [_planned(target, groups, layers) for target in in_order]
    return pa.Table.from_pylist(rows, schema=TARGETS_SCHEMA)


def _planned(
    target: Target,
    groups: Sequence[str],
    layers: int,
) -> PlacedTarget:
    return PlacedTarget(
        chrom=target.contig,
        target=target.label,
        name=target.name,
        start=target.start,
        end=target.end,
        strand=target.strand,
        ref=target.ref,
        alt=target.alt,
        window_start=target.window_start,
        first_bin=target.bins.start,
        end_bin=target.bins.stop,
        # only a variant has a sequence beside the genome's
        alleles=[REF] if target.alt is None else [REF, ALT],
        groups=list(groups),
        layers=layers,
        status=Status.OK,
        reason=None,
    )


def unusable_table(
    alleles: pa.Table,
    groups: Sequence[str],
    layers: int,
) -> pa.Table:
    """Alleles that cannot be read, as rows of a plan that say why, without a place."""
    # nothing is computed for them: which contig they name does not matter
    rows = [
        UnplacedTarget(
            chrom=None,
            # what has no place has no other name that a user knows it by
            target=f"{row['input_file']}:{row['input_line']}:{row['alt_index']}",
            name=row["id"],
            start=None,
            end=None,
            strand=None,
            ref=row["ref"],
            alt=row["alt"],
            window_start=None,
            first_bin=None,
            end_bin=None,
            alleles=[REF],
            groups=list(groups),
            layers=layers,
            status=row["status"],
            reason=row["reason"],
        )
        for row in alleles.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=TARGETS_SCHEMA)
