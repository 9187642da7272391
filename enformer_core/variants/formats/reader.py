"""What every reader of records gives: the header once, then tables of text with the same columns for every format."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns

Role = Literal[
    "chrom",
    "pos",
    "end",
    "id",
    "ref",
    "alt",
    "effect",
    "frequency",
    "filter",
    "info",
    "risk",
    "locus",
    "alleles",
    "strand",
    "first",
    "last",
    "bed_start",
    "build",
]
"""What a column holds. `ref` and `alt` are the other and the effect allele where the order is not declared; `effect` is
a column that says which of both is the effect allele; `risk` is an identifier with the risk allele, rs1-A; `locus` is
contig:position and `alleles` a list of both alleles, REF first; `first` and `last` are
a start and an end beside a position that counts from 1, and only held against it; so is `bed_start`, which is surely
UCSC's and counts from 0;
`build` is the name of an assembly."""

Roles = tuple[str, ...]

Separator = Literal["tab", "comma", "space"]

Basis = Literal["format", "names", "dialect", "given", "assumed"]
"""How it is known which column holds which allele: by the format's own rule, by the columns' names, by whose table it
is, by the user, or not at all."""

TEXT_COLUMNS = ("chrom", "pos", "id", "ref", "alt")
"""Columns that every table of records has, whatever the file has."""

REQUIRED = ("chrom", "pos", "ref", "alt")

# QUAL, at 5, is nobody's role; FORMAT and the samples behind INFO are never read
VCF_COLUMNS: Mapping[str, int] = {
    "chrom": 0,
    "pos": 1,
    "id": 2,
    "ref": 3,
    "alt": 4,
    "filter": 6,
    "info": 7,
}
"""The order that the VCF specification (section 1.4) fixes."""

VCF_ALLELES = "REF and ALT as VCF defines them"
"""Why a VCF's columns are known to be which allele, in words."""


_KEPT = "keep:"


def kept_role(name: str) -> str:
    """The role of a column that is kept under its name, whatever it holds."""
    return f"{_KEPT}{name}"


def kept_name(role: str) -> str | None:
    """The name of a kept column; None for all other roles."""
    return role.removeprefix(_KEPT) if role.startswith(_KEPT) else None


@dataclass(frozen=True)
class Columns:
    """Where the columns are.

    Attributes:
        index: 0-based, by role.
        declares_ref: whether `ref` is the genome's allele by the format's own rule.
        one_based_start: how positions count: True 1-based, False 0-based, None where `start` and `end` must tell.
        names: all names of a header, as written; empty where there is none.
        basis: how it is known which column is which allele.
        why: the same in words.
    """

    index: Mapping[str, int]
    declares_ref: bool = True
    one_based_start: bool | None = True
    names: Sequence[str] = field(default=(), repr=False)
    basis: Basis = "format"
    why: str = ""

    @property
    def has_place(self) -> bool:
        """Whether the file says on which contig and where a variant is."""
        return "locus" in self.index or {"chrom", "pos"} <= self.index.keys()

    @property
    def has_alleles(self) -> bool:
        """Whether the file has a column for each of the two alleles."""
        return "alleles" in self.index or {"ref", "alt"} <= self.index.keys()


@dataclass(frozen=True)
class Header:
    """What the beginning of a file says of all its records.

    Attributes:
        format: name of the format, for people.
        columns: which column holds what, and how positions count.
        contigs: lengths in bp of the contigs that it declares; None where it declares none.
        separator: between columns of text, for messages; formats that are no text have whole records only.
        named_alleles: whether identifiers hold place and alleles (`identifiers`).
        named_places: whether they hold the place, beside columns of alleles.
        is_table: whether it is a table as any program writes them: blanks around a cell mean nothing, unlike in a VCF.
    """

    format: str
    columns: Columns
    contigs: Mapping[str, int] | None = None
    separator: Separator = "tab"
    named_alleles: bool = False
    named_places: bool = False
    is_table: bool = False


@runtime_checkable
class RecordStream(Protocol):
    """Records, wherever they come from: a file, or a rule that makes them.

    Tables of records have these columns, in any order:

    - line (int64): of the file, from 1; of formats without lines the number of the record;
    - fields, needed_fields (int64): columns that the line has, and those that it must have to reach the last required
      one; a line with fewer becomes a malformed row, so every record answers for itself;
    - TEXT_COLUMNS, as written, null where the file or the line has none: positions count as `header` says, ALTs of one
      record are separated by commas;
    - info_end (text), where the reader has it: INFO, in tables of which some record may have an END there;
    - each of the further roles that was asked for and that the file has, likewise as text;
    - fault (text), where the reader has it: why a record cannot be believed, null elsewhere.
    """

    @property
    def header(self) -> Header:
        """What is known of all records: of a file, what its beginning says."""
        ...

    def blocks(self, roles: Roles = ()) -> Iterator[pa.Table]:
        """All records in the file's order, in tables of any size.

        Args:
            roles: further columns to read.

        Raises:
            InputError: when the file is damaged.
        """
        ...

    def sample(self, roles: Roles = (), *, probes: int) -> Iterator[pa.Table]:
        """Some records from about so many places after the beginning; lines are not numbered as in the file.

        Nothing where the format can be read from its beginning only.
        """
        ...


@runtime_checkable
class RecordReader(RecordStream, Protocol):
    """A variant file of one format, whose beginning has been looked at."""

    @staticmethod
    def sniff(path: Path, given: GivenColumns = NOTHING_GIVEN) -> "RecordReader | None":
        """Open the file if its content is of this format, whatever its name; None if it is not.

        Args:
            path: the file.
            given: columns that the user named; a format without names of columns has no use for them.

        Raises:
            InputError: when it is of this format and cannot be used; the message names file and remedy.
        """
        ...


def whole_records(
    cells: Mapping[str, pa.Array | pa.ChunkedArray],
    *,
    rows: int,
    first_line: int,
) -> pa.Table:
    """Records of a format in which none can be too short.

    Args:
        cells: text by role; of TEXT_COLUMNS those that the file has.
        rows: how many records.
        first_line: number of the first.
    """
    absent = {role: pa.nulls(rows, pa.string()) for role in TEXT_COLUMNS}
    fields = np.full(rows, len(cells))  # as many as are needed, so none is short
    return pa.table(
        {
            "line": np.arange(first_line, first_line + rows),
            "fields": fields,
            "needed_fields": fields,
            **absent,
            **cells,
        }
    )
