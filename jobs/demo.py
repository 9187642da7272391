"""`enformer-ray demo`: the whole path on a small made-up locus, ending in the answer to a question."""

from pathlib import Path

from enformer_core.demo import DEMO_SQL, write_demo
from jobs import exit_codes
from jobs.query import query
from jobs.score_variants import score_variants
from jobs.settings import ScoreSettings


def demo(out: str) -> int:
    """Write the locus, score its variants on Ray in this machine, and show which change most.

    Returns:
        The exit code.
    """
    files = write_demo(Path(out) / "input")
    run = f"{out}/run"
    print(f"variants: {files.variants}\ngenome:   {files.genome}")
    code = score_variants(
        ScoreSettings(variants=(str(files.variants),), genome=str(files.genome), model="motif", out=run)
    )
    if code != exit_codes.DONE:
        return code
    print(f"\nthe variants that change most:\n{DEMO_SQL}")
    return query(run, DEMO_SQL, as_json=False)
