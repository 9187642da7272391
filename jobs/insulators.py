"""`enformer-ray insulators`: read the attention around boundaries and controls, say what boundaries do to it."""

from collections.abc import Iterator, Sequence

from enformer_core.analyses.insulators import Insulators, NamedGenes
from enformer_core.errors import InputError
from enformer_core.export.insulation import insulation_of
from enformer_core.insulators.controls import Matching
from enformer_core.insulators.summary import LayerContrast, contrasts, is_same_everywhere
from enformer_core.models.geometry import Geometry
from enformer_core.variants.input_files import InputFile, check_file
from enformer_core.variants.named_files import files_named
from enformer_core.words import counted
from jobs.finished_run import open_ledger
from jobs.insulator_settings import InsulatorSettings
from jobs.log import note
from jobs.named_inputs import NamedInputs, find_inputs

_FEW_BOUNDARIES = 10


def insulators(settings: InsulatorSettings) -> int:
    """Read every place; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    if settings.tracks is not None:
        raise InputError(
            f"--tracks {settings.tracks}: attention is the same for all tracks; leave it out"
        )
    named = find_inputs(settings, tokens_are_bins=True)
    geometry = named.source.geometry
    analysis = Insulators(
        inputs=named.inputs,
        geometry=geometry,
        layers=_layers(named),
        genome=named.genome,
        boundaries=_file(settings.boundaries, "BED file"),
        genes=_genes(settings),
        matching=Matching(
            window_bp=geometry.window_bp,
            gc=settings.gc_within,
            log10_tss=settings.tss_within,
            apart_bp=settings.apart_bp,
            controls=settings.controls,
            seed=settings.seed,
        ),
        strands=settings.strands,
        boundary_tokens=_tokens(settings.boundary_bp, geometry),
        shard_size=settings.shard_size,
        warn=note,
    )
    job = named.job(analysis)
    code = job.report(job.run())
    insulation = insulation_of(open_ledger(settings.out))
    found = [each for each in contrasts(insulation, seed=settings.seed) if each.layer is None]
    is_same = is_same_everywhere(insulation)
    print(summary_of(found, is_same=is_same))
    for text in cautions(found[0].contrast.pairs, is_same=is_same):
        note(text)
    return code


def _layers(named: NamedInputs) -> int:
    layers = named.source.config.attention_layers
    if not layers:
        raise InputError(
            f"--model {named.source.name}: has no attention, by which insulators are seen"
        )
    return layers


def _tokens(boundary_bp: int, geometry: Geometry) -> int:
    """How many tokens a boundary is wide."""
    step_bp = 2 * geometry.token_bp
    most_bp = geometry.window_bp // 4 // step_bp * step_bp
    # as many on either side of the middle, and room for pairs beside it
    if boundary_bp % step_bp or not step_bp <= boundary_bp <= most_bp:
        raise InputError(
            f"--boundary-bp {boundary_bp}: must be a multiple of {step_bp}, at most {most_bp:,}"
        )
    return boundary_bp // geometry.token_bp


def _file(name: str, what: str) -> InputFile:
    files = files_named(name)
    if len(files) != 1:
        raise InputError(f"{name}: stands for {len(files)} files; give one")
    check_file(files[0].path, what)
    return files[0]


def _genes(settings: InsulatorSettings) -> NamedGenes | None:
    if settings.genes is None:
        if settings.gene_types:
            raise InputError("--gene-types: give --genes too, or leave it out")
        return None
    return NamedGenes(_file(settings.genes, "gene file"), settings.gene_types)


def summary_of(found: Sequence[LayerContrast], *, is_same: bool) -> str:
    """Both statistics for the mean over layers, in columns."""
    header = f"{'attention':<12}{'boundaries':>12}{'controls':>12}{'difference':>12}   95 %"
    pairs = found[0].contrast.pairs
    of_pairs = f"{counted(pairs, 'boundaries')} with controls"
    last = f"log2 of ratios, of {of_pairs}; by layer: enformer-ray export --insulation"
    lines = [_line(each, is_same=is_same) for each in found]
    return "\n".join([header, *lines, last])


def _line(found: LayerContrast, *, is_same: bool) -> str:
    one = found.contrast
    values = f"{one.boundaries:>12.3f}{one.controls:>12.3f}{one.difference:>12.3f}"
    # an interval of no width would look like certainty
    interval = "the same at all places" if is_same else f"{one.low:.3f} to {one.high:.3f}"
    return f"{found.statistic:<12}{values}   {interval}"


def cautions(pairs: int, *, is_same: bool) -> Iterator[str]:
    """What figures say less than they seem to.

    Args:
        pairs: boundaries with controls.
        is_same: whether attention is the same at all places.
    """
    if is_same:
        yield (
            "attention is the same at all places, boundaries and controls alike: what this model looks at does not "
            "depend on these bases, so that nothing follows of insulators"
        )
    if pairs < _FEW_BOUNDARIES:
        yield (
            f"an interval over {counted(pairs, 'boundaries')} says little: draws of so few are much alike. Give "
            f"{_FEW_BOUNDARIES} or more, better hundreds"
        )
