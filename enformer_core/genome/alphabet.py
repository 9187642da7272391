"""Letters of DNA and their codes: A, C, G, T are 0, 1, 2, 3 and everything uncertain is 4."""

import numpy as np
from jaxtyping import UInt8

Codes = UInt8[np.ndarray, " length"]
"""Codes of a stretch of bases, one byte each."""

N_CODE = 4
"""The base code of N, of every ambiguous letter, and of everything beyond a contig's ends."""

ILLEGAL_CODE = 255
"""What `CODE_OF_LETTER` holds for a byte that is no nucleotide; never in a genome's codes."""

LETTER_OF_CODE = b"ACGTN"
"""The letter of each base code."""

_IUPAC_AMBIGUOUS = b"NRYSWKMBDHVU-."

_COMPLEMENT_OF_CODE = bytes([3, 2, 1, 0, N_CODE, *range(N_CODE + 1, 256)])

_LOWER_CASE_BIT = 0x20  # ASCII: "a" is "A" with this bit set; "-" and "." have it already


def _letter_codes() -> UInt8[np.ndarray, "256"]:
    codes = np.full(256, ILLEGAL_CODE, dtype=np.uint8)
    for letter in _IUPAC_AMBIGUOUS:
        codes[letter] = N_CODE
        codes[letter | _LOWER_CASE_BIT] = N_CODE
    for code, letter in enumerate(b"ACGT"):
        codes[letter] = code
        codes[letter | _LOWER_CASE_BIT] = code
    return codes


CODE_OF_LETTER = _letter_codes()
"""The base code of each byte, in either case; do not write to it."""


def encode(letters: str) -> Codes:
    """Turn letters to codes: A, C, G, T in either case are 0, 1, 2, 3 and IUPAC's ambiguous letters are N.

    Raises:
        ValueError: when a letter is no nucleotide, naming it and its position, counted from 1.
    """
    # Latin-1 has one byte for each letter that it knows, so positions in letters and bytes are the same.
    bytes_of_letters = np.frombuffer(letters.encode("latin-1"), np.uint8)
    codes = CODE_OF_LETTER[bytes_of_letters]
    illegal = np.flatnonzero(codes == ILLEGAL_CODE)
    if illegal.size:
        first = int(illegal[0])
        raise ValueError(f"{letters[first]!r} at position {first + 1} is not a nucleotide")
    return codes


def decode(codes: Codes) -> str:
    """Turn codes to upper-case letters, one for each base."""
    table = np.frombuffer(LETTER_OF_CODE, np.uint8)
    letters = table[codes]
    return letters.tobytes().decode("ascii")


def reverse_complement(codes: Codes) -> Codes:
    """Return the other strand, read in its own direction; N stays N."""
    # bytes are looked up ten times faster than by an index array, and windows are long; a bytearray can be written to
    backwards = bytearray(codes[::-1].tobytes())
    return np.frombuffer(backwards.translate(_COMPLEMENT_OF_CODE), np.uint8)
