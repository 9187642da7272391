"""The loop over loci of docs/biobank.md runs as it stands, over a made-up study."""

import gzip
import shutil

import pytest

from tests.support.page_blocks import ROOT, blocks_of

BLOCKS = [
    block
    for block in blocks_of(ROOT / "docs" / "biobank.md")
    if block.is_run and block.language == "sh"
]


@pytest.mark.full
def test_loci_are_found_fitted_merged_and_joined(shell):
    run, folder = shell
    run("enformer-ray demo --gwas study")
    run(
        "enformer-ray score study/gwas.tsv --effect-allele A1 --genome study/chr22.fa.gz --model motif_core"
        " --genes study/genes.bed --max-offset-bp 8192 --ray off --out scores"
    )
    (folder / "panel").mkdir()
    for ending in ("bed", "bim", "fam"):
        shutil.copy(folder / "study" / f"panel.{ending}", folder / "panel" / f"chr22.{ending}")
    (folder / "gwas.tsv.gz").write_bytes(gzip.compress((folder / "study/gwas.tsv").read_bytes()))
    for block in BLOCKS:
        run(block.text)
    (region,) = (folder / "loci.bed").read_text().splitlines()
    chrom, start, end = region.split("\t")
    assert chrom == "22"
    assert int(start) < 19_710_933 - 400_000
    assert int(end) > 19_710_933 + 400_000
    assert not (folder / "loci" / "failed.txt").exists()
    rows = [line.split("\t") for line in (folder / "short_list.tsv").read_text().splitlines()]
    assert rows[1][1] == "snv45"
    found = dict(zip(rows[0], rows[1], strict=True))
    assert found["gene_name"] == "GP1BB"
    assert float(found["pip_prior"]) > float(found["pip_uniform"])
    assert found["locus"].startswith("loci/chr22-")


@pytest.mark.full
def test_loci_that_lie_apart_stay_apart_and_near_ones_are_one(shell):
    run, folder = shell
    rows = ["CHR\tBP\tSNP\tA1\tA2\tFRQ\tBETA\tSE\tP\tN"]
    for chrom, pos, p in [
        (1, 300_000, "1e-9"),
        (1, 1_200_000, "1e-400"),
        (1, 1_300_000, "1e-3"),
        (1, 5_000_000, "4e-8"),
        (2, 5_000_001, "3e-8"),
    ]:
        rows.append(f"{chrom}\t{pos}\trs\tA\tC\t0.5\t1\t1\t{p}\t9")
    (folder / "gwas.tsv.gz").write_bytes(gzip.compress("\n".join([*rows, ""]).encode()))
    run(BLOCKS[0].text)
    assert (folder / "loci.bed").read_text() == (
        "1\t0\t1700000\n1\t4500000\t5500000\n2\t4500001\t5500001\n"
    )
