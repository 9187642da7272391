"""How effects are distributed: shares by hand, and a sample of a run that is too large to be read as a whole."""

import json
import shlex

import numpy as np
import pytest

from enformer_core.report import distribution
from enformer_core.report.distribution_picture import (
    MOST_LINES,
    distribution_picture,
    shares_at_least,
)
from jobs.cli import main
from tests.support.pages import Page, check_numbers
from tests.support.wide_runs import wide_run


def test_shares_by_hand():
    # six values are 0, three from 0.1 on, one from 1 on; of the other assay all are from 2 on
    rows = [("A", 0.0, 6), ("A", 0.1, 3), ("A", 1.0, 1), ("B", 2.0, 4), ("C", 0.0, 5)]
    assert shares_at_least(rows).rows() == [
        ("A", 0.1, 0.4),
        ("A", 1.0, pytest.approx(0.1)),
        ("B", 2.0, 1.0),
    ]


def test_a_line_begins_where_not_all_values_are_larger():
    rows = [
        ("A", 10.0**power, count) for power, count in ((-5, 1), (-4, 1), (-3, 4_000), (0, 5_998))
    ]
    assert shares_at_least(rows)["size"].to_list() == [1e-3, 1.0]


def test_what_rounding_leaves_is_counted_and_not_drawn():
    rows = [("A", 1e-15, 4), ("A", 10.0, 4)]
    assert shares_at_least(rows).rows() == [("A", 10.0, 0.5)]
    picture = distribution_picture("sad", rows, [])
    assert "millionth of the largest" in picture.notes[0]
    assert distribution_picture("sad", rows[1:], []).notes == []


def test_of_many_assays_those_with_most_values_are_drawn():
    rows = [(f"assay {number}", 1.0, number) for number in range(1, MOST_LINES + 3)]
    picture = distribution_picture("sad", rows, ["a sample"])
    assert set(picture.table["assay"]) == {f"assay {number}" for number in range(3, MOST_LINES + 3)}
    assert picture.notes == [
        "a sample",
        f"Of {len(rows)} assays the {MOST_LINES} with most values are drawn.",
    ]
    assert "assay 9: the largest 1 to 1.778, one in a hundred 1 or more" in picture.description


def test_where_all_is_0_there_is_no_picture():
    assert distribution_picture("sad", [("A", 0.0, 6)], []) is None


def test_a_run_of_many_values_is_sampled_and_says_so(tmp_path, monkeypatch, capsys):
    values = np.random.default_rng(1).normal(size=(600, 4)).astype("f")
    place = tmp_path / "run"
    wide_run(place, values, shard_size=10)
    monkeypatch.setattr(distribution, "MOST_VALUES", 200)
    out = tmp_path / "report.html"
    assert main(["report", str(place), "--out", str(out)]) == 0
    page = Page(out.read_text())
    assert "A sample, since the run has 2,400 values" in page.text

    def run(*words):
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    capsys.readouterr()
    # its own numbers too are what the command answers
    assert check_numbers(page, run) > 100
    (table,) = [table for table in page.tables if "p99" in table.columns]
    words = shlex.split(page.commands[table.how])
    assert "run://scores/" in words[-1]
    capsys.readouterr()
    assert main([*words[1:], "--json"]) == 0
    read = sum(row["value_count"] for row in json.loads(capsys.readouterr().out))
    # 16 of 60 shards, of whose 160 alleles every third place or so
    assert 50 <= read <= 400
