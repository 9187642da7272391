"""Columns looked up by the names in a header: those that the user gives, then a program's own, then everybody's."""

from collections.abc import Mapping, Sequence

from enformer_core.errors import InputError
from enformer_core.variants.formats import headers
from enformer_core.variants.formats.given import EFFECT_COLUMN
from enformer_core.variants.formats.headers import NAMES, REMADE, Dialect, Kind, Tiers

HARMONISED = "hm_"
"""What the GWAS and PGS Catalogs' harmonisation puts before the names of its own columns."""

_BUILDS = {"18": "36", "19": "37"}
"""GRC's number of an assembly, by UCSC's: hg18 is NCBI36, hg19 is GRCh37."""

Pair = tuple[int, int]
"""Indices of two columns of one fact."""


class Search:
    """Looks kinds of columns up among a header's names: those given, then a dialect's own, then everybody's."""

    def __init__(
        self,
        names: Sequence[str],
        where: str,
        given: Mapping[str, int],
    ) -> None:
        self._written = names
        self.names = [headers.cleaned(name) for name in names]
        self.given = given
        self.dialect = self._dialect()
        # a column that is given as the effect allele's may be one of the pair, which is still to be found
        self._taken = {at for kind, at in given.items() if kind != EFFECT_COLUMN}
        self._where = where

    def _dialect(self) -> Dialect | None:
        present = set(self.names)
        for dialect in headers.DIALECTS:
            # by names alone: what else shows a dialect is known only when its columns are found
            tells_something = bool(dialect.columns or dialect.program)
            if tells_something and dialect.names <= present:
                return dialect
        return None

    @property
    def own(self) -> Mapping[Kind, str]:
        """Names that mean something else in this dialect."""
        if self.dialect is None:
            return {}
        return self.dialect.columns

    def find(self, kind: Kind) -> int | None:
        """Index of the column of this kind, if there is one.

        Raises:
            InputError: when there are two.
        """
        if kind in self.given:
            return self.given[kind]
        if kind in self.own:
            tier = (self.own[kind],)
            return self.choose((tier,), kind)
        return self.choose(NAMES[kind], kind)

    def named(self, kind: Kind) -> list[int]:
        """Indices of all columns that bear a name of this kind."""
        found: list[int] = []
        for tier in NAMES[kind]:
            found.extend(self._free_columns(tier))
        return found

    def put(
        self,
        index: dict[str, int],
        role: str,
        kind: Kind,
    ) -> None:
        """Note the column of this kind under its role, if there is one."""
        at = self.find(kind)
        if at is not None:
            index[role] = at

    def choose(self, tiers: Tiers, kind: Kind) -> int | None:
        """Index of the column whose name is in the first tier that has one.

        Raises:
            InputError: when there are two in a tier.
        """
        for tier in tiers:
            matches = self._free_columns(tier)
            # an identifier that is there twice, as rsid and SNP, says the same in both
            may_repeat = kind == "id"
            if len(matches) > 1 and not may_repeat:
                raise self.doubt(matches, kind)
            if matches:
                return matches[0]
        return None

    def _free_columns(self, tier: Sequence[str]) -> list[int]:
        """Indices of columns with one of these names that the user has given no other meaning."""
        # a column that is given for ALT is not found as the effect allele, whatever it is called
        named = [index for index, name in enumerate(self.names) if name in tier]
        return [index for index in named if index not in self._taken]

    def doubt(self, matches: Sequence[int], kind: Kind) -> InputError:
        """The question which of these columns is meant."""
        both = " and ".join(self._said(index) for index in matches[:2])
        # --columns knows one name for a place, however it counts
        meaning = "pos" if kind in ("chrom_start", "start") else kind
        return InputError(
            f"{self._where}: columns {both} could both be {meaning}. Rename or drop one, or say which by --columns, "
            f"{meaning}={self._written[matches[0]].strip()} or, by its number, {meaning}={matches[0] + 1}."
        )

    def _said(self, index: int) -> str:
        """A column's name, and its number where another differs from it by case at most."""
        name = self._written[index].strip().strip('"')
        is_twice = self.names.count(self.names[index]) > 1
        return f"{name!r} (column {index + 1})" if is_twice else repr(name)

    def remade(self, kind: Kind) -> dict[str, list[int]]:
        """Columns of this kind that have an assembly or a structure in their names, by which one it is."""
        found: dict[str, list[int]] = {}
        plain = {name for tier in NAMES[kind] for name in tier}
        for index, name in enumerate(self.names):
            parts = REMADE.fullmatch(name)
            if parts is None:
                continue
            bare = parts["name"] or parts["base"]
            if bare not in plain:
                continue
            maker = parts["before"] or parts["after"]
            # hg38, GRCh38 and b38 are one assembly: the number at the end says which
            number = maker[-2:]
            build = _BUILDS.get(number, number)
            found.setdefault(build, []).append(index)
        return found

    def harmonised(self, kinds: tuple[Kind, Kind]) -> Pair | None:
        """The pair that the GWAS and PGS Catalogs' harmonisation added beside the author's columns, if whole."""
        first = self._harmonised_column(kinds[0])
        second = self._harmonised_column(kinds[1])
        # half a pair would be mixed with the author's column of another assembly or strand
        if first is None or second is None:
            return None
        return first, second

    def _harmonised_column(self, kind: Kind) -> int | None:
        tiers = [tuple(HARMONISED + name for name in tier) for tier in NAMES[kind]]
        return self.choose(tuple(tiers), kind)
