"""A file of which nothing, or little, can be read is refused with three of its lines; a bad line is a row."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from enformer_core.variants import source as sources
from enformer_core.variants.readability import readable_batches
from enformer_core.variants.source import open_source
from enformer_core.words import counted

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"
GOOD = "1\t5\t.\tA\tC\n"
BAD = "1\tfive\t.\tA\tC\n"


def read(path, *, allow_malformed=False):
    """How many rows come through, and what is said beside them."""
    notes = []
    source = open_source(path)
    batches = source.batches(rows=16)
    readable = readable_batches(source, batches, allow_malformed=allow_malformed, warn=notes.append)
    return sum(table.num_rows for table in readable), notes


@pytest.fixture
def write(tmp_path):
    def call(content, name="x.vcf"):
        path = tmp_path / name
        path.write_text(content)
        return path

    return call


@pytest.mark.parametrize(
    ("good", "bad", "is_refused"),
    [
        (0, 1, True),
        (0, 3, True),
        (1, 3, False),
        (10, 9, False),
        (10, 10, True),
        (100, 99, False),
        (100, 100, True),
        (5, 0, False),
        (0, 0, False),
    ],
)
def test_how_many_records_must_be_readable(write, good, bad, is_refused):
    path = write(HEADER + GOOD * good + BAD * bad)
    if is_refused:
        with pytest.raises(InputError, match=rf"{bad} of {good + bad} cannot|none of the first"):
            read(path)
        rows, notes = read(path, allow_malformed=True)
    else:
        rows, notes = read(path)
    assert rows == good + bad
    assert len(notes) == (bad > 0)
    if bad:
        assert f"{bad} of {counted(good + bad, 'records')} cannot be read" in notes[0]


def test_records_are_counted_not_alleles(write):
    # 15 records of 5 ALTs each, which can be read, beside 15 that cannot
    with pytest.raises(InputError, match="15 of 30 cannot be read"):
        read(write(HEADER + "1\t5\t.\tA\tC,G,T,AC,AG\n" * 15 + BAD * 15))


def test_the_message_has_three_lines_as_they_stand_and_the_remedy(write):
    long_line = "1\tsix\t.\tA\tC\t" + "x" * 500
    path = write(f"{HEADER}{GOOD}{BAD}\n1 7 . A C\n{long_line}\n{BAD}" + BAD * 20)
    with pytest.raises(InputError) as refusal:
        read(path)
    text = str(refusal.value)
    assert str(path) in text
    assert r"line 4: '1\tfive\t.\tA\tC': POS is not a whole number: 'five'" in text
    assert "line 6: '1 7 . A C': too few columns, separated by tabs: 1 of 5" in text
    assert "line 7: '1\\tsix" in text
    assert text.count("  line ") == 3
    assert "x" * 100 not in text
    assert "--allow-malformed" in text


def test_quoted_lines_are_called_so(write):
    with pytest.raises(InputError, match="Its lines are quoted"):
        read(write(HEADER + '"1,5,.,A,C"\n"1,6,.,A,C"\n', "excel.vcf"))


def test_of_a_table_the_columns_that_were_taken_are_said(write):
    names = (
        "Chromosome\tStart\tStop\tReferenceAllele\tAlternateAllele\tPositionVCF\tReferenceAlleleVCF"
    )
    path = write(f"{names}\n1\t100\t100\tna\tna\t100\tA\n", "variant_summary.txt")
    with pytest.raises(InputError) as refusal:
        read(path)
    taken = (
        "Taken were chrom Chromosome, pos Start, end Stop, ref ReferenceAllele, alt AlternateAllele"
    )
    others = "where others are meant, say which: --columns chrom=…,pos=…,ref=…,alt=…"
    assert f"{taken}; {others}. Is it" in str(refusal.value)
    with pytest.raises(InputError) as refusal:
        read(write(HEADER + BAD))
    assert "--columns" not in str(refusal.value)


def test_a_hopeless_file_is_not_read_to_its_end(write, monkeypatch):
    monkeypatch.setattr(sources, "BATCH_ROWS", 16)
    path = write(HEADER + BAD * 5000)
    with pytest.raises(InputError, match=r"none of the first (3\d|2\d) can be read"):
        read(path)


def test_records_without_lines_show_their_cells(tmp_path):
    path = tmp_path / "x.parquet"
    columns = {"chrom": ["1", "1"], "pos": [-1, -2], "ref": ["A", "C"], "alt": ["G", "G"]}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(InputError, match=r"line 1: .*'1', 'A', 'G'.*POS is not a whole number"):
        read(path)
