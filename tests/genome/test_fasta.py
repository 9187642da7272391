"""Base codes are those of the FASTA file, wherever its lines and pieces end; their cache is made once."""

import gzip
import hashlib
import os
import pickle
import threading
import time

import numpy as np
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.genome import fasta
from enformer_core.genome.alphabet import decode, encode
from enformer_core.genome.fasta import Genome
from tests.support.bgzf import write_bgzf

FASTA = b">chr1 the first\nACGTN\nacgtn\nRY\n>empty\n>chr2\nAAC\n\n"

CHR1 = "ACGTNacgtnRYACGTTTGACA"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ENFORMER_RAY_CACHE", str(tmp_path / "cache"))


def write_fasta(tmp_path, content=FASTA, name="g.fa"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.fixture
def two_contigs(tmp_path):
    lines = [">chr1 first", CHR1[:10], CHR1[10:20], CHR1[20:], ">chr2", "GGGG", ""]
    return write_fasta(tmp_path, "\n".join(lines).encode(), "genome.fa")


def cached(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache/base-codes").iterdir())


# what is read


@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 1 << 24])
@pytest.mark.parametrize(
    "written", [lambda text: text, lambda text: text.replace(b"\n", b"\r\n"), gzip.compress]
)
def test_hand_made_file_in_pieces_of_any_size(tmp_path, monkeypatch, piece_bytes, written):
    monkeypatch.setattr(fasta, "_PIECE_BYTES", piece_bytes)
    genome = Genome(write_fasta(tmp_path, written(FASTA)))
    assert dict(genome.contigs) == {"chr1": 12, "empty": 0, "chr2": 3}
    assert genome.codes("chr1").tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4, 4]
    assert genome.codes("empty").size == 0
    assert genome.fetch("chr2", -1, 4).tolist() == [4, 0, 0, 1, 4]


contigs = st.lists(st.text("ACGTNacgtnRYK", min_size=1, max_size=40), min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contigs, st.integers(1, 50), st.booleans())
def test_the_same_as_what_was_written_and_as_htslib_reads(
    tmp_path_factory, sequences, width, packed
):
    lines = []
    for number, sequence in enumerate(sequences):
        lines += [
            f">c{number}",
            *(sequence[at : at + width] for at in range(0, len(sequence), width)),
        ]
    text = "\n".join(lines) + "\n"
    path = tmp_path_factory.mktemp("fasta") / "g.fa"
    write_bgzf(path, text.encode()) if packed else path.write_text(text)
    genome = Genome(path)
    by_htslib = pysam.FastaFile(str(path))
    assert dict(genome.contigs) == dict(zip(by_htslib.references, by_htslib.lengths, strict=True))
    for contig, sequence in zip(genome.contigs, sequences, strict=True):
        assert by_htslib.fetch(contig) == sequence
        assert np.array_equal(genome.codes(contig), encode(sequence))
        letters = decode(encode(sequence)).encode()
        assert genome.sha256(contig) == hashlib.sha256(letters).hexdigest()
    by_htslib.close()


@pytest.mark.parametrize("name", ["g.fa", "g.fa.gz", "g.fasta.bgz", "g"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, "bgzip"])
def test_what_a_file_is_packed_by_is_told_by_its_bytes(tmp_path, name, pack):
    path = tmp_path / name
    if pack == "bgzip":
        write_bgzf(path, FASTA)
    else:
        path.write_bytes(pack(FASTA))
    assert dict(Genome(path).contigs) == {"chr1": 12, "empty": 0, "chr2": 3}


@pytest.mark.parametrize(
    "text",
    [
        b">a\nACGT\n\nACGTAC\nG\n>b\nAC\n",
        b">a\nACGT\r\nACG\nTACG\n>b\nAC",
        b"\n\n>a > \xe9\nACGTACGTACG\n\n>b\tx\n\nAC",
    ],
)
def test_lines_of_any_length_and_end(tmp_path, text):
    genome = Genome(write_fasta(tmp_path, text))
    assert {name: decode(genome.codes(name)) for name in genome.contigs} == {
        "a": "ACGTACGTACG",
        "b": "AC",
    }


def test_contigs_keep_the_files_order_and_lengths(two_contigs):
    assert list(Genome(two_contigs).contigs.items()) == [("chr1", len(CHR1)), ("chr2", 4)]


def test_any_interval_is_there_padded_with_n(two_contigs):
    genome = Genome(two_contigs)
    assert decode(genome.fetch("chr1", 0, 12)) == "ACGTNACGTNNN"
    assert decode(genome.fetch("chr2", -2, 3)) == "NNGGG"
    assert decode(genome.fetch("chr2", 2, 7)) == "GGNNN"
    assert decode(genome.fetch("chr2", -9, -5)) == "NNNN"
    assert decode(genome.fetch("chr2", 50, 53)) == "NNN"
    assert decode(genome.fetch("chr2", -1, 6)) == "NGGGGNN"


def test_the_digest_is_of_upper_case_letters(two_contigs):
    digest = hashlib.sha256(b"ACGTNACGTNNNACGTTTGACA").hexdigest()
    assert Genome(two_contigs).sha256("chr1") == digest


# what is refused


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.fa: no such FASTA"):
        Genome(tmp_path / "nowhere.fa")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no sequence"),
        (b"\n\n", "no sequence"),
        (b"chrom\tpos\n1\t2\n", "begins with b'chrom"),
        (b"just text\n", "begins with b'just text"),
        (b"ACGT\n", "begins with b'ACGT"),
        (b">a\nAC\n>a\nGT\n", "two contigs are named 'a'"),
        (b">a\nAC>b\nGT\n", "'>' stands inside a line"),
        (b">\nACGT\n", "no name"),
        (gzip.compress(b">a\n" + b"ACGT" * 99, mtime=0)[:-20], "not a readable FASTA"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 3, 1 << 24])
def test_what_is_no_fasta_is_refused_and_nothing_is_left(
    tmp_path, monkeypatch, content, message, piece_bytes
):
    begins = "begins with" in message
    monkeypatch.setattr(fasta, "_PIECE_BYTES", 1 << 24 if begins else piece_bytes)
    with pytest.raises(InputError, match=rf"g\.fa: .*{message}"):
        _ = Genome(write_fasta(tmp_path, content)).contigs
    assert cached(tmp_path) == []


@pytest.mark.parametrize(
    "cut", [lambda packed: packed[:-100], lambda packed: packed[:700] + packed[701:]]
)
def test_a_damaged_bgzip_is_refused(tmp_path, cut):
    packed = write_bgzf(tmp_path / "g.fa.gz", b">a\n" + b"ACGTACGGTA\n" * 30_000)
    packed.write_bytes(cut(packed.read_bytes()))
    with pytest.raises(InputError, match=r"g\.fa\.gz: not a readable FASTA file"):
        _ = Genome(packed).contigs


def test_a_bad_letter_is_told_when_its_contig_is_asked_for(tmp_path):
    genome = Genome(write_fasta(tmp_path, b">a\nACGT\nAC1T\n>b\nACGT\n"))
    assert genome.codes("b").tolist() == [0, 1, 2, 3]
    for ask in (genome.codes, genome.sha256):
        with pytest.raises(InputError, match="contig a: '1' at position 7 is not a nucleotide"):
            ask("a")
    with pytest.raises(InputError, match="no contig 'c'"):
        genome.codes("c")


# the cache


def test_nothing_is_written_beside_the_file(two_contigs):
    Genome(two_contigs).fetch("chr1", 0, 4)
    assert [path.name for path in two_contigs.parent.iterdir() if path.is_file()] == ["genome.fa"]


def test_a_genome_can_be_sent_to_another_process(two_contigs):
    genome = Genome(two_contigs)
    genome.fetch("chr2", 0, 4)
    sent = pickle.loads(pickle.dumps(genome))
    assert np.array_equal(sent.fetch("chr1", 0, 22), genome.fetch("chr1", 0, 22))
    assert len(pickle.dumps(genome)) < 1000


def test_made_once_and_anew_when_the_file_changes(tmp_path):
    path = write_fasta(tmp_path)
    first = Genome(path)
    before = first.codes_path.stat().st_mtime_ns, cached(tmp_path)
    again = pickle.loads(pickle.dumps(first))
    assert again.codes("chr2").tolist() == [0, 0, 1]
    assert (again.codes_path.stat().st_mtime_ns, cached(tmp_path)) == before
    path.write_bytes(FASTA.replace(b"AAC", b"AACT"))
    assert Genome(path).codes("chr2").tolist() == [0, 0, 1, 3]
    assert len(cached(tmp_path)) == 4
    # another run may have the earlier one open; of those that nobody has opened for days nothing is left
    assert first.codes("chr2").tolist() == [0, 0, 1]
    days_ago = time.time() - 4 * 24 * 3600
    for index in first.codes_path.parent.glob("*.json"):
        os.utime(index, (days_ago, days_ago))
    path.write_bytes(FASTA.replace(b"AAC", b"AACG"))
    assert Genome(path).codes("chr2").tolist() == [0, 0, 1, 2]
    assert len(cached(tmp_path)) == 2
    assert first.codes("chr2").tolist() == [0, 0, 1], "what is open stays readable"


@pytest.mark.parametrize("in_place", [True, False])
def test_a_genome_exchanged_under_its_name_size_and_date_is_noticed(tmp_path, in_place):
    path = write_fasta(tmp_path)
    before = path.stat()
    assert Genome(path).codes("chr2").tolist() == [0, 0, 1]
    other = FASTA.replace(b"AAC", b"AAG")
    if in_place:
        path.write_bytes(other)
    else:
        (tmp_path / "new.fa").write_bytes(other)
        (tmp_path / "new.fa").replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as cp -p, rsync -t and tar do
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert Genome(path).codes("chr2").tolist() == [0, 0, 2]


MISTAKEN = {
    b"##fileformat=VCFv4.2\n#CHROM\tPOS\n": "variants \\(VCF\\)",
    b"<!DOCTYPE html>\n<html>": "an HTML page",
    b"chr1\t100\t6\t60\t61\n": "an index \\(.fai\\)",
    b'{"a": 1}': "JSON",
    b"%PDF-1.4\n": "a PDF",
    b"C'A\x1a\0\0": "twoBitToFa",
}


@pytest.mark.parametrize("content", MISTAKEN)
def test_what_was_given_in_place_of_a_genome_is_said(tmp_path, content):
    path = tmp_path / "g.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"g\.fa: not a readable FASTA.*{MISTAKEN[content]}"):
        _ = Genome(path).contigs


def test_a_cache_in_use_needs_no_writing(tmp_path):
    path = write_fasta(tmp_path)
    codes = Genome(path).codes_path
    folders = [codes.parent, codes.parent.parent]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert Genome(path).codes("chr2").tolist() == [0, 0, 1]
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(tmp_path):
    (tmp_path / "cache").write_text("a file where the directory should be")
    with pytest.raises(
        InputError,
        match=r"base codes of g\.fa cannot be written.*Make it writable, or name another.*ENFORMER_RAY_CACHE",
    ):
        _ = Genome(write_fasta(tmp_path)).contigs


def test_of_many_that_need_it_one_makes_the_cache(tmp_path, monkeypatch):
    path = write_fasta(tmp_path)
    made = []
    convert = fasta._convert

    def slowly(*arguments):
        made.append(threading.get_ident())
        return convert(*arguments)

    monkeypatch.setattr(fasta, "_convert", slowly)
    start = threading.Barrier(8)
    read = []

    def open_genome():
        start.wait()
        read.append(Genome(path).codes("chr2").tolist())

    threads = [threading.Thread(target=open_genome) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [[0, 0, 1]] * 8
    assert len(made) == 1


def test_codes_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="read-only"):
        Genome(write_fasta(tmp_path)).codes("chr1")[0] = 1


def test_a_cache_that_was_cut_short_is_named(tmp_path):
    path = write_fasta(tmp_path)
    codes = Genome(path).codes_path
    codes.write_bytes(codes.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"has 14 bytes, expected 15\. Remove it"):
        Genome(path).codes("chr1")


def test_a_copy_is_called_by_its_address(tmp_path):
    address = "s3://bucket/g.fa"
    genome = Genome(write_fasta(tmp_path, b">chr1\nAC!\n"), given=address)
    for here in (genome, pickle.loads(pickle.dumps(genome))):
        with pytest.raises(InputError, match=r"^s3://bucket/g\.fa: contig chr1: '!'"):
            here.codes("chr1")
        with pytest.raises(InputError, match=r"^s3://bucket/g\.fa: there is no contig 'chr9'"):
            here.codes("chr9")
    other = Genome(write_fasta(tmp_path, b"hello\n"), given=address)
    with pytest.raises(InputError, match=r"^s3://bucket/g\.fa: not a readable FASTA"):
        _ = other.contigs
