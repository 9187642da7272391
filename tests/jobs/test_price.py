"""A price is what somebody pays."""

from jobs import exit_codes

COST = ["--price-per-hour", "-1"]


def test_nobody_is_paid_for_computing(run, vcf, genome, tmp_path):
    for command in (["plan", vcf, "--genome", genome, "--hardware", "l4"], ["status", tmp_path]):
        code, _, errors = run(*command, *COST)
        assert code == exit_codes.BAD_INPUT
        assert "--price-per-hour -1.0: must be 0 or more" in errors
