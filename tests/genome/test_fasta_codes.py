"""Codes in the mapped cache are those of the FASTA file, wherever its lines and pieces end."""

import gzip
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.genome import fasta
from enformer_core.genome.fasta import Genome, MappedGenome

FASTA = b">chr1 the first\nACGTN\nacgtn\nRY\n>empty\n>chr2\nAAC\n\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_fasta(tmp_path, content=FASTA, name="g.fa"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def cached(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache/enformer-ray/base-codes").iterdir())


@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 1 << 24])
@pytest.mark.parametrize(
    "written", [lambda text: text, lambda text: text.replace(b"\n", b"\r\n"), gzip.compress]
)
def test_hand_made_file_in_pieces_of_any_size(tmp_path, monkeypatch, piece_bytes, written):
    monkeypatch.setattr(fasta, "_PIECE_BYTES", piece_bytes)
    genome = MappedGenome(write_fasta(tmp_path, written(FASTA)))
    assert dict(genome.contigs) == {"chr1": 12, "empty": 0, "chr2": 3}
    assert genome.codes("chr1").tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4, 4]
    assert genome.codes("empty").size == 0
    assert genome.fetch("chr2", -1, 4).tolist() == [4, 0, 0, 1, 4]


contigs = st.lists(st.text("ACGTNacgtnRYK", min_size=1, max_size=40), min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contigs, st.integers(1, 50))
def test_the_same_as_the_genome_read_by_pyfaidx(tmp_path_factory, sequences, width):
    lines = []
    for number, sequence in enumerate(sequences):
        lines += [
            f">c{number}",
            *(sequence[at : at + width] for at in range(0, len(sequence), width)),
        ]
    path = tmp_path_factory.mktemp("fasta") / "g.fa"
    path.write_text("\n".join(lines) + "\n")
    plain, mapped = Genome(path), MappedGenome(path)
    assert dict(plain.contigs) == dict(mapped.contigs)
    for contig in plain.contigs:
        assert np.array_equal(plain.codes(contig), mapped.codes(contig))
        assert plain.sha256(contig) == mapped.sha256(contig)


def test_made_once_and_anew_when_the_file_changes(tmp_path):
    path = write_fasta(tmp_path)
    first = MappedGenome(path)
    before = first.index().path.stat().st_mtime_ns, cached(tmp_path)
    again = pickle.loads(pickle.dumps(first))
    assert again.codes("chr2").tolist() == [0, 0, 1]
    assert (again.index().path.stat().st_mtime_ns, cached(tmp_path)) == before
    path.write_bytes(FASTA.replace(b"AAC", b"AACT"))
    assert MappedGenome(path).codes("chr2").tolist() == [0, 0, 1, 3]
    assert len(cached(tmp_path)) == 2
    assert cached(tmp_path) != before[1]


def test_codes_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="read-only"):
        MappedGenome(write_fasta(tmp_path)).codes("chr1")[0] = 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no sequence"),
        (b"ACGT\n", "begins with b'ACGT"),
        (b">a\nAC\n>a\nGT\n", "two contigs are named 'a'"),
        (b">a\nAC>b\nGT\n", "'>' stands inside a line"),
        (b">\nACGT\n", "no name"),
        (gzip.compress(b">a\n" + b"ACGT" * 99)[:-20], "not a readable FASTA"),
    ],
)
def test_what_is_no_fasta_is_refused_and_nothing_is_left(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        _ = MappedGenome(write_fasta(tmp_path, content)).contigs
    assert cached(tmp_path) == []


def test_a_bad_letter_is_told_when_its_contig_is_asked_for(tmp_path):
    path = write_fasta(tmp_path, b">a\nACGT\nAC1T\n>b\nACGT\n")
    mapped = MappedGenome(path)
    assert mapped.codes("b").tolist() == [0, 1, 2, 3]
    for genome in (mapped, Genome(path)):
        with pytest.raises(InputError, match="contig a: '1' at position 7 is not a nucleotide"):
            genome.codes("a")
    with pytest.raises(InputError, match="no contig 'c'"):
        mapped.codes("c")


def test_a_cache_that_was_cut_short_is_named(tmp_path):
    path = write_fasta(tmp_path)
    codes = MappedGenome(path).index().path
    codes.write_bytes(codes.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"has 14 bytes, expected 15\. Remove it"):
        MappedGenome(path).codes("chr1")
