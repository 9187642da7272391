"""Genes in GTF and GFF3: Ensembl's, GENCODE's, RefSeq's, UCSC's, and what Cufflinks and gffread write.

Some have lines for genes and transcripts, some exons only; an identifier may carry its version.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

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
from enformer_core.words import agreeing, counted

GFF_COLUMNS = 9

_EXON_PIECES = frozenset(
    {"CDS", "UTR", "5UTR", "3UTR", "five_prime_utr", "three_prime_utr"}
    | {"five_prime_UTR", "three_prime_UTR", "stop_codon"}
)
"""What exons are made of, for files that do not name exons themselves."""

_TRANSCRIPT_ENDINGS = ("transcript", "RNA", "gene_segment")

_GTF_ATTRIBUTE = re.compile(
    r"""
    ([^\s;"]+)\s+                 # its key
    (?:"((?:[^"\\]|\\.)*)"       # its value in quotes, where `;` and words that are keys elsewhere are itself;
       (?:[^;"]*"(?=\s*(?:;|$)))? # one quote too many, as of `"3" end";`, belongs to it
       |([^\s;"][^\s;]*)[^;]*)    # or one word: what follows up to the semicolon is no key
    |"(?:[^"\\]|\\.)*"           # quotes without a key
    """,
    re.VERBOSE,
)
"""`gene_id "ENSG1.2"; level 2; description "host gene 11";`."""

_GFF3_ATTRIBUTE = re.compile(r'([^=;]*)=("[^"]*"(?=\s*(?:;|$))|[^;]*)')
"""`ID=gene-1;Note="host; gene=11"`: quotes are nothing in GFF3, but where they hold a whole value they are meant."""

_TYPE_KEYS = ("gene_type", "gene_biotype", "biotype")

_NAME_KEYS = ("gene_name", "Name", "gene")


class GtfReader:
    """GTF of Ensembl, GENCODE, RefSeq, UCSC and Cufflinks: every line names its gene, and may name its transcript."""

    def __init__(self) -> None:
        self._drafts: dict[DraftKey, GeneDraft] = {}

    def add(self, line: Line, contigs: ContigNames) -> None:
        """Take a line with data; lines on contigs that the genome does not have are counted and left out."""
        fields = _gff_fields(line)
        kind = _kind(fields[2])
        if kind is None:
            return
        span = parse_span(line, fields[3], fields[4], counts_from=1)
        contig = contigs.own(fields[0])
        if contig is None:
            return
        attributes = fields[8]
        gene = _gtf_value(attributes, "gene_id")
        if not gene:
            raise InputError(f"{line.where}: this {fields[2]} names no gene_id: {line.shown}")
        draft = self._draft(line, gene, contig, fields[6], attributes)
        if kind == "gene":
            draft.add_gene(span)
            draft.name = draft.name or _gtf_first(attributes, _NAME_KEYS)
            draft.type = draft.type or _gtf_first(attributes, _TYPE_KEYS)
            return
        draft.add_transcript(_gtf_value(attributes, "transcript_id") or "", span)
        if kind != "transcript":
            draft.add_part(kind, span)

    def _draft(self, line: Line, gene: str, contig: str, strand: str, attributes: str) -> GeneDraft:
        # one identifier on two contigs is two genes: the pseudo-autosomal ones, and copies in UCSC's files
        key = (gene, "", contig, strand)
        draft = self._drafts.get(key)
        if draft is None:
            draft = GeneDraft(
                where=line.where,
                id=gene,
                name=_gtf_first(attributes, _NAME_KEYS),
                type=_gtf_first(attributes, _TYPE_KEYS),
                contig=contig,
                strand=parse_strand(line, strand, gene),
            )
            self._drafts[key] = draft
        return draft

    def finish(self) -> Iterator[GeneDraft]:
        """All genes, in the order in which they came."""
        yield from self._drafts.values()

    @staticmethod
    def lost() -> str | None:
        """Nothing: every line names its gene."""
        return None


def _gff_fields(line: Line) -> list[str]:
    fields = line.text.split("\t")
    if len(fields) < GFF_COLUMNS:
        raise InputError(
            f"{line.where}: {line.shown} has {counted(len(fields), 'columns')}, GTF and GFF3 have {GFF_COLUMNS}"
        )
    return fields


@lru_cache
def _kind(feature: str) -> str | None:
    """What a line of GTF is to us; None for lines that say nothing of genes."""
    if feature in {"gene", "exon"}:
        return feature
    if feature in _EXON_PIECES:
        return "piece"
    return "transcript" if feature.endswith(_TRANSCRIPT_ENDINGS) else None


def _gtf_value(attributes: str, key: str) -> str | None:
    # identifiers stand first: of most lines one or two attributes are read
    for match in _GTF_ATTRIBUTE.finditer(attributes):
        if match[1] == key:
            # `one; \"x\"` is how a quote stands within quotes; any other `\` is itself, as in `\xe9`
            return re.sub(r'\\(["\\])', r"\1", match[2]) if match[2] else match[3]
    return None


def _gtf_first(attributes: str, keys: Sequence[str]) -> str | None:
    values = (_gtf_value(attributes, key) for key in keys)
    return next((value for value in values if value), None)


class _Feature(NamedTuple):
    """A line of GFF3 that belongs to some gene."""

    line: Line
    kind: str
    contig: str
    span: Span
    strand: str
    attributes: Mapping[str, str]


class Gff3Reader:
    """GFF3 of Ensembl, GENCODE, RefSeq and gffread: lines name their parents, up to the gene.

    A line may come before its parent: then it waits until the file is read.
    """

    def __init__(self) -> None:
        self._drafts: dict[DraftKey, GeneDraft] = {}
        self._genes: dict[str, GeneDraft] = {}
        self._transcripts: dict[str, GeneDraft] = {}
        self._waiting: list[_Feature] = []

    def add(self, line: Line, contigs: ContigNames) -> None:
        """Take a line with data; lines on contigs that the genome does not have are counted and left out."""
        fields = _gff_fields(line)
        kind = _gff3_kind(fields[2], fields[8])
        if kind is None:
            return
        span = parse_span(line, fields[3], fields[4], counts_from=1)
        contig = contigs.own(fields[0])
        if contig is None:
            return
        attributes = _gff3_attributes(fields[8])
        feature = _Feature(line, kind, contig, span, fields[6], attributes)
        if not self._took(feature):
            self._waiting.append(feature)

    def finish(self) -> Iterator[GeneDraft]:
        """All genes, in the order in which they came."""
        # transcripts first: the exons that wait may be theirs
        self._waiting.sort(key=lambda feature: feature.kind != "transcript")
        still: list[_Feature] = []
        while len(self._waiting) != len(still):
            still = self._waiting
            self._waiting = [feature for feature in still if not self._took(feature)]
        yield from self._drafts.values()

    def lost(self) -> str | None:
        """What is left when the file is read: lines that lead to no gene, and the first of them."""
        if not self._waiting:
            return None
        count = len(self._waiting)
        line, _, _, _, _, attributes = min(self._waiting, key=lambda feature: feature.line.number)
        lines = f"{counted(count, 'lines')} {agreeing(count, 'has', 'have')}"
        return (
            f"{lines} a Parent= that leads to no gene of this file, such as line {line.number}, "
            f"Parent={attributes.get('Parent', '')}"
        )

    def _took(self, feature: _Feature) -> bool:
        """Give a line to its gene; False where that is not known yet."""
        attributes = feature.attributes
        if feature.kind == "gene":
            draft = self._draft(feature, _gff3_gene(attributes, feature.line))
            draft.add_gene(feature.span)
            self._genes[attributes.get("ID", draft.id)] = draft
            return True
        parents = [_unquoted(name) for name in attributes.get("Parent", "").split(",") if name]
        if feature.kind == "transcript":
            return self._took_transcript(feature, parents)
        known = [self._transcripts.get(name) or self._genes.get(name) for name in parents]
        drafts = [draft for draft in known if draft is not None]
        for draft in drafts:
            draft.add_part(feature.kind, feature.span)
        return bool(drafts)

    def _took_transcript(self, feature: _Feature, parents: Sequence[str]) -> bool:
        name = feature.attributes.get("ID", "")
        if not parents:
            # gffread writes transcripts without genes, and names the gene in an attribute
            gene = _first(feature.attributes, ("geneID", "gene_id", "gene")) or name
            draft = self._draft(feature, gene)
        elif parents[0] in self._genes:
            draft = self._genes[parents[0]]
        elif parents[0] in self._transcripts:
            # a miRNA, cut out of its transcript: its first base is no TSS
            self._transcripts[name] = self._transcripts[parents[0]]
            return True
        else:
            return False
        draft.add_transcript(name, feature.span)
        self._transcripts[name] = draft
        return True

    def _draft(self, feature: _Feature, gene: str) -> GeneDraft:
        key = (gene, "", feature.contig, feature.strand)
        draft = self._drafts.get(key)
        if draft is None:
            draft = GeneDraft(
                where=feature.line.where,
                id=gene,
                name=_first(feature.attributes, _NAME_KEYS),
                type=_first(feature.attributes, _TYPE_KEYS),
                contig=feature.contig,
                strand=parse_strand(feature.line, feature.strand, gene),
            )
            self._drafts[key] = draft
        return draft


def _gff3_attributes(text: str) -> Mapping[str, str]:
    if '"' in text:
        pairs = [(match[1].strip(), match[2].strip()) for match in _GFF3_ATTRIBUTE.finditer(text)]
    else:
        parts = [part.strip().partition("=") for part in text.split(";")]
        pairs = [(key, value) for key, _, value in parts]
    attributes = {key: value for key, value in pairs if key}
    if "%" not in text:
        return attributes
    # parents are split at commas first, which a name itself may hold as %2C
    return {
        key: value if key == "Parent" else _unquoted(value) for key, value in attributes.items()
    }


def _unquoted(value: str) -> str:
    r"""A value in which `%2C` is a comma; bytes that are no UTF-8 as `\xe9`, as elsewhere in the file."""
    return unquote(value, errors="backslashreplace")


def _gff3_kind(feature: str, attributes: str) -> str | None:
    if feature.endswith("exon"):
        return "exon"
    if feature in _EXON_PIECES:
        return "piece"
    if feature.endswith(_TRANSCRIPT_ENDINGS):
        return "transcript"
    if not feature.endswith("gene") and "gbkey=Gene" not in attributes:
        return None
    # the words may stand within a note
    given = _gff3_attributes(attributes)
    if not feature.endswith("gene") and given.get("gbkey") != "Gene":
        return None
    # older files of Ensembl call the transcript of a pseudogene so, too
    return "transcript" if "Parent" in given else "gene"


def _gff3_gene(attributes: Mapping[str, str], line: Line) -> str:
    """The gene's identifier: `gene_id`, or `ID` without the `gene:` of Ensembl and the `gene-` of RefSeq."""
    name = attributes.get("gene_id") or re.sub("^gene[:-]", "", attributes.get("ID", ""))
    name = name or attributes.get("Name", "")
    if not name:
        raise InputError(f"{line.where}: this gene has neither ID nor Name: {line.shown}")
    return name


def _first(attributes: Mapping[str, str], keys: Sequence[str]) -> str | None:
    return next((attributes[key] for key in keys if attributes.get(key)), None)
