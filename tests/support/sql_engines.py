"""SQL engines that can be asked here, each skipped where it is not installed."""

import shutil
from decimal import Decimal

import pytest

from enformer_core.sql.dialects import DIALECTS

HERE = tuple(name for name, dialect in DIALECTS.items() if dialect.packages)

ALWAYS = ("duckdb", "polars", "datafusion")
"""Those that the tests' own environment has."""


def need(engine: str) -> None:
    """Skip the test where this engine does not run."""
    if engine in ALWAYS:
        return
    for package in DIALECTS[engine].packages:
        pytest.importorskip(package, reason=f"{engine} is not installed")
    if engine == "spark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")


def plain(rows: list[dict]) -> list[tuple]:
    """Rows as they can be compared: floats in the digits that 32 bits have."""
    return [tuple(map(_plain, row.values())) for row in rows]


def _plain(value):
    # Polars answers a division by a whole number with a decimal
    return float(f"{value:.6g}") if isinstance(value, float | Decimal) else value
