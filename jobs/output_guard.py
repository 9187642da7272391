"""What no output may take the place of: objects of runs, whatever a command itself reads.

`check_written` is asked for every command before it begins, by what its options say that they write; `check_output` by
those that open a run, whose record tells more. Does not know what is written.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from enformer_core.errors import InputError
from enformer_core.export.taken_places import (
    REMEDY,
    check_output,
    refuse_inside_runs,
    refuse_read,
    takes_no_place,
    texts_in,
)
from enformer_core.storage.open import parse_address
from enformer_core.user_path import real_path
from jobs.option_types import written_options

__all__ = ["check_folder", "check_kind", "check_output", "check_written"]

_ENDS_BYTES = 1 << 20


def check_written(
    settings: Any,
    read: Iterable[str] = (),
) -> None:
    """Refuse an output that lies in a run, or is what another option of the same command names, or an index beside it.

    Args:
        settings: of a command; hints such as `WrittenFile` say what it writes, and all other texts may be files.
        read: names of files beside these, such as that of `--config`.

    Raises:
        InputError: naming the output, and what it would take the place of; for an address, of which none is written.
    """
    outputs = written_options(type(settings))
    # a run's own directory may be there: the same command continues it
    if not outputs or getattr(settings, "makes_run", False):
        return
    given = vars(settings)
    others = [text for name in given if name not in outputs for text in texts_in(given[name])]
    others += read
    for name in outputs:
        output = given[name]
        if output is None:
            continue
        if parse_address(output) is not None:
            option = name.replace("_", "-")
            raise InputError(
                f"--{option} {output}: is written to a file of this machine; give a path"
            )
        _check_written(Path(output), others)


def _check_written(file: Path, others: Iterable[str]) -> None:
    if takes_no_place(file):
        return
    called = {real_path(Path(text)): text for text in others if _is_name(text)}
    refuse_inside_runs(file, called)
    for text in called.values():
        # `g=table.tsv` is a table under a name
        for named in (text, text.partition("=")[2]):
            if named:
                refuse_read(file, named)


def _is_name(text: str) -> bool:
    """Whether a file of this machine may be called so."""
    try:
        return bool(text) and "\0" not in text and parse_address(text) is None
    except InputError:  # a slip in an address
        return False


def check_folder(file: Path) -> None:
    """Refuse a file for which there is no directory, before hours are spent on what it should hold.

    Raises:
        InputError: naming both.
    """
    if not takes_no_place(file) and not file.parent.is_dir():
        raise InputError(f"{file}: there is no directory {file.parent}. Make it, or name another.")


def check_kind(
    file: Path,
    mark: str,
    kind: str,
) -> None:
    """Refuse to write over a file of another kind: a slip of the name would cost what hours have made.

    Args:
        file: to be written.
        mark: what each file of the kind has near its beginning or end, whichever release wrote it.
        kind: in words, with its article.

    Raises:
        InputError: naming the file.
    """
    if takes_no_place(file) or not file.is_file():
        return
    size = file.stat().st_size
    with file.open("rb") as content:
        ends = content.read(_ENDS_BYTES)
        content.seek(max(0, size - _ENDS_BYTES))
        ends += content.read()
    if size and mark.encode() not in ends:
        raise InputError(f"{file}: is there already, and is not {kind}. {REMEDY}")
