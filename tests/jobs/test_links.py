"""`enformer-ray links`: the table by hand, for each kind of file; what is wrong with files is named."""

import gzip
import os

import polars as pl
import pytest

from enformer_core.errors import InputError
from enformer_core.export.whole_file import whole_file
from enformer_core.links.contact import powerlaw_contact
from tests.support.genomes import write_fasta

GENES = """chr\tstart\tend\tsymbol\tstrand\tEnsembl_ID\ttss\tExpression\tPromoterActivityQuantile
chr1\t20000\t30000\tLEFT\t+\tENSG1\t20000\tNaN\t0.3
chr1\t40000\t60000\tRIGHT\t-\tENSG2\t60000\t0.9\t0.8
chr2\t5000\t6000\tALONE\t+\tENSG3\t5000\tNaN\t0.2
"""

CANDIDATES = """chr\tstart\tend\tname\tclass\tactivity_base
chr1\t19600\t20600\tpromoter|a\tpromoter\t2
chr1\t29000\t31000\tgenic|b\tgenic\t4
chr1\t44000\t46000\tgenic|c\tgenic\t1
chr3\t100\t200\tintergenic|d\tintergenic\t1
"""


@pytest.fixture
def files(tmp_path):
    """Genes and candidates as they were given, or other texts in their places."""

    def write(genes=GENES, candidates=CANDIDATES):
        paths = tmp_path / "genes.tsv", tmp_path / "candidates.tsv"
        for path, text in zip(paths, (genes, candidates), strict=True):
            path.write_text(text)
        return paths

    return write


@pytest.fixture
def link(run, tmp_path):
    """The table of links of two files, and what was said; for a refusal see `refused`."""

    def call(genes, candidates, *more):
        out = tmp_path / "links.parquet"
        out.unlink(missing_ok=True)
        code, text, error = run(
            "links", "--genes", genes, "--candidates", candidates, "--out", out, *more
        )
        assert code == 0, error
        assert not text
        return pl.read_parquet(out), error

    return call


@pytest.fixture
def refused(run, tmp_path):
    """The message of a command that must fail, and leave nothing."""

    def call(genes, candidates, *more, out=tmp_path / "links.parquet"):
        code, _, error = run(
            "links", "--genes", genes, "--candidates", candidates, "--out", out, *more
        )
        assert code == 2, error
        assert error.splitlines()[-1].startswith("enformer-ray: "), error
        assert "Traceback" not in error
        assert not list(tmp_path.glob("*.parquet"))
        assert not list(tmp_path.glob(".*"))
        return error

    return call


def contact(distance):
    return float(powerlaw_contact(pl.Series([float(distance)]).to_numpy())[0])


def test_the_table_by_hand(files, link):
    table, said = link(*files())
    assert "links.parquet: 6 pairs of 2 of 3 TSSs and 3 of 4 candidates; 1 TSS has no" in said
    assert "1 TSS has no candidate and 1 candidate has no TSS within 5,000,000 bp" in said
    left = table.filter(pl.col("gene") == "LEFT")
    assert left["distance"].to_list() == [100, 10_000, 25_000]
    numerators = [2 * contact(100), 4 * contact(10_000), 1 * contact(25_000)]
    assert left["abc_numerator"].to_list() == pytest.approx(numerators)
    # its own promoter acts on it by definition; the others have their shares of the sum with it
    shares = [1, numerators[1] / sum(numerators), numerators[2] / sum(numerators)]
    assert left["abc"].to_list() == pytest.approx(shares)
    assert left["is_self_promoter"].to_list() == [True, False, False]
    right = table.filter(pl.col("gene") == "RIGHT")
    assert right["distance"].to_list() == [39_900, 30_000, 15_000]
    assert not right["is_self_promoter"].any()
    assert right["abc"].sum() == pytest.approx(1)
    first = table.row(0, named=True)
    assert list(first)[:9] == [
        *("gene", "gene_id", "chrom", "tss", "is_expressed", "start", "end", "name", "class")
    ]
    assert list(first.values())[:9] == [
        *("LEFT", "ENSG1", "chr1", 20_000, True, 19_600, 20_600, "promoter|a", "promoter")
    ]
    assert first["activity"] == 2
    assert first["powerlaw_contact"] == pytest.approx(contact(5_000))


@pytest.mark.parametrize("name", ["links.tsv", "links.tsv.gz"])
def test_the_name_says_the_format(files, link, run, tmp_path, name):
    table, _ = link(*files())
    genes, candidates = files()
    out = tmp_path / name
    code, _, error = run("links", "--genes", genes, "--candidates", candidates, "--out", out)
    assert code == 0, error
    assert "polars.read_parquet" not in error
    found = pl.read_csv(out, separator="\t", schema_overrides=table.schema)
    assert found.equals(table)


def test_another_name_is_refused(files, refused, tmp_path):
    for name in ("links.csv", "links", "links.bed.gz"):
        message = refused(*files(), out=tmp_path / name)
        assert f"--out {tmp_path / name}: links are written as .parquet, .tsv or .tsv.gz" in message


def test_what_to_do_with_a_table_is_said_where_somebody_is_lost(files, link, run, tmp_path):
    said = link(*files())[1]
    out = tmp_path / "links.parquet"
    read = f"python -c 'import polars; print(polars.read_parquet(\"{out}\"))'"
    assert read in said
    assert f"enformer-ray evaluate links PAIRS --predictions {out}" in said
    code, _, error = run("query", out, "FROM links")
    assert code == 2
    assert read in error
    code, _, error = run("evaluate", "links", out)
    assert code == 2
    assert "is a table of links, not of tested pairs. Give it by --predictions" in error


def test_the_window_bounds_pairs_and_the_sum(files, link):
    table, _ = link(*files(), "--window-bp", "25000")
    assert table["gene"].to_list() == ["LEFT", "LEFT", "RIGHT"]
    assert table["abc"][2] == 1


def test_expression_is_the_genelists_and_can_be_asked_for(files, link, refused):
    table, _ = link(*files())
    expressed = dict(table.select("gene", "is_expressed").unique().rows())
    assert expressed == {"LEFT": True, "RIGHT": False}
    only, said = link(*files(), "--expressed-only")
    assert only.equals(table.filter(pl.col("gene") == "LEFT"))
    assert "1 of 1 TSS and" in said


BOUNDS = "chr1\t20000\t30000\tLEFT\t0\t+\nchr1\t40000\t60000\tRIGHT\t0\t-\n"
# a few rows of one length may be genes, 20 are windows; nothing is near the others
OTHERS = [f"chr9\t{at}\t{at + 500}\tG{at}\t0\t+" for at in range(1, 19)]
REGIONS = "#chr\tstart\tend\tname\tscore\tstrand\tEnsembl_ID\n" + (
    "chr1\t19750\t20250\tLEFT\t0\t+\tENSG1\nchr1\t59750\t60250\tRIGHT\t0\t-\tENSG2\n"
    + "".join(f"{row}\t.\n" for row in OTHERS)
)


@pytest.mark.parametrize("genes", [BOUNDS, REGIONS], ids=["bounds", "regions"])
def test_bed_of_genes_and_of_regions_around_tsss(files, link, genes):
    wanted, _ = link(*files())
    table, said = link(*files(genes))
    assert table["tss"].to_list() == wanted["tss"].to_list()
    assert table["abc"].to_list() == wanted["abc"].to_list()
    assert table["is_expressed"].is_null().all()
    taken = "all 20 intervals are 500 bp long, and taken for windows around TSSs"
    assert (taken in said) == (genes == REGIONS)


def test_a_few_regions_need_no_strands_and_a_few_genes_of_one_length_are_genes(files, link):
    few = REGIONS.partition("chr9")[0]
    table, _ = link(*files(few))
    assert set(table["tss"]) == {19_750, 60_250}
    bare = "".join(line.rsplit("\t", 3)[0] + "\n" for line in few.splitlines())
    dots = "".join(f"{line}\t0\t.\n" for line in bare.splitlines()[1:])
    table, _ = link(*files(dots))
    assert set(table["tss"]) == {20_000, 60_000}
    table, said = link(*files(bare))
    assert set(table["tss"]) == {20_000, 60_000}
    assert "all 2 intervals are 500 bp long, and taken for windows" in said


def test_a_file_that_cannot_be_read_is_called_what_it_was_given_as(files, refused, tmp_path):
    genes, candidates = files()
    cut = tmp_path / "cut.tsv.gz"
    cut.write_bytes(gzip.compress(candidates.read_bytes())[:20])
    said = refused(genes, cut)
    assert f"{cut}: cannot be read as a file of candidates: Compressed file ended" in said
    assert f"{cut}: cannot be read as a file of genes" in refused(cut, candidates)
    for paths in ((tmp_path, candidates), (genes, tmp_path)):
        assert f"{tmp_path}: cannot be read: Is a directory" in refused(*paths)


def test_names_of_chromosomes_may_differ_and_files_may_be_packed(files, link, tmp_path):
    wanted, _ = link(*files())
    genes, candidates = files(GENES.replace("chr", "").replace("\tstart", "chr\tstart", 1))
    packed = tmp_path / "genes.tsv.gz"
    packed.write_bytes(gzip.compress(genes.read_bytes()))
    table, _ = link(packed, candidates)
    assert table.equals(wanted)


def test_classes_follow_from_genes_where_the_file_has_none(files, link):
    wanted, _ = link(*files())
    bare = "\n".join(
        "\t".join(cells for at, cells in enumerate(line.split("\t")) if at not in (3, 4))
        for line in CANDIDATES.splitlines()
    )
    table, said = link(*files(candidates=bare + "\n"))
    assert "has no column class" in said
    assert table.drop("name").equals(wanted.drop("name"))
    assert table["name"].is_null().all()


def test_a_class_that_is_not_known_is_told(files, link):
    _, said = link(*files())
    assert "have a class" not in said
    _, said = link(*files(candidates=CANDIDATES.replace("genic", "foo")))
    assert "have a class that is none of promoter, genic, intergenic, such as 'foo'" in said


ACTIVITIES = CANDIDATES.replace("activity_base", "DHS.RPM\tH3K27ac.RPM\tmine")


@pytest.mark.parametrize(
    ("column", "more", "said"),
    [
        ("DHS.RPM\tH3K27ac.RPM\tmine", (), "the geometric mean of H3K27ac.RPM and DHS.RPM"),
        ("ATAC.RPM\tother\tmine", (), "activity is ATAC.RPM,"),
        ("DHS.RPM\tH3K27ac.RPM\tmine", ("--activity", "mine"), "activity is mine,"),
        ("a\tb\tc", ("--activity", "a,b"), "the geometric mean of a and b"),
    ],
)
def test_activity_is_what_the_table_has_or_what_is_named(files, link, column, more, said):
    wanted, _ = link(*files())
    lines = CANDIDATES.replace("activity_base", column).splitlines()
    # 2 becomes 1, 4 and 2; 4 becomes 2, 8 and 4: means of the first two, and the third, are what they were
    rows = [f"{line}" for line in lines[:1]]
    for line in lines[1:]:
        *places, value = line.split("\t")
        both = (
            (value, value, value)
            if "ATAC" in column
            else (float(value) / 2, float(value) * 2, value)
        )
        rows.append("\t".join([*places, *map(str, both)]))
    table, told = link(*files(candidates="\n".join(rows)), *more)
    assert said in told
    assert table["abc"].to_list() == pytest.approx(wanted["abc"].to_list())


def test_distances_need_no_activity(files, link):
    wanted, _ = link(*files())
    bed = "chr1\t19600\t20600\nchr1\t29000\t31000\nchr1\t44000\t46000\nchr3\t100\t200\n"
    table, _ = link(*files(candidates=bed), "--scores", "distance")
    assert table["distance"].equals(wanted["distance"])
    assert table["powerlaw_contact"].equals(wanted["powerlaw_contact"])
    assert not {"abc", "abc_numerator", "activity"} & set(table.columns)


def test_where_nothing_is_active_there_is_no_score(files, link):
    quiet = CANDIDATES.replace("\t2\n", "\t0\n").replace("\t4\n", "\t0\n").replace("\t1\n", "\t0\n")
    table, _ = link(*files(candidates=quiet))
    assert table["abc"].to_list() == [1, None, None, None, None, None]


def test_constants_of_another_law(files, link):
    table, _ = link(*files(), "--powerlaw-gamma", "1", "--powerlaw-scale", "2")
    expected = (2.718281828459045**2 / (table["distance"].clip(5_000) + 1)).to_list()
    assert table["powerlaw_contact"].to_list() == pytest.approx(expected)


def test_a_genome_gives_its_names_and_bounds(files, link, refused, tmp_path):
    genome = write_fasta(tmp_path / "g.fa", {"1": "A" * 70_000, "3": "C" * 200})
    wanted, _ = link(*files())
    table, said = link(*files(), "--genome", genome)
    assert table["chrom"].unique().to_list() == ["1"]
    assert table.drop("chrom").equals(wanted.drop("chrom"))
    assert "genes.tsv: 1 TSS does not lie on" in said
    assert "candidates.tsv: chr1, chr3 are called 1, 3 in the genome, here and in the" in said
    assert "genes.tsv: chr1 is called 1 in the genome, here and in the output" in said
    assert "2 of 2 TSSs" in said
    (tmp_path / "links.parquet").unlink()
    unknown = CANDIDATES.replace("chr3", "chr9")
    assert "candidates.tsv, line 5: " in refused(*files(candidates=unknown), "--genome", genome)
    assert "has no contig 'chr9', it has 1, 3" in refused(
        *files(candidates=unknown), "--genome", genome
    )
    beyond = CANDIDATES.replace("100\t200", "100\t201")
    assert "line 5: ends at base 201, 3 of" in refused(
        *files(candidates=beyond), "--genome", genome
    )
    assert "genes.tsv: no gene lies on" in refused(
        *files("chrX\t1\t9\tX\t0\t+\n"), "--genome", genome
    )


def test_genes_beyond_the_end_of_a_part_of_a_genome_are_left_out(files, link, tmp_path):
    genome = write_fasta(tmp_path / "g.fa", {"chr1": "A" * 59_999, "chr3": "C" * 200})
    wanted, _ = link(*files())
    table, said = link(*files(), "--genome", genome)
    assert table.equals(wanted.filter(pl.col("gene") == "LEFT"))
    assert "genes.tsv: 2 TSSs do not lie on" in said


def gtf(*lines):
    """Exons of transcripts: contig, first and last base, strand, gene and transcript."""
    attributes = 'gene_id "{0}"; gene_name "{1}"; transcript_id "{2}"; gene_type "{3}";'
    return "#!genome-build toy\n" + "".join(
        f"{chrom}\tX\texon\t{first}\t{last}\t.\t{strand}\t.\t{attributes.format(*names)}\n"
        for chrom, first, last, strand, *names in lines
    )


ANNOTATION = gtf(
    ("1", 20_001, 21_000, "+", "ENSG1", "LEFT", "T1", "protein_coding"),
    ("1", 25_001, 30_000, "+", "ENSG1", "LEFT", "T2", "protein_coding"),
    ("1", 40_001, 60_000, "-", "ENSG2", "RIGHT", "T3", "lncRNA"),
    ("9", 5_001, 6_000, "+", "ENSG3", "ALONE", "T4", "lncRNA"),
)


def test_gtf_without_a_genome_and_with_one(files, link, tmp_path):
    wanted, _ = link(*files())
    table, _ = link(*files(ANNOTATION))
    # TSSs are counted as the program counts: of a gene on the minus strand its end
    assert table.drop("is_expressed").equals(wanted.drop("is_expressed"))
    genome = write_fasta(tmp_path / "g.fa", {"chr1": "A" * 70_000, "chr3": "C" * 200})
    held, _ = link(*files(ANNOTATION), "--genome", genome)
    assert held.equals(table)
    every, _ = link(*files(ANNOTATION), "--tss", "all")
    # the second transcript begins 5 kb behind the first
    of_left = every.filter(pl.col("gene") == "LEFT")
    assert of_left["tss"].unique().sort().to_list() == [20_000, 25_000]
    assert of_left.filter(pl.col("tss") == 25_000)["distance"].to_list() == [4_900, 5_000, 20_000]
    assert every.filter(pl.col("tss") != 25_000).equals(table)
    typed, _ = link(*files(ANNOTATION), "--gene-types", "lncRNA")
    assert typed.equals(table.filter(pl.col("gene") == "RIGHT"))


def test_types_of_genes_in_a_table(files, link, refused):
    header = "#chr\tstart\tend\tname\tscore\tstrand\tgene_type\n"
    typed = header + BOUNDS.replace("+\n", "+\tprotein_coding\n").replace("-\n", "-\tlincRNA\n")
    wanted, _ = link(*files(BOUNDS))
    table, _ = link(*files(typed), "--gene-types", "lincRNA,protein_coding")
    assert table.equals(wanted)
    table, _ = link(*files(typed), "--gene-types", "lincRNA")
    assert table.equals(wanted.filter(pl.col("gene") == "RIGHT"))


BAD = {
    "ends before its start": (
        {"candidates": "chr1\t9\t5\t\n".replace("\t\n", "\n")},
        "candidates.tsv, line 1: from 9 to 5; starts count from 0",
    ),
    "begins before 0": ({"candidates": "chr1\t-1\t5\n"}, "candidates.tsv, line 1: from -1 to 5"),
    "a gene ends before its start": (
        {"genes": BOUNDS.replace("60000", "30000")},
        "genes.tsv, line 2: from 40000 to 30000",
    ),
    "empty genes": ({"genes": ""}, "genes.tsv: an empty file"),
    "empty candidates": ({"candidates": ""}, "candidates.tsv: an empty file"),
    "no rows": ({"candidates": CANDIDATES.splitlines()[0] + "\n"}, "candidates.tsv: has no rows"),
    "no activity": (
        {"candidates": "chr1\t1\t5\n"},
        "candidates.tsv: has no column of activity for --scores abc: activity_base, or DHS.RPM or ATAC.RPM",
    ),
    "activity that is none": (
        {"candidates": CANDIDATES.replace("\t4\n", "\tNaN\n")},
        "candidates.tsv, line 3: activity_base nan is no activity. Leave the candidate out",
    ),
    "activity that is missing": (
        {"candidates": CANDIDATES.replace("\t4\n", "\t\n")},
        "candidates.tsv, line 3: activity_base nan is no activity",
    ),
    "activity below 0": (
        {"candidates": CANDIDATES.replace("\t4\n", "\t-4\n")},
        "candidates.tsv, line 3: activity_base -4.0 is below 0",
    ),
    "activity that is a word": (
        {"candidates": CANDIDATES.replace("\t4\n", "\thigh\n")},
        "candidates.tsv, line 3: activity_base 'high' is not a number",
    ),
    "listed twice": (
        {"candidates": CANDIDATES + "chr1\t29000\t31000\tx\tgenic\t7\n"},
        "candidates.tsv, line 6: chr1:29000-31000 is listed before, in line 3",
    ),
    "elements as genes": (
        {"genes": CANDIDATES},
        "genes.tsv: looks like a list of elements, with its column activity_base. Were --genes and",
    ),
    "genes as candidates": (
        {"candidates": GENES},
        "candidates.tsv: looks like a list of genes, with its column tss. Were --genes and",
    ),
    "an annotation as candidates": (
        {"candidates": ANNOTATION},
        "candidates.tsv: is an annotation of genes. Were --genes and --candidates exchanged?",
    ),
    "BED of genes as candidates": ({"candidates": BOUNDS}, "exchanged?"),
    "BED of candidates as genes": (
        {"genes": "chr1\t1\t9\tx\t0\t.\n"},
        "genes.tsv, line 1: strand '.'; a gene has + or -, from which its TSS follows. Were --genes",
    ),
    "genes without names": ({"genes": "chr1\t1\t9\n"}, "has no column symbol or gene_name or gene"),
    "a gene without a name": ({"genes": "chr1\t1\t9\t.\t0\t+\n"}, "line 1: a gene without a name"),
    "genes without strands": ({"genes": "chr1\t1\t9\tx\n"}, "has no column strand or tss"),
    "an annotation of other contigs": (
        {"genes": ANNOTATION.replace("\n1\t", "\n7\t")},
        "genes.tsv: has no genes on chr1, chr3; it has some on",
    ),
    "nothing in reach": (
        {"genes": "chr7\t1\t9\tx\t0\t+\n"},
        "no candidate lies within 5,000,000 bp of a TSS: the genes of",
    ),
}


def test_peaks_with_numbers_for_names_are_no_annotation(files, link):
    peaks = "chr1\t19600\t20600\t1\t532\t.\t2\t3\t2\t40\n"
    table, _ = link(*files(candidates=peaks), "--activity", "signalValue")
    assert table["activity"].to_list() == [2, 2]


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_files_is_named(files, refused, name):
    texts, message = BAD[name]
    assert message in refused(*files(**texts))


def test_files_that_are_not_there(files, refused, tmp_path):
    genes, candidates = files()
    assert "nowhere.bed: there is no such file" in refused(tmp_path / "nowhere.bed", candidates)
    assert "nowhere.bed: there is no such file" in refused(genes, tmp_path / "nowhere.bed")
    assert "there is no directory" in refused(*files(), out=tmp_path / "no" / "links.parquet")
    assert "give a path" in refused(*files(), out="s3://bucket/links.parquet")


def test_an_output_that_is_there_is_left_alone(files, run, tmp_path):
    out = tmp_path / "links.parquet"
    out.write_text("mine")
    genes, candidates = files()
    code, _, error = run("links", "--genes", genes, "--candidates", candidates, "--out", out)
    assert code == 2
    assert "links.parquet: is there already. Remove it, or give --out another name." in error
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--scores", "abd"), "--scores abd: there is no such score; did you mean abc?"),
        (("--scores", ","), "--scores '': names nothing. Name what is meant"),
        (("--window-bp", "0"), "--window-bp 0: must be at least 1"),
        (("--powerlaw-gamma", "-1"), "--powerlaw-gamma -1.0: must be above 0"),
        (("--gene-types", "lincRNA"), "has no types of genes. Leave out --gene-types."),
        (("--activity", "activity"), "has no such column; did you mean activity_base"),
    ],
)
def test_settings_that_cannot_be(files, refused, more, message):
    assert message in refused(*files(), *more)


def test_expression_that_nobody_knows(files, refused):
    assert "--expressed-only: " in refused(*files(BOUNDS), "--expressed-only")
    silent = GENES.replace("NaN\t0.3", "0\t0.3")
    assert "has no gene that is expressed" in refused(*files(silent), "--expressed-only")


def test_which_column_of_expression_is_missing_is_said(files, refused):
    without = GENES.replace("PromoterActivityQuantile", "other")
    said = refused(*files(without), "--expressed-only")
    assert "has no column PromoterActivityQuantile; it is said by Expression and" in said


@pytest.mark.parametrize("with_genome", [True, False])
def test_a_contig_may_have_two_names_in_one_table(files, link, refused, tmp_path, with_genome):
    genome = write_fasta(tmp_path / "g.fa", {"1": "A" * 70_000, "2": "A" * 9_000, "3": "A" * 900})
    more = ("--genome", genome) if with_genome else ()
    wanted, _ = link(*files(), *more)
    half = CANDIDATES.replace("chr1\t29", "1\t29")
    genes = GENES.replace("chr1\t40", "1\t40")
    table, said = link(*files(genes, half), *more)
    assert table.equals(wanted)
    twice = GENES + GENES.splitlines()[1].replace("chr1", "1") + "\n"
    table, said = link(*files(twice), *more)
    assert table.equals(wanted)
    assert "1 row repeats a gene and its TSS" in said
    twice = CANDIDATES + CANDIDATES.splitlines()[1].replace("chr1", "1") + "\n"
    assert "line 6: " in refused_again(refused, tmp_path, files(GENES, twice), more)


def refused_again(refused, tmp_path, paths, more):
    # the table of the run before is in the way of what looks for tables
    (tmp_path / "links.parquet").unlink()
    return refused(*paths, *more)


def test_a_class_that_some_rows_do_not_have_follows_from_genes(files, link):
    wanted, _ = link(*files())
    table, said = link(*files(GENES, CANDIDATES.replace("|a\tpromoter", "|a\tNA")))
    assert table.equals(wanted)
    assert "candidates.tsv: 1 candidate has no class; those at a TSS are its promoters" in said


def test_of_a_base_the_tss_is_the_base(files, link, tmp_path):
    genes = "chr1\t20000\t20001\tP\t0\t+\nchr1\t40000\t40001\tM\t0\t-\n"
    table, _ = link(*files(genes))
    # of a minus gene the end of its first base, as of every other
    assert dict(table.select("gene", "tss").unique().rows()) == {"P": 20_000, "M": 40_001}


def test_regions_may_be_cut_at_a_contigs_start_and_stay_regions_of_some_types(files, link):
    header = "#chr\tstart\tend\tname\tscore\tstrand\tgene_type\n"
    rows = "chr1\t0\t450\tCUT\t0\t+\tpc\nchr1\t19750\t20250\tLEFT\t0\t-\tlnc\n"
    rows += "".join(f"{row}\tpc\n" for row in OTHERS)
    table, said = link(*files(header + rows))
    assert dict(table.select("gene", "tss").unique().rows()) == {"CUT": 200, "LEFT": 20_000}
    assert "500 bp long, and taken for windows" in said
    table, _ = link(*files(header + rows), "--gene-types", "lnc")
    assert dict(table.select("gene", "tss").unique().rows()) == {"LEFT": 20_000}


IMPOSSIBLE = {
    "a huge activity": (
        GENES,
        CANDIDATES.replace("\t4\n", "\t1e200\n"),
        "line 3: activity_base 1e+200",
    ),
    "a negative TSS": (GENES.replace("\t20000\tNaN", "\t-5\tNaN"), CANDIDATES, "line 2: tss -5"),
    "a far TSS": (
        GENES.replace("\t20000\tNaN", "\t3e9\tNaN"),
        CANDIDATES,
        "line 2: base 3000000000",
    ),
    "a far end": (GENES, CANDIDATES.replace("31000", "3000000000"), "line 3: base 3000000000"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_numbers_that_cannot_be_are_named(files, refused, name):
    genes, candidates, message = IMPOSSIBLE[name]
    assert message in refused(*files(genes, candidates))


def test_a_stream_is_no_file(files, refused, tmp_path):
    genes, candidates = files()
    os.mkfifo(tmp_path / "pipe")
    assert "pipe: is a stream, which can be read once" in refused(genes, tmp_path / "pipe")
    assert "pipe: is a stream, which can be read once" in refused(tmp_path / "pipe", candidates)


def test_what_another_command_made_meanwhile_stays(tmp_path):
    out = tmp_path / "links.tsv"

    def write_while_another_does():
        with whole_file(out, may_replace=False) as file:
            file.write(b"mine")
            out.write_text("another's")

    with pytest.raises(InputError, match="is there already: it was made meanwhile"):
        write_while_another_does()
    assert out.read_text() == "another's"
    assert [path.name for path in tmp_path.iterdir()] == ["links.tsv"]


def test_a_gene_and_tss_that_repeat_count_once(files, link):
    wanted, _ = link(*files())
    table, said = link(*files(GENES + GENES.splitlines()[1] + "\n"))
    assert "1 row repeats a gene and its TSS, and counts once" in said
    assert table.equals(wanted)
