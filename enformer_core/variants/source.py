"""Variant files of every kind opened by what they contain, and their alleles in batches of bounded size.

    source = open_source(path)              # looks at the beginning only
    for alleles in source.batches(): ...    # tables of RAW_SCHEMA, whole records

Knows which reader belongs to which content. Does not know the genome.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError
from enformer_core.variants.formats.bcf import BcfFile
from enformer_core.variants.formats.compression import is_bcf
from enformer_core.variants.formats.detect import NAMED_ALLELES
from enformer_core.variants.formats.headers import VCF_COLUMNS, Columns, listed
from enformer_core.variants.formats.parquet import ParquetRecords, is_parquet
from enformer_core.variants.formats.text import DelimitedFile
from enformer_core.variants.input_files import InputFile, check_file, expand_inputs, input_names
from enformer_core.variants.parse import Reading, to_alleles
from enformer_core.variants.rsids import Sites

BATCH_ROWS = 1 << 17

DETAILS = ("frequency", "filter", "info")
"""What filters ask for beside place and alleles."""


@dataclass(frozen=True)
class Source:
    """One file of variants, opened.

    Attributes:
        path: the file.
        name: what its rows carry as `input_file`.
        format: what it was found to be, for people.
        declares_ref: whether the format says which allele is REF.
        header_contigs: contigs and lengths in bp that its header declares; None where it declares none.
        columns: where things are.
        reading: how its records are understood.
        reader: of its records.
        named_alleles: whether identifiers hold place and alleles.
        sites: where identifiers are looked up.
    """

    path: Path
    name: str
    format: str
    declares_ref: bool
    header_contigs: Mapping[str, int] | None
    columns: Columns
    reading: Reading
    reader: DelimitedFile | ParquetRecords | BcfFile
    named_alleles: bool = False
    sites: "Source | None" = None

    def batches(self, *, rows: int = BATCH_ROWS, details: bool = False) -> Iterator[pa.Table]:
        """Alleles of RAW_SCHEMA in the file's order, whole records together.

        Args:
            rows: records of a batch at most; the last of the file may be smaller.
            details: whether to read `frequency` and `passed` too.

        Raises:
            InputError: when the file is damaged.
        """
        looked_up = None if self.sites is None else self._look_up(self.sites)
        for records in _gathered(self.records(DETAILS if details else ()), rows):
            whole = (
                records
                if looked_up is None
                else looked_up.fill(records, has_alleles=self.columns.has_alleles)
            )
            yield self.alleles_of(whole)

    def alleles_of(self, records: pa.Table) -> pa.Table:
        """Alleles of records that have places and alleles."""
        return to_alleles(records, self.name, self.reading)

    def records(self, roles: tuple[str, ...] = ()) -> Iterator[pa.Table]:
        """Records as the reader cuts them: columns of text; see `DelimitedFile.blocks`."""
        try:
            for block in self.reader.blocks((*self.needed_roles, *roles)):
                yield self.completed(block)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from error

    @property
    def needed_roles(self) -> tuple[str, ...]:
        """Columns beside place and alleles that understanding a record takes."""
        return tuple(role for role in ("end", "effect", "risk") if role in self.columns.index)

    def completed(self, records: pa.Table) -> pa.Table:
        """A reader's records, with what one column says in the place of another."""
        return _with_effect(_with_named_alleles(records) if self.named_alleles else records)

    def _look_up(self, sites: "Source") -> Sites:
        ids = pc.unique(pa.chunked_array([pa.array([], pa.string()), *self._ids()]))
        return Sites.read(sites.records(), ids, sites.name)

    def _ids(self) -> Iterator[pa.Array]:
        for block in self.records():
            yield pc.unique(block["id"])


def open_source(path: Path, *, sites: Path | None = None, name: str | None = None) -> Source:
    """Find out what a file of variants is. Only its beginning is read.

    Args:
        path: VCF, BCF, .pvar, .bim, summary statistics, BED-like, delimited text, Parquet, or a list of names; text
            plain, gzip or bgzip.
        sites: a file with identifiers, places and alleles, for inputs that name their variants without saying where
            they are or what their alleles are.
        name: what the rows carry as `input_file`; by default the file's name.

    Raises:
        InputError: when the file is missing, empty, damaged, no variant file, or needs `sites`.
    """
    check_file(path)
    try:
        source = _open(path, name or path.name)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if source.named_alleles or (source.columns.has_place and source.columns.has_alleles):
        return source
    if sites is None:
        if source.columns.has_place or not _ids_hold_alleles(source):
            raise InputError(_needs_sites(source))
        return replace(
            source,
            named_alleles=True,
            declares_ref=True,
            reading=replace(source.reading, declares_ref=True),
        )
    known = open_source(sites)
    if "id" not in known.columns.index:
        raise InputError(
            f"{sites}: has no column of identifiers to look variants up by. Give sites with rsIDs."
        )
    declares_ref = source.declares_ref if source.columns.has_alleles else known.declares_ref
    one_based = replace(
        known.reading, declares_ref=declares_ref, separator=source.reading.separator
    )
    return replace(
        source,
        sites=known,
        declares_ref=declares_ref,
        reading=one_based,
        header_contigs=known.header_contigs,
    )


def open_sources(paths: Sequence[Path | InputFile], *, sites: Path | None = None) -> list[Source]:
    """Open several: globs and directories of Parquet stand for the files in them; each has a name of its own.

    Raises:
        InputError: as `open_source`, or when a file is given twice or a glob has no match.
    """
    files = expand_inputs(paths)
    names = input_names(files)
    return [
        open_source(file.path, sites=sites, name=name)
        for file, name in zip(files, names, strict=True)
    ]


def _open(path: Path, name: str) -> Source:
    if is_parquet(path):
        parquet = ParquetRecords.open(path)
        return _source(path, name, "Parquet", parquet.columns, parquet)
    if is_bcf(path):
        bcf = BcfFile.open(path)
        return replace(
            _source(path, name, "BCF", Columns(VCF_COLUMNS), bcf), header_contigs=bcf.header_contigs
        )
    text = DelimitedFile.open(path)
    layout = text.layout
    source = _source(path, name, layout.format, layout.columns, text)
    return replace(
        source,
        header_contigs=layout.header_contigs,
        named_alleles=layout.named_alleles,
        reading=replace(source.reading, separator=layout.separator),
    )


def _source(
    path: Path,
    name: str,
    kind: str,
    columns: Columns,
    reader: DelimitedFile | ParquetRecords | BcfFile,
) -> Source:
    reading = Reading(declares_ref=columns.declares_ref, one_based=columns.one_based_start)
    return Source(
        path=path,
        name=name,
        format=kind,
        declares_ref=columns.declares_ref,
        header_contigs=None,
        columns=columns,
        reading=reading,
        reader=reader,
    )


def _needs_sites(source: Source) -> str:
    columns = source.columns
    what = (
        "places"
        if not columns.has_place
        else "alleles"
        if "alt" not in columns.index
        else "a second allele"
    )
    if not columns.has_place and not columns.has_alleles:
        what = "places and alleles"
    has = f" It has {listed(columns.names)}." if columns.names else ""
    return (
        f"{source.path}: {source.format}, without {what}. Give a file with identifiers, places and alleles by --sites, "
        f"for example dbSNP's VCF of your assembly or the .bim.{has}"
    )


def _gathered(blocks: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same records in tables of at most `rows`, small ones joined."""
    waiting: list[pa.Table] = []
    held = 0
    for block in blocks:
        waiting.append(block)
        held += block.num_rows
        if held < rows // 2:
            continue
        together = pa.concat_tables(waiting)
        yield from (together.slice(first, rows) for first in range(0, held, rows))
        waiting, held = [], 0
    if held:
        yield pa.concat_tables(waiting)


def _ids_hold_alleles(source: Source) -> bool:
    """Whether the first identifier is one of NAMED_ALLELES."""
    first = next((block["id"][0].as_py() for block in source.records() if block.num_rows), None)
    return re.fullmatch(NAMED_ALLELES, first or "") is not None


def _with_named_alleles(records: pa.Table) -> pa.Table:
    """Place and alleles out of identifiers; what a column of its own says of ALT is which allele is the effect's."""
    parts = pc.extract_regex(records["id"], NAMED_ALLELES)
    if "effect" not in records.column_names:
        records = records.append_column("effect", records["alt"])
    for role in ("chrom", "pos", "ref", "alt"):
        at = records.schema.get_field_index(role)
        records = records.set_column(at, role, pc.struct_field(parts, role))
    return records


def _with_effect(records: pa.Table) -> pa.Table:
    """Where the file has identifiers with a risk allele, rs1-A: the allele as the column effect."""
    if "risk" not in records.column_names:
        return records
    alleles = pc.struct_field(
        pc.extract_regex(records["risk"], r"-(?P<allele>[ACGTacgt]+)\s*$"), "allele"
    )
    return (
        records.append_column("effect", alleles)
        if "effect" not in records.column_names
        else records
    )
