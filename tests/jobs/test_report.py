"""`enformer-ray report`: every number on the page is what the command beside it answers, of every kind of run."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from jobs import exit_codes
from jobs.cli import main
from tests.support.genes import write_bed
from tests.support.genomes import OTHER
from tests.support.pages import Page, check_numbers, check_sound
from tests.support.vcf import write_vcf
from tests.support.wide_runs import wide_run

SMALL = ["--model", "motif", "--ray", "off", "--strands", "forward", "--shard-size", "2"]


@pytest.fixture
def read(run, tmp_path):
    """Make the report of a run and read it: it must be sound, and its numbers the commands' own."""

    def call(place, *more, code=0):
        out = tmp_path / "report.html"
        found, _, error = run("report", place, "--out", out, *more)
        assert found == code, error
        page = Page(out.read_text())
        check_sound(page)
        assert check_numbers(page, run) > 10
        return page

    return call


@pytest.fixture(scope="module")
def genes(tmp_path_factory):
    """One gene, on chr1."""
    path = tmp_path_factory.mktemp("genes") / "genes.bed"
    return write_bed(path, [("chr1", 900, 1_500, "NEAR", "+")])


@pytest.fixture
def scored(finished, genes):
    """A run of two statistics, audited as a whole, with genes and an allele that cannot be scored."""
    more = ["--statistics", "sad,js", "--audit-fraction", "1"]
    return finished("scored", "--genes", str(genes), *SMALL, *more)


def column(table, name):
    place = table.columns.index(name)
    return [row[place].text for row in table.rows]


def figure(page, key):
    """The figure of this place in its source; where it stands twice, both are the same."""
    (text,) = {each.rows[0][0].text for each in page.figures if each.key == key}
    return text


def tables_with(page, name):
    return [table for table in page.tables if name in table.columns]


def test_a_run_of_scores(read, scored, run):
    page = read(scored)
    status = json.loads(run("status", scored, "--json")[1])
    for name, rows in status["by_status"].items():
        assert figure(page, f"by_status.{name}") == str(rows)
    (examples,) = tables_with(page, "reason")
    assert column(examples, "status") == ["symbolic"]
    # the audit by kind of allele, and who computed it
    (audit,) = tables_with(page, "audited")
    assert {"SNV", "deletion"} == set(column(audit, "kind"))
    (workers,) = tables_with(page, "device")
    assert column(workers, "engine") == ["delta"]
    # its strongest effects bear the gene that is nearest
    effects = tables_with(page, "gene_bp")
    assert len(effects) == 2
    genes = dict(
        zip(column(effects[0], "variant_id"), column(effects[0], "gene_name"), strict=True)
    )
    assert genes
    assert all((gene == "NEAR") == name.startswith("chr1") for name, gene in genes.items()), genes
    assert "Karollus" in page.text
    assert "DEMONSTRATION" in page.text
    assert "--statistics" in page.text
    # a setting that is the default is not told
    assert "--top-tracks" not in page.text


def test_how_effects_are_distributed_is_drawn_once_for_each_statistic(read, scored):
    page = read(scored)
    classes = [given.get("class") for _, given in page.elements]
    assert classes.count("picture") == 2
    assert sum("vegaEmbed=" in script or "vegaEmbed(" in script for script in page.scripts) <= 2
    (sizes, *_) = tables_with(page, "least_size")
    (tracks,) = [table for table in page.tables if table.columns == ["name", "count"]]
    rows = dict(zip(column(tracks, "name"), column(tracks, "count"), strict=True))
    # every value of every scored allele is in some step
    scored_alleles = 5
    assert sum(
        int(each.replace(",", "")) for each in column(sizes, "value_count")
    ) == scored_alleles * int(rows["tracks"])


def test_a_run_under_way_says_so_and_tells_what_is_committed(read, scored):
    (scored / "manifest.json").unlink()
    first, *others = sorted((scored / "commits").iterdir())
    for path in others:
        path.unlink()
    page = read(scored, code=exit_codes.INCOMPLETE)
    assert "This run is not complete" in page.text
    assert int(figure(page, "rows_done")) == json.loads(first.read_text())["rows"]
    first.unlink()
    page = read(scored, code=exit_codes.INCOMPLETE)
    assert figure(page, "rows_done") == "0"
    assert "No alleles are answered yet" in page.text


def test_a_run_of_one_allele(read, run, genome, letters, tmp_path):
    ref = letters["chr1"][999]
    file = write_vcf(tmp_path / "one.vcf", [("chr1", 1000, ref, OTHER[ref])])
    out = tmp_path / "one"
    assert run("score", file, "--genome", genome, "--out", out, *SMALL)[0] == 0
    page = read(out)
    assert figure(page, "rows") == figure(page, "by_status.ok") == "1"


def test_a_run_in_which_nothing_could_be_scored(read, run, genome, tmp_path):
    file = write_vcf(tmp_path / "bad.vcf", [("chr9", 10 + at, "A", "C") for at in range(9)])
    out = tmp_path / "bad"
    run("score", file, "--genome", genome, "--out", out, "--allow-mismatch", *SMALL)
    page = read(out)
    (examples,) = tables_with(page, "reason")
    assert len(examples.rows) == 4
    assert "the genome has no contig 'chr9'" in column(examples, "reason")[0]
    assert "no allele has values" in page.text


def test_tables_beside_a_run_and_files_of_the_readers_own(read, run, scored, tmp_path):
    null = tmp_path / "null.parquet"
    assert run("calibrate", scored, "--out", null)[0] == 0
    assert run("percentiles", scored, "--null", null)[0] == 0
    assert run("summarise", scored, "--by", "assay")[0] == 0
    table = tmp_path / "locus.tsv"
    table.write_text("id\tpip_uniform\tpip_prior\nrs1\t0.25\t0.125\nrs2\t0.5\t0.75\n")
    other = tmp_path / "other.tsv"
    other.write_text("a\tb\n1\tx\n")
    page = read(scored, "--attach", f"fine={table}", "--attach", f"plain={other}")
    (fine,) = tables_with(page, "pip_prior")
    assert column(fine, "id") == ["rs2", "rs1"]
    assert tables_with(page, "track_count")
    assert tables_with(page, "max_sad_phred")
    # the strongest effects are ranked in the track that they are of
    (effects, *_) = tables_with(page, "phred")
    assert all(column(effects, "phred"))


def test_components_beside_a_run(read, tmp_path):
    place = tmp_path / "wide"
    wide_run(place, np.random.default_rng(1).normal(size=(60, 12)).astype("f"))
    components = tmp_path / "pca.safetensors"
    assert main(["pca", "fit", str(place), "--components", "3", "--out", str(components)]) == 0
    assert main(["pca", "apply", str(place), "--pca", str(components)]) == 0
    (pca,) = tables_with(read(place), "pc3")
    sizes = [abs(float(row[2].number)) for row in pca.rows]
    assert sizes == sorted(sizes, reverse=True)


def test_tiles_contributions_and_links(read, run, genome, tmp_path):
    regions = tmp_path / "r.bed"
    regions.write_text("chr1\t1000\t1400\tgene\t0\t+\n")
    elements = tmp_path / "e.bed"
    elements.write_text("chr1\t500\t700\te1\n")
    motif = ["--genome", genome, "--model", "motif", "--ray", "off", "--strands", "forward"]
    group = ["--group", "GATA1=motif-GATA1"]
    commands = {
        "tiles": ["tiles", "--tracks", "1,2", "--regions", regions],
        "contributions": ["attribute", regions, *group],
        "links": ["links", "--genes", regions, "--candidates", elements, *group],
    }
    for name, words in commands.items():
        out = tmp_path / name
        code, _, error = run(*words, *motif, "--out", out)
        assert code == 0, error
        page = read(out)
        assert figure(page, "rows_done") == figure(page, "rows")
        assert ["name", "count"] in [table.columns for table in page.tables]


def test_what_the_page_is_written_over_and_where_it_lies(run, genome, tmp_path, vcf):
    scored = tmp_path / "scored"
    assert run("score", vcf, "--genome", genome, "--out", scored, *SMALL)[0] == 0
    out = tmp_path / "report.html"
    out.write_text("old")
    code, _, text = run("report", scored, "--out", out)
    assert code == 0
    assert "replaced the file that was there" in text
    for place in (vcf, scored / "report.html"):
        before = place.read_bytes() if place.exists() else None
        code, _, error = run("report", scored, "--out", place)
        assert code == exit_codes.BAD_INPUT
        assert str(place) in error
        assert (place.read_bytes() if place.exists() else None) == before
    assert run("report", tmp_path / "nothing", "--out", out)[0] == exit_codes.BAD_INPUT


def test_the_same_run_at_the_same_moment_has_the_same_page(run, scored, tmp_path, monkeypatch):
    class Then(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 11, 27, 12, 0, tzinfo=UTC)

    monkeypatch.setattr("jobs.report.datetime", Then)
    pages = []
    for name in ("a.html", "b.html"):
        assert run("report", scored, "--out", tmp_path / name)[0] == 0
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]
