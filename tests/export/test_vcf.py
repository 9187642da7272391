"""A run as VCF: every record of the input as it was, and of every ALT what became of it."""

import gzip
import re
import subprocess
import sys

import pyarrow.compute as pc
import pysam
import pytest

from enformer_core.export.vcf import export_vcf, shards_of_file
from enformer_core.export.vcf_text import as_contig, as_id, in_value
from jobs.cli import main
from tests.support import engine_process
from tests.support.bcftools import read_text, to_bcf
from tests.support.bgzf import write_bgzf
from tests.support.genomes import write_fasta
from tests.support.scored_files import begun_file_run, commit, scored_file_run, stored_scores
from tests.support.sql_engines import need_engines_environment
from tests.support.vcf import write_vcf

LETTERS = "ACGT" * 500

HEADER = """##fileformat=VCFv4.2
##source=a caller
##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##contig=<ID=chr1,length=2000>
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	ann	bob
"""

RECORDS = """chr1	101	rs1	A	G	30.50	PASS	AC=1	GT	0/1	./.
chr1	105	rs2;x	A	C,<DEL>,*,G	.	q10	AC=1,2,3,4;DB	GT	1|2	3/4
chr1	201	.	AC	GT	.	.	.	GT	0/0	0/1
chr1	301	.	A	.	.	.	END=301	GT	0/0	0/0
chr1	401	.	T	A	.	.	.	GT	0/1	0/0
chr1	402	.	C	CNN	.	.	.	GT	0/1	0/0
chr1	101	again	A	G	1e-3	.	AC=1;	GT	0/1	1/1
chr1	x	.	A	G,T	.	.	.	GT	0/1	1/1
chrZ	5	.	A	G	.	.	.	GT	0/1	1/1
chr1	5000	.	A	G	.	.	.	GT	0/1	1/1
chr1	601	fails	A	T	.	.	.	GT	0/1	1/1
"""

FIRST, *_ = RECORDS.splitlines(keepends=True)


@pytest.fixture
def fasta(tmp_path):
    return write_fasta(tmp_path / "g.fa", {"chr1": LETTERS, "chr2": LETTERS})


@pytest.fixture
def made(tmp_path, fasta):
    """A run of a text of VCF; gives the run and the file."""

    def make(text, name="v.vcf", **options):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return scored_file_run(tmp_path / "run", [file], fasta, **options), file

    return make


def exported(run, path, *options):
    assert main(["export", run.store.location, "--vcf", str(path), *map(str, options)]) == 0
    return read_text(path)


def records_of(text):
    return [line.split("\t") for line in text.split("\n") if line and not line.startswith("#")]


def info_of(record):
    fields = (field.partition("=") for field in record[7].rstrip("\r").split(";"))
    return {key: value for key, _, value in fields}


def without_added(text):
    """The lines, each without what this program has added to its INFO and header."""
    kept = []
    for line in text.split("\n"):
        if 'Source="enformer-ray"' in line or line.startswith("##enformer-ray="):
            continue
        cells = line.split("\t")
        if not line.startswith("#") and len(cells) > 7:
            fields = cells[7].split(";")
            cells[7] = ";".join(f for f in fields if not f.startswith("ER_")) or "."
        kept.append("\t".join(cells))
    return "\n".join(kept)


def test_every_alt_says_what_became_of_it(made, tmp_path):
    run, _ = made(HEADER + RECORDS, failing=[600])
    text = exported(run, tmp_path / "out.vcf")
    records = records_of(text)
    told = [info_of(record) for record in records]
    assert [each.get("ER_STATUS") or each["ER_RECORD"] for each in told] == [
        "ok",
        "ok,symbolic,symbolic,ok",
        "ok",
        "no_alt",
        "ref_mismatch",
        "bad_allele",
        "ok",
        "malformed,malformed",
        "unknown_contig",
        "out_of_bounds",
        "failed",
    ]
    assert told[1]["ER_MAX_sad"] == "104.5,.,.,104.5"
    top = "-104.5|5|DNASE:K562&104.0|0|CAGE:liver%2C%20adult%3B50%25&1.0|7|CHIP:CTCF:HeLa"
    assert told[1]["ER_TOP_sad"] == f"{top},.,.,{top}"
    assert told[4]["ER_REASON"].startswith("the%20genome%20has%20A%20here%2C%20not%20T.%20It")
    assert "ER_MAX_sad" not in told[4]
    # the second of both is the one that repeats
    assert [each.get("ER_FLAGS") for each in (told[0], told[6])] == [None, "duplicate"]
    assert told[0]["ER_MAX_sad"] == told[6]["ER_MAX_sad"] == "100.5"


def test_all_but_info_is_the_input_byte_for_byte(made, tmp_path):
    run, _ = made(HEADER + RECORDS)
    text = exported(run, tmp_path / "out.vcf")
    before = (HEADER + RECORDS).replace("AC=1;\t", "AC=1\t")
    assert without_added(text) == before


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_empty_lines_stay(end, made, tmp_path):
    text = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t101\t.\tA\tG\t.\t.\tX=1\n\n"
    text += "chr1\t105\t.\tA\tG\t.\t.\t."
    run, _ = made(text.replace("\n", end))
    written = exported(run, tmp_path / "out.vcf")
    assert without_added(written).split("\n")[-2].startswith("chr1\t105")
    added = [line for line in written.split("\n") if line.startswith(("chr1", "##ER", "\r"))]
    assert all(line.endswith("\r") for line in added[:1]) is (end == "\r\n")
    assert [info_of(record)["ER_STATUS"] for record in records_of(written) if len(record) > 7] == [
        "ok",
        "ok",
    ]


def test_the_header_says_what_is_what(made, tmp_path):
    run, _ = made(HEADER + RECORDS)
    text = exported(run, tmp_path / "out.vcf.gz")
    header = [line for line in text.split("\n") if line.startswith("##")]
    assert [line for line in header if "enformer" not in line] == HEADER.split("\n")[:5]
    (provenance,) = [line for line in header if line.startswith("##enformer-ray=")]
    assert f'Run="{run.run.digest}"' in provenance
    assert 'Scale="as predicted",Bins="all"' in provenance
    assert r'Notice="only a \"test\""' in provenance
    # header lines stand before #CHROM, and htslib takes each
    (tmp_path / "sound.vcf").write_text(
        "\n".join(line for line in text.split("\n") if not line.startswith(("chr1\tx", "chrZ")))
    )
    with pysam.VariantFile(str(tmp_path / "sound.vcf")) as file:
        field = file.header.info["ER_TOP_sad"]
        assert (field.number, field.type) == ("A", "String")
        assert "value|track|name" in field.description
        first = next(iter(file))
        assert first.info["ER_MAX_sad"] == (100.5,)
        assert first.samples["ann"]["GT"] == (0, 1)


def test_what_was_swapped_has_the_sign_of_the_records_own_alt(made, tmp_path):
    run, _ = made(HEADER + "chr1\t101\t.\tG\tA\t.\t.\t.\tGT\t0/1\t1/1\n", allow_swapped=True)
    (stored,) = stored_scores(run).to_pylist()
    assert (stored["ref"], stored["alt"], stored["sad"][1]) == ("A", "G", -100.5)
    (record,) = records_of(exported(run, tmp_path / "out.vcf", "--top-tracks", 1))
    told = info_of(record)
    assert told["ER_FLAGS"] == "ref_swapped"
    assert told["ER_TOP_sad"] == "100.5|5|DNASE:K562"
    # a size is the same in both directions
    assert told["ER_TOP_d1"] == "100.5|5|DNASE:K562"


def test_tracks_can_be_chosen_and_counted(made, tmp_path):
    run, _ = made(HEADER + FIRST)
    path = tmp_path / "out.vcf"
    (record,) = records_of(exported(run, path, "--tracks", "CHIP", "--top-tracks", 9))
    assert info_of(record)["ER_MAX_sad"] == "1.0"
    assert info_of(record)["ER_TOP_sad"] == "1.0|7|CHIP:CTCF:HeLa"
    text = exported(run, path, "--top-tracks", 0)
    assert "ER_MAX_sad=100.5" in text
    assert "ER_TOP" not in text
    assert main(["export", run.store.location, "--vcf", str(path), "--top-tracks", "-1"]) == 2


def test_a_second_export_takes_the_place_of_the_first(made, tmp_path, fasta):
    run, _ = made(HEADER + RECORDS)
    first = exported(run, tmp_path / "first.vcf")
    again = scored_file_run(tmp_path / "again", [tmp_path / "first.vcf"], fasta)
    second = exported(again, tmp_path / "second.vcf", "--top-tracks", 0)
    assert second.count("##enformer-ray=") == 1
    assert second.count("##INFO=<ID=ER_STATUS,") == 1
    assert "ER_TOP" not in second
    assert without_added(second) == without_added(first)
    assert all(record[7].count("ER_STATUS") <= 1 for record in records_of(second))


DECLARED = """##INFO=<ID=ER_STATUS,Number=1,Type=String,Description="Estrogen receptor status">
#CHROM"""


@pytest.mark.parametrize("is_declared", [True, False])
def test_keys_of_the_inputs_own_stay_and_the_added_ones_are_called_otherwise(
    is_declared, made, tmp_path, capsys
):
    header = HEADER.replace("#CHROM", DECLARED) if is_declared else HEADER
    record = FIRST.replace("AC=1", "ER_STATUS=positive;AC=1;ER_MAX_sad=99")
    run, file = made(header + record)
    written = exported(run, tmp_path / "out.vcf")
    (told,) = map(info_of, records_of(written))
    assert (told["ER_STATUS"], told["ER_MAX_sad"], told["AC"]) == ("positive", "99", "1")
    assert (told["ER2_STATUS"], told["ER2_MAX_sad"]) == ("ok", "100.5")
    assert set(header.splitlines()) <= set(written.splitlines())
    assert "begin with ER2_, such as ER2_STATUS" in capsys.readouterr().err
    # what was added goes again, and nothing else
    kept = [line for line in written.splitlines() if "enformer-ray" not in line]
    assert [re.sub(r";ER2_[^;\t]*", "", line) for line in kept] == file.read_text().splitlines()


def test_a_second_export_gives_way_to_a_third_beside_the_inputs_own_keys(made, tmp_path, fasta):
    own = FIRST.replace("AC=1", "er_status=positive;ER2_x")
    run, _ = made(HEADER + own)
    first = exported(run, tmp_path / "first.vcf")
    again = scored_file_run(tmp_path / "again", [tmp_path / "first.vcf"], fasta)
    assert (
        exported(again, tmp_path / "second.vcf").replace(again.run.digest, run.run.digest) == first
    )
    assert "ER3_STATUS=ok" in first


def test_a_header_among_the_records_stays_as_it_is(made, tmp_path, capsys):
    run, _ = made(HEADER + FIRST + HEADER + FIRST)
    written = exported(run, tmp_path / "out.vcf")
    assert without_added(written) == HEADER + FIRST + HEADER + FIRST
    assert "out.vcf: 2 records" in capsys.readouterr().err


def test_the_file_must_be_the_one_that_was_scored(made, tmp_path, capsys):
    run, file = made(HEADER + RECORDS)
    out = ["export", run.store.location, "--vcf", str(tmp_path / "out.vcf")]
    moved = file.rename(tmp_path / "moved.vcf")
    assert main(out) == 2
    said = capsys.readouterr().err
    assert f"{file}: no such variant file" in said
    assert "--input FILE" in said
    assert main([*out, "--input", str(moved)]) == 0
    moved.write_text(HEADER + RECORDS.replace("rs1", "rs9"))
    assert main([*out, "--input", str(moved)]) == 2
    said = capsys.readouterr().err
    assert f"{moved}: is not the file that the run scored" in said
    assert main([*out, "--input", str(tmp_path)]) == 2


def test_of_several_files_one_is_named(tmp_path, fasta, capsys):
    files = [tmp_path / name for name in ("a.vcf", "b.vcf", "c.tsv")]
    write_vcf(files[0], [("chr1", 101, "A", "G")])
    write_vcf(files[1], [("chr1", 201, "A", "G"), ("chr1", 101, "A", "G")])
    files[2].write_text("chrom\tpos\tref\talt\nchr1\t301\tA\tG\n")
    run = scored_file_run(tmp_path / "run", files, fasta)
    out = ["export", run.store.location, "--vcf", str(tmp_path / "out.vcf")]
    assert main(out) == 2
    assert "the run read 3 files (a.vcf, b.vcf, c.tsv)" in capsys.readouterr().err
    assert main([*out, "--input", str(files[2])]) == 2
    assert main([*out, "--input", str(files[1])]) == 0
    told = [info_of(record) for record in records_of((tmp_path / "out.vcf").read_text())]
    assert [each["ER_MAX_sad"] for each in told] == ["200.5", "100.5"]


def test_only_shards_of_the_file_are_read(tmp_path, fasta):
    files = [tmp_path / "chr1.vcf", tmp_path / "chr2.vcf"]
    for file in files:
        write_vcf(file, [(file.stem, pos, "A", "G") for pos in (101, 201, 301)])
    run = scored_file_run(tmp_path / "run", files, fasta, shard_size=2)
    assert [shards_of_file(run.ledger, file.name) for file in files] == [{0, 1}, {2, 3}]
    # what belongs to the other file may even be gone
    for path in (tmp_path / "run" / "scores" / "chrom=chr1").iterdir():
        path.unlink()
    text = exported(run, tmp_path / "out.vcf", "--input", files[1])
    assert text.count("ER_STATUS=ok;") == 3


def test_lines_in_any_order_find_their_rows(tmp_path, fasta, monkeypatch):
    monkeypatch.setattr("enformer_core.export.line_buckets.LINES_PER_BUCKET", 4)
    positions = [(7 * n) % 499 * 4 + 5 for n in range(300)]
    file = write_vcf(tmp_path / "v.vcf", [("chr1", pos, "A", "C,G") for pos in positions])
    run = scored_file_run(tmp_path / "run", [file], fasta, shard_size=7)
    text = exported(run, tmp_path / "out.vcf")
    told = [info_of(record)["ER_MAX_sad"] for record in records_of(text)]
    assert told == [f"{pos - 0.5},{pos - 0.5}" for pos in positions]


def test_what_an_unfinished_run_has_not_come_to_says_so(tmp_path, fasta):
    file = write_vcf(tmp_path / "v.vcf", [("chr1", 4 * n + 1, "A", "C,G") for n in range(1, 7)])
    run = begun_file_run(tmp_path / "run", [file], fasta, shard_size=4)
    commit(run, [0, 2])
    assert main(["export", run.store.location, "--vcf", str(tmp_path / "out.vcf.gz")]) == 5
    text = read_text(tmp_path / "out.incomplete.vcf.gz")
    told = [info_of(record)["ER_STATUS"] for record in records_of(text)]
    waiting = "not_committed,not_committed"
    assert told == ["ok,ok", "ok,ok", waiting, waiting, "ok,ok", "ok,ok"]


def test_what_filters_took_out_says_so(made, tmp_path):
    # the first record is on line 7
    run, _ = made(
        HEADER + RECORDS, chosen=lambda raw: raw.filter(pc.not_equal(raw["input_line"], 7))
    )
    told = [info_of(record) for record in records_of(exported(run, tmp_path / "out.vcf"))]
    assert told[0] == {"AC": "1", "ER_RECORD": "not_chosen"}
    assert told[1]["ER_STATUS"] == "ok,symbolic,symbolic,ok"


def test_the_input_itself_is_never_written_over(made, tmp_path, capsys):
    run, file = made(HEADER + RECORDS)
    (tmp_path / "link.vcf").symlink_to(file)
    for name in (file, tmp_path / "link.vcf"):
        assert main(["export", run.store.location, "--vcf", str(name)]) == 2
        assert "v.vcf, which the run" in capsys.readouterr().err
    assert file.read_text() == HEADER + RECORDS


def test_a_packed_file_has_its_index(made, tmp_path, capsys):
    sound = [
        line for line in RECORDS.split("\n") if line.startswith("chr1") and "\tx\t" not in line
    ]
    lines = sorted(sound, key=lambda line: int(line.split("\t")[1]))
    run, _ = made(HEADER + "\n".join(lines) + "\n")
    path = tmp_path / "out.vcf.gz"
    exported(run, path)
    assert "note" not in capsys.readouterr().err
    with pysam.VariantFile(str(path)) as file:
        assert [record.pos for record in file.fetch("chr1", 200, 301)] == [201, 301]


def test_where_no_index_can_be_it_is_said_and_none_is_left(made, tmp_path, capsys):
    run, _ = made(HEADER + RECORDS)
    (tmp_path / "out.vcf.gz.tbi").write_bytes(b"of an earlier file")
    exported(run, tmp_path / "out.vcf.gz")
    assert "has no index: its records are not sorted" in capsys.readouterr().err
    assert not (tmp_path / "out.vcf.gz.tbi").exists()


def view(path):
    code = "import sys, pysam.bcftools; sys.stdout.write(pysam.bcftools.view('--no-version', sys.argv[1]))"
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_bcf_goes_in_and_out(tmp_path, fasta):
    # a contig and a filter that the header lacks, and a symbolic allele without END
    text = HEADER.replace("##contig=<ID=chr1,length=2000>\n", "") + "".join(
        f"{line}\n" for line in RECORDS.split("\n")[:4]
    )
    plain = tmp_path / "v.vcf"
    plain.write_text(text)
    run = scored_file_run(tmp_path / "run", [plain], fasta)
    exported(run, tmp_path / "out.vcf")
    assert main(["export", run.store.location, "--vcf", str(tmp_path / "out.bcf")]) == 0
    of_bcf = records_of(view(tmp_path / "out.bcf"))
    assert [record[:5] + record[8:] for record in of_bcf] == [
        record[:5] + record[8:] for record in records_of((tmp_path / "out.vcf").read_text())
    ]
    assert [info_of(record)["ER_STATUS"] for record in of_bcf[:3]] == [
        "ok",
        "ok,symbolic,symbolic,ok",
        "ok",
    ]
    (tmp_path / "declared.vcf").write_text(HEADER + FIRST)
    to_bcf(tmp_path / "declared.vcf", tmp_path / "in.bcf")
    read = scored_file_run(tmp_path / "of-bcf", [tmp_path / "in.bcf"], fasta)
    (record,) = records_of(exported(read, tmp_path / "of-bcf.vcf"))
    assert record[:6] == ["chr1", "101", "rs1", "A", "G", "30.5"]
    assert info_of(record)["ER_MAX_sad"] == "100.5"
    assert record[9:] == ["0/1", "./."]


TABLE = "chrom\tpos\tid\tA1\tA2\n"


def test_a_table_comes_as_sites_in_order(tmp_path, fasta, capsys):
    file = tmp_path / "gwas.tsv"
    file.write_text(
        TABLE
        + "chr2\t301\tlast\tG\tA\n"
        + "chr1\t201\tswapped\tA\tG\n"
        + "chr1\t101\tr;s =1,%\tG\tA\n"
        + "chr9\t101\tnowhere\tG\tA\n"
        + "chr1\t401\twrong\tT\tG\n"
    )
    run = scored_file_run(tmp_path / "run", [file], fasta)
    path = tmp_path / "out.vcf.gz"
    text = exported(run, path)
    assert "1 row has no place in the genome" in capsys.readouterr().err
    lines = text.split("\n")
    assert [line for line in lines if line.startswith("##contig")] == [
        "##contig=<ID=chr1,length=2000>",
        "##contig=<ID=chr2,length=2000>",
    ]
    records = records_of(text)
    assert [record[:5] for record in records] == [
        ["chr1", "101", "r%3Bs%20%3D1%2C%25", "A", "G"],
        ["chr1", "201", "swapped", "A", "G"],
        ["chr1", "401", "wrong", "G", "T"],
        ["chr2", "301", "last", "A", "G"],
    ]
    told = [info_of(record) for record in records]
    assert [each["ER_STATUS"] for each in told] == ["ok", "ok", "ref_mismatch", "ok"]
    assert [each.get("ER_SIGN") for each in told] == ["1", "-1", None, "1"]
    with pysam.VariantFile(str(path)) as opened:
        assert [record.id for record in opened.fetch("chr2")] == ["last"]


def test_sites_of_a_genome_that_is_gone(tmp_path, fasta, capsys):
    file = tmp_path / "v.tsv"
    file.write_text("chrom\tpos\tref\talt\nchr1\t101\tA\tG\n")
    run = scored_file_run(tmp_path / "run", [file], fasta)
    moved = fasta.rename(tmp_path / "moved.fa")
    other = write_fasta(tmp_path / "other.fa", {"chr1": LETTERS})
    path = tmp_path / "out.vcf"
    assert "##contig=<ID=chr1>" in exported(run, path)
    assert "--genome FILE names it" in capsys.readouterr().err
    assert "##contig=<ID=chr1,length=2000>" in exported(run, path, "--genome", moved)
    out = ["export", run.store.location, "--vcf", str(path), "--genome", str(other)]
    assert main(out) == 2
    assert "is not the run's genome" in capsys.readouterr().err


def test_a_vcf_without_its_line_of_columns_comes_as_sites(made, tmp_path, capsys):
    run, _ = made("##fileformat=VCFv4.2\nchr1\t101\trs1\tA\tG\t.\t.\n")
    (record,) = records_of(exported(run, tmp_path / "out.vcf"))
    assert record[:5] == ["chr1", "101", "rs1", "A", "G"]
    assert "has no line #CHROM with the columns to INFO" in capsys.readouterr().err


def test_no_text_can_be_taken_for_a_separator():
    assert in_value("a;b=c,d e\tf\n%|&é") == "a%3Bb%3Dc%2Cd%20e%09f%0A%25%7C%26%C3%A9"
    assert as_id("a;b c") == "a%3Bb%20c"
    assert (as_id(None), as_id("")) == (".", ".")
    assert as_contig("HLA*01:01") == "HLA*01:01"
    assert as_contig("*a>b,\n") == "%2Aa%3Eb%2C%0A"


def test_options_without_a_use_are_refused(made, tmp_path, capsys):
    run, _ = made(HEADER + RECORDS)
    out = ["export", run.store.location, "--tsv", str(tmp_path / "x.tsv")]
    assert main([*out, "--top-tracks", "2"]) == 2
    assert "--top-tracks 2: is for --vcf alone; give --vcf FILE with it" in capsys.readouterr().err


COHORT = "variants/dv_cohort-chr20_100k.vcf.gz"
GRCH38 = "reference/grch38.chr20_and_21_10M.fa.gz"
THOUSAND = "variants/vg_1kgp3_chr20_1mb.vcf.gz"
THOUSAND_FASTA = "variants/vg_1mb1kgp_z.fa"


@pytest.mark.parametrize(
    ("name", "genome", "records"),
    [
        (COHORT, GRCH38, 1_354),
        pytest.param(THOUSAND, THOUSAND_FASTA, 28_998, marks=pytest.mark.full),
    ],
)
def test_public_files_come_back_byte_for_byte(name, genome, records, data_dir, tmp_path):
    run = scored_file_run(tmp_path / "run", [data_dir / name], data_dir / genome, shard_size=500)
    path = tmp_path / "out.vcf.gz"
    assert export_vcf(run.ledger, path) == records
    before = gzip.decompress((data_dir / name).read_bytes()).decode()
    after = gzip.decompress(path.read_bytes()).decode()
    assert without_added(after) == before
    # each stored row, by line and ALT, is in its record
    told = {}
    for number, line in enumerate(before.split("\n"), start=1):
        if line and not line.startswith("#"):
            told[number] = len(line.split("\t")[4].split(","))
    infos = dict(zip(told, map(info_of, records_of(after)), strict=True))
    for row in stored_scores(run).to_pylist():
        info = infos[row["input_line"]]
        at = row["alt_index"] - 1
        assert info["ER_STATUS"].split(",")[at] == row["status"]
        if row["status"] == "ok":
            assert float(info["ER_MAX_sad"].split(",")[at]) == row["max_abs_sad"]
    # the yardsticks read all of it, by the index too
    assert len(records_of(view(path))) == records
    with pysam.VariantFile(str(path)) as file:
        assert sum(1 for _ in file.fetch()) == records
    read_by_cyvcf2(path, records, told)


CYVCF2 = """
from cyvcf2 import VCF
for record in VCF({!r}):
    print(len(record.ALT), record.INFO.get("ER_STATUS"))
"""


def read_by_cyvcf2(path, records, told):
    """Another library, in an environment of its own, sees as many records, and a status for each ALT."""
    need_engines_environment()
    lines = engine_process.run(CYVCF2.format(str(path))).splitlines()
    assert len(lines) == records
    statuses = [line.partition(" ")[2].split(",") for line in lines]
    # a record without ALT has one all the same
    assert list(map(len, statuses)) == [max(alts, 1) for alts in told.values()]


def test_standard_output_has_plain_text(tmp_path, fasta, capfdbinary):
    file = write_bgzf(tmp_path / "v.vcf.gz", (HEADER + RECORDS).encode())
    run = scored_file_run(tmp_path / "run", [file], fasta)
    assert main(["export", run.store.location, "--vcf", "-"]) == 0
    out = capfdbinary.readouterr().out.decode()
    assert without_added(out) == (HEADER + RECORDS).replace("AC=1;\t", "AC=1\t")


def test_without_a_place_for_scratch_files_it_is_said(made, tmp_path, capsys, monkeypatch):
    run, _ = made(HEADER + RECORDS)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert main(["export", run.store.location, "--vcf", str(tmp_path / "out.vcf")]) == 2
    assert "name another place by TMPDIR" in capsys.readouterr().err
    assert not (tmp_path / "out.vcf").exists()


def test_runs_of_the_command_itself(tmp_path, fasta, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_vcf(tmp_path / "v.vcf", [("chr1", 101, "A", "C,G"), ("chr1", 105, "A", "<DEL>")])
    few = ["--genome", "g.fa", "--model", "motif", "--ray", "off", "--strands", "forward"]
    few += ["--audit-fraction", "0"]
    assert main(["score", "v.vcf", *few, "--out", "run"]) == 0
    assert main(["export", "run", "--vcf", "out.vcf"]) == 0
    told = [info_of(record) for record in records_of((tmp_path / "out.vcf").read_text())]
    assert [each["ER_STATUS"] for each in told] == ["ok,ok", "symbolic"]
    assert main(["score", "--mutagenesis", "chr1:101-102", *few, "--out", "changes"]) == 0
    assert main(["export", "changes", "--vcf", "changes.vcf.gz"]) == 0
    records = records_of(read_text(tmp_path / "changes.vcf.gz"))
    assert [record[:2] for record in records] == [["chr1", "101"]] * 3 + [["chr1", "102"]] * 3
    assert main(["export", "changes", "--vcf", "x.vcf", "--input", "v.vcf"]) == 2
    assert "the run scored changes that a rule made" in capsys.readouterr().err
