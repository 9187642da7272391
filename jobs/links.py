"""`enformer-ray links`: which elements may act on which genes, by distance, contact and the ABC score.

Nothing of that needs a model, and a genome is needed only to hold places against it. With a model it is a run: see
`link_run`.
"""

from pathlib import Path

from enformer_core.dataset.find_run import how_to_read
from enformer_core.errors import InputError
from enformer_core.export.whole_file import whole_file
from enformer_core.links.files import LinkInput
from enformer_core.links.linking import LinkCounts, Linking, write_links
from enformer_core.links.written import is_tsv, is_written
from enformer_core.shell_words import command_line
from enformer_core.storage.open import parse_address
from enformer_core.words import agreeing, counted
from jobs import exit_codes
from jobs.link_inputs import check_scores, link_files, linking_of
from jobs.link_settings import (
    AUTO,
    FILE_SCORES,
    MODEL_SCORES,
    LinksSettings,
    settings_of_models,
)
from jobs.log import note, tell

_ABC = "abc"


def links(settings: LinksSettings) -> int:
    """Read genes and candidates, and write a row for each pair within reach.

    Returns:
        The exit code.

    Raises:
        InputError: for files that cannot be used, for an output that is there, and where nothing is in reach.
    """
    if settings.model is not None:
        # only now: it loads what runs need
        from jobs.link_run import link_run

        return link_run(settings)
    _refuse_settings_of_models(settings)
    out = _new_file(settings.out)
    linking = _linking(settings)
    files = link_files(
        settings,
        settings.genome,
        "needed" if linking.with_abc else "none",
    ).read()
    for text in files.notes:
        note(text)
    # another command may have made it since
    with whole_file(out, may_replace=False) as file:
        counts = write_links(file, settings.out, files.genes, files.candidates, linking)
    tell("links", _summary(counts, files, linking.window_bp), prefix=settings.out)
    note(_what_next(settings.out))
    return exit_codes.DONE


def _refuse_settings_of_models(settings: LinksSettings) -> None:
    """Refuse what only a model has a use for, which would be passed over in silence."""
    for name in settings.scores:
        if name in MODEL_SCORES:
            raise InputError(
                f"--scores {name}: is a model's; give --model, --genome and --group too"
            )
    for name in settings_of_models(settings):
        option = name.replace("_", "-")
        raise InputError(f"--{option} is for scores of a model; give --model, or leave it out")


def _linking(settings: LinksSettings) -> Linking:
    # distance and contact have their columns whatever is asked for
    scores = (_ABC,) if settings.scores == (AUTO,) else settings.scores
    # those of models are refused by now
    check_scores(scores)
    if not scores:
        raise InputError(f"--scores: name one or more of {', '.join(FILE_SCORES)}")
    return linking_of(settings, with_abc=_ABC in scores)


def _new_file(name: str) -> Path:
    """The place of a file that is not there yet, before anything is read."""
    if parse_address(name) is not None:
        raise InputError(f"--out {name}: links are written to a file of this machine; give a path")
    if not is_written(name):
        raise InputError(f"--out {name}: links are written as .parquet, .tsv or .tsv.gz; name one")
    path = Path(name)
    # nothing is ever written over
    if path.exists():
        raise InputError(f"{name}: is there already. Remove it, or give --out another name.")
    if not path.parent.is_dir():
        raise InputError(f"{name}: there is no directory {path.parent}")
    return path


def _summary(counts: LinkCounts, files: LinkInput, window_bp: int) -> str:
    all_genes = files.genes.frame.height
    all_candidates = files.candidates.frame.height
    lonely = [
        *_without(all_genes - counts.genes, "TSSs", "candidate"),
        *_without(all_candidates - counts.candidates, "candidates", "TSS"),
    ]
    why = f"; {' and '.join(lonely)} within {window_bp:,} bp" if lonely else ""
    return (
        f"{counted(counts.pairs, 'pairs')} of {counts.genes:,} of {counted(all_genes, 'TSSs')} and "
        f"{counts.candidates:,} of {counted(all_candidates, 'candidates')}{why}"
    )


def _without(number: int, plural: str, of_what: str) -> list[str]:
    """How many of the one have none of the other, if any: `7 candidates have no TSS`."""
    if not number:
        return []
    return [f"{counted(number, plural)} {agreeing(number, 'has', 'have')} no {of_what}"]


def _what_next(out: str) -> str:
    judge = command_line(["enformer-ray", "evaluate", "links", "PAIRS", "--predictions", out])
    read = "" if is_tsv(out) else f"look at it: {how_to_read(out)}; "
    return f"{read}hold it against tested pairs: {judge}"
