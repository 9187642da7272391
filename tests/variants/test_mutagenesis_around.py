"""Regions around the records of a file: REF and its flanks, cut at contigs' ends."""

from enformer_core.genome.fasta import Genome
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.mutagenesis_around import surroundings
from enformer_core.variants.source import open_source
from tests.support.genomes import write_fasta
from tests.support.vcf import HEADER

LETTERS = "ACGTACGTTTGCAGCATTAC"

RECORDS = [
    "c\t2\trs1\tC\tA,G",  # near the beginning, two ALTs
    "c\t9\t.\tTTG\tT",
    "c\t19\tend\tA\tC",
    "c\t5\twrong\tG\tT",  # the genome has A
    "c\tx\tunreadable\tA\tT",
    "c\t10\tmixed\tT\t<DEL>,C",  # the second fits
]


def found(tmp_path, flank_bp, rows=None):
    genome = Genome(write_fasta(tmp_path / "g.fa", {"c": LETTERS}))
    path = tmp_path / "v.vcf"
    path.write_text(HEADER + "\n".join(f"{record}\t.\t.\t." for record in RECORDS) + "\n")
    raw = open_source(path).batches(rows=rows)
    placed = (harmonise_alleles(batch, genome, max_allele_bp=9) for batch in raw)
    return surroundings(placed, genome.contigs, flank_bp=flank_bp)


def test_each_record_has_its_ref_and_flanks(tmp_path):
    around = found(tmp_path, 3)
    regions = around.regions
    # the deletion of TG lies at 7, TTG, in normal form: nothing is shifted
    assert regions.start.tolist() == [0, 5, 15, 6]
    assert regions.end.tolist() == [5, 14, 20, 13]
    assert regions.name.to_pylist() == ["rs1", "c:9:TTG:T", "end", "mixed"]
    assert around.left_out == 2


def test_batches_do_not_matter(tmp_path):
    whole = found(tmp_path, 1)
    for rows in (1, 2, 4):
        pieces = found(tmp_path, 1, rows)
        assert pieces.regions.digest() == whole.regions.digest()
        assert pieces.left_out == 2


def test_a_flank_of_nothing_is_ref_alone(tmp_path):
    regions = found(tmp_path, 0).regions
    assert (regions.end - regions.start).tolist() == [1, 3, 1, 1]
