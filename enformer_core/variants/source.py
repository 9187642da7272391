"""Variant files of every kind opened by what they contain, and their alleles in batches of bounded size.

    source = open_source(path)              # looks at the beginning only
    for alleles in source.batches(): ...    # tables of RAW_SCHEMA, whole records

Knows how a header tells place and alleles, and where identifiers are looked up. Does not know the genome.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.errors import InputError
from enformer_core.variants.builds import BUILD, of_assembly
from enformer_core.variants.formats.detect import open_reader
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.formats.identifiers import holds_alleles, holds_place
from enformer_core.variants.formats.reader import (
    Columns,
    Header,
    RecordStream,
    Roles,
)
from enformer_core.variants.given_alleles import check_given_alleles
from enformer_core.variants.header_lines import without_other_headers
from enformer_core.variants.input_files import (
    InputFile,
    check_file,
    expand_inputs,
    input_names,
)
from enformer_core.variants.kept_columns import check_found, find_kept
from enformer_core.variants.named_records import (
    with_effect,
    with_locus,
    with_named_alleles,
    with_named_places,
)
from enformer_core.variants.needs_more import needs_more
from enformer_core.variants.parse import ParseRules, to_alleles
from enformer_core.variants.shown_names import as_given, shown_name
from enformer_core.variants.strands import on_the_plus_strand

if TYPE_CHECKING:
    from enformer_core.variants.rsids import Sites

BATCH_ROWS = 1 << 17

DETAILS = ("frequency", "filter", "info")
"""What filters ask for beside place and alleles."""

QUOTED = (
    "Its lines are quoted, as spreadsheets write them. Take the quotes off: "
    "sed -e 's/^\"//' -e 's/\"$//' -e 's/\"\"/\"/g'."
)
"""What is said of a file whose records begin with a quote that belongs to no cell."""
_FURTHER = (
    *("end", "effect", "risk", "locus", "alleles", "strand"),
    *("first", "last", "bed_start", BUILD),
)
"""Roles beside TEXT_COLUMNS that understanding a record takes."""

_PLACE_ROLES = ("chrom", "pos", "start", "end")
_PLACE_AND_REF = (*_PLACE_ROLES, "ref")

_NO_SITES = "--sites is not used: places and alleles of its own count"


@dataclass(frozen=True)
class Source:
    """One file of variants, opened; or variants that a rule makes (`mutagenesis`).

    Attributes:
        path: the file; of a rule its name.
        name: what its rows carry as `input_file`.
        reader: of its records.
        header: what its beginning says; where identifiers are looked up, contigs are those of the sites' file.
        rules: how its records are understood.
        sites: where identifiers are looked up.
        given: what the user wrote, where the file is a copy of that.
        notes: what of the command line has no use for this file, in words.
        batch_rows: records of a batch, where nobody says how many.
        assembly: of a file whose records name several, the one whose records are read; None for all.
    """

    path: Path
    name: str
    reader: RecordStream
    header: Header
    rules: ParseRules
    sites: "Source | None" = None
    given: str | None = None
    notes: tuple[str, ...] = ()
    batch_rows: int = BATCH_ROWS
    assembly: str | None = None

    def noting(self, *notes: str) -> "Source":
        """The same with more to be said of how it is read."""
        return replace(self, notes=(*self.notes, *notes))

    @property
    def shown(self) -> str:
        """What its rows carry as `input_file`, for a message."""
        return shown_name(self.name)

    @property
    def called(self) -> str:
        """The file as its user wrote it, for a message."""
        return shown_name(self.given or str(self.path))

    @property
    def format(self) -> str:
        """Name of the file's format, for people."""
        return self.header.format

    @property
    def columns(self) -> Columns:
        """Where the file's own columns are."""
        return self.header.columns

    @property
    def header_contigs(self) -> Mapping[str, int] | None:
        """Contigs and lengths in bp that a header declares; None where it declares none."""
        return self.header.contigs

    @property
    def declares_ref(self) -> bool:
        """Whether the format says which allele is REF."""
        return self.rules.declares_ref

    @property
    def is_complete(self) -> bool:
        """Whether the file says of each variant where it is and what its alleles are."""
        has_columns = self.columns.has_place and self.columns.has_alleles
        return has_columns or self.header.named_alleles or self.header.named_places

    def batches(
        self,
        *,
        rows: int | None = None,
        details: bool = False,
    ) -> Iterator[pa.Table]:
        """Alleles of RAW_SCHEMA in the file's order, whole records together.

        Args:
            rows: records of a batch at most, by default `batch_rows`; the last of the file may be smaller.
            details: whether to read `frequency` and `passed` too.

        Raises:
            InputError: when the file is damaged.
        """
        known_sites = None if self.sites is None else self._read_sites(self.sites)
        has_alleles = self.columns.has_alleles
        roles = DETAILS if details else ()
        for records in _rebatched(self.records(roles), rows or self.batch_rows):
            if known_sites is None:
                yield self.alleles_of(records)
            else:
                yield self.alleles_of(known_sites.fill(records, has_alleles=has_alleles))

    def alleles_of(self, records: pa.Table) -> pa.Table:
        """Alleles of records that have places and alleles."""
        return to_alleles(records, self.name, self.rules)

    def records(self, roles: Roles = ()) -> Iterator[pa.Table]:
        """All records as columns of text (see `RecordStream`), place and alleles taken out of identifiers.

        Raises:
            InputError: when the file cannot be read, or is damaged.
        """
        with as_given(self.path, self.given):
            try:
                kept = self.rules.kept
                wanted = dict.fromkeys((*self._needed_roles, *roles, *kept.roles))
                for block in self.reader.blocks(tuple(wanted)):
                    checked = without_other_headers(block, self.columns, str(self.path))
                    with_keys = kept.with_keys(checked, has_info="info" in roles)
                    yield self._completed(with_keys)
            except OSError as error:  # the file went away, or its disk failed, while it was read
                raise InputError(f"{self.path}: cannot be read: {error}") from error

    def sample(self, probes: int) -> Iterator[pa.Table]:
        """Records, as `records` gives them, from about so many places after the file's beginning.

        None where the file cannot be entered there, and none of files that only name their variants: a look-up of each
        would read all sites.
        """
        if self.sites is None:
            with as_given(self.path, self.given):
                for block in self.reader.sample(self._needed_roles, probes=probes):
                    yield self._completed(block)

    @property
    def _needed_roles(self) -> Roles:
        """Columns beside place and alleles that understanding a record takes."""
        index = self.columns.index
        return tuple(role for role in _FURTHER if role in index)

    def _completed(self, records: pa.Table) -> pa.Table:
        if self.assembly is not None:
            records = of_assembly(records, self.assembly)
        records = with_effect(records)
        if self.header.named_alleles:
            records = with_named_alleles(records, pos_from=self._pos_from)
        elif self.header.named_places:
            records = with_named_places(records, pos_from=self._pos_from)
        records = on_the_plus_strand(records, declares_ref=self._declares_own_ref)
        return with_locus(records)

    @property
    def _pos_from(self) -> int | None:
        return {True: 1, False: 0, None: None}[self.columns.one_based_start]

    @property
    def _declares_own_ref(self) -> bool:
        # of a table that is looked up in sites, `declares_ref` may be the sites'
        return self.header.named_alleles or self.columns.declares_ref

    def _read_sites(self, sites: "Source") -> "Sites":
        # here: few inputs are looked up, and polars takes a while to load
        from enformer_core.variants.rsids import Sites  # noqa: PLC0415

        # all of this file's identifiers first: of a table of a billion sites only those are kept
        blocks = [pc.unique(block["id"]) for block in self.records()]
        ids = pc.unique(pa.chunked_array(blocks, pa.string()))
        return Sites.read(sites.records(), ids, sites.name)


def open_source(
    path: Path,
    *,
    sites: Path | InputFile | None = None,
    name: str | None = None,
    given: str | None = None,
    columns: GivenColumns = NOTHING_GIVEN,
    keep: Sequence[str] = (),
) -> Source:
    """Find out what a file of variants is. Only its beginning is read.

    Args:
        path: a file in one of the formats of `detect.READERS`, or a list of names; text plain, gzip or bgzip.
        sites: a file with identifiers, places and alleles, for inputs that name their variants without saying where
            they are or what their alleles are.
        name: what the rows carry as `input_file`; by default the file's name.
        given: what the user wrote, where the file is a copy of that: of an address, of a pipe.
        columns: those that the user named.
        keep: columns of it, or keys of its INFO, that are kept beside the alleles; one that it has not is null.

    Raises:
        InputError: when the file is missing, empty, damaged, no variant file, or needs `sites`.
    """
    with as_given(path, given):
        source = _opened(path, name or path.name, given, sites=sites, columns=columns)
        reader, kept = find_kept(source.reader, path, keep)
        return replace(source, reader=reader, rules=replace(source.rules, kept=kept))


def _opened(
    path: Path,
    name: str,
    given: str | None,
    *,
    sites: Path | InputFile | None,
    columns: GivenColumns,
) -> Source:
    check_file(path)
    reader = open_reader(path, given, columns)
    header = reader.header
    rules = ParseRules(
        declares_ref=header.columns.declares_ref,
        one_based=header.columns.one_based_start,
        separator=header.separator,
        dash_is_empty=header.is_table,
    )
    source = Source(path, name, reader, header, rules, given=given)
    check_given_alleles(reader, columns, path)
    if source.is_complete:
        return source if sites is None else source.noting(_NO_SITES)
    if sites is not None:
        return _with_sites(source, _open_sites(sites)).noting(*_unused(columns, _PLACE_ROLES))
    named = _named_by_identifiers(source)
    roles = _PLACE_AND_REF if named.header.named_alleles else _PLACE_ROLES
    return named.noting(*_unused(columns, roles))


def _open_sites(sites: Path | InputFile) -> Source:
    if isinstance(sites, InputFile):
        return open_source(sites.path, name=sites.name, given=sites.given)
    return open_source(sites)


def _unused(columns: GivenColumns, roles: Sequence[str]) -> Iterator[str]:
    """A note for each column that the user named and that says nothing where identifiers have the place."""
    for role in roles:
        if role in columns.roles:
            named = f"--columns {role}={columns.roles[role]}"
            yield f"{named} is not used: the place is that of the identifiers"


def _named_by_identifiers(source: Source) -> Source:
    """A file without places, understood by its identifiers: GTEx and others write place and alleles into them.

    Raises:
        InputError: when they hold none: then `sites` are needed.
    """
    if source.columns.has_place:
        raise InputError(_refusal(source))
    header = source.header
    first = _first_identifier(source)
    if holds_alleles(first):
        columns = replace(header.columns, basis="format", why="identifiers hold REF, then ALT")
        return replace(
            source,
            header=replace(header, columns=columns, named_alleles=True),
            rules=replace(source.rules, declares_ref=True, one_based=True),
        )
    if holds_place(first) and source.columns.has_alleles:
        return replace(
            source,
            header=replace(header, named_places=True),
            rules=replace(source.rules, one_based=True),
        )
    raise InputError(_refusal(source))


def _with_sites(source: Source, sites: Source) -> Source:
    """A file that names its variants, understood as the sites are; its own alleles' order counts if it has them."""
    if "id" not in sites.columns.index:
        raise InputError(
            f"{sites.path}: has no column of identifiers to look variants up by. Give sites with rsIDs."
        )
    # places, and how they count, are the sites'; the order of the alleles is that of whichever file gives them
    declares_ref = source.declares_ref if source.columns.has_alleles else sites.declares_ref
    separator = source.rules.separator
    return replace(
        source,
        sites=sites,
        header=replace(source.header, contigs=sites.header_contigs),
        rules=replace(sites.rules, declares_ref=declares_ref, separator=separator),
    )


def open_sources(
    paths: Sequence[Path | InputFile],
    *,
    sites: Path | InputFile | None = None,
    columns: GivenColumns = NOTHING_GIVEN,
    keep: Sequence[str] = (),
) -> list[Source]:
    """Open several: globs and directories of Parquet stand for the files in them; each has a name of its own.

    Raises:
        InputError: as `open_source`, or when a file is given twice, a glob has no match, or no file has one of `keep`.
    """
    files = expand_inputs(paths)
    names = input_names(files)
    opened = [
        open_source(file.path, sites=sites, name=name, given=file.given, columns=columns, keep=keep)
        for file, name in zip(files, names, strict=True)
    ]
    check_found(keep, [(source.reader, source.path, source.rules.kept) for source in opened])
    return opened


def _refusal(source: Source) -> str:
    return needs_more(f"{source.path}: {source.format}", source.columns)


def _rebatched(blocks: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same records in tables of at most `rows`, small ones joined until they are half of that."""
    # blocks are cut by bytes, so wide files give short ones, and everything behind costs by the batch
    waiting: list[pa.Table] = []
    waiting_rows = 0
    for block in blocks:
        waiting.append(block)
        waiting_rows += block.num_rows
        if waiting_rows < rows // 2:
            continue
        joined = _joined(waiting)
        for first in range(0, waiting_rows, rows):
            yield joined.slice(first, rows)
        waiting = []
        waiting_rows = 0
    if waiting_rows:
        yield _joined(waiting)


def _joined(tables: list[pa.Table]) -> pa.Table:
    # not every block has a column of faults
    return pa.concat_tables(tables, promote_options="default")


def _first_identifier(source: Source) -> str:
    blocks = (block for block in source.records() if block.num_rows)
    first = next((block["id"][0].as_py() for block in blocks), None)
    return first or ""
