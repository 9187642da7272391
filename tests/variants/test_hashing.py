"""Who is drawn depends on allele and seed alone, from one release to the next."""

import pyarrow as pa

from enformer_core.variants.hashing import allele_hashes

ALLELES = pa.table(
    {
        "chrom": pa.array(["chr1", "chr2", None, "chr1"], pa.string()),
        "start": pa.array([0, 99, None, 7], pa.int64()),
        "ref": pa.array(["A", "ACG", None, ""], pa.string()),
        "alt": pa.array(["C", "A", None, None], pa.string()),
        "status": ["ok"] * 4,
    }
)

HASHES = [9697497289524864547, 15751330237203705096, 0, 7819024190357212419]


def test_a_run_that_goes_on_under_a_later_release_draws_the_same_alleles():
    assert allele_hashes(ALLELES, "seed").tolist() == HASHES


def test_a_hash_is_of_its_row_alone_wherever_it_stands():
    assert allele_hashes(ALLELES.slice(1, 2), "seed").tolist() == HASHES[1:3]
    twice = pa.concat_tables([ALLELES, ALLELES.slice(2)])
    assert allele_hashes(twice, "seed").tolist() == HASHES + HASHES[2:]
    assert not set(allele_hashes(ALLELES.slice(0, 2), "other").tolist()) & set(HASHES)
