"""Variants of another genome, or in another order, stop with figures; a few wrong lines do not."""

import gzip
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants import assembly_check
from enformer_core.variants.assembly_check import check_assemblies, check_assembly
from enformer_core.variants.assembly_sample import sample_alleles
from enformer_core.variants.formats import compression
from enformer_core.variants.source import open_source, open_sources
from tests.support.bgzf import write_bgzf

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"

LENGTH_BP = 400


def letters_of(seed):
    return "".join(random.Random(seed).choices("ACGT", k=LENGTH_BP))


CONTIGS = {"chr1": letters_of(1), "chr2": letters_of(2)}

CALLED = "x.vcf: 1, 2 are called chr1, chr2 in the genome, here and in the output"
"""What is said last of all these files, which have plain numbers."""


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "toy.fa"
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in CONTIGS.items()))
    return Genome(path)


def records(contigs=CONTIGS, *, first=1):
    """(chrom, pos, REF, ALT) of every base, as those contigs have it."""
    return [
        (chrom.removeprefix("chr"), pos, ref, "ACGT"[("ACGT".index(ref) + 1 + pos % 3) % 4])
        for chrom, letters in contigs.items()
        for pos, ref in enumerate(letters, start=first)
    ]


@pytest.fixture
def source_of(tmp_path):
    def call(rows, header=HEADER):
        path = tmp_path / "x.vcf"
        path.write_text(
            header + "".join(f"{chrom}\t{pos}\t.\t{ref}\t{alt}\n" for chrom, pos, ref, alt in rows)
        )
        return open_source(path)

    return call


def swapped(rows):
    return [(chrom, pos, alt, ref) for chrom, pos, ref, alt in rows]


def test_what_fits_goes_on_with_figures(genome, source_of):
    check = check_assembly(source_of(records()), genome)
    assert (check.checked, check.matching, check.notes()) == (2 * LENGTH_BP, 1.0, [CALLED])
    assert check.contigs["chr2"].checked == LENGTH_BP
    assert not check.allow_swapped


OTHER = {"chr1": CONTIGS["chr1"], "chr2": letters_of(3)}

HALF = [row if number % 2 else swapped([row])[0] for number, row in enumerate(records())]

STOPPED = {
    "another assembly": (
        records(OTHER),
        r"6\d\.\d% of 800 sampled REF.*toy\.fa \(chr2 2\d\.\d% of 400, chr1 100.0%",
    ),
    "REF and ALT swapped": (
        swapped(records()),
        r"0\.0% of 800.*look swapped: 100\.0% of the ALT.*--allow-swapped",
    ),
    "mixed order": (HALF, r"50\.0% of 800.*mixed order.*100\.0%.*--allow-swapped"),
    "counted from 0": (records(first=0)[1:], r"count from 0.*100\.0% agree"),
    "one too high": (records(first=2)[:399], r"one too high"),
    "all of a few": (swapped(records()[:8]), r"0\.0% of 8 "),
    "no contig": (
        [("X", 5, "A", "C")],
        r"shares no contig with toy\.fa\. It has X; the genome has chr1, chr2",
    ),
}


@pytest.mark.parametrize("kind", STOPPED)
def test_what_stops(genome, source_of, kind):
    rows, message = STOPPED[kind]
    source = source_of(rows)
    with pytest.raises(InputError, match=rf"(?s)^x\.vcf: .*{message}") as raised:
        check_assembly(source, genome)
    if kind != "no contig":
        assert "--allow-mismatch" in str(raised.value)
        assert "the reference has" in str(raised.value)
    assert check_assembly(source, genome, allow_mismatch=True).matching < 0.9 or kind == "no contig"
    if "order" in kind or "swapped" in kind:
        assert check_assembly(source, genome, allow_swapped=True).allow_swapped
    elif kind != "all of a few":
        with pytest.raises(InputError):
            check_assembly(source, genome, allow_swapped=True)


def test_a_wrong_line_of_a_handful_is_a_row_and_nine_tenths_are_enough(genome, source_of):
    good = records()
    wrong = swapped(good)
    assert check_assembly(source_of(good[:3] + wrong[3:5]), genome).matching == 0.6
    assert check_assembly(source_of(good[:90] + wrong[90:100]), genome).matching == 0.9
    with pytest.raises(InputError, match=r"89\.0%"):
        check_assembly(source_of(good[:89] + wrong[89:100]), genome)


def test_without_declared_order_either_allele_counts(genome, tmp_path):
    path = tmp_path / "x.bim"
    path.write_text(
        "".join(f"{chrom}\trs{pos}\t0\t{pos}\t{a1}\t{a2}\n" for chrom, pos, a1, a2 in HALF)
    )
    check = check_assembly(open_source(path), genome)
    assert (check.matching, check.ref_rate, check.alt_rate) == (1.0, 0.5, 0.5)
    path.write_text(
        "".join(
            f"{chrom}\trs{pos}\t0\t{pos}\t{a1}\t{a2}\n" for chrom, pos, a1, a2 in records(OTHER)
        )
    )
    with pytest.raises(InputError, match=r"alleles, in either order,.*another assembly"):
        check_assembly(open_source(path), genome)


def test_one_bad_contig_and_unknown_ones_are_noted(genome, source_of):
    rows = records() + [
        ("2", pos, "A" if CONTIGS["chr2"][pos - 1] != "A" else "C", "G") for pos in range(1, 60)
    ]
    check = check_assembly(source_of([*rows, ("Un_7", 4, "A", "C")]), genome)
    assert check.unknown == {"Un_7": 1}
    assert [note.split(": ", 1)[1][:24] for note in check.notes()] == [
        "on contigs that toy.fa d",
        "on chr2 8",
    ][:1] + [note.split(": ", 1)[1][:24] for note in check.notes()[1:]]
    assert any("on chr2" in note and "of 459" in note for note in check.notes())


def test_header_lengths_of_another_build_are_said(genome, source_of):
    header = HEADER.replace(
        "#CHROM", "##contig=<ID=1,length=249250621>\n##contig=<ID=chr2,length=400>\n#CHROM"
    )
    [check] = check_assemblies([source_of(records(), header)], genome)
    assert check.different_lengths == {"1": (249250621, LENGTH_BP)}
    assert check.notes() == [
        "x.vcf: its header says 1 has 249,250,621 bp, as in GRCh37 (hg19); toy.fa has 400 bp",
        CALLED,
    ]
    with pytest.raises(
        InputError, match=r"another assembly \(the header's contigs are those of GRCh37 \(hg19\)\)"
    ):
        check_assembly(source_of(records(OTHER), header), genome)


def test_the_genomes_build_is_said_where_the_header_is_silent(tmp_path, source_of):
    (tmp_path / "g.fa").write_text(f">chr21\n{letters_of(4)}\n")
    genome = Genome(tmp_path / "g.fa")
    source = source_of(
        [("21", pos, ref, "A" if ref != "A" else "G") for pos, ref in enumerate(letters_of(5), 1)]
    )
    with pytest.raises(InputError, match=r"It looks like another assembly: give"):
        check_assembly(source, genome)
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # a chromosome's whole length is too much for a test
        patch.setattr(
            assembly_check,
            "known_build",
            lambda contigs: "GRCh38 (hg38)" if contigs == genome.contigs else None,
        )
        with pytest.raises(
            InputError,
            match=r"another assembly \(the genome's are those of GRCh38 \(hg38\)\): give",
        ):
            check_assembly(source, genome)


def test_a_contig_of_which_nothing_can_be_looked_up_is_noted(genome, source_of):
    beyond = [("2", LENGTH_BP + pos, "A", "C") for pos in range(1, 50)]
    check = check_assembly(source_of(records({"chr1": CONTIGS["chr1"]}) + beyond), genome)
    nothing = "x.vcf: no sampled allele of chr2 lies inside toy.fa and has letters"
    assert check.notes() == [nothing, CALLED]
    assert (check.checked, check.matching) == (LENGTH_BP, 1.0)


@pytest.mark.parametrize("kind", ["plain", "bgzf", "gzip", "parquet"])
def test_a_sample_sees_all_of_a_large_file_where_it_can_be_entered(tmp_path, monkeypatch, kind):
    text = HEADER + "".join(f"chr{1 + pos // 30_000}\t{pos}\t.\tA\tC\n" for pos in range(1, 90_000))
    path = tmp_path / "x"
    if kind == "bgzf":
        write_bgzf(path, text.encode())
    elif kind == "parquet":
        columns = {
            "chrom": [f"chr{1 + pos // 30_000}" for pos in range(1, 90_000)],
            "pos": range(1, 90_000),
        }
        cells = {name: pa.array(list(values)) for name, values in columns.items()}
        size = len(cells["pos"])
        pq.write_table(
            pa.table({**cells, "ref": ["A"] * size, "alt": ["C"] * size}),
            path,
            row_group_size=5_000,
        )
    else:
        path.write_bytes(gzip.compress(text.encode()) if kind == "gzip" else text.encode())
    monkeypatch.setattr(compression, "PROBE_BYTES", 1 << 15)
    tables = list(sample_alleles(open_source(path), head_rows=1000, probes=20))
    assert tables[0].num_rows == 1000
    contigs = {name for table in tables for name in table["input_chrom"].to_pylist()}
    assert contigs == ({"chr1"} if kind == "gzip" else {"chr1", "chr2", "chr3"})
    assert all(table["status"].null_count == table.num_rows for table in tables)
    assert 1000 < sum(table.num_rows for table in tables) < 90_000 or kind == "gzip"


def test_each_file_is_judged_alone(genome, tmp_path):
    rows = {"good.vcf": records(), "other.vcf": [(f"scaffold_{i}", 5, "A", "G") for i in range(9)]}
    rows["shifted.vcf"] = records(first=2)[:399]
    for name, lines in rows.items():
        body = "".join(f"{chrom}\t{pos}\t.\t{ref}\t{alt}\n" for chrom, pos, ref, alt in lines)
        (tmp_path / name).write_text(HEADER + body)
    refusals = {
        "other.vcf": r"shares no contig with toy\.fa.*scaffold_0.*the genome has chr1, chr2",
        "shifted.vcf": "of 399 sampled REF alleles",
    }
    for bad, message in refusals.items():
        sources = open_sources([tmp_path / "good.vcf", tmp_path / bad])
        with pytest.raises(InputError, match=rf"^{bad}: .*{message}"):
            check_assemblies(sources, genome)
