"""`enformer-ray score`: plan the alleles, score them in shards, say what came of it."""

from dataclasses import replace

from enformer_core.analyses.gene_effects import VariantAndGeneEffects
from enformer_core.analyses.model_inputs import check_strands, squashings_undone
from enformer_core.analyses.reusable_runs import Deciding, ReusableRun, find_reusable
from enformer_core.analyses.variant_effects import VariantEffects
from enformer_core.errors import InputError
from jobs.finished_run import open_ledger
from jobs.gene_plan import genes_asked, read_asked
from jobs.job import Job
from jobs.log import note
from jobs.named_inputs import NamedInputs, find_inputs
from jobs.settings import ScoreSettings
from jobs.variant_plan import (
    conventions_of,
    notes_of_sharing,
    planning_progress,
    score_spec,
    variant_input,
)


def score_variants(settings: ScoreSettings) -> int:
    """Score every variant of the input; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    job = scoring_job(settings)
    return job.report(job.run())


def scoring_job(settings: ScoreSettings) -> Job:
    """Everything that the settings name, found and fit to be used.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    named = find_inputs(settings, averages=True)
    check_strands(named.source.spec, named.tracks, settings.strands)
    geometry = named.source.geometry
    conventions = conventions_of(settings, geometry)
    undone = squashings_undone(named.tracks, settings.unsquash)
    named = replace(named, inputs=replace(named.inputs, squashings=undone))
    variants = variant_input(settings, geometry, named.genome)
    for line in notes_of_sharing(settings, conventions):
        note(line)
    analysis = VariantEffects(
        inputs=named.inputs,
        spec=score_spec(settings, conventions),
        variants=variants,
        progress=planning_progress,
        warn=note,
        operations=named.source.spec.pass_operations(settings.head, named.inputs.tracks).times(
            named.replicates
        ),
    )
    if settings.genes is None:
        return named.job(replace(analysis, reuse=_reusable(settings, named, analysis)))
    if settings.reuse:
        raise InputError(
            "--reuse and --genes: what other runs say of genes is not copied yet. Leave one out."
        )
    asked = genes_asked(settings, settings.genes, named.tracks)
    genes = read_asked(asked, named.genome)
    return named.job(VariantAndGeneEffects.of(analysis, asked, genes))


def _reusable(
    settings: ScoreSettings, named: NamedInputs, analysis: VariantEffects
) -> tuple[ReusableRun, ...]:
    """The runs that alleles are copied from.

    Raises:
        InputError: for one whose scores could be others.
    """
    inputs = named.inputs
    deciding = Deciding(
        model=inputs.model,
        head=inputs.head,
        weights_sha256=inputs.weights_sha256,
        tracks=inputs.tracks,
        genome=named.genome,
        spec=analysis.spec,
        strand_pairs=inputs.strand_pairs,
        squashings=inputs.squashings,
        replicates=named.replicates,
    )
    return tuple(_whole(find_reusable(run, deciding)) for run in settings.reuse)


def _whole(run: ReusableRun) -> ReusableRun:
    """The run, of which nothing is lost: a listing says so before a model is loaded."""
    ledger = open_ledger(run.location)
    # of a run under way whatever is committed is copied
    lost = [] if ledger.manifest() is None else ledger.lost()
    if lost:
        raise InputError(
            f"--reuse {run.location}: {lost[0].text}. `enformer-ray verify {run.location}` says what else is damaged; "
            "repair the run, or leave it out."
        )
    return run
