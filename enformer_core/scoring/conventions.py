"""The choices on which published tools differ; a run records all of them.

Does not know how they are carried out.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from enformer_core.errors import InputError, nearest
from enformer_core.models.geometry import Geometry
from enformer_core.models.tracks.squashing import Form
from enformer_core.scoring.statistics import STATISTICS, Statistic

Strands = Literal["both", "forward"]

IndelRule = Literal["left-fixed", "centre-trim", "stitched", "compensated"]

INDEL_RULES: tuple[IndelRule, ...] = get_args(IndelRule)

WindowRule = Literal["left-fixed", "centre-trim", "stitched", "right-fixed"]
"""How the windows of one pairing of alleles keep their length: `compensated` has pairings by two of these."""

WINDOW_RULES: tuple[WindowRule, ...] = get_args(WindowRule)

AverageShifts = Literal["predictions", "scores"]


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """How a variant is put in a window, and how its predictions become scores.

    Attributes:
        geometry: the model's, which decides what is possible.
        statistics: which statistics, in the order of their columns.
        centre_index: 0-based index of the variant's first base in the window: half the window − 1 (the last base of the
            bin left of the centre) or half the window.
        indel_rule: how the window keeps its length. `left-fixed`: the left flank stays, the right end is cut or
            extended over real sequence. `centre-trim`: half of the difference is cut off the left. `stitched`: either
            flank is predicted where both alleles agree on its place, and the halves are put together. `compensated`:
            the alleles are compared twice, with the left flanks in one place and with the right ones, and each
            statistic is the mean of both.
        strands: `both` averages the forward prediction and the reverse complement's, its bins turned back.
        shifts: bp by which the window is moved over the sequence; predictions are averaged over them, not realigned.
        average_shifts: or each shift has scores of its own, of predictions averaged over its strands alone, and these
            `scores` are averaged.
        central_bins: how many bins around the window's centre the statistics read; None reads all of them.
        centre_mask_bp: or, AlphaGenome's way, how many bp around the variant's own bin.
        max_offset_bp: how far from `centre_index` the variant's first base may lie, so that variants share windows; 0
            gives each its own, exactly centred.
        unsquash: the form of the roots and soft clips that averaged predictions are brought back from, before they are
            compared; None compares what the model predicts.

    Raises:
        InputError: for what a model of this geometry cannot do, naming the setting, its value and what is possible.
    """

    geometry: Geometry
    statistics: tuple[Statistic, ...]
    centre_index: int
    indel_rule: IndelRule = "left-fixed"
    strands: Strands = "both"
    shifts: tuple[int, ...] = (0,)
    central_bins: int | None = None
    centre_mask_bp: int | None = None
    max_offset_bp: int = 0
    average_shifts: AverageShifts = "predictions"
    unsquash: Form | None = None

    def __post_init__(self) -> None:
        # in this order: a check may rely on those before it
        parse_statistics(self.statistics)
        self._check_centre()
        self._check_shifts()
        self._check_offset()
        self._check_bins()

    @property
    def views(self) -> int:
        """How many times a window is predicted: strands × shifts."""
        return len(self.shifts) * (2 if self.strands == "both" else 1)

    @property
    def averaged_shifts(self) -> tuple[int, ...]:
        """Shifts over which predictions are averaged, beside each of `scored_shifts`."""
        return self.shifts if self.average_shifts == "predictions" else (0,)

    @property
    def scored_shifts(self) -> tuple[int, ...]:
        """Shifts of which each has scores of its own, which are averaged."""
        return self.shifts if self.average_shifts == "scores" else (0,)

    @property
    def window_rules(self) -> tuple[WindowRule, ...]:
        """The rules by which an insertion or deletion is compared, one after another."""
        if self.indel_rule == "compensated":
            return ("left-fixed", "right-fixed")
        return (self.indel_rule,)

    def record(self) -> dict[str, object]:
        """What a run's identity says of them: all choices, without the geometry, which is the model's."""
        # runs of earlier versions have no geometry here, and a run continues only under the identity that it began with
        choices = asdict(self)
        del choices["geometry"]
        # nor had these the choices that came later: who does not make them is told by nothing
        if self.average_shifts == "predictions":
            del choices["average_shifts"]
        if self.unsquash is None:
            del choices["unsquash"]
        return choices

    def _check_centre(self) -> None:
        # an even window has no middle base: published tools differ by this one
        half = self.geometry.window_bp // 2
        if self.centre_index not in (half - 1, half):
            raise InputError(
                f"the centre index is {self.centre_index}; choose {half - 1} or {half}"
            )

    def _check_shifts(self) -> None:
        if not self.shifts or len(set(self.shifts)) != len(self.shifts):
            raise InputError(f"shifts {list(self.shifts)}: give at least one, and none twice")
        if self.average_shifts == "scores" and len(self.shifts) == 1:
            raise InputError(
                f"shifts {list(self.shifts)}, scores averaged over them: of one shift that is no average. Give "
                "several, or leave it out"
            )
        furthest_bp = max(abs(shift) for shift in self.shifts) + self.max_offset_bp
        most_bp = self.geometry.output_bp // 2
        if furthest_bp > most_bp:
            raise InputError(
                f"a shift and offset of {furthest_bp} bp move the variant out of the predicted bins; "
                f"the most is {most_bp} bp"
            )

    def _check_offset(self) -> None:
        token_bp = self.geometry.token_bp
        if self.max_offset_bp < 0 or 0 < self.max_offset_bp < token_bp // 2:
            raise InputError(
                f"an offset of at most {self.max_offset_bp} bp: windows start every {token_bp} bp when variants "
                f"share them, so give 0 (each variant exactly centred) or at least {token_bp // 2}"
            )

    def _check_bins(self) -> None:
        predicted = self.geometry.bins
        most_bp = self.geometry.output_bp // 2
        if self.central_bins is not None and not 1 <= self.central_bins <= predicted:
            raise InputError(f"central bins: {self.central_bins} is not between 1 and {predicted}")
        if self.centre_mask_bp is not None and not 1 <= self.centre_mask_bp <= most_bp:
            raise InputError(
                f"centre mask: {self.centre_mask_bp} bp is not between 1 and {most_bp}"
            )
        if self.central_bins is not None and self.centre_mask_bp is not None:
            raise InputError(
                f"central bins ({self.central_bins}) and centre mask ({self.centre_mask_bp} bp): give one"
            )
        # the outermost variants of a shared window decide: those between them score bins between theirs
        for offset_bp in (-self.max_offset_bp, self.max_offset_bp):
            bins = self.scored_bins(offset_bp)
            if bins.start < 0 or bins.stop > predicted:
                raise InputError(
                    f"bins [{bins.start}, {bins.stop}) around a variant {offset_bp} bp off the centre "
                    f"leave the {predicted} predicted ones; score fewer bins or allow a smaller offset"
                )

    def offset_bp(self, allele_start: int, window_start: int) -> int:
        """How far right of `centre_index` a variant lies in a window; both starts are positions on the contig."""
        return allele_start - window_start - self.centre_index

    def scored_bins(self, offset_bp: int = 0) -> slice:
        """The bins that statistics read: all, the central ones, or those of the mask; the last two follow the variant.

        Central bins begin at `bins // 2 − central_bins // 2` (Calico's sonnet_sad.py, `--slice_center`). A mask has
        ⌈bp / bin⌉ bins and begins half as many left of the variant's bin (AlphaGenome's CenterMaskScorer).
        """
        # Enformer's 896 bins: 4 central ones are 446 … 450. A mask of 501 bp is 4 bins around the variant's own, 447:
        # 445 … 449. A variant 128 bp to the right moves either by one bin.
        geometry = self.geometry
        own_bin = geometry.output_bin(self.centre_index + offset_bp)
        if self.central_bins is not None:
            count = self.central_bins
            moved_bins = own_bin - geometry.output_bin(self.centre_index)
            middle = geometry.bins // 2 + moved_bins
        elif self.centre_mask_bp is not None:
            count = -(-self.centre_mask_bp // geometry.bin_bp)
            middle = own_bin
        else:
            return slice(0, geometry.bins)
        first = middle - count // 2
        return slice(first, first + count)

    def stitch_bin(self, offset_bp: int = 0) -> int:
        """The bin at which `stitched` goes from one flank to the other: that of the base after the variant's first.

        VCF's indels share their first base (calico/baskerville, snps.py: `(pos − start − crop) // stride`, with a
        1-based pos).
        """
        return self.geometry.output_bin(self.centre_index + offset_bp + 1)


def sharing_windows(conventions: Conventions, most_bp: int) -> Conventions:
    """The same with windows that neighbours share: by the largest offset that the other choices leave room for.

    Args:
        conventions: without an offset.
        most_bp: the offset that is tried first, then its half, and so on; where none is possible, there is none.
    """
    offset_bp = most_bp
    while 2 * offset_bp >= conventions.geometry.token_bp:
        try:
            return replace(conventions, max_offset_bp=offset_bp)
        except InputError:
            offset_bp //= 2
    return conventions


def centre_index_of(centre_bin: int | None, geometry: Geometry) -> int:
    """Index in the window of a variant's first base, from the output bin that it shall lie in.

    The last base of the bin left of the window's middle, which is the default, or the first base of the one to its
    right; any other bin gives an index that `Conventions` refuse.
    """
    middle = geometry.bins // 2
    if centre_bin is None:
        centre_bin = middle - 1
    return geometry.window_bp // 2 + centre_bin - middle


def default_max_allele_bp(geometry: Geometry) -> int:
    """Longest allele that cannot push the other flank out of the predicted bins."""
    return geometry.output_bp // 2


def parse_statistics(names: Sequence[str]) -> tuple[Statistic, ...]:
    """Check the names of statistics; repeats are dropped, the order is kept.

    Raises:
        InputError: for an unknown name, with the nearest known ones, and for no name at all.
    """
    if not names:
        raise InputError(f"no statistics: give at least one of {', '.join(STATISTICS)}")
    for name in names:
        if name not in STATISTICS:
            raise InputError(f"unknown statistic {name!r}{nearest(name, STATISTICS)}")
    return tuple(dict.fromkeys(names))


def parse_indel_rule(name: str) -> IndelRule:
    """Check the name of an indel rule.

    Raises:
        InputError: for an unknown name, with the nearest known ones.
    """
    for rule in INDEL_RULES:
        if name == rule:
            return rule
    raise InputError(f"unknown indel rule {name!r}{nearest(name, INDEL_RULES)}")


Engine = Literal["delta", "direct"]

Policy = Literal["fast", "exact"]

ENGINES: tuple[Engine, ...] = get_args(Engine)

POLICIES: tuple[Policy, ...] = get_args(Policy)

FLOAT32 = "reference float32, differences float32"
"""What receipts call an engine that computes in float32 throughout."""

WITHOUT_KERNELS = ", without kernels: "
"""Before what kept a GPU's kernels from being used, in receipts, behind the number formats."""

AUDIT_TOLERANCE: dict[Policy, float] = {"fast": 0.02, "exact": 0.002}
"""Error against two plain float32 passes, relative to a statistic's norm, beyond which an audit warns."""

AUDITED_AT_LEAST = 3
"""Alleles of a run that are audited whatever the fraction."""
