"""Filters take out whole records and count them; a sample hangs on the records alone."""

import random

import pyarrow as pa
import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants.filters import Filters, filtered, regions_of, with_sample
from enformer_core.variants.source import open_source
from tests.support.vcf import HEADER

CONTIGS = {"chr1": 1000, "chr2": 1000}
RECORDS = [
    "1\t10\ta\tA\tC\t.\tPASS\tAF=0.4",
    "1\t20\tb\tACGT\tA\t.\tq10\tAF=0.01",
    "1\t30\tc\tA\tC,G\t.\t.\tAF=0.001,0.97",
    "2\t10\td\tA\tACCCCC\t.\tPASS\tAF=0.2",
    "2\tx\te\tA\tC\t.\tq10\tAF=0.2",
    "7\t10\tf\tA\tC\t.\tPASS\t.",
]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "x.vcf"
    path.write_text(HEADER + "\n".join(RECORDS))
    return open_source(path)


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "g.fa").write_text(
        "".join(f">{name}\n{'A' * length}\n" for name, length in CONTIGS.items())
    )
    return Genome(tmp_path / "g.fa")


def names(batches):
    return "".join(dict.fromkeys(name for table in batches for name in table["id"].to_pylist()))


def test_nothing_asked_for_takes_nothing_out(source):
    kept = filtered([source], Filters(), CONTIGS)
    assert names(kept.batches) == "abcdef"
    assert not kept.removed


WANTED = {  # e cannot be read: it stays whatever is asked for
    "pass": ({"only_pass": True}, "acdef"),
    "common": ({"min_maf": 0.02}, "acde"),
    "rare": ({"max_maf": 0.02}, "bce"),
    "between": ({"min_maf": 0.005, "max_maf": 0.03}, "bce"),
    "indels": ({"max_indel_bp": 3}, "abcef"),
    "no indels": ({"max_indel_bp": 0}, "acef"),
}


@pytest.mark.parametrize("kind", WANTED)
def test_what_is_wanted(source, kind):
    how, expected = WANTED[kind]
    kept = filtered([source], Filters(**how), CONTIGS)
    tables = list(kept.batches)
    assert names(tables) == expected
    assert sum(kept.removed.values()) == len(RECORDS) - len(expected)
    rows = sum(table.num_rows for table in tables)
    assert rows == len(expected) + ("c" in expected)  # a record stays whole


def test_what_is_no_sequence_has_no_length(tmp_path):
    alts = ["<DEL>", "<INS:ME:ALU>", "A[1:5[", "*", ".", "N", "AC", "ac", "-"]
    path = tmp_path / "x.vcf"
    path.write_text(
        HEADER + "".join(f"1\t{pos}\t.\tA\t{alt}\t.\t.\t.\n" for pos, alt in enumerate(alts, 1))
    )
    for limit, expected in ((0, [alt for alt in alts if alt.upper() != "AC"]), (1, alts)):
        kept = filtered([open_source(path)], Filters(max_indel_bp=limit), CONTIGS)
        assert [alt for table in kept.batches for alt in table["input_alt"].to_pylist()] == expected
        assert kept.removed["indel_length"] == len(alts) - len(expected)


REGIONS = {
    ("1:10-10",): "ae",
    ("chr1:11-20",): "be",
    ("chr1:21-23",): "be",  # the deletion's REF reaches into it
    ("chr1:24-29",): "e",
    ("2:1-9", "chr1:30-30", "2:9-10", "1:1-12"): "acde",
    ("chr2",): "de",
}


@pytest.mark.parametrize("asked", REGIONS)
def test_regions(source, genome, asked):
    kept = filtered([source], Filters(regions=regions_of(asked, genome)), CONTIGS)
    assert names(kept.batches) == REGIONS[asked]
    assert kept.removed == {"regions": len(RECORDS) - len(REGIONS[asked])}


def test_a_bed_file(source, genome, tmp_path):
    (tmp_path / "r.bed").write_text("1\t9\t10\nchr2\t0\t500\n")
    kept = filtered(
        [source], Filters(regions=regions_of([str(tmp_path / "r.bed")], genome)), CONTIGS
    )
    assert names(kept.batches) == "ade"


def test_the_first_filter_that_applies_is_counted(source):
    kept = filtered([source], Filters(only_pass=True, min_maf=0.1, max_indel_bp=2), CONTIGS)
    assert names(kept.batches) == "ae"
    assert kept.removed == {"pass": 1, "maf": 2, "indel_length": 1}


def large(tmp_path, order):
    path = tmp_path / "large.vcf"
    path.write_text(HEADER + "".join(f"1\t{pos}\tr{pos}\tA\tC,G\t.\tPASS\t.\n" for pos in order))
    return open_source(path)


def test_a_sample_is_of_the_size_asked_for_whatever_the_order(tmp_path):
    order = list(range(1, 900))
    chosen = []
    for shuffled in (False, True):
        if shuffled:
            random.Random(0).shuffle(order)
        source = large(tmp_path, order)
        filters = with_sample(Filters(), source.batches(rows=50), CONTIGS, size=100)
        tables = list(filtered([source], filters, CONTIGS).batches)
        ids = [name for table in tables for name in table["id"].to_pylist()]
        assert len(ids) == 2 * len(set(ids)) == 200
        chosen.append(set(ids))
    assert chosen[0] == chosen[1]
    other = with_sample(Filters(seed=1), source.batches(), CONTIGS, size=100)
    ids = set(pa.concat_tables(filtered([source], other, CONTIGS).batches)["id"].to_pylist())
    assert ids != chosen[0]
    assert len(ids) == 100


def test_a_sample_is_of_what_the_other_filters_leave(tmp_path, genome):
    source = large(tmp_path, range(1, 900))
    filters = Filters(regions=regions_of(["1:1-50"], genome))
    sampled = with_sample(filters, source.batches(), CONTIGS, size=20)
    kept = filtered([source], sampled, CONTIGS)
    assert sum(table.num_rows for table in kept.batches) == 40
    assert kept.removed == {"regions": 849, "sample": 30}
    everything = with_sample(filters, source.batches(), CONTIGS, size=60)
    assert sum(table.num_rows for table in filtered([source], everything, CONTIGS).batches) == 100


def test_what_cannot_be_asked_for(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("chrom\tpos\tref\talt\n1\t5\tA\tC\n")
    source = open_source(path)
    with pytest.raises(InputError, match=r"x\.tsv: tab-separated text, has no allele frequencies"):
        filtered([source], Filters(min_maf=0.1), CONTIGS)
    with pytest.raises(InputError, match=r"x\.tsv: tab-separated text, has no FILTER"):
        filtered([source], Filters(only_pass=True), CONTIGS)
    for how in ({"min_maf": 0.6}, {"min_maf": 0.2, "max_maf": 0.1}, {"max_indel_bp": -1}):
        with pytest.raises(InputError):
            Filters(**how)
    with pytest.raises(InputError, match="1 record or more"):
        with_sample(Filters(), [], CONTIGS, size=0)
