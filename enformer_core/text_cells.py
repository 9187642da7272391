"""Tables as lines of text, in which a name breaks no line and moves no terminal's cursor.

Knows texts. Does not know what they name.
"""

import polars as pl

from enformer_core.user_path import CONTROL_SIGNS, one_line


def one_line_cells(table: pl.DataFrame) -> pl.DataFrame:
    r"""A table whose cells of text stand in one line each: a tab stands there as `\t`, an escape as `\x1b`.

    Names are the input's, and may hold anything. Parquet has them as they are.
    """
    texts = [name for name, kind in table.schema.items() if kind == pl.String]
    has_signs = table.select(pl.col(texts).str.contains(CONTROL_SIGNS).any())
    # most tables have none, and are as they were
    strange = [name for name in texts if has_signs[name].item()]
    return table.with_columns(
        pl.col(name).map_elements(one_line, return_dtype=pl.String) for name in strange
    )
