"""`enformer-ray plot track`: what is predicted along the genome, of a run of tiles or of both alleles of a variant."""

import warnings

import polars as pl

from enformer_core.api.plots import MOST_TRACKS, effect_picture, track_names
from enformer_core.api.run_tables import RunTables
from enformer_core.api.scorer import Scorer
from enformer_core.dataset.run_tracks import ChosenTracks, chosen_tracks
from enformer_core.errors import InputError
from enformer_core.genome.contig_names import one_name_each
from enformer_core.genome.regions import parse_region
from enformer_core.pictures.bin_rows import prediction_row
from enformer_core.pictures.picture import Picture
from enformer_core.pictures.stack import Stretch, stacked
from jobs import exit_codes
from jobs.log import note
from jobs.picture_file import check_picture_name, save_picture
from jobs.plot_run_settings import TrackSettings
from jobs.run_of_kind import notes_of_state, open_run_of, reading
from jobs.selection_hint import selection_hint

MOST_BINS = 2_000
"""Steps of one row: of more, neighbours are drawn as their mean."""

_NEEDED = "give a run of `tiles` and --region, or --variant with --genome and --model"


def plot_track(settings: TrackSettings) -> int:
    """Draw predictions of a run, or of a variant.

    Returns:
        The exit code.

    Raises:
        InputError: for settings that do not go together, a run of another kind, tracks or places that it does not have.
        DatasetError: for a run that is damaged.
    """
    check_picture_name(settings.out)
    _check_options(settings)
    picture = _of_variant(settings) if settings.run is None else _of_run(settings, settings.run)
    save_picture(picture, settings.out)
    return exit_codes.DONE


def _check_options(settings: TrackSettings) -> None:
    of_variant = {
        "--variant": settings.variant,
        "--genome": settings.genome,
        "--model": settings.model,
    }
    if settings.run is None:
        missing = [option for option, value in of_variant.items() if value is None]
        if missing:
            raise InputError(f"{', '.join(missing)}: not given; {_NEEDED}")
        if settings.region is not None:
            raise InputError(f"--region {settings.region}: is of a run; of a variant give --flank")
        if settings.flank is not None and settings.flank < 1:
            raise InputError(f"--flank {settings.flank}: must be at least 1")
        return
    others = of_variant | {
        "--weights": settings.weights,
        "--targets": settings.targets,
        "--flank": settings.flank,
    }
    for option, value in others.items():
        if value is not None:
            raise InputError(f"{option} {value}: is of a variant, not of a run; {_NEEDED}")
    if settings.region is None:
        raise InputError(f"--region: not given; {_NEEDED}")


def _of_variant(settings: TrackSettings) -> Picture:
    assert settings.model is not None
    assert settings.genome is not None
    assert settings.variant is not None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        scorer = Scorer(
            settings.model,
            genome=settings.genome,
            weights=settings.weights,
            head=settings.head,
            tracks=settings.tracks,
            targets=settings.targets,
            device=settings.device,
        )
    for each in said:
        note(str(each.message))
    # before it costs anything
    if settings.tracks is not None and len(scorer.tracks) > MOST_TRACKS:
        raise InputError(_too_many(f"--tracks {settings.tracks}", len(scorer.tracks)))
    return effect_picture(
        scorer.variant(settings.variant), tracks=settings.tracks, flank_bp=settings.flank
    )


def _too_many(what: str, tracks: int) -> str:
    return (
        f"{what}: {tracks:,} tracks, and a picture has room for {MOST_TRACKS}; choose by --tracks"
    )


def _of_run(settings: TrackSettings, run: str) -> Picture:
    assert settings.region is not None
    chrom, start, end = parse_region("--region", settings.region)
    tables = open_run_of(run, "predictions", "tiles")
    check_region(tables, (chrom, start, end))
    chosen = chosen_tracks(tables.ledger, settings.tracks)
    if len(chosen) > MOST_TRACKS:
        raise InputError(_too_many(run, len(chosen)))
    hints = list(selection_hint(chosen.tracks, settings.tracks))
    names = track_names(chosen.tracks.rows)
    whole, own = _bins(tables, chosen, names, (chrom, start, end))
    notes = notes_of_state(tables.ledger, run)
    bin_bp = int(whole["end"][0] - whole["start"][0])
    table = whole
    if whole.height > MOST_BINS:
        bins = -(-whole.height // MOST_BINS)
        notes.append(f"{whole.height:,} bins: steps are means of {bins} each")
        table = pooled(whole, bins)
    tallest = float(table.select(pl.max_horizontal(pl.col(names).max())).item() or 0.0)
    rows = [
        prediction_row(
            table.select("start", "end", pl.col(name).alias("value")),
            name=name,
            bin_bp=bin_bp,
            tallest=tallest,
        )
        for name in names
    ]
    stretch = Stretch(own, start + 1, end)
    blank = unpredicted(whole, stretch)
    if blank:
        bases = sum(last - first + 1 for first, last in blank)
        first, last = blank[0]
        notes.append(
            f"{run}: predicts nothing of {bases:,} of these {stretch.length_bp:,} bp, such as "
            f"{own}:{first:,}-{last:,}; shaded in grey"
        )
    notice = tables.run.notice
    notes += [notice] if notice else []
    title = f"Predicted for {stretch.text}"
    return stacked(stretch, rows, title=title, notes=notes, hints=hints, blank=blank)


def _bins(
    tables: RunTables,
    chosen: ChosenTracks,
    names: list[str],
    region: tuple[str, int, int],
) -> tuple[pl.DataFrame, str]:
    """The bins that reach into a region, a column for each track, and what the run calls its contig."""
    here, is_here = _place(tables, region)
    with reading(tables, "predictions"):
        place_of = dict(tables.tracks.select("index", "list_position").collect().iter_rows())
    values = [
        pl.col("values").list.get(place_of[track.index] - 1).alias(name)
        for name, track in zip(names, chosen.tracks.rows, strict=True)
    ]
    found = tables.predictions.filter(is_here).select("start", "end", *values).sort("start")
    with reading(tables, "predictions"):
        table = found.collect()
    return table, here[0]


def _place(
    tables: RunTables,
    region: tuple[str, int, int],
) -> tuple[list[str], pl.Expr]:
    """What the run calls a contig, and whether a bin reaches into a region."""
    chrom, start, end = region
    contigs = dict.fromkeys(receipt.chrom for receipt in tables.receipts if receipt.chrom)
    known = one_name_each([chrom, *contigs])
    here = [contig for contig in contigs if known[contig] == chrom]
    return here, pl.col("chrom").is_in(here) & (pl.col("end") > start) & (pl.col("start") < end)


def check_region(tables: RunTables, region: tuple[str, int, int]) -> None:
    """Refuse a region without a bin, before anything is said of tracks.

    Raises:
        InputError: with what the run has.
    """
    _, is_here = _place(tables, region)
    with reading(tables, "predictions"):
        found = tables.predictions.filter(is_here).select("start").head(1).collect()
    if not found.height:
        chrom, start, end = region
        raise InputError(
            f"--region {chrom}:{start + 1}-{end}: {tables.location} has no bin there; {_predicted(tables)}"
        )


def _predicted(tables: RunTables) -> str:
    ends = tables.predictions.group_by("chrom").agg(pl.col("start").min(), pl.col("end").max())
    spans = [
        f"{chrom}:{start + 1}-{end}"
        for chrom, start, end in ends.sort("chrom").head(5).collect().iter_rows()
    ]
    return f"it has some within {', '.join(spans)}" if spans else "it has none at all"


def unpredicted(table: pl.DataFrame, stretch: Stretch) -> list[tuple[int, int]]:
    """Stretches without a value in any track, first and last base each, from 1; of 1-9 with a bin of 3-6 1-2 and 7-9.

    Args:
        table: `start` and `end`, 0-based and half-open, in order, and values.
        stretch: that is drawn.
    """
    known = table.filter(pl.any_horizontal(pl.exclude("start", "end").is_not_null()))
    gaps = []
    covered = stretch.first - 1
    for start, end in known.select("start", "end").iter_rows():
        if start > covered:
            gaps.append((covered + 1, start))
        covered = max(covered, end)
    if covered < stretch.last:
        gaps.append((covered + 1, stretch.last))
    return gaps


def pooled(table: pl.DataFrame, bins: int) -> pl.DataFrame:
    """Means over so many bins that follow one another; what is null counts for nothing.

    Args:
        table: `start`, `end`, and values.
        bins: how many become one.
    """
    number = pl.int_range(pl.len()) // bins
    others = pl.exclude("start", "end", "step")
    grouped = table.with_columns(number.alias("step")).group_by("step", maintain_order=True)
    means = grouped.agg(pl.col("start").min(), pl.col("end").max(), others.mean())
    return means.drop("step")
