"""Columns that the user names, where a header's names say too little: `--columns` and `--effect-allele`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from enformer_core.errors import InputError, nearest

GivenRole = Literal["chrom", "pos", "start", "end", "id", "ref", "alt", "effect", "other"]
"""What `--columns` can name. With `start` and `end` the end shows, record by record, how positions count."""

EFFECT_COLUMN = "effect_column"
"""Under this the index of `--effect-allele` stands among those of `--columns`."""

_KINDS = {"effect": "effect_allele", "other": "other_allele"}


_PAIRS = (("ref", "alt"), ("effect_allele", "other_allele"))
"""Kinds that cannot be one column."""


@dataclass(frozen=True)
class GivenColumns:
    """Columns by the names that they have in the files' headers.

    Attributes:
        roles: names of columns by `GivenRole`.
        effect_allele: the column whose allele the effect is of.
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    effect_allele: str | None = None

    @staticmethod
    def parse(columns: Sequence[str], effect_allele: str | None) -> "GivenColumns":
        """From what stands on the command line: `chrom=CHR`, `pos=BP`.

        Raises:
            InputError: for what is no such pair, an unknown role, or one named twice.
        """
        roles: dict[str, str] = {}
        for item in columns:
            role, equals, name = (part.strip() for part in item.partition("="))
            if not equals or not name:
                raise InputError(
                    f"--columns {item}: not of the form ROLE=COLUMN, such as chrom=CHR,pos=BP,ref=A2,alt=A1"
                )
            if role not in get_args(GivenRole):
                raise InputError(
                    f"--columns {item}: no role {role!r}{nearest(role, get_args(GivenRole))}"
                )
            if role in roles:
                raise InputError(f"--columns: {role} is named twice, {roles[role]!r} and {name!r}")
            roles[role] = name
        _check_distinct(roles)
        if effect_allele and "effect" in roles:
            raise InputError(
                f"--effect-allele {effect_allele} and --columns effect={roles['effect']}: give one of them"
            )
        return GivenColumns(roles, effect_allele or None)

    def __bool__(self) -> bool:
        return bool(self.roles or self.effect_allele)

    def indices(self, names: Sequence[str], where: str) -> dict[str, int]:
        """Where the given columns are, by kind; the effect allele's under EFFECT_COLUMN.

        Raises:
            InputError: when the header has no such column, with the nearest name.
        """
        found = {
            _KINDS.get(role, role): _index_of(name, names, f"{where}: --columns {role}={name}")
            for role, name in self.roles.items()
        }
        # by place, not by name: two names may mean one column, `A1` and `5`
        for one, other in _PAIRS:
            if one in found and found[one] == found.get(other):
                name = names[found[one]].strip()
                raise InputError(
                    f"{where}: --columns: {name!r} is named for both alleles. Name the other's column"
                )
        if self.effect_allele is not None:
            option = f"{where}: --effect-allele {self.effect_allele}"
            found[EFFECT_COLUMN] = _index_of(self.effect_allele, names, option)
        return found

    @property
    def are_numbers(self) -> bool:
        """Whether the roles are given by columns' numbers, as of files without a header."""
        return bool(self.roles) and all(name.isdecimal() for name in self.roles.values())


def _check_distinct(roles: Mapping[str, str]) -> None:
    """One column is one thing, but that the effect allele's may be that of REF or ALT where both are given."""
    has_both_alleles = {"ref", "alt"} <= roles.keys()
    may_repeat = {"effect"} if has_both_alleles else set()
    seen: dict[str, str] = {}
    for role, name in roles.items():
        if role in may_repeat:
            continue
        if name in seen:
            raise InputError(
                f"--columns: {seen[name]} and {role} are both {name!r}: name a column of its own for each"
            )
        seen[name] = role


NOTHING_GIVEN = GivenColumns()


def _index_of(name: str, names: Sequence[str], option: str) -> int:
    # people write CHROM for #CHROM: the sign says that the line is a header, not what the column is
    stripped = [each.strip().strip('"').removeprefix("#") for each in names]
    wanted = name.removeprefix("#")
    # as written first: names may differ by case alone
    folded = [each.lower() for each in stripped]
    for known, searched in ((stripped, wanted), (folded, wanted.lower())):
        if searched in known:
            return known.index(searched)
    # by number, from 1: the only way to tell columns of one name apart
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise InputError(f"{option}: there is no such column{nearest(wanted.lower(), folded)}")
