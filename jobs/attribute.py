"""`enformer-ray attribute`: put targets in their windows, attribute predictions to bases, say what came of it."""

import re
from collections.abc import Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path

from enformer_core.analyses.contribution_run_type import CONTRIBUTION_BINS
from enformer_core.analyses.contribution_spec import AttributionSpec
from enformer_core.analyses.contributions import Contributions, TargetInput
from enformer_core.analyses.model_inputs import check_strands, located
from enformer_core.analyses.no_contributions import contributing
from enformer_core.analyses.target_input import AlleleInput, GeneInput, IntervalInput
from enformer_core.analyses.target_kind import TargetKind, has_strands, target_kind
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import looks_like_region
from enformer_core.user_path import readable_name
from enformer_core.variants.input_files import InputFile, check_file
from enformer_core.variants.named_files import files_named
from jobs.attribute_settings import AttributeSettings
from jobs.finished_run import open_ledger
from jobs.log import note
from jobs.named_inputs import NamedInputs, find_inputs
from jobs.settings import VariantRecordSettings
from jobs.tiles import check_shard_size
from jobs.track_groups import attention_layers, groups_in_words, track_groups, with_tracks
from jobs.variant_plan import planning_progress, records_of

_SHARDS_READ = 64

_WHAT_PLACES_ARE = (
    ". PLACES are files of intervals (BED), genes (GTF, GFF3, BED) or variants, or regions such as "
    "chr20:4699478-4699861"
)

# what people give for a gene: its name, or an identifier with its version
_WORD = re.compile(r"[\w-]{1,60}(\.\d+)?")


def attribute(settings: AttributeSettings) -> int:
    """Attribute every target; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    named = find_inputs(settings)
    check_strands(named.source.spec, named.tracks, settings.strands)
    groups = track_groups(settings.group, named.tracks)
    in_words = groups_in_words(groups, named.tracks)
    named = with_tracks(named, groups)
    geometry = named.source.geometry
    # a variant has two alleles
    check_shard_size(settings.shard_size, "a target", 2 * len(groups) * geometry.window_bp)
    analysis = Contributions(
        inputs=named.inputs,
        geometry=geometry,
        layers=attention_layers(named, "--attention") if settings.attention else 0,
        targets=_target_input(settings, named),
        spec=AttributionSpec(
            groups=groups,
            strands=settings.strands,
            hypothetical=settings.hypothetical,
            attention=settings.attention,
        ),
        shard_size=settings.shard_size,
    )
    job = named.job(analysis, groups=in_words)
    code = job.report(job.run())
    _note_no_contributions(settings.out)
    return code


def _note_no_contributions(out: str) -> None:
    """Say where contributions are all 0, as of a window in which the model finds nothing."""
    bins = (table for _, table in stored_tables(open_ledger(out), CONTRIBUTION_BINS))
    # of a run of thousands of shards, the first ones tell whether it is so
    said = contributing(islice(bins, _SHARDS_READ)).said()
    if said is not None:
        note(said)


def _target_input(settings: AttributeSettings, named: NamedInputs) -> TargetInput:
    files: list[InputFile] = []
    regions: list[str] = []
    for place in settings.places:
        if looks_like_region(place) and not Path(place).exists():
            regions.append(place)
        else:
            _check_is_no_word(place, named.genome)
            files += files_named(place)
    for file in files:
        check_file(file.path, "target file", _WHAT_PLACES_ARE)
    geometry = named.source.geometry
    kind = _kind(settings, files, regions)
    _check_settings_of(settings, kind, has_files=bool(files))
    if kind == "variants":
        return AlleleInput(
            records_of(tuple(files), settings, geometry, named.genome),
            geometry,
            progress=planning_progress,
            warn=note,
        )
    if kind == "genes":
        listed = settings.gene_list
        gene_list = (
            None if listed is None else InputFile(Path(located(listed)), readable_name(listed))
        )
        return GeneInput(
            tuple(files),
            settings.gene_types,
            gene_list,
            named.genome,
            geometry,
            warn=note,
        )
    if settings.target_type == "auto":
        _note_strands(files)
    return IntervalInput(tuple(files), tuple(regions), named.genome, geometry, warn=note)


def _note_strands(files: Sequence[InputFile]) -> None:
    """Say which files may be of genes: BED of both kinds looks the same."""
    for file in files:
        if has_strands(file.path):
            note(
                f"{file.given}: its rows have strands, and are taken for intervals, attributed as a whole. Are they "
                "genes, whose TSSs are meant? Then give --target-type genes"
            )


def _kind(
    settings: AttributeSettings, files: Sequence[InputFile], regions: Sequence[str]
) -> TargetKind:
    """What the targets are; all must be of one kind."""
    if settings.target_type != "auto":
        if regions and settings.target_type != "intervals":
            raise InputError(
                f"--target-type {settings.target_type}: {regions[0]} is a region, not a file"
            )
        return settings.target_type
    kinds: dict[TargetKind, str] = {"intervals": regions[0]} if regions else {}
    for file in files:
        kinds.setdefault(target_kind(file.path), file.given)
    if len(kinds) > 1:
        found = ", ".join(f"{given} holds {kind}" for kind, given in kinds.items())
        raise InputError(f"{found}: give targets of one kind, or say which by --target-type")
    (kind,) = kinds
    return kind


def _check_is_no_word(place: str, genome: Genome) -> None:
    """Refuse what no file is called, but a gene may be: `PRNP`, `ENSG00000171867.18`.

    Raises:
        InputError: with what places are, and how genes are named.
    """
    if place in genome.contigs and not Path(place).exists():
        raise InputError(
            f"{place}: is a contig as a whole. Give a region of it, {place}:START-END, no longer than what a "
            "window predicts"
        )
    if _WORD.fullmatch(place) and not Path(place).exists():
        raise InputError(
            f"{place}: no such file, and no region such as chr20:4699478-4699861. Is it a gene? Give a file of genes "
            f"(GTF, GFF3 or BED), and --gene-list LIST: a file with {place} on a line"
        )


def _check_settings_of(
    settings: AttributeSettings,
    kind: TargetKind,
    *,
    has_files: bool,
) -> None:
    """Refuse settings of another kind of targets, which would be passed over in silence."""
    # of BED only its user knows; a region is no gene
    may_be_genes = kind == "intervals" and has_files
    of_variants = {setting.name: setting.default for setting in fields(VariantRecordSettings)}
    of_genes: dict[str, object] = {"gene_types": (), "gene_list": None}
    others = {"variants": of_variants, "genes": of_genes}
    others.pop(kind, None)
    for other, defaults in others.items():
        for name, default in defaults.items():
            if getattr(settings, name) != default:
                option = name.replace("_", "-")
                remedy = ""
                if other == "genes" and may_be_genes:
                    remedy = ". Are they genes? Then give --target-type genes"
                raise InputError(f"--{option} is for {other}; these targets are {kind}{remedy}")
