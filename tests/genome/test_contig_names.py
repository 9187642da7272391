"""What the genome calls otherwise than an input is said in few words."""

import pytest

from enformer_core.genome.contig_names import called_otherwise

GENOME = dict.fromkeys(map(str, range(1, 23)), 10)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["chr22"], "chr22 is called 22 in the genome, here and in the output"),
        (["22", "chrUn"], None),
        (
            [f"chr{number}" for number in range(1, 6)],
            "chr1, chr2, chr3 and 2 more are called 1, 2, 3 and 2 more in the genome, here and in the output",
        ),
    ],
)
def test_names_that_differ_are_said(names, said):
    assert called_otherwise([*names, *names], GENOME) == said
