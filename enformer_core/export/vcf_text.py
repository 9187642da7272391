"""What may stand in a VCF: texts from anywhere, so written that none can be taken for a separator or for a line."""

import re
from urllib.parse import quote

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
"""Of ASCII: versions before 4.3 know no other signs."""


def _without(forbidden: str) -> str:
    return "".join(sign for sign in _PRINTABLE if sign not in forbidden)


_IN_VALUES = _without('%;,=|&"')
"""Without what separates in INFO, and inside the values that this program writes."""

_IN_NAMES = _without('%;,="')

_IN_CONTIGS = _without("%<>[]{}()'\"`,\\")
"""Of a contig's name, VCF 4.3, section 1.4.7."""

_LETTERS = re.compile(r"[ACGTN]+")
_SYMBOLIC = re.compile(r"<[0-9A-Za-z_:.+-]+>|\*")


def in_value(text: str) -> str:
    """A text inside INFO, percent-encoded as VCF 4.3 says; older versions forbid the same signs."""
    return quote(text, safe=_IN_VALUES)


def as_id(text: str | None) -> str:
    """A text in the column ID, where a semicolon would begin another."""
    return quote(text, safe=_IN_NAMES) if text else "."


def as_contig(name: str) -> str:
    """A contig's name, in records and in the header alike."""
    shown = quote(name, safe=_IN_CONTIGS)
    # the first sign of a name is neither of these
    return f"%{ord(shown[0]):02X}{shown[1:]}" if shown[:1] in ("*", "=") else shown


def in_quotes(text: str) -> str:
    """A text of a header line, with its quotes: none inside ends it, and it stays one line."""
    one_line = " ".join(text.split())
    escaped = one_line.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def are_alleles(ref: str | None, alt: str | None) -> bool:
    """Whether REF and ALT can stand in a record; ALT may be absent, symbolic or `*`."""
    if ref is None or not _LETTERS.fullmatch(ref):
        return False
    if alt is None:
        return True
    return bool(_LETTERS.fullmatch(alt) or _SYMBOLIC.fullmatch(alt))
