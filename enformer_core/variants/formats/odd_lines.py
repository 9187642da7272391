"""What is said of a file's first lines when they are no header and no record: what they look like, and the remedy."""

from collections.abc import Sequence

from enformer_core.errors import InputError
from enformer_core.variants.formats.columns import listed
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.formats.reader import REQUIRED

_QUOTED_VCF_LINE = (b'"##', b'"#CHROM')

_OTHER_SEPARATORS = {";": "semicolons", "|": "bars"}

BY_COLUMNS = (
    "If its columns have other names, say which they are: --columns chrom=…,pos=…,ref=…,alt=…"
)


def refuse_odd_line(line: bytes, where: str) -> None:
    """Refuse a line that a spreadsheet, an old Mac or an editor has spoilt.

    Raises:
        InputError: with the remedy.
    """
    path, _, number = where.rpartition(", line ")
    text = line[:60].decode("utf-8", "backslashreplace")
    if line.startswith(_QUOTED_VCF_LINE):
        raise InputError(
            f"{path}: line {number} is quoted, as spreadsheets write lines: {text}. Give the VCF as it was "
            "before it went through a spreadsheet, or take the quotes off its lines."
        )
    if b"\r" in line and b'"' not in line:
        raise InputError(
            f"{path}: line {number} and others end with CR alone, as old Macs wrote them: {text!r}. "
            "Turn them: tr '\\r' '\\n' < FILE"
        )


def refuse_spaced_vcf(line: bytes, where: str) -> None:
    """Refuse the line of a VCF's names if there are no tabs between them.

    Raises:
        InputError: with the remedy.
    """
    if line.upper().startswith(b"#CHROM ") and b"\t" not in line:
        raise InputError(
            f"{where} has spaces between the columns of a VCF, where tabs belong. Turn them: "
            "sed '/^##/!s/ \\+/\\t/g' FILE"
        )


def no_header(where: str, fields: Sequence[str], given: GivenColumns) -> InputError:
    """The refusal of a line that is neither a header nor a record of a known kind."""
    if given.are_numbers:
        lacking = [role for role in REQUIRED if role not in given.roles]
        if lacking:
            return InputError(
                f"{where}: no header, and --columns does not number {', '.join(lacking)}. Of a file without a header "
                "number all of them: --columns chrom=1,pos=2,ref=3,alt=4"
            )
    path, _, line = where.rpartition(", line ")
    for letter, name in _OTHER_SEPARATORS.items():
        if len(fields) == 1 and fields[0].count(letter) > 1:
            return InputError(
                f"{path}: not a variant file as it is. Line {line} has {name} between its columns: {listed(fields)}. "
                f"Write tabs or commas: tr '{letter}' '\\t' < FILE"
            )
    return InputError(
        f"{path}: not a variant file. Line {line} should name columns {', '.join(REQUIRED)} "
        f"(or be a record of a .bim or BED file, or an rsID); it has {listed(fields)}. "
        f"{BY_COLUMNS}; else give VCF, a table with such a header, or Parquet."
    )
