"""Components and percentiles in VCF, components in the file for VEP's plugin: where a run has the tables."""

import gzip

import numpy as np
import pytest

from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.export.beside_scores import scores_with_beside
from enformer_core.summaries import write_summary
from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run
from tests.support.summaries import Times
from tests.support.vcf import write_vcf

RECORDS = [
    ("chr1", 105, "A", "C,G"),
    ("chr1", 101, "A", "G"),
    ("chr1", 201, "ACGT", "A"),
    ("chr1", 301, "A", "<DEL>"),
    ("chr1", 302, "G", "C"),  # the genome has C
    ("chr1", 401, "A", "C,<DEL>,G"),
]


@pytest.fixture
def run(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 500})
    file = write_vcf(tmp_path / "v.vcf", RECORDS)
    options = {"statistics": ("sad", "log_sad"), "shard_size": 3, "allow_swapped": True}
    return scored_file_run(tmp_path / "run", [file], fasta, **options)


def with_components(run, folder):
    """Fit one component to the run, which has no more, and put it beside its scores."""
    pca = str(folder / "x.safetensors")
    place = run.store.location
    assert main(["pca", "fit", place, "--components", "1", "--out", pca]) == 0
    assert main(["pca", "apply", place, "--pca", pca]) == 0


def components(run):
    """By place and ALT in the letters of float32."""
    found = {}
    for _, rows in stored_tables(run.ledger, "pca"):
        for row in rows.to_pylist():
            value = row["pc1"]
            found[row["input_line"], row["alt_index"]] = (
                None if value is None else str(np.float32(value))
            )
    return found


def info_of(line):
    return dict(field.partition("=")[::2] for field in line.split("\t")[7].split(";"))


def test_a_vcf_has_those_of_each_alt(run, tmp_path):
    before = tmp_path / "before.vcf"
    assert main(["export", run.store.location, "--vcf", str(before)]) == 0
    assert "PC1" not in before.read_text()
    with_components(run, tmp_path)
    out = tmp_path / "out.vcf"
    assert main(["export", run.store.location, "--vcf", str(out)]) == 0
    lines = out.read_text().splitlines()
    header = [line for line in lines if line.startswith("##INFO=<ID=ER_PC1,")]
    assert "Number=A,Type=Float" in header[0]
    assert "Principal component 1 of sad by the PCA" in header[0]
    wanted = components(run)
    records = [line for line in lines if not line.startswith("#")]
    for number, (line, record) in enumerate(zip(records, RECORDS, strict=True), start=3):
        alts = record[3].split(",")
        values = [wanted[number, index + 1] for index in range(len(alts))]
        in_text = [value or "." for value in values]
        told = info_of(line).get("ER_PC1")
        assert told == (",".join(in_text) if any(values) else None)
    assert len(set(wanted.values())) > 4
    # all else is as before
    others = [line for line in lines if "ER_PC1" not in line or not line.startswith("##")]
    stripped = [line.split(";ER_PC1")[0] for line in others]
    assert stripped == before.read_text().splitlines()


def test_the_plugins_text_of_components_is_what_stands_before_sad(run, tmp_path):
    with_components(run, tmp_path)
    out = tmp_path / "vep.vcf.gz"
    assert main(["export", run.store.location, "--vep", str(out)]) == 0
    wanted = set(components(run).values()) - {None}
    lines = gzip.decompress(out.read_bytes()).decode().splitlines()
    assert any(line.startswith("##INFO=<ID=PC1,") for line in lines)
    records = [line for line in lines if not line.startswith("#")]
    texts = []
    for line in records:
        before, _, after = line.split("\t")[7].partition("SAD")
        assert before.startswith("PC1=")
        assert before.endswith(";")
        assert ";SAR=" in after
        texts.append(before.removeprefix("PC1=").removesuffix(";"))
    assert set(texts) == wanted


def test_sites_have_them_too(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 500})
    table = tmp_path / "v.tsv"
    rows = [f"chr1\t{pos}\tA\tG\n" for pos in (101, 105, 201, 401)]
    table.write_text("chrom\tpos\tref\talt\n" + "".join(rows))
    run = scored_file_run(tmp_path / "run", [table], fasta, shard_size=3)
    with_components(run, tmp_path)
    out = tmp_path / "out.vcf"
    assert main(["export", run.store.location, "--vcf", str(out)]) == 0
    records = [line for line in out.read_text().splitlines() if not line.startswith("#")]
    assert [info_of(line)["ER_PC1"] for line in records] == list(components(run).values())


def test_another_table_of_the_name_is_no_table_of_components(run, tmp_path):
    write_summary(run.ledger, "pca", {}, Times(2), columns=["max_abs_sad"], kind="doubles")
    tables = [rows for _, rows in scores_with_beside(run.ledger)]
    assert not any("pca" in name for rows in tables for name in rows.column_names)
    out = tmp_path / "out.vcf"
    assert main(["export", run.store.location, "--vcf", str(out)]) == 0
    assert "PC1" not in out.read_text()


def test_a_vcf_says_how_far_out_each_alt_is(run, tmp_path):
    null = str(tmp_path / "null.parquet")
    place = run.store.location
    assert main(["calibrate", place, "--out", null]) == 0
    assert main(["percentiles", place, "--null", null]) == 0
    with_components(run, tmp_path)
    out = tmp_path / "out.vcf"
    assert main(["export", place, "--vcf", str(out)]) == 0
    wanted = {}
    for _, rows in stored_tables(run.ledger, "percentiles"):
        for row in rows.to_pylist():
            phred, track = row["max_log_sad_phred"], row["max_log_sad_phred_track"]
            told = (".", ".") if phred is None else (str(np.float32(phred)), str(track))
            wanted[row["input_line"], row["alt_index"]] = told
    lines = out.read_text().splitlines()
    (header,) = [line for line in lines if line.startswith("##INFO=<ID=ER_PHRED_log_sad,")]
    assert "tail of log_sad over all tracks of the run, in the null distribution" in header
    records = [line for line in lines if not line.startswith("#")]
    assert any("ER_PHRED_sad=" in line for line in records)
    for number, (line, record) in enumerate(zip(records, RECORDS, strict=True), start=3):
        told = info_of(line)
        alts = range(1, record[3].count(",") + 2)
        phreds = ",".join(wanted[number, alt][0] for alt in alts)
        tracks = ",".join(wanted[number, alt][1] for alt in alts)
        has_some = any(letter != "." for letter in phreds.split(","))
        assert told.get("ER_PHRED_log_sad") == (phreds if has_some else None)
        assert told.get("ER_PHRED_TRACK_log_sad") == (tracks if has_some else None)
        assert ("ER_PC1" in told) == ("ER_PHRED_sad" in told)
    assert len({phred for phred, _ in wanted.values()}) > 3
