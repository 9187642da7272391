"""`query --attach NAME=FILE`: the user's own tables beside those of a run.

A file is read whole before the query is looked at, while the fence around the run is still open; the query itself
reads nothing more. Knows files and names. Does not know what is asked.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from enformer_core.errors import InputError
from enformer_core.links.regular_file import regular_file
from enformer_core.user_path import user_path
from jobs.attached_text import create_text_table
from jobs.attached_types import note_of_renamed, notes_of_doubles
from jobs.log import note

_NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBERED = re.compile(r"(?P<name>.+)_[0-9]+", re.DOTALL)
_JSON = frozenset({".json", ".jsonl", ".ndjson"})
_PACKED = frozenset({".gz", ".bgz", ".zst"})
_CONTIGS = frozenset({"chrom", "chr", "chromosome", "contig", "seqid", "hm_chrom"})
"""Columns that hold texts whatever their first lines look like: a run's `chrom` is one."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Attached:
    """A file of the user's, and the name by which a query asks it."""

    name: str
    file: Path


def attached_files(texts: Sequence[str], taken: Collection[str]) -> list[Attached]:
    """Files as they were given, NAME=FILE each.

    Args:
        texts: as they were given.
        taken: names that the run's own tables and views have.

    Raises:
        InputError: for one that is not written so, whose name is taken, or that is not there.
    """
    found: dict[str, Attached] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not (equals and file and _NAME.fullmatch(name)):
            raise InputError(
                f"--attach {text}: give a name of letters and its file, such as gwas=sumstats.tsv.gz"
            )
        # names in SQL have no case
        if name.lower() in taken:
            raise InputError(f"--attach {text}: {name} is the run's own. Give another name.")
        if name.lower() in found:
            raise InputError(
                f"--attach {text}: {name} is given twice. Give each file its own name."
            )
        path = regular_file(user_path(file))
        if not path.is_file():
            why = "is a directory; give one file" if path.is_dir() else "there is no such file"
            raise InputError(f"--attach {text}: {file}: {why}")
        found[name.lower()] = Attached(name, path)
    return list(found.values())


def attach(connection: duckdb.DuckDBPyConnection, files: Sequence[Attached]) -> None:
    """Read the files as tables of these names.

    Raises:
        InputError: for one that is no table, with the reason.
    """
    for each in files:
        try:
            notes = _create(connection, each)
        except InputError as error:
            raise InputError(f"--attach {each.name}={each.file}: {error}") from error
        except (duckdb.Error, OSError) as error:
            # DuckDB's further lines are about options that nobody here can set
            said = str(error).partition("\n")[0]
            raise InputError(
                f"--attach {each.name}={each.file}: cannot be read as a table: {said}. It may be Parquet, CSV, TSV, "
                "JSON or VCF, packed by gzip or zstd or not."
            ) from error
        for text in notes:
            note(f"--attach {each.name}={each.file}: {text}")


def _create(connection: duckdb.DuckDBPyConnection, attached: Attached) -> list[str]:
    """Make the table of a file, contigs being texts in it, and give what is to be known of its columns."""
    with attached.file.open("rb") as content:
        first = content.read(4)
    compression = _compression(first)
    literal = _literal(attached.file)
    if first == _PARQUET:
        read = f"read_parquet({literal}, hive_partitioning = false)"
    elif _ending(attached.file) in _JSON:
        options = [] if compression is None else [f"compression = '{compression}'"]
        read = f"read_json({', '.join([literal, *options])})"
    else:
        return create_text_table(
            connection, attached.name, attached.file, compression, texts=_CONTIGS
        )
    types = {
        name: kind for name, kind, *_ in connection.execute(f"DESCRIBE FROM {read}").fetchall()
    }
    contigs = [name for name in types if name.lower().lstrip("#") in _CONTIGS]
    # known words, in whatever letters, and no quotes among them
    texts = ", ".join(f'"{name}"::VARCHAR AS "{name}"' for name in contigs)
    replaced = f" REPLACE ({texts})" if contigs else ""
    connection.execute(f'CREATE TABLE "{attached.name}" AS SELECT *{replaced} FROM {read}')  # noqa: S608
    if first == _PARQUET:
        schema = f"SELECT name FROM parquet_schema({literal})"  # noqa: S608
        return list(_renamed(types, [name for (name,) in connection.execute(schema).fetchall()]))
    return list(
        _notes_of_json(connection, read.replace("read_json(", "read_json_objects(", 1), types)
    )


def _notes_of_json(
    connection: duckdb.DuckDBPyConnection, read: str, types: Mapping[str, str]
) -> Iterator[str]:
    """What names and numbers of objects have become, where that is not what is written."""
    if any(_NUMBERED.fullmatch(name) for name in types):
        keys = f"SELECT DISTINCT unnest(json_keys(json)) FROM {read}"  # noqa: S608
        yield from _renamed(types, [key for (key,) in connection.execute(keys).fetchall()])
    doubles = [name for name, kind in types.items() if kind == "DOUBLE"]
    cells = {name: _cell_of_json(name) for name in doubles if '"' not in name}
    yield from notes_of_doubles(connection, read, cells)


def _cell_of_json(name: str) -> str:
    """The letters of a number in an object: what extracts values would have made 0.0 of 1e-400."""
    key = _quoted(f'"{re.escape(name)}"' + r"\s*:\s*([^,}\s]+)")
    path = _quoted(f'$."{name}"')
    return f"CASE WHEN json_exists(json, {path}) THEN regexp_extract(json::VARCHAR, {key}, 1) END"


def _renamed(names: Iterable[str], written: Collection[str]) -> Iterator[str]:
    """Of names that the file has not: DuckDB calls a second P beside p `P_1`."""
    for name in names:
        numbered = _NUMBERED.fullmatch(name)
        if numbered is not None and name not in written and numbered["name"] in written:
            yield note_of_renamed(numbered["name"], name)


def _compression(first: bytes) -> str | None:
    """Told by content: block gzip has many endings."""
    if first.startswith(_GZIP):
        return "gzip"
    return "zstd" if first == _ZSTD else None


def _ending(file: Path) -> str:
    endings = [ending.lower() for ending in file.suffixes]
    while endings and endings[-1] in _PACKED:
        endings.pop()
    return endings[-1] if endings else ""


def _literal(file: Path) -> str:
    """The path as SQL has it, of which no letter is a pattern's."""
    letters = (f"[{letter}]" if letter in "*?[" else letter for letter in str(file))
    return _quoted("".join(letters))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
