"""The text that opens a run's tables in an engine, from what is stored of it: half a run has half its rows, none none.

Knows which tables a run has and of which columns. The engines' words are in `dialects`.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.dataset import schemas
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_objects
from enformer_core.errors import InputError
from enformer_core.models.tracks.table import TRACKS_SCHEMA
from enformer_core.sql.dialects import Dialect
from enformer_core.storage.open import parse_address

_CHROM = pa.field("chrom", pa.string())

_TYPES = {
    pa.string(): "string",
    pa.int8(): "int8",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "bool",
}

_OF_PATTERNS = frozenset("*?[]{}\\")


@dataclass(frozen=True)
class RunTable:
    """A table as engines open it.

    Attributes:
        name: by which it is asked.
        schema: its columns, without the contig, which is in names of folders alone.
        file: where it is one file, its key; None where it lies in partitions.
        is_stored: whether there is a file of it.
        has_quoted: whether a contig's name has letters that its folder's has in quoted form.
    """

    name: str
    schema: pa.Schema
    file: str | None = None
    is_stored: bool = True
    has_quoted: bool = False

    @property
    def columns(self) -> pa.Schema:
        """What a question can name: with the contig, where it lies in partitions."""
        return self.schema.append(_CHROM) if self.file is None else self.schema


def tables_of(ledger: Ledger) -> list[RunTable]:
    """The tables of a run; what is not committed does not count as stored.

    Raises:
        InputError: for a kind of run whose columns only its files say, while there are none.
    """
    stored = stored_objects(ledger)
    tables = []
    # with what is beside the run
    for name in stored:
        keys = list(stored[name])
        schema = _known_schema(ledger, name) or _schema_of_file(ledger, name, keys)
        has_quoted = any("%" in key for key in keys)
        tables.append(RunTable(name, schema, is_stored=bool(keys), has_quoted=has_quoted))
    has_tracks = ledger.store.get(TRACKS_KEY) is not None
    tables.append(RunTable("tracks", TRACKS_SCHEMA, TRACKS_KEY, is_stored=has_tracks))
    return tables


def _known_schema(ledger: Ledger, name: str) -> pa.Schema | None:
    """The columns of a table of this release's kinds of runs."""
    alike = {
        "effects": schemas.EFFECTS_SCHEMA,
        "predictions": schemas.PREDICTIONS_SCHEMA,
        "contribution_bins": schemas.CONTRIBUTION_BINS_SCHEMA,
        "attention": schemas.ATTENTION_SCHEMA,
        "insulation": schemas.INSULATION_SCHEMA,
        "attention_maps": schemas.ATTENTION_MAPS_SCHEMA,
    }
    if name in alike:
        return alike[name]
    # of columns of the input that are kept, only files say which are numbers
    if name == "scores" and ledger.run.identity.get("keep_columns"):
        return None
    for table in ledger.run_type.value_tables:
        if table.name == name:
            values = ledger.run_type.value_columns(table, ledger.run)
            spread = ledger.run_type.spread_columns(table, ledger.run)
            return _schema_with_values(name, values, has_spread=bool(spread))
    return None


def _schema_with_values(name: str, values: Sequence[str], *, has_spread: bool) -> pa.Schema | None:
    if name == "scores":
        return schemas.scores_schema(values, has_spread=has_spread)
    if name == "gene_effects":
        return schemas.gene_effects_schema(has_spread=has_spread)
    if name == "contributions":
        return schemas.contributions_schema(hypothetical=len(values) > 1)
    return schemas.links_schema(values) if name == "links" else None


def _schema_of_file(ledger: Ledger, name: str, keys: Sequence[str]) -> pa.Schema:
    location = ledger.store.location
    if not keys:
        raise InputError(f"{location}: there are no {name} yet, and nothing says their columns")
    # of a file that is lost or damaged any other says the columns
    for key in keys:
        content = ledger.store.get(key)
        with suppress(pa.ArrowException, OSError):
            if content is not None:
                return pq.read_schema(pa.BufferReader(content))
    raise InputError(
        f"{location}: every file of {name} is missing or damaged, though receipts name them, and nothing else says "
        f"their columns. `enformer-ray verify {location}` says what else is damaged."
    )


def run_address(location: str) -> str:
    """A run's place as engines take it: an address, or a whole path without what they would read as a pattern.

    Raises:
        InputError: for a path that an engine would not take as it is.
    """
    is_remote = parse_address(location) is not None
    place = location.rstrip("/") if is_remote else str(Path(location).absolute())
    remedy = f"Open it under a plain name: ln -s {json.dumps(place)} /tmp/run"
    odd = sorted(_OF_PATTERNS & set(place))
    if odd:
        raise InputError(
            f"{location}: SQL engines would take {odd[0]!r} in this name for a pattern. {remedy}"
        )
    if not place.isprintable():
        raise InputError(f"{location}: has a letter that cannot be printed. {remedy}")
    if "=" in place:
        raise InputError(
            f"{location}: SQL engines would make a column of the folder with '=' in its name. {remedy}"
        )
    return place


def opening(
    dialect: Dialect,
    address: str,
    tables: Sequence[RunTable],
    service: str | None = None,
) -> list[str]:
    """The statements, or lines of Python, that open these tables.

    Args:
        dialect: of the engine.
        address: of the run; see `run_address`.
        tables: of the run.
        service: `https://host:port` of the object storage, where that is not its maker's; see `service_of`.
    """
    place = _Place(dialect, address, service)
    said = [*dialect.setup, *place.setup_remote()]
    for table in tables:
        said += place.opened(table)
    return said


@dataclass(frozen=True)
class _Place:
    """Where a run lies, as an engine has it."""

    dialect: Dialect
    address: str
    service: str | None = None

    def setup_remote(self) -> Iterator[str]:
        """What is said of object storage, and of the service where that is not its maker's."""
        if self.service is not None:
            for template in self.dialect.setup_service:
                yield template.format(**service_words(self.dialect, self.service))
        elif self.is_remote:
            yield from self.dialect.setup_remote

    @property
    def is_remote(self) -> bool:
        return "://" in self.address

    @property
    def root(self) -> str:
        """The run's address in the engine's words; where it cannot read there, a place that its user fills in."""
        scheme = f"{self.dialect.scheme}://"
        if self.is_remote:
            key = self.address.partition("://")[2]
            if not self.dialect.asks_by_url:
                return scheme + key
            return f"{self.service}/{quote(key)}" if self.service else scheme + quote(key)
        if self.dialect.wants is not None:
            return f"{scheme}BUCKET/{Path(self.address).name}"
        return self.address

    def opened(self, table: RunTable) -> Iterator[str]:
        words = self._words(table)
        for template in self._templates(table):
            yield template.format(**words)

    def _templates(self, table: RunTable) -> tuple[str, ...]:
        dialect = self.dialect
        if not table.is_stored and dialect.empty is not None:
            return (dialect.empty,)
        if table.file is not None:
            remote = dialect.whole_remote if self.is_remote else None
            return (remote or dialect.whole,)
        if table.has_quoted and dialect.table_quoted:
            return dialect.table_quoted
        remote = dialect.table_remote if self.is_remote else None
        return (remote or dialect.table, *dialect.after_table)

    def _words(self, table: RunTable) -> dict[str, str]:
        root = self.root
        of_table = f"{root}/{table.name}"
        texts = {
            "folder": f"{of_table}/",
            "bare_folder": of_table,
            "files": f"{of_table}/chrom=*/shard-*.parquet",
            "any": f"{of_table}/*",
            "file": f"{root}/{table.file}",
            # beside the run, in which nothing else belongs
            "own_folder": f"{root}.{table.name}/",
        }
        words = {name: text_in(self.dialect, text) for name, text in texts.items()}
        words["at_service"] = self.dialect.at_service if self.service is not None else ""
        words["name"] = table.name
        words["columns"] = self._listed(table.columns)
        words["columns_but_chrom"] = self._listed(table.schema)
        words["nulls"] = ", ".join(self._null(column) for column in table.columns)
        return words

    def _listed(self, columns: pa.Schema) -> str:
        return ", ".join(f"{self._name(column)} {self._type(column.type)}" for column in columns)

    def _null(self, column: pa.Field) -> str:
        is_list = pa.types.is_list(column.type)
        template = self.dialect.null_list if is_list else self.dialect.null
        return template.format(type=self._type(column.type), column=self._name(column))

    def _name(self, column: pa.Field) -> str:
        """In quotes: columns that are kept of an input have its names."""
        if self.dialect.speaks_python:
            return text_in(self.dialect, column.name)
        quote = self.dialect.identifier[0]
        return self.dialect.identifier.format(name=column.name.replace(quote, 2 * quote))

    def _type(self, kind: pa.DataType) -> str:
        types = self.dialect.types
        if pa.types.is_list(kind):
            return types["list"].format(item=self._type(kind.value_type))
        return types[_TYPES[kind]]


def service_words(dialect: Dialect, service: str) -> dict[str, str]:
    """What an engine's words for a service have places for: `url`, `host`, `tls`; and `bare_url`, of remarks."""
    url = urlsplit(service)
    host = text_in(dialect, url.netloc + url.path)
    tls = str(url.scheme == "https").lower()
    return {"url": text_in(dialect, service), "host": host, "tls": tls, "bare_url": service}


def text_in(dialect: Dialect, text: str) -> str:
    """A text in quotes, as the engine, or Python, reads it."""
    if dialect.speaks_python:
        return json.dumps(text, ensure_ascii=False)
    return "'" + text.replace("'", dialect.escaped_quote) + "'"


def beside(dialect: Dialect, name: str, file: str) -> str:
    """What opens a Parquet file of the user's own as a table."""
    table = RunTable(name, pa.schema([]), file)
    place = _Place(replace(dialect, wants=None), str(Path(file).parent))
    (said,) = place.opened(replace(table, file=Path(file).name))
    return said
