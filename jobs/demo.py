"""`enformer-ray demo`: a known variant in real DNA, scored on Ray in this machine among all its neighbours.

The promoter of GP1BB has a site of GATA1. The demonstration changes every base around it into every other one, scores
all these changes, and shows which of them matter: as a picture, and as a table in which the disease variant is marked.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.export.mutation_map import MutationMap, Style
from enformer_core.storage.open import parse_address
from enformer_core.user_path import why_unwritable
from jobs import exit_codes
from jobs.gp1bb import CONTIG, KNOWN_ID, SLICE_START, DemoInput, shipped_letters, write_input
from jobs.made_up_study import EXPLAINED, PEOPLE, VARIANTS, write_study
from jobs.query import run_query
from jobs.score import score_variants
from jobs.settings import DemoSettings, ScoreSettings

_MODEL = "motif_core"
_TRACKS = "occupancy"
_FACTOR_TRACK = "motif-GATA1"

_SHARED_WINDOW_BP = 256
"""Neighbours lie at most so far off their window's centre: all of them share one or two."""

_SHARD_SIZE = 33
_AUDITED = 0.05
"""Of the alleles; so many that some of them change something."""

# Scores of an allele are a list over the tracks that were computed; DuckDB counts its items from 1, and so does
# list_position.
DEMO_SQL = """\
SELECT s.variant_id, s.id, s.pos, s.alt, t.identifier AS track, s.sad[t.list_position] AS sad
FROM scores s JOIN tracks t ON t.index = s.max_abs_sad_track
ORDER BY s.pos, s.alt"""
"""Every variant with the track that it changes most."""

OWN_DATA_WITHOUT_WEIGHTS = (
    "score variants.vcf.gz --genome hg38.fa --model motif --max-offset-bp 8192 --out try"
)
OWN_DATA = (
    "plan variants.vcf.gz --genome hg38.fa",
    "score variants.vcf.gz --genome hg38.fa --model enformer --weights pytorch_model.bin --out scores",
    "query scores 'FROM top LIMIT 20'",
)
"""What follows the command's name, for data of one's own; the first needs no download but a genome."""


@dataclass(frozen=True)
class Scored:
    """One variant as the run has it.

    Attributes:
        variant_id: with its place on the chromosome.
        name: its ID in the VCF; None where it has none.
        pos: 1-based.
        alt: its new letter.
        track: the one that changes most.
        sad: sum of that track's differences over the output's bins.
    """

    variant_id: str
    name: str | None
    pos: int
    alt: str
    track: str
    sad: float

    @property
    def breaks_the_site(self) -> bool:
        """Whether the factor's own track loses."""
        return self.track == _FACTOR_TRACK and self.sad < -1


def demo(settings: DemoSettings) -> int:
    """Write the promoter, score every change around its site on Ray in this machine, and show which matter.

    Returns:
        The exit code of the run; `DONE` when the answer was shown, and where a study was to be written.
    """
    if settings.gwas is not None:
        print("\n".join(_study(settings.gwas, settings.seed)))
        return exit_codes.DONE
    given = _input(settings.out)
    run = f"{settings.out}/gp1bb-scores"  # beside the input, which is no part of the run
    print("\n".join(_introduction(given)), flush=True)
    code = score_variants(
        ScoreSettings(
            variants=(str(given.variants),),
            genome=str(given.genome),
            model=_MODEL,
            tracks=_TRACKS,
            max_offset_bp=_SHARED_WINDOW_BP,
            shard_size=_SHARD_SIZE,
            audit_fraction=_AUDITED,
            ray=settings.ray,
            out=run,
        )
    )
    if code != exit_codes.DONE:
        return code
    scored = scores_of(run)
    columns = shutil.get_terminal_size().columns
    print("\n".join(["", *_picture(given, scored, columns), "", *_table(given, scored)]))
    print("\n".join(["", *_own_data()]))
    return exit_codes.DONE


def _study(out: str, seed: int) -> list[str]:
    """Write a made-up study, and say what it is."""
    written = write_study(out, seed)
    return [
        f"A made-up study: {PEOPLE:,} people, {VARIANTS} variants around the promoter of GP1BB (GRCh37),",
        f"a trait of which one of them explains {EXPLAINED:.1%}. truth.txt says which.",
        "",
        *(f"  {path}" for path in written),
        "",
        "What to do with it: enformer-ray docs tutorial",
    ]


def _input(out: str) -> DemoInput:
    """Write what is scored; whatever is wrong with the place is said before Ray starts."""
    if parse_address(out) is not None:
        raise InputError(f"--out {out}: the demonstration writes files of its own; give a path")
    place = Path(out) / "gp1bb"
    try:
        return write_input(place)
    except OSError as error:
        why = why_unwritable(place / "gp1bb.vcf", error)
        raise InputError(
            f"--out {out}: the demonstration's input cannot be written there: {why}. "
            "Give a directory that can be written to."
        ) from error


def scores_of(run: str) -> list[Scored]:
    """Every variant of the demonstration's run, by place and letter."""
    return [Scored(*row) for row in run_query(run, DEMO_SQL)]


def _introduction(given: DemoInput) -> list[str]:
    first = SLICE_START + 1
    last = SLICE_START + len(shipped_letters())
    return [
        "A known variant in real DNA. GATA1, a factor of blood cells, binds in the",
        f"promoter of GP1BB. The change {KNOWN_ID.removeprefix('GP1BB_')} was found in a patient with",
        "Bernard-Soulier syndrome, a bleeding disorder (Ludlow et al. 1996, J Biol Chem",
        "271:22076). Here every base around is changed, to see which changes matter.",
        "",
        f"variants: {given.variants} (all {len(given.snvs)} SNVs of {len(given.letters)} bp)",
        f"genome:   {given.genome}",
        f"places are GRCh37's: {CONTIG} has its letters in {first:,}-{last:,}, else N",
        "",
    ]


def _picture(given: DemoInput, scored: list[Scored], columns: int) -> list[str]:
    style = Style.of(sys.stdout)
    known = next(variant for variant in scored if variant.name == KNOWN_ID)
    drawn = MutationMap(
        first=given.first + 1,
        letters=given.letters,
        effects={(variant.pos, variant.alt): variant.sad for variant in scored},
        marked=(known.pos, known.alt),
        site=(given.site.start + 1, given.site.end),
    )
    strand = "read on the other strand" if given.site.reverse else "read on this strand"
    return [
        f"What each change does, {CONTIG}, GRCh37 (site: {given.site.consensus}, {strand})",
        "",
        *drawn.draw(style, columns),
        "",
        f"  {style.loss[-1]} the site is lost   {style.gain} a site is made   {style.none} nothing changes   "
        f"X {KNOWN_ID}",
        "  (blank)  the genome's own letter, which is no change",
    ]


def _table(given: DemoInput, scored: list[Scored]) -> list[str]:
    changing = [variant for variant in scored if abs(variant.sad) > 1]
    rows = [f"{'variant (GRCh37)':22}{'strongest track':18}{'SAD':>7}"]
    for variant in changing:
        mark = f"   <- {variant.name}, Bernard-Soulier syndrome" if variant.name else ""
        rows.append(f"{variant.variant_id:22}{variant.track:18}{variant.sad:>+7.1f}{mark}")
    in_site = [variant for variant in scored if given.site.start < variant.pos <= given.site.end]
    lost = sum(variant.breaks_the_site for variant in in_site)
    beside = [variant for variant in scored if variant not in in_site]
    also = sum(variant.breaks_the_site for variant in beside)
    return [
        *rows,
        "",
        f"{lost} of {len(in_site)} changes of the site's own letters break it, {also} of {len(beside)} beside it.",
    ]


def _own_data() -> list[str]:
    """What to do next, at first without weights."""
    called = _program()
    return [
        "Your own variants, without weights, to see how it goes (--model motif looks for",
        "motifs at full length; motif_core, as here, for their cores, frequent in any DNA):",
        f"  {called} {OWN_DATA_WITHOUT_WEIGHTS}",
        "With Enformer's weights:",
        *(f"  {called} {words}" for words in OWN_DATA),
    ]


def _program() -> str:
    """How this program is called here: by its name where the shell finds it, else by its path."""
    called = Path(sys.argv[0])
    if called.name != "enformer-ray" or shutil.which("enformer-ray"):
        return "enformer-ray"
    return str(called)
