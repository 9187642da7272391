"""A made-up study: one causal variant, files that other programs read, and nothing of anybody's written over."""

import gzip

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.finemapping.ld import open_panel
from enformer_core.finemapping.locus import put_together
from enformer_core.finemapping.study import StudyFile
from enformer_core.finemapping.susie import susie_rss
from jobs.cli import main
from jobs.gp1bb import SLICE_START, shipped_letters
from jobs.made_up_study import CAUSAL, PEOPLE, VARIANTS, made_up_study, write_study

DOES_SOMETHING = (CAUSAL, 77)
"""The variants that change a site of `motif_core`, as docs/tutorial.md shows."""


def pips(seed, weights=None):
    study = made_up_study(seed)
    fit = susie_rss(study.betas / study.errors, np.corrcoef(study.copies.T), PEOPLE, weights)
    return fit.pip[CAUSAL]


def test_of_twelve_studies_the_page_says_what_they_come_to():
    weights = np.full(VARIANTS, 0.01)
    weights[list(DOES_SOMETHING)] = 1
    seeds = range(1, 13)
    assert sum(pips(seed) > 0.5 for seed in seeds) == 6
    assert all(pips(seed, weights / weights.sum()) > 0.5 for seed in seeds)


def test_letters_are_the_genomes_and_sizes_are_those_of_the_people():
    study = made_up_study(3)
    letters = shipped_letters()
    assert [letters[start - SLICE_START] for start in study.starts] == study.refs
    assert sorted(study.starts) == study.starts
    copies = study.copies[:, CAUSAL]
    assert study.betas[CAUSAL] * copies.std() == pytest.approx(-np.sqrt(0.015), abs=0.06)
    frequencies = study.copies.mean(axis=0) / 2
    assert ((frequencies > 0.2) & (frequencies < 0.55)).all()


def test_files_say_what_the_study_is(tmp_path):
    names = {path.name for path in write_study(str(tmp_path / "locus"), 1)}
    assert names >= {"gwas.tsv", "panel.bed", "panel.bim", "panel.fam", "genes.bed", "truth.txt"}
    study = made_up_study(1)
    read = StudyFile(str(tmp_path / "locus" / "gwas.tsv")).read()
    data = put_together(read, open_panel(str(tmp_path / "locus" / "panel.bed")))
    # A1 is the rarer allele, in both files
    is_turned = study.copies.mean(axis=0) > 1
    signs = np.where(is_turned, -1, 1)
    assert is_turned.any()
    np.testing.assert_allclose(data.panel_z, signs * study.betas / study.errors, rtol=1e-4)
    expected = np.corrcoef((study.copies * signs).T)
    np.testing.assert_allclose(data.correlations, expected, atol=1e-9)
    assert "snv45" in (tmp_path / "locus" / "truth.txt").read_text()


def test_the_command_writes_it_once_and_over_nothing_else(tmp_path, capsys):
    place = tmp_path / "locus"
    assert main(["demo", "--gwas", str(place)]) == 0
    assert "enformer-ray docs tutorial" in capsys.readouterr().out
    assert gzip.decompress((place / "chr22.fa.gz").read_bytes()).startswith(b">chr22 GRCh37")
    assert main(["demo", "--gwas", str(place)]) == 0
    assert main(["demo", "--gwas", str(place), "--seed", "2"]) == 2
    said = capsys.readouterr().err
    assert "gwas.tsv: is there already, and is not what would be written" in said
    with pytest.raises(InputError, match="give a path"):
        write_study("s3://bucket/locus", 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_study(str(tmp_path / "file" / "locus"), 1)
