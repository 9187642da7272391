"""`enformer-ray evaluate links`: bins, scores and baselines by hand; what is wrong with tables is named."""

import gzip
import json

import numpy as np
import polars as pl
import pytest

from enformer_core.api.run_tables import RunTables
from enformer_core.links.contact import powerlaw_contact
from enformer_core.storage.local import LocalStore
from tests.support.toy_runs import begun_toy_run

COLUMNS = [
    *("chrom", "chromStart", "chromEnd", "chrTSS", "startTSS", "endTSS", "measuredGeneSymbol"),
    *(
        "ValidConnection",
        "Regulated",
        "distanceToTSS",
        "DHS.RPM",
        "H3K27ac.RPM.expandedRegion",
        "mine",
    ),
]

ROWS = [
    ("chr1", 100, 200, "chr1", 1_150, 1_151, "A", "TRUE", "TRUE", 1_000, 1, 4, 0.1),
    ("chr1", 300, 400, "chr1", 2_350, 2_351, "A", "TRUE", "FALSE", 2_000, 2, 2, 0.9),
    ("chr1", 500, 600, "chr1", 5_550, 5_551, "B", "TRUE", "TRUE", 5_000, 9, 9, 0.8),
    ("chr1", 700, 800, "chr1", 90_750, 90_751, "B", "TRUE", "FALSE", 90_000, 1, 1, ""),
    ("chr1", 900, 990, "chr1", 200_945, 200_946, "B", "TRUE", "TRUE", 200_000, 50, 50, 0.7),
    ("chr1", 900, 990, "chr1", 0, 1, "C", "overlaps promoter", "FALSE", "NA", 1, 1, 0.5),
    ("chr1", 900, 990, "chr1", 0, 1, "D", "TRUE", "NA", 10, 1, 1, 0.5),
]


@pytest.fixture
def table(tmp_path):
    """A table of pairs; with other columns or rows where they are given."""

    def write(rows=ROWS, columns=COLUMNS):
        path = tmp_path / "pairs.tsv"
        lines = [columns, *([str(cell) for cell in row] for row in rows)]
        path.write_text("".join("\t".join(line) + "\n" for line in lines))
        return path

    return write


@pytest.fixture
def evaluate(run):
    """The rows by score and bin, and what was said."""

    def call(path, *more):
        code, text, error = run("evaluate", "links", path, "--json", *more)
        assert code == 0, error
        rows = json.loads(text)["rows"]
        return {(row["score"], row["bin"]): row for row in rows}, error

    return call


@pytest.fixture
def refused(run):
    def call(*more):
        code, text, error = run("evaluate", "links", *more)
        assert code == 2, text
        assert error.splitlines()[-1].startswith("enformer-ray: ")
        assert "Traceback" not in error
        return error

    return call


def test_scores_and_bins_by_hand(table, evaluate):
    rows, said = evaluate(table())
    assert "1 pair is left out, whose ValidConnection is not TRUE" in said
    assert "1 pair is left out, without a value of Regulated" in said
    bins = ["all", "0-98000", "0-3000", "3000-12500", "12500-34500", "34500-131000"]
    scores = ["inverse_distance", "activity_contact", "mine"]
    assert list(rows) == [(score, each) for each in bins for score in scores]
    near = rows["inverse_distance", "all"]
    assert (near["pairs"], near["positives"], near["missing"]) == (5, 3, 0)
    # by distance: + - + - +
    assert near["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    # contact is the same up to 5 kb: + (activity 9), a tie of + and - (both 2); then 50 at 40 times the distance, +
    ranked = rows["activity_contact", "all"]
    products = powerlaw_contact(np.array([5e3, 5e3, 5e3, 9e4, 2e5])) * [2, 2, 9, 1, 50]
    assert np.argsort(-products, kind="stable").tolist() == [2, 0, 1, 4, 3]
    assert ranked["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    # -, then + + and +; what has no score comes last
    mine = rows["mine", "all"]
    assert mine["missing"] == 1
    assert mine["average_precision"] == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 3)
    assert rows["mine", "0-98000"]["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert rows["inverse_distance", "0-3000"]["average_precision"] == 1
    empty = rows["mine", "12500-34500"]
    assert (empty["pairs"], empty["average_precision"], empty["low"]) == (0, None, None)
    none = rows["mine", "34500-131000"]
    assert (none["pairs"], none["positives"], none["average_precision"]) == (1, 0, None)


def test_bins_have_their_first_distance_and_not_their_last(table, evaluate):
    rows, _ = evaluate(table(), "--bins", "1000-2000,2000-2001,0-98000", "--bootstrap", "0")
    pairs = {each: row["pairs"] for (score, each), row in rows.items() if score == "mine"}
    assert pairs == {"all": 5, "0-98000": 4, "1000-2000": 1, "2000-2001": 1}
    assert rows["mine", "all"]["low"] is None


def test_intervals_are_seeded_and_do_not_depend_on_other_bins(table, evaluate):
    one, _ = evaluate(table(), "--bootstrap", "50")
    again, _ = evaluate(table(), "--bootstrap", "50", "--bins", "0-3000")
    other, _ = evaluate(table(), "--bootstrap", "50", "--seed", "1")
    row = one["mine", "all"]
    assert again["mine", "all"] == row
    assert again["mine", "0-3000"] == one["mine", "0-3000"]
    assert row["low"] <= row["average_precision"] <= row["high"]
    assert other["mine", "all"]["average_precision"] == row["average_precision"]
    assert (other["mine", "all"]["low"], other["mine", "all"]["high"]) != (row["low"], row["high"])


def test_distances_follow_from_places_where_no_column_has_them(table, evaluate):
    wanted, _ = evaluate(table())
    at = COLUMNS.index("distanceToTSS")
    columns = [name for name in COLUMNS if name != "distanceToTSS"]
    rows = [[cell for place, cell in enumerate(row) if place != at] for row in ROWS]
    found, _ = evaluate(table(rows, columns))
    score = "inverse_distance"
    assert found[score, "all"]["average_precision"] == wanted[score, "all"]["average_precision"]
    assert found[score, "0-98000"]["pairs"] == 4


def test_which_columns_are_judged(table, evaluate, refused):
    chosen, _ = evaluate(table(), "--scores", "DHS.RPM", "--bins", "0-98000")
    assert {score for score, _ in chosen} == {"inverse_distance", "activity_contact", "DHS.RPM"}
    assert "--scores mina: " in refused(table(), "--scores", "mina")
    assert "did you mean mine?" in refused(table(), "--scores", "mina")
    columns = [name.replace("DHS.RPM", "other") for name in COLUMNS]
    without, said = evaluate(table(columns=columns))
    assert "no activity_contact, without the column DHS.RPM" in said
    assert {score for score, _ in without} == {"inverse_distance", "other", "mine"}


def predictions(path, rows):
    schema = ["gene", "chrom", "tss", "start", "end", "distance", "name", "abc"]
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(path)
    return path


def test_predictions_are_summed_over_the_elements_that_overlap(table, evaluate, tmp_path):
    path = predictions(
        tmp_path / "links.parquet",
        [
            ("A", "1", 1_150, 150, 250, 5.0, "x", 0.2),
            (
                "A",
                "1",
                9_000,
                150,
                250,
                5.0,
                "x",
                0.3,
            ),  # another TSS of the gene: the larger counts
            ("A", "1", 1_150, 50, 101, 5.0, "y", 0.4),
            ("A", "1", 1_150, 200, 300, 5.0, "z", 9.0),  # touches two elements, overlaps none
            ("B", "1", 1_150, 550, 560, 5.0, "u", 0.6),
            ("A", "1", 1_150, 550, 560, 5.0, "u", 8.0),  # of another gene
            ("D", "1", 1_150, 100, 200, 5.0, "v", 8.0),
        ],
    )
    rows, _ = evaluate(table(), "--predictions", path)
    # .7 of the first pair, .6 of the third, and none of the others, of which one is regulated: two of five at last
    found = rows["abc", "all"]
    assert found["missing"] == 3
    assert found["average_precision"] == pytest.approx((1 + 1 + 3 / 5) / 3)
    by_sum, _ = evaluate(table([*ROWS[:1], (*ROWS[2][:-1], 0.65)]), "--predictions", path)
    assert by_sum["abc", "all"]["average_precision"] == 1


def test_predictions_are_known_by_their_content(table, evaluate, refused, tmp_path):
    rows = [("B", "1", 5_550, 550, 560, 5.0, "7", 0.6)]
    path = predictions(tmp_path / "links.parquet", rows)
    wanted, _ = evaluate(table(), "--predictions", path)
    pl.read_parquet(path).write_csv(tmp_path / "links.txt", separator="\t")
    path.rename(tmp_path / "c.tsv")
    for name in ("links.txt", "c.tsv"):
        assert evaluate(table(), "--predictions", tmp_path / name)[0] == wanted
    commas = tmp_path / "c.txt"
    commas.write_text("gene,chrom,start,end,abc\nB,1,550,560,0.6\n")
    said = refused(table(), "--predictions", commas)
    assert "has no column gene, so it is no table of links. Columns are separated by tabs" in said
    nowhere = refused(table(), "--predictions", tmp_path / "nowhere.tsv")
    assert "nowhere.tsv: cannot be read: No such file or directory" in nowhere
    (tmp_path / "latin.tsv").write_bytes(b"gene\tchrom\tstart\tend\tabc\ncaf\xe9\t1\t5\t6\t0.5\n")
    damaged = refused(table(), "--predictions", tmp_path / "latin.tsv")
    assert "latin.tsv: cannot be read as tab-separated text" in damaged
    assert "Parquet" not in said + nowhere + damaged


def test_all_scores_may_be_of_the_pairs_that_are_predicted(table, run, refused, tmp_path):
    rows = [("A", "1", 1_150, 100, 200, 5.0, "x", 0.2), ("B", "1", 5_550, 550, 560, 5.0, "7", 0.6)]
    path = predictions(tmp_path / "links.parquet", rows)
    asked = ("evaluate", "links", table(), "--predictions", path, "--covered-only", "--json")
    code, text, error = run(*asked)
    assert code == 0, error
    answer = json.loads(text)
    # of five valid pairs with a result
    assert answer["left_out"] == 3
    assert "3 of 5 tested pairs left out, which no prediction covers" in " ".join(error.split())
    everywhere = [row for row in answer["rows"] if row["bin"] == "all"]
    assert {row["score"] for row in everywhere} >= {"inverse_distance", "mine", "abc"}
    assert {(row["pairs"], row["positives"], row["missing"]) for row in everywhere} == {(2, 2, 0)}
    assert "--covered-only: give --predictions too" in refused(table(), "--covered-only")


def test_a_run_that_is_not_there_is_told_as_query_tells_it(table, refused, run, tmp_path):
    missing = tmp_path / "nowhere"
    code, _, of_query = run("query", missing, "FROM links")
    assert code == 2
    assert "no run here (no run.json). Give the --out directory of" in of_query
    assert of_query.splitlines()[-1] in refused(table(), "--predictions", missing)


def test_predictions_that_cannot_be_used(table, refused, tmp_path):
    other = predictions(tmp_path / "other.parquet", [("Z", "1", 1, 1, 2, 5.0, "x", 0.2)])
    assert "predicts none of the tested pairs" in refused(table(), "--predictions", other)
    pl.read_parquet(other).drop("abc").write_parquet(tmp_path / "no.parquet")
    assert "has no column of scores" in refused(table(), "--predictions", tmp_path / "no.parquet")
    pl.read_parquet(other).drop("start").write_parquet(tmp_path / "bad.parquet")
    assert "has no column start, so it is no" in refused(
        table(), "--predictions", tmp_path / "bad.parquet"
    )
    assert "has no column gene, so it is no" in refused(table(), "--predictions", table())
    (tmp_path / "text.parquet").write_text("gene")
    assert "cannot be read as Parquet" in refused(
        table(), "--predictions", tmp_path / "text.parquet"
    )
    assert "cannot be read" in refused(table(), "--predictions", tmp_path / "nowhere.parquet")
    same = pl.read_parquet(other).rename({"abc": "mine"}).with_columns(gene=pl.lit("A"), end=150)
    same.write_parquet(tmp_path / "same.parquet")
    assert "mine: the table of pairs has a score of this name" in refused(
        table(), "--predictions", tmp_path / "same.parquet"
    )


def test_what_nothing_has_a_score_of_has_no_precision(table, run, evaluate, tmp_path):
    """In the nearest bin no pair is predicted: all would share one rank, whose precision is the bin's own."""
    path = predictions(tmp_path / "links.parquet", [("B", "1", 5_550, 550, 560, 5.0, "u", 0.6)])
    rows, said = evaluate(table(), "--predictions", path)
    nearest = rows["abc", "0-3000"]
    assert (nearest["pairs"], nearest["positives"], nearest["missing"]) == (2, 1, 2)
    assert (nearest["average_precision"], nearest["low"], nearest["high"]) == (None, None, None)
    assert "links.parquet: the predictions cover 1 of 5 tested pairs" in said
    text = run("evaluate", "links", table(), "--predictions", path, "--bins", "0-3000")[1]
    assert text.splitlines()[-1].split()[-4:] == ["none", "has", "this", "score"]


UNSCORED = [
    ("A", "1", 1, 100, 150, 5.0, "x", None),  # of the first pair: one of two elements
    ("A", "1", 1, 150, 200, 5.0, "x", 0.6),
    ("A", "1", 1, 300, 400, 5.0, "x", None),  # all that the second pair has
    ("B", "1", 1, 500, 600, 5.0, "x", 0.7),
]


@pytest.mark.parametrize("nothing", [None, float("nan"), "NA", ""])
def test_an_element_without_a_score_counts_as_none(table, evaluate, tmp_path, nothing):
    path = predictions(tmp_path / "links.parquet", UNSCORED)
    frame = pl.read_parquet(path)
    if isinstance(nothing, str):
        path = tmp_path / "links.tsv"
        frame.write_csv(path, separator="\t", null_value=nothing)
    elif nothing is not None:
        frame.with_columns(pl.col("abc").fill_null(nothing)).write_parquet(path)
    rows, _ = evaluate(table(), "--predictions", path)
    # .6 and .7 of the regulated ones; the second pair has no score, and not 0
    found = rows["abc", "all"]
    assert found["missing"] == 3
    assert found["average_precision"] == pytest.approx((1 + 1 + 3 / 5) / 3)


def test_columns_of_text_are_read_as_numbers_or_told(table, evaluate, refused, tmp_path):
    path = predictions(tmp_path / "links.parquet", UNSCORED)
    plain, said = evaluate(table(), "--predictions", path)
    assert "not judged" not in said
    as_text = pl.read_parquet(path).with_columns(
        pl.col("gene", "chrom").cast(pl.Categorical),
        pl.col("start", "abc").cast(pl.String),
        cell=pl.lit("K562"),
        parts=pl.lit([1]),
    )
    as_text.write_parquet(path)
    rows, said = evaluate(table(), "--predictions", path)
    assert rows == plain
    assert "links.parquet: cell ('K562'), parts are no columns of numbers, and not judged" in said
    as_text.with_columns(start=pl.lit("here")).write_parquet(path)
    assert "links.parquet, row 1: start is not a whole" in refused(table(), "--predictions", path)
    as_text.with_columns(gene=pl.lit(b"A")).write_parquet(path)
    said = refused(table(), "--predictions", path)
    assert "links.parquet: its column gene is of Binary, no text or numbers" in said


def test_scores_of_which_lower_is_better_are_told_of(table, evaluate):
    said = evaluate(table(), "--scores", "distanceToTSS")[1]
    assert "note: distanceToTSS: is ranked from high to low" in said
    assert "from high to low" not in evaluate(table())[1]


def test_predictions_may_be_text(table, evaluate, tmp_path):
    rows = [("B", "1", 5_550, 550, 560, 5.0, "7", 0.6), ("A", "1", 1, 150, 250, 5.0, "x", None)]
    path = predictions(tmp_path / "links.parquet", rows)
    pl.read_parquet(path).write_csv(tmp_path / "links.tsv", separator="\t")
    of_text, _ = evaluate(table(), "--predictions", tmp_path / "links.tsv", "--bootstrap", "0")
    assert of_text == evaluate(table(), "--predictions", path, "--bootstrap", "0")[0]


BAD = {
    "no Regulated": ([], [*COLUMNS[:8], "x", *COLUMNS[9:]], "has no column Regulated"),
    "a word for a truth": (
        [(*ROWS[0][:8], "perhaps", *ROWS[0][9:])],
        COLUMNS,
        "line 2: Regulated 'perhaps' is neither TRUE nor FALSE",
    ),
    "no distance": ([(*ROWS[0][:9], "NA", *ROWS[0][10:])], COLUMNS, "line 2: has no distance"),
    "no valid pair": (ROWS[-2:], COLUMNS, "has no valid pair with a value of Regulated"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_the_table_is_named(table, refused, name):
    rows, columns, message = BAD[name]
    assert message in refused(table(rows or ROWS, columns))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("near", "--bins near: must be two distances in bp"),
        ("9-3", "--bins 9-3: the larger distance comes second"),
        ("3-3", "the larger distance comes second"),
        ("-5-3", "must be two distances"),
        ("_-_", "must be two distances"),
        ("3_000-5000", "must be two distances"),
        ("٣-٩", "must be two distances"),
        ("", "--bins '': names nothing"),
        ("0-3000,0003-9,0-03000", "--bins 0-03000: is named twice"),
    ],
)
def test_bins_that_are_none(table, refused, text, message):
    assert message in refused(table(), f"--bins={text}")


def test_a_score_without_values_is_said_and_two_of_one_name_are_refused(table, evaluate, refused):
    rows = [(*row[:-1], "NaN") for row in ROWS]
    found, said = evaluate(table(rows))
    assert {score for score, _ in found} == {"inverse_distance", "activity_contact"}
    assert "pairs.tsv: mine has no value, and is not judged" in said
    twice = table([(*row, 1) for row in ROWS], [*COLUMNS, "mine"])
    assert "pairs.tsv: has several columns mine. Leave one" in refused(twice)
    assert "has several columns mine" in refused(twice, "--scores", "mine")


def test_predictions_that_are_empty_or_have_a_name_twice(table, refused, tmp_path):
    for name, content in {"e.tsv": b"", "e.parquet": b"", "e.tsv.gz": gzip.compress(b"")}.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert f"{path}: an empty file. Was it" in refused(table(), "--predictions", path)
    path = tmp_path / "twice.tsv"
    for name in ("abc", "start"):
        path.write_text(f"gene\tchrom\tstart\tend\tabc\t{name}\nB\t1\t550\t560\t0.6\t7\n")
        assert f"{path}: has several columns {name}" in refused(table(), "--predictions", path)


def test_text_has_a_line_for_each(table, run):
    code, text, _ = run("evaluate", "links", table(), "--bins", "12500-34500")
    assert code == 0
    lines = text.splitlines()
    assert len(lines) == 1 + 3 * 3
    assert lines[0].endswith("score             average precision  (95 % interval)")
    assert lines[0].split()[:3] == ["bin", "pairs", "positive"]
    assert lines[1].split()[:5] == ["all", "5", "3", "inverse_distance", "0.756"]
    assert lines[3].endswith("(1 without a score come last)")
    assert lines[-1].endswith("none is positive")


def test_a_run_whose_bytes_are_damaged_is_named(table, run, tmp_path, monkeypatch):
    begun_toy_run(LocalStore(tmp_path / "run")).commit_all()
    for file in (tmp_path / "run" / "scores").rglob("*.parquet"):
        content = bytearray(file.read_bytes())
        content[4:40] = bytes(36)
        file.write_bytes(content)  # of the length that its receipt says
    read = RunTables.table
    monkeypatch.setattr(RunTables, "table", lambda self, _: read(self, "scores"))
    code, _, said = run("evaluate", "links", table(), "--predictions", tmp_path / "run")
    assert code == 2
    assert "run: its table links cannot be read: parquet: " in said
    assert "`enformer-ray verify" in said
