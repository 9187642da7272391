"""`run.report()`: the page of `enformer-ray report`, in a notebook or as a file."""

from html import unescape

import numpy as np
import pytest

import enformer_core
from tests.support.genomes import write_fasta
from tests.support.pages import Page, check_sound
from tests.support.scored_files import scored_file_run
from tests.support.vcf import write_vcf
from tests.support.wide_runs import begun_wide_run, wide_run

VALUES = np.random.default_rng(4).normal(size=(6, 3)).astype(np.float32)


@pytest.fixture
def reported(tmp_path):
    wide_run(tmp_path / "run", VALUES)
    return enformer_core.open_run(tmp_path / "run").report()


def test_it_is_the_commands_page(reported, tmp_path):
    page = Page(reported.html)
    check_sound(page)
    strongest = f"{np.abs(VALUES).max():.4g}"
    assert strongest in reported.html
    assert f"enformer-ray query {tmp_path / 'run'}" in unescape(reported.html)
    assert repr(reported).startswith(f"RunReport of {tmp_path / 'run'}: ")


def test_it_is_saved_whole(reported, tmp_path):
    reported.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == reported.html
    with pytest.raises(enformer_core.InputError, match="nowhere"):
        reported.save(tmp_path / "nowhere" / "report.html")


def test_a_notebook_shows_it_in_a_frame_that_reaches_nothing(reported):
    shown = reported._repr_html_()
    tag, _, page = shown.partition(' srcdoc="')
    assert tag.startswith("<iframe ")
    assert 'sandbox="allow-scripts"' in tag
    assert page.count('"') == 1
    assert unescape(page.partition('"')[0]) == reported.html


def test_an_unfinished_run_says_so(tmp_path):
    begun_wide_run(tmp_path / "run", VALUES)
    report = enformer_core.open_run(tmp_path / "run").report()
    assert "This run is not complete: 0 of 6" in report.html


def test_it_is_saved_over_nothing_that_the_run_is_or_was_made_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 500})
    vcf = write_vcf(tmp_path / "v.vcf", [("chr1", 101, "A", "G")])
    scored_file_run(tmp_path / "run", [vcf], fasta)
    report = enformer_core.open_run("run").report()
    before = vcf.read_bytes()
    for name, said in (("v.vcf", "v.vcf"), ("g.fa", "which the run"), ("run/a.html", "lies in")):
        with pytest.raises(enformer_core.InputError, match=said):
            report.save(name)
    assert vcf.read_bytes() == before
    assert not (tmp_path / "run/a.html").exists()


def test_damage_is_named_and_no_librarys_traceback_is(tmp_path):
    wide_run(tmp_path / "run", VALUES)
    (scores, *_) = sorted((tmp_path / "run/scores").rglob("*.parquet"))
    scores.write_bytes(scores.read_bytes()[:-40])
    with pytest.raises(enformer_core.DatasetError) as raised:
        enformer_core.open_run(tmp_path / "run").report()
    said = str(raised.value)
    assert scores.name in said
    assert "enformer-ray verify" in said
    assert "Traceback" not in said
