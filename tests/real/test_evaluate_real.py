"""A made-up saturation mutagenesis of a real site of GATA1 on chromosome 20, scored and evaluated."""

import json

import pytest

from enformer_core.genome.alphabet import decode
from jobs.cli import main
from tests.support.mpra import mutagenesis, sites, write_mutagenesis

SEARCHED = (4_699_000, 4_719_000)
ALONE_BP = 300


@pytest.fixture(scope="module")
def locus(chr20):
    """Letters of 20 kb, and where in them the first site is that is alone within some bp."""
    start, end = SEARCHED
    letters = decode(chr20.fetch("chr20", start, end))
    for base in range(ALONE_BP, len(letters) - ALONE_BP):
        around = letters[base - ALONE_BP : base + ALONE_BP]
        if sites(letters[base : base + 6]) == sites(around) == 1:
            return letters, base
    raise AssertionError("no site stands alone")


def test_a_real_site_is_found_by_its_effects(locus, tmp_path, data_dir, capsys):
    letters, site = locus
    rows = [
        (chrom, start + SEARCHED[0], *rest)
        for chrom, start, *rest in mutagenesis(letters, site - 1, site + 7, chrom="20")
    ]
    table = write_mutagenesis(tmp_path / "chr20.tsv", rows)
    genome = data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz"
    run = tmp_path / "run"
    # the bins around the site alone: a deletion moves all other sites behind it
    command = (
        f"score {table} --genome {genome} --model motif_core --tracks 1 --strands forward"
        f" --centre-mask-bp 384 --audit-fraction 0 --ray off --out {run}"
    )
    assert main(command.split()) == 0
    capsys.readouterr()
    assert main(["evaluate", "variants", str(table), "--run", str(run), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["joined_by"] == "lines"
    assert answer["used"] == len(rows) == 32
    assert answer["mean"]["pearson"] > 0.95
    assert answer["elements"][0]["spearman_low"] > 0.5
