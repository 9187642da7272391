"""Assemblies that records themselves name, held against the genome: by accession, by identifier, by a column.

Names prove nothing, letters do (`assembly_check`); but half of all single bases fit a wrong assembly by chance.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError
from enformer_core.genome.assemblies import known_build
from enformer_core.genome.contig_names import assembly_of_accession
from enformer_core.genome.fasta import Genome
from enformer_core.variants.builds import BUILD, assembly_named, counts_by_assembly
from enformer_core.variants.source import Source
from enformer_core.words import counted

_IN_FILE_NAME = re.compile(r"(?<![a-z])(?:grch|hg|b)(?P<number>18|19|36|37|38)(?![0-9])")

_SUFFIX = r"_(?P<build>(?i:b|hg|grch)(?:18|19|36|37|38))$"


def doubts_of_assembly(source: Source, genome: str, genome_build: str | None) -> Sequence[str]:
    """A note for each assembly that the first records name and that is not the genome's.

    Args:
        source: the file.
        genome: name of the genome's file, which tells its assembly where lengths do not.
        genome_build: the assembly that the lengths of the genome's contigs are those of, if known.
    """
    own = _own_assembly(genome, genome_build)
    named: dict[str, str] = {}
    for block in islice(source.records(), 1):
        for text, assembly in _named(block):
            named.setdefault(assembly, text)
    if own is None and len(named) < 2:  # which one it is, nothing says
        return []
    is_genome = f"is {own}" if own else "can be one of them only"
    return [
        f"{source.shown}: records name {assembly} ({text!r}), and {genome} {is_genome}: their positions may be other "
        "places. Give the genome they were made for, or lift them over"
        for assembly, text in named.items()
        if assembly != own
    ]


def of_one_assembly(source: Source, genome: Genome) -> Source:
    """The file; one whose records name several assemblies, with those of the genome's alone.

    ClinVar's `variant_summary.txt` has each variant in each assembly: of another's places some fit by chance. A file
    with a column of assemblies is read through for this.

    Args:
        source: the file; its sites are taken likewise.
        genome: whose assembly its contigs' lengths show, or else its file's name.

    Raises:
        InputError: where nothing shows which assembly is the genome's, or no record is of that.
    """
    if source.sites is not None:
        sites = of_one_assembly(source.sites, genome)
        notes = (f"{sites.shown}: {note}" for note in sites.notes)
        source = replace(source, sites=sites).noting(*notes)
    if BUILD not in source.columns.index:
        return source
    counts: Counter[str] = Counter()
    for records in source.records():
        counts += counts_by_assembly(records)
    if len(counts) < 2:  # whether it is the genome's, its letters show
        return source
    own = _own_assembly(genome.path.name, known_build(genome.contigs))
    if own not in counts:
        raise InputError(_none_of_the_genome(source, genome, own, counts))
    others = ", ".join(_of_each(counts, besides=own))
    return replace(source, assembly=own).noting(
        f"has records of several assemblies, which {_build_column(source)} names: those of {own} are read, which "
        f"{genome.path.name} is; left out, without rows: {others}"
    )


def _none_of_the_genome(
    source: Source, genome: Genome, own: str | None, counts: Counter[str]
) -> str:
    several = ", ".join(_of_each(counts))
    is_which = (
        f"of which {genome.path.name} is, neither the lengths of its contigs nor its name say"
        if own is None
        else f"none of {own}, which {genome.path.name} is"
    )
    return (
        f"{source.called}: has records of several assemblies, which {_build_column(source)} names: {several}; "
        f"{is_which}. Keep the records of one."
    )


def _of_each(counts: Counter[str], besides: str | None = None) -> Iterator[str]:
    for assembly, records in sorted(counts.items()):
        if assembly != besides:
            yield f"{counted(records, 'records')} of {assembly}"


def _build_column(source: Source) -> str:
    return source.columns.names[source.columns.index[BUILD]].strip()


def _own_assembly(genome: str, genome_build: str | None) -> str | None:
    return (genome_build or "").split(" ")[0] or assembly_named(genome, _IN_FILE_NAME)


def _named(records: pa.Table) -> Iterator[tuple[str, str]]:
    """What names an assembly, and which."""
    for chrom in pc.unique(records["chrom"]).to_pylist():
        assembly = assembly_of_accession(chrom or "")
        if assembly:
            yield chrom, assembly
    suffixes = pc.struct_field(pc.extract_regex(records["id"], _SUFFIX), "build")
    for text in pc.unique(suffixes).to_pylist():
        yield from _known(text)
    sequences = pc.struct_field(
        pc.extract_regex(records["id"], r"^(?P<name>NC_[0-9]+\.[0-9]+):"), "name"
    )
    for text in pc.unique(sequences).to_pylist():
        assembly = assembly_of_accession(text or "")
        if assembly:
            yield text, assembly
    if BUILD in records.column_names:
        for text in pc.unique(records[BUILD]).to_pylist():
            yield from _known(text)


def _known(text: str | None) -> Iterator[tuple[str, str]]:
    assembly = assembly_named(text or "")
    if text and assembly:
        yield text, assembly
