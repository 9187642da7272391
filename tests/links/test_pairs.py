"""Every pair within reach is found once, whatever the blocks; none beyond."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.links.pairs import pair_blocks


def tables(tss, elements):
    genes = pl.DataFrame(tss, schema={"chrom": pl.String, "tss": pl.Int64}, orient="row")
    schema = {"chrom": pl.String, "start": pl.Int64, "end": pl.Int64}
    return genes, pl.DataFrame(elements, schema=schema, orient="row")


def found(genes, candidates, *, window_bp, most=1 << 20):
    """Pairs as (gene, candidate, distance), block by block."""
    blocks = pair_blocks(genes, candidates, window_bp=window_bp, most=most)
    return [
        list(
            zip(
                block.gene.tolist(),
                block.candidate.tolist(),
                block.distance_bp.tolist(),
                strict=True,
            )
        )
        for block in blocks
    ]


def test_distances_are_from_the_middle_and_the_window_has_no_ends():
    # middles 100, 103.5 and 110; of a TSS at 105 the first is 5 away, the last too
    genes, candidates = tables([("1", 105)], [("1", 90, 110), ("1", 103, 104), ("1", 109, 111)])
    assert found(genes, candidates, window_bp=5) == [[(0, 1, 1.5)]]
    assert found(genes, candidates, window_bp=6) == [[(0, 0, 5.0), (0, 1, 1.5), (0, 2, 5.0)]]


def test_chromosomes_are_apart():
    genes, candidates = tables([("2", 5), ("1", 5), ("3", 5)], [("1", 4, 6), ("2", 4, 6)])
    assert found(genes, candidates, window_bp=10) == [[(1, 0, 0.0)], [(0, 1, 0.0)]]


def test_nothing_in_reach_is_no_block():
    genes, candidates = tables([("1", 5), ("2", 5)], [("1", 40, 60)])
    assert found(genes, candidates, window_bp=10) == []


PLACES = st.tuples(st.sampled_from(["1", "2"]), st.integers(0, 60))


@given(
    st.lists(PLACES, min_size=1, max_size=12),
    st.lists(st.tuples(PLACES, st.integers(1, 9)), min_size=1, max_size=12),
    st.integers(1, 40),
    st.integers(1, 9),
)
def test_all_pairs_and_no_others_in_blocks_that_are_small(tss, elements, window_bp, most):
    genes, candidates = tables(
        tss, [(chrom, start, start + length) for (chrom, start), length in elements]
    )
    by_hand = set()
    for at, (chrom, place) in enumerate(tss):
        for row, (of, start, end) in enumerate(candidates.rows()):
            distance = abs((start + end) / 2 - place)
            if of == chrom and distance < window_bp:
                by_hand.add((at, row, distance))
    blocks = found(genes, candidates, window_bp=window_bp, most=most)
    pairs = [pair for block in blocks for pair in block]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == by_hand
    for block in blocks:
        of_genes = [gene for gene, _, _ in block]
        # a larger block is one gene's, and a gene is never in two
        assert len(block) <= most or len(set(of_genes)) == 1
        assert sum(gene in of_genes for gene, _, _ in pairs) == len(block)
        assert len(np.flatnonzero(np.diff(of_genes))) == len(set(of_genes)) - 1
