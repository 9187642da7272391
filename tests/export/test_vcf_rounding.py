"""Tracks of which a value is rounding alone are named neither by `top` nor in a VCF."""

import json

import numpy as np
import pytest

from jobs.cli import main
from tests.support import scored_files
from tests.support.genomes import write_fasta
from tests.support.scored_files import scored_file_run
from tests.support.vcf import write_vcf


class OneActs:
    """The allele at 100 has 50 in a track; another has just more than a millionth of that in one, and less beside."""

    def __init__(self, failing=()):
        pass

    def score(self, alleles, start):
        return [self._of(allele) for allele in alleles]

    def _of(self, allele):
        sad = np.array([50.0, 0.0, 4e-5] if allele.start == 100 else [-4e-5, 6e-5, 0.0])
        return {"sad": sad, "d1": np.abs(sad), "log_sad": sad}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(scored_files, "ScorerByPlace", OneActs)
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 500})
    file = write_vcf(tmp_path / "v.vcf", [("chr1", 101, "A", "G"), ("chr1", 105, "A", "C")])
    scored_file_run(tmp_path / "run", [file], fasta)
    return str(tmp_path / "run")


def test_a_vcf_names_the_tracks_that_top_has(run, tmp_path, capsys):
    assert main(["export", run, "--vcf", str(tmp_path / "out.vcf")]) == 0
    lines = (tmp_path / "out.vcf").read_text().splitlines()
    texts = [line.split("\t")[7].split(";") for line in lines if not line.startswith("#")]
    told = [dict(text.split("=") for text in each) for each in texts]
    named = [[each.split("|")[1] for each in info["ER_TOP_sad"].split("&")] for info in told]
    # 50 · 1e-6 = 5e-5 lies between 4e-5 and 6e-5
    assert named == [["0"], ["5"]]
    # the largest stays as it is
    assert [info["ER_MAX_sad"] for info in told] == ["50.0", "6e-05"]
    capsys.readouterr()
    assert main(["query", run, "FROM top WHERE statistic = 'sad'", "--json"]) == 0
    top = json.loads(capsys.readouterr().out)
    assert [str(row["track_index"]) for row in top] == ["0", "5"]
