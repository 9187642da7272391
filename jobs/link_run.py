"""`enformer-ray links` with a model: a run, of the elements that lie in the window of each gene."""

from dataclasses import fields
from itertools import islice

from enformer_core.analyses.link_run_type import LINKS
from enformer_core.analyses.link_spec import (
    ATTENTION,
    GRADIENT,
    MUTAGENESIS,
    SCORE_COLUMNS,
    SHUFFLES,
    LinkSpec,
)
from enformer_core.analyses.links import Links
from enformer_core.analyses.model_inputs import check_strands
from enformer_core.analyses.silent_scores import silent_scores
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.links.files import Activity
from jobs.finished_run import open_ledger
from jobs.link_inputs import check_scores, link_files, linking_of
from jobs.link_settings import AUTO, MODEL_SCORES, LinkRunSettings, LinksSettings
from jobs.log import note
from jobs.named_inputs import NamedInputs, find_inputs
from jobs.track_groups import attention_layers, groups_in_words, track_groups, with_tracks

_DEFAULT_SHUFFLES = 10

_SHARDS_READ = 64


def link_run(given: LinksSettings) -> int:
    """Score every pair; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    if given.genome is None:
        raise InputError("--genome: is missing; a model reads the bases around each gene")
    if not given.group:
        raise InputError(
            "--group: is missing; name the tracks that are asked about, such as K562=4828,5111"
        )
    # the same settings where a model, a genome and so a run are certain
    shared = {field.name: getattr(given, field.name) for field in fields(LinkRunSettings)}
    settings = LinkRunSettings(**shared)
    named = find_inputs(settings, tokens_are_bins=True)
    check_strands(named.source.spec, named.tracks, settings.strands)
    groups = track_groups(settings.group, named.tracks)
    in_words = groups_in_words(groups, named.tracks)
    named = with_tracks(named, groups)
    scores = _scores(settings, named)
    analysis = Links(
        inputs=named.inputs,
        geometry=named.source.geometry,
        genome=named.genome,
        files=link_files(settings, settings.genome, _activity(settings)),
        linking=linking_of(settings, with_abc=True),
        spec=LinkSpec(
            groups=groups,
            strands=settings.strands,
            scores=scores,
            shuffles=_shuffles(settings, scores),
            seed=settings.seed,
        ),
        shard_size=settings.shard_size,
        warn=note,
    )
    job = named.job(analysis, groups=in_words)
    code = job.report(job.run())
    _note_silent_scores(settings.out, analysis.spec)
    return code


def _note_silent_scores(out: str, spec: LinkSpec) -> None:
    """Say in how many rows a score is nothing but rounding."""
    tables = (table for _, table in stored_tables(open_ledger(out), LINKS.name))
    # of a run of thousands of shards, the first ones tell whether it is so
    said = silent_scores(islice(tables, _SHARDS_READ), spec.columns)
    if said is not None:
        note(said)


def _scores(settings: LinkRunSettings, named: NamedInputs) -> tuple[str, ...]:
    """The model's scores that are asked for, in their own order."""
    if settings.scores == (AUTO,):
        # not shuffles: ten of each element cost ten times what mutagenesis does
        attends = named.source.config.attention_layers > 0
        return (GRADIENT, ATTENTION, MUTAGENESIS) if attends else (GRADIENT, MUTAGENESIS)
    check_scores(settings.scores)
    # those of files are there whatever is asked for
    scores = tuple(name for name in SCORE_COLUMNS if name in settings.scores)
    if not scores:
        raise InputError(
            f"--scores {','.join(settings.scores)}: none of them is the model's. Add {', '.join(MODEL_SCORES)}, or "
            "leave --model out"
        )
    if ATTENTION in scores:
        attention_layers(named, "--scores attention")
    return scores


def _shuffles(settings: LinkRunSettings, scores: tuple[str, ...]) -> int:
    # None where it was not given: a number that nothing uses is refused below
    if SHUFFLES in scores:
        return _DEFAULT_SHUFFLES if settings.shuffles is None else settings.shuffles
    if settings.shuffles is not None:
        raise InputError(f"--shuffles {settings.shuffles}: add shuffles to --scores")
    return 0


def _activity(settings: LinkRunSettings) -> Activity:
    """Whether activities must be there; where nobody names them, what the files have is taken along."""
    is_needed = "abc" in settings.scores or bool(settings.activity)
    return "needed" if is_needed else "where there is one"
