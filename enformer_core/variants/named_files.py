"""Files of variants by what users call them: paths, addresses, globs, directories."""

from pathlib import Path

from enformer_core.storage.expand import expand_name
from enformer_core.storage.open import local_path, parse_address
from enformer_core.variants.input_files import InputFile, expand_inputs


def files_named(name: str) -> list[InputFile]:
    """The files that a path, an address, a glob or a directory of Parquet stands for, on this node."""
    if parse_address(name) is None:
        return expand_inputs([Path(name)])
    return [
        InputFile(Path(local_path(each)), each) for each in expand_name(name, suffix=".parquet")
    ]
