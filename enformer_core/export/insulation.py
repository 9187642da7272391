"""What attention does at boundaries against their controls: `insulation.tsv`, and `maps.npz` for the picture."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from jaxtyping import Float64

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.export.whole_file import whole_file
from enformer_core.insulators.summary import contrasts, mean_maps

_COLUMNS = ("pairs", "boundaries", "controls", "difference", "low", "high")

_INSULATION = "insulation"
_MAPS = "attention_maps"


def export_insulation(ledger: Ledger, path: Path) -> int:
    """Write both files into a directory.

    `insulation.tsv` has a line for each layer (`mean` for the mean over them) and statistic; `maps.npz` the arrays
    `boundaries` and `controls`, mean maps over what distance gives, and `position_bp`, how far right of the place each
    pixel's middle lies.

    Returns:
        How many places there are.

    Raises:
        InputError: for a run of another kind, one in which no boundary has a control, or where nothing can be written.
    """
    insulation = insulation_of(ledger)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made: {error.strerror}") from error
    lines = [f"{line}\n" for line in _lines(insulation)]
    text = "".join(lines)
    with whole_file(path / "insulation.tsv") as file:
        file.write(text.encode())
    maps = mean_maps(map_rows(ledger))
    # both kinds have maps of one size
    pixels = maps["boundaries"].shape[0]
    middles_bp = _middles_bp(pixels, window_of(ledger))
    with whole_file(path / "maps.npz") as file:
        np.savez_compressed(
            file,
            boundaries=maps["boundaries"],
            controls=maps["controls"],
            position_bp=middles_bp,
        )
    return insulation["place"].n_unique()


def _lines(insulation: pl.DataFrame) -> Iterator[str]:
    """The table as text: its header, and a line for each layer and statistic."""
    yield "\t".join(("layer", "statistic", *_COLUMNS))
    for each in contrasts(insulation):
        # null in tables, where numbers stand; here a word says more
        layer = "mean" if each.layer is None else each.layer
        values = [getattr(each.contrast, name) for name in _COLUMNS]
        cells = (layer, each.statistic, *values)
        yield "\t".join(map(str, cells))


def _middles_bp(pixels: int, window_bp: int) -> Float64[np.ndarray, " pixels"]:
    """How far right of the place the middle of each pixel lies."""
    # of 4 pixels over 400 bp: -150 -50 50 150
    pixel_bp = window_bp / pixels
    middles = np.arange(pixels) + 0.5
    return middles * pixel_bp - window_bp / 2


def insulation_of(ledger: Ledger) -> pl.DataFrame:
    """The table of statistics, of what is committed.

    Raises:
        InputError: for a run of another kind.
    """
    run_type = ledger.run_type
    if _INSULATION not in run_type.tables:
        raise InputError(
            f"{ledger.store.location}: a run of {run_type.unit} with the tables {', '.join(run_type.tables)}; "
            "insulation comes from `enformer-ray insulators`"
        )
    tables = stored_tables(ledger, _INSULATION)
    parts = [table for _, table in tables]
    if not parts:
        raise InputError(f"{ledger.store.location}: no place is committed yet")
    whole = pa.concat_tables(parts)
    return pl.DataFrame(pl.from_arrow(whole))


def map_rows(ledger: Ledger) -> Iterator[Mapping[str, object]]:
    """`kind` and `values` of each place's map, one after another, of what is committed."""
    # shard by shard: for a mean no more than one map is needed at a time
    for _, table in stored_tables(ledger, _MAPS):
        maps = table.select(["kind", "values"])
        yield from maps.to_pylist()


def window_of(ledger: Ledger) -> int:
    """How many bases a map's side is."""
    window_bp: int = ledger.run.identity["geometry"]["window_bp"]
    return window_bp
