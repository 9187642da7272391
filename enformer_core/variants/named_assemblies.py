"""Assemblies that records themselves name, held against the genome: by accession, by identifier, by a column.

Names prove nothing, letters do (`assembly_check`); but half of all single bases fit a wrong assembly by chance.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.genome.contig_names import assembly_of_accession
from enformer_core.variants.source import Source

_BUILD = re.compile(
    r"(?<![a-z0-9])(?:grch|hg|b|build|ncbi|ncbi build)?[ ._-]?(?P<number>18|19|36|37|38)(?![0-9])"
)

_IN_FILE_NAME = re.compile(r"(?<![a-z])(?:grch|hg|b)(?P<number>18|19|36|37|38)(?![0-9])")

_SUFFIX = r"_(?P<build>(?i:b|hg|grch)(?:18|19|36|37|38))$"

_ASSEMBLY = {"18": "NCBI36", "36": "NCBI36", "19": "GRCh37", "37": "GRCh37", "38": "GRCh38"}


def doubts_of_assembly(source: Source, genome: str, genome_build: str | None) -> Sequence[str]:
    """A note for each assembly that the first records name and that is not the genome's.

    Args:
        source: the file.
        genome: name of the genome's file, which tells its assembly where lengths do not.
        genome_build: the assembly that the lengths of the genome's contigs are those of, if known.
    """
    own = (genome_build or "").split(" ")[0] or _by_number(_IN_FILE_NAME, genome)
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


def _named(records: pa.Table) -> Iterator[tuple[str, str]]:
    """What names an assembly, and which."""
    for chrom in pc.unique(records["chrom"]).to_pylist():
        assembly = assembly_of_accession(chrom or "")
        if assembly:
            yield chrom, assembly
    suffixes = pc.struct_field(pc.extract_regex(records["id"], _SUFFIX), "build")
    for text in pc.unique(suffixes).to_pylist():
        yield from _known(_BUILD, text)
    sequences = pc.struct_field(
        pc.extract_regex(records["id"], r"^(?P<name>NC_[0-9]+\.[0-9]+):"), "name"
    )
    for text in pc.unique(sequences).to_pylist():
        assembly = assembly_of_accession(text or "")
        if assembly:
            yield text, assembly
    if "build" in records.column_names:
        for text in pc.unique(records["build"]).to_pylist():
            yield from _known(_BUILD, text)


def _known(pattern: re.Pattern[str], text: str | None) -> Iterator[tuple[str, str]]:
    assembly = _by_number(pattern, text or "")
    if text and assembly:
        yield text, assembly


def _by_number(pattern: re.Pattern[str], text: str) -> str | None:
    numbers = {_ASSEMBLY[number] for number in pattern.findall(text.lower())}
    return numbers.pop() if len(numbers) == 1 else None
