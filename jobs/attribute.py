"""`enformer-ray attribute`: put targets in their windows, attribute predictions to bases, say what came of it."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from enformer_core.analyses.contribution_spec import AttributionSpec, TrackGroup
from enformer_core.analyses.contributions import Contributions, TargetInput
from enformer_core.analyses.model_inputs import located
from enformer_core.analyses.target_input import AlleleInput, GeneInput, IntervalInput
from enformer_core.analyses.target_kind import TargetKind, target_kind
from enformer_core.errors import InputError
from enformer_core.genome.regions import looks_like_region
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import Tracks
from enformer_core.variants.input_files import InputFile, check_file
from jobs.attribute_settings import AttributeSettings
from jobs.log import note
from jobs.named_inputs import NamedInputs, find_inputs
from jobs.settings import VariantRecordSettings
from jobs.tiles import check_shard_size
from jobs.variant_plan import files_named, planning_progress, records_of


def attribute(settings: AttributeSettings) -> int:
    """Attribute every target; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    named = find_inputs(settings)
    groups = _groups(settings.group, named.tracks)
    named = _with_tracks(named, groups)
    geometry = named.source.geometry
    # a variant has two alleles
    check_shard_size(settings.shard_size, "a target", 2 * len(groups) * geometry.window_bp)
    analysis = Contributions(
        inputs=named.inputs,
        geometry=geometry,
        layers=_attention_layers(named) if settings.attention else 0,
        targets=_target_input(settings, named),
        spec=AttributionSpec(
            groups=groups,
            strands=settings.strands,
            hypothetical=settings.hypothetical,
            attention=settings.attention,
        ),
        shard_size=settings.shard_size,
    )
    job = named.job(analysis)
    return job.report(job.run())


def _groups(texts: Sequence[str], tracks: Tracks) -> tuple[TrackGroup, ...]:
    groups: dict[str, TrackGroup] = {}
    for text in texts:
        name, equals, selector = text.partition("=")
        name = name.strip()
        if not (name and equals and selector.strip()):
            raise InputError(
                f"--group {text}: give a name and its tracks, such as K562=4828,5111 or DNase=assay=DNASE"
            )
        if name in groups:
            raise InputError(f"--group {name}: given twice. Give each group a name of its own.")
        groups[name] = TrackGroup(name, _columns(name, selector, tracks))
    return tuple(groups.values())


def _columns(name: str, selector: str, tracks: Tracks) -> tuple[int, ...]:
    """The columns of the head that one group's selector names."""
    try:
        selected, notes = select_tracks(tracks, selector)
    except InputError as error:
        # the selector speaks as of its own option
        raise InputError(f"{error}".replace("--tracks", f"--group {name}:", 1)) from error
    for line in notes:
        note(f"--group {name}: {line}")
    return tuple(selected.indices())


def _with_tracks(named: NamedInputs, groups: Sequence[TrackGroup]) -> NamedInputs:
    """The tracks of all groups, which the run's table of tracks names."""
    wanted = {column for group in groups for column in group.tracks}
    rows = tuple(track for track in named.tracks.rows if track.index in wanted)
    tracks = replace(named.tracks, rows=rows)
    inputs = replace(named.inputs, tracks=tuple(tracks.indices()))
    return replace(named, tracks=tracks, inputs=inputs)


def _attention_layers(named: NamedInputs) -> int:
    layers = named.source.config.attention_layers
    if not layers:
        raise InputError(f"--attention: model {named.source.name} has no attention; leave it out")
    return layers


def _target_input(settings: AttributeSettings, named: NamedInputs) -> TargetInput:
    files: list[InputFile] = []
    regions: list[str] = []
    for place in settings.places:
        if looks_like_region(place) and not Path(place).exists():
            regions.append(place)
        else:
            files += files_named(place)
    for file in files:
        check_file(file.path)
    geometry = named.source.geometry
    kind = _kind(settings, files, regions)
    _check_settings_of(settings, kind)
    if kind == "variants":
        return AlleleInput(
            records_of(tuple(files), settings, geometry, named.genome),
            geometry,
            progress=planning_progress,
            warn=note,
        )
    if kind == "genes":
        gene_list = located(settings.gene_list)
        return GeneInput(
            tuple(files),
            settings.gene_types,
            None if gene_list is None else Path(gene_list),
            named.genome,
            geometry,
            warn=note,
        )
    return IntervalInput(tuple(files), tuple(regions), named.genome, geometry, warn=note)


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


def _check_settings_of(settings: AttributeSettings, kind: TargetKind) -> None:
    """Refuse settings of another kind of targets, which would be passed over in silence."""
    of_variants = {setting.name: setting.default for setting in fields(VariantRecordSettings)}
    of_genes: dict[str, object] = {"gene_types": (), "gene_list": None}
    others = {"variants": of_variants, "genes": of_genes}
    others.pop(kind, None)
    for other, defaults in others.items():
        for name, default in defaults.items():
            if getattr(settings, name) != default:
                option = name.replace("_", "-")
                raise InputError(f"--{option} is for {other}; these targets are {kind}")
