"""Loci in `enformer-ray report`: the picture of `plot locus`, and tables whose numbers are their commands' own."""

import json
import shlex

import numpy as np
import pytest

from jobs import exit_codes
from tests.support.pages import Page, check_numbers, check_sound
from tests.support.wide_runs import wide_run

SCORES = np.random.default_rng(1).normal(size=(60, 5)).astype("f")
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Sixty alleles of five tracks, of which thirty are on chr1; a value is none, and an allele is repeated."""
    values = SCORES.copy()
    values[3, 2] = np.nan
    place = tmp_path_factory.mktemp("report") / "scores"
    wide_run(place, values, shard_size=20, repeats=[7])
    return place


@pytest.fixture
def study(tmp_path):
    """A study of the first alleles, with a name that is code, and a gene of that name."""
    rows = [f"1\t{pos}\trs{pos}\tA\tG\t{pos / 3}\t500\n" for pos in range(1, 21)]
    path = tmp_path / "gwas.tsv"
    path.write_text("CHR\tBP\tSNP\tA1\tA2\tZ\tN\n" + "".join(rows).replace("rs9\t", f"{HOSTILE}\t"))
    genes = tmp_path / "genes.bed"
    genes.write_text(f"chr1\t5\t15\t{HOSTILE}\t0\t+\n")
    return ["--sumstats", path, "--genes", genes]


@pytest.fixture
def read(told):
    """The report, which is sound and whose numbers are its commands' own."""
    return lambda *more: told(*more)[0]


@pytest.fixture
def told(run, scores, tmp_path):
    """The same, and what the terminal said."""

    def call(*more):
        out = tmp_path / "report.html"
        code, _, error = run("report", scores, "--out", out, *more)
        assert code == 0, error
        page = Page(out.read_text())
        check_sound(page)
        assert check_numbers(page, run) > 10
        return page, error

    return call


def sections(page):
    return [given["id"] for tag, given in page.elements if tag == "section"]


def of_locus(page):
    """The tables that have the scores of a locus."""
    return [table for table in page.tables if table.columns[-2:] == ["track_index", "track"]]


def test_a_locus_is_drawn_and_its_scores_are_listed(read, study):
    page = read("--locus", "chr1:1-25", *study)
    assert "locus-1" in sections(page)
    (table,) = of_locus(page)
    names = [row[0].text for row in table.rows]
    # the allele that stands twice in the input is one; that without a number has no scores
    assert len(set(names)) == len(names) == 24
    assert "chr1:4:A:G" not in names
    strongest = np.abs(np.nan_to_num(SCORES[:1])).max(axis=1)
    shown = {row[0].text: abs(float(row[3].number)) for row in table.rows}
    assert shown["chr1:1:A:G"] == pytest.approx(strongest[0], rel=1e-6)
    assert sorted(shown.values(), reverse=True) == list(shown.values())
    assert "Association in" in page.text
    assert HOSTILE in page.text


def test_rows_of_tracks_and_several_loci(read):
    page = read("--locus", "1:1-5", "--locus", "chr2:31-40", "--tracks", "1,4")
    found = of_locus(page)
    assert len(found) == 4
    assert {"locus-1", "locus-2"} < set(sections(page))
    for table, track in zip(found, (1, 4, 1, 4), strict=True):
        assert {row[4].text for row in table.rows} == {str(track)}
    values = {row[0].text: float(row[3].number) for row in found[3].rows}
    assert values["chr2:31:A:G"] == pytest.approx(SCORES[30, 4], rel=1e-6)


def test_the_command_at_a_picture_gives_what_is_drawn(read, run):
    """A row of a track has its signed values, not the largest sizes among all tracks."""
    page = read("--locus", "1:1-5", "--tracks", "1,4")
    (command,) = [text for text in page.commands.values() if "AS row_number" in text]
    code, text, error = run(*shlex.split(command)[1:], "--json")
    assert code == 0, error
    rows = json.loads(text)
    drawn = {(row["row_number"], row["pos"]): row["sad"] for row in rows}
    expected = {
        (number, pos): SCORES[pos - 1, track]
        for number, track in ((1, 1), (2, 4))
        for pos in (1, 2, 3, 5)  # that at 4 has no scores
    }
    assert drawn == pytest.approx(expected, rel=1e-6)


def test_where_nothing_is_the_page_and_the_terminal_say_so(told):
    page, error = told("--locus", "chr7:1-9")
    assert "chr7:1-9: " in error
    assert "has no alleles on chr7" in error
    assert "Nothing is known here" in page.text
    assert of_locus(page) == []


def test_without_a_locus_the_page_is_as_before(read):
    assert not [name for name in sections(read()) if name.startswith("locus")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--genes", "no.bed"], "--genes: says what is drawn of a locus; give --locus REGION too"),
        (["--tracks", "1"], "--tracks: says what is drawn of a locus"),
        (["--locus", "chr1"], "--locus chr1"),
        (["--locus", "chr1:1-9", "--ld", "x.npz"], "--ld: says something of --sumstats FILE"),
    ],
)
def test_what_is_no_locus_is_refused_before_anything_is_written(
    run, scores, tmp_path, words, message
):
    out = tmp_path / "report.html"
    code, _, error = run("report", scores, "--out", out, *words)
    assert code == exit_codes.BAD_INPUT
    assert message in error
    assert not out.exists()


def test_the_files_of_a_locus_are_not_written_over(run, scores, study):
    genes = study[-1]
    before = genes.read_bytes()
    words = ["report", scores, "--locus", "chr1:1-9", "--genes", genes, "--out", genes]
    assert run(*words)[0] == exit_codes.BAD_INPUT
    assert genes.read_bytes() == before
