"""Files of genes: unpacked, told apart by their first line with data, and given to the reader of their format.

Does not know what lines mean: see `gene_gff` and `gene_bed`.
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol, runtime_checkable

from enformer_core.errors import InputError
from enformer_core.genome.contig_names import Lengths
from enformer_core.genome.gene_bed import BedReader, bed_fields, bed_header
from enformer_core.genome.gene_drafts import ContigNames, GeneDraft, Line
from enformer_core.genome.gene_gff import GFF_COLUMNS, Gff3Reader, GtfReader
from enformer_core.mistaken import mistaken_for
from enformer_core.words import agreeing, counted

_NUMBER = re.compile(r"-?\d+")

_GZIP_MAGIC = b"\x1f\x8b"

_HEAD_BYTES = 1024

_SEQUENCE = (">", "##FASTA")

_NO_DATA = ("#", "track", "browser")


@dataclass(frozen=True)
class GeneFile:
    """Everything that a file says of genes on contigs that the genome has.

    Attributes:
        drafts: its genes.
        contigs: names, and what was on unknown ones.
        header: comment lines before the first gene, which may name an assembly.
        lost: what lines lead to no gene; None where all do.
        odd_letters: what lines are not UTF-8, and how their letters stand; None where all are.
        taken: what its lines were taken for, though they could be something else; None where nothing is in doubt.
    """

    drafts: Sequence[GeneDraft]
    contigs: ContigNames
    header: Sequence[str]
    lost: str | None = None
    odd_letters: str | None = None
    taken: str | None = None


def read_gene_file(
    path: Path,
    lengths: Lengths,
    *,
    given: str | None = None,
) -> GeneFile:
    """Read a file of genes, plain or gzip; which format it is, its first line with data shows.

    Args:
        path: the file.
        lengths: of the genome's contigs; lines on others are counted and left out.
        given: what messages call it: as the user named it, where that is not the path.

    Raises:
        InputError: for a file without genes, or a line that cannot be, naming file, line and what is wrong.
    """
    name = given or str(path)
    contigs = ContigNames(lengths)
    odd = _OddLetters()
    lines = _lines(path, name, odd)
    header, first = _head(lines)
    if first is None:
        raise InputError(f"{name}: no genes in this file. Give GTF, GFF3 or BED with six columns.")
    reader = _reader(header, first)
    for line in chain([first], lines):
        # GFF3 may carry the sequence itself, at its end
        if line.text.startswith(_SEQUENCE):
            break
        if not line.text.startswith(_NO_DATA) and line.text.strip():
            reader.add(line, contigs)
    drafts = list(reader.finish())
    taken = reader.taken() if isinstance(reader, BedReader) else None
    return GeneFile(drafts, contigs, header, reader.lost(), odd.said(), taken)


@runtime_checkable
class _Reader(Protocol):
    """Collects genes from the lines of one format."""

    def add(self, line: Line, contigs: ContigNames) -> None:
        """Take a line with data, which may be of any gene."""
        ...

    def finish(self) -> Iterator[GeneDraft]:
        """All genes, when there are no more lines."""
        ...

    def lost(self) -> str | None:
        """Which lines lead to no gene, once it is finished."""
        ...


def _head(lines: Iterator[Line]) -> tuple[list[str], Line | None]:
    """The comments at the beginning, and the first line with data; None where there is none."""
    header: list[str] = []
    for line in lines:
        if line.text.startswith(_NO_DATA):
            header.append(line.text)
        elif line.text.strip():
            return header, line
    return header, None


@dataclass
class _OddLetters:
    """Lines that are not UTF-8: how many, and the first. Most likely a name is Latin-1."""

    lines: int = 0
    first: int = 0

    def readable(self, text: str, number: int) -> str:
        r"""The line, such bytes as `\xe9`: no reason to refuse a file."""
        try:
            text.encode()
        except UnicodeEncodeError:
            self.first = self.first or number
            self.lines += 1
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return text

    def said(self) -> str | None:
        if not self.lines:
            return None
        are = agreeing(self.lines, "is", "are")
        return (
            f"{counted(self.lines, 'lines')} {are} not UTF-8, such as line {self.first:,}: of their letters those "
            r"stand as \xe9. To have names as they are, turn the file to it: iconv -f latin1 -t utf-8"
        )


def _lines(
    path: Path,
    name: str,
    odd: _OddLetters | None = None,
    *,
    what: str = "genes",
) -> Iterator[Line]:
    odd = odd or _OddLetters()
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == _GZIP_MAGIC
        with gzip.open(path) if is_gzip else path.open("rb") as content:
            # Windows marks text by three bytes that are no part of its first line
            text = io.TextIOWrapper(content, encoding="utf-8-sig", errors="surrogateescape")
            for number, line in enumerate(text, 1):
                bare = line.rstrip("\n")
                yield Line(name, number, bare if bare.isascii() else odd.readable(bare, number))
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except (OSError, EOFError, zlib.error) as error:
        # of what the system says its number means nothing to people
        by_system = error.strerror if isinstance(error, OSError) else None
        why = f": {by_system}" if by_system else f" as a file of {what}: {error}"
        raise InputError(f"{name}: cannot be read{why}") from error


def is_annotation(
    path: Path,
    *,
    given: str | None = None,
    what: str = "genes",
) -> bool:
    """Whether a file is GTF or GFF3, by its first line with data.

    Args:
        path: the file.
        given: what messages call it, where that is not the path.
        what: it should hold, for messages.

    Raises:
        InputError: for a file that cannot be read.
    """
    _, first = _head(_lines(path, given or str(path), what=what))
    return first is not None and _is_gff(first.text.split("\t"))


def _is_gff(fields: Sequence[str]) -> bool:
    # a gene may come without its attributes, which the reader then misses in its own words
    if len(fields) < GFF_COLUMNS - 1:
        return False
    has_places = fields[3].isdigit() and fields[4].isdigit()
    # of BED, whose names and scores may be numbers too, the third column is a place
    return has_places and not fields[2].isdigit()


def _reader(header: Sequence[str], first: Line) -> "_Reader":
    fields = first.text.split("\t")
    if _is_gff(fields):
        # `gene_id "ENSG1";` or `ID=gene:ENSG1;`
        return GtfReader() if re.match(r"\s*\w+\s+\S", fields[-1]) else Gff3Reader()
    columns = bed_header(header, first)
    fields = bed_fields(first.text)
    # a place below 0 is a bad place in BED, not another format
    if columns or (len(fields) >= 3 and _NUMBER.fullmatch(fields[1])):
        return BedReader(columns)
    head = first.text[:_HEAD_BYTES].encode("utf-8", "replace")
    what = mistaken_for(head, Path(first.file))
    is_what = f" It is {what}" if what else " Give GTF, GFF3 or BED with six columns."
    raise InputError(f"{first.where}: {first.shown} is neither GTF, GFF3 nor BED.{is_what}")
