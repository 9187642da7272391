"""Boundaries and controls have names that no two share, whatever a BED file calls them."""

from collections import Counter

import numpy as np
import pytest

from enformer_core.analyses.insulator_plan import planned_places, read_boundaries
from enformer_core.genome.fasta import Genome
from enformer_core.genome.genes import Gene, Genes
from enformer_core.genome.regions import PlacedRegion
from enformer_core.insulators.controls import Matching
from enformer_core.models.geometry import ENFORMER
from tests.support.genomes import write_fasta

MATCHING = Matching(window_bp=1_024, gc=1.0, apart_bp=2_048, controls=2)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 65_536))
    path = write_fasta(tmp_path_factory.mktemp("genome") / "g.fa", {"chr1": letters})
    return Genome(path)


def boundaries(*names):
    """One every 4,096 bp."""
    regions = []
    for number, name in enumerate(names, 1):
        middle = 4_096 * number
        regions.append(PlacedRegion("chr1", middle - 10, middle + 10, name, None, f"line {number}"))
    return read_boundaries(regions, ENFORMER)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["x", "y", "x"], ["x@chr1:4096", "y", "x@chr1:12288"]),
        (["x", "x", "x@chr1:8192"], ["x@chr1:4096", "x@chr1:8192#2", "x@chr1:8192"]),
        (["chr1:8192", None], ["chr1:8192@chr1:4096", "chr1:8192@chr1:8192"]),
        ([None, "", "x"], ["chr1:4096", "chr1:8192", "x"]),
    ],
)
def test_boundaries_have_names_of_their_own(given, names):
    assert boundaries(*given).names == {"chr1": names}


def test_no_control_is_called_as_a_boundary_is(genome):
    given = boundaries("x", "x/control 1", "x/control 1#2")
    rows = planned_places(given, genome, None, MATCHING, 1).to_pylist()
    assert len(rows) == 9
    assert set(Counter(row["place"] for row in rows).values()) == {1}
    of_x = {row["place"] for row in rows if row["boundary"] == "x"}
    assert of_x == {"x", "x/control 1#3", "x/control 2"}


def test_a_contig_without_genes_does_not_stop_the_others(tmp_path):
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 65_536))
    genome = Genome(write_fasta(tmp_path / "g.fa", {"chr1": letters, "chr2": letters}))
    regions = [PlacedRegion(contig, 30_000, 30_100, contig, None) for contig in ("chr1", "chr2")]
    given = read_boundaries(regions, ENFORMER)
    gene = Gene("g", "g", None, "chr1", "+", 20_000, 21_000, (20_000,), ())
    matching = Matching(window_bp=1_024, gc=1.0, log10_tss=9.0, apart_bp=2_048)
    rows = planned_places(given, genome, Genes("genes.bed", (gene,)), matching, 1).to_pylist()
    statuses = {row["place"]: (row["status"], row["reason"]) for row in rows}
    assert statuses["chr1"] == statuses["chr1/control 1"] == ("ok", None)
    assert statuses["chr2"][0] == "unmatched"
    assert "chr2 has no gene" in statuses["chr2"][1]
