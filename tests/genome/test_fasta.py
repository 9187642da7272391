import gzip
import hashlib
import pickle
import shutil

import numpy as np
import pytest
from Bio import bgzf

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import decode
from enformer_core.genome.fasta import Genome

CHR1 = "ACGTNacgtnRYACGTTTGACA"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(f">chr1 first\n{CHR1[:10]}\n{CHR1[10:20]}\n{CHR1[20:]}\n>chr2\nGGGG\n")
    return path


def test_contigs_keep_the_files_order_and_lengths(fasta):
    assert dict(Genome(fasta).contigs) == {"chr1": len(CHR1), "chr2": 4}


def test_any_interval_is_there_padded_with_n(fasta):
    genome = Genome(fasta)
    assert decode(genome.fetch("chr1", 0, 12)) == "ACGTNACGTNNN"
    assert decode(genome.fetch("chr2", -2, 3)) == "NNGGG"
    assert decode(genome.fetch("chr2", 2, 7)) == "GGNNN"
    assert decode(genome.fetch("chr2", -9, -5)) == "NNNN"
    assert decode(genome.fetch("chr2", 50, 53)) == "NNN"
    assert decode(genome.fetch("chr2", -1, 6)) == "NGGGGNN"


def test_the_digest_is_of_upper_case_letters(fasta):
    assert Genome(fasta).sha256("chr1") == hashlib.sha256(b"ACGTNACGTNNNACGTTTGACA").hexdigest()


def test_a_genome_can_be_sent_to_another_process(fasta):
    genome = Genome(fasta)
    genome.fetch("chr2", 0, 4)
    sent = pickle.loads(pickle.dumps(genome))
    assert np.array_equal(sent.fetch("chr1", 0, 22), genome.fetch("chr1", 0, 22))
    assert len(pickle.dumps(genome)) < 1000


def test_no_index_is_written_beside_the_file(fasta):
    Genome(fasta).fetch("chr1", 0, 4)
    assert [path.name for path in fasta.parent.iterdir() if path.is_file()] == ["genome.fa"]


def test_bgzip_reads_as_plain(fasta, tmp_path):
    packed = tmp_path / "packed.fa.gz"
    with bgzf.open(str(packed), "wb") as out:
        out.write(fasta.read_bytes())
    assert np.array_equal(Genome(packed).codes("chr1"), Genome(fasta).codes("chr1"))


def test_plain_gzip_is_refused_with_the_remedy(fasta, tmp_path):
    packed = tmp_path / "genome.fa.gz"
    with fasta.open("rb") as source, gzip.open(packed, "wb") as out:
        shutil.copyfileobj(source, out)
    with pytest.raises(InputError, match=r"gunzip genome\.fa\.gz.*bgzip genome\.fa"):
        dict(Genome(packed).contigs)


@pytest.mark.parametrize("content", ["", "chrom\tpos\n1\t2\n", "just text\n"])
def test_what_is_not_fasta_is_refused(tmp_path, content):
    path = tmp_path / "x.fa"
    path.write_text(content)
    with pytest.raises(InputError, match=r"x\.fa"):
        dict(Genome(path).contigs)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.fa: no such FASTA"):
        Genome(tmp_path / "nowhere.fa")


def test_an_illegal_letter_names_contig_and_position(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">chr9\nACGXT\n")
    with pytest.raises(InputError, match=r"chr9: 'X' at position 4"):
        Genome(path).codes("chr9")


def test_windows_style_line_ends(tmp_path):
    path = tmp_path / "x.fa"
    path.write_bytes(b">chr1\r\nACGT\r\nAC\r\n")
    assert decode(Genome(path).codes("chr1")) == "ACGTAC"
