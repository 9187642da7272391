"""`enformer-ray report`: every number on the page is what the command beside it answers, of every kind of run."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from enformer_core.dataset.shard_task import ShardTask
from jobs import exit_codes
from jobs.cli import main
from tests.support.attending import registered
from tests.support.genes import write_bed
from tests.support.genomes import OTHER, write_fasta
from tests.support.pages import Page, check_numbers, check_sound
from tests.support.vcf import write_vcf
from tests.support.wide_runs import begun_wide_run, wide_run

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
    assert "left-fixed" in page.text
    assert "as predicted" in page.text
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
    # each statistic is said to be what it is
    assert "value: alternate minus reference, summed over bins." in page.text
    assert "value: half the sum of both Kullback-Leibler divergences" in page.text
    for name, found in status["audit"].items():
        if found["without_effect"]:
            acting = found["audited"] - found["without_effect"]
            said = f"{name}: median and worst error rest on {acting} allele"
            none = f"{name}: none of the {found['audited']} alleles has an effect beyond rounding"
            assert (said if acting else none) in page.text
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


def test_a_run_that_has_lost_something_says_all_of_it(run, tmp_path):
    place = tmp_path / "lost"
    wide_run(place, np.zeros((14, 2), "f") + 1, shard_size=2)
    (place / "tracks.parquet").unlink()
    for path in (place / "commits").iterdir():
        path.unlink()
    code, _, error = run("report", place, "--out", tmp_path / "report.html")
    assert code == exit_codes.BAD_INPUT
    assert "9 objects are lost or damaged" in error
    assert "… and 4 more" in error
    page = (tmp_path / "report.html").read_text()
    assert "all figures here are of what is left" in page
    assert "… and 4 more" in page


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (
            "s3://nobucket/x.html",
            "--out s3://nobucket/x.html: is written to a file of this machine",
        ),
        ("page.jpg", "the page is HTML; name it page.html"),
        ("page", "the page is HTML; name it page.html"),
    ],
)
def test_names_that_a_page_cannot_have_are_refused(run, tmp_path, monkeypatch, out, message):
    monkeypatch.chdir(tmp_path)
    wide_run(tmp_path / "run", np.ones((2, 2), "f"))
    code, _, error = run("report", "run", "--out", out)
    assert code == exit_codes.BAD_INPUT
    assert message in error
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_in_which_nothing_could_be_scored(read, run, genome, tmp_path):
    file = write_vcf(tmp_path / "bad.vcf", [("chr9", 10 + at, "A", "C") for at in range(9)])
    out = tmp_path / "bad"
    run("score", file, "--genome", genome, "--out", out, "--allow-mismatch", *SMALL)
    page = read(out)
    (examples,) = tables_with(page, "reason")
    assert len(examples.rows) == 4
    assert "the genome has no contig 'chr9'" in column(examples, "reason")[0]
    assert "no allele has values" in page.text


@pytest.fixture(params=["one allele", "all failed", "none scorable", "under way"])
def odd_run(request, run, genome, letters, finished, tmp_path):
    """A run of which little or nothing has values, and the exit code of what reads it."""
    if request.param == "all failed":
        made = begun_wide_run(tmp_path / "failed", np.zeros((6, 2), "f"), shard_size=3)
        for shard in made.plan.shards:
            made.worker(ShardTask(shard).without(dict.fromkeys(range(3), "ValueError: planted")))
        made.ledger.finish(made.plan)
        return tmp_path / "failed", exit_codes.DONE
    if request.param == "under way":
        place = finished("under way", *SMALL)
        (place / "manifest.json").unlink()
        (_, *others) = sorted((place / "commits").iterdir())
        for path in others:
            path.unlink()
        return place, exit_codes.INCOMPLETE
    ref = letters["chr1"][999]
    alt = OTHER[ref] if request.param == "one allele" else "<DEL>"
    file = write_vcf(tmp_path / "few.vcf", [("chr1", 1000, ref, alt)])
    assert run("score", file, "--genome", genome, "--out", tmp_path / "few", *SMALL)[0] == 0
    return tmp_path / "few", exit_codes.DONE


def test_report_sql_and_status_have_the_same_numbers(read, run, odd_run):
    place, code = odd_run
    page = read(place, code=code)
    status = json.loads(run("status", place, "--json")[1])
    sql = "SELECT status, count(*) AS count FROM scores GROUP BY status ORDER BY status"
    counted = {
        each["status"]: each["count"] for each in json.loads(run("query", place, sql, "--json")[1])
    }
    assert status["by_status"] == counted
    shown = {
        each.key.removeprefix("by_status."): int(each.rows[0][0].text)
        for each in page.figures
        if each.key.startswith("by_status.")
    }
    assert shown == counted
    assert sum(counted.values()) == status["rows_done"] == int(figure(page, "rows_done"))
    contigs = [table for table in page.tables if table.columns == ["chrom", "count", "ok"]]
    (by_contig,) = contigs
    assert sum(int(each) for each in column(by_contig, "ok")) == counted.get("ok", 0)
    values = run("query", place, "SELECT count(*) AS count FROM effects", "--json")[1]
    (effects,) = json.loads(values)
    assert ("No allele has values." in page.text) == (effects["count"] == 0)


def test_a_run_of_insulators(read, run, tmp_path):
    sites = ("AGATAAGA" + "C" * 120, "CAAAGTCCA" + "C" * 119)
    letters = "".join(site * 1_000 for site in sites)
    genome = write_fasta(tmp_path / "domains.fa", {"chr1": letters})
    middle = len(letters) // 2
    boundaries = tmp_path / "boundaries.bed"
    boundaries.write_text(f"chr1\t{middle - 500}\t{middle + 500}\tb1\n")
    out = tmp_path / "insulators"
    words = ["--boundary-bp", "256", "--apart-bp", "20000", "--gc-within", "1", "--ray", "off"]
    with registered() as model:
        words += ["--strands", "forward", "--model", model, "--genome", genome, "--out", out]
        code, _, error = run("insulators", boundaries, *words)
        assert code == 0, error
        page = read(out)
    assert figure(page, "rows_done") == figure(page, "rows")
    (tables,) = tables_with(page, "name")
    rows = dict(zip(column(tables, "name"), column(tables, "count"), strict=True))
    (places,) = tables_with(page, "across")
    assert len(places.rows) == min(int(rows["insulation"]), 20)
    assert places.columns[0] == "chrom"
    assert set(column(places, "kind")) == {"boundary", "control"}


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
    assert "is suspect: whether" not in page.text
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
        # of values that are no effects, and of commands without that option
        assert "Before you read values" in page.text
        assert "minus reference" not in page.text
        assert "--audit-fraction" not in page.text


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
