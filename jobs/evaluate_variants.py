"""`enformer-ray evaluate variants`: a run's scores held against labels, fine-mapping, or measured effects."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import polars as pl

from enformer_core.dataset.codec import canonical_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.progress import run_progress
from enformer_core.errors import InputError
from enformer_core.evaluate.average_precision import Bootstrap
from enformer_core.evaluate.labelled import DrawnBy as LabelledBy
from enformer_core.evaluate.labelled import LabelledResult, LabelledRows, judge_labelled
from enformer_core.evaluate.matched_negatives import Matching
from enformer_core.evaluate.measured import MeasuredBy, MeasuredResult, judge_measured
from enformer_core.evaluate.row_buckets import JUDGED, BucketCount, Example, counts
from enformer_core.evaluate.run_rows import (
    as_written,
    beside_alleles,
    beside_lines,
    check_overlap,
    decided,
    in_normal_form,
)
from enformer_core.evaluate.variant_layouts import Asked, Effects, Labels, find_layout
from enformer_core.evaluate.variant_table import VariantTable, open_variant_table
from enformer_core.evaluate.variant_values import (
    effects_once,
    judged_effects,
    judged_labels,
    labels_once,
    with_effects,
    with_groups,
    with_labels,
)
from enformer_core.export.whole_file import STDOUT, ReaderLeftError, replaces, whole_file
from enformer_core.genome.fasta import Genome
from enformer_core.storage.open import local_path
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.words import agreeing, counted
from jobs import exit_codes
from jobs.evaluate_answer import Judgement, as_object, lines_of
from jobs.evaluate_settings import DrawnBy, EvaluateVariantsSettings
from jobs.finished_run import check_beside
from jobs.log import note
from jobs.output_guard import check_folder
from jobs.result_files import printed_to
from jobs.run_scores import RunScores, run_scores
from jobs.terminal import print_prose

_BY_LABEL = "max_abs_sad"
_FEW_PIECES = 10
"""Pieces that are drawn, below which an interval says little of what others would come to."""

_BY_EFFECT = "list_avg(sad)"


def evaluate_variants(settings: EvaluateVariantsSettings) -> int:
    """Print how well a run's scores agree with what an experiment says of its variants.

    Returns:
        The exit code.

    Raises:
        InputError: for a table or a run that cannot be used, and for tables of which the run has nothing.
    """
    path = None
    if settings.output is not None:
        path = STDOUT if settings.output == str(STDOUT) else Path(settings.output)
        # before anything is judged
        check_beside(path, settings.run)
        check_folder(path)
    judgement = judge(settings)
    if path is None:
        _print(judgement, as_json=settings.json)
        return exit_codes.DONE
    if replaces(path):
        note(f"{path}: takes the place of the file that was there")
    with suppress(ReaderLeftError), whole_file(path) as stream, printed_to(stream):
        _print(judgement, as_json=settings.json)
    return exit_codes.DONE


def judge(settings: EvaluateVariantsSettings) -> Judgement:
    """Read the table, ask the run, and judge.

    Raises:
        InputError: as `evaluate_variants`.
    """
    asked = Asked(
        label=settings.label_column,
        pip=settings.pip_column,
        value=settings.value_column,
        element=settings.element_column,
        min_pip=settings.min_pip,
        max_pip=settings.max_pip,
        match=settings.match,
        min_tags=settings.min_tags,
        max_p=settings.max_p,
    )
    bootstrap = Bootstrap.asked(settings.bootstrap, settings.seed)
    matching = Matching(settings.negatives, settings.seed)
    table = open_variant_table(
        settings.table,
        lambda header: find_layout(settings.table, header, asked),
        columns=GivenColumns.parse(settings.columns, None),
        sites=settings.sites,
    )
    of_effects = isinstance(table.layout, Effects)
    default = _BY_EFFECT if of_effects else _BY_LABEL
    expression = default if settings.score is None else settings.score
    signed = of_effects if settings.sign == "auto" else settings.sign == "alt"
    with run_scores(settings.run, expression) as run:
        _note_state(run, settings)
        joined_by, rows = _beside_the_run(table, run, settings.genome, asked)
    rows = _once(table, rows)
    if isinstance(table.layout, Labels):
        rows = with_groups(table, table.layout, rows, matching)
    rows = decided(rows, signed=signed)
    buckets = counts(rows)
    _check_any(table.name, buckets)
    result, drawn_by = _result(table, rows, bootstrap, settings.bootstrap_by)
    return Judgement(
        table.name,
        settings.run,
        table.layout.column,
        expression,
        signed,
        joined_by,
        rows.height,
        buckets,
        result,
        {"draws": bootstrap.draws, "seed": bootstrap.seed, "by": drawn_by},
    )


def _note_state(run: RunScores, settings: EvaluateVariantsSettings) -> None:
    """Say what of the run a reader of its figures should know."""
    ledger = run.run.ledger
    if not run_progress(ledger).finished:
        note(f"{run.name}: is not finished; variants that it has not come to are missing")
    tracks = ledger.run.typed_identity.tracks.count
    if settings.score is None and run.expression == _BY_EFFECT and tracks > 1:
        note(
            f"the score is the mean of sad over {tracks:,} tracks; name those of the cells that were measured: "
            "--score 'sad[1]', with list_position of `tracks`"
        )


def _beside_the_run(
    table: VariantTable,
    run: RunScores,
    genome_name: str | None,
    asked: Asked,
) -> tuple[str, pl.DataFrame]:
    """The table's rows with what the run has of each, and how they were joined; what is odd in that is said."""
    joined_by, genome, file = _way(table, run, genome_name)
    rows = _valued(table, table.rows(genome), asked)
    rows = _beside(rows, run, joined_by, file)
    overlap = check_overlap(table.name, run.name, rows, run.any_allele())
    if overlap is not None:
        note(overlap)
    return joined_by, rows


def _way(
    table: VariantTable, run: RunScores, genome: str | None
) -> tuple[str, Genome | None, str | None]:
    """How rows find their alleles; the genome, or the name of the input file, by which they do."""
    identity = run.run.ledger.run.identity
    digest = table.digest()
    inputs = identity.get("input") or []
    made = run.run.ledger.run.configuration
    is_made = bool(made.get("mutagenesis") or made.get("mutagenesis_around"))
    for each in inputs:
        # where a rule made the changes, lines of a file say only around what
        if each["sha256"] == digest["sha256"] and not is_made:
            return "lines", None, each["name"]
    if genome is None:
        return "alleles", None, None
    opened = Genome(local_path(genome), given=genome)
    lengths = dict(opened.contigs)
    reference = run.run.ledger.run.typed_identity.reference
    if sha256(canonical_json(lengths)) != reference.names_and_lengths_sha256:
        raise InputError(
            f"--genome {genome}: is not the genome of {run.name}: names and lengths of its {len(lengths):,} contigs "
            "are others. Give the genome that the run was made with, or leave it out."
        )
    return "genome", opened, None


def _valued(table: VariantTable, rows: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """The rows with their labels or effects."""
    if isinstance(table.layout, Labels):
        return with_labels(table, table.layout, rows, asked)
    return with_effects(table, table.layout, rows, asked, _element_of(table.name))


def _element_of(name: str) -> str:
    """What a file of one element is called: its name without endings."""
    return Path(name).name.partition(".")[0]


def _beside(rows: pl.DataFrame, run: RunScores, joined_by: str, file: str | None) -> pl.DataFrame:
    """The rows with what the run has of each."""
    if joined_by == "lines":
        assert file is not None
        return beside_lines(rows, run.of_file(file))
    spelled = in_normal_form(rows) if joined_by == "genome" else as_written(rows, run.contigs())
    return beside_alleles(spelled, run.at(spelled.places()))


def _once(table: VariantTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without repeats; what is contradictory in them is said."""
    if isinstance(table.layout, Effects):
        return effects_once(rows)
    rows, contrary = labels_once(rows)
    if contrary:
        note(
            f"{table.name}: {counted(contrary, 'repeats')} of a variant {agreeing(contrary, 'is', 'are')} negative "
            "where another of its rows is positive; it counts once, as positive"
        )
    return rows


def _check_any(table: str, buckets: Mapping[str, BucketCount]) -> None:
    """Refuse a table of which no row is left, with what became of them.

    Raises:
        InputError: naming the buckets, with an example of each.
    """
    if any(buckets[name].rows for name in JUDGED):
        return
    said = [
        f"{count.rows:,} {count.meaning} ({_example(count.examples[0])})"
        for count in buckets.values()
        if count.rows
    ]
    raise InputError(f"{table}: no row can be judged: {'; '.join(said)}")


def _example(example: Example) -> str:
    return f"{example.variant}: {example.why}"


def _result(
    table: VariantTable, rows: pl.DataFrame, bootstrap: Bootstrap, drawn_by: DrawnBy
) -> tuple[LabelledResult | MeasuredResult, str]:
    """How well the score does, and what was drawn for the intervals."""
    if isinstance(table.layout, Effects):
        by_position: MeasuredBy = "rows" if drawn_by == "rows" else "position"
        if drawn_by not in ("auto", by_position):
            raise InputError(
                f"--bootstrap-by {drawn_by}: measured effects are drawn by position or rows"
            )
        return judge_measured(judged_effects(rows), bootstrap, by_position), by_position
    labelled = judged_labels(rows, table.name)
    chosen = _drawn_by(table.name, drawn_by, has_groups=labelled.group is not None)
    if bootstrap.draws:
        _note_few(labelled, chosen)
    return judge_labelled(labelled, bootstrap, chosen), chosen


def _note_few(rows: LabelledRows, drawn_by: LabelledBy) -> None:
    """Say of what little intervals are drawn: then they tell how those few vary, and not how far the number is sure."""
    if drawn_by == "rows":
        positives = int(rows.is_positive.sum())
        pieces = min(positives, rows.is_positive.size - positives)
        of = "positives" if pieces == positives else "negatives"
    else:
        pieces = int(rows.blocks(drawn_by).max()) + 1
        of = "match groups" if drawn_by == "match_group" else "chromosomes"
    if pieces < _FEW_PIECES:
        note(f"intervals are drawn of {counted(pieces, of)}: of so few they mean little")


def _drawn_by(table: str, asked: DrawnBy, *, has_groups: bool) -> LabelledBy:
    if asked == "auto":
        return "match_group" if has_groups else "rows"
    if asked == "position":
        raise InputError(f"--bootstrap-by position: is of measured effects, and {table} has labels")
    if asked == "match_group" and not has_groups:
        raise InputError(
            f"--bootstrap-by match_group: {table} has no column match_group, and --match is not given"
        )
    return asked


def _print(judgement: Judgement, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(as_object(judgement)))
    else:
        print_prose(lines_of(judgement))
