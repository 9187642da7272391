"""Genes as files and as objects, each with one line."""

from pathlib import Path

from enformer_core.genome.genes import Gene, Genes


def write_bed(path: Path, genes: list[tuple[str, int, int, str, str]]) -> Path:
    """Write BED6 of (contig, start, end, name, strand)."""
    lines = [
        f"{chrom}\t{start}\t{end}\t{name}\t0\t{strand}\n"
        for chrom, start, end, name, strand in genes
    ]
    path.write_text("".join(lines))
    return path


def gene(
    name: str,
    *tss: int,
    chrom: str = "c",
    strand: str = "+",
    exons: tuple = (),
    end: int | None = None,
) -> Gene:
    """A gene with these TSSs; where it ends does not matter."""
    last = max(tss) + 1 if end is None else end
    return Gene(name, name, None, chrom, strand, min(tss), last, tuple(sorted(tss)), exons)


def genes(*each: Gene) -> Genes:
    """Genes in the order of a file."""
    return Genes("genes.bed", tuple(sorted(each, key=lambda gene: (gene.chrom, gene.start))))
