"""Whether the rows of a BED file are genes, or windows around their TSSs: one rule, whoever reads the file.

Windows are rows of one length of at most 5 kb, as the 500 bp that the ABC program writes; of rows with strands, 20 of
them at least, since a few genes that somebody has made up may all be 1,000 bp long. Rows without strands are no genes,
whose TSSs would not be known, so that two tell. Single bases are TSSs themselves.
"""

from dataclasses import dataclass, field

LONGEST_BP = 5_000

_LEAST_ROWS = 20
_LEAST_WITHOUT_STRANDS = 2
_LEAST_ALIKE = 3  # of one length, of which it is said that they were not taken for windows


@dataclass
class TssWindows:
    """The rows of a file so far, as far as they tell what they are.

    Attributes:
        rows: how many there are.
    """

    rows: int = 0
    _lengths: set[int] = field(default_factory=set)
    _ends_of_first: set[int] = field(default_factory=set)

    def add(self, start: int, end: int) -> None:
        """Take a row, 0-based and half-open."""
        self.rows += 1
        # one at the start of its contig may be cut there
        if start == 0:
            self._ends_of_first.add(end)
        else:
            self._lengths.add(end - start)

    def length_bp(self, *, has_strands: bool = True, has_blocks: bool = False) -> int | None:
        """How long the windows are, 1 of single bases; None where the rows are genes.

        Args:
            has_strands: whether rows say on which strand they lie.
            has_blocks: whether they have exons, which windows have not.
        """
        length = self._one_length()
        if length is None or has_blocks or length > LONGEST_BP:
            return None
        least = _LEAST_ROWS if has_strands else _LEAST_WITHOUT_STRANDS
        # a base is its own middle
        return length if self.rows >= least or length == 1 else None

    def _one_length(self) -> int | None:
        """The length of all rows; one at a contig's start may be shorter, and holds the middle of a whole one."""
        longest = max(self._lengths | self._ends_of_first, default=0)
        is_one = self._lengths <= {longest}
        is_whole = all(2 * end > longest for end in self._ends_of_first)
        return longest if longest and is_one and is_whole else None

    def said(self, *, has_strands: bool = True) -> str | None:
        """What rows of one length were taken for, windows or genes; None where there is no doubt."""
        length = self._one_length()
        if length is None or length == 1:
            return None
        if self.length_bp(has_strands=has_strands) is not None:
            return (
                f"all {self.rows:,} intervals are {length:,} bp long, and taken for windows around TSSs: a TSS is the "
                "middle of its interval. Are they whole genes? Then give them as GTF, GFF3 or BED12"
            )
        if self.rows < _LEAST_ALIKE:
            return None
        return (
            f"all {self.rows:,} genes are {length:,} bp long, as windows around TSSs are. A TSS is taken to be the "
            "first base of a gene (of a minus gene the last): only 20 rows and more of at most 5,000 bp are taken for "
            "windows. Are these? Then give their middles, each of one base"
        )


def window_middle(end: int, length_bp: int, *, is_minus: bool) -> int:
    """The base that is transcribed first, of a window around it, which a contig's start may have cut.

    Where two bases are in the middle, as 9 and 10 of 5 to 15, a gene on + begins with the second and one on - with the
    first: between them lies the end of its interval.
    """
    # from the end: 2 * 15 - 10 is 20, the first base behind the middle twice
    return (2 * end - length_bp - is_minus) // 2
