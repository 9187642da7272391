"""Files packed by bgzip: a series of gzip members that ends with an empty one."""

import tempfile
from pathlib import Path

import pysam


def write_bgzf(path: Path, content: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(content)
    return path


def bgzip(content: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_bgzf(Path(folder) / "packed.gz", content).read_bytes()
