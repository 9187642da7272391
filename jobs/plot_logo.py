"""`enformer-ray plot logo`: what each base contributes, as letters of that height."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from enformer_core.api.run_tables import RunTables
from enformer_core.errors import InputError, first_few, nearest
from enformer_core.genome.contig_names import one_name_each
from enformer_core.genome.regions import parse_region
from enformer_core.pictures.logo_row import extent, logo_row
from enformer_core.pictures.picture import Picture
from enformer_core.pictures.stack import Row, Stretch, stacked
from jobs import exit_codes
from jobs.picture_file import check_picture_name, save_picture
from jobs.plot_group import rows_of_group
from jobs.plot_run_settings import LogoSettings
from jobs.run_of_kind import notes_of_state, open_run_of, reading

MOST_BASES = 200
"""Of one picture: letters of more would not be told apart."""

_ALIKE = 0.01
"""Sums that differ by less of the largest are alike."""

_LETTERS = "ACGT"
_ALLELES = {"ref": "reference", "alt": "alternate"}
_DESCRIBED = (
    *("target", "name", "group", "allele", "chrom", "start", "end"),
    *("target_start", "target_end", "contig_bp", "status", "reason"),
)


def plot_logo(settings: LogoSettings) -> int:
    """Draw contributions of a target.

    Returns:
        The exit code.

    Raises:
        InputError: for a run of another kind, and targets, groups and bases that it does not have.
        DatasetError: for a run that is damaged.
    """
    check_picture_name(settings.out)
    if settings.region is None and not 1 <= settings.length <= MOST_BASES:
        raise InputError(f"--length {settings.length}: must be from 1 to {MOST_BASES}")
    save_picture(logo_picture(settings), settings.out)
    return exit_codes.DONE


def logo_picture(settings: LogoSettings, group_option: str = "--group") -> Picture:
    """The logo of a target; see `plot_logo` for what is refused.

    Args:
        settings: what is drawn.
        group_option: which option of the command has chosen the group.
    """
    run = open_run_of(settings.run, "contributions", "attribute")
    table = run.contributions
    with reading(run, "contributions"):
        known = table.select(_DESCRIBED).collect()
    of_target = _of_target(known, settings)
    of_group, notes, hints = rows_of_group(
        of_target, settings.group, settings.run, option=group_option
    )
    target = of_group.row(0, named=True)
    computed = of_group.filter(pl.col("status") == "ok")
    if not computed.height:
        raise InputError(
            f"target {target['target']}: was not attributed: {target['status']}, {target['reason']}"
        )
    lists = _lists(run, table, settings)
    wanted = (pl.col("target") == target["target"]) & (pl.col("group") == target["group"])
    columns = ("allele", "start", "sequence", "prediction", *lists)
    with reading(run, "contributions"):
        rows = table.filter(wanted).select(columns).collect()
    by_allele = {
        row["allele"]: row for row in rows.iter_rows(named=True) if row["values"] is not None
    }
    stretch = _stretch(settings, target, by_allele["ref"])
    drawn = list(_rows(by_allele, stretch, lists[1:]))
    if not any(row.table["value"].fill_nan(0).abs().max() for row in drawn):
        notes.append("all contributions of these bases are 0")
    if "alt" in by_allele and _is_moved(target):
        notes.append(
            "right of an insertion or deletion bases of the alternate are not at the genome's positions"
        )
    notes += notes_of_state(run.ledger, settings.run)
    notice = run.run.notice
    notes += [notice] if notice else []
    named = target["name"] or target["target"]
    title = f"What bases contribute to {target['group']} at {named}"
    return stacked(stretch, drawn, title=title, notes=notes, hints=hints)


def _of_target(known: pl.DataFrame, settings: LogoSettings) -> pl.DataFrame:
    keys = known["target"].unique(maintain_order=True).to_list()
    if not keys:
        raise InputError(f"{settings.run}: has no target yet")
    if settings.target is None:
        if len(keys) > 1:
            raise InputError(
                f"{settings.run}: has {len(keys):,} targets; choose one by --target: {first_few(keys)}"
            )
        return known
    for column in ("target", "name"):
        found = known.filter(pl.col(column) == settings.target)
        same = found["target"].unique(maintain_order=True).to_list()
        if len(same) > 1:
            raise InputError(
                f"--target {settings.target}: is the name of {len(same)} targets; give one of {first_few(same)}"
            )
        if same:
            return found
    names = [*keys, *(name for name in known["name"].unique(maintain_order=True) if name)]
    raise InputError(
        f"--target {settings.target}: {settings.run} has no such target{_likely(settings.target, names)}"
    )


def _likely(name: str, known: Sequence[str]) -> str:
    said = nearest(name, known)
    # of many targets all would be a page
    return said if len(said) < 300 else f"; it has {first_few(known)}"


def _lists(
    run: RunTables,
    table: pl.LazyFrame,
    settings: LogoSettings,
) -> list[str]:
    """Columns of values: contributions, and those of each letter where they are asked for."""
    hypothetical = [f"hypothetical_{letter.lower()}" for letter in _LETTERS]
    if not settings.hypothetical:
        return ["values"]
    if hypothetical[0] not in table.collect_schema().names():
        raise InputError(
            f"--hypothetical: {run.location} has no hypothetical contributions; "
            "`enformer-ray attribute --hypothetical` keeps them"
        )
    return ["values", *hypothetical]


def _stretch(
    settings: LogoSettings,
    target: dict[str, object],
    reference: dict[str, object],
) -> Stretch:
    """The bases that are drawn, on the contig."""
    own, start = str(target["chrom"]), int(str(target["start"]))
    first = max(start, 0)
    end = min(int(str(target["end"])), int(str(target["contig_bp"])))
    if settings.region is None:
        values = np.nan_to_num(np.asarray(reference["values"]))[first - start : end - start]
        at = first + strongest(values, settings.length)
        return Stretch(own, at + 1, min(at + settings.length, end))
    chrom, region_start, region_end = parse_region("--region", settings.region)
    if region_end - region_start > MOST_BASES:
        raise InputError(
            f"--region {settings.region}: has {region_end - region_start:,} bases, and a logo has room for {MOST_BASES}"
        )
    is_here = one_name_each([chrom, own])[own] == chrom
    if not is_here or region_start < first or region_end > end:
        raise InputError(
            f"--region {settings.region}: the window of {target['target']} is {own}:{first + 1}-{end}; give bases of it"
        )
    return Stretch(own, region_start + 1, region_end)


def strongest(values: np.ndarray, length: int) -> int:
    """Where the stretch of so many bases begins whose sizes sum to most.

    A motif that is shorter lies in many stretches of nearly that sum: of those beside the best one the middle one is
    taken. Of 0 0 -3 0 0 three bases: from 1.
    """
    sums = np.cumsum(np.append(0.0, np.abs(values.astype(np.float64))))
    length = min(length, values.size)
    of_stretches = sums[length:] - sums[: sums.size - length]
    best = int(of_stretches.argmax())
    is_less = of_stretches < (1 - _ALIKE) * of_stretches[best]
    before = np.flatnonzero(is_less[:best])
    behind = np.flatnonzero(is_less[best:])
    first = int(before[-1]) + 1 if before.size else 0
    last = best + int(behind[0]) - 1 if behind.size else of_stretches.size - 1
    return (first + last) // 2


def _rows(
    by_allele: dict[str, dict[str, object]],
    stretch: Stretch,
    hypothetical: Sequence[str],
) -> Iterator[Row]:
    shown = {allele: row for allele, row in by_allele.items() if allele in _ALLELES}
    letters = {allele: _letters(row, stretch) for allele, row in shown.items()}
    every = {}
    if hypothetical:
        every = {a: _hypothetical(row, stretch, hypothetical) for a, row in shown.items()}
    for allele, row in shown.items():
        name = _ALLELES[allele]
        yield logo_row(
            letters[allele],
            name=name,
            heading=f"{name}, prediction {row['prediction']:.4g}",
            title="contribution",
            domain=_ends(letters),
        )
        if hypothetical:
            yield logo_row(
                every[allele],
                name=f"hypothetical, {name}",
                heading=f"{name}, each letter in the place of each base",
                title="hypothetical",
                domain=_ends(every),
            )


def _ends(tables: dict[str, pl.DataFrame]) -> tuple[float, float]:
    """Of one axis for all: alleles are held against each other."""
    ends = [extent(table) for table in tables.values()]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _letters(row: dict[str, object], stretch: Stretch) -> pl.DataFrame:
    bases = _slice(row, stretch)
    return pl.DataFrame(
        {
            "pos": np.arange(stretch.first, stretch.last + 1),
            "letter": list(str(row["sequence"])[bases]),
            "value": np.asarray(row["values"], dtype=np.float64)[bases],
        }
    )


def _hypothetical(
    row: dict[str, object],
    stretch: Stretch,
    columns: Sequence[str],
) -> pl.DataFrame:
    bases = _slice(row, stretch)
    parts = [
        pl.DataFrame(
            {
                "pos": np.arange(stretch.first, stretch.last + 1),
                "letter": [letter] * stretch.length_bp,
                "value": np.asarray(row[column], dtype=np.float64)[bases],
            }
        )
        for letter, column in zip(_LETTERS, columns, strict=True)
    ]
    return pl.concat(parts)


def _slice(row: dict[str, object], stretch: Stretch) -> slice:
    """The bases of a stretch within the row's window."""
    start = int(str(row["start"]))
    return slice(stretch.first - 1 - start, stretch.last - start)


def _is_moved(target: dict[str, object]) -> bool:
    """Whether a variant's target changes its length: keys end with both alleles."""
    parts = str(target["target"]).split(":")
    return len(parts) >= 4 and len(parts[-1]) != len(parts[-2])
