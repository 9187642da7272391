"""A gene's bins follow its bases: where a base lies is looked up in the very sequences that are predicted."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import encode
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.base_bins import bins_of_allele
from enformer_core.scoring.conventions import INDEL_RULES, WINDOW_RULES, Conventions
from enformer_core.scoring.gene_bins import GeneReach
from enformer_core.scoring.windows import (
    Allele,
    alternate_sequence,
    alternate_windows,
    compared_windows,
    reference_sequence,
    reference_windows,
    window_start,
)
from tests.support.genes import gene, genes

GEOMETRY = Geometry(window_bp=320, bin_bp=8, bins=20)
"""Bins of 8 bp; 80 bp at each end are not predicted."""

CONTIG_BP = 900

MARK = "G"


def conventions_of(rule="left-fixed", **how):
    usual = {"geometry": GEOMETRY, "statistics": ("sad",), "centre_index": 159}
    return Conventions(**(usual | {"indel_rule": rule} | how))


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """A contig of A; a base that is looked for is put in by hand."""
    path = tmp_path_factory.mktemp("genome") / "a.fa"
    path.write_text(f">c\n{'A' * CONTIG_BP}\n")
    return Genome(path)


class Marked(Genome):
    """The genome with one base changed to another letter."""

    def __init__(self, genome, position):
        super().__init__(genome.path)
        self.genome, self.position = genome, position

    def fetch(self, contig, start, end):
        codes = np.array(self.genome.fetch(contig, start, end))
        if start <= self.position < end:
            codes[self.position - start] = encode(MARK)[0]
        return codes


def bin_in(comparisons, sequence_of, which):
    """The output bin in which the marked base lies in a stitched profile; None where no piece has it."""
    for comparison in comparisons:
        codes = sequence_of(getattr(comparison, which))
        (at,) = np.flatnonzero(codes == encode(MARK)[0]).tolist() or [None]
        if at is not None and GEOMETRY.output_bin(at) in comparison.bins:
            return GEOMETRY.output_bin(at)
    return None


@given(
    rule=st.sampled_from(WINDOW_RULES),
    start=st.integers(320, 340),
    ref_bp=st.integers(1, 30),
    alt_bp=st.integers(1, 30),
    away=st.integers(-90, 110),
    offset=st.sampled_from([0, 16]),
)
def test_bins_are_where_the_base_lies(genome, rule, start, ref_bp, alt_bp, away, offset):
    is_second = rule == "right-fixed"
    conventions = conventions_of("compensated" if is_second else rule, max_offset_bp=offset)
    position = start + away
    # a base within REF has no letter of its own in the alternate sequence
    assume(not 0 <= away < ref_bp)
    allele = Allele("c", start, "A" * ref_bp, "C" * alt_bp)
    window = int(window_start(start, conventions))
    stitch = conventions.stitch_bin(conventions.offset_bp(start, window))
    comparisons = compared_windows(
        reference_windows(allele, window, rule, stitch),
        alternate_windows(allele, window, rule, stitch),
        GEOMETRY.bins,
    )
    marked = Marked(genome, position)
    reference = bin_in(
        comparisons, lambda w: reference_sequence(marked, "c", w, GEOMETRY.window_bp), "reference"
    )
    alternate = bin_in(
        comparisons,
        lambda w: alternate_sequence(marked, allele, w, GEOMETRY.window_bp),
        "alternate",
    )
    reach = GeneReach(genes(gene("g", position)), conventions)
    predicted = predicted_bins(allele, window, position, conventions, rule)
    # beside a stitch a base may lie in no piece: then its half's first or last bin stands for it
    if reference is not None:
        assert predicted[0] == reference
    if alternate is not None:
        assert predicted[1] == alternate
    if rule != "stitched":
        assert predicted == [reference, alternate]
    in_reach = None not in predicted
    if is_second:
        # of alleles that are compared twice, in both
        in_reach &= None not in predicted_bins(allele, window, position, conventions, "left-fixed")
    found = reach.of_allele(allele, window, rule)
    assert [each.gene.name for each in found] == ["g"] * in_reach


def predicted_bins(allele, window, position, conventions, rule):
    """The bins of a base in both profiles, None where it is not predicted."""
    found = bins_of_allele(allele, window, np.array([position]), conventions, rule)
    return [
        int(each[0]) if 0 <= each[0] < GEOMETRY.bins else None
        for each in (found.reference, found.alternate)
    ]


def only(reach, allele, window):
    (found,) = reach.of_allele(allele, window)
    return found


SNV = Allele("c", 400, "A", "C")

WINDOW = 400 - 159
"""Of it, bins 0 … 20 cover 321 … 481; the SNV lies in bin 9."""


def test_the_bins_around_each_tss_once():
    reach = GeneReach(genes(gene("g", 337, 343, 350, 425)), conventions_of())
    found = only(reach, SNV, WINDOW)
    # bases 337 and 343 lie in bin 2, 350 in bin 3, 425 in bin 13
    assert found.tss.reference == (1, 2, 3, 4, 12, 13, 14)
    assert found.tss.alternate == found.tss.reference
    assert found.exons is None


@pytest.mark.parametrize(
    ("count", "bins"), [(1, (13,)), (2, (12, 13)), (3, (12, 13, 14)), (5, (11, 12, 13, 14, 15))]
)
def test_how_many_bins(count, bins):
    reach = GeneReach(genes(gene("g", 425)), conventions_of(), tss_bins=count)
    assert only(reach, SNV, WINDOW).tss.reference == bins


def test_bins_at_the_ends_of_the_output():
    reach = GeneReach(
        genes(gene("left", 321), gene("right", 480), gene("beyond", 481), gene("before", 320)),
        conventions_of(),
    )
    found = {each.gene.name: each.tss.reference for each in reach.of_allele(SNV, WINDOW)}
    assert found == {"left": (0, 1), "right": (18, 19)}


def test_a_tss_out_of_reach_adds_no_bins():
    reach = GeneReach(genes(gene("g", 100, 425)), conventions_of())
    found = only(reach, SNV, WINDOW)
    assert found.tss.reference == (12, 13, 14)
    assert found.distance_bp == -25


@pytest.mark.parametrize(
    ("strand", "start", "distance"),
    [("+", 390, -10), ("+", 400, 0), ("+", 404, 4), ("-", 390, 10), ("-", 404, -4), ("-", 409, 1)],
)
def test_distances_run_along_transcription(strand, start, distance):
    tss = (400,) if strand == "+" else (400, 410)
    reach = GeneReach(genes(gene("g", *tss, strand=strand)), conventions_of())
    assert only(reach, Allele("c", start, "A", "C"), start - 159).distance_bp == distance


def test_bases_behind_an_insertion_move_and_others_do_not():
    reach = GeneReach(genes(gene("left", 350), gene("right", 430)), conventions_of())
    insertion = Allele("c", 400, "A", "A" * 17)  # 16 bp, two bins
    left, right = reach.of_allele(insertion, WINDOW)
    assert left.tss.reference == left.tss.alternate == (2, 3, 4)
    assert right.tss.reference == (12, 13, 14)
    assert right.tss.alternate == (14, 15, 16)


def test_a_tss_that_an_insertion_pushes_out_is_not_in_reach():
    reach = GeneReach(genes(gene("g", 470)), conventions_of())
    assert reach.of_allele(SNV, WINDOW)
    assert not reach.of_allele(Allele("c", 400, "A", "A" * 17), WINDOW)
    # and a deletion draws no gene in: it is not predicted of the reference
    reach = GeneReach(genes(gene("g", 490)), conventions_of())
    assert not reach.of_allele(Allele("c", 400, "A" * 17, "A"), WINDOW)


def test_a_deleted_tss_lies_where_the_allele_does():
    reach = GeneReach(genes(gene("g", 420)), conventions_of())
    found = only(reach, Allele("c", 400, "A" * 41, "A"), WINDOW)
    assert found.tss.reference == (11, 12, 13)
    assert found.tss.alternate == (8, 9, 10)


def test_exons_cover_every_bin_that_they_touch():
    exons = ((330, 331), (344, 362), (470, 600))
    reach = GeneReach(
        genes(gene("g", 330, exons=exons, end=600)), conventions_of(), with_exons=True
    )
    assert only(reach, SNV, WINDOW).exons.reference == (1, 2, 3, 4, 5, 18, 19)
    moved = only(reach, Allele("c", 400, "A", "A" * 9), WINDOW)
    # of bases 470 … 480, those from 473 on are pushed out
    assert moved.exons.reference == (1, 2, 3, 4, 5, 18)
    assert moved.exons.alternate == (1, 2, 3, 4, 5, 19)


def test_bins_that_an_insertion_pushes_out_are_left_out_of_both():
    reach = GeneReach(genes(gene("g", 466)), conventions_of())
    assert only(reach, SNV, WINDOW).tss.reference == (17, 18, 19)
    moved = only(reach, Allele("c", 400, "A", "A" * 9), WINDOW)
    assert moved.tss.reference == (17, 18)
    assert moved.tss.alternate == (18, 19)


def table(alleles, status="ok"):
    columns = {
        "chrom": [allele.contig for allele in alleles],
        "start": [allele.start for allele in alleles],
        "ref": [allele.ref for allele in alleles],
        "alt": [allele.alt for allele in alleles],
        "status": [status] * len(alleles),
    }
    return pa.table(columns)


@settings(max_examples=30)
@given(
    starts=st.lists(
        st.tuples(st.integers(330, 500), st.integers(1, 12), st.integers(1, 12)), max_size=9
    ),
    sites=st.lists(st.lists(st.integers(150, 700), min_size=1, max_size=3), min_size=1, max_size=6),
    rule=st.sampled_from(INDEL_RULES),
)
def test_planned_genes_are_those_of_each_allele(starts, sites, rule):
    conventions = conventions_of(rule, max_offset_bp=32)
    reach = GeneReach(genes(*(gene(f"g{at}", *each) for at, each in enumerate(sites))), conventions)
    alleles = [Allele("c", start, "A" * ref, "C" * alt) for start, ref, alt in starts]
    alleles += [Allele("d", 400, "A", "C")]
    planned = reach.gene_ids(table(alleles)).to_pylist()
    windows = [int(window_start(each.start, conventions)) for each in alleles]
    by_allele = [
        [found.gene.id for found in reach.of_allele(allele, window)]
        for allele, window in zip(alleles, windows, strict=True)
    ]
    assert planned == by_allele


def test_what_is_not_scored_has_no_genes():
    reach = GeneReach(genes(gene("g", 400)), conventions_of())
    rows = pa.concat_tables([table([SNV]), table([SNV], "ref_mismatch"), table([SNV])])
    nothing = pa.table({name: pa.nulls(1, rows[name].type) for name in rows.column_names})
    nothing = nothing.set_column(4, "status", [["malformed"]])
    assert reach.gene_ids(pa.concat_tables([rows, nothing])).to_pylist() == [["g"], [], ["g"], []]


def test_bins_that_cannot_be_summed_are_refused():
    for count in (0, 21):
        with pytest.raises(InputError, match=f"--tss-bins {count}: must be between 1 and 20"):
            GeneReach(genes(gene("g", 400)), conventions_of(), tss_bins=count)
    with pytest.raises(InputError, match=r"--exon-tracks: genes\.bed has no exons of 1 gene, b"):
        GeneReach(
            genes(gene("a", 400, exons=((400, 500),)), gene("b", 410)),
            conventions_of(),
            with_exons=True,
        )
