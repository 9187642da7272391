"""Letters of DNA and their codes: A, C, G, T are 0, 1, 2, 3 and everything uncertain is 4."""

import numpy as np
from jaxtyping import UInt8

N_CODE = 4
"""The base code of N, of every ambiguous letter, and of everything beyond a contig's ends."""

_IUPAC_AMBIGUOUS = b"NRYSWKMBDHVU-."

_ILLEGAL = 255


def _letter_codes() -> UInt8[np.ndarray, "256"]:
    codes = np.full(256, _ILLEGAL, dtype=np.uint8)
    for code, letter in enumerate(b"ACGT"):
        codes[[letter, letter + 32]] = code
    for letter in _IUPAC_AMBIGUOUS:
        codes[[letter, letter | 32]] = N_CODE
    return codes


_CODE_OF_LETTER = _letter_codes()


def encode(letters: str) -> UInt8[np.ndarray, " length"]:
    """Letters to codes: A, C, G, T in either case are 0, 1, 2, 3, IUPAC ambiguity is N; anything else a ValueError."""
    codes = _CODE_OF_LETTER[np.frombuffer(letters.encode("latin-1"), dtype=np.uint8)]
    illegal = np.flatnonzero(codes == _ILLEGAL)
    if illegal.size:
        raise ValueError(
            f"{letters[illegal[0]]!r} at position {illegal[0] + 1} is not a nucleotide"
        )
    return codes


def decode(codes: UInt8[np.ndarray, " length"]) -> str:
    """Codes to upper-case letters."""
    return np.frombuffer(b"ACGTN", dtype=np.uint8)[codes].tobytes().decode("ascii")


def reverse_complement(codes: UInt8[np.ndarray, " length"]) -> UInt8[np.ndarray, " length"]:
    """The other strand, read in its own direction; N stays N."""
    return np.array([3, 2, 1, 0, N_CODE], dtype=np.uint8)[codes[::-1]]
