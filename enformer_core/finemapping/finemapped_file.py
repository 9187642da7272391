"""The file that `enformer-ray finemap` wrote, read again: text, Parquet or JSON, of which every cell is held to be one.

Does not know what is made of it.
"""

import json
from pathlib import Path

import numpy as np
import polars as pl

from enformer_core.errors import InputError
from enformer_core.finemapping.fine_mapped import Floats, checked_probabilities, set_names
from enformer_core.finemapping.statistic_texts import are_missing, as_floats
from enformer_core.finemapping.variant_names import one_file

FITS = ("uniform", "prior")
"""By what its columns are called: without a prior, and with one."""

_NEEDED = ("id", "chrom", "pos", *(f"{kind}_{fit}" for fit in FITS for kind in ("pip", "set")))


def read_finemapped(option: str, name: str) -> pl.DataFrame:
    """Variants of a file that `finemap` wrote by `--out` or `--json`.

    Args:
        option: that named the file, for messages.
        name: a path or an object's address.

    Returns:
        `id`, `chrom`, `pos`, and of each fit `pip_…` (null where it has none) and `set_…` (null for none). Variants
        without a place are left out.

    Raises:
        InputError: for any other file, and for cells that are no numbers or probabilities.
    """
    table = _read(option, name)
    missing = [column for column in _NEEDED if column not in table.columns]
    if missing:
        raise InputError(
            f"{option} {name}: has no column {missing[0]}. Give the --out or the --json of `enformer-ray finemap`"
        )
    read = _Cells(f"{option} {name}", table.select(pl.col(_NEEDED).cast(pl.String)))
    columns = {column: read.texts[column] for column in ("id", "chrom")}
    columns["pos"] = pl.Series(read.numbers("pos"), nan_to_null=True).cast(pl.Int64, strict=False)
    for fit in FITS:
        columns[f"pip_{fit}"] = pl.Series(read.pips(f"pip_{fit}"), nan_to_null=True)
        of_sets = set_names(read.texts[f"set_{fit}"].to_arrow().cast("string"))
        columns[f"set_{fit}"] = pl.Series(of_sets, dtype=pl.String)
    return pl.DataFrame(columns).drop_nulls(["chrom", "pos"])


def _read(option: str, name: str) -> pl.DataFrame:
    path = one_file(name).path
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(path)
        if name.endswith(".json"):
            variants = json.loads(Path(path).read_text())["variants"]
            return pl.DataFrame(variants, infer_schema_length=None)
        return pl.read_csv(path, separator="\t", infer_schema=False, quote_char=None)
    except (pl.exceptions.PolarsError, ValueError, KeyError, TypeError, OSError) as error:
        # what the library says of it is of no use to who gave another file
        raise InputError(
            f"{option} {name}: is not what `enformer-ray finemap` writes by --out or --json"
        ) from error


class _Cells:
    """Cells of a file as text, and as what they must be."""

    def __init__(self, called: str, texts: pl.DataFrame) -> None:
        self._called = called
        self.texts = texts

    def numbers(self, column: str) -> Floats:
        """Numbers of a column; NaN where nothing stands."""
        cells = self.texts[column].to_arrow().cast("string")
        values = as_floats(cells)
        is_word = np.isnan(values) & ~are_missing(cells)
        for row in np.flatnonzero(is_word)[:1].tolist():
            raise InputError(
                f"{self._where(row)}: {column} {cells[row].as_py()!r} is no number; `enformer-ray finemap` writes one"
            )
        return values

    def pips(self, column: str) -> Floats:
        """Probabilities of a column; NaN where nothing stands."""
        return checked_probabilities(self.numbers(column), self._where, column)

    def _where(self, row: int) -> str:
        return f"{self._called}, variant {row + 1} ({self.texts['id'][row]})"
