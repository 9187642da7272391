"""How pairs are planned: those of one gene are one shard, since each shard reads its windows anew."""

import pytest

from enformer_core.analyses.link_spec import LinkSpec
from enformer_core.analyses.links import Links
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.genome.fasta import Genome
from enformer_core.links.files import LinkFiles
from enformer_core.links.linking import Linking
from enformer_core.models.geometry import Geometry
from tests.support.genomes import write_fasta

GEOMETRY = Geometry(window_bp=1_024, bin_bp=128, bins=4)


@pytest.fixture
def files(tmp_path):
    """Genes with 3, 5 and 1 elements in their windows."""
    # of different lengths, or they would be taken for windows around TSSs
    genes = ["1000\t1300\tA\t0\t+", "5000\t5100\tB\t0\t-", "9000\t9100\tC\t0\t+"]
    (tmp_path / "genes.bed").write_text("".join(f"chr1\t{gene}\n" for gene in genes))
    elements = [800, 900, 1_000, 4_700, 4_800, 4_900, 5_000, 5_100, 9_000]
    lines = [f"chr1\t{at}\t{at + 50}" for at in elements]
    (tmp_path / "elements.bed").write_text("\n".join(lines) + "\n")
    write_fasta(tmp_path / "g.fa", {"chr1": "C" * 12_000})
    return tmp_path


@pytest.mark.parametrize(
    ("shard_size", "rows"),
    [(None, [3, 5, 1]), (1, [1] * 9), (2, [3, 2, 3, 1])],
)
def test_the_pairs_of_a_gene_are_one_shard(files, shard_size, rows):
    genome = files / "g.fa"
    analysis = Links(
        inputs=ModelInputs("motif", None, "0" * 64, "human", (0,), str(genome)),
        geometry=GEOMETRY,
        genome=Genome(genome),
        files=LinkFiles(
            genes=str(files / "genes.bed"),
            candidates=str(files / "elements.bed"),
            genome=str(genome),
            gene_types=(),
            tss="outermost",
            expressed_only=False,
            activity_columns=(),
            activity="none",
        ),
        linking=Linking(with_abc=False),
        spec=LinkSpec(groups=(), strands="forward", scores=("gradient",), shuffles=0, seed=0),
        shard_size=shard_size,
        warn=print,
    )
    drafted = analysis.drafted()
    assert [shard.rows for shard in drafted.draft("").shards] == rows
