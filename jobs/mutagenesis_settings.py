"""The settings of saturation mutagenesis, which stands in the place of files of variants.

Knows what was asked for; does not know how it is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from enformer_core.errors import InputError
from jobs.help_headings import INPUT
from jobs.option_types import BasePairs, FileList, Places, listed_under

DEFAULT_FLANK_BP = 50

IN_THE_PLACE_OF_VARIANTS = ("--mutagenesis", "--mutagenesis-around")
"""Options of which one must be given where no file of variants is."""


@dataclass(frozen=True, kw_only=True)
@listed_under(INPUT)
class MutagenesisSettings:
    """Which bases are changed in every way, in the place of variants from files."""

    mutagenesis: Places = ()
    """instead of VARIANTS: every other base at every base of chr20:4699500-4699700, chr20, BED files"""

    mutagenesis_around: FileList = ()
    """or at every base around the variants of these files, which are read as VARIANTS are"""

    flank: BasePairs | None = None
    """bases on either side of each variant of --mutagenesis-around (default 50)"""

    deletions: BasePairs | None = None
    """with --mutagenesis, besides: remove each stretch of so many bases, one after another"""

    @property
    def mutates(self) -> bool:
        """Whether every change of some bases is asked for."""
        return bool(self.mutagenesis or self.mutagenesis_around)

    def check_mutagenesis(self, variants: Sequence[str]) -> None:
        """Refuse what cannot be meant together.

        Raises:
            InputError: naming both.
        """
        given = " and ".join(self._given())
        if variants and given:
            raise InputError(
                f"{given}: in the place of files of variants, and {variants[0]} was given too. Leave one of them out: "
                "they are two runs"
            )
        if not variants and not given:
            options = " or ".join(IN_THE_PLACE_OF_VARIANTS)
            raise InputError(f"no variants: give files of them, or {options}")
        if self.flank is not None and not self.mutagenesis_around:
            raise InputError(
                f"--flank {self.flank}: is around the variants of --mutagenesis-around, and none were given"
            )
        if self.deletions is not None and not given:
            raise InputError(f"--deletions {self.deletions}: goes with --mutagenesis")
        self._check_lengths()

    def _check_lengths(self) -> None:
        if self.flank is not None and self.flank < 0:
            raise InputError(f"--flank {self.flank}: must be at least 0")
        if self.deletions is not None and self.deletions < 1:
            raise InputError(f"--deletions {self.deletions}: must be at least 1")

    def _given(self) -> list[str]:
        values = (self.mutagenesis, self.mutagenesis_around)
        pairs = zip(IN_THE_PLACE_OF_VARIANTS, values, strict=True)
        return [option for option, value in pairs if value]
