"""The lines of docs/pca.md make of scores what `pca apply` makes of them."""

import numpy as np

from enformer_core import open_run
from jobs.cli import main
from tests.support.page_blocks import ROOT, blocks_of
from tests.support.wide_runs import wide_run


def test_the_lines_give_what_the_command_gives(tmp_path, monkeypatch):
    (block,) = (
        block for block in blocks_of(ROOT / "docs" / "pca.md") if block.language == "python"
    )
    sad = np.random.default_rng(0).normal(size=(60, 6))
    wide_run(tmp_path / "run", sad)
    monkeypatch.chdir(tmp_path)
    assert main(["pca", "fit", "run", "--components", "3", "--out", "pca.safetensors"]) == 0
    assert main(["pca", "apply", "run", "--pca", "pca.safetensors"]) == 0
    scores = open_run("run").scores.collect()
    namespace = {"sad": np.stack(scores["sad"].to_list())}
    exec(block.text, namespace)
    table = open_run("run").table("pca").collect()
    applied = table.select("pc1", "pc2", "pc3").to_numpy()
    np.testing.assert_allclose(namespace["pc"], applied, atol=1e-5)
