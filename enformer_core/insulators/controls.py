"""Places that are like boundaries but are none: on the same chromosome, as rich in G and C, as far from a TSS.

Drawn by a seed. A chromosome's draws depend on its own boundaries alone, so that others may be left out or added. Does
not know attention.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from enformer_core.errors import InputError, first_few
from enformer_core.genome.fasta import Genome
from enformer_core.insulators.composition import STEP_BP, Composition, composition
from enformer_core.words import counted

Positions = Int64[np.ndarray, " _"]
"""Places on one contig: 0-based numbers of bases."""

NO_MATCH = -1


@dataclass(frozen=True)
class Matching:
    """How like a control must be.

    Attributes:
        window_bp: around a place, whose G and C count; a multiple of twice `STEP_BP`.
        gc: the most by which shares of G and C may differ, from 0 to 1.
        log10_tss: the most by which distances to the nearest TSS may differ, as powers of 10.
        apart_bp: the least distance of a control to any boundary.
        least_known: the least share of known bases in a control's window.
        drawn: how many places are drawn for each boundary, of which the most similar are taken.
        controls: how many of them.
        seed: which places they are.
    """

    window_bp: int
    gc: float = 0.02
    log10_tss: float = 0.2
    apart_bp: int = 50_000
    least_known: float = 0.95
    drawn: int = 100
    controls: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.window_bp < 1 or self.window_bp % (2 * STEP_BP):
            raise InputError(
                f"a window of {self.window_bp:,} bp: must be a multiple of {2 * STEP_BP}"
            )
        if self.drawn < 1:
            raise InputError(f"{self.drawn} places drawn for each boundary: must be at least 1")
        if not 1 <= self.controls <= self.drawn:
            raise InputError(
                f"--controls {self.controls}: must be between 1 and {self.drawn}, the places that are drawn"
            )
        # at 0 a boundary could be its own control
        if self.apart_bp < 1:
            raise InputError(f"--apart-bp {self.apart_bp}: must be at least 1")
        limits = {"gc": self.gc, "tss": self.log10_tss}
        for option, most in limits.items():
            if most < 0:
                raise InputError(f"--{option}-within {most}: must not be below 0")


@dataclass(frozen=True)
class Surroundings:
    """What places are matched by.

    Attributes:
        gc: share of G and C around each; NaN where no base is known.
        log10_tss: log10(1 + distance to the nearest TSS); 0 where no TSSs are asked about.
        known: share of known bases around each.
    """

    gc: Float64[np.ndarray, " _"]
    log10_tss: Float64[np.ndarray, " _"]
    known: Float64[np.ndarray, " _"]


@dataclass(frozen=True)
class Matched:
    """Boundaries of a contig and their controls.

    Attributes:
        boundaries: as they were given, moved to the grid.
        controls: of each boundary, the most similar first; `NO_MATCH` where none of those drawn is left that is like
            it.
        reasons: of each boundary, why it has no control; None where it has one.
    """

    boundaries: Positions
    controls: Int64[np.ndarray, "boundaries controls"]
    reasons: tuple[str | None, ...]

    @property
    def is_matched(self) -> Bool[np.ndarray, " places"]:
        """Which boundaries have a control; the most similar one comes first, so it decides."""
        return self.controls[:, 0] != NO_MATCH


def matched_controls(
    genome: Genome,
    boundaries: Mapping[str, Positions],
    tss: Mapping[str, Positions] | None,
    matching: Matching,
) -> dict[str, Matched]:
    """Controls for each boundary, no place twice.

    Args:
        genome: whose bases count.
        boundaries: of each contig, 0-based; they are moved to the nearest place of the grid.
        tss: of each contig, in any order; None where distances to TSSs do not count.
        matching: how like they must be.

    Boundaries of a contig without a TSS have none, since nothing says how far from genes a control should be.

    Raises:
        InputError: where no contig with boundaries has a TSS.
    """
    matched = {}
    nowhere = np.empty(0, dtype=np.int64)
    of_contigs = {
        contig: None if tss is None else tss.get(contig, nowhere) for contig in boundaries
    }
    if all(sites is not None and not sites.size for sites in of_contigs.values()):
        raise InputError(
            f"{first_few(list(of_contigs))}: has boundaries and no gene, so controls cannot be matched by distance to "
            "genes. Are they of one assembly? Without --genes distances do not count."
        )
    for contig, sites in of_contigs.items():
        places = boundaries[contig]
        if sites is not None and not sites.size:
            matched[contig] = _without_genes(contig, places, matching)
        else:
            in_order = None if sites is None else np.sort(sites)
            matched[contig] = _on_contig(genome, contig, places, in_order, matching)
    return matched


def _without_genes(contig: str, places: Positions, matching: Matching) -> Matched:
    """Boundaries to which no control can be as like as was asked: where no gene is, none is as far from one."""
    controls = np.full((places.size, matching.controls), NO_MATCH, dtype=np.int64)
    why = f"{contig} has no gene, by whose distance controls are matched (--genes)"
    return Matched(_on_grid(places), controls, (why,) * places.size)


def _on_grid(places: Positions) -> Positions:
    nearest_step = (places + STEP_BP // 2) // STEP_BP
    return nearest_step * STEP_BP


def _on_contig(
    genome: Genome,
    contig: str,
    places: Positions,
    tss: Positions | None,
    matching: Matching,
) -> Matched:
    sums = composition(genome.codes(contig))
    on_grid = _on_grid(places)
    # the name, not its place in a list: see above
    name = zlib.crc32(contig.encode())
    rng = np.random.default_rng([matching.seed, name])
    drawn = _drawn(sums, on_grid, matching, rng)
    wanted = surroundings(sums, on_grid, tss, matching.window_bp)
    offered = surroundings(sums, drawn, tss, matching.window_bp)
    is_known = offered.known >= matching.least_known
    misfits = _misfits(wanted, offered, matching)
    misfits[:, ~is_known] = np.inf
    # every boundary has its first control before any has its second
    rounds = []
    for _ in range(matching.controls):
        # in an order of chance, or those at the contig's beginning would have the best
        order = rng.permutation(places.size)
        rounds.append(_nearest(misfits, order))
    chosen = np.stack(rounds, axis=1)
    controls = np.full(chosen.shape, NO_MATCH, dtype=np.int64)
    has_one = chosen != NO_MATCH
    controls[has_one] = drawn[chosen[has_one]]
    why = _WhyUnmatched(contig, matching, wanted, offered, with_genes=tss is not None)
    reasons = [None if has else why.of(number) for number, has in enumerate(has_one[:, 0])]
    return Matched(on_grid, controls, tuple(reasons))


def surroundings(
    sums: Composition,
    places: Positions,
    tss: Positions | None,
    window_bp: int,
) -> Surroundings:
    """What is around places of a contig; a window that leaves it counts as unknown there.

    Args:
        sums: of the contig.
        places: on the grid.
        tss: in order, at least one; None where they do not count.
        window_bp: of the window whose middle a place is.
    """
    steps = window_bp // STEP_BP
    # sums stand between steps: there is one more of them
    last = sums.known.size - 1 - steps
    first = places // STEP_BP - steps // 2
    is_whole = (first >= 0) & (first <= last)
    gc = np.full(places.size, np.nan)
    known = np.zeros(places.size)
    shares = sums.shares(first[is_whole], steps)
    gc[is_whole], known[is_whole] = shares
    log10_tss = np.zeros(places.size)
    if tss is not None:
        log10_tss = np.log10(1 + nearest_bp(places, tss))
    return Surroundings(gc, log10_tss, known)


def nearest_bp(places: Positions, sites: Positions) -> Positions:
    """The distance of each place to the nearest site.

    Args:
        places: in any order.
        sites: in order, at least one.
    """
    # of sites 10 and 50, place 20 lies behind the first: 50 is after it and 10 before; at either end both are one
    behind = np.searchsorted(sites, places)
    after = sites[np.minimum(behind, sites.size - 1)]
    before = sites[np.maximum(behind - 1, 0)]
    to_after_bp = np.abs(after - places)
    to_before_bp = np.abs(before - places)
    return np.minimum(to_after_bp, to_before_bp)


def _drawn(
    sums: Composition,
    boundaries: Positions,
    matching: Matching,
    rng: np.random.Generator,
) -> Positions:
    """Places of the grid whose window is on the contig and which no boundary is near, each once."""
    steps = sums.known.size - 1
    half = matching.window_bp // STEP_BP // 2
    places = np.arange(half, steps - half + 1) * STEP_BP
    to_boundary_bp = nearest_bp(places, np.sort(boundaries))
    is_apart = to_boundary_bp >= matching.apart_bp
    free = places[is_apart]
    # a short contig may not have as many
    wanted = min(free.size, matching.drawn * boundaries.size)
    return rng.choice(free, size=wanted, replace=False)


def _misfits(
    wanted: Surroundings,
    offered: Surroundings,
    matching: Matching,
) -> Float64[np.ndarray, "boundaries drawn"]:
    """How unlike each place is each boundary, in units of what is allowed; infinite where it is not like it."""
    by_gc = _misfit(wanted.gc, offered.gc, matching.gc)
    by_tss = _misfit(wanted.log10_tss, offered.log10_tss, matching.log10_tss)
    is_like = (by_gc <= 1) & (by_tss <= 1)
    misfit = np.hypot(by_gc, by_tss)
    return np.where(is_like, misfit, np.inf)


def _misfit(
    wanted: Float64[np.ndarray, " boundaries"],
    offered: Float64[np.ndarray, " drawn"],
    allowed: float,
) -> Float64[np.ndarray, "boundaries drawn"]:
    """By how much each place differs from each boundary in one respect, in units of what is allowed."""
    apart = np.abs(wanted[:, np.newaxis] - offered)
    # where nothing is allowed, 0 / 0 is no match either
    with np.errstate(invalid="ignore", divide="ignore"):
        return apart / allowed


def _nearest(
    misfits: Float64[np.ndarray, "boundaries drawn"], order: Int64[np.ndarray, " boundaries"]
) -> Int64[np.ndarray, " boundaries"]:
    """The most similar place of each boundary that no boundary before it in the order has taken."""
    chosen = np.full(order.size, NO_MATCH, dtype=np.int64)
    if not misfits.shape[1]:
        return chosen
    for boundary in order:
        place = int(misfits[boundary].argmin())
        if np.isfinite(misfits[boundary, place]):
            chosen[boundary] = place
            # taken, for every boundary and every round to come
            misfits[:, place] = np.inf
    return chosen


@dataclass(frozen=True)
class _WhyUnmatched:
    """Says which condition left a boundary without a control, and which option loosens it.

    Attributes:
        contig: on which boundaries and places lie.
        matching: what was asked.
        wanted: surroundings of the boundaries.
        offered: surroundings of the places that were drawn.
        with_genes: whether distances to TSSs count.
    """

    contig: str
    matching: Matching
    wanted: Surroundings
    offered: Surroundings
    with_genes: bool

    def of(self, boundary: int) -> str:
        """The first condition that no place meets, in the order in which places are chosen."""
        if np.isnan(self.wanted.gc[boundary]):
            window = f"its window of {self.matching.window_bp:,} bp"
            return f"{window} leaves {self.contig}, or none of its bases is known"
        places = self.offered.known.size
        if not places:
            apart = f"{self.matching.apart_bp:,} bp from every boundary (--apart-bp)"
            return f"no place of {self.contig} with a whole window is at least {apart}"
        drawn = f"of {counted(places, 'places')} drawn on {self.contig}"
        return f"{drawn} {self._unlike(boundary)}"

    def _unlike(self, boundary: int) -> str:
        """In which respect no place that was drawn is like the boundary."""
        matching = self.matching
        is_known = self.offered.known >= matching.least_known
        if not is_known.any():
            return f"none has {matching.least_known:.0%} of its window known"
        itself = slice(boundary, boundary + 1)
        by_gc = _misfit(self.wanted.gc[itself], self.offered.gc, matching.gc)
        by_tss = _misfit(self.wanted.log10_tss[itself], self.offered.log10_tss, matching.log10_tss)
        has_gc = is_known & (by_gc[0] <= 1)
        has_tss = is_known & (by_tss[0] <= 1)
        if not has_gc.any():
            return f"none has {self._gc(boundary)}"
        if not has_tss.any():
            return f"none has {self._tss(boundary)}"
        if not (has_gc & has_tss).any():
            return f"none has both {self._gc(boundary)} and {self._tss(boundary)}"
        options = "--gc-within or --tss-within" if self.with_genes else "--gc-within"
        return f"those that are like it are controls of other boundaries ({options})"

    def _gc(self, boundary: int) -> str:
        own = self.wanted.gc[boundary]
        return f"a share of G and C within {self.matching.gc:g} of its {own:.3f} (--gc-within)"

    def _tss(self, boundary: int) -> str:
        # surroundings hold log10 of one more
        own_bp = round(10 ** self.wanted.log10_tss[boundary]) - 1
        factor = f"10^{self.matching.log10_tss:g}"
        return (
            f"a TSS as near as its own, {own_bp:,} bp, within a factor of {factor} (--tss-within)"
        )
