"""A VCF as it is stored, by the end of its name: plain, packed by bgzip with an index beside it, or BCF.

Knows files. Does not know what the lines say.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from enformer_core.errors import InputError
from enformer_core.export.text_file import PACKED, text_file
from enformer_core.export.whole_file import is_stream, whole_file

Write = Callable[[bytes], object]
"""Takes the next bytes of the text."""

_BCF = ".bcf"
_INDICES = (".tbi", ".csi")

_TABIX_REACH_BP = 1 << 29
"""Positions beyond this have no place in a .tbi, but in a .csi."""

_NO_PYSAM = "Run: pip install pysam"

_COPIED_BYTES = 1 << 20

_VIEW = """
import sys, pysam.bcftools
pysam.bcftools.view("--no-version", "-Ob", "-o", sys.argv[2], sys.argv[1], catch_stdout=False)
"""


def unheard(said: str) -> None:
    """For whoever writes without a log."""
    del said


@contextmanager
def vcf_file(
    path: Path,
    *,
    warn: Callable[[str], object],
    longest_contig_bp: int = 0,
) -> Iterator[Write]:
    """Open a file for the text of a VCF; it takes its name when the block ends well, and then gets its index.

    Args:
        path: of the file; `-` is standard output.
        warn: told why a packed file has no index.
        longest_contig_bp: as far as that is known.

    Raises:
        InputError: when it cannot be written, or BCF is asked for and pysam is not installed.
    """
    ending = path.suffix.lower()
    if ending == _BCF:
        pysam = _import_pysam(path)
        with _as_bcf(pysam, path) as write:
            yield write
    else:
        with text_file(path) as out:
            yield out.write
    if ending in (*PACKED, _BCF) and not is_stream(path):
        as_csi = ending == _BCF or longest_contig_bp > _TABIX_REACH_BP
        _index(path, as_csi=as_csi, warn=warn)


@contextmanager
def _as_bcf(pysam: ModuleType, path: Path) -> Iterator[Write]:
    with tempfile.TemporaryDirectory(prefix="enformer-ray-export-") as folder:
        text = Path(folder) / "text.vcf"
        binary = Path(folder) / "binary.bcf"
        with text.open("wb") as out:
            yield out.write
        try:
            _convert(pysam, text, binary)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: htslib cannot write these records as BCF ({error}). Write {path.stem}.vcf.gz, which keeps "
                "every record as it is."
            ) from error
        with whole_file(path) as out, binary.open("rb") as content:
            shutil.copyfileobj(content, out, _COPIED_BYTES)


def _convert(pysam: ModuleType, text: Path, binary: Path) -> None:
    # BCF numbers contigs and keys by its header: htslib adds what records name and the header lacks while it reads
    # them, but writes no record that was read before
    declared, whole = _headers(pysam, text)
    if whole != declared:
        text = _with_header(whole, text)
    # by bcftools, in a process of its own: pysam's own writer adds an END to records that have none
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", _VIEW, text, binary],
        check=False,
        capture_output=True,
        text=True,
        errors="backslashreplace",
    )
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["no reason given"])[-1])


def _headers(pysam: ModuleType, text: Path) -> tuple[str, str]:
    """The header before and after all records were read."""
    with pysam.VariantFile(os.fsencode(text)) as records:
        declared = str(records.header)
        for _ in records:
            pass
        return declared, str(records.header)


def _with_header(header: str, text: Path) -> Path:
    """The same records under another header."""
    copied = text.with_name("headed.vcf")
    with text.open("rb") as lines, copied.open("wb") as out:
        out.write(header.encode())
        # up to the line #CHROM, which the header has
        while lines.readline().startswith(b"##"):
            pass
        shutil.copyfileobj(lines, out, _COPIED_BYTES)
    return copied


def _index(path: Path, *, as_csi: bool, warn: Callable[[str], object]) -> None:
    """Put an index beside the file; one of an earlier file would lead astray."""
    for ending in _INDICES:
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    try:
        pysam = _import_pysam(path)
    except InputError:
        warn(f"{path}: has no index, which pysam would make. {_NO_PYSAM}; or: tabix -p vcf {path}")
        return
    try:
        kind = {"csi": True} if as_csi else {}
        pysam.tabix_index(str(path), preset="vcf", force=True, **kind)
    except (OSError, ValueError):
        for ending in _INDICES:
            path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
        warn(
            f"{path}: has no index: its records are not sorted by position, or one has none, as in the input. "
            f"bcftools sort -Oz -o sorted.vcf.gz -W=tbi {path} makes one that has"
        )


def _import_pysam(path: Path) -> ModuleType:
    try:
        import pysam  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InputError(
            f"{path}: BCF is written by pysam, which is not installed. {_NO_PYSAM}; or give a name that ends in .vcf.gz"
        ) from error
    module: ModuleType = pysam
    module.set_verbosity(0)  # what goes wrong is raised, not printed
    return module
