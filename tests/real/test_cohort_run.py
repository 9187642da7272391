"""The main job on real cohort calls: whole, and the same on every path.

1,354 records of GRCh38 chr20:60,070-99,991, multi-allelic sites and MNVs among them, whose windows overhang the
chromosome's start.
"""

import gzip
import json

import duckdb
import pytest

from jobs.cli import main

RECORDS = 40
ONCE = ("--strands", "forward", "--audit-fraction", "0")
"""One pass of each window; `test_all_records` has both strands and the audit."""

SQL = "FROM read_parquet('{}/scores/**/*.parquet', hive_partitioning = true) SELECT * ORDER BY input_line, alt_index"


@pytest.fixture(scope="module")
def genome(data_dir):
    return data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz"


@pytest.fixture(scope="module")
def cohort(data_dir):
    return data_dir / "variants" / "dv_cohort-chr20_100k.vcf.gz"


@pytest.fixture(scope="module")
def first_records(cohort, tmp_path_factory):
    """The header and the first records, some multi-allelic and MNV records among them."""
    with gzip.open(cohort, "rt") as lines:
        text = lines.read().splitlines(keepends=True)
    header = [line for line in text if line.startswith("#")]
    path = tmp_path_factory.mktemp("cohort") / "first.vcf"
    path.write_text("".join(header + text[len(header) : len(header) + RECORDS]))
    return path


def expected_keys(path):
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [
        (number, index + 1)
        for number, line in enumerate(text.decode().splitlines(), 1)
        if not line.startswith("#")
        for index in range(len(line.split("\t")[4].split(",")))
    ]


def score(variants, genome, out, *more):
    arguments = ["score", variants, "--genome", genome, "--model", "motif", "--out", out, *more]
    assert main([str(argument) for argument in arguments]) == 0
    assert main(["verify", str(out)]) == 0
    return duckdb.sql(SQL.format(out)).fetchall()


def keys(out):
    return duckdb.sql(SQL.format(out)).select("input_line, alt_index").fetchall()


@pytest.fixture(scope="module")
def on_ray(first_records, genome, tmp_path_factory):
    """Scored by two workers on Ray."""
    out = tmp_path_factory.mktemp("runs") / "two-workers"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        return out, score(first_records, genome, out, "--workers", "2", *ONCE)


def test_every_alt_has_exactly_one_row(on_ray, first_records):
    out, _ = on_ray
    wanted = expected_keys(first_records)
    assert len(wanted) > RECORDS  # multi-allelic records are among them
    assert keys(out) == wanted
    assert json.loads((out / "manifest.json").read_text())["by_status"] == {"ok": len(wanted)}


def test_windows_over_the_chromosomes_start_are_padded_and_scored(on_ray):
    rows = (
        duckdb.sql(SQL.format(on_ray[0])).select("window_start, len(sad), max_abs_sad").fetchall()
    )
    assert all(start < 0 and tracks == 8 and largest is not None for start, tracks, largest in rows)
    assert any(
        largest > 5 for *_, largest in rows
    )  # some real variant makes or breaks a motif site


@pytest.mark.parametrize(
    "path",
    [
        ["--ray", "off", "--shard-size", "16"],
        pytest.param(["--workers", "1", "--shard-size", "16"], marks=pytest.mark.full),
    ],
    ids=["off", "one-worker"],
)
def test_the_same_rows_come_out_on_every_path(
    on_ray, first_records, genome, tmp_path, monkeypatch, path
):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert score(first_records, genome, tmp_path / "other", *ONCE, *path) == on_ray[1]


@pytest.mark.full
def test_all_records(cohort, genome, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    score(cohort, genome, tmp_path / "all", "--workers", "2")
    wanted = expected_keys(cohort)
    assert len({line for line, _ in wanted}) == 1354
    assert keys(tmp_path / "all") == wanted
