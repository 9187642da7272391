"""What a line of a file says of a gene, whatever the format: spans, strands, and drafts that grow line by line.

Does not know formats, nor which genes are wanted. Positions are 0-based and half-open, whatever the file counts from.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from enformer_core.errors import InputError
from enformer_core.genome.contig_names import Lengths, reconcile_contigs
from enformer_core.genome.whole_number import whole_number

Strand = Literal["+", "-"]

Span = tuple[int, int]
"""First base, and the one after the last."""

# of a line that cannot be read, which may be as long as a chromosome
_SHOWN_LETTERS = 60


@dataclass
class GeneDraft:
    """What the lines of a file have said of one gene so far.

    Attributes:
        where: file and line that named it first.
        id: its identifier, with the version where the file has it there.
        name: what people call it; None where the file does not say.
        type: `protein_coding` and the like; None where the file does not say.
        contig: as the genome names it.
        strand: the one that is transcribed.
        span: of its own line, if it has one.
        transcripts: span of each by its name; a file without names of transcripts has one for all.
        exons: of all transcripts.
        pieces: coding and untranslated stretches; kept while no exon is known.
        window_bp: how long transcripts are where they are windows with the first base in the middle; None where they
            are whole.
    """

    where: str
    id: str
    name: str | None
    type: str | None
    contig: str
    strand: Strand
    span: Span | None = None
    transcripts: dict[str, Span] = field(default_factory=dict)
    exons: set[Span] = field(default_factory=set)
    pieces: set[Span] = field(default_factory=set)
    window_bp: int | None = None

    @property
    def bounds(self) -> Span:
        """From the first base of any of its lines to the end of the last."""
        spans = list(self.transcripts.values())
        if self.span is not None:
            spans.append(self.span)
        starts, ends = zip(*spans, strict=True)
        return min(starts), max(ends)

    def add_gene(self, span: Span) -> None:
        """Take what the gene's own line says, or another line of the same gene."""
        self.span = _joined(self.span, span)

    def add_transcript(self, name: str, span: Span) -> None:
        """Widen a transcript, or begin it."""
        self.transcripts[name] = _joined(self.transcripts.get(name), span)

    def add_part(self, kind: str, span: Span) -> None:
        """Take an exon, or a piece of one."""
        # pieces lie within exons: once there are exons, they say nothing more
        if kind == "exon":
            self.exons.add(span)
            self.pieces.clear()
        elif not self.exons:
            self.pieces.add(span)


def _joined(first: Span | None, second: Span) -> Span:
    if first is None:
        return second
    return min(first[0], second[0]), max(first[1], second[1])


DraftKey = tuple[str, str, str, str]
"""Identifier, name, contig and strand: lines that agree in all of them are of one gene."""


class ContigNames:
    """The genome's own names of a file's contigs; counts lines on contigs that it does not have.

    Attributes:
        unknown: lines by the file's name of the contig.
    """

    def __init__(self, lengths: Lengths) -> None:
        self._lengths = lengths
        self._own: dict[str, str | None] = {}
        self.unknown: Counter[str] = Counter()

    @property
    def names(self) -> list[str]:
        """All names so far, in the order of the file."""
        return list(self._own)

    def own(self, name: str) -> str | None:
        """What the genome calls this contig; None where it has no such one."""
        # asked once for each name: a file has millions of lines and a few contigs
        if name not in self._own:
            names = reconcile_contigs([name], self._lengths)
            self._own[name] = names.get(name)
        own = self._own[name]
        if own is None:
            self.unknown[name] += 1
        return own


class Line(NamedTuple):
    """One line of a file, and where it stands."""

    file: str
    number: int
    text: str

    @property
    def where(self) -> str:
        """File and line, the first being 1."""
        return f"{self.file}, line {self.number}"

    @property
    def shown(self) -> str:
        """Its beginning as messages quote it."""
        return repr(self.text[:_SHOWN_LETTERS])


def parse_span(
    line: Line,
    first: str,
    last: str,
    *,
    counts_from: int,
) -> Span:
    """The bases from a line's first position to its last, which count from 0 (BED) or 1.

    Raises:
        InputError: for what are no positions, or positions of nothing.
    """
    try:
        start = whole_number(first) - counts_from
        # BED's end from 0 is the base behind, which is the last one's number from 1: the same in both
        end = whole_number(last)
    except ValueError:
        raise InputError(f"{line.where}: {line.shown}: {first}, {last} are no positions") from None
    if start < 0 or end <= start:
        rule = (
            "BED counts from 0, and the end comes after the start"
            if counts_from == 0
            else "GTF and GFF3 count from 1, and the first base comes first"
        )
        raise InputError(f"{line.where}: from {first} to {last}; {rule}")
    return start, end


def parse_strand(line: Line, text: str, gene: str) -> Strand:
    """The strand of a gene.

    Raises:
        InputError: for anything but + and -, naming the gene.
    """
    if text == "+":
        return "+"
    if text == "-":
        return "-"
    raise InputError(
        f"{line.where}: gene {gene} has the strand {text!r}, without which its TSS is not known. "
        "Write + or -, or leave the gene out."
    )
