"""The genes of a genome: where each is transcribed from, and which of its bases are exons.

    genes = read_genes(Path("gencode.v47.gtf.gz"), genome, gene_types=("protein_coding",))
    gene = genes.find("GATA1")[0]
    gene.tss            # (48786589,): first bases of its transcripts, 0-based

Knows contigs and intervals, 0-based and half-open. Does not know formats (`gene_files`), bins or models.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from enformer_core.errors import InputError, first_few, nearest
from enformer_core.genome.contig_names import called_otherwise
from enformer_core.genome.fasta import Genome
from enformer_core.genome.gene_assembly import check_gene_assembly
from enformer_core.genome.gene_drafts import GeneDraft, Span, Strand
from enformer_core.genome.gene_files import read_gene_file
from enformer_core.genome.tss_windows import window_middle
from enformer_core.words import agreeing, counted

# Ensembl's identifiers have 11 digits; `.14` is the version of the gene, `_1` that of a lift-over.
_VERSION = re.compile(r"(?<=\d{11})\.\d+(?:_\d+)?(?=$|_PAR_Y$)")

_NO_END_BP = 2**62  # of a contig whose length is not known

_LEAST_WINDOWS = 3  # rows of one length that look like windows rather than genes


class GenesElsewhereError(InputError):
    """A file has genes, but none on the contigs that were asked for."""


@dataclass(frozen=True)
class Gene:
    """A gene of the genome.

    Attributes:
        id: its identifier as the file has it, with the version where it stands there.
        name: what people call it; the identifier where the file has no names.
        type: `protein_coding` and the like; None where the file does not say.
        chrom: as the genome names it.
        strand: the one that is transcribed.
        start: its first base on the genome, whatever the strand.
        end: the base after its last one.
        tss: first bases of its transcripts, each once, ascending; on the minus strand they are last bases on the
            genome. Of windows around TSSs the middle.
        exons: of all transcripts, in order, joined where they overlap or touch; none where the file has none.
    """

    id: str
    name: str
    type: str | None
    chrom: str
    strand: Strand
    start: int
    end: int
    tss: tuple[int, ...]
    exons: tuple[Span, ...]

    @property
    def stable_id(self) -> str:
        """The identifier without Ensembl's version: ENSG00000102974 for ENSG00000102974.14_1."""
        return stable_id(self.id)


def stable_id(identifier: str) -> str:
    """An identifier without Ensembl's version; others stay as they are, dots and all."""
    return _VERSION.sub("", identifier)


Positions = Int64[np.ndarray, " sites"]


@dataclass(frozen=True)
class TssSites:
    """All TSSs of a contig in order, each with the number of its gene.

    Attributes:
        positions: 0-based, ascending.
        genes: index into `Genes.genes` of each.
    """

    positions: Positions
    genes: Positions


_NO_SITES = TssSites(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Genes:
    """Genes in order: by contig as the genome has them, start, end, identifier.

    Attributes:
        file: where they come from, for messages.
        genes: all of them.
        notes: what a user should know of the file though it stops nothing.
        called_otherwise: which contigs the genome calls otherwise, in words, for whoever shows genes under its names.
    """

    file: str
    genes: tuple[Gene, ...]
    notes: tuple[str, ...] = ()
    called_otherwise: str | None = None

    def __len__(self) -> int:
        return len(self.genes)

    def __iter__(self) -> Iterator[Gene]:
        return iter(self.genes)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the genes themselves: the same in whatever format, order or packing they were given."""
        # every field, in the order of the class: another order would be another digest
        names = [each.name for each in fields(Gene)]
        rows = [[getattr(gene, name) for name in names] for gene in self.genes]
        text = json.dumps(rows, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def counted(self) -> str:
        """How much there is of what the digest is of: `2 genes, 3 TSSs, 1 exon`; exons that overlap are one."""
        tss = sum(len(gene.tss) for gene in self.genes)
        exons = sum(len(gene.exons) for gene in self.genes)
        return ", ".join(
            [counted(len(self), "genes"), counted(tss, "TSSs"), counted(exons, "exons")]
        )

    def find(self, name: str) -> tuple[Gene, ...]:
        """The genes that an identifier, with or without its version, or a name stands for; often one."""
        exactly = self._by_name.get(name)
        # of a gene of another release only the version differs
        return exactly or self._by_name.get(stable_id(name)) or ()

    def other_version(self, name: str) -> str | None:
        """The identifier, of another version, of the gene that `find` gives for an identifier; None where it has none.

        Of a gene whose version the file does not have, nothing shows another.
        """
        if name in self._by_name:
            return None
        found = self._by_name.get(stable_id(name), ())
        return next((gene.id for gene in found if gene.id != gene.stable_id), None)

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[Gene, ...]]:
        by_name: dict[str, list[Gene]] = defaultdict(list)
        for gene in self.genes:
            # a set, for a gene without a name is called by its identifier
            for name in {gene.id, gene.stable_id, gene.name}:
                by_name[name].append(gene)
        return {name: tuple(genes) for name, genes in by_name.items()}

    def of_contig(self, chrom: str) -> tuple[Gene, ...]:
        """The genes of one contig, in order."""
        return tuple(gene for gene in self.genes if gene.chrom == chrom)

    def tss_sites(self, chrom: str) -> TssSites:
        """All TSSs of a contig, for whoever asks for many places at once."""
        return self._sites.get(chrom, _NO_SITES)

    @cached_property
    def _sites(self) -> Mapping[str, TssSites]:
        pairs: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, gene in enumerate(self.genes):
            pairs[gene.chrom] += [(position, number) for position in gene.tss]
        sites = {}
        for chrom, of_contig in pairs.items():
            in_order = sorted(of_contig)
            positions, numbers = np.array(in_order, dtype=np.int64).T
            sites[chrom] = TssSites(positions, numbers)
        return sites


def read_genes(
    path: str | Path,
    genome: Genome,
    *,
    gene_types: Sequence[str] = (),
    gene_list: str | Path | None = None,
    given: str | None = None,
    list_given: str | None = None,
) -> Genes:
    """Read the genes of a GTF, GFF3 or BED file that lie on the genome, and hold them against it.

    Args:
        path: a file of this node, plain or gzip; addresses are resolved by the caller (`storage.open.local_path`).
        genome: whose contigs they must lie on. Names that differ by `chr` and the like, accessions included, are
            reconciled; genes on other contigs are left out, and a note says so.
        gene_types: only genes of these types, as `protein_coding`; all by default.
        gene_list: only genes that this file names, one a line: by identifier, with or without version, or by name.
        given: what messages call the file of genes, where it is the copy of an object.
        list_given: likewise the list.

    Raises:
        InputError: for a file of another assembly, one without genes, and any line that cannot be: naming file, line,
            what is wrong, and the remedy.
    """
    name = given or str(path)
    lengths = dict(genome.contigs)
    content = read_gene_file(Path(path), lengths, given=name)
    drafts, notes = check_gene_assembly(name, content, genome)
    if content.odd_letters:
        notes.append(f"{name}: {content.odd_letters}")
    order = {contig: number for number, contig in enumerate(lengths)}
    found = [_gene(draft) for draft in drafts]

    def place(gene: Gene) -> tuple[int, int, int, str, Strand]:
        return order[gene.chrom], gene.start, gene.end, gene.id, gene.strand

    # whatever the order of the file, so that equal genes have one digest
    found.sort(key=place)
    taken = [f"{name}: {content.taken}"] if content.taken else _look_like_windows(name, found)
    all_notes = (*notes, *taken)
    others = called_otherwise(content.contigs.names, lengths)
    genes = Genes(name, tuple(found), all_notes, others)
    if gene_types:
        genes = _of_types(genes, gene_types)
    if gene_list is not None:
        genes = _named_in(genes, Path(gene_list), list_given or str(gene_list))
    return genes


def read_genes_by_contig(
    path: str | Path,
    contigs: Sequence[str],
    *,
    gene_types: Sequence[str] = (),
) -> Genes:
    """Read genes where no genome is at hand: those on contigs of these names, which nothing holds against lengths.

    Args:
        path: as `read_genes` takes it.
        contigs: their names; those of the file are reconciled with them.
        gene_types: likewise.

    Raises:
        GenesElsewhereError: for a file that has none on these contigs.
        InputError: for a file without genes, and any line that cannot be.
    """
    content = read_gene_file(Path(path), dict.fromkeys(contigs, _NO_END_BP))
    if not content.drafts and content.lost:
        raise InputError(f"{path}: no genes in this file: {content.lost}")
    if not content.drafts:
        raise GenesElsewhereError(
            f"{path}: has no genes on {first_few(list(contigs))}; it has some on "
            f"{first_few(list(content.contigs.unknown))}"
        )
    lost = content.lost and f"{content.lost}: left out"
    notes = tuple(f"{path}: {text}" for text in (lost, content.odd_letters) if text)
    genes = Genes(str(path), tuple(map(_gene, content.drafts)), notes)
    return _of_types(genes, gene_types) if gene_types else genes


def _gene(draft: GeneDraft) -> Gene:
    start, end = draft.bounds
    # a file may name genes only: then the gene is its own transcript
    transcripts = draft.transcripts.values() or [draft.span]
    tss = {_first_base(span, draft) for span in transcripts if span is not None}
    return Gene(
        id=draft.id,
        name=draft.name or draft.id,
        type=draft.type,
        chrom=draft.contig,
        strand=draft.strand,
        start=start,
        end=end,
        tss=tuple(sorted(tss)),
        exons=tuple(merge_spans(draft.exons or draft.pieces)),
    )


def _first_base(span: Span, draft: GeneDraft) -> int:
    """The base that is transcribed first: a minus gene begins at its end; a window has it in its middle."""
    start, end = span
    is_minus = draft.strand == "-"
    if draft.window_bp is not None:
        return window_middle(end, draft.window_bp, is_minus=is_minus)
    return end - 1 if is_minus else start


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those joined that overlap or touch: (5, 9), (0, 3), (3, 4) come to (0, 4), (5, 9)."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            first, last = merged[-1]
            merged[-1] = (first, max(last, end))
        else:
            merged.append((start, end))
    return merged


def _look_like_windows(name: str, genes: Sequence[Gene]) -> list[str]:
    """A note where all genes have one length, and are too long or too few to be taken for windows around TSSs."""
    lengths = {gene.end - gene.start for gene in genes}
    # bases are the TSSs themselves
    if len(lengths) != 1 or lengths == {1} or len(genes) < _LEAST_WINDOWS:
        return []
    return [
        f"{name}: all {len(genes):,} genes are {lengths.pop():,} bp long, as windows around TSSs are. A TSS is taken "
        "to be the first base of a gene (of a minus gene the last): give the bounds of the genes themselves"
    ]


def _of_types(genes: Genes, wanted: Sequence[str]) -> Genes:
    known = sorted({gene.type for gene in genes if gene.type is not None})
    if not known:
        raise InputError(f"{genes.file}: has no types of genes. Leave out --gene-types.")
    for name in wanted:
        if name not in known:
            raise InputError(
                f"--gene-types {name}: {genes.file} has no gene of this type{nearest(name, known)}"
            )
    types = set(wanted)
    kept = tuple(gene for gene in genes if gene.type in types)
    return replace(genes, genes=kept)


def _named_in(genes: Genes, path: Path, called: str) -> Genes:
    names = _listed_names(path, called)
    unknown = [name for name in names if not genes.find(name)]
    if len(unknown) == len(names):
        none = "its one name is no" if len(names) == 1 else f"none of its {len(names):,} names is a"
        raise InputError(
            f"--gene-list {called}: {none} gene of {genes.file} on this genome, for example {names[0]}"
        )
    wanted = {gene for name in names for gene in genes.find(name)}
    kept = tuple(gene for gene in genes if gene in wanted)
    notes = (*genes.notes, *_notes_of_list(genes, called, names, unknown))
    return replace(genes, genes=kept, notes=notes)


def _notes_of_list(
    genes: Genes, called: str, names: Sequence[str], unknown: Sequence[str]
) -> Iterator[str]:
    """What of a list of genes is taken otherwise than it is written."""
    versions = [(name, genes.other_version(name)) for name in names]
    others = [f"{name} ({found})" for name, found in versions if found]
    if others:
        have = agreeing(len(others), "has", "have")
        yield (
            f"{called}: {counted(len(others), 'identifiers')} {have} another version than in {genes.file}, whose genes "
            f"are taken: {first_few(others)}"
        )
    if unknown:
        are = agreeing(len(unknown), "is no gene", "are no genes")
        yield f"{called}: {counted(len(unknown), 'names')} {are} of {genes.file}: {first_few(unknown)}"


def _listed_names(path: Path, called: str) -> list[str]:
    """The first word of each line; what follows `#` is a remark."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        why = error.strerror or error
        raise InputError(
            f"--gene-list {called}: cannot be read: {why}. Give a file with a name on each line."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"--gene-list {called}: is not UTF-8 text. Give a file with a name on each line."
        ) from error
    without_remarks = [line.partition("#")[0] for line in text.splitlines()]
    words_of_lines = [line.split() for line in without_remarks]
    names = [words[0] for words in words_of_lines if words]
    if not names:
        raise InputError(f"--gene-list {called}: names no gene. Write one name on each line.")
    return names
