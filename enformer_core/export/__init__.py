"""Finished runs in other formats, one file each.

An export is a function of a run's ledger and the path of the file, or the directory, to write; it returns how many rows
it wrote. To add one, write its file and name it in `_EXPORTS`, or call `register_export`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError, nearest
from enformer_core.words import counted

__all__ = [
    "Export",
    "export_caution",
    "export_names",
    "export_options",
    "export_summary",
    "export_written",
    "find_export",
    "register_export",
    "writes_directory",
    "writes_stream",
]

Export = Callable[[Ledger, Path], int]
"""Writes a finished run to a file or a directory, and says how many rows that came to."""

# by name, so that one format's libraries are imported only when it is asked for
_EXPORTS = {
    "tsv": (
        "enformer_core.export.tsv:export_tsv",
        "tab-separated text: a line for each row; of all tracks the strongest, with its sign and names",
    ),
    "map": (
        "enformer_core.export.text_map:export_map",
        "saturation mutagenesis as a picture of text: a column for each base, a row for each letter that it becomes",
    ),
    "vcf": (
        "enformer_core.export.vcf:export_vcf",
        "the input's own records with scores in INFO: .vcf, .vcf.gz with an index, or .bcf",
    ),
    "vep": (
        "enformer_core.export.vep:export_vep",
        "scores as Ensembl VEP's plugin Enformer reads them, .vcf.gz with an index",
    ),
    "hdf5": (
        "enformer_core.export.sad_hdf5:export_hdf5",
        "scores in the layout of basenji's sad.h5, as the released ones of Enformer have it",
    ),
    "npz": (
        "enformer_core.export.npz:export_npz",
        "contributions as tfmodisco-lite reads them: ohe.npz and shap.npz",
    ),
    "bedgraph": (
        "enformer_core.export.bedgraph:export_bedgraph",
        "contributions along the genome, a track for each target and group",
    ),
    "bigwig": (
        "enformer_core.export.bigwig:export_bigwig",
        "contributions or predicted tracks along the genome, a bigWig for each target and group, or track",
    ),
    "insulation": (
        "enformer_core.export.insulation:export_insulation",
        "attention at boundaries and controls: insulation.tsv, and mean maps in maps.npz",
    ),
    "polyfun": (
        "enformer_core.export.polyfun:export_polyfun",
        "--sumstats with prior weights as PolyFun's finemapper.py reads them: .parquet, or text",
    ),
    "polyfun_annot": (
        "enformer_core.export.polyfun:export_polyfun_annotations",
        "annotations for PolyFun and S-LDSC, .annot.parquet: the largest size in each group of tracks; @ is the "
        "chromosome",
    ),
    "finemap": (
        "enformer_core.export.finemap_z:export_finemap",
        "--sumstats of a locus as FINEMAP's .z file with prior probabilities",
    ),
    "susie": (
        "enformer_core.export.susie_weights:export_susie",
        "a prior weight for each row of --sumstats, for susieR",
    ),
    "fipip": (
        "enformer_core.export.fipip:export_fipip",
        "fine-mapped --sumstats with the scores of variants in credible sets, as fiPIP has them",
    ),
    "sldp": (
        "enformer_core.export.sldp:export_sldp",
        "signed annotations for SLDP, .sannot.gz: the mean in each group of tracks; @ is the chromosome",
    ),
}
_CAUTIONS = {
    "npz": "enformer_core.export.npz:npz_caution",
    "vep": "enformer_core.export.vep:vep_caution",
}
_WRITTEN = {
    "npz": "enformer_core.export.npz:npz_written",
    "bigwig": "enformer_core.export.bigwig:bigwig_written",
}
"""Where a run decides into which files of a directory an export goes."""

_STUDY = (
    *("sumstats", "n", "prior", "ambiguous", "genome", "sites", "effect_allele"),
    *("few_matches", "warn", "report"),
)

_TAKES: Mapping[str, tuple[str, ...]] = {
    "tsv": ("table",),
    "vcf": ("input", "genome", "tracks", "top_tracks", "warn"),
    "vep": ("genome", "tracks", "warn"),
    "hdf5": ("tracks", "warn"),
    "bigwig": ("genome", "tracks"),
    "polyfun": _STUDY,
    "polyfun_annot": ("group", "warn"),
    "finemap": _STUDY,
    "susie": _STUDY,
    "fipip": (*_STUDY, "group"),
    "sldp": (*_STUDY, "group"),
}
"""What an export can be told beside the run and the path: options of the command, `warn` and `report`."""

_NAMED_ONLY = frozenset({"hdf5"})
"""Files that are written to and fro, which no stream allows."""

_directories = {"npz", "bigwig", "insulation"}
_registered: dict[str, Export] = {}
_summaries = {name: summary for name, (_, summary) in _EXPORTS.items()}

_ROWS = ("rows", "")
_written = {
    "map": ("bases", ""),
    "vcf": ("records", ""),
    "vep": ("alleles", ""),
    "hdf5": ("alleles", ""),
    "bedgraph": ("tracks", ""),
    "insulation": ("places", ", in insulation.tsv and maps.npz"),
    "polyfun": ("variants", ""),
    "polyfun_annot": ("alleles", ""),
    "finemap": ("variants", ""),
    "fipip": ("variants", ""),
    "sldp": ("variants", ""),
}
"""What an export counts, and in which files of a directory that is; where nothing is said, rows of the file named."""


def register_export(
    name: str,
    export: Export,
    summary: str,
    *,
    directory: bool = False,
) -> None:
    """Make a format known under a name.

    Args:
        name: of its option.
        export: writes it.
        summary: its line in the command's help.
        directory: whether it is written to a directory, not to a file.
    """
    _registered[name] = export
    if directory:
        _directories.add(name)
    _summaries[name] = summary


def export_names() -> tuple[str, ...]:
    """The formats that are known, by name."""
    return tuple(_summaries)


def export_summary(name: str) -> str:
    """What the command's help says of a format."""
    return _summaries[name]


def export_written(name: str, number: int, ledger: Ledger) -> str:
    """What a format's export came to, in words: `1 row`, `2 files, TARGET.GROUP.bw`.

    Args:
        name: of the format.
        number: what its export gave back.
        ledger: of the run.
    """
    if name in _WRITTEN:
        said: str = _found(_WRITTEN[name])(ledger, number)
        return said
    what, files = _written.get(name, _ROWS)
    return f"{counted(number, what)}{files}"


def export_options(name: str) -> tuple[str, ...]:
    """What a format's export can be told beside the run and the path."""
    return _TAKES.get(name, ())


def writes_directory(name: str) -> bool:
    """Whether a format is written to a directory, not to a file."""
    return name in _directories


def writes_stream(name: str) -> bool:
    """Whether a format can be written to standard output."""
    return not writes_directory(name) and name not in _NAMED_ONLY


def find_export(name: str, **options: Any) -> Export:
    """The export of a format.

    Args:
        name: of the format.
        options: what it is told beside the run and the path, of `export_options`.

    Raises:
        InputError: for a format that is not known, with the nearest names.
    """
    if name not in _registered:
        if name not in _EXPORTS:
            raise InputError(f"unknown format {name!r}{nearest(name, export_names())}")
        _registered[name] = _found(_EXPORTS[name][0])
    export = _registered[name]
    return partial(export, **options) if options else export


def export_caution(name: str, ledger: Ledger) -> str | None:
    """What a user should know of a run in a format, though it was written; None where there is nothing."""
    if name not in _CAUTIONS:
        return None
    said: str | None = _found(_CAUTIONS[name])(ledger)
    return said


def _found(place: str) -> Any:
    """The function that `module:name` means; its module is loaded only now."""
    module, _, function = place.partition(":")
    return getattr(import_module(module), function)
