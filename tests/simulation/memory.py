"""Pure functions of tables and bytes, computed once for all worlds: a thousand worlds hold the same few tables.

Only the encoding is remembered. Every request to the store and every step of the code around it is taken.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.dataset.codec import Footer, canonical_json, from_parquet, to_parquet
from enformer_core.dataset.digests import content_digest

_MOST = 5_000
_of_table: dict[tuple[Any, ...], tuple[pa.Table, Any]] = {}
_of_bytes: dict[tuple[Any, ...], Any] = {}


def _by_table(name: str, table: pa.Table, more: Any, function: Callable[[], Any]) -> Any:
    key = (name, id(table), more)
    if key not in _of_table:
        if len(_of_table) >= _MOST:
            _of_table.clear()
        _of_table[key] = table, function()  # the table is kept, so that its id stays its own
    return _of_table[key][1]


def _by_bytes(key: tuple[Any, ...], function: Callable[[], Any]) -> Any:
    if key not in _of_bytes:
        if len(_of_bytes) >= _MOST:
            _of_bytes.clear()
        _of_bytes[key] = function()
    return _of_bytes[key]


_to_parquet, _from_parquet, _content_digest = to_parquet, from_parquet, content_digest


def to_parquet(table: pa.Table, footer: Footer) -> bytes:
    """`to_parquet`."""
    return _by_table("parquet", table, canonical_json(footer), lambda: _to_parquet(table, footer))


def from_parquet(content: bytes, name: str) -> tuple[pa.Table, Footer]:
    """`from_parquet`."""
    table, footer = _by_bytes(("table", content), lambda: _from_parquet(content, name))
    return table, footer


def content_digest(table: pa.Table) -> str:
    """`content_digest`."""
    return _by_table("digest", table, None, lambda: _content_digest(table))


def once(name: str, table: pa.Table, function: Callable[[], pa.Table]) -> pa.Table:
    """What follows from a table."""
    return _by_table(name, table, None, function)


def interned(key: tuple[Any, ...], table: pa.Table) -> pa.Table:
    """An equal table that was there before, if any."""
    known = _by_bytes(key, lambda: table)
    return known if known is table or known.equals(table) else table


class _File(pq.ParquetFile):
    """In the place of `pq.ParquetFile`; opened once for all worlds, and never closed."""

    def __init__(self, source: Any, **how: Any) -> None:
        self._content = source.read() if isinstance(source, pa.BufferReader) else source
        self._file = _by_bytes(
            ("file", self._content), lambda: pq.ParquetFile(pa.BufferReader(self._content), **how)
        )

    @property
    def metadata(self) -> Any:
        return self._file.metadata

    def read(self, columns: Any = None) -> pa.Table:
        key = ("read", self._content, None if columns is None else tuple(columns))
        return _by_bytes(key, lambda: self._file.read(columns))

    def read_row_groups(self, groups: list[int]) -> pa.Table:
        return _by_bytes(
            ("groups", self._content, tuple(groups)), lambda: self._file.read_row_groups(groups)
        )


parquet = SimpleNamespace(ParquetFile=_File, write_table=pq.write_table)
"""In the place of `pyarrow.parquet`, for reading plans."""
