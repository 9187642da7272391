"""Which columns hold the alleles of a record, chosen as a pair, and how it is known which of them the effect is of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from enformer_core.variants.formats.column_search import HARMONISED, Search
from enformer_core.variants.formats.given import EFFECT_COLUMN
from enformer_core.variants.formats.headers import NUMBERED_ALLELES, Kind
from enformer_core.variants.formats.reader import Basis


@dataclass(frozen=True)
class Alleles:
    """Which columns hold alleles, and how that is known.

    Attributes:
        index: by role.
        declares_ref: whether `ref` is the genome's allele by the format's own rule.
        basis: how it is known.
        why: the same in words.
    """

    index: Mapping[str, int]
    declares_ref: bool
    basis: Basis
    why: str

    @staticmethod
    def find(search: Search) -> "Alleles":
        """Find both alleles, and a column that names the effect allele beside them."""
        # the surest first: what the user says, what a format says, what columns are called, and guesses last
        found = _given_alleles(search) or _list_of_alleles(search)
        found = found or _harmonised_alleles(search) or _declared_alleles(search)
        found = found or _named_alleles(search) or _numbered_alleles(search)
        found = found or _single_alleles(search)
        if EFFECT_COLUMN in search.given:
            found = found.with_effect(search.given[EFFECT_COLUMN])
        return found

    def are_harmonised(self, search: Search) -> bool:
        """Whether a harmonisation wrote them, not the table's author."""
        names = [search.names[at] for at in self.index.values()]
        return any(name.startswith(HARMONISED) for name in names)

    def with_effect(self, column: int) -> "Alleles":
        """The same where the user says which column holds the effect allele."""
        why = "--effect-allele says so"
        # where REF is declared it stays REF, whosever the effect is
        if self.declares_ref or column not in self.index.values():
            beside = {**self.index, "effect": column}
            return replace(self, index=beside, basis="given", why=why)
        index = {role: at for role, at in self.index.items() if role != "effect"}
        # one allele alone, which no longer is the other one
        if "alt" not in index:
            return replace(self, index={"effect": column}, basis="given", why=why)
        # the effect allele stands as ALT, so that a positive effect is one of ALT
        if column == index.get("ref"):
            index["ref"] = index["alt"]
            index["alt"] = column
        return replace(self, index=index, basis="given", why=why)


def _given_alleles(search: Search) -> Alleles | None:
    given = search.given
    why = "--columns says so"
    if {"ref", "alt"} <= given.keys():
        index = {role: given[role] for role in ("ref", "alt")}
        if "effect_allele" in given:
            index["effect"] = given["effect_allele"]
        return Alleles(index, True, "given", why)
    named = {"ref", "alt", "effect_allele", "other_allele"}
    if not named & given.keys():
        return None
    # one allele is given: the header may still name the other, by either of its names
    other = _first_found(search, "other_allele", "ref")
    effect = _first_found(search, "effect_allele", "alt")
    return Alleles(_both(other, effect), False, "given", why)


def _first_found(search: Search, *kinds: Kind) -> int | None:
    """Index of the column of the first of these kinds that the user has given, else of the first in the header."""
    of_user = [search.given[kind] for kind in kinds if kind in search.given]
    if of_user:
        return of_user[0]
    for kind in kinds:
        found = search.find(kind)
        if found is not None:
            return found
    return None


def _list_of_alleles(search: Search) -> Alleles | None:
    alleles = search.find("alleles")
    # a column of this name elsewhere holds anything; beside a locus it is Hail's
    has_locus_fields = any(name.startswith("locus.") for name in search.names)
    is_hail = has_locus_fields or search.find("locus") is not None
    if alleles is None or not is_hail:
        return None
    return Alleles({"alleles": alleles}, True, "format", "Hail lists REF first")


def _harmonised_alleles(search: Search) -> Alleles | None:
    pair = search.harmonised(("other_allele", "effect_allele"))
    if pair is None:
        return None
    other, effect = pair
    return Alleles(_both(other, effect), False, "names", _NAMED)


_NAMED = "one is called the effect allele"


def _declared_alleles(search: Search) -> Alleles | None:
    ref = search.find("ref")
    alt = search.find("alt")
    if ref is None or alt is None:
        return None
    index = _both(ref, alt)
    effect = _effect_column(search)
    if effect is not None:
        index["effect"] = effect
    return Alleles(index, True, "names", "one is called REF")


def _named_alleles(search: Search) -> Alleles | None:
    other = search.find("other_allele")
    effect = search.find("effect_allele")
    if other is None or effect is None:
        return None
    index = _both(other, effect)
    # a program's own names are explained by the program; of everybody's the names themselves tell
    program = search.dialect.program if search.dialect is not None and search.own else ""
    if program:
        why = _reported_by(search, program, effect)
        return Alleles(index, False, "dialect", why)
    return Alleles(index, False, "names", _NAMED)


def _numbered_alleles(search: Search) -> Alleles | None:
    """A1 and A2, Allele1 and Allele0: both of one row of NUMBERED_ALLELES."""
    for effect_name, other_names in NUMBERED_ALLELES:
        effect = search.choose(((effect_name,),), "effect_allele")
        # not looked for alone: Allele2 without its partner may belong to another pair
        if effect is None:
            continue
        other = search.choose((other_names,), "other_allele")
        if other is None:
            continue
        index = _both(other, effect)
        named = search.find("effect_allele")
        if named is not None:
            # which of both it is, this column says, record by record
            index["effect"] = named
            return Alleles(index, False, "names", _NAMED)
        basis, why = _basis_of_numbered(search, effect, other)
        return Alleles(index, False, basis, why)
    return None


def _single_alleles(search: Search) -> Alleles:
    """One allele of a declared pair beside another: REF and A1, say, or ALT and A2; or one allele alone."""
    ref = search.find("ref")
    alt = search.find("alt")
    effect = _effect_column(search)
    other = search.find("other_allele")
    if other is None:
        others = tuple(name for _, names in NUMBERED_ALLELES for name in names)
        other = search.choose((others,), "other_allele")
    if other is None and effect != ref:
        other = ref
    if effect is None:
        effect = alt
    index = _both(other, effect)
    if effect is None:
        return Alleles(index, False, "names", "one allele is named")
    if other is None:
        # which of the site's alleles it is, record by record, only the site shows
        return Alleles({"effect": effect}, False, "names", "one allele is named")
    names = f"{search.names[effect]!r} and {search.names[other]!r}"
    why = f"{names} are no pair; the first is taken for the effect allele"
    return Alleles(index, False, "assumed", why)


def _effect_column(search: Search) -> int | None:
    """A column beside both alleles that says which of them the effect is of."""
    effect = search.find("effect_allele")
    if effect is None:
        effect = search.choose(((HARMONISED + "effect_allele",),), "effect_allele")
    if effect is None:
        numbered = tuple(name for name, _ in NUMBERED_ALLELES)
        effect = search.choose((numbered,), "effect_allele")
    return effect


def _basis_of_numbered(
    search: Search,
    effect: int,
    other: int,
) -> tuple[Basis, str]:
    # A1 is PLINK's effect allele and other programs' other allele: who knows the program knows which
    if search.dialect is not None and search.dialect.program:
        return "dialect", _reported_by(search, search.dialect.program, effect)
    first = search.names[effect].upper()
    second = search.names[other].upper()
    return "assumed", (
        f"{first} and {second} do not say which is the effect allele; most programs mean {first}, some "
        f"(MungeSumstats) {second}: then give --effect-allele {second}"
    )


def _reported_by(search: Search, program: str, effect: int) -> str:
    return f"{program} reports effects of {search.names[effect].upper()}"


def _both(other: int | None, effect: int | None) -> dict[str, int]:
    index = {"ref": other, "alt": effect}
    return {role: at for role, at in index.items() if at is not None}
