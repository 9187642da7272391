"""Find the run that a directory holds."""

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.run import Run, read_run
from enformer_core.errors import InputError, StorageError
from enformer_core.storage.open import open_store, parse_address
from enformer_core.storage.store import Store
from enformer_core.user_path import file_in_the_way, real_path, user_path

_MAKERS = "`enformer-ray score`, `tiles`, `attribute`, `links` or `insulators`"

_MARK = b'"identity_sha256"'

_MOST_FOLDERS = 3
"""How far above a name a run is looked for: `run/scores/chrom=chr1/shard-00000000.parquet` lies three folders deep."""


def find_run(out: str) -> tuple[Store, Run]:
    """The store and description of a run.

    Raises:
        InputError: when the directory holds none, with the run that a name within it probably meant.
    """
    file = None
    if parse_address(out) is None:
        path = Path(user_path(out))
        _refuse_dead_link(path)
        file = file_in_the_way(path)
    store = open_store(out)
    run = None if file is not None else read_run(store)
    if run is None:
        raise InputError(_no_run(out, file))
    return store, run


def check_outside_runs(out: str) -> None:
    """Refuse a place for a run that lies in another run: readers of that one would count the tables of both.

    Args:
        out: directory or address of the run that is to be; it may be one already, and need not be there.

    Raises:
        InputError: naming the run around it.
    """
    if parse_address(out) is None:
        # as it lies, whatever links lead there
        place = real_path(Path(user_path(out)))
        around = next((str(above) for above in place.parents if _is_run_folder(above)), None)
    else:
        around = next(_runs_above(out), None)
    if around is not None:
        raise InputError(
            f"{out}: lies in the run {around}, whose readers would take its tables for that run's. Give --out a place "
            "beside it."
        )


def _is_run_folder(folder: Path) -> bool:
    """Whether a folder has a `run.json` of this program; others have files of that name."""
    try:
        return _MARK in (folder / RUN_KEY).read_bytes()
    except OSError:
        return False


def _refuse_dead_link(path: Path) -> None:
    """Of links that lead to nothing, or in a circle, no storage could say more."""
    # of a name that is too long, `Path` would raise
    if os.path.islink(path) and not os.path.exists(path):  # noqa: PTH110, PTH114
        raise InputError(
            f"{path}: no run here: a link to {path.readlink()}, where there is nothing"
        )


def _no_run(out: str, file: Path | None) -> str:
    """What is said of a name that holds no run."""
    shown = out or repr(out)
    said = f"{shown}: no run here (no {RUN_KEY})"
    if file is not None:
        which = "this" if str(file) == str(Path(user_path(out))) else str(file)
        said = f"{out}: no run here: {which} is a file, and a run is a directory"
    meant = next(_runs_above(out), None)
    if meant is not None:
        return f"{said}. Did you mean {meant}?"
    if file is not None and _is_parquet(file):
        return f"{said}. A table by itself is read so: {how_to_read(out)}"
    said = f"{said}. Give the --out directory of {_MAKERS}"
    if file is not None:
        return f"{said}."
    return f"{said}; a command that reads its input still has not put it yet."


def how_to_read(name: str) -> str:
    """The command that shows a Parquet file that is no part of a run."""
    program = f"import polars; print(polars.read_parquet({json.dumps(name)}))"
    return f"python -c {shlex.quote(program)}"


def _is_parquet(file: Path) -> bool:
    try:
        with file.open("rb") as content:
            return content.read(4) == b"PAR1"
    except OSError:
        return False


def _runs_above(out: str) -> Iterator[str]:
    """Places above a name that hold a run, the nearest first."""
    name = out.rstrip("/")
    for _ in range(_MOST_FOLDERS):
        name, slash, _ = name.rpartition("/")
        if not slash:
            # of `run.json` alone, the run may be the folder that its user is in
            name = "."
        if not name or name.endswith(("/", ":")):
            return
        if _holds_run(name):
            yield name
        if not slash:
            return


def _holds_run(name: str) -> bool:
    try:
        return open_store(name).get(RUN_KEY) is not None
    except (
        InputError,
        StorageError,
    ):  # an address without a bucket, a folder that may not be looked into
        return False
