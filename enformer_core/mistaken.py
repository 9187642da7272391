"""What a file is that was given by mistake, by its first bytes, and what to do about it.

For whoever expected something else: readers of variants and of genomes ask it before they complain in their own words.
"""

import re
from pathlib import Path

_BY_BEGINNING = {
    b"PK\x03\x04": "a ZIP archive. Unpack it: unzip {name}",
    b"7z\xbc\xaf": "a 7z archive. Unpack it: 7z x {name}",
    b"BZh": "compressed by bzip2. Compress it by gzip: bunzip2 -c {name} | gzip > {stem}.gz",
    b"\xfd7zXZ": "compressed by xz. Compress it by gzip: xz -dc {name} | gzip > {stem}.gz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd. Compress it by gzip: zstd -dc {name} | gzip > {stem}.gz",
    b"\x1f\x8b": "compressed by gzip twice. Unpack it once: gzip -dc {name} > {stem}",
    b"TBI\x01": "an index (.tbi) of another file. Give the file that it belongs to.",
    b"CSI\x01": "an index (.csi) of another file. Give the file that it belongs to.",
    b"BAI\x01": "an index (.bai) of another file, which holds reads.",
    b"BAM\x01": "aligned reads (BAM).",
    b"CRAM": "aligned reads (CRAM).",
    b"l\x1b": "PLINK genotypes. Give the .bim or .pvar file beside it.",
    b"C'A\x1a": "a genome in UCSC's 2bit. Turn it into FASTA: twoBitToFa {name} {stem}.fa",
    b"\x1aA'C": "a genome in UCSC's 2bit. Turn it into FASTA: twoBitToFa {name} {stem}.fa",
    b"%PDF": "a PDF document.",
    b"\x89HDF": "an HDF5 file.",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (Excel). Save it as tab-separated text.",
    b"SQLite format 3": "an SQLite database.",
    b"{\\rtf": "a document of a word processor (RTF). Save it as plain text.",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself. Fetch it: git lfs pull",
}

# Of texts that are no tables; blanks before them do not count.
_BY_TEXT = {
    b"<!doctype html": "an HTML page, as servers send in place of a file. Download it again.",
    b"<html": "an HTML page, as servers send in place of a file. Download it again.",
    b"<?xml": "an XML document, as servers send in place of a file. Download it again.",
    b"{": "JSON.",
    b"[": "JSON.",
}

_TAR_SIGN = b"ustar"
_TAR_SIGN_AT = 257  # behind the first file's name and other fields

_FAI_LINE = re.compile(rb"\S+\t\d+\t\d+\t\d+\t\d+\r?\n")  # name, length, offset, two line lengths


def mistaken_for(head: bytes, path: Path) -> str | None:
    """What such a file is, and the remedy where there is one; None for what this knows nothing of.

    Args:
        head: the file's first bytes, unpacked where it is gzip.
        path: the file, for the command that helps.
    """
    for beginning, words in _BY_BEGINNING.items():
        if head.startswith(beginning):
            return words.format(name=path.name, stem=path.stem)
    if head[_TAR_SIGN_AT:].startswith(_TAR_SIGN):
        return f"a tar archive. Unpack it: tar -xf {path.name}"
    text = head.lstrip().lower()
    for beginning, words in _BY_TEXT.items():
        if text.startswith(beginning):
            return words
    if _FAI_LINE.match(head):
        return "an index (.fai) of a FASTA file."
    return None
