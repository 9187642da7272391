"""What is taken for granted of a table of tested pairs is told."""

import pytest

from enformer_core.errors import InputError
from enformer_core.evaluate.crispr import read_tested_pairs
from enformer_core.links.tables import read_table

HEADER = "chrom chromStart chromEnd measuredGeneSymbol startTSS endTSS Regulated ValidConnection distanceToTSS"
ROWS = (
    "chr1 100 200 A 1000 1001 TRUE TRUE 850",
    "chr1 300 400 A 1000 1001 FALSE TRUE 650",
    "chr1 100 200 B 5000 5001 FALSE TRUE 4850",
)


@pytest.fixture
def pairs(tmp_path):
    """The pairs of these rows, without some of the columns."""

    def read(*rows, without=()):
        names = HEADER.split()
        kept = [place for place, name in enumerate(names) if name not in without]
        lines = [[row.split()[place] for place in kept] for row in (HEADER, *rows)]
        path = tmp_path / "pairs.tsv"
        path.write_text("".join("\t".join(line) + "\n" for line in lines))
        return read_tested_pairs(read_table(str(path)))

    return read


def said(found):
    # of activity, which these tables have not
    return [text for text in found.notes if "activity" not in text]


def test_of_a_whole_table_nothing_is_said(pairs):
    found = pairs(*ROWS)
    assert said(found) == []
    assert found.distance_bp.tolist() == [850, 650, 4850]


def test_pairs_that_are_listed_twice_are_counted(pairs):
    (note,) = said(pairs(*ROWS, ROWS[0], ROWS[0]))
    assert "2 pairs of an element and a gene are listed before, and count each time" in note


def test_a_contig_has_one_name(pairs):
    found = pairs(*ROWS, ROWS[0].replace("chr1", "1"))
    assert found.places["chrom"].unique().to_list() == ["chr1"]
    (note,) = said(found)
    assert "1 pair of an element and a gene is listed before" in note


def test_columns_that_are_not_there_are_named(pairs):
    (valid,) = said(pairs(*ROWS, without=["ValidConnection"]))
    assert "has no column ValidConnection; every pair is taken for a valid one" in valid
    found = pairs(*ROWS, without=["distanceToTSS"])
    (distance,) = said(found)
    assert "has no column distanceToTSS; it is worked out" in distance
    assert found.distance_bp.tolist() == [850.5, 650.5, 4850.5]


def test_a_pair_without_a_distance_is_told_what_to_do(pairs):
    with pytest.raises(
        InputError, match=r"line 2: has no distance to the TSS\. Leave the pair out"
    ):
        pairs("chr1 100 200 A 1000 1001 TRUE TRUE NA", *ROWS)


def test_distances_below_zero_are_those_of_elements_upstream(pairs):
    found = pairs(ROWS[0], ROWS[1].replace(" 650", " -650"), ROWS[2].replace(" 4850", " -4850"))
    assert found.distance_bp.tolist() == [850, 650, 4850]
    (note,) = said(found)
    assert "pairs.tsv, line 3: distanceToTSS is -650; 2 distances are below 0" in note
    (note,) = said(pairs(ROWS[0], ROWS[1].replace(" 650", " -650")))
    assert "1 distance is below 0, taken for those of elements upstream: the size counts" in note


def test_a_distance_without_end_is_none(pairs):
    with pytest.raises(InputError, match="line 2: has no distance to the TSS"):
        pairs(ROWS[0].replace("850", "inf"), *ROWS)


def test_a_column_with_a_slip_is_told(tmp_path):
    path = tmp_path / "pairs.tsv"
    lines = (f"{HEADER} mine other", f"{ROWS[0]} 0,5 NA", f"{ROWS[1]} 0.5 1")
    path.write_text("".join("\t".join(line.split()) + "\n" for line in lines))
    found = read_tested_pairs(read_table(str(path)))
    assert "pairs.tsv: mine ('0,5') is no column of numbers, and not judged" in said(found)[0]
    assert list(found.scores) == ["inverse_distance", "other"]
