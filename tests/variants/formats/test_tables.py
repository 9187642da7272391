"""Tables as programs write them: columns of one fact are chosen together, rows are cut as the header is."""

import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants.columns_taken import columns_taken
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source

#         0123456789
LETTERS = "ACGTTGGAAC"


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """chr1 of ten bases."""
    path = tmp_path_factory.mktemp("genome") / "ten.fa"
    path.write_text(f">chr1\n{LETTERS}\n")
    return Genome(path)


@pytest.fixture
def opened(tmp_path):
    def call(text, **given):
        path = tmp_path / "table"
        path.write_text(text)
        return open_source(path, columns=GivenColumns(**given))

    return call


@pytest.fixture
def raw(opened):
    """Rows as read."""

    def call(text, **given):
        source = opened(text, **given)
        return [row for batch in source.batches(details=True) for row in batch.to_pylist()]

    return call


@pytest.fixture
def placed(opened, genome):
    """Rows on the small genome: status, start, ref, alt."""

    def call(text, **given):
        batches = opened(text, **given).batches()
        rows = [
            row
            for batch in batches
            for row in harmonise_alleles(batch, genome, max_allele_bp=5).to_pylist()
        ]
        return [tuple(row[name] for name in ("status", "start", "ref", "alt")) for row in rows]

    return call


def place(row):
    return (row["input_chrom"], row["start"], row["input_ref"], row["input_alt"])


PAIRS = {
    "chromosome\tposition\thm_chr\thm_pos\tref\talt\n9\t99\t1\t5\tT\tG": ("1", 4, "T", "G"),
    # half a harmonised pair is no pair
    "chromosome\tposition\thm_pos\tref\talt\n1\t5\t99\tT\tG": ("1", 4, "T", "G"),
    "#chr\tpos(1-based)\tref\talt\thg19_chr\thg19_pos(1-based)\n1\t5\tT\tG\t9\t99": (
        "1",
        4,
        "T",
        "G",
    ),
    "hg38chrom\thg38pos\tref\talt\thg19chrom\n1\t5\tT\tG\t9": ("1", 4, "T", "G"),
    "chr\tpos_hg38\tref\talt\n1\t5\tT\tG": ("1", 4, "T", "G"),
    "locus.contig\tlocus.position\tref\talt\n1\t5\tT\tG": ("1", 4, "T", "G"),
    # the effect allele and its partner
    "chr\tpos\ta1\ta2\thm_effect_allele\thm_other_allele\n1\t5\tC\tA\tG\tT": ("1", 4, "T", "G"),
    "chr\tpos\thm_effect_allele\teffect_allele\tother_allele\n1\t5\tC\tG\tT": ("1", 4, "T", "G"),
    "chr\tpos\tallele1\ta2\tallele2\n1\t5\tG\tA\tT": ("1", 4, "T", "G"),
}


@pytest.mark.parametrize("text", PAIRS)
def test_columns_of_one_fact_are_chosen_together(raw, text):
    [row] = raw(text + "\n")
    assert place(row) == PAIRS[text]


def test_columns_of_two_assemblies_are_no_pair(opened):
    with pytest.raises(InputError, match="not a variant file"):
        opened("hg19_chr\tpos_hg38\tref\talt\n1\t5\tT\tG\n")
    with pytest.raises(InputError, match="'pos_hg38' and 'pos_hg19' could both be pos"):
        opened("chr\tpos_hg38\tpos_hg19\tref\talt\n1\t5\t6\tT\tG\n")


def test_a_column_of_effect_alleles_says_which_of_two_it_is(raw):
    rows = raw("chr pos effect_allele a1 a2\n1 5 G G T\n1 5 T G T\n1 5 C G T\n")
    assert [place(row) for row in rows] == [("1", 4, "T", "G")] * 3
    assert [row["effect"] for row in rows] == [1, -1, 0]


CUTS = {
    "quoted tab": 'note\tx\tchr\tpos\tref\talt\n"a\tb"\t1\t1\t5\tT\tG',
    "quoted comma in the header": '"gene, symbol",chr,pos,ref,alt\n"a,b",1,5,T,G',
    "a tab in a quoted name of a CSV": '"gene\tsymbol",chr,pos,ref,alt\nx,1,5,T,G',
    "R's write.table": '"chr" "pos" "ref" "alt"\n"1" "1" 5 "T" "G"',
    "blanks around quotes": 'chr, pos, ref, alt\n "1", 5, "T", "G"',
    "padded": "chr\tpos\tref\talt\n 1\t5 \tT \t\u00a0G",
    "rows by spaces": "chr\tpos\tref\talt\n1 5 T G",
    "rows by tabs": "chr pos ref alt\n1\t5\tT\tG",
    "rows by commas": "chr\tpos\tref\talt\n1,5,T,G",
    "row names": "chr,pos,ref,alt\n17,1,5,T,G",
    "empty cells behind": "chr\tpos\tref\talt\n1\t5\tT\tG\t\t",
    "two columns with a comma": 'locus,alleles\n1:5,"[""T"",""G""]"',
}


@pytest.mark.parametrize("kind", CUTS)
def test_rows_are_cut_as_the_header_is(raw, kind):
    [row] = raw(CUTS[kind] + "\n")
    assert (row["status"], place(row)) == (None, ("1", 4, "T", "G"))


def test_a_cell_more_in_each_row_is_not_guessed(opened):
    with pytest.raises(
        InputError, match=r"5 columns, and each record has one cell more.*Name every"
    ):
        opened("ref\talt\tx\tpos\tchr\nT\tG\tA\t5\t6\t1\n")


def test_rows_of_another_length_than_the_header_are_named(raw):
    rows = raw("chr pos id ref alt x\n1 5 rs1 T G .\n1 5 T G A\n1 5 rs 1 T G .\n")
    assert [row["reason"] for row in rows] == [
        None,
        "5 cells, where the header names 6",
        "7 cells, where the header names 6",
    ]


VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def test_columns_of_a_vcf_are_never_moved(raw):
    whole = "1\t5\t.\tT\tG\t.\tPASS\t.\n"
    rows = raw(f"{VCF}{whole}1\t5\t.\tT\tG\t\t50\tPASS\t.\n1\t5\t.\tT\tG\n{whole}")
    assert [row["reason"] for row in rows] == [
        None,
        "9 cells, where the header names 8",
        "5 cells, where the header names 8",
        None,
    ]
    assert [row["passed"] for row in rows][::3] == [True, True]
    [quoted] = raw(VCF + '"1\t5\t.\tT\tG\t.\t.\t."\n')
    assert quoted["reason"] == "the line is quoted, as spreadsheets write lines"


BASES = {
    "REF ALT\n1 5 T G": ("names", ""),
    "effect_allele other_allele\n1 5 T G": ("names", ""),
    "a1 a2\n1 5 T G": ("assumed", "A1 and A2 do not say"),
    "allele1 allele2\n1 5 T G": ("assumed", "ALLELE1 and ALLELE2"),
    "allele1 allele2 AF_allele2\n1 5 T G 1": ("dialect", "SAIGE reports effects of ALLELE2"),
    "allele0 allele1 a1freq genpos\n1 5 T G 1 5": ("dialect", "REGENIE"),
    "EA A2\n1 5 T G": ("assumed", "are no pair"),
}


@pytest.mark.parametrize("text", BASES)
def test_why_a_column_is_the_effect_allele_is_said(opened, text):
    basis, why = BASES[text]
    [taken] = columns_taken([opened(f"chr pos {text}\n")])
    assert taken.basis == basis
    assert why in taken.why
    assert why in str(taken)


def test_columns_can_be_given(raw, opened):
    table = "kontig stelle eins zwei rs\n1 5 T G rs1\n"
    roles = {"chrom": "kontig", "pos": "Stelle", "ref": "eins", "alt": "zwei"}
    [row] = raw(table, roles=roles)
    assert place(row) == ("1", 4, "T", "G")
    effect = {"chrom": "kontig", "pos": "stelle", "other": "zwei", "effect": "eins"}
    [row] = raw(table, roles=effect)
    assert (place(row), row["declares_ref"], row["effect"]) == (("1", 4, "G", "T"), False, 1)
    [row] = raw("1 5 x T G\n", roles={"chrom": "1", "pos": "2", "ref": "4", "alt": "5"})
    assert place(row) == ("1", 4, "T", "G")
    [row] = raw("chr pos ref alt\n1 5 T G\n", effect_allele="REF")
    assert row["effect"] == -1
    with pytest.raises(InputError, match=r"--columns pos=stele: .*did you mean stelle"):
        opened(table, roles={**roles, "pos": "stele"})
    with pytest.raises(InputError, match=r"--effect-allele A3: .*did you mean"):
        opened("chr pos a1 a2\n1 5 T G\n", effect_allele="A3")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["chrom"], "not of the form ROLE=COLUMN"),
        (["chrm=CHR"], "did you mean chrom"),
        (["pos=A", "pos=B"], "pos is named twice"),
        (["effect=A"], "give one of them"),
    ],
)
def test_given_columns_are_checked(columns, message):
    with pytest.raises(InputError, match=message):
        GivenColumns.parse(columns, "A1")


INTERVALS = {
    "1\t5\t5\tT\tG": ("ok", 4, "T", "G"),  # ANNOVAR: first and last base, from 1
    "1\t4\t5\tT\tG": ("ok", 4, "T", "G"),  # BED
    "1\t5\t6\tTG\t-": ("ok", 3, "TTG", "T"),
    "1\t4\t6\tTG\t-": ("ok", 3, "TTG", "T"),
    "1\t3\t3\t-\tA": ("ok", 2, "G", "GA"),  # behind the third base
    "1\t4\t9\tT\tG": ("malformed", 4, None, None),  # END is neither
    "1\t1\t1\tA\t-": ("ok", 0, "AC", "C"),  # there is no base before the first
    "1\t10\t10\tC\t-": ("ok", 8, "AC", "A"),
}


@pytest.mark.parametrize("line", INTERVALS)
def test_ends_show_how_starts_count(placed, line):
    first = "1\t2\t2\tC\tT\n"
    assert placed(f"{first}{line}\n") == [("ok", 1, "C", "T"), INTERVALS[line]]
    with_header = placed(f"chr\tstart\tend\tref\talt\n{line}\n")
    assert with_header == [INTERVALS[line]]


EMPTY = {
    "chr pos ref alt\n1 5 TG -": ("ok", 3, "TTG", "T"),
    "chr pos ref alt\n1 5 - G": ("malformed", 4, None, None),
    "chr pos a1 a2\n1 5 - TG": ("ok", 3, "TTG", "T"),
    "chr pos a1 a2\n1 5 TG -": ("ok", 3, "TTG", "T"),
    "chr pos a1 a2\n1 5 C -": ("bad_allele", 4, "-", "C"),  # the genome has T there
    "chr pos ref alt\n1 5 - -": ("malformed", 4, None, None),
    VCF + "1\t5\t.\tT\t-\t.\t.\t.": ("bad_allele", 4, "T", "-"),
}


@pytest.mark.parametrize("text", EMPTY)
def test_empty_alleles(placed, text):
    assert placed(text + "\n") == [EMPTY[text]]


NAMES = {
    "NC_000001.11:4:T:G": ("ok", 4, "T", "G"),
    "NC_000001.11:4:TG:": ("ok", 3, "TTG", "T"),
    "NC_000001.11:3::A": ("ok", 2, "G", "GA"),
    "1:5:T:G": ("ok", 4, "T", "G"),
}


@pytest.mark.parametrize("name", NAMES)
def test_spdi_counts_from_0(placed, name):
    assert placed(f"1:2:C:T\n{name}\n")[1:] == [NAMES[name]]
    assert placed(f"spdi beta\n{name} 1\n") == [NAMES[name]]


def test_places_in_identifiers_beside_alleles(raw):
    rows = raw("SNP\tA1\tA2\n1:5\tG\tT\nchr1:5:SNP\tG\tT\nrs1\tG\tT\n")
    assert [row["start"] for row in rows] == [4, 4, None]
    assert rows[2]["reason"] == "the identifier 'rs1' holds no place"


def test_hails_locus_and_alleles(raw):
    rows = raw(
        'locus\talleles\nchr1:5\t["T","G"]\n1:5\t[\'T\', \'G\']\n1:5\t["T","G","A"]\n1:5\tTG\n'
    )
    assert [place(row) for row in rows[:2]] == [("chr1", 4, "T", "G"), ("1", 4, "T", "G")]
    assert [row["input_alt"] for row in rows[2:4]] == ["G", "A"]
    assert rows[4]["reason"] == "alleles 'TG' are no list of REF and ALT"


def test_identifiers_that_say_something_else(raw):
    names = {
        "1:5:T:G": False,
        "1:5:G:T": False,  # no rule says which stands first
        "chr1_5_T_G_b38": False,
        "1:6:T:G": True,
        "2:5:T:G": True,
        "1:5:T:C": True,
        "01:5": False,
        "1:7": True,
        "rs1": None,
        "AX-11086525": None,
        "NC_000001.11:4:T:G": False,
    }
    body = "".join(f"1\t5\t{name}\tT\tG\n" for name in names)
    rows = raw("chr\tpos\tid\tref\talt\n" + body)
    assert [row["id_disagrees"] or None for row in rows] == [
        said or None for said in names.values()
    ]


def test_spellings_of_one_indel_do_not_disagree(raw):
    names = {"1:5:TGG:T": False, "1:3:GTG:G": False, "1:5:TG:T": True, "1:900:TGG:T": True}
    body = "".join(f"1\t5\t{name}\tTGG\tT\n" for name in names)
    rows = raw("chr\tpos\tid\tref\talt\n" + body + "1\t5\t1:9:A:C;1:5:T:G\tT\tG\n")
    assert [bool(row["id_disagrees"]) for row in rows] == [*names.values(), False]


def test_chromosomes_that_were_floats(placed):
    assert placed("chr\tpos\tref\talt\n1.0\t5.0\tT\tG\n") == [("ok", 4, "T", "G")]


@pytest.mark.parametrize("alt", ["['G']", "[G]", "['G', 'C']", "('G',)", "'G'", "{G}"])
def test_lists_of_other_languages_are_bad_alleles(placed, alt):
    assert {row[0] for row in placed(f"chr\tpos\tref\talt\n1\t5\tT\t{alt}\n")} == {"bad_allele"}


ALONE = {
    "SNP\tA1\tA2\n1:5:T:G\tC\tA": True,
    "SNP\tA1\tA2\n1:5:T:G\tT\tG": False,
    "SNP\tA1\tA2\n1:5:TA:T\tD\tI": False,
    "variant_id\tpos\tref\talt\n1_5_T_G\t9\tT\tG": True,
    "variant_id\tpos\tref\talt\n1_5_T_G\t5\tT\tG": False,
    "variant_id\tpos\tref\talt\n1_5_T_G\t5\tT\tC": True,
    "variant_id\tchromStart\tref\talt\n1_5_T_G\t4\tT\tG": False,
    "chr\tpos\tid\tref\talt\n1\t5\t1:g.5T>C\tT\tA": True,
    "id\n1:g.5T>C": False,
}


@pytest.mark.parametrize("text", ALONE)
def test_columns_beside_an_identifier_that_has_the_place(raw, text):
    (row,) = raw(text + "\n")
    assert row["start"] == 4
    assert bool(row["id_disagrees"]) == ALONE[text]


@pytest.mark.parametrize("sign", ["(", "é", "中", "Q", "A(", "<X>"])
def test_beside_an_empty_allele_what_is_no_base_is_a_bad_allele(placed, sign):
    (row,) = placed(f"chrom\tpos\tea\toa\nchr1\t5\t-\t{sign}\n")
    assert row[0] in ("bad_allele", "symbolic")


ENDS = {
    "chrom\tpos\tend\tref\talt\n1\t4\t5\tT\tG": "malformed",
    "chrom\tpos\tend\tref\talt\n1\t5\t5\tT\tG": None,
    "chrom\tpos\tend\tref\talt\n1\t5\t900\tT\tG": None,
    "chrom\tstart\tend\tpos\tref\talt\n1\t4\t5\t4\tT\tG": "malformed",
    "chrom\tstart\tend\tpos\tref\talt\n1\t4\t5\t5\tT\tG": None,
    "chrom\tstart\tend\tpos\tref\talt\n1\t1\t5\t4\tT\tG": None,
    "chrom\tpos\tend\tea\toa\n1\t4\t6\tT\tTG": "malformed",
    "chrom\tpos\tend\tea\toa\n1\t4\t5\tT\tTG": None,
    # BED's end under the name of a position
    "chrom\tchromStart\tpos\tref\talt\n1\t4\t6\tTG\tA": "malformed",
    "chrom\tchromStart\tpos\tref\talt\n1\t4\t5\tTG\tA": None,
    "chrom\tchromStart\tpos\tref\talt\n1\t4\t5\tT\tA": None,
    "chrom\tpos\tref\talt\tchromStart\tchromStart\n1\t4\tTG\tA\t900\t2": None,
}


@pytest.mark.parametrize("text", ENDS)
def test_an_end_that_contradicts_the_position(raw, text):
    (row,) = raw(text + "\n")
    assert row["status"] == ENDS[text]
