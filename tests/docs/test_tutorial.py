"""docs/tutorial.md runs as it stands, from its first block to its last, and prints what the page shows."""

import pytest

from tests.support.notebooks import told
from tests.support.page_blocks import PRINTED, ROOT, blocks_of

PAGE = ROOT / "docs" / "tutorial.md"

BLOCKS = [block for block in blocks_of(PAGE) if block.is_run]


def rows(text):
    """Lines without how wide columns are."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" -")]


def words_and_numbers(line):
    return told([{"text": [line]}])


@pytest.mark.full
def test_every_block_runs_and_prints_what_is_shown(shell):
    run, _ = shell
    printed = []
    shown = 0
    for block in BLOCKS:
        if block.language != PRINTED:
            printed = rows(run(block.text))
            continue
        found = [words_and_numbers(line) for line in printed]
        for line in rows(block.text):
            words, numbers = words_and_numbers(line)
            near = pytest.approx(numbers, rel=0.02, abs=0.02)
            assert any(told_words == words and told == near for told_words, told in found), line
            shown += 1
    assert shown > 20


def test_the_page_goes_all_the_way():
    commands = "\n".join(block.text for block in BLOCKS if block.language == "sh")
    for name in ("demo --gwas", "plan", "score", "verify", "query", "finemap", "--prior"):
        assert f"enformer-ray {name}" in commands or f" {name} " in commands
