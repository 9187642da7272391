"""Records that name an assembly that is not the genome's."""

import pytest

from enformer_core.variants.named_assemblies import doubts_of_assembly
from enformer_core.variants.source import open_source

NAMED = {
    "id\nNC_000020.10:4:T:G\n": "GRCh37",
    "id\nNC_000020.11:4:T:G\n": None,
    "chr\tpos\tref\talt\nNC_000020.10\t5\tT\tG\n": "GRCh37",
    "chr\tpos\tid\tref\talt\n20\t5\tNC_000020.10:g.5T>G\tT\tG\n": "GRCh37",
    "variant_id\n20_5_T_G_b37\n": "GRCh37",
    "variant_id\n20_5_T_G_hg19\n": "GRCh37",
    "variant_id\n20_5_T_G_b38\n": None,
    "chr\tpos\tref\talt\tgenome_build\n20\t5\tT\tG\tGRCh37.p13\n": "GRCh37",
    "chr\tpos\tref\talt\tbuild\n20\t5\tT\tG\t36\n": "NCBI36",
    "chr\tpos\tref\talt\tbuild\n20\t5\tT\tG\thg38\n": None,
    "chr\tpos\tref\talt\tbuild\n20\t5\tT\tG\tNA\n": None,
}


@pytest.mark.parametrize("text", NAMED)
@pytest.mark.parametrize("genome", [("x.fa", "GRCh38 (hg38)"), ("grch38.chr20.fa.gz", None)])
def test_another_assembly_is_said(tmp_path, text, genome):
    path = tmp_path / "x.tsv"
    path.write_text(text)
    notes = doubts_of_assembly(open_source(path), *genome)
    assert [note.split("records name ")[1].split(" ")[0] for note in notes] == (
        [NAMED[text]] if NAMED[text] else []
    )


def test_a_genome_of_which_nothing_is_known(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("id\nNC_000020.10:4:T:G\n")
    assert not doubts_of_assembly(open_source(path), "x.fa", None)
    path.write_text("id\nNC_000020.10:4:T:G\nNC_000020.11:4:T:G\n")
    assert len(doubts_of_assembly(open_source(path), "x.fa", None)) == 2
