"""One gene in the words of every dialect is the same gene; what cannot be is refused by file and line."""

# ruff: noqa: E501 - lines of GTF and GFF3 are as long as they are

import gzip
import pickle

import pytest

from enformer_core.errors import InputError
from enformer_core.genome import gene_assembly, tss_windows
from enformer_core.genome.contig_names import KnownContig
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import (
    merge_spans,
    read_genes,
    read_genes_by_contig,
    stable_id,
)
from enformer_core.links.genes import read_gene_table
from enformer_core.links.tables import read_table
from tests.support.genomes import write_fasta

# ALPHA on +: transcripts [100, 400) and [120, 400), exons [100, 150), [120, 180) and [300, 400). BETA on -: one
# transcript [600, 900) with exons [600, 700) and [850, 900). GAMMA on -: a gene of one base.
ENSEMBL_GTF = """\
#!genome-build-accession X
1\thavana\tgene\t101\t400\t.\t+\t.\tgene_id "ENSG00000000001"; gene_version "5"; gene_name "ALPHA"; gene_biotype "protein_coding";
1\thavana\ttranscript\t101\t400\t.\t+\t.\tgene_id "ENSG00000000001"; transcript_id "ENST1"; gene_name "ALPHA";
1\thavana\texon\t101\t150\t.\t+\t.\tgene_id "ENSG00000000001"; transcript_id "ENST1";
1\thavana\texon\t301\t400\t.\t+\t.\tgene_id "ENSG00000000001"; transcript_id "ENST1";
1\thavana\tCDS\t121\t150\t.\t+\t0\tgene_id "ENSG00000000001"; transcript_id "ENST1";
1\thavana\ttranscript\t121\t400\t.\t+\t.\tgene_id "ENSG00000000001"; transcript_id "ENST2";
1\thavana\texon\t121\t180\t.\t+\t.\tgene_id "ENSG00000000001"; transcript_id "ENST2";
1\thavana\texon\t301\t400\t.\t+\t.\tgene_id "ENSG00000000001"; transcript_id "ENST2";
1\thavana\tgene\t601\t900\t.\t-\t.\tgene_id "ENSG00000000002"; gene_name "BETA"; gene_biotype "lncRNA";
1\thavana\ttranscript\t601\t900\t.\t-\t.\tgene_id "ENSG00000000002"; transcript_id "ENST3";
1\thavana\texon\t851\t900\t.\t-\t.\tgene_id "ENSG00000000002"; transcript_id "ENST3";
1\thavana\texon\t601\t700\t.\t-\t.\tgene_id "ENSG00000000002"; transcript_id "ENST3";
"""

GENCODE_GFF3 = """\
##gff-version 3
#description: evidence-based annotation
chr1\tHAVANA\tgene\t101\t400\t.\t+\t.\tID=ENSG00000000001.5;gene_id=ENSG00000000001.5;gene_type=protein_coding;gene_name=ALPHA
chr1\tHAVANA\ttranscript\t101\t400\t.\t+\t.\tID=ENST1;Parent=ENSG00000000001.5;gene_id=ENSG00000000001.5
chr1\tHAVANA\texon\t101\t150\t.\t+\t.\tID=exon:1;Parent=ENST1
chr1\tHAVANA\texon\t301\t400\t.\t+\t.\tID=exon:2;Parent=ENST1,ENST2
chr1\tHAVANA\texon\t121\t180\t.\t+\t.\tID=exon:3;Parent=ENST2
chr1\tHAVANA\ttranscript\t121\t400\t.\t+\t.\tID=ENST2;Parent=ENSG00000000001.5
chr1\tHAVANA\tgene\t601\t900\t.\t-\t.\tID=ENSG00000000002.1;gene_id=ENSG00000000002.1;gene_type=lncRNA;gene_name=BETA
chr1\tHAVANA\ttranscript\t601\t900\t.\t-\t.\tID=ENST3;Parent=ENSG00000000002.1
chr1\tHAVANA\texon\t601\t700\t.\t-\t.\tParent=ENST3
chr1\tHAVANA\texon\t851\t900\t.\t-\t.\tParent=ENST3
###
##FASTA
>chr1
ACGT
"""

ENSEMBL_GFF3 = """\
##gff-version 3
1\tensembl\tbiological_region\t1\t50\t.\t.\t.\tlogic_name=cpg
1\tensembl\tgene\t101\t400\t.\t+\t.\tID=gene:ENSG00000000001;Name=ALPHA;biotype=protein_coding;gene_id=ENSG00000000001;version=5
1\tensembl\tmRNA\t101\t400\t.\t+\t.\tID=transcript:T1;Parent=gene:ENSG00000000001
1\tensembl\texon\t101\t150\t.\t+\t.\tParent=transcript:T1;Name=E1
1\tensembl\texon\t301\t400\t.\t+\t.\tParent=transcript:T1
1\tensembl\tfive_prime_UTR\t101\t120\t.\t+\t.\tParent=transcript:T1
1\tensembl\tmRNA\t121\t400\t.\t+\t.\tID=transcript:T2;Parent=gene:ENSG00000000001
1\tensembl\texon\t121\t180\t.\t+\t.\tParent=transcript:T2
1\tensembl\texon\t301\t400\t.\t+\t.\tParent=transcript:T2
1\tensembl\tncRNA_gene\t601\t900\t.\t-\t.\tID=gene:ENSG00000000002;Name=BETA;biotype=lncRNA
1\tensembl\tlnc_RNA\t601\t900\t.\t-\t.\tID=transcript:T3;Parent=gene:ENSG00000000002
1\tensembl\texon\t601\t700\t.\t-\t.\tParent=transcript:T3
1\tensembl\texon\t851\t900\t.\t-\t.\tParent=transcript:T3
"""

REFSEQ_GFF3 = """\
##gff-version 3
NC_000001.11\tRefSeq\tregion\t1\t1000\t.\t+\t.\tID=NC_000001.11:1..1000;gbkey=Src
NC_000001.11\tBestRefSeq\tgene\t101\t400\t.\t+\t.\tID=gene-ALPHA;Dbxref=GeneID:1;Name=ALPHA;gbkey=Gene;gene=ALPHA;gene_biotype=protein_coding
NC_000001.11\tBestRefSeq\tmRNA\t101\t400\t.\t+\t.\tID=rna-NM_1.2;Parent=gene-ALPHA;gbkey=mRNA;gene=ALPHA
NC_000001.11\tBestRefSeq\texon\t101\t150\t.\t+\t.\tID=exon-1;Parent=rna-NM_1.2;gbkey=mRNA
NC_000001.11\tBestRefSeq\texon\t301\t400\t.\t+\t.\tID=exon-2;Parent=rna-NM_1.2;gbkey=mRNA
NC_000001.11\tBestRefSeq\tCDS\t121\t150\t.\t+\t0\tID=cds-1;Parent=rna-NM_1.2;gbkey=CDS
NC_000001.11\tBestRefSeq\tmRNA\t121\t400\t.\t+\t.\tID=rna-NM_2.1;Parent=gene-ALPHA;gbkey=mRNA
NC_000001.11\tBestRefSeq\texon\t121\t180\t.\t+\t.\tID=exon-3;Parent=rna-NM_2.1;gbkey=mRNA
NC_000001.11\tBestRefSeq\texon\t301\t400\t.\t+\t.\tID=exon-4;Parent=rna-NM_2.1;gbkey=mRNA
NC_000001.11\tRefSeqFE\tenhancer\t500\t520\t.\t.\t.\tID=id-1;gbkey=regulatory
NC_000001.11\tBestRefSeq\tgene\t601\t900\t.\t-\t.\tID=gene-BETA;Name=BETA;gbkey=Gene;gene=BETA;gene_biotype=lncRNA
NC_000001.11\tBestRefSeq\tlnc_RNA\t601\t900\t.\t-\t.\tID=rna-NR_3.1;Parent=gene-BETA;gbkey=ncRNA
NC_000001.11\tBestRefSeq\texon\t851\t900\t.\t-\t.\tID=exon-5;Parent=rna-NR_3.1
NC_000001.11\tBestRefSeq\texon\t601\t700\t.\t-\t.\tID=exon-6;Parent=rna-NR_3.1
"""

REFSEQ_GTF = """\
NC_000001.11\tBestRefSeq\tgene\t101\t400\t.\t+\t.\tgene_id "ALPHA"; transcript_id ""; db_xref "GeneID:1"; gbkey "Gene"; gene "ALPHA"; gene_biotype "protein_coding";
NC_000001.11\tBestRefSeq\ttranscript\t101\t400\t.\t+\t.\tgene_id "ALPHA"; transcript_id "NM_1.2"; gbkey "mRNA"; gene "ALPHA";
NC_000001.11\tBestRefSeq\texon\t101\t150\t.\t+\t.\tgene_id "ALPHA"; transcript_id "NM_1.2"; exon_number "1";
NC_000001.11\tBestRefSeq\texon\t301\t400\t.\t+\t.\tgene_id "ALPHA"; transcript_id "NM_1.2"; exon_number "2";
NC_000001.11\tBestRefSeq\texon\t121\t180\t.\t+\t.\tgene_id "ALPHA"; transcript_id "NM_2.1"; exon_number "1";
NC_000001.11\tBestRefSeq\texon\t301\t400\t.\t+\t.\tgene_id "ALPHA"; transcript_id "NM_2.1"; exon_number "2";
NC_000001.11\tBestRefSeq\tgene\t601\t900\t.\t-\t.\tgene_id "BETA"; transcript_id ""; gene "BETA"; gene_biotype "lncRNA";
NC_000001.11\tBestRefSeq\texon\t851\t900\t.\t-\t.\tgene_id "BETA"; transcript_id "NR_3.1";
NC_000001.11\tBestRefSeq\texon\t601\t700\t.\t-\t.\tgene_id "BETA"; transcript_id "NR_3.1";
"""

CUFFLINKS_GTF = """\
chr1\tCufflinks\texon\t301\t400\t.\t+\t.\tgene_id "XLOC_000001"; transcript_id "TCONS_1"; exon_number "2"; gene_name "ALPHA"; tss_id "TSS1";
chr1\tCufflinks\texon\t101\t150\t.\t+\t.\tgene_id "XLOC_000001"; transcript_id "TCONS_1"; exon_number "1"; gene_name "ALPHA"; tss_id "TSS1";
chr1\tCufflinks\texon\t121\t180\t.\t+\t.\tgene_id "XLOC_000001"; transcript_id "TCONS_2"; exon_number "1"; gene_name "ALPHA"; tss_id "TSS2";
chr1\tCufflinks\texon\t301\t400\t.\t+\t.\tgene_id "XLOC_000001"; transcript_id "TCONS_2"; exon_number "2"; gene_name "ALPHA"; tss_id "TSS2";
chr1\tCufflinks\texon\t601\t700\t.\t-\t.\tgene_id "XLOC_000002"; transcript_id "TCONS_3"; gene_name "BETA";
chr1\tCufflinks\texon\t851\t900\t.\t-\t.\tgene_id "XLOC_000002"; transcript_id "TCONS_3"; gene_name "BETA";
"""

# gffread's GFF3 of the same: transcripts without genes
GFFREAD_GFF3 = """\
##gff-version 3
chr1\tCufflinks\ttranscript\t101\t400\t.\t+\t.\tID=TCONS_1;geneID=XLOC_000001;gene_name=ALPHA
chr1\tCufflinks\texon\t101\t150\t.\t+\t.\tParent=TCONS_1
chr1\tCufflinks\texon\t301\t400\t.\t+\t.\tParent=TCONS_1
chr1\tCufflinks\ttranscript\t121\t400\t.\t+\t.\tID=TCONS_2;geneID=XLOC_000001;gene_name=ALPHA
chr1\tCufflinks\texon\t121\t180\t.\t+\t.\tParent=TCONS_2
chr1\tCufflinks\texon\t301\t400\t.\t+\t.\tParent=TCONS_2
chr1\tCufflinks\ttranscript\t601\t900\t.\t-\t.\tID=TCONS_3;geneID=XLOC_000002;gene_name=BETA
chr1\tCufflinks\texon\t601\t700\t.\t-\t.\tParent=TCONS_3
chr1\tCufflinks\texon\t851\t900\t.\t-\t.\tParent=TCONS_3
"""

BED12 = """\
track name=genes
chr1\t100\t400\tALPHA\t0\t+\t120\t400\t0\t2\t50,100,\t0,200,
chr1\t120\t400\tALPHA\t0\t+\t120\t400\t0\t2\t60,100\t0,180
chr1\t600\t900\tBETA\t0\t-\t600\t600\t0\t2\t100,50,\t0,250,
"""

DIALECTS = {
    "ensembl.gtf": (ENSEMBL_GTF, "ENSG00000000001", True),
    "gencode.gff3": (GENCODE_GFF3, "ENSG00000000001.5", True),
    "ensembl.gff3": (ENSEMBL_GFF3, "ENSG00000000001", True),
    "refseq.gff3": (REFSEQ_GFF3, "ALPHA", True),
    "refseq.gtf": (REFSEQ_GTF, "ALPHA", True),
    "cufflinks.gtf": (CUFFLINKS_GTF, "XLOC_000001", False),
    "gffread.gff3": (GFFREAD_GFF3, "XLOC_000001", False),
    "genes.bed": (BED12, "ALPHA", False),
}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(write_fasta(tmp_path_factory.mktemp("g") / "g.fa", {"chr1": "ACGT" * 250}))


def written(tmp_path, text, name="genes.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_gives_the_same_genes(tmp_path, genome, name):
    text, identifier, has_types = DIALECTS[name]
    alpha, beta = read_genes(written(tmp_path, text, name), genome)
    assert (alpha.id, alpha.name, alpha.chrom, alpha.strand) == (identifier, "ALPHA", "chr1", "+")
    assert (alpha.start, alpha.end) == (100, 400)
    assert alpha.tss == (100, 120)
    assert alpha.exons == ((100, 180), (300, 400))
    assert (beta.name, beta.strand, beta.start, beta.end) == ("BETA", "-", 600, 900)
    assert beta.tss == (899,)  # the last base that the gene has
    assert beta.exons == ((600, 700), (850, 900))
    assert [alpha.type, beta.type] == (["protein_coding", "lncRNA"] if has_types else [None, None])


@pytest.mark.parametrize("name", ["ensembl.gtf", "gencode.gff3", "refseq.gff3"])
def test_lines_may_come_in_any_order_and_packed(tmp_path, genome, name):
    text, _, _ = DIALECTS[name]
    lines = text.partition("##FASTA")[0].splitlines(keepends=True)
    header = [line for line in lines if line.startswith("#")]
    data = [line for line in lines if not line.startswith("#")]
    path = tmp_path / "backwards"
    path.write_bytes(
        gzip.compress("".join([*header, *reversed(data)]).replace("\n", "\r\n").encode())
    )
    backwards = read_genes(path, genome)
    forwards = read_genes(written(tmp_path, text), genome)
    assert backwards.genes == forwards.genes
    assert backwards.digest == forwards.digest


def test_a_file_of_gene_lines_alone(tmp_path, genome):
    text = "".join(line for line in ENSEMBL_GTF.splitlines(keepends=True) if "\tgene\t" in line)
    alpha, beta = read_genes(written(tmp_path, text), genome)
    assert (alpha.tss, alpha.exons) == ((100,), ())
    assert (beta.tss, beta.exons) == ((899,), ())


def test_coding_stretches_stand_in_for_exons_that_are_not_named(tmp_path, genome):
    text = (
        '1\tx\tCDS\t131\t150\t.\t-\t0\tgene_id "g"; transcript_id "t";\n'
        '1\tx\t5UTR\t151\t160\t.\t-\t.\tgene_id "g"; transcript_id "t";\n'
        '1\tx\tCDS\t101\t110\t.\t-\t0\tgene_id "g"; transcript_id "t";\n'
    )
    (gene,) = read_genes(written(tmp_path, text), genome)
    assert (gene.exons, gene.tss) == (((100, 110), (130, 160)), (159,))


def test_a_mature_microrna_is_no_transcription_start(tmp_path, genome):
    text = (
        "##gff-version 3\n"
        "chr1\tR\tgene\t101\t200\t.\t+\t.\tID=gene-MIR1;Name=MIR1;gbkey=Gene\n"
        "chr1\tR\tprimary_transcript\t101\t200\t.\t+\t.\tID=rna-NR_1;Parent=gene-MIR1\n"
        "chr1\tR\texon\t101\t200\t.\t+\t.\tParent=rna-NR_1\n"
        "chr1\tR\tmiRNA\t131\t150\t.\t+\t.\tID=rna-MIR1;Parent=rna-NR_1\n"
        "chr1\tR\texon\t131\t150\t.\t+\t.\tParent=rna-MIR1\n"
    )
    (gene,) = read_genes(written(tmp_path, text), genome)
    assert (gene.tss, gene.exons) == ((100,), ((100, 200),))


def test_one_identifier_at_two_places_is_two_genes(tmp_path):
    genome = Genome(write_fasta(tmp_path / "xy.fa", {"chrX": "A" * 500, "chrY": "A" * 500}))
    line = 'chr{}\tx\texon\t{}\t{}\t.\t{}\t.\tgene_id "SNAR"; transcript_id "t{}";\n'
    places = [("X", 1, 9, "+", 1), ("Y", 1, 9, "+", 1), ("X", 101, 109, "-", 2)]
    path = written(tmp_path, "".join(line.format(*place) for place in places))
    genes = read_genes(path, genome)
    assert [(gene.chrom, gene.tss) for gene in genes] == [
        ("chrX", (0,)),
        ("chrX", (108,)),
        ("chrY", (0,)),
    ]
    assert genes.find("SNAR") == genes.genes


def test_bed_with_a_header_and_identifiers_that_repeat(tmp_path, genome):
    rows = "chr1\t0\t9\tSEPT4\t0\t-\tENSG00000108387\tprotein_coding\nchr1\t20\t49\tC17orf47\t0\t-\tENSG00000108387\tlincRNA\n"
    for header in (
        "#chr\tstart\tend\tname\tscore\tstrand\tEnsembl_ID\tgene_type\n",
        "chr\tstart\tend\tname\tscore\tstrand\tEnsembl_ID\tgene_type\n",
    ):
        first, second = read_genes(written(tmp_path, header + rows), genome)
        assert (first.name, first.tss, first.type) == ("SEPT4", (8,), "protein_coding")
        assert (second.name, second.tss, second.type) == ("C17orf47", (48,), "lincRNA")
        assert first.id == second.id == "ENSG00000108387"
    first, second = read_genes(written(tmp_path, rows), genome)
    assert (first.id, first.type) == (
        "SEPT4",
        None,
    )  # without a header, further columns have no meaning


def test_bed_without_tabs(tmp_path, genome):
    (gene,) = read_genes(written(tmp_path, "browser position chr1\n\n1 10 20 G 0 -\n"), genome)
    assert (gene.chrom, gene.tss) == ("chr1", (19,))


def test_filters(tmp_path, genome):
    path = written(tmp_path, GENCODE_GFF3)
    assert [gene.name for gene in read_genes(path, genome, gene_types=["lncRNA"])] == ["BETA"]
    names = tmp_path / "list.txt"
    for name in ("ENSG00000000001", "ENSG00000000001.5", "ENSG00000000001.9", "ALPHA"):
        names.write_text(f"# mine\n{name}  remark\n\nOTHER\n")
        genes = read_genes(path, genome, gene_list=names)
        assert [gene.name for gene in genes] == ["ALPHA"]
        assert "1 name is no gene of" in genes.notes[-1]
        assert genes.notes[-1].endswith("OTHER")
    both = read_genes(path, genome)
    assert len({genes.digest, both.digest}) == 2


GTF = '1\tx\texon\t101\t200\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'


GFF3 = "##gff-version 3\n1\tx\tgene\t101\t400\t.\t+\t.\tID=g\n"


def test_another_version_of_an_identifier_is_told(tmp_path, genome):
    path = written(tmp_path, GENCODE_GFF3)
    names = tmp_path / "list.txt"
    for name in ("ENSG00000000001", "ENSG00000000001.5", "ALPHA"):
        names.write_text(f"{name}\n")
        assert read_genes(path, genome, gene_list=names).notes == ()
    names.write_text("ENSG00000000001.9\n")
    (note,) = read_genes(path, genome, gene_list=names).notes
    assert "1 identifier has another version than in" in note
    assert note.endswith("whose genes are taken: ENSG00000000001.9 (ENSG00000000001.5)")
    # a file without versions says nothing of them
    bare = written(tmp_path, GENCODE_GFF3.replace("ENSG00000000001.5", "ENSG00000000001"))
    assert read_genes(bare, genome, gene_list=names).notes == ()


@pytest.mark.parametrize("text", [GTF, GFF3, "chr1\t100\t400\tg\t0\t+\n"])
def test_bytes_that_are_no_utf_8_are_shown_alike_in_every_format(tmp_path, genome, text):
    path = tmp_path / "x"
    named = text.replace('"g";', '"g"; gene_name "caf\xe9";').replace("ID=g", "ID=g;Name=caf\xe9")
    if text.startswith("chr1"):
        named = text.replace("\tg\t", "\tcaf\xe9\t")
    path.write_bytes(named.encode("latin-1"))
    genes = read_genes(path, genome)
    assert [gene.name for gene in genes] == [r"caf\xe9"]
    assert "1 line is not UTF-8, such as line" in genes.notes[-1]
    path.write_text(named)
    assert [gene.name for gene in read_genes(path, genome)] == ["café"]


def test_a_name_that_is_written_by_numbers_may_be_no_utf_8_either(tmp_path, genome):
    (gene,) = read_genes(written(tmp_path, GFF3.replace("ID=g", "ID=g;Name=caf%E9")), genome)
    assert gene.name == r"caf\xe9"


@pytest.mark.parametrize(
    ("identifier", "stable"),
    [
        ("ENSG00000102974.14_1", "ENSG00000102974"),
        ("ENSMUSG00000064336.1", "ENSMUSG00000064336"),
        ("ENSG00000182378.15_PAR_Y", "ENSG00000182378_PAR_Y"),
        ("Y74C9A.3", "Y74C9A.3"),
        ("AC009955.1", "AC009955.1"),
    ],
)
def test_versions_are_ensembls_alone(identifier, stable):
    assert stable_id(identifier) == stable


def test_sites_of_a_contig(tmp_path, genome):
    genes = pickle.loads(pickle.dumps(read_genes(written(tmp_path, ENSEMBL_GTF), genome)))
    sites = genes.tss_sites("chr1")
    assert (sites.positions.tolist(), sites.genes.tolist()) == ([100, 120, 899], [0, 0, 1])
    assert genes.tss_sites("chr2").positions.size == 0
    assert len(genes.of_contig("chr1")) == 2


def test_spans_are_merged():
    assert merge_spans([(5, 9), (0, 3), (3, 4), (1, 2)]) == [(0, 4), (5, 9)]


BED = "chr1\t100\t400\tALPHA\t0\t+\n"

BAD = {
    "empty": ("", "no genes in this file"),
    "header only": ("##gff-version 3\n#!x\n\n", "no genes in this file"),
    "no gene in it": ("chr1\tx\tregion\t1\t9\t.\t.\t.\tID=1;\n", "no genes in this file"),
    "BED with end before start": (
        f"{BED}chr1\t400\t100\tB\t0\t+\n",
        "line 2: from 400 to 100; BED counts from 0",
    ),
    "BED of nothing": (f"{BED}chr1\t40\t40\tB\t0\t+\n", "line 2: from 40 to 40; BED counts from 0"),
    "BED below 0": ("chr1\t-4\t40\tB\t0\t+\n", "line 1: from -4 to 40; BED counts from 0"),
    "BED without strands": ("chr1\t4\t40\tB\n", "line 1: .*has 4 columns; genes in BED need six"),
    "BED with an odd strand": (
        f"{BED}chr1\t4\t40\tB\t0\t*\n",
        r"line 2: gene B has the strand '\*'",
    ),
    "BED without a name": ("chr1\t4\t40\t.\t0\t+\n", "line 1: this gene has no name"),
    "BED12 beyond itself": (
        "chr1\t100\t400\tA\t0\t+\t120\t400\t0\t1\t500\t0\n",
        "line 1: a block of 500 bp at 0 leaves its row, 100 to 400",
    ),
    "BED12 in words": (
        "chr1\t100\t400\tA\t0\t+\t120\t400\t0\t1\tx\t0\n",
        "line 1: the last three columns of BED12",
    ),
    "BED12 that lacks a start": (
        "chr1\t100\t400\tA\t0\t+\t120\t400\t0\t2\t5,5\t0\n",
        "line 1: says that it has 2 blocks, and has 2 sizes and 1 start",
    ),
    "GTF with end before start": (
        GTF + GTF.replace("200", "20"),
        "line 2: from 101 to 20; GTF and GFF3 count from 1",
    ),
    "GTF from 0": (GTF + GTF.replace("101", "0"), "line 2: from 0 to 200"),
    "GTF without a strand": (GTF.replace("+", "."), r"line 1: gene g has the strand '\.'"),
    "GTF without a gene": (GTF.replace("gene_id", "gene"), "line 1: this exon names no gene_id"),
    "GTF cut short": (f"{GTF}1\tx\texon\t101\n", "line 2: .*has 4 columns, GTF and GFF3 have 9"),
    "GTF with words for numbers": (
        GTF + GTF.replace("101", "a"),
        "line 2: .*a, 200 are no positions",
    ),
    "GFF3 without names": (
        "##gff-version 3\n1\tx\tgene\t1\t9\t.\t+\t.\tnote=x\n",
        "line 2: this gene has neither ID",
    ),
    "something else": ("hello world\n", "line 1: 'hello world' is neither GTF, GFF3 nor BED"),
    "a web page": ("<!DOCTYPE html>\n", "It is an HTML page"),
    "no contig of it": (
        GTF.replace("1", "9", 1),
        r"shares no contig with g\.fa\. It has 9; the genome has chr1",
    ),
    "beyond the end": (
        f"{BED}chr1\t900\t1001\tB\t0\t+\n",
        r"line 2: gene B ends at base 1,001, chr1 of g\.fa has 1,000\. It looks like another assembly",
    ),
    "lengths of another": (
        f"##gff-version 3\n##sequence-region chr1 1 999\n{GTF}",
        r"its header says chr1 has 999 bp; g\.fa has 1,000",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused(tmp_path, genome, case):
    text, message = BAD[case]
    path = written(tmp_path, text, "mine.txt")
    with pytest.raises(InputError, match=f"mine.txt.*{message}"):
        read_genes(path, genome)


def test_filters_that_leave_nothing_are_refused(tmp_path, genome):
    path = written(tmp_path, ENSEMBL_GTF)
    names = written(tmp_path, "NOBODY\n", "list.txt")
    with pytest.raises(InputError, match="its one name is no gene of"):
        read_genes(path, genome, gene_list=names)
    names.write_text("# nothing\n")
    with pytest.raises(InputError, match=r"list\.txt: names no gene"):
        read_genes(path, genome, gene_list=names)
    with pytest.raises(InputError, match=r"missing\.txt: cannot be read"):
        read_genes(path, genome, gene_list=tmp_path / "missing.txt")
    with pytest.raises(InputError, match=r"protein_codin: .*did you mean protein_coding"):
        read_genes(path, genome, gene_types=["protein_codin"])
    with pytest.raises(InputError, match="has no types of genes"):
        read_genes(written(tmp_path, BED), genome, gene_types=["protein_coding"])
    with pytest.raises(InputError, match=r"missing: there is no such file"):
        read_genes(tmp_path / "missing", genome)


def test_a_damaged_file_is_refused(tmp_path, genome):
    packed = bytearray(gzip.compress(BED.encode() * 50))
    packed[12] ^= 0xFF
    path = tmp_path / "x.bed.gz"
    path.write_bytes(packed)
    with pytest.raises(InputError, match=r"x\.bed\.gz: cannot be read as a file of genes"):
        read_genes(path, genome)


def test_a_few_genes_beyond_the_end_are_another_assembly_and_most_of_them_a_part(tmp_path, genome):
    late = "chr1\t{0}\t{1}\tB{0}\t0\t+\n"
    path = written(tmp_path, BED + "".join(late.format(at, at + 9) for at in (2000, 3000)))
    genes = read_genes(path, genome)
    assert [gene.name for gene in genes] == ["ALPHA"]
    assert "2 genes lie behind the end of what g.fa has of chr1" in genes.notes[0]
    # longer than chr1 of any assembly that is known
    path = written(
        tmp_path, BED + "".join(late.format(at, at + 9) for at in (300000000, 300001000))
    )
    with pytest.raises(InputError, match="gene B300000000 ends at base 300,000,009"):
        read_genes(path, genome)


@pytest.fixture
def _grch38(monkeypatch):
    """The lengths of GRCh38's chr1 and chr2, with no bases behind them."""
    lengths = {"chr1": 248956422, "chr2": 242193529}
    monkeypatch.setattr(Genome, "contigs", property(lambda self: lengths))


@pytest.mark.usefixtures("_grch38")
def test_a_genome_of_known_lengths_refuses_other_assemblies(tmp_path, genome):
    for header in (
        "#!genome-build GRCh37.p13\n",
        "##description: annotation of the genome (GRCh37), version 19\n",
    ):
        with pytest.raises(
            InputError, match=r"its header names GRCh37, and the contigs .* are those of GRCh38"
        ):
            read_genes(written(tmp_path, header + GTF), genome)
    with pytest.raises(InputError, match=r"its header names GRCh37 \(hg19\)"):
        read_genes(written(tmp_path, f"##sequence-region 1 1 249250621\n{GTF}"), genome)
    # chr1 of GRCh37 is longer
    late = "chr1\t249200000\t249200010\tLATE\t0\t+\n"
    with pytest.raises(InputError, match="line 2: gene LATE ends at base 249,200,010"):
        read_genes(written(tmp_path, BED + late), genome)
    for header in (
        "#!genome-build GRCh38.p14\n",
        "#!genome-build-accession NCBI:GCA_1\n",
        "# hg38\n",
    ):
        assert len(read_genes(written(tmp_path, header + GTF), genome)) == 1


def test_genes_of_a_genome_cut_to_size(data_dir):
    """The whole genome's genes on the first 10 Mb of chr20: 108 are there."""
    genome = Genome(data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz")
    path = data_dir / "genes" / "abc_gene_bounds.hg38.bed.gz"
    genes = read_genes(path, genome)
    assert len(genes.of_contig("chr20")) == 108
    assert {gene.strand for gene in genes} == {"+", "-"}
    (prnp,) = genes.find("PRNP")
    assert (prnp.id, prnp.start, prnp.end, prnp.tss) == (
        "ENSG00000171867",
        4686093,
        4701590,
        (4686093,),
    )
    assert any("lie behind the end of what" in note for note in genes.notes)
    coding = read_genes(path, genome, gene_types=["protein_coding"])
    assert 0 < len(coding) < len(genes)
    with pytest.raises(InputError, match="shares no contig"):
        read_genes(data_dir / "genes" / "gencode_sample.GRCh37.gtf.gz", genome)


def test_windows_around_tss_have_it_in_their_middle_as_links_takes_it(data_dir):
    path = data_dir / "genes" / "abc_gene_TSS500bp.hg38.bed.gz"
    genome = Genome(data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz")
    genes = read_genes(path, genome)
    (said,) = [note for note in genes.notes if "windows around TSSs" in note]
    assert "intervals are 500 bp long, and taken for windows around TSSs" in said
    # GENCODE's own
    (prnp,) = genes.find("PRNP")
    assert prnp.tss == (4_686_093,)
    of_links = read_gene_table(read_table(str(path))).frame
    first_bases = {(row["gene"], row["chrom"], row["first_base"]) for row in of_links.to_dicts()}
    ours = {(gene.name, gene.chrom, base) for gene in genes for base in gene.tss}
    assert {gene.strand for gene in genes} == {"+", "-"}
    assert ours <= first_bases


@pytest.mark.parametrize(("rows", "tss"), [(19, 30), (20, 35)])
def test_a_few_genes_may_be_of_one_length_by_chance(tmp_path, genome, rows, tss):
    text = "".join(f"chr1\t{30 + at}\t{40 + at}\tG{at}\t0\t+\n" for at in range(rows))
    genes = read_genes(written(tmp_path, text), genome)
    assert genes.find("G0")[0].tss == (tss,)


@pytest.mark.parametrize(
    ("rows", "tss", "is_said"),
    [
        # the middle of 10-20 lies between 14 and 15, that of 110-120 between 114 and 115
        (["10\t20\tA\t0\t+", "110\t120\tB\t0\t-"], [(15,), (114,)], True),
        # of 11 bp one base is the middle
        (["10\t21\tA\t0\t+", "110\t121\tB\t0\t-"], [(15,), (115,)], True),
        # TSSs themselves
        (["10\t11\tA\t0\t+", "110\t111\tB\t0\t-"], [(10,), (110,)], False),
        # one row, or two lengths, tell nothing of windows
        (["10\t20\tA\t0\t+"], [(10,)], False),
        (["10\t20\tA\t0\t+", "110\t121\tB\t0\t-"], [(10,), (120,)], False),
        # whole genes have blocks
        (
            [f"{at}\t{at + 10}\tG{at}\t0\t+\t0\t0\t0\t1\t10,\t0," for at in (10, 110)],
            [(10,), (110,)],
            False,
        ),
        # a row of a contig that the genome does not have tells of the file too
        (["10\t20\tA\t0\t+", "110\t120\tB\t0\t-\nchr9\t1\t99\tC\t0\t+"], [(10,), (119,)], False),
    ],
)  # fmt: skip
def test_which_rows_are_windows(tmp_path, genome, monkeypatch, rows, tss, is_said):
    monkeypatch.setattr(tss_windows, "_LEAST_ROWS", 2)
    text = "".join(f"chr1\t{row}\n" for row in rows)
    genes = read_genes(written(tmp_path, text), genome)
    assert [gene.tss for gene in genes] == tss
    assert any("taken for windows" in note for note in genes.notes) is is_said


def test_long_rows_of_one_length_are_told(tmp_path):
    genome = Genome(write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 2_000}))
    rows = [f"chr1\t{at}\t{at + 1_001}\tG{at}\t0\t+\n" for at in (0, 2_000, 4_000)]
    genes = read_genes(written(tmp_path, "".join(rows)), genome)
    assert [gene.tss for gene in genes] == [(0,), (2_000,), (4_000,)]
    assert any("all 3 genes are 1,001 bp long" in note for note in genes.notes)


def test_the_gencode_sample(data_dir, monkeypatch, genome):
    """Exons alone: of each transcript the first base of its first exon is its TSS."""
    lengths = {"1": 249250621, "16": 90354753}
    monkeypatch.setattr(Genome, "contigs", property(lambda self: lengths))
    genes = read_genes(data_dir / "genes" / "gencode_sample.GRCh37.gtf.gz", genome)
    (ctcf,) = genes.find("CTCF")
    (other,) = genes.find("ENSG00000153187")
    assert (ctcf.chrom, ctcf.strand, ctcf.tss) == ("16", "+", (67596309,))
    assert ctcf.id == "ENSG00000102974.14_1"
    assert ctcf.type == "protein_coding"
    assert (other.chrom, other.strand) == ("1", "-")
    assert all(position > other.start for position in other.tss)
    assert len(ctcf.exons) == 10


@pytest.mark.parametrize("name", DIALECTS)
def test_the_mark_that_windows_puts_before_text_is_no_part_of_it(tmp_path, genome, name):
    text = DIALECTS[name][0]
    plain = read_genes(written(tmp_path, text), genome)
    marked = read_genes(written(tmp_path, f"\ufeff{text}"), genome)
    assert marked.digest == plain.digest
    assert marked.notes == plain.notes
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"\ufeff{plain.genes[0].id}\n")
    kept = read_genes(written(tmp_path, text), genome, gene_list=wanted)
    assert plain.genes[0] in kept.genes


def test_lines_that_lead_to_no_gene_are_told(tmp_path, genome):
    lost = "1\tx\tmRNA\t601\t900\t.\t+\t.\tID=t;Parent=absent\n1\tx\texon\t601\t700\t.\t+\t.\tParent=t\n"
    genes = read_genes(written(tmp_path, f"{GFF3}{lost}"), genome)
    assert [gene.id for gene in genes] == ["g"]
    (note,) = genes.notes
    assert "2 lines have a Parent= that leads to no gene of this file" in note
    assert "such as line 3, Parent=absent: left out" in note
    ring = "1\tx\tmRNA\t1\t9\t.\t+\t.\tID=a;Parent=b\n1\tx\tmRNA\t1\t9\t.\t+\t.\tID=b;Parent=a\n"
    message = (
        r"no genes in this file on contigs of g\.fa: 2 lines have a Parent= .* line 1, Parent=b"
    )
    with pytest.raises(InputError, match=message):
        read_genes(written(tmp_path, ring), genome)
    with pytest.raises(InputError, match="no genes in this file: 2 lines have a Parent="):
        read_genes_by_contig(written(tmp_path, ring), ["chr1"])


@pytest.mark.parametrize("name", DIALECTS)
def test_of_whole_files_no_line_is_lost(tmp_path, genome, name):
    assert not read_genes(written(tmp_path, DIALECTS[name][0]), genome).notes


def test_what_a_header_says_and_nothing_shows_is_told(tmp_path, genome):
    longer = read_genes(written(tmp_path, f"##sequence-region chr1 1 5000\n{GFF3}"), genome)
    assert "chr1 has 5,000 bp; g.fa has 1,000, taken for the beginning" in longer.notes[0]
    named = read_genes(written(tmp_path, f"#!genome-build GRCh37\n{GFF3}"), genome)
    assert "its header names GRCh37; of which assembly g.fa is" in named.notes[0]
    same = read_genes(written(tmp_path, f"##sequence-region chr1 1 1000\n{GFF3}"), genome)
    assert same.notes == ()


def test_a_build_whose_contigs_are_shorter_is_refused(tmp_path, genome, monkeypatch):
    known = KnownContig("GRCh37 (hg19)", "1", 900, ())
    monkeypatch.setattr(gene_assembly, "known_contigs", lambda: (known,))
    message = r"names GRCh37, in which chr1 has 900 bp; g\.fa has 1,000"
    with pytest.raises(InputError, match=message):
        read_genes(written(tmp_path, f"#!genome-build GRCh37.p13\n{GFF3}"), genome)


@pytest.mark.parametrize(
    ("attributes", "name", "kind"),
    [
        (
            'gene_id "S"; description "small nucleolar RNA host gene 11"; gene "SNHG11"; gene_biotype "lncRNA";',
            *("SNHG11", "lncRNA"),
        ),
        (
            'note "biotype x; gene_name y; gene_id \\"z\\"; Name w"; gene_id "S"; gene_name "N"',
            *("N", None),
        ),
        ("note host gene 11; gene_id S; level 2; gene_type t;", "S", "t"),
        ('gene_id "S"; "gene 11"; havana_gene_name "H"; gene_name  "N";', "N", None),
        # neither semicolons nor what ends a quote are always there
        ('gene_id "S" gene_name "N"', "N", None),
        ('note "3" end"; gene_id "S"; gene_name "N";', "N", None),
        ('gene_id "S"; gene_name "N"; note "gene 11;', "N", None),
    ],
)
def test_words_within_a_value_of_gtf_are_no_keys(tmp_path, genome, attributes, name, kind):
    lines = f"1\tx\tgene\t101\t200\t.\t+\t.\t{attributes}\n"
    (gene,) = read_genes(written(tmp_path, lines), genome)
    assert (gene.id, gene.name, gene.type) == ("S", name, kind)


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ("ID=S;Note=host gene 11;gene=N", "N"),
        ('ID=S;Note="host; gene=11; Parent=x; Name=y";gene=N', "N"),
        ("ID=S;Note=Parent=x, gene=11;gene=N", "N"),
        ("ID=S;Old_Parent=x;gene=N", "N"),
        # an inch is no quote
        ('ID=S;Note="5 of 7;gene=N;Other=3"x', "N"),
    ],
)
def test_words_within_a_value_of_gff3_are_no_keys(tmp_path, genome, attributes, name):
    lines = f"1\tx\tgene\t101\t200\t.\t+\t.\t{attributes}\n"
    (gene,) = read_genes(written(tmp_path, lines), genome)
    assert (gene.id, gene.name) == ("S", name)
    # what a feature is, too, is not told by a note
    other = "1\tx\tregion\t1\t900\t.\t+\t.\tID=r;Note=gbkey=Gene\n"
    (gene,) = read_genes(written(tmp_path, lines + other), genome)
    assert gene.id == "S"


def test_a_quote_within_quotes_is_part_of_a_name(tmp_path, genome):
    text = (
        r'1	x	exon	101	200	.	+	.	gene_id "g"; gene_name "one; \"x\"";'
        + "\n"
    )
    assert read_genes(written(tmp_path, text), genome).genes[0].name == 'one; "x"'


@pytest.mark.parametrize("number", ["1_01", "１０１", "9" * 19, "1e2", ""])
def test_positions_are_digits(tmp_path, genome, number):
    with pytest.raises(InputError, match=r"line 2: .* are no positions"):
        read_genes(written(tmp_path, GTF + GTF.replace("101", number)), genome)
    with pytest.raises(InputError, match=r"line 2: .* are no positions"):
        read_genes(written(tmp_path, f"{BED}chr1\t{number}\t1000\tA\t0\t+\n"), genome)


def test_blocks_are_as_many_as_their_line_says(tmp_path, genome):
    with pytest.raises(InputError, match="line 2: says that it has 3 blocks, and has 2 sizes"):
        read_genes(written(tmp_path, BED12.replace("\t2\t", "\t3\t", 1)), genome)


def test_what_is_no_list_of_genes_is_named(tmp_path, genome):
    path = written(tmp_path, GTF)
    with pytest.raises(
        InputError, match=r"cannot be read: Is a directory\. Give a file with a name"
    ):
        read_genes(path, genome, gene_list=tmp_path)
    binary = tmp_path / "b"
    binary.write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="b: is not UTF-8 text"):
        read_genes(path, genome, gene_list=binary)
