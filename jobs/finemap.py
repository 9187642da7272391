"""`enformer-ray finemap`: credible sets and PIPs of a locus, without a prior and with one, side by side."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from enformer_core.errors import InputError
from enformer_core.export.whole_file import whole_file
from enformer_core.finemapping.finemap import (
    FinemapResult,
    finemap,
    said_of_suspects,
    sentence_of,
)
from enformer_core.finemapping.finemap import FinemapSettings as Fitting
from enformer_core.finemapping.finemap_rows import as_json, variant_rows
from enformer_core.finemapping.ld import open_panel
from enformer_core.finemapping.locus import NO_WEIGHTS, LocusData, PriorWeights, put_together
from enformer_core.finemapping.study import Locus, StudyFile
from enformer_core.finemapping.susie import SusieSettings
from enformer_core.genome.regions import parse_region
from enformer_core.links.written import is_written, written
from enformer_core.user_path import one_line
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.version import __version__
from enformer_core.words import agreeing, counted
from jobs import exit_codes
from jobs.finemap_settings import FinemapSettings
from jobs.finished_run import open_ledger
from jobs.log import note, tell
from jobs.terminal import print_prose, terminal_columns
from jobs.text_columns import TextColumns

_SHOWN_MEMBERS = 8

_ALLELES = ("effect_allele", "other_allele")
_SHOWN_BP = 12

_LEAST_SHOWN = 0.001
"""PIP below which a variant is no candidate, and not shown to people."""

_SHOWN = (
    "id",
    "chrom",
    "pos",
    "effect_allele",
    "other_allele",
    "z",
    "prior",
    "pip_uniform",
    "pip_prior",
    "pip_change",
    "set_uniform",
    "set_prior",
)
_KEPT = ("id", "pip_prior", "pip_uniform", "pip_change", "set_prior", "set_uniform", "z", "prior")
_WORDS = ("id", "chrom", *_ALLELES)
_OF_PRIORS = ("prior", "pip_prior", "pip_change", "set_prior")


def finemap_locus(settings: FinemapSettings) -> int:
    """Fit a locus, and print what came of it.

    Returns:
        The exit code.

    Raises:
        InputError: for files that cannot be used or do not fit each other, and for settings that cannot be.
    """
    fitting = _fitting(settings)
    out = None if settings.out is None else _new_file(settings.out)
    study = _study_file(settings).read()
    panel = open_panel(settings.ld, settings.ld_variants)
    data = put_together(study, panel)
    prior = _weights(settings, data)
    result = finemap(data, panel.name, prior.weights, fitting)
    missing = (*data.missing, *prior.missing)
    notes = (*study.notes, *data.notes, *prior.notes, *result.notes)
    for text in notes:
        note(text)
    if settings.json:
        made_of = {
            "inputs": _inputs(settings),
            "prior_made_of": prior.made_of,
            "created_by": f"enformer-ray {__version__}",
        }
        print(json.dumps(as_json(result, missing, notes) | made_of))
    else:
        print_prose(_summary(settings, result))
        _print_top(variant_rows(result), settings.top)
    if out is not None:
        _write(out, result)
        tell("finemap", f"{counted(data.z.size, 'variants')} in {settings.out}", prefix="finemap")
    return exit_codes.DONE


def _inputs(settings: FinemapSettings) -> dict[str, object]:
    """What the answer is made of, as it was given: by options, of which those that were not given are null."""
    return {
        name: getattr(settings, name)
        for name in (
            *("sumstats", "locus", "effect_allele", "ld", "ld_variants"),
            *("prior", "prior_sql", "prior_column", "genome"),
        )
    }


def _fitting(settings: FinemapSettings) -> Fitting:
    _check_within("--coverage", settings.coverage, 0, 1)
    _check_within("--min-purity", settings.min_purity, 0, 1)
    _check_within("--ld-shrinkage", settings.ld_shrinkage, 0, 1)
    if settings.coverage in (0, 1):
        raise InputError(f"--coverage {settings.coverage:g}: must be above 0 and below 1")
    if not 0 <= settings.least_evidence < math.inf:
        raise InputError(f"--least-evidence {settings.least_evidence:g}: must be 0 or more")
    if settings.tolerance <= 0:
        raise InputError(f"--tolerance {settings.tolerance:g}: must be above 0")
    for option, number in (
        ("--effects", settings.effects),
        ("--max-iterations", settings.max_iterations),
        ("--top", settings.top),
    ):
        if number < 1:
            raise InputError(f"{option} {number}: must be at least 1")
    if settings.prior is not None and settings.prior_column is not None:
        raise InputError(
            f"--prior {settings.prior} and --prior-column {settings.prior_column}: give one of them"
        )
    for option, value in (("--prior-sql", settings.prior_sql), ("--genome", settings.genome)):
        if value is not None and settings.prior is None:
            raise InputError(
                f"{option} {value}: is of a run; give --prior RUN too, or leave it out"
            )
    susie = SusieSettings(
        effects=settings.effects,
        least_evidence=settings.least_evidence,
        estimates_residual_variance=settings.estimate_residual_variance,
        tolerance=settings.tolerance,
        most_rounds=settings.max_iterations,
    )
    return Fitting(
        susie, settings.coverage, settings.min_purity, settings.ld_shrinkage, settings.diagnostics
    )


def _check_within(
    option: str,
    value: float,
    low: float,
    high: float,
) -> None:
    if not low <= value <= high:
        raise InputError(f"{option} {value:g}: must be between {low:g} and {high:g}")


def _new_file(name: str) -> Path:
    """The place of a file that is not there yet, before anything is read."""
    if "://" in name:
        raise InputError(f"--out {name}: is written to a file of this machine; give a path")
    if not is_written(name):
        raise InputError(f"--out {name}: is written as .tsv, .tsv.gz or .parquet; name one")
    path = Path(name)
    # nothing is ever written over
    if path.exists():
        raise InputError(f"{name}: is there already. Remove it, or give --out another name.")
    if not path.parent.is_dir():
        raise InputError(f"{name}: there is no directory {path.parent}")
    return path


def _study_file(settings: FinemapSettings) -> StudyFile:
    locus = None
    if settings.locus is not None:
        chrom, start, end = parse_region("--locus", settings.locus)
        locus = Locus(settings.locus, chrom, start + 1, end)
    return StudyFile(
        settings.sumstats,
        settings.n,
        locus,
        settings.prior_column,
        GivenColumns.parse(settings.columns, settings.effect_allele),
    )


def _weights(
    settings: FinemapSettings,
    data: LocusData,
) -> PriorWeights:
    """Prior weights of the locus's variants, which of them have no score, and what is to be said."""
    if settings.prior is not None:
        # here: what reads runs is not needed otherwise
        from enformer_core.export.run_input import run_genome
        from enformer_core.finemapping.run_prior import weights_of_run

        ledger = open_ledger(settings.prior)
        genome = run_genome(ledger, settings.genome)
        return weights_of_run(data, ledger, settings.prior_sql, genome=genome)
    if data.study.weights is None:
        return NO_WEIGHTS
    weights = data.study.weights[data.row]
    if not weights.any():
        raise InputError(
            f"--prior-column {settings.prior_column}: all {counted(weights.size, 'variants')} of the locus have a "
            "weight of 0; one at least must be above"
        )
    return PriorWeights(weights, made_of=f"column {settings.prior_column} of {data.study.name}")


def _summary(
    settings: FinemapSettings,
    result: FinemapResult,
) -> Iterator[str]:
    fit = result.uniform.fit
    estimated = "estimated" if settings.estimate_residual_variance else "fixed"
    yield (
        f"locus    {counted(result.data.z.size, 'variants')}, {result.data.study.people:,.0f} people; at most "
        f"{counted(fit.prior_variance.size, 'effects')}, residual variance {fit.residual_variance:.4g} ({estimated}), "
        f"tolerance {settings.tolerance:g}"
    )
    found = result.consistency
    if found is not None:
        meaning = sentence_of(found, seems_squared=result.data.seems_squared)
        yield f"lambda   {found.mismatch:.4f}: {meaning}"
    suspects = said_of_suspects(result)
    if suspects is not None:
        yield f"suspect  {suspects}"
    yield from _sets("uniform", result, is_prior=False)
    if result.prior is not None:
        yield from _sets("prior", result, is_prior=True)


def _sets(
    name: str,
    result: FinemapResult,
    *,
    is_prior: bool,
) -> Iterator[str]:
    """A line for each credible set of a fit."""
    fitted = result.prior if is_prior else result.uniform
    assert fitted is not None
    if not fitted.sets:
        yield f"{name:<8} no credible set"
    for number, each in enumerate(fitted.sets, 1):
        shown = [result.data.labels[member] for member in each.members[:_SHOWN_MEMBERS]]
        more = len(each.members) - len(shown)
        behind = f" and {more:,} more" if more else ""
        yield (
            f"{name:<8} set {number}: {counted(len(each.members), 'variants')}, coverage {each.coverage:.3f}, purity "
            f"{each.purity:.3f}: {', '.join(shown)}{behind}"
        )
    if fitted.impure:
        purest = fitted.impure[0]
        count = counted(len(fitted.impure), "sets")
        are = agreeing(len(fitted.impure), "is", "are")
        yield (
            f"{name:<8} {count} of less purity than {result.settings.least_purity:g} {are} left out, the purest of "
            f"{counted(len(purest.members), 'variants')}, coverage {purest.coverage:.3f}, purity {purest.purity:.3f} "
            "(--min-purity)"
        )


def _print_top(
    rows: pl.DataFrame,
    top: int,
) -> None:
    """The variants of the largest PIPs, in columns."""
    largest = pl.max_horizontal("pip_uniform", "pip_prior")
    ordered = rows.sort(largest, descending=True, maintain_order=True)
    # one at least, though nothing be likely
    likely = max(1, ordered.filter(largest >= _LEAST_SHOWN).height)
    shown = ordered.head(min(top, likely))
    names = [name for name in _SHOWN if name not in _OF_PRIORS or rows["prior"].null_count() == 0]
    cells = [
        [_text(name, value) for name, value in zip(names, row, strict=True)]
        for row in shown.select(names).iter_rows()
    ]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    columns = TextColumns.fitted(
        names, widths, [name not in _WORDS for name in names], terminal_columns(), kept=_KEPT
    )
    print()
    print(columns.line(names))
    print(columns.rule())
    for row in cells:
        print(columns.line(row))
    print_prose([_said_of_others(rows, shown)])
    if columns.left_out:
        left_out = ", ".join(columns.left_out)
        print_prose([f"not shown, as the terminal is too narrow: {left_out} (--out has them)"])


def _said_of_others(
    rows: pl.DataFrame,
    shown: pl.DataFrame,
) -> str:
    """How many variants are not shown, and what all PIPs add up to: about the number of effects that were found."""
    fits = [name for name in ("pip_uniform", "pip_prior") if rows[name].null_count() == 0]
    sums = ", ".join(f"{name} {rows[name].sum():.3f}" for name in fits)
    largest = rows.select(pl.max_horizontal(fits)).to_series()
    unlikely = int((largest < _LEAST_SHOWN).sum())
    have = agreeing(unlikely, "has", "have")
    return (
        f"{shown.height:,} of {counted(rows.height, 'variants')} shown; {unlikely:,} {have} PIPs "
        f"below {_LEAST_SHOWN:g}; all PIPs add up to: {sums}"
    )


def _text(
    name: str,
    value: object,
) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        text = one_line(str(value))
        is_long = name in _ALLELES and len(text) > _SHOWN_BP
        return f"{text[:_SHOWN_BP]}…" if is_long else text
    if name == "pip_change":
        return f"{value:+.4f}"
    return f"{value:.3g}" if name == "prior" else f"{value:.4f}"


def _write(
    path: Path,
    result: FinemapResult,
) -> None:
    rows = variant_rows(result)
    # another command may have made it since
    with (
        whole_file(path, may_replace=False) as file,
        written(file, path.name, rows.clear()) as write,
    ):
        write(rows)
