"""What stands below a locus, around its variant: both alleles' predictions, and what each base contributes.

Each part has an axis of its own, for a promoter is a dot of a locus. Knows a model and runs of `attribute`.
"""

import warnings
from collections.abc import Iterator

from enformer_core.api.plots import MOST_TRACKS, effect_picture
from enformer_core.api.scorer import Scorer
from enformer_core.dataset.lookup import look_up
from enformer_core.errors import InputError, first_few
from enformer_core.pictures.picture import Picture
from enformer_core.variants.allele_keys import parse_key
from jobs.finished_run import open_ledger
from jobs.locus_place import Found
from jobs.locus_scores import read_statistic
from jobs.log import note
from jobs.plot_logo import logo_picture
from jobs.plot_run_settings import LogoSettings
from jobs.plot_settings import LocusSettings

_LETTERS_BP = 40
"""Of contributions, to either side: letters are told apart."""


def check_zoom(settings: LocusSettings) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: naming them.
    """
    for option, value in (("--model", settings.model), ("--contributions", settings.contributions)):
        if value is not None and settings.variant is None:
            raise InputError(f"{option} {value}: is drawn around a variant; give --variant KEY")
    if settings.model is not None and settings.genome is None:
        raise InputError(f"--model {settings.model}: reads a genome; give --genome FASTA")
    if settings.contributions_group is not None and settings.contributions is None:
        raise InputError(
            f"--contributions-group {settings.contributions_group}: is of a run of contributions; give "
            "--contributions RUN"
        )
    for option, value in (
        ("--genome", settings.genome),
        ("--weights", settings.weights),
        ("--targets", settings.targets),
    ):
        if value is not None and settings.model is None:
            raise InputError(f"{option} {value}: is for a model; give --model NAME")
    if settings.model is None and settings.zoom != LocusSettings.zoom:
        raise InputError(f"--zoom {settings.zoom}: is of predictions; give --model NAME")
    if settings.zoom < 1:
        raise InputError(f"--zoom {settings.zoom}: must be at least 1")


def zoomed(settings: LocusSettings, found: Found) -> Iterator[Picture]:
    """The parts that were asked for.

    Raises:
        InputError: for a place that is of several alleles, a run without the variant, and what the model cannot read.
        DatasetError: for runs that are damaged.
    """
    if settings.model is None and settings.contributions is None:
        return
    allele = _one_allele(settings, found)
    if settings.model is not None:
        yield _predicted(settings, allele)
    if settings.contributions is not None:
        yield logo_picture(
            LogoSettings(
                run=settings.contributions,
                target=allele,
                region=f"{found.chrom}:{max(found.pos - _LETTERS_BP, 1)}-{found.pos + _LETTERS_BP}",
                group=settings.contributions_group,
                out=settings.out,
            ),
            group_option="--contributions-group",
        )


def _one_allele(settings: LocusSettings, found: Found) -> str:
    if len(found.alleles) == 1:
        return found.alleles[0]
    if not found.alleles:
        raise InputError(
            f"--variant {settings.variant}: is a place; --model and --contributions need its alleles, as "
            f"{found.chrom}:{found.pos}:A:G"
        )
    raise InputError(
        f"--variant {settings.variant}: is of {len(found.alleles)} alleles; give one of {first_few(found.alleles)}"
    )


def _predicted(settings: LocusSettings, allele: str) -> Picture:
    assert settings.model is not None
    assert settings.genome is not None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        scorer = Scorer(
            settings.model,
            genome=settings.genome,
            weights=settings.weights,
            head=settings.head,
            tracks=_tracks(settings, allele),
            targets=settings.targets,
            device=settings.device,
        )
    for each in said:
        note(str(each.message))
    # a few that were chosen are all drawn, of many those that change most
    few = settings.tracks if len(scorer.tracks) <= MOST_TRACKS else None
    return effect_picture(scorer.variant(allele), tracks=few, flank_bp=settings.zoom)


def _tracks(settings: LocusSettings, allele: str) -> str | None:
    """Which tracks are predicted: those that are chosen, or the one that the run says is changed most."""
    if settings.tracks is not None:
        return settings.tracks
    if settings.group:
        return ",".join(text.partition("=")[2] for text in settings.group)
    if settings.run is None:
        return None
    ledger = open_ledger(settings.run)
    statistic = read_statistic(ledger, settings.statistic, settings.run)
    key = parse_key(allele)
    assert key is not None
    rows = [each.row for each in look_up(ledger, [key]).alleles]
    strongest = [row[f"max_abs_{statistic}_track"] for row in rows]
    track = next((each for each in strongest if each is not None), None)
    if track is None:
        note(f"{settings.run}: has no scores of {allele}; tracks are chosen by the model's own")
    return None if track is None else str(track)
