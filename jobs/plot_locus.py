"""`enformer-ray plot locus`: a study, fine-mapping, genes and a run's scores, one above the other on one stretch."""

from collections.abc import Sequence

from enformer_core.errors import InputError
from enformer_core.pictures.picture import Picture
from enformer_core.pictures.stack import below, stacked
from jobs import exit_codes
from jobs.locus_place import find_variant, stretch_of
from jobs.locus_rows import check_sources, locus_rows, without_rows
from jobs.locus_zoom import check_zoom, zoomed
from jobs.picture_file import check_picture_name, save_picture
from jobs.plot_settings import LocusSettings

_NO_ROWS = "give a run, --sumstats, --pips or --genes"


def plot_locus(settings: LocusSettings) -> int:
    """Draw a stretch of a contig.

    Returns:
        The exit code.

    Raises:
        InputError: for a stretch that is none, files that cannot be used, and where nothing lies in the stretch.
        DatasetError: for a run that is damaged.
    """
    check_picture_name(settings.out)
    _check_options(settings)
    parts: list[Picture] = []
    if settings.locus is not None:
        stretch = stretch_of("--locus", settings.locus)
        title = f"Locus {stretch.text}"
        said: Sequence[str] = ()
    else:
        assert settings.variant is not None
        variant = find_variant(settings.variant, settings.run)
        stretch = variant.around(settings.flank)
        said = variant.notes
        title = f"{settings.variant} and {settings.flank:,} bp around it"
        parts = list(zoomed(settings, variant))
    found = locus_rows(settings, settings.run, stretch)
    if found.rows:
        locus = stacked(
            stretch,
            found.rows,
            title=title,
            notes=[*said, *found.picture_notes],
            hints=found.hints,
        )
        parts = [locus, *parts]
    if not parts:
        raise InputError(f"{stretch.text}: nothing to draw: {without_rows(found.notes)}")
    first, *others = parts
    save_picture(below(first, others), settings.out)
    return exit_codes.DONE


def _check_options(settings: LocusSettings) -> None:
    if (settings.locus is None) == (settings.variant is None):
        raise InputError(
            "give --locus chr20:4600000-4800000 or --variant chr20:4699605:A:G, one of them"
        )
    if settings.locus is not None and settings.flank != LocusSettings.flank:
        raise InputError(f"--flank {settings.flank}: is of --variant; --locus has ends of its own")
    if settings.flank < 1:
        raise InputError(f"--flank {settings.flank}: must be at least 1")
    check_zoom(settings)
    sources = (
        *(settings.run, settings.sumstats, settings.pips, settings.genes),
        *(settings.model, settings.contributions),
    )
    if all(source is None for source in sources):
        raise InputError(f"nothing to draw: {_NO_ROWS}")
    check_sources(settings, settings.run or settings.model)
