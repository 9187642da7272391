"""`enformer-ray plot links`: arcs from the elements of a gene to where it starts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl

from enformer_core.errors import InputError, first_few, nearest
from enformer_core.genome.contig_names import one_name_each
from enformer_core.genome.regions import parse_region
from enformer_core.links.written import is_tsv, is_written
from enformer_core.pictures.link_rows import arc_row, element_row
from enformer_core.pictures.picture import Picture
from enformer_core.pictures.stack import Stretch, stacked
from enformer_core.storage.open import local_path, parse_address
from enformer_core.words import agreeing, counted
from jobs import exit_codes
from jobs.link_scores import check_places, with_score
from jobs.picture_file import check_picture_name, save_picture
from jobs.plot_group import rows_of_group
from jobs.plot_run_settings import LinkPictureSettings
from jobs.run_of_kind import notes_of_state, open_run_of, reading

MOST_ARCS = 60
"""Of one picture."""

_PLACES = ("gene", "chrom", "tss", "start", "end")
_OWN = "is_self_promoter"

_EDGE = 0.04
"""Free room at either end, as a share of what is drawn."""


def plot_links(settings: LinkPictureSettings) -> int:
    """Draw the links of a gene.

    Returns:
        The exit code.

    Raises:
        InputError: for a run of another kind, a table without links; genes, scores and groups that are not there.
        DatasetError: for a run that is damaged.
    """
    check_picture_name(settings.out)
    rows, notes, within = _read(settings)
    with within:
        columns = rows.collect_schema().names()
        gene = _gene(rows, columns, settings)
        of_gene = rows.filter(_is_gene(gene, columns)).collect()
    of_gene, said, hints = _of_group(of_gene, settings)
    notes += said
    of_gene, score = with_score(of_gene, settings.score, settings.run)
    links = _links(of_gene, score)
    if links.height < of_gene.height:
        without = counted(of_gene.height - links.height, "elements")
        notes.append(f"{without} of {gene} left out, without a number in {score}")
    links, own, said = _without_own_promoter(links, gene, score)
    notes += said
    links, said = _drawn(links, settings, gene, score)
    notes += said
    picture = _picture(links, own, score, gene, notes)
    save_picture(replace(picture, hints=hints), settings.out)
    return exit_codes.DONE


def _read(
    settings: LinkPictureSettings,
) -> tuple[pl.LazyFrame, list[str], AbstractContextManager[None]]:
    """The table of links, what is to be said of it, and within what its rows are collected."""
    name = settings.run
    is_file = is_written(name) if parse_address(name) else Path(name).is_file()
    if is_file:
        return _of_file(name), [], _as_table(name)
    run = open_run_of(name, "links", "links")
    notes = notes_of_state(run.ledger, name)
    if run.run.notice:
        notes.append(run.run.notice)
    return run.links, notes, reading(run, "links")


@contextmanager
def _as_table(name: str) -> Iterator[None]:
    """Within it a file is read; of one that cannot be the name is said."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        said = str(error).partition("\n")[0]
        raise InputError(f"{name}: cannot be read as a table: {said}") from error


def _of_file(name: str) -> pl.LazyFrame:
    if not is_written(name):
        raise InputError(
            f"{name}: is no table of links by its name; `enformer-ray links` writes .parquet, .tsv and .tsv.gz"
        )
    path = local_path(name)
    with _as_table(name):
        if is_tsv(name):
            rows = pl.scan_csv(path, separator="\t", infer_schema_length=None, quote_char=None)
        else:
            rows = pl.scan_parquet(path, glob=False)
        columns = rows.collect_schema().names()
    missing = [column for column in _PLACES if column not in columns]
    if missing:
        raise InputError(f"{name}: has no column {missing[0]}, so it is no table of links")
    check_places(rows.collect_schema(), name)
    return rows


def _is_gene(gene: str, columns: list[str]) -> pl.Expr:
    is_gene = pl.col("gene").cast(pl.String) == gene
    if "gene_id" in columns:
        return is_gene | (pl.col("gene_id").cast(pl.String) == gene).fill_null(value=False)
    return is_gene


def _gene(
    rows: pl.LazyFrame,
    columns: list[str],
    settings: LinkPictureSettings,
) -> str:
    genes = rows.select(pl.col("gene").cast(pl.String)).unique(maintain_order=True).collect()
    names = genes["gene"].drop_nulls().to_list()
    if not names:
        raise InputError(f"{settings.run}: has no links")
    if settings.gene is None:
        if len(names) > 1:
            raise InputError(
                f"{settings.run}: has {len(names):,} genes; choose one by --gene: {first_few(names)}"
            )
        return str(names[0])
    if settings.gene in names:
        return settings.gene
    if rows.filter(_is_gene(settings.gene, columns)).head(1).collect().height:
        return settings.gene
    said = nearest(settings.gene, names)
    likely = said if len(said) < 300 else f"; it has {first_few(names)}"
    raise InputError(f"--gene {settings.gene}: {settings.run} has no links of it{likely}")


def _of_group(
    of_gene: pl.DataFrame,
    settings: LinkPictureSettings,
) -> tuple[pl.DataFrame, list[str], list[str]]:
    if "group" not in of_gene.columns:
        if settings.group is not None:
            raise InputError(
                f"--group {settings.group}: {settings.run} was made without a model and has no groups; leave it out"
            )
        return of_gene, [], []
    return rows_of_group(of_gene, settings.group, settings.run)


def _links(of_gene: pl.DataFrame, score: str) -> pl.DataFrame:
    """What is drawn of each pair, the strongest first; pairs without the score are left out."""
    columns = of_gene.columns
    place = pl.format("{}:{}-{}", "chrom", pl.col("start") + 1, "end")
    name = pl.coalesce(pl.col("name").cast(pl.String), place) if "name" in columns else place
    kind = pl.col("class").cast(pl.String) if "class" in columns else pl.lit(None, pl.String)
    middle = (pl.col("start") + pl.col("end")) / 2 + 0.5
    distance = pl.col("distance") if "distance" in columns else (middle - pl.col("tss") - 1).abs()
    value = pl.col(score).cast(pl.Float64)
    is_own = pl.col(_OWN) if _OWN in columns else pl.lit(None, pl.Boolean)
    found = of_gene.select(
        name.alias("name"),
        kind.alias("class"),
        pl.col("chrom").cast(pl.String),
        (pl.col("start") + 1).alias("first"),
        pl.col("end").alias("last"),
        middle.alias("middle"),
        (pl.col("tss") + 1).alias("tss"),
        distance.alias("distance"),
        value.alias("score"),
        is_own.fill_null(value=False).alias(_OWN),
    )
    known = found.filter(pl.col("score").is_finite().fill_null(value=False))
    return known.sort(pl.col("score").abs(), descending=True, maintain_order=True)


def _without_own_promoter(
    links: pl.DataFrame,
    gene: str,
    score: str,
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """The gene's own promoter apart: beside its score, which is 1 by definition where it is `abc`, all others are flat.

    Returns:
        What has arcs, what has none, and what is to be said.
    """
    own = links.filter(_OWN)
    others = links.filter(~pl.col(_OWN))
    if not own.height or not others.height:
        return links.drop(_OWN), own.clear().drop(_OWN), []
    values = ", ".join(f"{name} ({value:.4g})" for name, value in own["name", "score"].iter_rows())
    note = f"without an arc, as {gene}'s own promoter: {values}"
    return others.drop(_OWN), own.drop(_OWN), [f"{note}, its {score} in brackets"]


def _drawn(
    links: pl.DataFrame,
    settings: LinkPictureSettings,
    gene: str,
    score: str,
) -> tuple[pl.DataFrame, list[str]]:
    """The links of the region, the strongest, and what is left out."""
    notes = []
    if not links.height:
        raise InputError(f"{settings.run}: no element of {gene} has a value of {score}")
    if settings.region is not None:
        chrom, start, end = parse_region("--region", settings.region)
        own = links["chrom"][0]
        is_here = (pl.col("last") > start) & (pl.col("first") <= end)
        inside = (
            links.filter(is_here) if one_name_each([chrom, own])[own] == chrom else links.clear()
        )
        if not inside.height:
            low, high = int(links["first"].min()), int(links["last"].max())  # type: ignore[arg-type]
            span = f"{own}:{low}-{high}"
            raise InputError(
                f"--region {settings.region}: no element of {gene} lies there; they lie within {span}"
            )
        if inside.height < links.height:
            left_out = links.height - inside.height
            notes.append(f"{counted(left_out, 'elements')} outside {settings.region} left out")
        links = inside
    if links.height > MOST_ARCS:
        left_out = links.height - MOST_ARCS
        are = agreeing(left_out, "is", "are")
        notes.append(
            f"of {links.height:,} elements the {MOST_ARCS} of the largest {score} are drawn, {left_out:,} {are} not"
        )
    if not links["score"].abs().max():
        notes.append(f"all values of {score} are 0")
    return links.head(MOST_ARCS), notes


def _picture(
    links: pl.DataFrame,
    own: pl.DataFrame,
    score: str,
    gene: str,
    notes: list[str],
) -> Picture:
    low = min(int(links["first"].min()), int(links["tss"].min()))  # type: ignore[arg-type]
    high = max(int(links["last"].max()), int(links["tss"].max()))  # type: ignore[arg-type]
    room = max(round(_EDGE * (high - low)), 50)
    stretch = Stretch(links["chrom"][0], max(low - room, 1), high + room)
    rows = [arc_row(links, score=score, gene=gene), element_row(pl.concat([links, own]))]
    return stacked(stretch, rows, title=f"Elements of {gene}, by {score}", notes=notes)
