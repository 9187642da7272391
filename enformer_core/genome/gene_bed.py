"""Genes in BED: six columns and more, exons in the blocks of BED12, identifiers and types where a header names them."""

from collections.abc import Iterator, Mapping, Sequence

from enformer_core.errors import InputError
from enformer_core.genome.gene_drafts import (
    ContigNames,
    DraftKey,
    GeneDraft,
    Line,
    Span,
    parse_span,
    parse_strand,
)
from enformer_core.genome.tss_windows import TssWindows
from enformer_core.genome.whole_number import whole_number
from enformer_core.words import counted

_BED_STRAND = 5
_BED_COLUMNS = 6
_BED12_COLUMNS = 12

_BED_NOTHING = frozenset({"", ".", "NA", "nan"})

# Columns of BED files with a header, as ABC's are, by what they hold.
_BED_IDS = frozenset({"ensembl_id", "ensemblid", "ensembl", "gene_id", "geneid"})
_BED_TYPES = frozenset({"gene_type", "genetype", "gene_biotype", "biotype"})
_BED_STARTS = frozenset({"start", "chromstart", "txstart"})


def bed_fields(text: str) -> list[str]:
    """The columns of a line, at tabs, or at white space where there are none."""
    return text.split("\t") if "\t" in text else text.split()


def bed_header(header: Sequence[str], first: Line) -> Mapping[str, int]:
    """The columns of a BED file by name in small letters, where a line names them: with or without `#`."""
    # the comment nearest to the data first: those above it tell where a file comes from
    for text in (*reversed(header), first.text):
        fields = bed_fields(text.lstrip("#"))
        names = [name.strip().lower() for name in fields]
        if len(names) >= 3 and names[1] in _BED_STARTS:
            return {name: column for column, name in enumerate(names)}
    return {}


class BedReader:
    """BED with six columns and more: a row is a gene, rows of one name are its transcripts.

    Args:
        columns: by name, where the file has a header.
    """

    def __init__(self, columns: Mapping[str, int]) -> None:
        self._drafts: dict[DraftKey, GeneDraft] = {}
        self._columns = columns
        self._id_column = _column(columns, _BED_IDS)
        self._type_column = _column(columns, _BED_TYPES)
        # without a header, twelve columns are BED12
        self._has_blocks = not columns or "blocksizes" in columns
        self._windows = TssWindows()
        self._blocks_seen = False

    def add(self, line: Line, contigs: ContigNames) -> None:
        """Take a line with data; lines on contigs that the genome does not have are counted and left out."""
        fields = [text.strip() for text in bed_fields(line.text)]
        # the header, without `#`
        if len(fields) > 1 and fields[1].lower() in _BED_STARTS:
            return
        if len(fields) < _BED_COLUMNS:
            raise InputError(
                f"{line.where}: {line.shown} has {counted(len(fields), 'columns')}; genes in BED need six: "
                "contig, start, end, name, score, strand"
            )
        span = parse_span(line, fields[1], fields[2], counts_from=0)
        start, end = span
        # rows of other contigs tell of the file, too
        self._windows.add(start, end)
        contig = contigs.own(fields[0])
        if contig is None:
            return
        draft = self._draft(line, fields, contig)
        # a row is a transcript: where it stands names it, as rows of one gene have one name
        draft.add_transcript(line.where, span)
        if self._has_blocks and len(fields) >= _BED12_COLUMNS:
            self._blocks_seen = True
            for block in _blocks(line, fields, span):
                draft.add_part("exon", block)

    def _draft(
        self,
        line: Line,
        fields: Sequence[str],
        contig: str,
    ) -> GeneDraft:
        """The gene of a row, begun where no row before has named it."""
        name = fields[3]
        if name in _BED_NOTHING:
            raise InputError(f"{line.where}: this gene has no name: {line.shown}")
        gene = self._value(fields, self._id_column) or name
        # identifiers repeat in ABC's files, where two genes were given one: the name tells them apart
        key = (gene, name, contig, fields[_BED_STRAND])
        draft = self._drafts.get(key)
        if draft is None:
            strand = parse_strand(line, fields[_BED_STRAND], name)
            gene_type = self._value(fields, self._type_column)
            draft = GeneDraft(line.where, gene, name, gene_type, contig, strand)
            self._drafts[key] = draft
        return draft

    def finish(self) -> Iterator[GeneDraft]:
        """All genes, in the order in which they came."""
        window_bp = self._window_bp
        for draft in self._drafts.values():
            draft.window_bp = window_bp
            yield draft

    def taken(self) -> str | None:
        """Whether rows of one length were taken for windows around TSSs or for genes; None where there is no doubt."""
        if self._blocks_seen:
            return None
        return self._windows.said()

    @property
    def _window_bp(self) -> int | None:
        """How long the windows around TSSs are that all rows are; None where they are genes."""
        return self._windows.length_bp(has_blocks=self._blocks_seen)

    @staticmethod
    def lost() -> str | None:
        """Nothing: every line is a gene's."""
        return None

    @staticmethod
    def _value(fields: Sequence[str], column: int | None) -> str | None:
        # empty cells at the end of a row may be left out
        if column is None or column >= len(fields):
            return None
        value = fields[column]
        return None if value in _BED_NOTHING else value


def _column(columns: Mapping[str, int], names: frozenset[str]) -> int | None:
    return next((column for name, column in columns.items() if name in names), None)


def _blocks(
    line: Line,
    fields: Sequence[str],
    span: Span,
) -> Iterator[Span]:
    """The exons of a row of BED12: sizes, and starts that count from the row's own."""
    # UCSC writes a comma behind the last number, too
    lists = [list(filter(None, fields[column].split(","))) for column in (10, 11)]
    try:
        count = whole_number(fields[9])
        sizes, begins = [list(map(whole_number, texts)) for texts in lists]
    except ValueError:
        raise InputError(
            f"{line.where}: the last three columns of BED12 are the number of blocks, their sizes and their "
            f"starts, here {fields[9]!r}, {fields[10]!r} and {fields[11]!r}"
        ) from None
    if not len(sizes) == len(begins) == count:
        raise InputError(
            f"{line.where}: says that it has {counted(count, 'blocks')}, and has "
            f"{counted(len(sizes), 'sizes')} and {counted(len(begins), 'starts')}. "
            "Was the line cut off?"
        )
    row_start, row_end = span
    for begin, size in zip(begins, sizes, strict=True):
        start = row_start + begin
        end = start + size
        if begin < 0 or size < 1 or end > row_end:
            raise InputError(
                f"{line.where}: a block of {size} bp at {begin} leaves its row, {row_start} to {row_end}"
            )
        yield start, end
