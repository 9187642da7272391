"""A file's ending and what is written into it: a workbook's is refused, of another format's a note speaks."""

from pathlib import Path

import pytest

from enformer_core.errors import InputError
from jobs.cli import main
from jobs.output_ending import ending_of, note_ending, refuse_workbook


def test_an_ending_stands_before_that_of_packing():
    assert [ending_of(Path(name)) for name in ("a.CSV.gz", "a.b.tsv", "a")] == [".csv", ".tsv", ""]


@pytest.mark.parametrize(
    "words",
    [
        ["query", "SELECT 1", "--output"],
        ["query", "SELECT 1", "--format", "csv", "--output"],
        ["export", "--tsv"],
    ],
)
def test_no_workbook_is_written(words, tmp_path, capsys):
    name, *more = words
    file = tmp_path / "x.xlsx"
    assert main([name, str(tmp_path), *more, str(file)]) == 2
    assert f"{more[-1]} {file}: no workbooks are written here" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.csv", "--tsv x.csv: is tab-separated text, which .csv does not say; .tsv or .txt does"),
        ("x.unknown.gz", "which .unknown does not say"),
        ("x.txt", ""),
        ("x", ""),
        ("-", ""),
        ("/dev/null", ""),
    ],
)
def test_another_ending_has_a_note(name, said, capsys):
    note_ending("--tsv", Path(name), "tab-separated text", (".tsv", ".txt"))
    told = capsys.readouterr().err
    assert said in told
    assert bool(said) == bool(told)


def test_a_workbook_packed_is_one_too():
    with pytest.raises(InputError, match="no workbooks"):
        refuse_workbook("--output", Path("x.xlsx.gz"))
