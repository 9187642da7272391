"""What `enformer-ray links` takes of its settings with a model and without: files, reach, names of scores."""

from collections.abc import Iterable

from enformer_core.errors import InputError, nearest
from enformer_core.links.contact import PowerLaw
from enformer_core.links.files import Activity, LinkFiles
from enformer_core.links.linking import Linking
from jobs.link_settings import FILE_SCORES, MODEL_SCORES, LinkPairSettings


def link_files(
    settings: LinkPairSettings,
    genome: str | None,
    activity: Activity,
) -> LinkFiles:
    """Genes and candidates as the settings name them, not read yet.

    Args:
        settings: of either command.
        genome: FASTA on which all must lie; None where nothing holds them against one.
        activity: whether activities are wanted.
    """
    return LinkFiles(
        genes=settings.genes,
        candidates=settings.candidates,
        genome=genome,
        gene_types=settings.gene_types,
        tss=settings.tss,
        expressed_only=settings.expressed_only,
        activity_columns=settings.activity,
        activity=activity,
    )


def linking_of(settings: LinkPairSettings, *, with_abc: bool) -> Linking:
    """How far genes reach, and by which law; `with_abc` says whether candidates have activities.

    Raises:
        InputError: for a reach of no bases, or a law that is none.
    """
    # refuses an exponent or a scale of which no contact follows
    law = PowerLaw(settings.powerlaw_gamma, settings.powerlaw_scale)
    return Linking(window_bp=settings.window_bp, law=law, with_abc=with_abc)


def check_scores(scores: Iterable[str]) -> None:
    """Refuse names of scores that there are none of, with or without a model.

    Raises:
        InputError: naming the first of them, and the score that it may be meant for.
    """
    # of both kinds: whoever mistypes a model's score may have named no model yet
    known = (*FILE_SCORES, *MODEL_SCORES)
    for name in scores:
        if name not in known:
            raise InputError(f"--scores {name}: there is no such score{nearest(name, known)}")
